//! Conversations as the native index knows them.

use holdfast_core::attachment::Attachment;
use holdfast_core::thing::ThingKind;
use holdfast_core::{Result, Scope, TenantId};
use holdfast_export::{
    Feed, FeedPage, Feedback, Placed, Source, SourceSession, SourceSessions, database_of,
    name_told, until, user_trains,
};
use holdfast_index::{Consistency, Index, Message, Page, Reading, Selection, Session, Thing};
use holdfast_journal::next_user;
use holdfast_ports::Bucket;

/// Sessions, and messages, of one call: messages may have a megabyte each.
const SESSIONS: u32 = 100;
const MESSAGES: u32 = 50;

/// Things of one call.
const THINGS: u32 = 1_000;

/// A tenant's conversations.
pub(super) struct Indexed<'a> {
    pub index: &'a Index,
    pub store: &'a Bucket,
    pub tenant: &'a TenantId,
}

impl Source for Indexed<'_> {
    async fn next_user(&self, place: Option<&str>) -> Result<Option<(Option<Scope>, String)>> {
        let next = next_user(self.store, self.tenant, place).await?;
        Ok(next.map(|user| (user.scope, user.place)))
    }

    async fn trains(&self, scope: &Scope) -> Result<bool> {
        let found = self.index.find_user(scope.clone(), Reading::default()).await?;
        user_trains(found.body.as_deref())
    }

    async fn sessions(
        &self,
        scope: &Scope,
        after: Option<&str>,
        as_of: u64,
    ) -> Result<SourceSessions> {
        let page = page(after, SESSIONS);
        let found = self.index.list_sessions(scope.clone(), page, then(as_of)).await?;
        let items = found.items.iter().map(session).collect::<Result<_>>()?;
        Ok(SourceSessions { items, next: found.next })
    }

    async fn session(&self, scope: &Scope, id: &str) -> Result<Option<SourceSession>> {
        let found = self.index.find_session(scope.clone(), id.to_owned(), seen()).await?;
        found.item.as_ref().map(session).transpose()
    }

    async fn count(&self, scope: &Scope, session: &str, as_of: u64) -> Result<u32> {
        let then = then(as_of);
        let found = self.index.find_session(scope.clone(), session.to_owned(), then).await?;
        Ok(found.item.map_or(0, |session| session.messages))
    }

    async fn present(&self, scope: &Scope, session: &str, ids: &[String]) -> Result<Vec<String>> {
        let known = self.index.known(scope.clone(), session.to_owned(), ids.to_vec()).await?;
        Ok(known.present.into_iter().map(|present| present.id).collect())
    }

    async fn has(&self, scope: &Scope, session: &str, id: &str) -> Result<bool> {
        let (session, id) = (session.to_owned(), id.to_owned());
        Ok(self.index.find_message(scope.clone(), session, id, seen()).await?.item.is_some())
    }

    async fn messages(
        &self,
        scope: &Scope,
        session: &str,
        after: Option<&str>,
        as_of: u64,
    ) -> Result<FeedPage> {
        let page = page(after, MESSAGES);
        let found =
            self.index.history(scope.clone(), session.to_owned(), page, then(as_of)).await?;
        let next = found.items.last().filter(|_| found.more).map(|last| last.order.clone());
        let items = found.items.into_iter().map(feed).collect::<Result<_>>()?;
        Ok(FeedPage { items, next })
    }

    async fn feedback(&self, scope: &Scope, session: &str, as_of: u64) -> Result<Vec<Feedback>> {
        let found = self.all(scope, ThingKind::Feedback, Some(session), then(as_of)).await?;
        found.iter().map(|thing| Feedback::read(&thing.last.body, thing.last.trusted)).collect()
    }

    async fn database(
        &self,
        scope: &Scope,
        session: &str,
        as_of: u64,
    ) -> Result<Option<Attachment>> {
        let (kind, name) = (ThingKind::Attachment.name().to_owned(), database_of(session));
        let (scope, session) = (scope.clone(), Some(session.to_owned()));
        let found = self.index.find_thing(scope, kind, session, name, then(as_of)).await?.item;
        found.map(|thing| Attachment::read(&thing.last.body)).transpose()
    }

    async fn names(&self, scope: &Scope) -> Result<Vec<String>> {
        let mut names = self.index.participants(scope.clone()).await?;
        let found = self.all(scope, ThingKind::Preference, None, seen()).await?;
        names.extend(found.iter().filter_map(|thing| name_told(&thing.id, &thing.last.body)));
        Ok(names)
    }
}

impl Indexed<'_> {
    /// All things of a kind, oldest first.
    async fn all(
        &self,
        scope: &Scope,
        kind: ThingKind,
        session: Option<&str>,
        reading: Reading,
    ) -> Result<Vec<Thing>> {
        let (kind, session) = (kind.name().to_owned(), session.map(str::to_owned));
        let selection = Selection { kind, session, filter: None };
        let (mut items, mut after) = (Vec::new(), None::<String>);
        loop {
            let page = page(after.as_deref(), THINGS);
            let (selection, reading) = (selection.clone(), reading.clone());
            let found = self.index.list_things(scope.clone(), selection, page, reading).await?;
            items.extend(found.items);
            after = found.next;
            if after.is_none() {
                return Ok(items);
            }
        }
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
    Reading { as_of: Some(until(as_of)), ..seen() }
}

fn session(found: &Session) -> Result<SourceSession> {
    SourceSession::read(&found.id, &found.body, found.messages)
}

fn feed(found: Message) -> Result<Feed> {
    let Message { id, conflict_of, rank: index, trusted, order, body, .. } = found;
    Feed::read(Placed { id, conflict_of, index, trusted }, &order, &body)
}
