//! What manifests behind the heads still hold: what lost segments of the heads are sealed anew of.

use crate::compact::{Guard, lines_of_wal};
use crate::covered::{WalId, read_cover, uncovered};
use crate::fetch;
use crate::follow;
use crate::heads::{self, ulid, ulid_of_name};
use crate::rules::Rules;
use crate::survey::{Segments, Survey, segments};
use crate::tail::Sealing;
use holdfast_core::manifest::{Entry, Manifest};
use holdfast_core::ports::Objects;
use holdfast_core::purge::Purge;
use holdfast_core::{Key, Part, Result, Scope, key, segment};
use std::collections::{BTreeSet, HashSet};
use ulid::Ulid;

/// Segments that the heads do not name, of manifests that they took the place of, as far as those can be read. What an erase
/// settles is none.
pub(crate) async fn behind(
    objects: &impl Objects,
    scope: &Scope,
    rules: &Rules,
    survey: &Survey,
) -> Result<Segments> {
    let erased = survey.heads.erased;
    let manifests = survey.heads.iter().map(|(_, manifest)| manifest);
    let older = manifests.flat_map(|manifest| manifest.parents.iter().chain(&manifest.ancestors));
    let older = older.filter_map(|name| key::named(scope, name));
    let older = older.filter(|key| key.part() == Part::Manifest && !erased.settles(key));
    let older: BTreeSet<Key> = older.collect();
    let mut entries: Vec<Entry> = Vec::new();
    for (_, got) in fetch::all(objects, older).await? {
        let manifest = got.and_then(|bytes| Manifest::decode(&bytes));
        entries.extend(manifest.into_iter().flat_map(|manifest| manifest.segments));
    }
    entries.retain(|entry| {
        let parts = heads::parts(scope, &entry.seg, &entry.cov);
        parts.is_ok_and(|(ulid, ..)| !survey.segments.contains_key(&ulid.0))
    });
    let mut behind = segments(objects, scope, rules, entries.iter(), &Segments::new()).await?;
    behind.retain(|_, one| one.about.is_some() && !erased.settles(&one.seg));
    Ok(behind)
}

/// What was found of WAL objects.
pub(crate) struct Found {
    /// Their records, by the segment that they were found in, with its tier.
    pub sealing: Vec<(u32, Sealing)>,
    /// Those that no segment holds which can be read.
    pub left: BTreeSet<String>,
}

/// Looks for the records of WAL objects in segments behind the heads, the newest first.
pub(crate) async fn find(
    objects: &impl Objects,
    behind: &Segments,
    names: BTreeSet<String>,
) -> Result<Found> {
    let mut found = Found { sealing: Vec::new(), left: names };
    for named in behind.values().rev() {
        if found.left.is_empty() {
            break;
        }
        let Ok(mut cover) = fetch::passing(read_cover(objects, named).await)? else { continue };
        let mut wal = cover.wal.clone();
        wal.retain(|name| found.left.contains(name));
        if wal.is_empty() {
            continue;
        }
        let read = fetch::get(objects, &named.seg).await;
        let mut lines = match read.and_then(|bytes| segment::open(&bytes, &cover)) {
            Err(error) if fetch::concerns_one(&error) => continue,
            lines => lines?,
        };
        let ulids: HashSet<Ulid> = wal.iter().filter_map(|name| ulid_of_name(name)).collect();
        lines.retain(|line| ulids.contains(&line.order.ulid));
        found.left.retain(|name| !wal.contains(name));
        let names = std::mem::take(&mut cover.names);
        found.sealing.push((named.entry.tier, Sealing { lines, wal, names }));
    }
    Ok(found)
}

/// What takes the place of segments that are gone.
pub(crate) struct Regained {
    /// What is to be sealed, and in which tier.
    pub sealing: Vec<(u32, Sealing)>,
    /// The oldest of the WAL objects that are there and are uncovered without those segments: Unix milliseconds.
    pub oldest: u64,
}

/// What segments of the heads held that are gone with their covers, so that nothing tells what they covered.
///
/// The heads' segments hold all that the manifests behind them do: what the others of them do not hold was in those that are
/// gone. When that is as many records as their entries count, from the oldest object to the newest, it is all; so it is with
/// WAL objects of their time that nothing covers. None when it is not, and where purges make counts tell nothing.
pub(crate) async fn regain(
    objects: &impl Objects,
    scope: &Scope,
    rules: &Rules,
    survey: &Survey,
    guard: &mut Guard<'_>,
) -> Result<Option<Regained>> {
    let gone = survey.segments.values().filter(|named| named.gone).map(|named| &named.entry);
    let Some(gone) = Gone::of(gone) else { return Ok(None) };
    let there = || survey.segments.values().filter(|named| !named.gone);
    let (behind, mut names) = (behind(objects, scope, rules, survey).await?, BTreeSet::new());
    for named in behind.values() {
        let cover = fetch::passing(read_cover(objects, named).await)?;
        let wal = cover.map(|cover| cover.wal).unwrap_or_default();
        names.extend(uncovered(objects, there(), wal, |name| WalId::of(name)).await?);
    }
    let Found { mut sealing, left } = find(objects, &behind, names).await?;
    let (mut records, mut wal) = (0, Vec::new());
    for (_, one) in &mut sealing {
        guard.purges.add(&Purge::among(&one.lines), guard.erased.at());
        guard.filter(&mut one.lines);
        records += one.lines.len();
        wal.extend(one.wal.iter().cloned());
    }
    if left.is_empty() && gone.is_all(records, &wal) {
        return Ok(Some(Regained { sealing, oldest: u64::MAX }));
    }
    let listed = follow::list(objects, scope).await?;
    let span = gone.oldest..=gone.newest;
    let within = listed.iter().filter(|key| ulid(key).is_some_and(|ulid| span.contains(&ulid)));
    let open = within.map(|key| key::name(scope, key).to_owned()).chain(left);
    let open = open.filter(|name| !wal.contains(name)).collect();
    let open = uncovered(objects, there(), open, |name: &String| WalId::of(name)).await?;
    let open: BTreeSet<String> = open.into_iter().collect();
    let lines = lines_of_wal(objects, scope, &open).await?;
    let Some(mut lines) = lines else { return Ok(None) };
    guard.filter(&mut lines);
    wal.extend(open);
    let is_all = gone.is_all(records + lines.len(), &wal);
    Ok(is_all.then_some(Regained { sealing, oldest: gone.oldest.timestamp_ms() }))
}

/// What is known of segments that are gone.
struct Gone {
    records: u64,
    ends: HashSet<Ulid>,
    oldest: Ulid,
    newest: Ulid,
}

impl Gone {
    /// None of what was purged: its count is of what was left.
    fn of<'e>(entries: impl Iterator<Item = &'e Entry> + Clone) -> Option<Self> {
        let ends: HashSet<Ulid> =
            entries.clone().flat_map(|entry| [entry.oldest, entry.newest]).collect();
        let (oldest, newest) = (*ends.iter().min()?, *ends.iter().max()?);
        let records = entries.clone().map(|entry| entry.records).sum();
        let counts = entries.clone().all(|entry| entry.purged.is_none());
        counts.then_some(Self { records, ends, oldest, newest })
    }

    fn is_all(&self, records: usize, wal: &[String]) -> bool {
        let ulids: HashSet<Ulid> = wal.iter().filter_map(|name| ulid_of_name(name)).collect();
        records as u64 == self.records && self.ends.is_subset(&ulids)
    }
}
