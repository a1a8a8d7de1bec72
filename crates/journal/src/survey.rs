//! What the present heads hold: their segments, and what those cover.

use crate::covered::{About, WalId, ids_of, uncovered};
use crate::fetch::{self, Wanted};
use crate::heads::{self, Heads, Look};
use crate::rules::Rules;
use futures::stream::StreamExt;
use holdfast_core::cover::Cover;
use holdfast_core::erase::Erased;
use holdfast_core::manifest::{Entry, Manifest};
use holdfast_core::ports::Objects;
use holdfast_core::{Key, Result, Scope, segment};
use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap, HashSet};
use ulid::Ulid;

/// What the present heads hold.
#[derive(Debug)]
pub(crate) struct Survey {
    pub heads: Heads,
    pub look: Look,
    pub segments: Segments,
}

/// Segments by the ULID that they share with their covers.
pub(crate) type Segments = BTreeMap<u128, Named>;

/// A segment that a manifest names.
#[derive(Debug, Clone)]
pub(crate) struct Named {
    pub entry: Entry,
    pub seg: Key,
    pub cov: Key,
    /// What its cover says. None when neither that nor the segment can be read.
    pub about: Option<About>,
    /// The cover beside it is what was written.
    pub whole: bool,
    /// Neither is there.
    pub gone: bool,
}

impl Survey {
    /// Leaves out segments that are gone. Others hold all of them, but the list may have left those others out: a head that
    /// names one is set aside until it is older than `now` (Unix milliseconds) by more than the grace. What its maker would
    /// publish of it nobody could read.
    ///
    /// # Errors
    /// `not_yet_visible` when all heads name some.
    pub(crate) fn leave_out_gone(&mut self, rules: &Rules, now: u64) -> Result<()> {
        let gone = self.segments.values().find(|named| named.gone).map(|named| named.seg.clone());
        let Some(gone) = gone else { return Ok(()) };
        let lacks = |manifest: &Manifest| manifest.segments.iter().any(|entry| self.is_gone(entry));
        let lacking = self.heads.iter().filter(|(_, manifest)| lacks(manifest));
        let lacking: Vec<_> = lacking.filter_map(|(key, _)| heads::ulid(key)).collect();
        if lacking.len() == self.heads.iter().count() {
            return Err(fetch::unseen(&gone));
        }
        let young = |head: &Ulid| head.timestamp_ms().saturating_add(rules.grace) >= now;
        lacking.into_iter().filter(young).for_each(|head| self.heads.set_aside(head));
        let left = self.heads.iter().flat_map(|(_, manifest)| &manifest.segments);
        let left: HashSet<&str> = left.map(|entry| entry.seg.as_str()).collect();
        self.segments.retain(|_, named| !named.gone && left.contains(named.entry.seg.as_str()));
        Ok(())
    }

    fn is_gone(&self, entry: &Entry) -> bool {
        let ulid = heads::ulid_of_name(&entry.seg);
        ulid.and_then(|ulid| self.segments.get(&ulid.0)).is_some_and(|named| named.gone)
    }
}

/// Reads manifests and covers of what came after the erase. `now` is Unix milliseconds.
///
/// # Errors
/// `not_yet_visible` or `corrupt` for a manifest that may stand for what is nowhere else; what the store may answer.
pub(crate) async fn survey(
    objects: &impl Objects,
    scope: &Scope,
    rules: &Rules,
    now: u64,
    erased: Erased,
) -> Result<Survey> {
    let mut heads = Heads::of(erased);
    let look = heads::look(objects, scope, rules, now, &mut heads).await?;
    let entries = heads.iter().flat_map(|(_, manifest)| &manifest.segments);
    let mut segments = segments(objects, scope, rules, entries, &Segments::new()).await?;
    // One that is gone, and that only manifests name which others took the place of long ago, is held by those others.
    let counts = |key: &Key| heads::ulid(key).is_some_and(|ulid| !heads.outlived(ulid, rules));
    let counting = heads.iter().filter(|(key, _)| counts(key));
    let named = counting.flat_map(|(_, manifest)| &manifest.segments);
    let named: HashSet<&str> = named.map(|entry| entry.seg.as_str()).collect();
    segments.retain(|_, one| {
        !erased.settles(&one.seg) && (!one.gone || named.contains(one.entry.seg.as_str()))
    });
    Ok(Survey { heads, look, segments })
}

/// Reads the covers of entries, but of those that are `known`.
pub(crate) async fn segments<'e>(
    objects: &impl Objects,
    scope: &Scope,
    rules: &Rules,
    entries: impl Iterator<Item = &'e Entry>,
    known: &Segments,
) -> Result<Segments> {
    let mut segments = Segments::new();
    for entry in entries {
        let (ulid, seg, cov) = heads::parts(scope, &entry.seg, &entry.cov)?;
        let entry = entry.clone();
        let new = || Named { entry, seg, cov, about: None, whole: false, gone: false };
        let named = known.get(&ulid.0).cloned().unwrap_or_else(new);
        segments.entry(ulid.0).or_insert(named);
    }
    let mut room = rules.known_names;
    let mut unread: Vec<&Named> = segments.values().filter(|one| one.about.is_none()).collect();
    unread.sort_by_key(|named| Reverse(named.entry.newest));
    let wanted = |named: &Named| Wanted { key: named.cov.clone(), bytes: bytes_of_cover(named) };
    let wanted: Vec<Wanted> = unread.into_iter().map(wanted).collect();
    let mut abouts: HashMap<Key, About> = HashMap::new();
    let mut reads = std::pin::pin!(fetch::each(objects, wanted));
    // One after the other: many names are much, before they are ids.
    while let Some((key, got)) = reads.next().await {
        let cover = fetch::passing(got)?.and_then(|bytes| Cover::decode(&bytes));
        abouts.extend(cover.ok().map(|cover| (key, About::of(&cover, &mut room))));
    }
    for named in segments.values_mut().filter(|named| named.about.is_none()) {
        named.about = abouts.remove(&named.cov);
        named.whole = named.about.is_some();
        if named.about.is_none() {
            let read = fetch::get(objects, &named.seg).await;
            named.gone = read.as_ref().is_err_and(|error| error.reason == "not_yet_visible");
            let cover = fetch::passing(read.and_then(|bytes| segment::cover_within(&bytes)))?;
            named.about = cover.ok().map(|cover| About::of(&cover, &mut room));
        }
    }
    Ok(segments)
}

/// About as many bytes as a cover has: most of it is a name a record.
fn bytes_of_cover(named: &Named) -> u64 {
    named.entry.records.saturating_mul(64).saturating_add(4 << 10)
}

/// Leaves out segments all of whose WAL objects others hold too: two compactors sealed them at once.
///
/// # Errors
/// What the store may answer; what concerns a cover, which was there before.
pub(crate) async fn without_copies(objects: &impl Objects, survey: &mut Survey) -> Result<()> {
    without_known_copies(&mut survey.segments);
    // Of one head the maker has looked. Of several the names that are not kept are read again.
    let mut abouts = survey.segments.values().filter_map(|named| named.about.as_ref());
    if survey.heads.iter().count() < 2 || !abouts.any(About::is_short) {
        return Ok(());
    }
    let named = |(_, manifest): &(Key, Manifest)| -> HashSet<String> {
        manifest.segments.iter().map(|entry| entry.seg.clone()).collect()
    };
    let heads: Vec<HashSet<String>> = survey.heads.iter().map(named).collect();
    let of_all = |named: &Named| heads.iter().all(|head| head.contains(&named.entry.seg));
    let unsure = survey.segments.iter().filter(|(_, named)| named.about.is_some());
    let unsure = unsure.filter(|(_, named)| !of_all(named)).map(|(ulid, _)| *ulid);
    for ulid in unsure.collect::<Vec<_>>() {
        let Some(named) = survey.segments.get(&ulid) else { continue };
        let wal = ids_of(objects, named).await?;
        let others = survey.segments.iter().filter(|(other, _)| **other != ulid);
        let others = others.map(|(_, named)| named);
        if !wal.is_empty() && uncovered(objects, others, wal, |id| Some(*id)).await?.is_empty() {
            survey.segments.remove(&ulid);
        }
    }
    Ok(())
}

fn without_known_copies(segments: &mut Segments) {
    let abouts = segments.values().filter_map(|named| named.about.as_ref());
    let mut all: Vec<WalId> = abouts.flat_map(About::wal).copied().collect();
    all.sort_unstable();
    let twice = all.windows(2).filter(|pair| pair.first() == pair.last());
    let mut times: BTreeMap<WalId, usize> = BTreeMap::new();
    for id in twice.filter_map(|pair| pair.first()) {
        *times.entry(*id).or_insert(1) += 1;
    }
    if times.is_empty() {
        return;
    }
    segments.retain(|_, named| {
        let wal = named.about.as_ref().map(About::wal).unwrap_or_default();
        if wal.is_empty() || wal.iter().any(|id| times.get(id).is_none_or(|times| *times < 2)) {
            return true;
        }
        for id in wal {
            times.entry(*id).and_modify(|times| *times -= 1);
        }
        false
    });
}
