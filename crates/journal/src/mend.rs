//! Mending: segments that cannot be read are sealed anew from what they were made of.

use crate::behind::{behind, records};
use crate::compact::{Guard, Next, Step, put, read_again, unreadable};
use crate::publish;
use crate::rules::Rules;
use crate::survey::{Segments, Survey, covered, survey};
use crate::tail::Sealing;
use holdfast_core::erase::Ledger;
use holdfast_core::ports::{Clock, Ids, Objects, Outside};
use holdfast_core::{Result, Scope};
use std::collections::BTreeMap;

/// Reads every segment of the heads. One that is not what was written is sealed again from the WAL objects that it covers,
/// while they are all there; one whose cover is not, from itself; one that others hold all of is left out; what nothing of the
/// heads holds is taken from what manifests behind them do. One manifest names the new ones in their place. Nothing is removed; repeating is safe, and so is stopping anywhere. What cannot be read is in
/// `corrupt`, mended or not; `merged` counts what was mended.
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
    let Some(mut guard) = Guard::new(outside.objects, ledger, scope, begun).await? else {
        return Ok(Step::default());
    };
    let mut survey = survey(outside.objects, scope, rules, begun, guard.erased).await?;
    guard.learn(&survey);
    survey.leave_out_gone(rules, begun)?;
    let mut corrupt = survey.look.corrupt.clone();
    corrupt.extend(unreadable(&survey));
    let (mut replaced, mut new, mut lost) = (Vec::new(), Vec::new(), Vec::new());
    // One after the other: a segment may be large.
    for (ulid, named) in &survey.segments {
        let before = corrupt.len();
        let sealing = read_again(outside.objects, scope, &survey, *ulid, &mut corrupt).await?;
        let whole = named.whole && corrupt.len() == before;
        match sealing {
            Some(sealing) if !whole => {
                new.push(put(outside, scope, &guard, sealing, named.entry.tier).await?);
                replaced.push(*ulid);
            }
            Some(_) => {}
            None => lost.push(*ulid),
        }
    }
    let unheld = unheld(&survey, &lost);
    let behind = match unheld.values().all(Vec::is_empty) {
        true => Segments::new(),
        false => behind(outside.objects, scope, &survey).await?,
    };
    for (ulid, wal) in unheld {
        let Some(lines) = records(outside.objects, scope, &behind, &wal).await? else { continue };
        let named = survey.segments.get(&ulid).filter(|_| !wal.is_empty());
        if let Some((named, cover)) = named.and_then(|named| Some((named, named.cover.as_ref()?))) {
            let sealing = Sealing { lines, wal, names: cover.names.clone() };
            new.push(put(outside, scope, &guard, sealing, named.entry.tier).await?);
        }
        replaced.push(ulid);
    }
    let written = new.iter().map(|new| new.entry.bytes).sum();
    let (next, merged) = (Next::Done, replaced.len());
    let mut step = Step { next, merged, written, corrupt, ..Step::default() };
    if replaced.is_empty() {
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

/// What no segment of the heads holds that is not lost, of each lost one that tells what it held.
fn unheld(survey: &Survey, lost: &[u128]) -> BTreeMap<u128, Vec<String>> {
    let mut others = survey.segments.clone();
    others.retain(|ulid, _| !lost.contains(ulid));
    let held = covered(&others);
    let unheld = |ulid: &u128| {
        let cover = survey.segments.get(ulid)?.cover.as_ref()?;
        let names = cover.wal.iter().filter(|name| !held.contains(name.as_str()));
        Some((*ulid, names.cloned().collect()))
    };
    lost.iter().filter_map(unheld).collect()
}
