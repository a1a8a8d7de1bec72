//! The tail of a journal as a compactor sees it: WAL objects that no segment covers.

use crate::compact::New;
use crate::covered::{WalId, uncovered};
use crate::fetch::{self, Seen};
use crate::heads::{ulid, ulid_of_name};
use crate::lag::Lag;
use crate::rules::Rules;
use crate::survey::{Segments, Survey};
use holdfast_core::erase::Erased;
use holdfast_core::ports::{Objects, Page};
use holdfast_core::record::{Line, WalObject};
use holdfast_core::{Key, Part, Result, Scope, key};
use std::collections::{BTreeMap, BTreeSet, HashSet};
use ulid::Ulid;

/// What is kept in memory of a record beside its text, and of the name of its object.
const BESIDE: u64 = 256;

/// Bytes that so many records of so many bytes take in memory, about.
pub(crate) fn weight(texts: u64, records: u64) -> u64 {
    texts.saturating_add(records.saturating_mul(BESIDE))
}

/// Records that are to be sealed together.
#[derive(Debug, Default)]
pub(crate) struct Sealing {
    pub lines: Vec<Line>,
    /// Names of the WAL objects whose records they are.
    pub wal: Vec<String>,
    /// Names that those gave.
    pub names: Vec<String>,
}

impl Sealing {
    /// Bytes of the records' texts.
    pub(crate) fn texts(&self) -> u64 {
        self.lines.iter().map(|line| line.text.len() as u64).sum()
    }

    /// Bytes that they take in memory, about.
    pub(crate) fn weight(&self) -> u64 {
        weight(self.texts(), self.lines.len() as u64)
    }

    pub(crate) fn append(&mut self, mut other: Self) {
        self.lines.append(&mut other.lines);
        self.wal.append(&mut other.wal);
        self.names.append(&mut other.names);
    }
}

/// WAL objects that no segment of the present heads covers.
#[derive(Debug)]
pub(crate) struct Tail {
    /// The oldest, by their ULID.
    listed: BTreeMap<Ulid, Seen>,
    /// What is not kept of the others.
    beyond: Sum,
    erased: Erased,
    /// Those that cannot be read, and never will be.
    pub corrupt: Vec<Key>,
    /// Those that are gone: sealed and removed meanwhile.
    gone: HashSet<Ulid>,
    /// Those that others name and no list shows, and that were not read.
    unseen: Vec<String>,
}

/// What counts of WAL objects together.
#[derive(Debug, Clone, Copy, Default)]
struct Sum {
    lag: Lag,
    /// When the oldest that holds a purge was written: Unix milliseconds.
    purge: Option<u64>,
    /// An erase misses one.
    missed: bool,
}

impl Sum {
    fn add(&mut self, ulid: Ulid, one: &Seen, erased: Erased) {
        let at = ulid.timestamp_ms();
        let earlier = |than: Option<u64>| Some(than.map_or(at, |than| than.min(at)));
        self.lag.objects += 1;
        self.lag.bytes += one.bytes;
        self.lag.oldest = earlier(self.lag.oldest);
        if key::is_purging(one.key.as_str()) {
            self.purge = earlier(self.purge);
        }
        self.missed |= erased.misses(&one.key, one.modified);
    }
}

impl Tail {
    /// Lists all WAL objects, and keeps the oldest that these segments do not cover.
    pub(crate) async fn list(
        objects: &impl Objects,
        scope: &Scope,
        rules: &Rules,
        segments: &Segments,
        erased: Erased,
    ) -> Result<Self> {
        let (prefix, mut after, mut page) = (key::wal(scope), None::<String>, Vec::new());
        let (listed, beyond, gone) = (BTreeMap::new(), Sum::default(), HashSet::new());
        let (corrupt, unseen) = (Vec::new(), Vec::new());
        let mut tail = Self { listed, beyond, erased, corrupt, gone, unseen };
        loop {
            let Page { objects: more, next } = objects.list(&prefix, after.as_deref()).await?;
            let more = more.iter().filter_map(|one| Seen::of(&prefix, one));
            page.extend(more.filter(|one| !erased.settles(&one.key)));
            if next.is_none() || page.len() >= rules.listed_objects {
                let id = |one: &Seen| WalId::of_key(&one.key);
                let all = std::mem::take(&mut page);
                tail.add(rules, uncovered(objects, segments.values(), all, id).await?);
            }
            after = next;
            if after.is_none() {
                return Ok(tail);
            }
        }
    }

    fn add(&mut self, rules: &Rules, uncovered: Vec<Seen>) {
        for one in uncovered {
            let Some(ulid) = ulid(&one.key) else { continue };
            if self.listed.len() < rules.listed_objects {
                self.listed.insert(ulid, one);
            } else {
                self.beyond.add(ulid, &one, self.erased);
            }
        }
    }

    /// Most of what was kept is sealed, and there are more: it is to be listed again.
    pub(crate) fn is_spent(&self, rules: &Rules) -> bool {
        self.beyond.lag.objects > 0 && self.listed.len() <= rules.listed_objects / 2
    }

    fn sum(&self) -> Sum {
        let mut sum = self.beyond;
        self.listed.iter().for_each(|(ulid, one)| sum.add(*ulid, one, self.erased));
        sum
    }

    /// How much it is.
    pub(crate) fn lag(&self) -> Lag {
        self.sum().lag
    }

    /// Is it worth sealing? What an erase misses is, at once: it goes by being sealed.
    pub(crate) fn is_due(&self, rules: &Rules, now: u64) -> bool {
        let Sum { lag: Lag { objects, bytes, oldest }, purge, missed } = self.sum();
        let past = |at: u64, after: u64| at.saturating_add(after) <= now;
        let old = oldest.is_some_and(|at| past(at, rules.seal_after))
            || purge.is_some_and(|at| past(at, rules.purge_after));
        objects > 0
            && (objects >= rules.least_objects || bytes >= rules.least_bytes || old || missed)
    }

    /// Reads as much as one step takes, oldest first, and what it names that no list shows. A corrupt object is left, and
    /// named.
    pub(crate) async fn read(
        &mut self,
        objects: &impl Objects,
        scope: &Scope,
        rules: &Rules,
        survey: &Survey,
    ) -> Result<Vec<Sealing>> {
        let mut wanted = self.first(rules);
        let mut met: HashSet<Ulid> = self.listed.keys().copied().collect();
        let mut sealing: Vec<Sealing> = Vec::new();
        while !wanted.is_empty() {
            let (before, mut named) = (sealing.len(), BTreeSet::new());
            for (key, got) in fetch::all(objects, std::mem::take(&mut wanted)).await? {
                let Some(ulid) = ulid(&key) else { continue };
                let name = key::name(scope, &key).to_owned();
                match got.and_then(|bytes| WalObject::lines(ulid, &bytes)) {
                    Ok((header, lines)) => {
                        let prefix = key::user(scope);
                        let keys = header.prev.iter().chain(&header.head);
                        let keys = keys.filter_map(|text| Key::below(&prefix, text));
                        let keys: Vec<Key> = keys.collect();
                        let names = keys.iter().map(|key| key::name(scope, key).to_owned());
                        sealing.push(Sealing { lines, wal: vec![name], names: names.collect() });
                        named.extend(keys);
                    }
                    Err(error) if error.reason == "not_yet_visible" => {
                        self.gone.insert(ulid);
                        let listed = self.listed.contains_key(&ulid);
                        self.unseen.extend((!listed).then_some(name));
                    }
                    Err(_) => self.corrupt.push(key),
                }
            }
            let open = unknown(objects, rules, survey, named.into_iter().collect()).await?;
            let names: HashSet<&str> = open.iter().map(|key| key::name(scope, key)).collect();
            for one in sealing.iter_mut().skip(before) {
                one.names.retain(|name| names.contains(name.as_str()));
            }
            let new = |key: &&Key| ulid(key).is_some_and(|ulid| met.insert(ulid));
            let wal = open.iter().filter(|key| key.part() == Part::Wal);
            wanted = wal.filter(new).cloned().collect();
        }
        Ok(sealing)
    }

    fn first(&self, rules: &Rules) -> Vec<Key> {
        let (mut keys, mut read) = (Vec::new(), 0_u64);
        for Seen { key, bytes, .. } in self.listed.values() {
            // A large one stays as it is: it would not fit a segment.
            if *bytes > rules.segment_bytes {
                continue;
            }
            read = read.saturating_add(*bytes);
            if keys.len() >= rules.step_objects || (read > rules.step_bytes && !keys.is_empty()) {
                break;
            }
            keys.push(key.clone());
        }
        keys
    }

    /// Leaves out what these cover.
    pub(crate) fn leave(&mut self, new: &[New]) {
        let names = new.iter().flat_map(|new| &new.cover.wal).map(String::as_str);
        let names: HashSet<&str> = names.collect();
        let sealed = names.iter().filter_map(|name| ulid_of_name(name));
        sealed.for_each(|ulid| drop(self.listed.remove(&ulid)));
        self.unseen.retain(|name| !names.contains(name.as_str()));
    }

    /// When the oldest of them was written: Unix milliseconds.
    pub(crate) fn oldest_left(&self) -> Option<u64> {
        let listed = self.listed.keys().filter(|ulid| !self.gone.contains(*ulid)).copied();
        let unseen = self.unseen.iter().filter_map(|name| ulid_of_name(name));
        let kept = listed.chain(unseen).map(|ulid| ulid.timestamp_ms());
        kept.chain(self.beyond.lag.oldest).min()
    }
}

/// Those of these that are to be followed: neither covered nor a manifest that was read or that another stands for.
pub(crate) async fn unknown(
    objects: &impl Objects,
    rules: &Rules,
    survey: &Survey,
    mut keys: Vec<Key>,
) -> Result<Vec<Key>> {
    let Survey { heads, segments, .. } = survey;
    keys.retain(|key| match key.part() {
        Part::Wal => key.hash().is_some() && !heads.erased.settles(key),
        Part::Manifest => {
            ulid(key).is_some_and(|ulid| !heads.knows(ulid) && !heads.outlived(ulid, rules))
        }
        _ => false,
    });
    uncovered(objects, segments.values(), keys, WalId::of_key).await
}
