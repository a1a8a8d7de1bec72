//! What the present heads hold: their segments, and what those cover.

use crate::fetch;
use crate::heads::{self, Heads, Look};
use crate::rules::Rules;
use bytes::Bytes;
use holdfast_core::cover::Cover;
use holdfast_core::erase::Erased;
use holdfast_core::manifest::{Entry, Manifest};
use holdfast_core::ports::Objects;
use holdfast_core::{Key, Result, Scope, segment};
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
    /// None when neither the cover nor the segment can be read.
    pub cover: Option<Cover>,
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
    let mut segments = segments(objects, scope, entries, &Segments::new()).await?;
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
    entries: impl Iterator<Item = &'e Entry>,
    known: &Segments,
) -> Result<Segments> {
    let mut segments = Segments::new();
    for entry in entries {
        let (ulid, seg, cov) = heads::parts(scope, &entry.seg, &entry.cov)?;
        let entry = entry.clone();
        let new = || Named { entry, seg, cov, cover: None, whole: false, gone: false };
        let named = known.get(&ulid.0).cloned().unwrap_or_else(new);
        segments.entry(ulid.0).or_insert(named);
    }
    let unread = segments.values().filter(|named| named.cover.is_none());
    let mut covers: HashMap<Key, Cover> = HashMap::new();
    for (key, got) in fetch::all(objects, unread.map(|named| named.cov.clone())).await? {
        covers.extend(got.and_then(|bytes| Cover::decode(&bytes)).ok().map(|cover| (key, cover)));
    }
    for named in segments.values_mut().filter(|named| named.cover.is_none()) {
        named.cover = covers.remove(&named.cov);
        named.whole = named.cover.is_some();
        if named.cover.is_none() {
            let read = fetch::get(objects, &named.seg).await;
            named.gone = read.as_ref().is_err_and(|error| error.reason == "not_yet_visible");
            named.cover = cover_within(read)?;
        }
    }
    Ok(segments)
}

fn cover_within(read: Result<Bytes>) -> Result<Option<Cover>> {
    match read.and_then(|bytes| segment::cover_within(&bytes)) {
        Err(error) if !fetch::concerns_one(&error) => Err(error),
        cover => Ok(cover.ok()),
    }
}

/// Names of the WAL objects that these segments cover.
pub(crate) fn covered(segments: &Segments) -> HashSet<&str> {
    let covers = segments.values().filter_map(|named| named.cover.as_ref());
    covers.flat_map(|cover| &cover.wal).map(String::as_str).collect()
}

/// Leaves out segments all of whose WAL objects others hold too: two compactors sealed them at once.
pub(crate) fn without_copies(segments: &mut Segments) {
    let mut times: HashMap<String, usize> = HashMap::new();
    for name in segments.values().filter_map(|named| named.cover.as_ref()).flat_map(|c| &c.wal) {
        *times.entry(name.clone()).or_default() += 1;
    }
    if times.values().all(|times| *times == 1) {
        return;
    }
    segments.retain(|_, named| {
        let Some(cover) = &named.cover else { return true };
        if cover.wal.iter().any(|name| times.get(name).is_none_or(|times| *times < 2)) {
            return true;
        }
        for name in &cover.wal {
            times.entry(name.clone()).and_modify(|times| *times -= 1);
        }
        false
    });
}
