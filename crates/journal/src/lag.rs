//! How far compaction is behind: what of a user's journal no segment holds yet.

use crate::ledger;
use crate::rules::Rules;
use crate::survey::survey;
use crate::tail::Tail;
use holdfast_core::erase::Ledger;
use holdfast_core::ports::{Clock, Objects, Outside};
use holdfast_core::{Result, Scope};

/// So many times what is worth a segment is much.
const MUCH: usize = 10;

/// What no segment holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Lag {
    /// Objects that lie by themselves.
    pub objects: usize,
    /// Their bytes.
    pub bytes: u64,
    /// When the oldest of them was written: Unix milliseconds.
    pub oldest: Option<u64>,
}

impl Lag {
    /// Nobody seals this journal: it is ten times what is worth a segment, or twice as old as anything is left.
    pub fn is_long(&self, rules: &Rules, now: u64) -> bool {
        let old = |at: u64| at.saturating_add(rules.seal_after.saturating_mul(2)) <= now;
        self.objects >= rules.least_objects.saturating_mul(MUCH) || self.oldest.is_some_and(old)
    }
}

/// Looks at a user's journal by its lists, manifests and covers, and reads no records. A user without a journal is not
/// behind.
///
/// # Errors
/// What the store may answer; `corrupt` or `not_yet_visible` for a manifest that may stand for what is nowhere else.
pub async fn lag<I>(
    outside: &Outside<'_, impl Objects, impl Clock, I>,
    scope: &Scope,
    ledger: &Ledger,
    rules: &Rules,
) -> Result<Lag> {
    let (objects, now) = (outside.objects, outside.clock.now());
    let erased = ledger::erased(objects, ledger, scope).await?;
    let survey = survey(objects, scope, rules, now, erased).await?;
    Ok(Tail::list(objects, scope, rules, &survey.segments, erased).await?.lag())
}
