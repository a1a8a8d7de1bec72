//! Reading: the union of all objects that a list shows, that other objects name, and that tokens name.
//!
//! A list is never taken for complete. An object that is named must be readable: what cannot be had is `unavailable`,
//! never a shorter view in silence.

use bytes::Bytes;
use futures::stream::{self, StreamExt};
use holdfast_core::fold::{Applied, View};
use holdfast_core::ports::Objects;
use holdfast_core::record::{MAX_FRONTIER, WalObject};
use holdfast_core::token::Frontier;
use holdfast_core::{Case, Error, Key, Prefix, Result, Scope, clock, key};
use std::cell::RefCell;
use std::collections::{BTreeMap, HashSet};
use ulid::Ulid;

/// How long before the last list began objects may still appear, in milliseconds: [`crate::MAX_WRITE`], clocks that
/// differ, and a wide margin.
const MARGIN: u64 = 20 * 60_000;
/// How far ahead of ours a writer's clock may be, in milliseconds.
const AHEAD: u64 = 2 * 60_000;
const DAY: u64 = 86_400_000;
const GETS_AT_ONCE: usize = 16;
/// Leaves are kept up to this number; older ones rely on lists.
const MAX_LEAVES: usize = 64;

/// What is known of one user's journal.
#[derive(Debug)]
pub struct Journal {
    scope: Scope,
    view: View,
    folded: HashSet<u128>,
    named: HashSet<u128>,
    leaves: BTreeMap<u128, String>,
    oldest: Option<u64>,
    rotation: u64,
}

/// What one object changed.
#[derive(Debug, Default)]
pub struct Absorbed {
    /// A change a record; empty when the object had been absorbed before.
    pub applied: Vec<Applied>,
    /// Objects that it names and that are not known yet.
    pub wanted: Vec<Key>,
}

impl Journal {
    /// Nothing is known yet.
    pub fn new(scope: Scope) -> Self {
        Self {
            scope,
            view: View::default(),
            folded: HashSet::new(),
            named: HashSet::new(),
            leaves: BTreeMap::new(),
            oldest: None,
            rotation: 0,
        }
    }

    /// Whose.
    pub fn scope(&self) -> &Scope {
        &self.scope
    }

    /// The fold so far.
    pub fn view(&self) -> &View {
        &self.view
    }

    /// Objects so far.
    pub fn objects(&self) -> usize {
        self.folded.len()
    }

    /// How far this view has seen.
    pub fn frontier(&self) -> Frontier {
        let keys = self.leaves.values().rev().take(MAX_FRONTIER).cloned().collect();
        Frontier { hlc: self.view.highest(), head: None, keys }
    }

    /// Those of `keys` that are not known yet, each once, oldest first.
    pub fn missing(&self, keys: impl IntoIterator<Item = Key>) -> Vec<Key> {
        let mut missing: Vec<Key> = keys
            .into_iter()
            .filter(|key| ulid(key).is_some_and(|ulid| !self.folded.contains(&ulid.0)))
            .collect();
        missing.sort_unstable();
        missing.dedup();
        missing
    }

    /// Folds an object in; repeating is safe.
    ///
    /// # Errors
    /// `corrupt` when it cannot be read: the detail names the key.
    pub fn absorb(&mut self, key: &Key, bytes: &[u8]) -> Result<Absorbed> {
        let named_key = |e: Error| e.about(key);
        let ulid = ulid(key).ok_or_else(|| named_key(Error::corrupt("not a journal object")))?;
        if self.folded.contains(&ulid.0) {
            return Ok(Absorbed::default());
        }
        let object = WalObject::decode(bytes).map_err(named_key)?;
        let ordered = object.records.iter().enumerate();
        let ordered = ordered.map(|(at, record)| (record, WalObject::order(record, ulid, at)));
        let applied = self.view.apply(ordered).map_err(named_key)?;
        self.folded.insert(ulid.0);
        self.oldest = Some(self.oldest.map_or(ulid.timestamp_ms(), |o| o.min(ulid.timestamp_ms())));
        let wanted = self.note_named(&object.header.prev);
        self.note_leaf(ulid, key);
        Ok(Absorbed { applied, wanted })
    }

    fn note_named(&mut self, prev: &[String]) -> Vec<Key> {
        let prefix = key::wal(&self.scope);
        let mut wanted = Vec::new();
        for key in prev.iter().filter_map(|text| Key::below(&prefix, text)) {
            let Some(ulid) = ulid(&key) else { continue };
            self.leaves.remove(&ulid.0);
            if !self.folded.contains(&ulid.0) {
                self.named.insert(ulid.0);
                wanted.push(key);
            }
        }
        wanted
    }

    fn note_leaf(&mut self, ulid: Ulid, key: &Key) {
        if !self.named.remove(&ulid.0) {
            self.leaves.insert(ulid.0, key.as_str().to_owned());
            if self.leaves.len() > MAX_LEAVES {
                self.leaves.pop_first();
            }
        }
    }

    /// What to list at a poll: everything since the last list began, with a margin, and one older day in rotation.
    fn poll_plan(&mut self, last: u64, now: u64) -> Vec<(Prefix, Option<String>)> {
        let from = last.saturating_sub(MARGIN);
        let mut plan: Vec<_> = days(from, now + AHEAD)
            .map(|day| {
                let prefix = key::wal_day(&self.scope, &day);
                let after = (day == clock::day(from))
                    .then(|| format!("{}{}", prefix.as_str(), Ulid::from_parts(from, 0)));
                (prefix, after)
            })
            .collect();
        let older = self.oldest.map_or(0, |oldest| (from / DAY).saturating_sub(oldest / DAY) + 1);
        if older > 0 {
            self.rotation = (self.rotation + 1) % older;
            let day = clock::day(from.saturating_sub(self.rotation * DAY));
            let whole = (key::wal_day(&self.scope, &day), None);
            plan.retain(|(prefix, _)| *prefix != whole.0);
            plan.push(whole);
        }
        plan
    }
}

fn ulid(key: &Key) -> Option<Ulid> {
    Ulid::from_string(key.ulid()?).ok()
}

fn days(from: u64, to: u64) -> impl Iterator<Item = String> {
    (from / DAY..=to / DAY).map(|day| clock::day(day * DAY))
}

/// All keys that a full list of the user's journal shows.
pub async fn list(objects: &impl Objects, scope: &Scope) -> Result<Vec<Key>> {
    list_below(objects, scope, &key::wal(scope), None).await
}

/// Keys of recent objects that the journal does not know: what appeared since the list that began at `last`.
pub async fn poll(
    objects: &impl Objects,
    journal: &RefCell<Journal>,
    last: u64,
    now: u64,
) -> Result<Vec<Key>> {
    let plan = journal.borrow_mut().poll_plan(last, now);
    let scope = journal.borrow().scope.clone();
    let lists =
        plan.iter().map(|(prefix, after)| list_below(objects, &scope, prefix, after.clone()));
    let lists = futures::future::try_join_all(lists).await?;
    Ok(journal.borrow().missing(lists.into_iter().flatten()))
}

async fn list_below(
    objects: &impl Objects,
    scope: &Scope,
    prefix: &Prefix,
    mut after: Option<String>,
) -> Result<Vec<Key>> {
    let wal = key::wal(scope);
    let mut keys = Vec::new();
    loop {
        let page = objects.list(prefix, after.as_deref()).await?;
        keys.extend(page.objects.iter().filter_map(|listed| Key::below(&wal, &listed.key)));
        match page.next {
            Some(next) => after = Some(next),
            None => return Ok(keys),
        }
    }
}

/// Reads objects, several at once; `None` for one that is not there.
pub async fn fetch(objects: &impl Objects, keys: Vec<Key>) -> Result<Vec<(Key, Option<Bytes>)>> {
    let gets = keys.into_iter().map(|key| async move {
        let bytes = objects.get(&key).await?;
        Ok((key, bytes))
    });
    let mut fetched = stream::iter(gets).buffered(GETS_AT_ONCE);
    let mut all = Vec::new();
    while let Some(one) = fetched.next().await {
        all.push(one?);
    }
    Ok(all)
}

/// Brings `keys`, and everything that they name, into the journal; `sink` gets the changes as they come.
///
/// # Errors
/// `not_yet_visible` when a named object cannot be read; `corrupt` when one is not what was written.
pub async fn catch_up(
    objects: &impl Objects,
    journal: &RefCell<Journal>,
    keys: Vec<Key>,
    sink: &mut impl FnMut(&View, Vec<Applied>),
) -> Result<()> {
    let mut wanted = journal.borrow().missing(keys);
    while !wanted.is_empty() {
        let batch = wanted.split_off(wanted.len().saturating_sub(GETS_AT_ONCE * 4));
        for (key, bytes) in fetch(objects, batch).await? {
            let bytes = bytes.ok_or_else(|| unseen(&key))?;
            let absorbed = journal.borrow_mut().absorb(&key, &bytes)?;
            sink(journal.borrow().view(), absorbed.applied);
            wanted.extend(absorbed.wanted);
        }
        wanted = journal.borrow().missing(wanted);
    }
    Ok(())
}

fn unseen(key: &Key) -> Error {
    let detail =
        format!("the store does not show {key} yet, which another object names: try again");
    Error::because(Case::Unavailable, "not_yet_visible", detail)
}
