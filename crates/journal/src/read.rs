//! Reading: the union of all objects that a list shows, that other objects name, and that tokens name.
//!
//! A list is never taken for complete. What an object names must be read too: [`Journal::absorb`] says what is wanted,
//! and the caller owes it, so that nobody gets a shorter view in silence.

use holdfast_core::fold::{Applied, View};
use holdfast_core::order::MAX_AHEAD;
use holdfast_core::ports::Objects;
use holdfast_core::record::WalObject;
use holdfast_core::token::{Frontier, MAX_NAMED};
use holdfast_core::{Error, Hlc, Key, Prefix, Result, Scope, clock, key};
use std::cell::RefCell;
use std::collections::{BTreeMap, HashSet};
use ulid::Ulid;

/// How long before the last list began objects may still appear, in milliseconds: [`crate::MAX_WRITE`], clocks that
/// differ, and a wide margin.
const MARGIN: u64 = 20 * 60_000;
/// How far ahead of ours a writer's clock may be, in milliseconds.
const AHEAD: u64 = 2 * 60_000;
const DAY: u64 = 86_400_000;
/// Polls in which every older day is listed once, at least. A young journal is not listed whole at every poll.
const CYCLE: u64 = 32;

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
        let keys = self.leaves.values().rev().cloned().collect();
        Frontier { hlc: self.view.highest(), head: None, keys }
    }

    /// As [`frontier`](Self::frontier), for a token or a writer: a record that lies so far ahead of `now` (Unix
    /// milliseconds) that no clock may follow it does not count.
    pub fn frontier_at(&self, now: u64) -> Frontier {
        let hlc = self.view.highest_within(Hlc::at(now + MAX_AHEAD));
        Frontier { hlc, ..self.frontier() }
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
            // Older ones rely on lists.
            if self.leaves.len() > MAX_NAMED {
                self.leaves.pop_first();
            }
        }
    }

    /// What to list at a poll: everything since the last list began, with a margin, and what is older in rotation: each
    /// day once in a cycle, and once all that lies before the oldest known object.
    fn poll_plan(&mut self, last: u64, now: u64) -> Vec<Span> {
        // A clock that was set back must not hide the present, neither its beginning nor its end.
        let from = last.min(now).saturating_sub(MARGIN);
        let to = last.clamp(now, now + DAY) + AHEAD;
        let mut plan: Vec<Span> =
            days(from, to).map(|day| self.day(&clock::day(day * DAY))).collect();
        if let Some(first) = plan.first_mut() {
            first.after = Some(format!("{}{}", first.prefix.as_str(), Ulid::from_parts(from, 0)));
        }
        let older = self.oldest.map_or(0, |oldest| (from / DAY).saturating_sub(oldest / DAY) + 1);
        self.rotation = (self.rotation + 1) % CYCLE.max(older + 1);
        if self.rotation < older {
            let whole = self.day(&clock::day(from.saturating_sub(self.rotation * DAY)));
            plan.retain(|span| span.prefix != whole.prefix);
            plan.push(whole);
        } else if self.rotation == older {
            let until = self.oldest.map(|oldest| self.day(&clock::day(oldest)).prefix);
            plan.push(Span { prefix: key::wal(&self.scope), after: None, until });
        }
        plan
    }

    fn day(&self, day: &str) -> Span {
        Span { prefix: key::wal_day(&self.scope, day), after: None, until: None }
    }
}

/// Keys below `prefix` that come after `after`, up to about `until`.
struct Span {
    prefix: Prefix,
    after: Option<String>,
    until: Option<Prefix>,
}

fn ulid(key: &Key) -> Option<Ulid> {
    Ulid::from_string(key.ulid()?).ok()
}

fn days(from: u64, to: u64) -> impl Iterator<Item = u64> {
    from / DAY..=to / DAY
}

/// All keys that a full list of the user's journal shows.
pub async fn list(objects: &impl Objects, scope: &Scope) -> Result<Vec<Key>> {
    let whole = Span { prefix: key::wal(scope), after: None, until: None };
    list_span(objects, scope, whole).await
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
    let lists = plan.into_iter().map(|span| list_span(objects, &scope, span));
    let lists = futures::future::try_join_all(lists).await?;
    Ok(journal.borrow().missing(lists.into_iter().flatten()))
}

async fn list_span(objects: &impl Objects, scope: &Scope, span: Span) -> Result<Vec<Key>> {
    let Span { prefix, mut after, until } = span;
    let wal = key::wal(scope);
    let within = |next: &String| until.as_ref().is_none_or(|until| next.as_str() < until.as_str());
    let mut keys = Vec::new();
    loop {
        let page = objects.list(&prefix, after.as_deref()).await?;
        keys.extend(page.objects.iter().filter_map(|listed| Key::below(&wal, &listed.key)));
        match page.next.filter(within) {
            Some(next) => after = Some(next),
            None => return Ok(keys),
        }
    }
}
