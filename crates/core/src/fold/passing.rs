//! What passes with time in the fold: messages up to a horizon, which moves; and what is said of the user as a whole.

use super::{Applied, Number, View};
use crate::record::{Kind, Record};
use crate::retention::UserFields;
use crate::{Hlc, Order, Result};
use std::rc::Rc;

/// How far messages have passed.
#[derive(Debug, Default)]
pub(super) struct Passing {
    /// Up to here, written down or not.
    pub horizon: Option<Hlc>,
    /// No message that has a place, no copy, and no message that a thing was made of is older.
    pub oldest: Option<Hlc>,
    /// What has passed and was not written down, by the time that counts.
    pub unsaid: Vec<Hlc>,
    pub user: Option<(Order, UserFields)>,
}

impl Passing {
    pub(super) fn horizon(&self) -> Option<Hlc> {
        self.horizon
    }

    pub(super) fn hides(&self, judged: Hlc) -> bool {
        self.horizon >= Some(judged)
    }

    /// A message of this time is there, or a thing that was made of one.
    pub(super) fn met(&mut self, judged: Hlc) {
        self.oldest = Some(self.oldest.map_or(judged, |oldest| oldest.min(judged)));
    }
}

impl View {
    /// A record of no session.
    pub(super) fn of_user(&mut self, record: &Record, order: Order) -> Result<Applied> {
        self.note_time(order.hlc);
        if self.graves.erased() >= Some(order.hlc) {
            return Ok(Applied::Unknown);
        }
        match (&record.kind, &record.body) {
            (Kind::User, Some(body)) => {
                let fields = UserFields::decode(body.get())?;
                let newest = self.passing.user.as_ref().is_none_or(|(known, _)| *known < order);
                if newest {
                    self.passing.user = Some((order, fields));
                }
                Ok(Applied::Unknown)
            }
            _ => Ok(Applied::Unknown),
        }
    }

    /// It was written down how far messages have passed.
    pub(super) fn pass_for_ever(&mut self) -> Applied {
        let Some(until) = self.graves.passed() else { return Applied::Unknown };
        self.passing.unsaid.retain(|judged| *judged > until);
        self.let_pass(until)
    }

    /// What the user's last record of kind `user` says, and its order.
    pub fn user(&self) -> Option<(Order, &UserFields)> {
        let erased = self.graves.erased();
        let said = self.passing.user.as_ref().filter(|(order, _)| Some(order.hlc) > erased);
        said.map(|(order, fields)| (*order, fields))
    }

    /// Messages up to here are shown no more.
    pub fn horizon(&self) -> Option<Hlc> {
        self.passing.horizon
    }

    /// What may be written down: up to when messages have passed, and of how many of them no tombstone tells yet. None of
    /// what has passed by our clock and not by the store's, whose `horizon` this is: that clock may have been set ahead.
    pub fn unsaid(&self, horizon: Option<Hlc>) -> Option<(Hlc, usize)> {
        let until = self.passing.horizon.zip(horizon).map(|(ours, theirs)| ours.min(theirs))?;
        let count = self.passing.unsaid.iter().filter(|judged| **judged <= until).count();
        (count > 0).then_some((until, count))
    }

    /// Everything up to the horizon passes. Quick where there is nothing.
    pub fn let_pass(&mut self, horizon: Hlc) -> Applied {
        let (mut numbers, mut moved) = (Vec::new(), false);
        if self.passing.horizon < Some(horizon) {
            self.passing.horizon = Some(horizon);
        }
        if self.passing.oldest.is_none_or(|oldest| oldest > horizon) {
            return Applied::Hidden { numbers, moved };
        }
        let keys: Vec<Rc<str>> = self.sessions.keys().cloned().collect();
        for key in keys {
            let old = |judged: Hlc| judged <= horizon;
            let due = self.sessions.get(&key).is_some_and(|session| {
                let entries = session.places.iter().filter_map(|n| self.entries.get(*n as usize));
                entries.into_iter().any(|entry| old(entry.judged))
                    || session.has_copy_until(horizon)
            });
            if due {
                let (gone, others) = self.hide_session(&key, horizon, false);
                numbers.extend(gone);
                moved |= others;
            }
        }
        self.bury_things(None);
        self.settle();
        let said = self.graves.passed();
        let judged = |number: &Number| self.entries.get(*number as usize).map(|e| e.judged);
        let unsaid = numbers.iter().filter_map(judged).filter(|judged| Some(*judged) > said);
        self.passing.unsaid.extend(unsaid);
        let left = self.sessions.values().flat_map(|session| {
            let copies = session.all_copies().map(|(_, copy)| copy.judged);
            session.places.iter().filter_map(judged).chain(copies)
        });
        self.passing.oldest = left.chain(self.first_thing_passes()).min();
        Applied::Hidden { numbers, moved }
    }
}
