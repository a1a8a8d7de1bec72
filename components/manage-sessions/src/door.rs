//! The typed door `sessions`: the same verbs, in the types of `holdfast:memory`.

use crate::bindings::Door;
use crate::bindings::exports::holdfast::memory::sessions::{
    Change, Guest, NewSession, Session, SessionPage,
};
use crate::verbs::{self, Shown};
use holdfast_core::session::SessionFields;
use holdfast_core::{Result, SessionId};
use holdfast_kit::read::{after, as_of, reading};
use holdfast_kit::write::Author;
use holdfast_kit::{memory, state};

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
    let frontier = verbs::delete(state, &scope, &SessionId::parse(&id)?, author).await?;
    Ok(state.signer(&scope).after(&frontier))
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
