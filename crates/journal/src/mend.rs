//! Mending: segments that cannot be read are sealed anew from what they were made of, or from what still holds it.

use crate::behind::{Found, behind, find, regain};
use crate::compact::{Guard, New, Next, Step, lines_of_wal, put, read_again, unreadable};
use crate::covered::{WalId, read_cover, uncovered};
use crate::fetch;
use crate::publish;
use crate::rules::Rules;
use crate::survey::{Segments, Survey, survey};
use crate::tail::Sealing;
use holdfast_core::cover::Cover;
use holdfast_core::erase::Ledger;
use holdfast_core::ports::{Clock, Ids, Objects, Outside};
use holdfast_core::{Result, Scope};
use std::collections::BTreeSet;

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
        let regained = regain(objects, scope, rules, &survey, &mut guard).await?.ok_or(unseen)?;
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
    from_behind(outside, scope, rules, &guard, &survey, &lost, &mut mended).await?;
    let Mended { replaced, new } = mended;
    let written = new.iter().map(|new| new.entry.bytes).sum();
    let (next, merged) = (Next::Done, replaced.len());
    let mut step = Step { next, merged, written, corrupt, ..Step::default() };
    if replaced.is_empty() {
        return Ok(step);
    }
    survey.segments.retain(|ulid, _| !replaced.contains(ulid));
    publish::add(rules, &mut survey.segments, new);
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
    rules: &Rules,
    guard: &Guard<'_>,
    survey: &Survey,
    lost: &[u128],
    mended: &mut Mended,
) -> Result<()> {
    let objects = outside.objects;
    let unheld = unheld(objects, survey, lost).await?;
    let behind = match unheld.iter().all(|(_, unheld)| unheld.wal.is_empty()) {
        true => Segments::new(),
        false => behind(objects, scope, rules, survey).await?,
    };
    for (ulid, Unheld { wal, names }) in unheld {
        let mut all = Sealing { wal: wal.iter().cloned().collect(), ..Sealing::default() };
        let Found { sealing, left } = find(objects, &behind, wal).await?;
        let Some(lines) = lines_of_wal(objects, scope, &left).await? else { continue };
        all.lines = sealing.into_iter().flat_map(|(_, one)| one.lines).chain(lines).collect();
        let named = survey.segments.get(&ulid).filter(|_| !all.wal.is_empty());
        if let Some(named) = named {
            all.names = names;
            mended.new.push(put(outside, scope, guard, all, named.entry.tier).await?);
        }
        mended.replaced.insert(ulid);
    }
    Ok(())
}

/// What no other segment of the heads holds of one that is lost.
struct Unheld {
    wal: BTreeSet<String>,
    /// Names that those objects gave.
    names: Vec<String>,
}

/// Of each lost segment that tells what it held.
async fn unheld(
    objects: &impl Objects,
    survey: &Survey,
    lost: &[u128],
) -> Result<Vec<(u128, Unheld)>> {
    let others = survey.segments.iter().filter(|(ulid, _)| !lost.contains(ulid));
    let others: Vec<_> = others.map(|(_, named)| named).collect();
    let mut all = Vec::new();
    for ulid in lost {
        let Some(named) = survey.segments.get(ulid).filter(|named| named.about.is_some()) else {
            continue;
        };
        let cover = read_cover(objects, named).await;
        let Ok(Cover { wal, names, .. }) = fetch::passing(cover)? else { continue };
        let wal = uncovered(objects, others.iter().copied(), wal, |name| WalId::of(name)).await?;
        all.push((*ulid, Unheld { wal: wal.into_iter().collect(), names }));
    }
    Ok(all)
}
