//! Purging: segments that hold what a physical delete hides, or what has passed, are sealed anew without it.
//!
//! Names stay: the new segment covers the same WAL objects, and takes the old one's place in the manifest. The old one, and the
//! WAL objects, go with a collection once the grace is over, as whatever was replaced.

use crate::compact::{Guard, New, put, read_again};
use crate::rules::Rules;
use crate::survey::Survey;
use holdfast_core::ports::{Clock, Ids, Objects, Outside};
use holdfast_core::{Key, Result, Scope};

/// What a look at the segments gave.
#[derive(Default)]
pub(crate) struct Purged {
    /// Segments that others take the place of.
    pub replaced: Vec<u128>,
    /// Those others.
    pub new: Vec<New>,
    /// The survey's entries say anew that there is nothing to purge.
    pub looked: bool,
}

/// Looks at segments that purges concern which they were not looked at for, as far as one step reads.
pub(crate) async fn purge(
    outside: &Outside<'_, impl Objects, impl Clock, impl Ids>,
    scope: &Scope,
    guard: &Guard<'_>,
    rules: &Rules,
    survey: &mut Survey,
    corrupt: &mut Vec<Key>,
) -> Result<Purged> {
    let (mut purged, mut read) = (Purged::default(), 0_u64);
    let due = survey.segments.iter().filter_map(|(ulid, named)| {
        let digest = guard.purges.digest(named.cover.as_ref()?)?;
        (named.entry.purged.as_ref() != Some(&digest)).then_some((*ulid, digest))
    });
    for (ulid, digest) in due.collect::<Vec<_>>() {
        let Some(named) = survey.segments.get(&ulid) else { continue };
        let (tier, bytes) = (named.entry.tier, named.entry.bytes);
        read = read.saturating_add(bytes);
        if read > rules.step_bytes && (purged.looked || !purged.new.is_empty()) {
            break;
        }
        // One that cannot be read now is looked at again: its WAL objects may be, or somebody mends it.
        let sealing = read_again(outside.objects, scope, survey, ulid, corrupt).await?;
        let Some(mut sealing) = sealing else { continue };
        if guard.purges.apply(&mut sealing.lines)? {
            purged.new.push(put(outside, scope, guard, sealing, tier).await?);
            purged.replaced.push(ulid);
        } else if let Some(named) = survey.segments.get_mut(&ulid) {
            named.entry.purged = Some(digest);
            purged.looked = true;
        }
    }
    Ok(purged)
}
