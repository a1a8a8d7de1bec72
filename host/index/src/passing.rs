//! What passes with time: messages that are older than they are kept are shown no more, from the next answer on.

use crate::shard::Shard;
use crate::types::{Reading, UserFound};
use crate::user::User;
use holdfast_core::retention::{days, horizon};
use holdfast_core::{Error, Hlc, Result, Scope};
use std::rc::Rc;

/// Clocks are not that far apart: a horizon that lies further back than the view's is that of a longer retention.
const LONGER: u64 = 60 * 60_000;

impl Shard {
    pub(crate) async fn find_user(
        self: Rc<Self>,
        scope: Scope,
        reading: Reading,
    ) -> Result<UserFound> {
        let user = self.ready(&scope, &reading).await?;
        let journal = user.journal.borrow();
        let view = journal.view();
        let said = view.user();
        let fields = said.map(|(_, fields)| fields);
        let body = fields.map(|fields| Ok::<_, Error>(fields.encode()?.get().to_owned()));
        Ok(UserFound {
            order: said.map(|(order, _)| order.to_string()).unwrap_or_default(),
            body: body.transpose()?,
            retention_days: days(self.settings.retention_days, fields),
            horizon: view.horizon(),
            unsaid: u32::try_from(view.unsaid()).unwrap_or(u32::MAX),
            frontier: user.frontier(self.shared.now()),
        })
    }

    /// Lets pass what is older than the user's messages are kept. True when they are kept longer than before: what was
    /// let go is to be read again.
    pub(crate) fn let_pass(&self, user: &User) -> Result<bool> {
        let mut journal = user.journal.borrow_mut();
        let view = journal.view();
        let days = days(self.settings.retention_days, view.user().map(|(_, fields)| fields));
        let horizon = horizon(days, self.shared.now());
        let known = view.horizon().filter(|known| Some(*known) > view.graves().passed());
        let later = |at: Hlc| at.milliseconds().saturating_add(LONGER);
        if known.is_some_and(|known| horizon.is_none_or(|at| later(at) < known.milliseconds())) {
            return Ok(true);
        }
        if let Some(horizon) = horizon {
            let applied = journal.let_pass(horizon);
            user.shelf.borrow_mut().follow(journal.view(), vec![applied], &self.space)?;
        }
        Ok(false)
    }
}
