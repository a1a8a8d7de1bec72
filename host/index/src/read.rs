//! Answers: whole questions about one user, each from one view.

use crate::shard::Shard;
use crate::types::{
    Found, Hit, Message, MessagePage, Page, Question, Reading, Recall, Session, SessionPage,
};
use holdfast_core::fold;
use holdfast_core::record::WriterKind;
use holdfast_core::{Error, Order, Result, Scope};
use holdfast_search::{Filter, Recipe};
use std::rc::Rc;

impl Shard {
    pub(crate) async fn participants(self: Rc<Self>, scope: Scope) -> Result<Vec<String>> {
        let local = Reading { consistency: crate::Consistency::Local, after: None, as_of: None };
        let user = self.ready(&scope, &local).await?;
        let journal = user.journal.borrow();
        user.shelf.borrow_mut().participants(journal.view())
    }

    pub(crate) async fn search(self: Rc<Self>, scope: Scope, question: Question) -> Result<Recall> {
        let reading = question.reading.clone();
        if reading.as_of.is_some() {
            return Err(
                Error::invalid("a search knows only the present: leave as_of out").at("as_of")
            );
        }
        let question = self.understand(question)?;
        let user = self.ready(&scope, &reading).await?;
        let recall = {
            let journal = user.journal.borrow();
            let mut shelf = user.shelf.borrow_mut();
            let recall = shelf.search(journal.view(), &question, &mut self.scratch.borrow_mut())?;
            let hit = |hit: holdfast_search::Hit| {
                let message = message(&journal.view().found(hit.doc)?);
                Some(Hit { message, score: hit.score, stages: hit.stages })
            };
            Recall {
                hits: recall.hits.into_iter().filter_map(hit).collect(),
                pending: recall.pending,
                indexed_through: recall.indexed_through,
                frontier: user.frontier(self.shared.now()),
            }
        };
        self.weigh(&user);
        Ok(recall)
    }

    fn understand(&self, question: Question) -> Result<holdfast_search::Question> {
        let ours = question.space.as_deref() == Some(&*self.space.id);
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

    pub(crate) async fn history(
        self: Rc<Self>,
        scope: Scope,
        session: String,
        page: Page,
        reading: Reading,
    ) -> Result<MessagePage> {
        let after = place(&page)?;
        let user = self.ready(&scope, &reading).await?;
        let journal = user.journal.borrow();
        let limit = page.limit as usize;
        let view = journal.view();
        let (found, more) = match reading.as_of {
            Some(until) => view.as_of(until).page(&session, after, limit, page.descending),
            None => view.page(&session, after, limit, page.descending),
        };
        let items = found.iter().map(message).collect();
        let read = after.zip(page.rank).filter(|_| !page.descending && reading.as_of.is_none());
        let late = read.map(|(after, rank)| view.late(&session, after, rank));
        let late = late.unwrap_or_default().iter().map(message).collect();
        Ok(MessagePage { items, more, late, frontier: user.frontier(self.shared.now()) })
    }

    pub(crate) async fn find_message(
        self: Rc<Self>,
        scope: Scope,
        session: String,
        id: String,
        reading: Reading,
    ) -> Result<Found<Message>> {
        let user = self.ready(&scope, &reading).await?;
        let journal = user.journal.borrow();
        let view = journal.view();
        let item = match reading.as_of {
            Some(until) => view.as_of(until).find(&session, &id),
            None => view.find(&session, &id),
        };
        let item = item.as_ref().map(message);
        Ok(Found { item, frontier: user.frontier(self.shared.now()) })
    }

    pub(crate) async fn list_sessions(
        self: Rc<Self>,
        scope: Scope,
        page: Page,
        reading: Reading,
    ) -> Result<SessionPage> {
        let after = place(&page)?;
        let user = self.ready(&scope, &reading).await?;
        let journal = user.journal.borrow();
        let (view, limit) = (journal.view(), page.limit as usize);
        let (found, more) = match reading.as_of {
            Some(until) => view.as_of(until).sessions(after, limit, page.descending),
            None => view.sessions(after, limit, page.descending),
        };
        let next = found.last().filter(|_| more).map(|last| last.last.to_string());
        let items = found.iter().map(session_of).collect::<Result<_>>()?;
        Ok(SessionPage { items, next, frontier: user.frontier(self.shared.now()) })
    }

    pub(crate) async fn find_session(
        self: Rc<Self>,
        scope: Scope,
        id: String,
        reading: Reading,
    ) -> Result<Found<Session>> {
        let user = self.ready(&scope, &reading).await?;
        let journal = user.journal.borrow();
        let view = journal.view();
        let item = match reading.as_of {
            Some(until) => view.as_of(until).session(&id),
            None => view.session(&id),
        };
        let item = item.as_ref().map(session_of).transpose()?;
        Ok(Found { item, frontier: user.frontier(self.shared.now()) })
    }
}

fn place(page: &Page) -> Result<Option<Order>> {
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

fn session_of(found: &fold::FoundSession<'_>) -> Result<Session> {
    Ok(Session {
        id: found.id.to_owned(),
        body: found.fields.encode()?.get().to_owned(),
        order: found.fields_order.map(|order| order.to_string()).unwrap_or_default(),
        created_at: found.created_at,
        last_activity: found.last.hlc,
        messages: found.messages,
    })
}
