//! Reading: the union of all heads' segments and of all WAL objects that they do not cover, and that a list shows, that
//! other objects name, or that tokens name.
//!
//! A list is never taken for complete. What an object names must be read too: it is owed until it is absorbed, or until
//! what it covers came from elsewhere, so that nobody gets a shorter view in silence.

use crate::fetch::Wanted;
use crate::heads::{self, Heads, ulid};
use crate::pending::Pending;
use crate::rules::Rules;
use holdfast_core::arrival::Arrivals;
use holdfast_core::cover::{Cover, Frames};
use holdfast_core::fold::{Applied, View, Within};
use holdfast_core::manifest::Manifest;
use holdfast_core::order::MAX_AHEAD;
use holdfast_core::record::{Header, Record, WalObject};
use holdfast_core::thing::ThingKind;
use holdfast_core::token::{Frontier, MAX_NAMED};
use holdfast_core::{Error, Hlc, Key, Order, Part, Prefix, Result, Scope, clock, key, segment};
use std::collections::{BTreeMap, HashSet};
use ulid::Ulid;

const DAY: u64 = 86_400_000;
/// Polls in which every older day is listed once, at least. A young journal is not listed whole at every poll.
const CYCLE: u64 = 32;

/// What is known of one user's journal.
#[derive(Debug)]
pub struct Journal {
    pub(crate) scope: Scope,
    pub(crate) rules: Rules,
    pub(crate) heads: Heads,
    pub(crate) pending: Pending,
    /// What is to be read, and its bytes.
    pub(crate) owed: BTreeMap<Key, u64>,
    /// What came to be owed since it was last asked.
    fresh: Vec<Key>,
    pub(crate) view: View,
    pub(crate) folded: Arrivals,
    pub(crate) named: HashSet<u128>,
    pub(crate) leaves: BTreeMap<u128, String>,
    pub(crate) oldest: Option<u64>,
    pub(crate) rotation: u64,
    /// When the manifests were last looked at, in Unix milliseconds.
    pub(crate) looked: u64,
    /// Where the user's erases are recorded.
    pub(crate) ledger: Option<Prefix>,
    /// Erases that were read there.
    pub(crate) markers: BTreeMap<u128, Hlc>,
    /// An erase was learned from the journal itself, after some of it was folded.
    pub(crate) stale: bool,
    /// How often it was renewed.
    pub(crate) renewals: u64,
    /// When the newest object was named that holds a purge and was read by itself: Unix milliseconds.
    pub(crate) purging: Option<u64>,
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
        Self::with_rules(scope, Rules::default())
    }

    /// As [`new`](Self::new), by other rules than the default ones.
    pub fn with_rules(scope: Scope, rules: Rules) -> Self {
        Self {
            scope,
            rules,
            heads: Heads::default(),
            pending: Pending::default(),
            owed: BTreeMap::new(),
            fresh: Vec::new(),
            view: View::default(),
            folded: Arrivals::default(),
            named: HashSet::new(),
            leaves: BTreeMap::new(),
            oldest: None,
            rotation: 0,
            looked: 0,
            ledger: None,
            markers: BTreeMap::new(),
            stale: false,
            renewals: 0,
            purging: None,
        }
    }

    /// Takes in nothing else: a view of then, without the deletes that came since.
    #[must_use]
    pub fn within(mut self, within: Within) -> Self {
        self.view = View::within(within);
        self
    }

    /// Whose.
    pub fn scope(&self) -> &Scope {
        &self.scope
    }

    /// The fold so far.
    pub fn view(&self) -> &View {
        &self.view
    }

    /// WAL objects so far, those that segments hold included.
    pub fn objects(&self) -> usize {
        self.folded.len()
    }

    /// When the newest purge was named of those that no segment brought: Unix milliseconds.
    pub fn purging(&self) -> Option<u64> {
        self.purging
    }

    /// How far this view has seen: the newest manifest that was read, and what it does not stand for.
    pub fn frontier(&self) -> Frontier {
        let mut heads = self.heads.iter().rev().map(|(key, _)| key.as_str().to_owned());
        let head = heads.next();
        let keys = heads.chain(self.leaves.values().rev().cloned()).take(MAX_NAMED).collect();
        Frontier { hlc: self.view.highest(), head, keys }
    }

    /// As [`frontier`](Self::frontier), for a token or a writer: a record that lies so far ahead of `now` (Unix
    /// milliseconds) that no clock may follow it does not count.
    pub fn frontier_at(&self, now: u64) -> Frontier {
        let hlc = self.view.highest_within(Hlc::at(now + MAX_AHEAD));
        Frontier { hlc, ..self.frontier() }
    }

    /// Those of `keys` that are not known yet, each once, oldest first.
    pub fn missing(&self, keys: impl IntoIterator<Item = Key>) -> Vec<Key> {
        let mut missing: Vec<Key> = keys.into_iter().filter(|key| self.is_missing(key)).collect();
        missing.sort_unstable();
        missing.dedup();
        missing
    }

    fn is_missing(&self, key: &Key) -> bool {
        let Some(ulid) = ulid(key) else { return false };
        if self.heads.erased.settles(key) {
            return false;
        }
        match key.part() {
            Part::Wal => !self.folded.contains(ulid.0) && !self.pending.promises(ulid),
            Part::Manifest => !self.heads.knows(ulid) || self.pending.spare.contains(&ulid.0),
            Part::Cover => self.pending.awaits_cover(ulid),
            Part::Segment => self.pending.awaits(ulid),
            Part::Index | Part::Other => false,
        }
    }

    /// Keys that a list, another object or a writer named: the view lacks them until they are absorbed.
    pub fn owe(&mut self, keys: impl IntoIterator<Item = Key>) {
        self.owe_listed(keys.into_iter().map(Wanted::from));
    }

    /// As [`owe`](Self::owe), of known size.
    pub(crate) fn owe_listed(&mut self, wanted: impl IntoIterator<Item = Wanted>) {
        for Wanted { key, bytes } in wanted {
            if self.is_missing(&key) && self.owed.insert(key.clone(), bytes).is_none() {
                self.fresh.push(key);
            }
        }
    }

    /// The view is known to lack something.
    pub fn owes(&self) -> bool {
        !self.owed.is_empty()
    }

    /// Is this one owed?
    pub fn owes_key(&self, key: &Key) -> bool {
        self.owed.contains_key(key)
    }

    /// Folds an object in, of whatever part of the user's journal; repeating is safe. One that cannot be read is owed.
    ///
    /// # Errors
    /// `corrupt` when it cannot be read: the detail names the key.
    pub fn absorb(&mut self, key: &Key, bytes: &[u8]) -> Result<Absorbed> {
        self.fresh.clear();
        match self.take(key, bytes) {
            Ok(applied) => {
                self.owed.remove(key);
                Ok(Absorbed { applied, wanted: std::mem::take(&mut self.fresh) })
            }
            Err(error) => {
                self.owe([key.clone()]);
                Err(error.about(key))
            }
        }
    }

    fn take(&mut self, key: &Key, bytes: &[u8]) -> Result<Vec<Applied>> {
        let ulid = ulid(key).ok_or_else(|| Error::corrupt("not a journal object"))?;
        match key.part() {
            Part::Wal => self.take_wal(key, ulid, bytes),
            Part::Manifest => {
                let manifest = Manifest::decode(bytes)?;
                self.take_manifest(key, ulid, manifest).map(|()| Vec::new())
            }
            Part::Cover => self.take_cover(ulid, bytes).map(|()| Vec::new()),
            Part::Segment => {
                let Some(cover) = self.cover_of(ulid, bytes)? else { return Ok(Vec::new()) };
                let mut applied = Vec::new();
                for frames in &cover.sessions {
                    applied.extend(self.take_frames(bytes, frames)?);
                }
                self.finish(ulid, &cover);
                Ok(applied)
            }
            Part::Index | Part::Other => Err(Error::corrupt("not a journal object")),
        }
    }

    fn take_wal(&mut self, key: &Key, ulid: Ulid, bytes: &[u8]) -> Result<Vec<Applied>> {
        if self.folded.contains(ulid.0) {
            return Ok(Vec::new());
        }
        let object = WalObject::decode(bytes)?;
        let ordered = object.records.iter().enumerate();
        let ordered = ordered.map(|(at, record)| (record, WalObject::order(record, ulid, at)));
        let applied = self.view.apply(ordered)?;
        self.folded.insert(ulid.0);
        self.reach(ulid);
        self.note_named(&object.header);
        self.note_leaf(ulid, key);
        if key::is_purging(key.as_str()) {
            self.purging = self.purging.max(Some(ulid.timestamp_ms()));
        }
        self.note_erase();
        Ok(applied)
    }

    /// Takes a manifest in; what it names and is not known is owed.
    pub(crate) fn take_manifest(
        &mut self,
        key: &Key,
        ulid: Ulid,
        manifest: Manifest,
    ) -> Result<()> {
        if self.heads.erased.settles(key) {
            return Ok(());
        }
        for entry in &manifest.segments {
            heads::parts(&self.scope, &entry.seg, &entry.cov)?;
        }
        let parents: Vec<Key> =
            manifest.parents.iter().filter_map(|name| key::named(&self.scope, name)).collect();
        let mut spare = Vec::new();
        for entry in &manifest.segments {
            let (part, seg, cov) = heads::parts(&self.scope, &entry.seg, &entry.cov)?;
            if self.heads.erased.settles(&seg) {
                continue;
            }
            self.reach(entry.oldest);
            spare.extend(self.pending.name(part, seg, &parents, ulid));
            self.owe([cov]);
        }
        if !self.pending.spare.remove(&ulid.0) {
            self.heads.add(key, ulid, manifest);
        }
        self.spare(spare);
        Ok(())
    }

    /// Manifests that stand behind others, for what those cannot give.
    fn spare(&mut self, keys: Vec<Key>) {
        for key in keys {
            if ulid(&key).is_some_and(|ulid| self.pending.look_behind(ulid)) {
                let Wanted { key, bytes } = key.into();
                self.fresh.push(key.clone());
                self.owed.insert(key, bytes);
            }
        }
    }

    fn take_cover(&mut self, ulid: Ulid, bytes: &[u8]) -> Result<()> {
        if !self.pending.awaits(ulid) {
            return Ok(());
        }
        let cover = Cover::decode(bytes)?;
        self.note_cover(ulid, cover);
        Ok(())
    }

    fn note_cover(&mut self, ulid: Ulid, cover: Cover) {
        let mut wal = cover.wal.iter().filter_map(|name| heads::ulid_of_name(name));
        if wal.all(|ulid| self.folded.contains(ulid.0)) || self.is_beside(&cover) {
            self.finish(ulid, &cover);
        } else if let Some(seg) = self.pending.covers(ulid, cover) {
            self.owe([seg]);
            self.forgive();
        }
    }

    /// Does the segment hold nothing that the view takes in?
    fn is_beside(&self, cover: &Cover) -> bool {
        let attached = || cover.sessions.iter().any(|frames| frames.attached != Some(false));
        self.view.limits().only == Some(ThingKind::Attachment)
            && cover.purges.is_empty()
            && !attached()
    }

    /// What a segment covers that is still to be read: its sessions are taken one by one, and then it is
    /// [finished](Self::finish).
    pub(crate) fn cover_of(&self, ulid: Ulid, segment: &[u8]) -> Result<Option<Cover>> {
        if !self.pending.awaits(ulid) {
            return Ok(None);
        }
        let known = self.pending.cover(ulid).cloned();
        known.map_or_else(|| segment::cover_within(segment), Ok).map(Some)
    }

    /// Folds one session of a segment in.
    pub(crate) fn take_frames(&mut self, segment: &[u8], frames: &Frames) -> Result<Vec<Applied>> {
        let lines = segment::open_session(segment, frames)?;
        let records = lines.iter().map(|line| Ok((line.record()?, line.order)));
        let records: Vec<(Record, Order)> = records.collect::<Result<_>>()?;
        let applied = self.view.apply(records.iter().map(|(record, order)| (record, *order)))?;
        self.note_erase();
        Ok(applied)
    }

    /// All that the segment covers is known.
    pub(crate) fn finish(&mut self, ulid: Ulid, cover: &Cover) {
        self.pending.finish(ulid);
        for covered in cover.wal.iter().filter_map(|name| heads::ulid_of_name(name)) {
            self.folded.insert(covered.0);
            self.named.remove(&covered.0);
            // The manifest that names the segment stands for it.
            self.leaves.remove(&covered.0);
        }
        let names = cover.names.iter().filter_map(|name| key::named(&self.scope, name));
        let names = names.collect::<Vec<_>>();
        self.owe(names);
        self.forgive();
    }

    /// What is known by now is owed no longer.
    pub(crate) fn forgive(&mut self) {
        let mut owed = std::mem::take(&mut self.owed);
        owed.retain(|key, _| self.is_missing(key));
        self.owed = owed;
    }

    /// An object that is named cannot be read. What it stands for may be read elsewhere: that is owed in its place.
    ///
    /// # Errors
    /// The same, when nothing else can stand for it.
    pub fn lacks(&mut self, key: &Key, error: Error) -> Result<()> {
        let Some(ulid) = ulid(key) else { return Err(error) };
        let spare = match key.part() {
            Part::Wal | Part::Manifest if !self.is_missing(key) => Vec::new(),
            Part::Wal if error.reason == "not_yet_visible" && self.is_erased(key) => {
                self.folded.insert(ulid.0);
                Vec::new()
            }
            Part::Manifest if self.pending.spare.remove(&ulid.0) => Vec::new(),
            // The segment holds its cover too.
            Part::Cover => {
                let seg = self.pending.without_cover(ulid);
                self.owe(seg);
                Vec::new()
            }
            // All that it covers, one by one, from before it was sealed.
            Part::Segment => {
                let Some((cover, parents)) = self.pending.lose(ulid) else { return Err(error) };
                let wal = cover.wal.iter().filter_map(|name| key::named(&self.scope, name));
                let wal: Vec<Key> = wal.collect();
                self.owe(wal);
                parents
            }
            _ => return Err(error),
        };
        self.spare(spare);
        self.forgive();
        Ok(())
    }

    /// An object is gone, though the list was looked at again. True when it is a manifest that others took the place of so
    /// long ago that it may be, or a segment that only such manifests name, because none is removed before others hold all
    /// of it: it is not owed then. True also for what an erase took.
    pub fn outlives(&mut self, key: &Key) -> bool {
        if self.is_erased(key) {
            if let Some(ulid) = ulid(key).filter(|_| key.part() == Part::Wal) {
                self.folded.insert(ulid.0);
            }
            self.owed.remove(key);
            return true;
        }
        let Some(ulid) = ulid(key) else { return false };
        let outlived = |ulid: Ulid| self.heads.outlived(ulid, &self.rules);
        match key.part() {
            Part::Manifest if outlived(ulid) => self.heads.settle(ulid),
            Part::Segment if self.pending.are_namers(ulid, outlived) => self.pending.forget(ulid),
            _ => return false,
        }
        self.owed.remove(key);
        self.forgive();
        true
    }

    fn reach(&mut self, ulid: Ulid) {
        let at = ulid.timestamp_ms();
        self.oldest = Some(self.oldest.map_or(at, |oldest| oldest.min(at)));
    }

    fn note_named(&mut self, header: &Header) {
        let prefix = key::user(&self.scope);
        let named = header.prev.iter().chain(&header.head);
        let named: Vec<Key> = named.filter_map(|text| Key::below(&prefix, text)).collect();
        for key in &named {
            let Some(ulid) = ulid(key).filter(|_| key.part() == Part::Wal) else { continue };
            self.leaves.remove(&ulid.0);
            if !self.folded.contains(ulid.0) {
                self.named.insert(ulid.0);
            }
        }
        let read = |key: &Key| matches!(key.part(), Part::Wal | Part::Manifest);
        self.owe(named.into_iter().filter(read));
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

    /// What to list at a load after `next`: as far back as the heads do not reach.
    pub(crate) fn rest(&self, next: String) -> Span {
        let from = self.heads.iter().map(|(_, manifest)| manifest.from).min().unwrap_or_default();
        let from = from.saturating_sub(self.rules.margin);
        let day = self.day(&clock::day(from)).prefix;
        let after = format!("{}{}", day.as_str(), Ulid::from_parts(from, 0)).max(next);
        Span { prefix: key::wal(&self.scope), after: Some(after), until: None }
    }

    /// What to list at a poll: everything since the last list began, with a margin, and what is older in rotation: each
    /// day once in a cycle, and once all that lies before the oldest known object.
    pub(crate) fn poll_plan(&mut self, last: u64, now: u64) -> Vec<Span> {
        // A clock that was set back must not hide the present, neither its beginning nor its end.
        let from = last.min(now).saturating_sub(self.rules.margin);
        let to = last.clamp(now, now + DAY) + self.rules.ahead;
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
            let until = until.map(|until| until.as_str().to_owned());
            plan.push(Span { prefix: key::wal(&self.scope), after: None, until });
        }
        plan
    }

    /// Is a poll to look at the manifests too? Once in a cycle, and when some of what the lists left out may be sealed and
    /// gone since the last look.
    pub(crate) fn looks(&self, now: u64) -> bool {
        self.rotation == 0 || now.abs_diff(self.looked) > self.rules.grace / 2
    }

    fn day(&self, day: &str) -> Span {
        Span { prefix: key::wal_day(&self.scope, day), after: None, until: None }
    }
}

/// Keys below `prefix` that come after `after`, up to about `until`.
pub(crate) struct Span {
    pub prefix: Prefix,
    pub after: Option<String>,
    pub until: Option<String>,
}

fn days(from: u64, to: u64) -> impl Iterator<Item = u64> {
    from / DAY..=to / DAY
}
