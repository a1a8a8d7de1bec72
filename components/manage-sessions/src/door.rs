//! The typed door `sessions`: the same verbs, in the types of `holdfast:memory`.

use crate::around::Asker;
use crate::bindings::Door;
use crate::bindings::exports::holdfast::memory::sessions::{
    Change, ContextEntry, Event, EventPage, EventSource, Guest, KnownUser, MomentPage,
    NewContextEntry, NewPreference, NewRelationship, NewSession, Preference, Relationship, Session,
    SessionPage, User,
};
use crate::changes;
use crate::users;
use crate::verbs::{self, Shown};
use holdfast_core::clock::rfc3339;
use holdfast_core::retention::UserFields;
use holdfast_core::session::SessionFields;
use holdfast_core::thing::Source;
use holdfast_core::{Result, Scope, SessionId};
use holdfast_kit::read::{MAX_PAGE, PAGE, after, as_of, present, reading};
use holdfast_kit::types::message;
use holdfast_kit::write::Author;
use holdfast_kit::{State, index, memory, state};
use serde_json::Value;

impl Guest for Door {
    async fn create(
        scope: memory::Scope,
        session: NewSession,
        seen: Option<String>,
    ) -> Result<Session, memory::Error> {
        Ok(make(scope, session, seen).await?)
    }

    async fn get(
        scope: memory::Scope,
        id: String,
        how: memory::Reading,
    ) -> Result<Session, memory::Error> {
        Ok(find(scope, id, how).await?)
    }

    async fn list(
        scope: memory::Scope,
        page: memory::Page,
        how: memory::Reading,
    ) -> Result<SessionPage, memory::Error> {
        Ok(pages(scope, page, how).await?)
    }

    async fn update(
        scope: memory::Scope,
        id: String,
        change: Change,
        if_match: Option<String>,
        seen: Option<String>,
    ) -> Result<Session, memory::Error> {
        Ok(set(scope, id, change, if_match, seen).await?)
    }

    async fn delete(
        scope: memory::Scope,
        id: String,
        seen: Option<String>,
    ) -> Result<String, memory::Error> {
        Ok(remove(scope, id, seen).await?)
    }

    async fn get_user(
        scope: memory::Scope,
        how: memory::Reading,
    ) -> Result<KnownUser, memory::Error> {
        Ok(said(scope, how).await?)
    }

    async fn put_user(
        scope: memory::Scope,
        user: User,
        if_match: Option<String>,
        seen: Option<String>,
    ) -> Result<KnownUser, memory::Error> {
        Ok(say(scope, user, if_match, seen).await?)
    }

    async fn changes(
        scope: memory::Scope,
        cursor: Option<String>,
        limit: Option<u32>,
        how: memory::Reading,
    ) -> Result<EventPage, memory::Error> {
        Ok(told(scope, cursor, limit, how).await?)
    }

    async fn put_context(
        scope: memory::Scope,
        session: String,
        kind: String,
        key: String,
        entry: NewContextEntry,
        if_match: Option<String>,
        seen: Option<String>,
    ) -> Result<ContextEntry, memory::Error> {
        Ok(Asker::of(scope)
            .await?
            .put_context(&session, (&kind, &key), entry, if_match.as_deref(), seen.as_deref())
            .await?)
    }

    async fn get_context(
        scope: memory::Scope,
        session: String,
        kind: String,
        key: String,
        how: memory::Reading,
    ) -> Result<ContextEntry, memory::Error> {
        Ok(Asker::of(scope).await?.get_context(&session, (&kind, &key), how).await?)
    }

    async fn list_contexts(
        scope: memory::Scope,
        session: String,
        kind: Option<String>,
        how: memory::Reading,
    ) -> Result<Vec<ContextEntry>, memory::Error> {
        Ok(Asker::of(scope).await?.list_contexts(&session, kind.as_deref(), how).await?)
    }

    async fn delete_context(
        scope: memory::Scope,
        session: String,
        kind: String,
        key: String,
        seen: Option<String>,
    ) -> Result<String, memory::Error> {
        Ok(Asker::of(scope).await?.delete_context(&session, (&kind, &key), seen.as_deref()).await?)
    }

    async fn put_preference(
        scope: memory::Scope,
        key: String,
        preference: NewPreference,
        if_match: Option<String>,
        seen: Option<String>,
    ) -> Result<Preference, memory::Error> {
        Ok(Asker::of(scope)
            .await?
            .put_preference(&key, preference, if_match.as_deref(), seen.as_deref())
            .await?)
    }

    async fn get_preference(
        scope: memory::Scope,
        key: String,
        how: memory::Reading,
    ) -> Result<Preference, memory::Error> {
        Ok(Asker::of(scope).await?.get_preference(&key, how).await?)
    }

    async fn list_preferences(
        scope: memory::Scope,
        how: memory::Reading,
    ) -> Result<Vec<Preference>, memory::Error> {
        Ok(Asker::of(scope).await?.list_preferences(how).await?)
    }

    async fn delete_preference(
        scope: memory::Scope,
        key: String,
        seen: Option<String>,
    ) -> Result<String, memory::Error> {
        Ok(Asker::of(scope).await?.delete_preference(&key, seen.as_deref()).await?)
    }

    async fn relate(
        scope: memory::Scope,
        session: String,
        relationship: NewRelationship,
        seen: Option<String>,
    ) -> Result<Relationship, memory::Error> {
        Ok(Asker::of(scope).await?.relate(&session, relationship, seen.as_deref()).await?)
    }

    async fn list_relationships(
        scope: memory::Scope,
        session: String,
        how: memory::Reading,
    ) -> Result<Vec<Relationship>, memory::Error> {
        Ok(Asker::of(scope).await?.list_relationships(&session, how).await?)
    }

    async fn delete_relationship(
        scope: memory::Scope,
        session: String,
        kind: String,
        target: String,
        seen: Option<String>,
    ) -> Result<String, memory::Error> {
        Ok(Asker::of(scope)
            .await?
            .delete_relationship(&session, (&kind, &target), seen.as_deref())
            .await?)
    }

    async fn timeline(
        scope: memory::Scope,
        page: memory::Page,
        how: memory::Reading,
    ) -> Result<MomentPage, memory::Error> {
        Ok(Asker::of(scope).await?.timeline(page, how).await?)
    }
}

async fn make(scope: memory::Scope, new: NewSession, seen: Option<String>) -> Result<Session> {
    let (state, scope) = (state().await?, scope.try_into()?);
    let id = new.id.unwrap_or_else(|| verbs::new_id(state, &scope, None));
    let fields = SessionFields {
        name: new.name,
        kind: new.kind,
        metadata: new.metadata,
        ..SessionFields::default()
    };
    let author = Author::inside(state, &scope, seen.as_deref())?;
    let made = verbs::create(state, &scope, &SessionId::parse(&id)?, fields, author).await?;
    Ok(made.session.into())
}

async fn find(scope: memory::Scope, id: String, how: memory::Reading) -> Result<Session> {
    let (state, scope) = (state().await?, scope.try_into()?);
    let seen = after(state, &scope, how.after.as_deref())?;
    let reading = as_of(reading(how.consistency.as_deref(), seen)?, how.as_of.as_deref())?;
    let (session, _) = verbs::get(&scope, &SessionId::parse(&id)?, reading).await?;
    Ok(session.into())
}

async fn pages(
    scope: memory::Scope,
    page: memory::Page,
    how: memory::Reading,
) -> Result<SessionPage> {
    let (state, scope) = (state().await?, scope.try_into()?);
    let seen = after(state, &scope, how.after.as_deref())?;
    let reading = as_of(reading(how.consistency.as_deref(), seen)?, how.as_of.as_deref())?;
    let (shown, next_cursor, frontier) =
        verbs::list(state, &scope, None, &page.into(), reading).await?;
    Ok(SessionPage {
        sessions: shown.into_iter().map(Session::from).collect(),
        next_cursor,
        after: state.signer(&scope).after(&frontier),
    })
}

async fn set(
    scope: memory::Scope,
    id: String,
    change: Change,
    if_match: Option<String>,
    seen: Option<String>,
) -> Result<Session> {
    let (state, scope) = (state().await?, scope.try_into()?);
    let fields = SessionFields {
        name: change.name,
        kind: change.kind,
        status: change.status,
        metadata: change.metadata,
        ..SessionFields::default()
    };
    let id = SessionId::parse(&id)?;
    let author = Author::inside(state, &scope, seen.as_deref())?;
    let changed = verbs::update(state, &scope, &id, fields, if_match.as_deref(), author).await?;
    Ok(changed.session.into())
}

async fn remove(scope: memory::Scope, id: String, seen: Option<String>) -> Result<String> {
    let (state, scope) = (state().await?, scope.try_into()?);
    let author = Author::inside(state, &scope, seen.as_deref())?;
    let (id, physical) = (SessionId::parse(&id)?, state.settings.delete_physically);
    let frontier = verbs::delete(state, &scope, &id, physical, author).await?;
    Ok(state.signer(&scope).after(&frontier))
}

async fn told(
    scope: memory::Scope,
    cursor: Option<String>,
    limit: Option<u32>,
    how: memory::Reading,
) -> Result<EventPage> {
    let (state, scope) = (state().await?, scope.try_into()?);
    present(&how)?;
    let reading = reading(how.consistency.as_deref(), after(state, &scope, how.after.as_deref())?)?;
    let limit = limit.unwrap_or(PAGE).clamp(1, MAX_PAGE);
    let page = changes::page(state, &scope, cursor.as_deref(), limit, reading).await?;
    Ok(EventPage {
        events: page.items.into_iter().map(event).collect::<Result<_>>()?,
        next_cursor: page.next_cursor,
        more: page.more,
        after: state.signer(&scope).after(&page.frontier),
    })
}

async fn said(scope: memory::Scope, how: memory::Reading) -> Result<KnownUser> {
    let (state, scope) = (state().await?, scope.try_into()?);
    present(&how)?;
    let seen = after(state, &scope, how.after.as_deref())?;
    let known = users::get(&scope, reading(how.consistency.as_deref(), seen)?).await?;
    Ok(known_user(state, &scope, known))
}

async fn say(
    scope: memory::Scope,
    user: User,
    if_match: Option<String>,
    seen: Option<String>,
) -> Result<KnownUser> {
    let (state, scope) = (state().await?, scope.try_into()?);
    let User { names, no_train, retention_days } = user;
    let fields = UserFields { retention_days, no_train, names };
    let author = Author::inside(state, &scope, seen.as_deref())?;
    let known = users::put(state, &scope, fields, if_match.as_deref(), author).await?;
    Ok(known_user(state, &scope, known))
}

fn known_user(state: &State, scope: &Scope, known: users::Known) -> KnownUser {
    let UserFields { names, no_train, retention_days } = known.fields;
    KnownUser {
        user: User { names, no_train, retention_days },
        kept_days: known.kept_days,
        etag: known.order,
        after: state.signer(scope).after(&known.frontier),
    }
}

fn event(change: index::Change) -> Result<Event> {
    let said = change.fields.as_deref().map(|fields| changes::said(&change.kind, fields));
    let said = said.transpose()?;
    let source = |source: &Source| EventSource {
        session: source.session.to_string(),
        message: source.message.clone(),
        order: source.order.to_string(),
    };
    Ok(Event {
        kind: change.kind,
        session: change.session,
        id: change.id,
        order: change.order,
        arrived: rfc3339(change.arrived),
        of: change.of,
        hidden: change.hidden,
        digest: change.digest,
        message: change.message.as_ref().map(message).transpose()?,
        sources: said.iter().flat_map(|said| &said.sources).map(source).collect(),
        fields: said.map(|said| Value::Object(said.fields).to_string()),
    })
}

impl From<Shown> for Session {
    fn from(shown: Shown) -> Self {
        Self {
            id: shown.id,
            name: shown.fields.name,
            kind: shown.fields.kind.unwrap_or_default(),
            status: shown.fields.status.unwrap_or_default(),
            metadata: shown.fields.metadata,
            created_at: shown.created_at,
            last_activity: shown.last_activity,
            message_count: shown.messages,
            etag: shown.order,
        }
    }
}
