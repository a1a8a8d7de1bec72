//! Answers about things, each from one view.

use super::types::{self, fields};
use super::{FoundThing, Moment, Selection, ThingHit, ThingPage, ThingRecall, Timeline};
use crate::read::{message, place, session_of};
use crate::shard::Shard;
use crate::types::{MessagePage, Page, Question, Reading, SessionPage};
use crate::user::User;
use holdfast_core::fold::{self, FoundSession};
use holdfast_core::session::{DEFAULT_STATUS, DEFAULT_TYPE};
use holdfast_core::thing::ThingKind;
use holdfast_core::{Order, Result, Scope};
use holdfast_search::{Condition, Field, Filter, Operator};
use serde_json::{Value, json};
use std::rc::Rc;

impl Shard {
    pub(crate) async fn list_things(
        self: Rc<Self>,
        scope: Scope,
        selection: Selection,
        page: Page,
        reading: Reading,
    ) -> Result<ThingPage> {
        let kind = ThingKind::parse(&selection.kind)?;
        let filter = selection.filter.as_deref().map(Filter::parse).transpose()?;
        let (after, session) = (place(&page)?, selection.session.unwrap_or_default());
        let user = self.ready(&scope, &reading).await?;
        let (journal, now) = (user.journal.borrow(), self.shared.now());
        let all = journal.view().things(kind, &session);
        let then = all.filter_map(|found| match reading.as_of {
            Some(until) => found.as_of(until),
            None => Some(found),
        });
        let passes = |found: &fold::FoundThing<'_>| {
            found.is_live(now) && filter.as_ref().is_none_or(|f| f.passes_json(&fields(found)))
        };
        let found = then.filter(passes).filter_map(|found| Some((found.last()?.order, found)));
        let (found, next) = paged(found.collect(), after, &page);
        let items = found.iter().filter_map(types::thing).collect();
        Ok(ThingPage { items, next, frontier: user.frontier(now) })
    }

    pub(crate) async fn find_thing(
        self: Rc<Self>,
        scope: Scope,
        kind: String,
        (session, id): (Option<String>, String),
        reading: Reading,
    ) -> Result<FoundThing> {
        let (kind, session) = (ThingKind::parse(&kind)?, session.unwrap_or_default());
        let user = self.ready(&scope, &reading).await?;
        let (journal, now) = (user.journal.borrow(), self.shared.now());
        let view = journal.view();
        let found = view.thing(kind, &session, &id);
        let known = found.is_some() || view.graves().thing(kind, &session, &id).is_some();
        let found = found.filter(|found| found.is_live(now));
        let then = found.and_then(|found| match reading.as_of {
            Some(until) => found.as_of(until),
            None => Some(found),
        });
        let history = then.iter().flat_map(|found| found.versions).map(types::version);
        Ok(FoundThing {
            item: then.as_ref().and_then(types::thing),
            history: history.collect(),
            deleted: known && found.is_none(),
            frontier: user.frontier(now),
        })
    }

    pub(crate) async fn recall_memories(
        self: Rc<Self>,
        scope: Scope,
        question: Question,
    ) -> Result<ThingRecall> {
        let reading = question.reading.clone();
        let mut question = self.understand(question)?;
        if let Some(session) = question.session.take() {
            let field = Field::Attribute("source_sessions");
            let of_session = Condition { field, operator: Operator::Contains(session.into()) };
            let mine = Filter::Is(of_session);
            question.filter =
                Some(Filter::And(question.filter.into_iter().chain([mine]).collect()));
        }
        let user = self.ready(&scope, &reading).await?;
        let recall = self.recall(&user, &question)?;
        self.weigh(&user);
        Ok(recall)
    }

    fn recall(&self, user: &User, question: &holdfast_search::Question) -> Result<ThingRecall> {
        let (journal, now) = (user.journal.borrow(), self.shared.now());
        let mut memories = user.memories.borrow_mut();
        memories.follow(journal.view(), now, &self.space)?;
        let recall = memories.search(question, &mut self.scratch.borrow_mut())?;
        let hit = |hit: holdfast_search::Hit| {
            let found = journal.view().thing(ThingKind::Memory, "", memories.id(hit.doc)?)?;
            Some(ThingHit { thing: types::thing(&found)?, score: hit.score, stages: hit.stages })
        };
        Ok(ThingRecall {
            hits: recall.hits.into_iter().filter_map(hit).collect(),
            pending: recall.pending,
            frontier: user.frontier(now),
        })
    }

    /// The user's sessions by last activity, those that pass a filter.
    pub(crate) async fn select_sessions(
        self: Rc<Self>,
        scope: Scope,
        filter: String,
        page: Page,
        reading: Reading,
    ) -> Result<SessionPage> {
        let (filter, after) = (Filter::parse(&filter)?, place(&page)?);
        let user = self.ready(&scope, &reading).await?;
        let journal = user.journal.borrow();
        let view = journal.view();
        let (all, _) = match reading.as_of {
            Some(until) => view.as_of(until).sessions(None, usize::MAX, page.descending),
            None => view.sessions(None, usize::MAX, page.descending),
        };
        let passing = all.into_iter().filter(|found| filter.passes_json(&session_fields(found)));
        let passing = passing.map(|found| (found.last, found)).collect();
        let (found, next) = paged(passing, after, &page);
        let items = found.iter().map(session_of).collect::<Result<_>>()?;
        Ok(SessionPage { items, next, frontier: user.frontier(self.shared.now()) })
    }

    pub(crate) async fn timeline(
        self: Rc<Self>,
        scope: Scope,
        page: Page,
        reading: Reading,
    ) -> Result<Timeline> {
        let before = place(&page)?.map(|order| (order, page.rank.unwrap_or(0)));
        let user = self.ready(&scope, &reading).await?;
        let (journal, now) = (user.journal.borrow(), self.shared.now());
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
        Ok(Timeline { items, next, frontier: user.frontier(now) })
    }

    /// Messages whose text has this SHA-256, oldest first, of one session or all.
    pub(crate) async fn find_content(
        self: Rc<Self>,
        scope: Scope,
        session: Option<String>,
        hash: String,
        reading: Reading,
    ) -> Result<MessagePage> {
        let user = self.ready(&scope, &reading).await?;
        let journal = user.journal.borrow();
        let view = journal.view();
        let numbers = user.contents.borrow_mut().find(view, &hash);
        let mut found: Vec<_> = numbers.into_iter().filter_map(|n| view.found(n)).collect();
        found.retain(|found| session.as_ref().is_none_or(|s| **s == *found.entry.session));
        found.sort_unstable_by_key(|found| found.entry.order);
        let items = found.iter().map(message).collect();
        let frontier = user.frontier(self.shared.now());
        Ok(MessagePage { items, more: false, late: Vec::new(), frontier })
    }
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
