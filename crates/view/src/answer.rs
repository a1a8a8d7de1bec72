//! Answers: whole questions about one user, each from one view.

use crate::types::{
    Found, Hit, Message, MessagePage, Page, Question, Recall, Session, SessionPage,
};
use crate::{Space, UserView};
use holdfast_core::record::WriterKind;
use holdfast_core::{Error, Hlc, Order, Result, fold};
use holdfast_search::{Filter, Nearest, Recipe, Scratch};

impl<N: Nearest> UserView<N> {
    /// Names of those who speak in the user's messages.
    ///
    /// # Errors
    /// `corrupt` when a message cannot be read again.
    pub fn participants(&self) -> Result<Vec<String>> {
        let journal = self.journal.borrow();
        self.shelf.borrow_mut().participants(journal.view())
    }

    /// Answers a question that was [understood](understand). `now` is Unix milliseconds.
    ///
    /// # Errors
    /// `invalid` for a vector that does not fit; `model_unavailable` without one where meaning alone ranks.
    pub fn search(
        &self,
        question: &holdfast_search::Question,
        scratch: &mut Scratch,
        now: u64,
    ) -> Result<Recall> {
        let journal = self.journal.borrow();
        let recall = self.shelf.borrow_mut().search(journal.view(), question, scratch)?;
        let hit = |hit: holdfast_search::Hit| {
            let message = message(&journal.view().found(hit.doc)?);
            Some(Hit { message, score: hit.score, stages: hit.stages })
        };
        Ok(Recall {
            hits: recall.hits.into_iter().filter_map(hit).collect(),
            pending: recall.pending,
            indexed_through: recall.indexed_through,
            frontier: self.frontier(now),
        })
    }

    /// A session's messages in order.
    ///
    /// # Errors
    /// `invalid` for a place that is none.
    pub fn history(
        &self,
        session: &str,
        page: &Page,
        as_of: Option<Hlc>,
        now: u64,
    ) -> Result<MessagePage> {
        let after = place(page)?;
        let (journal, limit) = (self.journal.borrow(), page.limit as usize);
        let view = journal.view();
        let (found, more) = match as_of {
            Some(until) => view.as_of(until).page(session, after, limit, page.descending),
            None => view.page(session, after, limit, page.descending),
        };
        let items = found.iter().map(message).collect();
        let read = after.zip(page.rank).filter(|_| !page.descending && as_of.is_none());
        let late = read.map(|(after, rank)| view.late(session, after, rank));
        let late = late.unwrap_or_default().iter().map(message).collect();
        Ok(MessagePage { items, more, late, frontier: self.frontier(now) })
    }

    /// One message by its id.
    pub fn find_message(
        &self,
        session: &str,
        id: &str,
        as_of: Option<Hlc>,
        now: u64,
    ) -> Found<Message> {
        let journal = self.journal.borrow();
        let view = journal.view();
        let item = match as_of {
            Some(until) => view.as_of(until).find(session, id),
            None => view.find(session, id),
        };
        Found { item: item.as_ref().map(message), frontier: self.frontier(now) }
    }

    /// The user's sessions by last activity.
    ///
    /// # Errors
    /// `invalid` for a place that is none.
    pub fn list_sessions(&self, page: &Page, as_of: Option<Hlc>, now: u64) -> Result<SessionPage> {
        let after = place(page)?;
        let journal = self.journal.borrow();
        let (view, limit) = (journal.view(), page.limit as usize);
        let (found, more) = match as_of {
            Some(until) => view.as_of(until).sessions(after, limit, page.descending),
            None => view.sessions(after, limit, page.descending),
        };
        let next = found.last().filter(|_| more).map(|last| last.last.to_string());
        let items = found.iter().map(session_of).collect::<Result<_>>()?;
        Ok(SessionPage { items, next, frontier: self.frontier(now) })
    }

    /// One session by its id.
    ///
    /// # Errors
    /// `corrupt` when its fields cannot be written.
    pub fn find_session(&self, id: &str, as_of: Option<Hlc>, now: u64) -> Result<Found<Session>> {
        let journal = self.journal.borrow();
        let view = journal.view();
        let item = match as_of {
            Some(until) => view.as_of(until).session(id),
            None => view.session(id),
        };
        let item = item.as_ref().map(session_of).transpose()?;
        Ok(Found { item, frontier: self.frontier(now) })
    }
}

/// A question as the search side takes it, over vectors of `space`.
///
/// # Errors
/// `invalid` for a filter, and for a question about the past.
pub fn understand(question: Question, space: &Space) -> Result<holdfast_search::Question> {
    if question.reading.as_of.is_some() {
        return Err(Error::invalid("a search knows only the present: leave as_of out").at("as_of"));
    }
    let ours = question.space.as_deref() == Some(&*space.id);
    Ok(holdfast_search::Question {
        filter: question.filter.as_deref().map(Filter::parse).transpose()?,
        text: question.text,
        vector: question.vector.filter(|_| ours),
        session: question.session,
        from_session: question.from_session,
        mode: question.mode,
        boosts: question.boosts,
        limit: question.limit as usize,
        recipe: Recipe::default(),
    })
}

/// The place that a page comes after.
///
/// # Errors
/// `invalid` when it is none.
pub fn place(page: &Page) -> Result<Option<Order>> {
    let parsed = page.after.as_deref().map(Order::parse).transpose();
    parsed.map_err(|error: Error| error.at("after"))
}

pub(crate) fn message(found: &fold::Found<'_>) -> Message {
    let entry = found.entry;
    Message {
        session: entry.session.to_string(),
        id: found.id.clone(),
        conflict_of: found.conflict_of.map(str::to_owned),
        order: entry.order.to_string(),
        rank: found.rank,
        at: entry.order.hlc,
        by: entry.by.key.clone(),
        trusted: entry.by.kind == WriterKind::Service,
        body: entry.text.to_string(),
        restored_from: entry.restored_from.as_deref().map(str::to_owned),
    }
}

pub(crate) fn session_of(found: &fold::FoundSession<'_>) -> Result<Session> {
    Ok(Session {
        id: found.id.to_owned(),
        body: found.fields.encode()?.get().to_owned(),
        order: found.fields_order.map(|order| order.to_string()).unwrap_or_default(),
        created_at: found.created_at,
        last_activity: found.last.hlc,
        messages: found.messages,
    })
}
