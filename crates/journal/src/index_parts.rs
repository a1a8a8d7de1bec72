//! Index parts: copies of what a journal makes, from which an index that keeps nothing itself begins. Which of them go.
//!
//! The ULID of a part is the moment, by the store's clock, when its maker's last list began. Only readers write them, and the
//! collection is where they end. Whoever looks for one that went reads the journal, so none is waited for, and where it is
//! not sure that a part may stay it goes.

use crate::fetch::Seen;
use crate::heads::ulid;
use crate::rules::Rules;
use crate::survey::Survey;
use holdfast_core::erase::{Erased, moment};

/// So long, in milliseconds, an index part stays at most: what it holds may have passed meanwhile, by a retention that nobody
/// wrote down yet, and nobody who reads the journal would know.
pub const INDEX_PART_KEPT: u64 = 30 * 24 * 60 * 60_000;

/// What parts are judged by.
pub(crate) struct Judge<'a> {
    pub rules: &'a Rules,
    /// Unix milliseconds, by our clock.
    pub now: u64,
    pub erased: Erased,
    /// The erase has its final receipt: what it settles came too late for its sweeps.
    pub ended: bool,
    /// When the last of what takes bytes with it was named: [`last_purge`].
    pub purged: Option<u64>,
}

impl Judge<'_> {
    /// Those of a user's parts that go: all but the newest of those that may stay.
    pub(crate) fn going(&self, parts: Vec<Seen>) -> Vec<Seen> {
        // Sweeps count them in the erase's receipt.
        let settled = |one: &Seen| !self.ended && self.erased.settles(&one.key);
        let (doomed, stay): (Vec<Seen>, Vec<Seen>) =
            parts.into_iter().filter(|one| !settled(one)).partition(|one| self.dooms(one));
        let newest = stay.iter().map(|one| &one.key).max().cloned();
        let older = stay.into_iter().filter(|one| Some(&one.key) != newest.as_ref());
        doomed.into_iter().chain(older).collect()
    }

    fn dooms(&self, one: &Seen) -> bool {
        let Some(made) = moment(&one.key) else { return true };
        let margin = self.rules.margin;
        let unaware = |at: u64| at.saturating_add(margin) >= made;
        let since = one.modified.min(made);
        // One of a time to come would stand before all others, and know of whatever is to be purged until then.
        let ahead = made > self.now.saturating_add(margin);
        let old = since.saturating_add(INDEX_PART_KEPT) <= self.now.saturating_sub(margin);
        ahead || old || self.purged.is_some_and(unaware) || self.is_of_erased(made)
    }

    /// Its maker may not have seen the user's last erase: lists may show that late too.
    fn is_of_erased(&self, made: u64) -> bool {
        let at = self.erased.at().map(|at| at.milliseconds());
        at.is_some_and(|at| at.saturating_add(self.rules.margin) >= made)
    }
}

/// When the newest was named, in Unix milliseconds, of what may tell of a physical delete or of what has passed: WAL objects
/// with a purge, and segments with one, or of which nobody can say whether they have one. A merge names an old purge anew.
/// `listed` is that of listed WAL objects.
pub(crate) fn last_purge(survey: Option<&Survey>, listed: Option<u64>) -> Option<u64> {
    let segments = survey.into_iter().flat_map(|survey| survey.segments.values());
    let purging = segments
        .filter(|named| named.about.as_ref().is_none_or(|about| !about.purges.is_empty()))
        .map(|named| &named.seg);
    let sealed = purging.filter_map(ulid).map(|ulid| ulid.timestamp_ms()).max();
    sealed.max(listed)
}
