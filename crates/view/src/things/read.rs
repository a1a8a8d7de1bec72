//! Answers about things, each from one view. `now` is Unix milliseconds.

use super::types::{self, fields};
use super::{FoundThing, Moment, Selection, ThingHit, ThingPage, ThingRecall, Timeline};
use crate::answer::{message, place, session_of};
use crate::types::{MessagePage, Page, SessionPage};
use crate::{Pending, UserView};
use holdfast_core::fold::{self, FoundSession, View};
use holdfast_core::session::{DEFAULT_STATUS, DEFAULT_TYPE};
use holdfast_core::thing::{ThingBody, ThingKind};
use holdfast_core::{Hlc, Order, Result};
use holdfast_search::{Condition, Field, Filter, Nearest, Operator, Question, Scratch};
use serde_json::{Value, json};

impl<N: Nearest> UserView<N> {
    /// Things of a kind by when they were last changed; none give an empty page.
    ///
    /// # Errors
    /// `invalid` for a kind, a filter or a place that is none.
    pub fn list_things(
        &self,
        selection: &Selection,
        page: &Page,
        as_of: Option<Hlc>,
        now: u64,
    ) -> Result<ThingPage> {
        let kind = ThingKind::parse(&selection.kind)?;
        let filter = selection.filter.as_deref().map(Filter::parse).transpose()?;
        let (after, session) = (place(page)?, selection.session.as_deref().unwrap_or_default());
        let journal = self.journal.borrow();
        let all = journal.view().things(kind, session);
        let then = all.filter_map(|found| match as_of {
            Some(until) => found.as_of(until),
            None => Some(found),
        });
        let passes = |found: &fold::FoundThing<'_>| {
            found.is_live(now) && filter.as_ref().is_none_or(|f| f.passes_json(&fields(found)))
        };
        let found = then.filter(passes).filter_map(|found| Some((found.last()?.order, found)));
        let (found, next) = paged(found.collect(), after, page);
        let items = found.iter().filter_map(types::thing).collect();
        Ok(ThingPage { items, next, frontier: self.frontier(now) })
    }

    /// One thing by its kind, session (none for a kind of no session) and id, with its history.
    ///
    /// # Errors
    /// `invalid` for a kind that is none.
    pub fn find_thing(
        &self,
        kind: &str,
        (session, id): (Option<&str>, &str),
        as_of: Option<Hlc>,
        now: u64,
    ) -> Result<FoundThing> {
        let (kind, session) = (ThingKind::parse(kind)?, session.unwrap_or_default());
        let journal = self.journal.borrow();
        let view = journal.view();
        let found = view.thing(kind, session, id);
        let known = found.is_some() || view.graves().thing(kind, session, id).is_some();
        let found = found.filter(|found| found.is_live(now));
        let then = found.and_then(|found| match as_of {
            Some(until) => found.as_of(until),
            None => Some(found),
        });
        let history = then.iter().flat_map(|found| found.versions).map(types::version);
        Ok(FoundThing {
            item: then.as_ref().and_then(types::thing),
            history: history.collect(),
            deleted: known && found.is_none(),
            frontier: self.frontier(now),
        })
    }

    /// Answers a question that was [understood](crate::understand) over the memories; with a session, over those that
    /// were made of its messages.
    ///
    /// # Errors
    /// As [`search`](Self::search).
    pub fn recall_memories(
        &self,
        mut question: Question,
        scratch: &mut Scratch,
        now: u64,
    ) -> Result<ThingRecall> {
        if let Some(session) = question.session.take() {
            let field = Field::Attribute("source_sessions");
            let of_session = Condition { field, operator: Operator::Contains(session.into()) };
            let all = question.filter.into_iter().chain([Filter::Is(of_session)]);
            question.filter = Some(Filter::And(all.collect()));
        }
        let journal = self.journal.borrow();
        let mut memories = self.memories.borrow_mut();
        memories.follow(journal.view(), now, &self.space)?;
        let recall = memories.search(&question, scratch)?;
        let hit = |hit: holdfast_search::Hit| {
            let found = journal.view().thing(ThingKind::Memory, "", memories.id(hit.doc)?)?;
            Some(ThingHit { thing: types::thing(&found)?, score: hit.score, stages: hit.stages })
        };
        Ok(ThingRecall {
            hits: recall.hits.into_iter().filter_map(hit).collect(),
            pending: recall.pending,
            frontier: self.frontier(now),
        })
    }

    /// The user's sessions by last activity, those that pass a filter.
    ///
    /// # Errors
    /// `invalid` for a filter or a place that is none.
    pub fn select_sessions(
        &self,
        filter: &str,
        page: &Page,
        as_of: Option<Hlc>,
        now: u64,
    ) -> Result<SessionPage> {
        let (filter, after) = (Filter::parse(filter)?, place(page)?);
        let journal = self.journal.borrow();
        let view = journal.view();
        let (all, _) = match as_of {
            Some(until) => view.as_of(until).sessions(None, usize::MAX, page.descending),
            None => view.sessions(None, usize::MAX, page.descending),
        };
        let passing = all.into_iter().filter(|found| filter.passes_json(&session_fields(found)));
        let passing = passing.map(|found| (found.last, found)).collect();
        let (found, next) = paged(passing, after, page);
        let items = found.iter().map(session_of).collect::<Result<_>>()?;
        Ok(SessionPage { items, next, frontier: self.frontier(now) })
    }

    /// All that the user has, newest first: messages, sessions and memories.
    ///
    /// # Errors
    /// `invalid` for a place that is none.
    pub fn timeline(&self, page: &Page, now: u64) -> Result<Timeline> {
        let before = place(page)?.map(|order| (order, page.rank.unwrap_or(0)));
        let journal = self.journal.borrow();
        let (found, more) = journal.view().timeline(before, page.limit as usize, now);
        let next = found.last().filter(|_| more);
        let next = next.map(|((order, rank), _)| (order.to_string(), *rank));
        let moment = |(_, moment): &(_, fold::Moment<'_>)| match moment {
            fold::Moment::Message(found) => Ok(Some(Moment::Message(message(found)))),
            fold::Moment::Session(found) => Ok(Some(Moment::Session(session_of(found)?))),
            fold::Moment::Memory(found) => Ok(types::thing(found).map(Moment::Memory)),
        };
        let items = found.iter().filter_map(|found| moment(found).transpose());
        let items = items.collect::<Result<_>>()?;
        Ok(Timeline { items, next, frontier: self.frontier(now) })
    }

    /// Messages whose text has this SHA-256 (64 hex digits), oldest first, of one session or all.
    pub fn find_content(&self, session: Option<&str>, hash: &str, now: u64) -> MessagePage {
        let journal = self.journal.borrow();
        let view = journal.view();
        let numbers = self.contents.borrow_mut().find(view, hash);
        let mut found: Vec<_> = numbers.into_iter().filter_map(|n| view.found(n)).collect();
        found.retain(|found| session.is_none_or(|session| *session == *found.entry.session));
        found.sort_unstable_by_key(|found| found.entry.order);
        let items = found.iter().map(message).collect();
        MessagePage { items, more: false, late: Vec::new(), frontier: self.frontier(now) }
    }

    /// Has the user anything that waits for vectors?
    pub fn waits(&self, now: u64) -> bool {
        let journal = self.journal.borrow();
        let mut memories = self.memories.borrow_mut();
        // What cannot be read here is met again, and said, where somebody asks for it.
        let _ = memories.follow(journal.view(), now, &self.space);
        self.shelf.borrow().pending_count() > 0 || memories.pending().next().is_some()
    }

    /// Memories that wait for vectors, as of the last look.
    pub(crate) fn pending_memories(&self) -> Vec<Pending> {
        let (journal, memories) = (self.journal.borrow(), self.memories.borrow());
        memories.pending().filter_map(|id| pending_memory(journal.view(), id)).collect()
    }
}

fn pending_memory(view: &View, id: &str) -> Option<Pending> {
    let found = view.thing(ThingKind::Memory, "", id)?;
    let last = found.last()?;
    let (text, sources) = (last.text.clone(), last.sources.clone());
    let body = ThingBody { text, sources, vectors: Vec::new() }.encode().ok()?;
    Some(Pending {
        memory: true,
        session: String::new(),
        id: id.to_owned(),
        order: last.order.to_string(),
        at: last.order.hlc,
        by: last.by.clone(),
        body: body.get().to_owned(),
    })
}

/// The fields of a session as filters name them.
fn session_fields(found: &FoundSession<'_>) -> Value {
    let fields = &found.fields;
    let parsed = |text: &Option<String>| {
        text.as_deref().and_then(|text| serde_json::from_str::<Value>(text).ok())
    };
    json!({
        "id": found.id,
        "session_id": found.id,
        "name": fields.name,
        "type": fields.kind.as_deref().unwrap_or(DEFAULT_TYPE),
        "status": fields.status.as_deref().unwrap_or(DEFAULT_STATUS),
        "metadata": parsed(&fields.metadata),
        "relevance_score": parsed(&fields.relevance_score),
        "created_at": found.created_at.milliseconds(),
        "last_activity": found.last.hlc.milliseconds(),
        "stored_at": found.created_at.milliseconds(),
    })
}

/// The page of these in the order of their places, and the place that continues it.
fn paged<T>(
    mut all: Vec<(Order, T)>,
    after: Option<Order>,
    page: &Page,
) -> (Vec<T>, Option<String>) {
    let beyond = |order: &Order, after: Order| {
        if page.descending { *order < after } else { *order > after }
    };
    all.retain(|(order, _)| after.is_none_or(|after| beyond(order, after)));
    all.sort_by_key(|(order, _)| *order);
    if page.descending {
        all.reverse();
    }
    let limit = page.limit as usize;
    let more = all.len() > limit;
    all.truncate(limit);
    let next = all.last().filter(|_| more).map(|(order, _)| order.to_string());
    (all.into_iter().map(|(_, item)| item).collect(), next)
}
