//! What passes with time: messages that are older than they are kept are shown no more, from the next answer on.

use crate::types::UserFound;
use crate::{Ended, Hlc, UserView};
use holdfast_core::clock::MAX_SKEW;
use holdfast_core::fold::View;
use holdfast_core::retention::{days, horizon};
use holdfast_core::{Error, Result, SessionId};
use holdfast_search::Nearest;

/// Things that have ended which one answer names.
const ENDED: usize = 500;

/// Clocks that are corrected are not that far apart: a horizon that lies further back than the view's is that of a longer
/// retention, or of a clock that was set back.
const LONGER: u64 = 2 * MAX_SKEW.unsigned_abs();

impl<N: Nearest> UserView<N> {
    /// What is said of the user as a whole, where all messages are kept for `kept` days at most (0 is for ever). What is to be
    /// written down for ever is judged by the last time that the store `told`, never by our clock alone.
    ///
    /// # Errors
    /// `internal` when it cannot be written.
    pub fn find_user(&self, kept: u32, now: u64, told: Option<u64>) -> Result<UserFound> {
        let journal = self.journal.borrow();
        let view = journal.view();
        let said = view.user();
        let fields = said.map(|(_, fields)| fields);
        let body = fields.map(|fields| Ok::<_, Error>(fields.encode()?.get().to_owned()));
        let days = days(kept, fields);
        let passed = view.unsaid(told.and_then(|told| horizon(days, told)));
        let ended = told.map(|told| ended(view, told)).transpose()?;
        Ok(UserFound {
            order: said.map(|(order, _)| order.to_string()).unwrap_or_default(),
            body: body.transpose()?,
            retention_days: days,
            horizon: passed.map(|(until, _)| until),
            unsaid: passed.map_or(0, |(_, count)| u32::try_from(count).unwrap_or(u32::MAX)),
            ended: ended.unwrap_or_default(),
            frontier: self.frontier(now),
        })
    }

    /// Lets pass what is older than the user's messages are kept. True when they are kept longer than before: then
    /// everything was dropped, because what was let go is to be read again.
    ///
    /// # Errors
    /// `corrupt` when a message cannot be read again.
    pub fn let_pass(&self, kept: u32, now: u64) -> Result<bool> {
        let (known, horizon) = {
            let journal = self.journal.borrow();
            let view = journal.view();
            let days = days(kept, view.user().map(|(_, fields)| fields));
            let known = view.horizon().filter(|known| Some(*known) > view.graves().passed());
            (known, horizon(days, now))
        };
        let later = |at: Hlc| at.milliseconds().saturating_add(LONGER);
        if known.is_some_and(|known| horizon.is_none_or(|at| later(at) < known.milliseconds())) {
            let erased = self.journal.borrow().erased();
            self.renew(erased);
            return Ok(true);
        }
        if let Some(horizon) = horizon {
            let applied = self.journal.borrow_mut().let_pass(horizon);
            self.follow(vec![applied])?;
        }
        Ok(false)
    }
}

fn ended(view: &View, now: u64) -> Result<Vec<Ended>> {
    let all = view.all_things().filter_map(|found| Some((found, found.last()?)));
    let all = all.filter(|(_, last)| last.ended(now)).take(ENDED);
    let made = all.map(|(found, last)| {
        let session = found.session.map(SessionId::parse).transpose()?;
        Ok(Ended { kind: found.kind, session, id: found.id.to_owned(), at: last.order.hlc })
    });
    made.collect()
}
