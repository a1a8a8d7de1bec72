//! Mending: segments that cannot be read are sealed anew from what they were made of, or from what still holds it.

use crate::behind::{Found, behind, find, regain};
use crate::compact::{Guard, New, Next, Step, lines_of_wal, put, read_again, unreadable};
use crate::publish;
use crate::rules::Rules;
use crate::survey::{Segments, Survey, covered, survey};
use crate::tail::Sealing;
use holdfast_core::erase::Ledger;
use holdfast_core::ports::{Clock, Ids, Objects, Outside};
use holdfast_core::{Result, Scope};
use std::collections::{BTreeMap, BTreeSet};

/// Reads every segment of the heads. One that is not what was written is sealed again from the WAL objects that it covers,
/// while they are all there; one whose cover is not, from itself; one that others hold all of is left out; what neither holds
/// is taken from segments of the manifests behind the heads. One manifest names the new ones in their place. Nothing is
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
    let (begun, objects) = (outside.clock.now(), outside.objects);
    let Some(mut guard) = Guard::new(objects, ledger, scope, begun).await? else {
        return Ok(Step::default());
    };
    let mut survey = survey(objects, scope, rules, begun, guard.erased).await?;
    guard.learn(&survey);
    // What lies after it was not listed: the heads' word for it stands.
    let mut from = survey.heads.iter().map(|(_, manifest)| manifest.from).min().unwrap_or_default();
    let mut mended = Mended::default();
    if let Err(unseen) = survey.leave_out_gone(rules, begun) {
        let regained = regain(objects, scope, &survey, &mut guard).await?.ok_or(unseen)?;
        for (tier, sealing) in regained.sealing {
            mended.new.push(put(outside, scope, &guard, sealing, tier).await?);
        }
        let gone = survey.segments.iter().filter(|(_, named)| named.gone);
        mended.replaced.extend(gone.map(|(ulid, _)| *ulid));
        from = from.min(regained.oldest);
    }
    let mut corrupt = survey.look.corrupt.clone();
    corrupt.extend(unreadable(&survey));
    let mut lost = Vec::new();
    // One after the other: a segment may be large.
    for (ulid, named) in &survey.segments {
        let before = corrupt.len();
        let sealing = read_again(objects, scope, &survey, *ulid, &mut corrupt).await?;
        let whole = named.whole && corrupt.len() == before;
        match sealing {
            Some(sealing) if !whole => {
                mended.new.push(put(outside, scope, &guard, sealing, named.entry.tier).await?);
                mended.replaced.insert(*ulid);
            }
            Some(_) => {}
            None => lost.push(*ulid),
        }
    }
    from_behind(outside, scope, &guard, &survey, &lost, &mut mended).await?;
    let Mended { replaced, new } = mended;
    let written = new.iter().map(|new| new.entry.bytes).sum();
    let (next, merged) = (Next::Done, replaced.len());
    let mut step = Step { next, merged, written, corrupt, ..Step::default() };
    if replaced.is_empty() {
        return Ok(step);
    }
    survey.segments.retain(|ulid, _| !replaced.contains(ulid));
    publish::add(&mut survey.segments, new);
    guard.holds(objects, scope).await?;
    step.manifest = Some(publish::publish(outside, scope, rules, &mut survey, begun, from).await?);
    Ok(step)
}

/// Segments that go, and what takes their place.
#[derive(Default)]
struct Mended {
    replaced: BTreeSet<u128>,
    new: Vec<New>,
}

/// Seals lost segments anew from what manifests behind the heads hold, where that and the WAL objects that are there are all
/// of it. New segments, not those: a collection that began before may be removing those, since the heads do not name them.
async fn from_behind(
    outside: &Outside<'_, impl Objects, impl Clock, impl Ids>,
    scope: &Scope,
    guard: &Guard<'_>,
    survey: &Survey,
    lost: &[u128],
    mended: &mut Mended,
) -> Result<()> {
    let objects = outside.objects;
    let unheld = unheld(survey, lost);
    let behind = match unheld.values().all(BTreeSet::is_empty) {
        true => Segments::new(),
        false => behind(objects, scope, survey).await?,
    };
    for (ulid, wal) in unheld {
        let mut all = Sealing { wal: wal.iter().cloned().collect(), ..Sealing::default() };
        let Found { sealing, left } = find(objects, &behind, wal).await?;
        let Some(lines) = lines_of_wal(objects, scope, &left).await? else { continue };
        all.lines = sealing.into_iter().flat_map(|(_, one)| one.lines).chain(lines).collect();
        let named = survey.segments.get(&ulid).filter(|_| !all.wal.is_empty());
        if let Some((named, cover)) = named.and_then(|named| Some((named, named.cover.as_ref()?))) {
            all.names.clone_from(&cover.names);
            mended.new.push(put(outside, scope, guard, all, named.entry.tier).await?);
        }
        mended.replaced.insert(ulid);
    }
    Ok(())
}

/// What no segment of the heads holds that is not lost, of each lost one that tells what it held.
fn unheld(survey: &Survey, lost: &[u128]) -> BTreeMap<u128, BTreeSet<String>> {
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
