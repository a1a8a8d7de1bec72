//! Answers: whole questions about one user, each from one view that is ready for it.

use crate::shard::Shard;
use holdfast_core::{Result, Scope};
use holdfast_view::{
    ChangePage, Consistency, DifferencePage, Found, Message, MessagePage, Page, Part, Question,
    Reading, Recall, Session, SessionPage, UserFound, Wanted, changes_from, place, understand,
};
use std::rc::Rc;

impl Shard {
    pub(crate) async fn participants(self: Rc<Self>, scope: Scope) -> Result<Vec<String>> {
        let local = Reading { consistency: Consistency::Local, after: None, as_of: None };
        self.ready(&scope, &local).await?.participants()
    }

    pub(crate) async fn search(self: Rc<Self>, scope: Scope, question: Question) -> Result<Recall> {
        let reading = question.reading.clone();
        let question = understand(question, &self.space)?;
        let user = self.ready(&scope, &reading).await?;
        let now = self.shared.now();
        let recall = user.search(&question, &mut self.scratch.borrow_mut(), now)?;
        self.weigh(&user);
        Ok(recall)
    }

    pub(crate) async fn history(
        self: Rc<Self>,
        scope: Scope,
        session: String,
        page: Page,
        reading: Reading,
    ) -> Result<MessagePage> {
        place(&page)?;
        let user = self.ready(&scope, &reading).await?;
        user.history(&session, &page, reading.as_of, self.shared.now())
    }

    pub(crate) async fn find_message(
        self: Rc<Self>,
        scope: Scope,
        session: String,
        id: String,
        reading: Reading,
    ) -> Result<Found<Message>> {
        let user = self.ready(&scope, &reading).await?;
        Ok(user.find_message(&session, &id, reading.as_of, self.shared.now()))
    }

    pub(crate) async fn list_sessions(
        self: Rc<Self>,
        scope: Scope,
        page: Page,
        reading: Reading,
    ) -> Result<SessionPage> {
        place(&page)?;
        let (found, brought) = self.first_sessions(&scope, &page, &reading).await?;
        if let Some(found) = found {
            return Ok(found);
        }
        let user = self.ready_after(&scope, &reading, brought).await?;
        user.list_sessions(&page, reading.as_of, self.shared.now())
    }

    pub(crate) async fn find_session(
        self: Rc<Self>,
        scope: Scope,
        id: String,
        reading: Reading,
    ) -> Result<Found<Session>> {
        let user = self.ready(&scope, &reading).await?;
        user.find_session(&id, reading.as_of, self.shared.now())
    }

    pub(crate) async fn find_user(
        self: Rc<Self>,
        scope: Scope,
        reading: Reading,
    ) -> Result<UserFound> {
        let user = self.ready(&scope, &reading).await?;
        user.find_user(self.settings.retention_days, self.shared.now(), self.shared.told())
    }

    pub(crate) async fn changes(
        self: Rc<Self>,
        scope: Scope,
        place: Option<String>,
        limit: u32,
        reading: Reading,
    ) -> Result<ChangePage> {
        let told = changes_from(place.as_deref(), &reading)?;
        let user = self.ready(&scope, &reading).await?;
        user.changes(told, limit, self.shared.now())
    }

    pub(crate) async fn differences(
        self: Rc<Self>,
        scope: Scope,
        wanted: Wanted,
        part: Part,
        reading: Reading,
    ) -> Result<DifferencePage> {
        let user = self.ready(&scope, &reading).await?;
        let seen = user.frontier(self.shared.now());
        let then = user.then(&*self, &wanted).await?;
        // Once more: what was deleted or erased while the past was read.
        let user = self.ready(&scope, &reading).await?;
        user.differences(then.as_ref(), &wanted, &part, seen, self.shared.now())
    }
}
