//! The tail of a journal as a compactor sees it: WAL objects that no segment covers.

use crate::fetch;
use crate::heads::{ulid, ulid_of_name};
use crate::lag::Lag;
use crate::rules::Rules;
use crate::survey::{Survey, covered};
use holdfast_core::erase::Erased;
use holdfast_core::ports::{Listed, Objects};
use holdfast_core::record::{Line, WalObject};
use holdfast_core::{Key, Part, Result, Scope, key};
use std::collections::{BTreeMap, HashSet};
use ulid::Ulid;

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

    pub(crate) fn append(&mut self, mut other: Self) {
        self.lines.append(&mut other.lines);
        self.wal.append(&mut other.wal);
        self.names.append(&mut other.names);
    }
}

/// WAL objects that no segment of the present heads covers, by their ULID.
#[derive(Debug)]
pub(crate) struct Tail {
    listed: BTreeMap<Ulid, Entry>,
    erased: Erased,
    /// Those that cannot be read, and never will be.
    pub corrupt: Vec<Key>,
    /// Those that are gone: sealed and removed meanwhile.
    gone: HashSet<Ulid>,
    /// Those that others name and no list shows, and that were not read.
    unseen: Vec<String>,
}

/// Every WAL object that a full list shows.
pub(crate) async fn listed_tail(objects: &impl Objects, scope: &Scope) -> Result<Vec<Entry>> {
    let prefix = key::wal(scope);
    let listed = fetch::list(objects, &prefix).await?;
    let entry = |one: Listed| {
        let key = Key::below(&prefix, &one.key)?;
        let ulid = ulid(&key).filter(|_| key.hash().is_some())?;
        let name = key::name(scope, &key).to_owned();
        Some(Entry { ulid, name, key, bytes: one.size, modified: one.modified })
    };
    Ok(listed.into_iter().filter_map(entry).collect())
}

/// One listed WAL object.
#[derive(Debug)]
pub(crate) struct Entry {
    ulid: Ulid,
    name: String,
    key: Key,
    bytes: u64,
    modified: u64,
}

impl Tail {
    pub(crate) fn new(listed: Vec<Entry>, covered: &HashSet<&str>, erased: Erased) -> Self {
        let counts = listed.into_iter().filter(|one| !erased.settles(&one.key));
        let uncovered = counts.filter(|one| !covered.contains(one.name.as_str()));
        let listed = uncovered.map(|one| (one.ulid, one)).collect();
        Self { listed, erased, corrupt: Vec::new(), gone: HashSet::new(), unseen: Vec::new() }
    }

    /// How much it is.
    pub(crate) fn lag(&self) -> Lag {
        let oldest = self.listed.first_key_value().map(|(ulid, _)| ulid.timestamp_ms());
        let bytes = self.listed.values().map(|one| one.bytes).sum();
        Lag { objects: self.listed.len(), bytes, oldest }
    }

    /// Is it worth sealing? What an erase misses is, at once: it goes by being sealed.
    pub(crate) fn is_due(&self, rules: &Rules, now: u64) -> bool {
        let Lag { objects, bytes, oldest } = self.lag();
        let past = |at: u64, after: u64| at.saturating_add(after) <= now;
        let mut all = self.listed.values();
        let purges = all.clone().filter(|one| key::is_purging(&one.name));
        let purge = purges.map(|one| one.ulid.timestamp_ms()).min();
        let old = oldest.is_some_and(|at| past(at, rules.seal_after))
            || purge.is_some_and(|at| past(at, rules.purge_after));
        let mut missed = || all.any(|one| self.erased.misses(&one.key, one.modified));
        objects > 0
            && (objects >= rules.least_objects || bytes >= rules.least_bytes || old || missed())
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
        let known = covered(&survey.segments);
        let mut wanted = self.first(rules);
        let mut met: HashSet<Ulid> = self.listed.keys().copied().collect();
        let mut sealing = Vec::new();
        while !wanted.is_empty() {
            let mut named = Vec::new();
            for (key, got) in fetch::all(objects, std::mem::take(&mut wanted)).await? {
                let Some(ulid) = ulid(&key) else { continue };
                let name = key::name(scope, &key).to_owned();
                match got.and_then(|bytes| WalObject::lines(ulid, &bytes)) {
                    Ok((header, lines)) => {
                        let prefix = key::user(scope);
                        let keys = header.prev.iter().chain(&header.head);
                        let keys = keys.filter_map(|text| Key::below(&prefix, text));
                        let keys: Vec<Key> =
                            keys.filter(|key| unknown(rules, survey, &known, scope, key)).collect();
                        let names =
                            keys.iter().map(|key| key::name(scope, key).to_owned()).collect();
                        named.extend(keys);
                        sealing.push(Sealing { lines, wal: vec![name], names });
                    }
                    Err(error) if error.reason == "not_yet_visible" => {
                        self.gone.insert(ulid);
                        let listed = self.listed.contains_key(&ulid);
                        self.unseen.extend((!listed).then_some(name));
                    }
                    Err(_) => self.corrupt.push(key),
                }
            }
            named.retain(|key| key.part() == Part::Wal);
            named.retain(|key| ulid(key).is_some_and(|ulid| met.insert(ulid)));
            wanted = named;
        }
        Ok(sealing)
    }

    fn first(&self, rules: &Rules) -> Vec<Key> {
        let (mut keys, mut read) = (Vec::new(), 0_u64);
        for Entry { key, bytes, .. } in self.listed.values() {
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

    /// Leaves out what is covered by now.
    pub(crate) fn leave(&mut self, covered: &HashSet<&str>) {
        self.listed.retain(|_, one| !covered.contains(one.name.as_str()));
        self.unseen.retain(|name| !covered.contains(name.as_str()));
    }

    /// When the oldest of them was written: Unix milliseconds.
    pub(crate) fn oldest_left(&self) -> Option<u64> {
        let listed = self.listed.keys().filter(|ulid| !self.gone.contains(*ulid)).copied();
        let unseen = self.unseen.iter().filter_map(|name| ulid_of_name(name));
        listed.chain(unseen).map(|ulid| ulid.timestamp_ms()).min()
    }
}

/// It is to be followed: neither covered nor a manifest that was read or that another stands for.
pub(crate) fn unknown(
    rules: &Rules,
    survey: &Survey,
    covered: &HashSet<&str>,
    scope: &Scope,
    key: &Key,
) -> bool {
    match key.part() {
        Part::Wal => {
            key.hash().is_some()
                && !covered.contains(key::name(scope, key))
                && !survey.heads.erased.settles(key)
        }
        Part::Manifest => ulid(key)
            .is_some_and(|ulid| !survey.heads.knows(ulid) && !survey.heads.outlived(ulid, rules)),
        _ => false,
    }
}
