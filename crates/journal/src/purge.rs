//! Purging: segments that hold what a physical delete hides, or what has passed, are sealed anew without it.
//!
//! Names stay: the new segment covers the same WAL objects, and takes the old one's place in the manifest. The old one, and the
//! WAL objects, go with a collection once the grace is over, as whatever was replaced.

use crate::compact::{Guard, New, put, read_again};
use crate::covered::read_cover;
use crate::fetch;
use crate::rules::Rules;
use crate::survey::Survey;
use holdfast_core::ports::{Clock, Ids, Objects, Outside};
use holdfast_core::{Key, Result, Scope};
use std::collections::HashSet;

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

/// Looks at segments that purges concern which they were not looked at for, as far as one step reads. `clean` are those of
/// which it is known that they need no look.
pub(crate) async fn purge(
    outside: &Outside<'_, impl Objects, impl Clock, impl Ids>,
    scope: &Scope,
    guard: &Guard<'_>,
    rules: &Rules,
    survey: &mut Survey,
    (clean, corrupt): (&mut HashSet<u128>, &mut Vec<Key>),
) -> Result<Purged> {
    let (mut purged, mut read) = (Purged::default(), 0_u64);
    let all = survey.segments.keys().filter(|ulid| !clean.contains(*ulid)).copied();
    let all: Vec<u128> = all.collect();
    for ulid in all {
        let named = survey.segments.get(&ulid).filter(|named| named.about.is_some());
        let Some(named) = named else { continue };
        // Gone or damaged since it was read: it is looked at again.
        let Ok(cover) = fetch::passing(read_cover(outside.objects, named).await)? else { continue };
        let digest = guard.purges.digest(&cover);
        let Some(digest) = digest.filter(|new| named.entry.purged.as_ref() != Some(new)) else {
            clean.insert(ulid);
            continue;
        };
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
