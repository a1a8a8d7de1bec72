//! Conversations as the index knows them.

use holdfast_core::attachment::Attachment;
use holdfast_core::thing::ThingKind;
use holdfast_core::token::Frontier;
use holdfast_core::{Result, Scope, SessionId, TenantId};
use holdfast_export::{
    Feed, FeedPage, Feedback, Placed, Source, SourceSession, SourceSessions, database_of,
    name_told, until, user_trains,
};
use holdfast_journal::next_user;
use holdfast_kit::State;
use holdfast_kit::index::{self, Consistency, Page, Reading};
use holdfast_kit::read::latest;
use holdfast_kit::things::{all, find};

/// Sessions of one call.
const SESSIONS: u32 = 100;

/// Messages of one call: they may have a megabyte each.
const MESSAGES: u32 = 50;

/// A tenant's conversations.
pub struct Indexed<'a> {
    /// The bucket and the settings.
    pub state: &'a State,
    /// Whose.
    pub tenant: &'a TenantId,
}

impl Source for Indexed<'_> {
    async fn next_user(&self, place: Option<&str>) -> Result<Option<(Option<Scope>, String)>> {
        let next = next_user(&self.state.bucket, self.tenant, place).await?;
        Ok(next.map(|user| (user.scope, user.place)))
    }

    async fn trains(&self, scope: &Scope) -> Result<bool> {
        let found = index::find_user(scope.into(), latest(&Frontier::default())).await?;
        user_trains(found.body.as_deref())
    }

    async fn sessions(
        &self,
        scope: &Scope,
        after: Option<&str>,
        as_of: u64,
    ) -> Result<SourceSessions> {
        let page = page(after, SESSIONS);
        let found = index::list_sessions(scope.into(), page, then(as_of)).await?;
        let items = found.items.iter().map(session).collect::<Result<_>>()?;
        Ok(SourceSessions { items, next: found.next })
    }

    async fn session(&self, scope: &Scope, id: &str) -> Result<Option<SourceSession>> {
        let found = index::find_session(scope.into(), id.to_owned(), seen()).await?;
        found.item.as_ref().map(session).transpose()
    }

    async fn count(&self, scope: &Scope, session: &str, as_of: u64) -> Result<u32> {
        let then = then(as_of);
        let found = index::find_session(scope.into(), session.to_owned(), then).await?;
        Ok(found.item.map_or(0, |session| session.messages))
    }

    async fn present(&self, scope: &Scope, session: &str, ids: &[String]) -> Result<Vec<String>> {
        let known = index::known(scope.into(), session.to_owned(), ids.to_vec()).await?;
        Ok(known.present.into_iter().map(|present| present.id).collect())
    }

    async fn has(&self, scope: &Scope, session: &str, id: &str) -> Result<bool> {
        let (session, id) = (session.to_owned(), id.to_owned());
        Ok(index::find_message(scope.into(), session, id, seen()).await?.item.is_some())
    }

    async fn messages(
        &self,
        scope: &Scope,
        session: &str,
        after: Option<&str>,
        as_of: u64,
    ) -> Result<FeedPage> {
        let page = page(after, MESSAGES);
        let found = index::history(scope.into(), session.to_owned(), page, then(as_of)).await?;
        let next = found.items.last().filter(|_| found.more).map(|last| last.order.clone());
        let items = found.items.into_iter().map(feed).collect::<Result<_>>()?;
        Ok(FeedPage { items, next })
    }

    async fn feedback(&self, scope: &Scope, session: &str, as_of: u64) -> Result<Vec<Feedback>> {
        let session = SessionId::parse(session)?;
        let wanted = (ThingKind::Feedback, Some(&session), None);
        let (found, _) = all(scope, wanted, then(as_of)).await?;
        found.iter().map(|thing| Feedback::read(&thing.last.body, thing.last.trusted)).collect()
    }

    async fn database(
        &self,
        scope: &Scope,
        session: &str,
        as_of: u64,
    ) -> Result<Option<Attachment>> {
        let (session, name) = (SessionId::parse(session)?, database_of(session));
        let wanted = (ThingKind::Attachment, Some(&session), name.as_str());
        let found = find(scope, wanted, then(as_of)).await?.item;
        found.map(|thing| Attachment::read(&thing.last.body)).transpose()
    }

    async fn names(&self, scope: &Scope) -> Result<Vec<String>> {
        let mut names = index::participants(scope.into()).await?;
        let wanted = (ThingKind::Preference, None, None);
        let (found, _) = all(scope, wanted, seen()).await?;
        names.extend(found.iter().filter_map(|thing| name_told(&thing.id, &thing.last.body)));
        Ok(names)
    }
}

fn page(after: Option<&str>, limit: u32) -> Page {
    Page { after: after.map(str::to_owned), rank: None, limit, descending: false }
}

/// A reading of what the look at the user saw.
fn seen() -> Reading {
    Reading { consistency: Consistency::Local, after: None, as_of: None }
}

/// A reading of what had been written by the end of that millisecond, of what the look at the user saw.
fn then(as_of: u64) -> Reading {
    Reading { as_of: Some(until(as_of).0), ..seen() }
}

fn session(found: &index::Session) -> Result<SourceSession> {
    SourceSession::read(&found.id, &found.body, found.messages)
}

fn feed(found: index::Message) -> Result<Feed> {
    let index::Message { id, conflict_of, rank: index, trusted, order, body, .. } = found;
    Feed::read(Placed { id, conflict_of, index, trusted }, &order, &body)
}
