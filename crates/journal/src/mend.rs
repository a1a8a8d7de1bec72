//! Mending: segments that cannot be read are sealed anew from what they were made of.

use crate::compact::{Guard, Next, Step, put, read_again, unreadable};
use crate::publish;
use crate::rules::Rules;
use crate::survey::survey;
use holdfast_core::erase::Ledger;
use holdfast_core::ports::{Clock, Ids, Objects, Outside};
use holdfast_core::{Result, Scope};

/// Reads every segment of the heads. One that is not what was written is sealed again from the WAL objects that it covers,
/// while they are all there; one whose cover is not, from itself. One manifest names the new ones in their place. Nothing is
/// removed; repeating is safe, and so is stopping anywhere. What cannot be read is in `corrupt`, mended or not; `merged`
/// counts what was mended.
///
/// # Errors
/// As [`compact`](fn@crate::compact).
pub async fn mend(
    outside: &Outside<'_, impl Objects, impl Clock, impl Ids>,
    scope: &Scope,
    ledger: &Ledger,
    rules: &Rules,
) -> Result<Step> {
    let begun = outside.clock.now();
    let Some(guard) = Guard::new(outside.objects, ledger, scope, begun).await? else {
        return Ok(Step::default());
    };
    let mut survey = survey(outside.objects, scope, rules, begun, guard.erased).await?;
    let mut corrupt = survey.look.corrupt.clone();
    corrupt.extend(unreadable(&survey));
    let (mut replaced, mut new) = (Vec::new(), Vec::new());
    // One after the other: a segment may be large.
    for (ulid, named) in &survey.segments {
        let before = corrupt.len();
        let sealing = read_again(outside.objects, scope, &survey, *ulid, &mut corrupt).await?;
        let whole = named.whole && corrupt.len() == before;
        if let Some(sealing) = sealing.filter(|_| !whole) {
            new.push(put(outside, scope, &guard, sealing, named.entry.tier).await?);
            replaced.push(*ulid);
        }
    }
    let written = new.iter().map(|new| new.entry.bytes).sum();
    let (next, merged) = (Next::Done, replaced.len());
    let mut step = Step { next, manifest: None, sealed: 0, merged, written, corrupt };
    if new.is_empty() {
        return Ok(step);
    }
    survey.segments.retain(|ulid, _| !replaced.contains(ulid));
    publish::add(&mut survey.segments, new);
    // What lies after it was not listed: the heads' word for it stands.
    let from = survey.heads.iter().map(|(_, manifest)| manifest.from).min().unwrap_or_default();
    guard.holds(outside.objects, scope).await?;
    step.manifest = Some(publish::publish(outside, scope, rules, &mut survey, begun, from).await?);
    Ok(step)
}
