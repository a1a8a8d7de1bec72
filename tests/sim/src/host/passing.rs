//! What passes with time: as `crates/view/src/passing.rs` lets it, and as `host/src/tend.rs` writes it down.

use super::{Host, Stored, User, writer};
use crate::mutants::Mutant;
use crate::plan::{DAY, MINUTE};
use holdfast_core::ports::{Objects, Outside};
use holdfast_core::record::{Kind, Record, Stamp};
use holdfast_core::retention::{UserFields, days, horizon, written_down};
use holdfast_core::token::Frontier;
use holdfast_core::{Error, Hlc, Result};
use holdfast_journal::{self as journal, Pen};
use std::rc::Rc;

impl Host {
    /// Lets pass what is older than the user's messages are kept.
    pub(super) async fn let_pass(&self, user: &User) -> Result<()> {
        if self.passes(user) {
            self.refresh(user).await?;
            self.passes(user);
        }
        Ok(())
    }

    /// True when messages are kept longer than before: everything was dropped, to be read again.
    fn passes(&self, user: &User) -> bool {
        let mut journal = user.journal.borrow_mut();
        let view = journal.view();
        let days = days(self.world.plan.kept, view.user().map(|(_, fields)| fields));
        let known = view.horizon().filter(|known| Some(*known) > view.graves().passed());
        let early = if self.world.mutant == Mutant::PassedTooEarly { DAY / 2 } else { 0 };
        let horizon = horizon(days, self.now() + early);
        let later = |at: Hlc| at.milliseconds() + 2 * MINUTE;
        if known.is_some_and(|known| horizon.is_none_or(|at| later(at) < known.milliseconds())) {
            let erased = journal.erased();
            journal.renew(erased);
            user.loaded.set(false);
            return true;
        }
        horizon.map(|horizon| journal.let_pass(horizon));
        false
    }

    /// Writes down what has passed of a user's messages.
    ///
    /// # Errors
    /// As [`read`](Self::read) and `holdfast_journal::rewrite`.
    pub(super) async fn expired(self: &Rc<Self>, number: usize) -> Result<()> {
        let user = self.ready(number, true, &Frontier::default()).await?;
        let until = {
            let journal = user.journal.borrow();
            let view = journal.view();
            let days = days(self.world.plan.kept, view.user().map(|(_, fields)| fields));
            let told = match self.world.mutant {
                Mutant::WrittenByOwnClock => Some(self.now()),
                _ => self.bucket.skew().told(),
            };
            view.unsaid(told.and_then(|told| horizon(days, told))).map(|(until, _)| until)
        };
        if until.is_none() {
            return Ok(());
        }
        let (offset, seen) = (self.bucket.skew().offset().unwrap_or(0), self.known(number));
        let stamp = Stamp { at: Hlc::mint(self.now(), [seen.hlc]), by: journal::upkeeper() };
        let records = written_down(until, &[], &stamp)?;
        let scope = self.world.users.get(number).ok_or_else(|| Error::not_found("user"))?;
        let outside = Outside { objects: &self.bucket, clock: &self.bucket, ids: &self.bucket };
        self.world.trace(|| format!("host {}: {number} has passed until {until:?}", self.id));
        let written = journal::rewrite(&outside, scope, &seen, offset, records).await?;
        self.world.counts.add(&self.world.counts.passed, 1);
        self.upsert(number, &written)
    }

    /// Says for how many days the user's messages are kept; 0 is as long as everybody's.
    ///
    /// # Errors
    /// As [`write`](Self::write).
    pub async fn keep(
        self: Rc<Self>,
        user: usize,
        after: Option<String>,
        days: u32,
    ) -> Result<Stored> {
        let offset = self.offset().await?;
        let after = self.after(user, after.as_deref())?;
        let known = after.joined(&self.known(user));
        let scope = self.world.users.get(user).ok_or_else(|| Error::not_found("user"))?;
        let clock = self.clock(&after);
        let outside = Outside { objects: &self.bucket, clock: &clock, ids: &self.bucket };
        let pen = Pen { scope, by: writer(), known: &known, offset };
        let fields = UserFields { retention_days: Some(days), ..UserFields::default() }.encode()?;
        let record = |stamp: &Stamp| Ok(vec![Record::of_user(Kind::User, "me", stamp, fields)]);
        let written = journal::write_as(&outside, pen, record).await?;
        let _ = self.upsert(user, &written);
        self.stored(user, &written)
    }
}
