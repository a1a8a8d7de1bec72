//! Compacting: seals WAL objects into segments, merges segments by tiers, and publishes what holds them in one manifest.
//!
//! Several at once are harmless: nothing is removed or overwritten, and readers take the union of what all published. What
//! an erase hides is not sealed again.

use crate::covered::read_cover;
use crate::erase::hidden_by;
use crate::fetch;
use crate::heads::{ulid, ulid_of_name};
use crate::ledger;
use crate::publish;
use crate::purge::purge;
use crate::rules::Rules;
use crate::survey::{Survey, survey, without_copies};
use crate::tail::{Sealing, Tail, unknown, weight};
use crate::write::fresh;
use bytes::Bytes;
use futures::future::try_join;
use holdfast_core::cover::Cover;
use holdfast_core::erase::{Erased, Ledger};
use holdfast_core::manifest::Entry;
use holdfast_core::ports::{Clock, Ids, Objects, Outside};
use holdfast_core::purge::{Purge, Purges};
use holdfast_core::record::Line;
use holdfast_core::segment::{self, Sealed};
use holdfast_core::{Error, Key, Result, Scope, key};
use serde_json::Map;
use std::collections::{BTreeMap, HashSet};
use ulid::Ulid;

/// What one bounded step did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Step {
    /// Is there more to do now?
    pub next: Next,
    /// The manifest that was published, if any.
    pub manifest: Option<Key>,
    /// WAL objects that came to be covered.
    pub sealed: usize,
    /// Segments that were merged into one.
    pub merged: usize,
    /// Segments that were sealed anew without what was purged.
    pub purged: usize,
    /// Bytes of new segments.
    pub written: u64,
    /// Objects that are not what was written: never covered, never removed, to be alarmed about.
    pub corrupt: Vec<Key>,
}

/// Is there more to do?
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Next {
    /// Not now.
    #[default]
    Done,
    /// Call again.
    More,
}

/// A segment that was written and read back, with what it covers.
pub(crate) struct New {
    pub ulid: Ulid,
    pub entry: Entry,
    pub seg: Key,
    pub cov: Key,
    pub cover: Cover,
}

/// The user's last erase, as it was when the work began.
pub(crate) struct Guard<'a> {
    ledger: &'a Ledger,
    pub erased: Erased,
    /// What goes wherever it is sealed.
    pub purges: Purges,
}

impl<'a> Guard<'a> {
    /// None while what is written at `begun` would count for nothing.
    pub async fn new(
        objects: &impl Objects,
        ledger: &'a Ledger,
        scope: &Scope,
        begun: u64,
    ) -> Result<Option<Self>> {
        let erased = ledger::erased(objects, ledger, scope).await?;
        let purges = Purges::default();
        Ok((!erased.reaches(begun)).then_some(Self { ledger, erased, purges }))
    }

    /// Was the user not erased meanwhile?
    pub async fn holds(&self, objects: &impl Objects, scope: &Scope) -> Result<()> {
        if ledger::erased(objects, self.ledger, scope).await? == self.erased {
            return Ok(());
        }
        Err(Error::unavailable("the user was erased meanwhile: compact again"))
    }

    /// Takes the purges of all segments into account.
    pub fn learn(&mut self, survey: &Survey) {
        let abouts = survey.segments.values().filter_map(|named| named.about.as_ref());
        self.purges.add(abouts.flat_map(|about| &about.purges), self.erased.at());
    }

    /// Leaves out what the erase hides; one that cannot be read stays.
    pub fn filter(&self, lines: &mut Vec<Line>) {
        let Some(at) = self.erased.at() else { return };
        let hidden = hidden_by(at);
        lines.retain(|line| !hidden(line));
    }
}

/// Does one step for a user: reads the heads and all that they do not cover, seals some of it or merges some segments,
/// reads back what it wrote, and publishes it. Repeating is safe, and so is stopping anywhere.
///
/// # Errors
/// What the store may answer; `corrupt` or `not_yet_visible` for a manifest that may stand for what is nowhere else;
/// `unavailable` when it took so long that what it would publish is void. Nothing is published then.
pub async fn compact(
    outside: &Outside<'_, impl Objects, impl Clock, impl Ids>,
    scope: &Scope,
    ledger: &Ledger,
    rules: &Rules,
) -> Result<Step> {
    match Compaction::open(outside, scope, ledger, rules).await? {
        Some(mut compaction) => compaction.step(outside).await,
        None => Ok(Step::default()),
    }
}

/// Steps for one user, one after the other: the heads, covers and lists are read once, and each step works on what is left.
/// Where that is more than is kept in memory they are read again.
pub struct Compaction<'a> {
    scope: &'a Scope,
    rules: &'a Rules,
    guard: Guard<'a>,
    begun: u64,
    survey: Survey,
    tail: Tail,
    /// Segments that need no look for these purges.
    clean: (Purges, HashSet<u128>),
}

impl<'a> Compaction<'a> {
    /// Reads the heads and lists what they do not cover. None while the user's last erase is so young that nothing may be
    /// sealed.
    ///
    /// # Errors
    /// As [`compact`](fn@compact).
    pub async fn open<I>(
        outside: &Outside<'_, impl Objects, impl Clock, I>,
        scope: &'a Scope,
        ledger: &'a Ledger,
        rules: &'a Rules,
    ) -> Result<Option<Self>> {
        let begun = outside.clock.now();
        let Some(mut guard) = Guard::new(outside.objects, ledger, scope, begun).await? else {
            return Ok(None);
        };
        let erased = guard.erased;
        let mut survey = survey(outside.objects, scope, rules, begun, erased).await?;
        guard.learn(&survey);
        survey.leave_out_gone(rules, begun)?;
        let tail = Tail::list(outside.objects, scope, rules, &survey.segments, erased).await?;
        let clean = (Purges::default(), HashSet::new());
        Ok(Some(Self { scope, rules, guard, begun, survey, tail, clean }))
    }

    /// One bounded step; `next` says whether there is more. Dropping it between two steps loses nothing.
    ///
    /// # Errors
    /// As [`compact`](fn@compact). After one it is to be opened anew.
    pub async fn step(
        &mut self,
        outside: &Outside<'_, impl Objects, impl Clock, impl Ids>,
    ) -> Result<Step> {
        if self.tail.is_spent(self.rules) {
            let again = Self::open(outside, self.scope, self.guard.ledger, self.rules).await?;
            let Some(again) = again else { return Ok(Step::default()) };
            *self = again;
        }
        let Self { scope, rules, guard, begun, survey, tail, clean } = self;
        let mut step = Step { corrupt: survey.look.corrupt.clone(), ..Step::default() };
        step.corrupt.extend(unreadable(survey));
        let mut new = Vec::new();
        if tail.is_due(rules, *begun) {
            let sealing = tail.read(outside.objects, scope, rules, survey).await?;
            step.corrupt.append(&mut tail.corrupt);
            let lines = sealing.iter().flat_map(|one| &one.lines);
            guard.purges.add(&Purge::among(lines), guard.erased.at());
            new = seal(outside, scope, guard, rules, sealing).await?;
            step.sealed = new.iter().map(|new| new.cover.wal.len()).sum();
        }
        let (mut replaced, mut looked) = (Vec::new(), false);
        if new.is_empty() {
            (replaced, new) = cleanse(outside, scope, guard, survey, &mut step.corrupt).await?;
        }
        if new.is_empty() && !guard.purges.is_empty() {
            if clean.0 != guard.purges {
                *clean = (guard.purges.clone(), HashSet::new());
            }
            let seen = (&mut clean.1, &mut step.corrupt);
            let purged = purge(outside, scope, guard, rules, survey, seen).await?;
            step.purged = purged.replaced.len();
            (replaced, new, looked) = (purged.replaced, purged.new, purged.looked);
        }
        if new.is_empty() && !looked {
            (replaced, new) =
                merge(outside, scope, guard, rules, survey, &mut step.corrupt).await?;
        }
        step.merged = replaced.len() - step.purged;
        step.written = new.iter().map(|new| new.entry.bytes).sum();
        let joins = looked || survey.heads.iter().count() > 1 || !survey.look.corrupt.is_empty();
        if new.is_empty() && !joins {
            return Ok(step);
        }
        survey.segments.retain(|ulid, _| !replaced.contains(ulid));
        tail.leave(&new);
        publish::add(rules, &mut survey.segments, new);
        without_copies(outside.objects, survey).await?;
        let from = (*begun).min(tail.oldest_left().unwrap_or(*begun));
        guard.holds(outside.objects, scope).await?;
        step.manifest = Some(publish::publish(outside, scope, rules, survey, *begun, from).await?);
        step.next = Next::More;
        Ok(step)
    }
}

pub(crate) fn unreadable(survey: &Survey) -> impl Iterator<Item = Key> {
    let parts = survey.segments.values();
    let segments = parts.clone().filter(|named| named.about.is_none()).map(|named| &named.seg);
    segments.chain(parts.filter(|named| !named.whole).map(|named| &named.cov)).cloned()
}

/// Seals what was read.
async fn seal(
    outside: &Outside<'_, impl Objects, impl Clock, impl Ids>,
    scope: &Scope,
    guard: &Guard<'_>,
    rules: &Rules,
    sealing: Vec<Sealing>,
) -> Result<Vec<New>> {
    let mut new = Vec::new();
    let mut open = Sealing::default();
    for object in sealing {
        if !open.wal.is_empty() && open.weight() + object.weight() > rules.segment_bytes {
            new.push(put(outside, scope, guard, std::mem::take(&mut open), 0).await?);
        }
        open.append(object);
    }
    if !open.wal.is_empty() {
        new.push(put(outside, scope, guard, open, 0).await?);
    }
    Ok(new)
}

/// Writes a segment and its cover, and reads both back.
pub(crate) async fn put(
    outside: &Outside<'_, impl Objects, impl Clock, impl Ids>,
    scope: &Scope,
    guard: &Guard<'_>,
    mut sealing: Sealing,
    tier: u32,
) -> Result<New> {
    let objects = outside.objects;
    guard.filter(&mut sealing.lines);
    guard.purges.apply(&mut sealing.lines)?;
    let (texts, names) = (sealing.texts(), sealing.names);
    let Sealed { segment, bytes_of_cover, cover } =
        segment::seal(sealing.lines, sealing.wal, names)?;
    let ulid = fresh(outside.clock.now(), outside.ids);
    let (seg_bytes, cov_bytes) = (Bytes::from(segment), Bytes::from(bytes_of_cover));
    let seg = key::segment_object(scope, ulid, &seg_bytes);
    let cov = key::cover_object(scope, ulid, &cov_bytes);
    guard.holds(objects, scope).await?;
    try_join(objects.put(&seg, seg_bytes.clone()), objects.put(&cov, cov_bytes.clone())).await?;
    let again = try_join(fetch::get(objects, &seg), fetch::get(objects, &cov)).await?;
    if again != (seg_bytes.clone(), cov_bytes) || segment::cover_within(&again.0)? != cover {
        return Err(Error::corrupt(format!("{seg} does not read as it was written")));
    }
    segment::check(&again.0, &cover).map_err(|e| e.about(&seg))?;
    let ulids = || cover.wal.iter().filter_map(|name| ulid_of_name(name));
    let entry = Entry {
        seg: key::name(scope, &seg).to_owned(),
        cov: key::name(scope, &cov).to_owned(),
        idx: None,
        bytes: seg_bytes.len() as u64,
        records: cover.records(),
        texts,
        tier,
        oldest: ulids().min().unwrap_or_default(),
        newest: ulids().max().unwrap_or_default(),
        purged: guard.purges.digest(&cover),
        unknown: Map::new(),
    };
    Ok(New { ulid, entry, seg, cov, cover })
}

/// Seals a segment anew that holds what the erase hides, because who sealed it had not heard of that: which one went, and
/// what took its place.
async fn cleanse(
    outside: &Outside<'_, impl Objects, impl Clock, impl Ids>,
    scope: &Scope,
    guard: &Guard<'_>,
    survey: &Survey,
    corrupt: &mut Vec<Key>,
) -> Result<(Vec<u128>, Vec<New>)> {
    for (ulid, named) in &survey.segments {
        let oldest = named.about.as_ref().and_then(|about| about.oldest);
        if oldest.is_none_or(|oldest| Some(oldest) >= guard.erased.at()) {
            continue;
        }
        let read = read_again(outside.objects, scope, survey, *ulid, corrupt).await?;
        let Some(mut sealing) = read else { continue };
        let before = sealing.lines.len();
        guard.filter(&mut sealing.lines);
        // What cannot be read is not filtered, and would be sealed again for ever.
        if sealing.lines.len() < before {
            let new = put(outside, scope, guard, sealing, named.entry.tier).await?;
            return Ok((vec![*ulid], vec![new]));
        }
    }
    Ok((Vec::new(), Vec::new()))
}

/// Merges segments of one tier, when there are enough of them that together are small enough: which ones went, and what
/// took their place.
async fn merge(
    outside: &Outside<'_, impl Objects, impl Clock, impl Ids>,
    scope: &Scope,
    guard: &Guard<'_>,
    rules: &Rules,
    survey: &Survey,
    corrupt: &mut Vec<Key>,
) -> Result<(Vec<u128>, Vec<New>)> {
    let mut lost = HashSet::new();
    while let Some((tier, group)) = group(rules, survey, &lost) {
        let mut sealing = Sealing::default();
        let before = lost.len();
        for ulid in &group {
            match read_again(outside.objects, scope, survey, *ulid, corrupt).await? {
                Some(one) => sealing.append(one),
                None => drop(lost.insert(*ulid)),
            }
        }
        if lost.len() == before {
            let named = sealing.names.iter().filter_map(|name| key::named(scope, name));
            let open = unknown(outside.objects, rules, survey, named.collect()).await?;
            sealing.names = open.iter().map(|key| key::name(scope, key).to_owned()).collect();
            let new = put(outside, scope, guard, sealing, tier + 1).await?;
            return Ok((group, vec![new]));
        }
    }
    Ok((Vec::new(), Vec::new()))
}

/// As many segments of one tier as become one, the smallest of them.
fn group(rules: &Rules, survey: &Survey, lost: &HashSet<u128>) -> Option<(u32, Vec<u128>)> {
    let mut tiers: BTreeMap<u32, Vec<(u64, u128)>> = BTreeMap::new();
    for (ulid, named) in survey.segments.iter().filter(|(ulid, _)| !lost.contains(*ulid)) {
        if named.about.is_some() {
            let weight = weight(named.entry.texts, named.entry.records);
            tiers.entry(named.entry.tier).or_default().push((weight, *ulid));
        }
    }
    tiers.into_iter().find_map(|(tier, mut all)| {
        all.sort_unstable();
        all.truncate(rules.tier);
        let weight: u64 = all.iter().map(|(weight, _)| weight).sum();
        let fits = all.len() >= rules.tier.max(2) && weight <= rules.segment_bytes;
        fits.then(|| (tier, all.into_iter().map(|(_, ulid)| ulid).collect()))
    })
}

/// A segment's records; where it cannot be read, from the WAL objects that it covers, while they are all there.
pub(crate) async fn read_again(
    objects: &impl Objects,
    scope: &Scope,
    survey: &Survey,
    ulid: u128,
    corrupt: &mut Vec<Key>,
) -> Result<Option<Sealing>> {
    let named = survey.segments.get(&ulid).filter(|named| named.about.is_some());
    let Some(named) = named else { return Ok(None) };
    let read = fetch::passing(fetch::get(objects, &named.seg).await)?;
    let within = read.as_ref().ok().and_then(|bytes| segment::cover_within(bytes).ok());
    let cover = match within {
        Some(cover) => Ok(cover),
        None => fetch::passing(read_cover(objects, named).await)?,
    };
    let both = read.ok().zip(cover.as_ref().ok());
    let lines = both.and_then(|(bytes, cover)| segment::open(&bytes, cover).ok());
    if lines.is_none() {
        corrupt.push(named.seg.clone());
    }
    let Ok(Cover { wal, names, .. }) = cover else { return Ok(None) };
    let lines = match lines {
        Some(lines) => Some(lines),
        None => lines_of_wal(objects, scope, &wal).await?,
    };
    Ok(lines.map(|lines| Sealing { lines, wal, names }))
}

/// The records of WAL objects. None where one of them cannot be read.
pub(crate) async fn lines_of_wal(
    objects: &impl Objects,
    scope: &Scope,
    wal: impl IntoIterator<Item = &String>,
) -> Result<Option<Vec<Line>>> {
    let keys = wal.into_iter().filter_map(|name| key::named(scope, name));
    let keys: Vec<Key> = keys.collect();
    let mut lines: Vec<Line> = Vec::new();
    for (key, got) in fetch::all(objects, keys).await? {
        let (Ok(bytes), Some(ulid)) = (got, self::ulid(&key)) else { return Ok(None) };
        let Ok((_, more)) = holdfast_core::record::WalObject::lines(ulid, &bytes) else {
            return Ok(None);
        };
        lines.extend(more);
    }
    Ok(Some(lines))
}
