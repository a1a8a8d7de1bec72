//! How long messages are kept: nothing that is younger is hidden (P1), and what is older is not shown (P6).

use super::{Broken, Checker, Item, Seen, Snapshot, milliseconds};
use crate::plan::{DAY, MINUTE};

/// What is said of how long messages are kept, and what has passed for ever.
#[derive(Default)]
pub(super) struct Retention {
    /// Days; 0 is for ever.
    kept: u64,
    /// How far a host may be wrong about what time it is, in milliseconds.
    off: u64,
    /// True time.
    pub now: u64,
    wishes: Vec<Wish>,
    passed: Vec<Passed>,
}

/// A user's own word on it.
pub(super) struct Wish {
    pub user: usize,
    pub order: String,
    pub days: u64,
    pub key: String,
    pub acked: Option<u64>,
}

/// It was written down how far messages have passed.
pub(super) struct Passed {
    pub user: usize,
    pub until: String,
    pub at: String,
    pub key: String,
}

impl Checker {
    /// Messages of all users are kept for so many days at most, 0 is for ever; a host may be wrong about the time by `off`
    /// milliseconds.
    #[must_use]
    pub fn keeping(mut self, kept: u32, off: u64) -> Self {
        (self.retention.kept, self.retention.off) = (kept.into(), off.max(MINUTE + 2_000));
        self
    }

    /// It is that late.
    pub fn at(&mut self, now: u64) {
        self.retention.now = now;
    }

    /// Somebody says how long, or how far.
    pub(super) fn wish(&mut self, wish: Wish) -> usize {
        self.retention.wishes.push(wish);
        self.retention.wishes.len() - 1
    }

    /// A client was told that its word counts.
    pub(super) fn wish_acknowledged(&mut self, number: usize, now: u64) {
        if let Some(wish) = self.retention.wishes.get_mut(number) {
            wish.acked.get_or_insert(now);
        }
    }

    /// It is about to be written down how far messages have passed.
    ///
    /// # Errors
    /// P1: when they have not, by the shortest retention that anybody spoke of. No clock that is wrong is an excuse.
    pub(super) fn pass(&mut self, passed: Passed) -> Result<(), Broken> {
        let now = self.retention.now;
        let far = milliseconds(&passed.until) >= self.shortest(passed.user, now);
        let broken = format!("P1: at {now} messages of user {} pass for ever up to", passed.user);
        let broken = format!("{broken} {}", milliseconds(&passed.until));
        self.retention.passed.push(passed);
        if far { Err(broken) } else { Ok(()) }
    }

    /// Unix milliseconds from which on nothing has passed at a time, by the shortest retention that anybody spoke of.
    fn shortest(&self, user: usize, now: u64) -> u64 {
        let own = self.retention.wishes.iter().filter(|wish| wish.user == user);
        let days = own.map(|wish| wish.days).chain([self.retention.kept]).filter(|days| *days > 0);
        days.min().map_or(0, |days| now.saturating_sub(days * DAY))
    }

    /// A message of this time may have passed.
    pub(super) fn may_have_passed(&self, user: usize, judged: &str) -> bool {
        let Retention { now, off, passed, .. } = &self.retention;
        milliseconds(judged) < self.shortest(user, now + off)
            || passed.iter().any(|passed| passed.user == user && passed.until.as_str() >= judged)
    }

    /// Anything may pass at all.
    pub(super) fn may_pass(&self) -> bool {
        let Retention { kept, wishes, passed, .. } = &self.retention;
        *kept > 0 || !wishes.is_empty() || !passed.is_empty()
    }

    /// All of its copies may have passed, or one of several.
    pub(super) fn may_be_past(&self, item: &Item) -> bool {
        self.may_pass()
            && item.copies.values().any(|copy| self.may_have_passed(item.user, &copy.judged))
    }

    /// P6: nothing is shown that has passed, whatever a user's own word may be that not everybody must know. `known` says
    /// what the view must know: an object that was acknowledged at some time.
    pub(super) fn none_is_past(
        &self,
        snapshot: &Snapshot,
        known: &dyn Fn(u64, &str) -> bool,
    ) -> Result<(), Broken> {
        let Retention { now, off, kept, .. } = &self.retention;
        let days = self.longest(snapshot.user, known).min(if *kept > 0 { *kept } else { u64::MAX });
        if days == u64::MAX {
            return Ok(());
        }
        let from = now.saturating_sub(off + days * DAY);
        let past = |seen: &&Seen| milliseconds(self.judged(snapshot.user, seen)) < from;
        match snapshot.items.iter().find(past) {
            Some(seen) => Err(format!("P6: {seen:?} is older than {days} days at {now}")),
            None => Ok(()),
        }
    }

    /// Days that the user's own word may be at most: none but the last that is known, and those that may have come after it.
    fn longest(&self, user: usize, known: &dyn Fn(u64, &str) -> bool) -> u64 {
        let mine = || self.retention.wishes.iter().filter(|wish| wish.user == user);
        let knows = |wish: &&Wish| wish.acked.is_some_and(|at| known(at, &wish.key));
        let last = mine().filter(knows).map(|wish| wish.order.as_str()).max().unwrap_or_default();
        if last.is_empty() || self.erased_above(user, last.get(..16).unwrap_or_default()) {
            return u64::MAX;
        }
        let since = mine().filter(|wish| wish.order.as_str() >= last);
        let days = since.map(|wish| if wish.days > 0 { wish.days } else { u64::MAX });
        days.max().unwrap_or(u64::MAX)
    }

    /// At the end: messages up to here, in hybrid time, have passed, by all that landed, when the clock says `now`.
    pub(super) fn past_until(&self, user: usize, now: u64) -> String {
        let landed = |key: &String| self.objects.get(key).is_some_and(|object| object.landed);
        let Retention { kept, wishes, passed, .. } = &self.retention;
        let erased = self.erased_until(user);
        let mine = wishes.iter().filter(|wish| wish.user == user && landed(&wish.key));
        let mine = mine.filter(|wish| wish.order.get(..16) > Some(erased));
        let last = mine.max_by_key(|wish| &wish.order).map(|wish| wish.days);
        let days = last.into_iter().chain([*kept]).filter(|days| *days > 0).min();
        let until = days.map(|days| (now.saturating_sub(days * DAY) << 16).saturating_sub(1));
        let until = until.map(|until| format!("{until:016x}")).unwrap_or_default();
        let told = passed.iter().filter(|one| one.user == user && landed(&one.key));
        told.map(|one| one.until.clone()).max().unwrap_or_default().max(until)
    }

    /// At the end: the hybrid times between which nobody can say whether what lies there has passed.
    pub(super) fn unsure(&self, user: usize) -> (String, String) {
        let Retention { now, off, .. } = self.retention;
        // What a clock that was wrong let pass stays so for two minutes.
        let early = if off > 2 * MINUTE { 3 * MINUTE } else { 5_000 };
        (self.past_until(user, now.saturating_sub(5_000)), self.past_until(user, now + early))
    }

    /// The last of the purges that what has passed is: up to when, where it landed, can be sealed, and no erase made it void.
    pub(super) fn passed_for_ever(&self, user: usize, largest: u64) -> Option<&str> {
        let erased = self.erased_until(user);
        let sealable =
            |key: &String| self.objects.get(key).is_some_and(|o| o.landed && o.bytes <= largest);
        let mine = self.retention.passed.iter().filter(|passed| passed.user == user);
        let told = mine.filter(|passed| passed.at.as_str() > erased && sealable(&passed.key));
        told.map(|passed| passed.until.as_str()).max()
    }
}
