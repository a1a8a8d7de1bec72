//! Answers about things, each from one view that is ready for it.

use crate::shard::Shard;
use holdfast_core::{Result, Scope};
use holdfast_view::{
    FoundThing, MessagePage, Page, Question, Reading, Selection, SessionPage, ThingPage,
    ThingRecall, Timeline, understand,
};
use std::rc::Rc;

impl Shard {
    pub(crate) async fn list_things(
        self: Rc<Self>,
        scope: Scope,
        selection: Selection,
        page: Page,
        reading: Reading,
    ) -> Result<ThingPage> {
        let user = self.ready(&scope, &reading).await?;
        user.list_things(&selection, &page, reading.as_of, self.shared.now())
    }

    pub(crate) async fn find_thing(
        self: Rc<Self>,
        scope: Scope,
        kind: String,
        (session, id): (Option<String>, String),
        reading: Reading,
    ) -> Result<FoundThing> {
        let user = self.ready(&scope, &reading).await?;
        user.find_thing(&kind, (session.as_deref(), &id), reading.as_of, self.shared.now())
    }

    pub(crate) async fn recall_memories(
        self: Rc<Self>,
        scope: Scope,
        question: Question,
    ) -> Result<ThingRecall> {
        let reading = question.reading.clone();
        let question = understand(question, &self.space)?;
        let user = self.ready(&scope, &reading).await?;
        let now = self.shared.now();
        let recall = user.recall_memories(question, &mut self.scratch.borrow_mut(), now)?;
        self.weigh(&user);
        Ok(recall)
    }

    pub(crate) async fn select_sessions(
        self: Rc<Self>,
        scope: Scope,
        filter: String,
        page: Page,
        reading: Reading,
    ) -> Result<SessionPage> {
        let user = self.ready(&scope, &reading).await?;
        user.select_sessions(&filter, &page, reading.as_of, self.shared.now())
    }

    pub(crate) async fn timeline(
        self: Rc<Self>,
        scope: Scope,
        page: Page,
        reading: Reading,
    ) -> Result<Timeline> {
        self.ready(&scope, &reading).await?.timeline(&page, self.shared.now())
    }

    pub(crate) async fn find_content(
        self: Rc<Self>,
        scope: Scope,
        session: Option<String>,
        hash: String,
        reading: Reading,
    ) -> Result<MessagePage> {
        let user = self.ready(&scope, &reading).await?;
        Ok(user.find_content(session.as_deref(), &hash, self.shared.now()))
    }
}
