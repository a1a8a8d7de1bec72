//! Conversations as the index knows them.

use holdfast_core::session::SessionFields;
use holdfast_core::token::Frontier;
use holdfast_core::{Error, Hlc, Order, Result, Scope, TenantId};
use holdfast_export::{Feed, FeedPage, Source, SourceSession, SourceSessions};
use holdfast_formats::training::Verdicts;
use holdfast_journal::next_user;
use holdfast_kit::State;
use holdfast_kit::read::{latest, noun};
use holdfast_kit::wit::index::{self, Consistency, Page, Reading};
use serde_json::{Map, Value};

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

    async fn trains(&self, _: &Scope) -> Result<bool> {
        Ok(true)
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
        let now = latest(&Frontier::default());
        let found = index::find_session(scope.into(), id.to_owned(), now).await?;
        found.item.as_ref().map(session).transpose()
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

    async fn verdicts(&self, _: &Scope, _: &str, _: u64) -> Result<Verdicts> {
        Ok(Verdicts::new())
    }

    async fn names(&self, scope: &Scope) -> Result<Vec<String>> {
        Ok(index::participants(scope.into()).await?)
    }
}

fn page(after: Option<&str>, limit: u32) -> Page {
    Page { after: after.map(str::to_owned), rank: None, limit, descending: false }
}

/// A reading of what had been written by the end of that millisecond.
fn then(as_of: u64) -> Reading {
    let until = Hlc::at(as_of + 1).0 - 1;
    Reading { consistency: Consistency::Latest, after: None, as_of: Some(until) }
}

fn session(found: &index::Session) -> Result<SourceSession> {
    let wrong = |e| Error::corrupt(format!("session {} cannot be read", found.id)).caused_by(e);
    let fields: SessionFields = serde_json::from_str(&found.body).map_err(wrong)?;
    let metadata = match fields.metadata.as_deref().map(serde_json::from_str) {
        None => Map::new(),
        Some(Ok(Value::Object(metadata))) => metadata,
        Some(Ok(_)) => {
            return Err(Error::corrupt(format!("session {} has odd metadata", found.id)));
        }
        Some(Err(e)) => return Err(wrong(e)),
    };
    Ok(SourceSession { id: found.id.clone(), metadata, messages: found.messages })
}

fn feed(found: index::Message) -> Result<Feed> {
    let message = noun(&found)?;
    let order = Order::parse(&found.order)
        .map_err(|e| Error::corrupt(format!("message {} has no order", found.id)).caused_by(e))?;
    Ok(Feed {
        id: found.id,
        conflict_of: found.conflict_of,
        index: found.rank,
        order,
        trusted: found.trusted,
        message,
    })
}
