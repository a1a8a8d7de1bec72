//! Verifying: reads every object of a user, checks each against its name and its form, and that all that is named is there.
//!
//! A reader goes first, because what it says is what counts. What it did not come by is read after it, each object once; the
//! bytes of attachments that stand come last.

use crate::fetch;
use crate::follow::{open, settle};
use crate::heads::{self, Heads, ulid};
use crate::read::Journal;
use crate::rules::Rules;
use bytes::Bytes;
use futures::stream::StreamExt;
use holdfast_core::attachment::Attachment;
use holdfast_core::clock::Skew;
use holdfast_core::cover::Cover;
use holdfast_core::erase::Erased;
use holdfast_core::manifest::Manifest;
use holdfast_core::ports::{Clock, Objects, Outside, Page};
use holdfast_core::record::WalObject;
use holdfast_core::thing::ThingKind;
use holdfast_core::{Error, Key, Part, Prefix, Result, Scope, key, segment};
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::pin::pin;

/// What a look at all of a user's objects found.
#[derive(Debug, Default)]
pub struct Verified {
    /// Objects that are what was written.
    pub objects: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Named by what counts, and not there.
    pub missing: Vec<Key>,
    /// Not what was written, and needed.
    pub corrupt: Vec<Key>,
    /// Not what was written, and needed by nobody: what they held is elsewhere. They go with a collection.
    pub replaced: Vec<Key>,
    /// Written by a newer program: upgrade.
    pub newer: Vec<Key>,
    /// Why no reader gets the whole journal now. While there is none, whatever else is wrong can be mended.
    pub unreadable: Option<Error>,
}

impl Verified {
    /// Nothing is wrong.
    pub fn is_whole(&self) -> bool {
        let wrong = [&self.missing, &self.corrupt, &self.newer];
        wrong.iter().all(|keys| keys.is_empty()) && self.unreadable.is_none()
    }

    /// Reads the parts of attachments, one after the other: they are large.
    async fn look_at(&mut self, objects: &impl Objects, parts: BTreeSet<Key>) -> Result<()> {
        for key in parts {
            match objects.get(&key).await {
                Ok(Some(bytes)) => {
                    self.objects += 1;
                    self.bytes += bytes.len() as u64;
                }
                Ok(None) => self.missing.push(key),
                Err(error) if fetch::concerns_one(&error) => self.corrupt.push(key),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// Reads all of a user's journal. Writes nothing, so repeating is safe; a user without a journal has no objects. Give it the
/// bucket itself, not a cache before it.
///
/// # Errors
/// What the store may answer. What is wrong with an object is no error, but in the answer.
pub async fn verify<I>(
    outside: &Outside<'_, impl Objects, impl Clock, I>,
    scope: &Scope,
    rules: &Rules,
) -> Result<Verified> {
    let now = outside.clock.now();
    let watch = Watch { objects: outside.objects, seen: RefCell::default() };
    let AsRead { unreadable, erased, attached } = read(&watch, scope, rules, now).await?;
    let mut modified = BTreeMap::new();
    for list in [key::manifests, key::covers, key::segments, key::wal] {
        let prefix = list(scope);
        for one in fetch::list(&watch, &prefix).await? {
            let key = Key::below(&prefix, &one.key).filter(|key| key.hash().is_some());
            modified.extend(key.filter(|key| ulid(key).is_some()).map(|key| (key, one.modified)));
        }
    }
    watch.read(modified.keys().cloned()).await?;
    loop {
        let mut found = watch.judge(scope, rules, &modified);
        // What is gone may be so because of an erase: nobody owes it.
        let gone = |key: &Key| matches!(watch.seen.borrow().get(key), Some(Seen::Gone));
        found.needed.retain(|key| !(erased.may_lack(key) && gone(key)));
        if watch.read(found.needed.iter().cloned()).await? == 0 {
            let mut verified = watch.report(found, unreadable);
            verified.look_at(outside.objects, attached).await?;
            return Ok(verified);
        }
    }
}

/// What everybody reads.
struct AsRead {
    /// Why that fails, when it does.
    unreadable: Option<Error>,
    /// The last erase that the journal tells of.
    erased: Erased,
    /// Parts of the attachments that stand.
    attached: BTreeSet<Key>,
}

/// Reads as everybody does.
async fn read(objects: &impl Objects, scope: &Scope, rules: &Rules, now: u64) -> Result<AsRead> {
    let journal = RefCell::new(Journal::with_rules(scope.clone(), *rules));
    loop {
        let read = async {
            open(objects, &journal, now).await?;
            settle(objects, &journal, now, async |_| Ok(())).await
        };
        let read = read.await;
        // It told of an erase: whatever was lacking may be gone with it.
        if journal.borrow_mut().renew_stale() {
            continue;
        }
        return match read {
            Err(error) if !fetch::concerns_one(&error) => Err(error),
            read => {
                let journal = journal.borrow();
                let (attached, broken) = standing(&journal, scope);
                let (erased, unreadable) = (journal.erased(), read.err().or(broken));
                Ok(AsRead { unreadable, erased, attached })
            }
        };
    }
}

/// Parts of the attachments that stand, and what one of them says that cannot be read.
fn standing(journal: &Journal, scope: &Scope) -> (BTreeSet<Key>, Option<Error>) {
    let (mut parts, mut broken) = (BTreeSet::new(), None);
    let all = journal.view().all_things();
    for found in all.filter(|found| found.kind == ThingKind::Attachment) {
        let Some(last) = found.last() else { continue };
        let attachment = Attachment::read(&last.text);
        match attachment.and_then(|attachment| attachment.pieces(scope, 0, attachment.size)) {
            Ok(pieces) => parts.extend(pieces.into_iter().map(|piece| piece.key)),
            Err(error) => broken = Some(error),
        }
    }
    (parts, broken)
}

/// A store that remembers what each object that was read is.
struct Watch<'a, O> {
    objects: &'a O,
    seen: RefCell<BTreeMap<Key, Seen>>,
}

/// What became of a read.
enum Seen {
    /// It is what was written, has so many bytes, and holds this.
    Whole(u64, Held),
    Gone,
    Corrupt,
    Newer,
}

/// What an object says about others.
enum Held {
    Manifest(Manifest),
    Cover(Cover),
    Segment(Cover),
    /// Keys that a WAL object names.
    Wal(Vec<String>),
}

impl Seen {
    fn of(key: &Key, got: &Result<Option<Bytes>>) -> Option<Self> {
        let held = match got {
            Ok(Some(bytes)) => Held::read(key, bytes).map(|held| (bytes.len() as u64, held)),
            Ok(None) => return Some(Self::Gone),
            Err(error) if !fetch::concerns_one(error) => return None,
            Err(error) => return Some(Self::unread(error)),
        };
        Some(held.map_or_else(|e| Self::unread(&e), |(bytes, held)| Self::Whole(bytes, held)))
    }

    fn unread(error: &Error) -> Self {
        if error.reason == "newer_format" { Self::Newer } else { Self::Corrupt }
    }
}

impl Held {
    fn read(key: &Key, bytes: &[u8]) -> Result<Self> {
        match key.part() {
            Part::Manifest => Manifest::decode(bytes).map(Self::Manifest),
            Part::Cover => Cover::decode(bytes).map(Self::Cover),
            Part::Segment => {
                let cover = segment::cover_within(bytes)?;
                for frames in &cover.sessions {
                    for line in segment::open_session(bytes, frames)? {
                        line.record()?;
                    }
                }
                Ok(Self::Segment(cover))
            }
            Part::Wal => {
                let header = WalObject::decode(bytes)?.header;
                Ok(Self::Wal(header.prev.into_iter().chain(header.head).collect()))
            }
            Part::Index | Part::Other => Err(Error::corrupt("not a journal object")),
        }
    }
}

/// What counts, as far as it was read.
#[derive(Default)]
struct Judged {
    /// What the heads name, and what that names and no segment covers.
    needed: BTreeSet<Key>,
    /// Manifests that others took the place of.
    ancestors: HashSet<Key>,
    /// WAL objects that are in segments that can be read.
    held: HashSet<Key>,
    /// Covers that differ from what lies in their segments, and manifests that name no segments.
    wrong: BTreeSet<Key>,
}

impl<O: Objects> Watch<'_, O> {
    /// Reads those that were not read before: how many.
    async fn read(&self, keys: impl Iterator<Item = Key>) -> Result<usize> {
        let unread: Vec<Key> = keys.filter(|key| !self.seen.borrow().contains_key(key)).collect();
        let count = unread.len();
        let mut reads = pin!(fetch::each(self, unread));
        while let Some((_, got)) = reads.next().await {
            if let Err(error) = got
                && !fetch::concerns_one(&error)
            {
                return Err(error);
            }
        }
        Ok(count)
    }

    fn judge(&self, scope: &Scope, rules: &Rules, modified: &BTreeMap<Key, u64>) -> Judged {
        let seen = self.seen.borrow();
        let mut judged = Judged::default();
        let heads = heads_of(&seen, rules, modified);
        let (mut covered, mut names) = (HashSet::<&str>::new(), Vec::<Key>::new());
        let held = |key: &Key| match seen.get(key) {
            Some(Seen::Whole(_, held)) => Some(held),
            _ => None,
        };
        for (head, manifest) in heads.iter() {
            for entry in &manifest.segments {
                let Ok((_, seg, cov)) = heads::parts(scope, &entry.seg, &entry.cov) else {
                    judged.wrong.insert(head.clone());
                    continue;
                };
                let (within, beside) = (held(&seg), held(&cov));
                if let (Some(Held::Segment(within)), Some(Held::Cover(beside))) = (within, beside)
                    && within != beside
                {
                    judged.wrong.insert(cov.clone());
                }
                if let Some(Held::Segment(cover)) = within {
                    let wal = cover.wal.iter().filter_map(|name| key::named(scope, name));
                    judged.held.extend(wal);
                }
                if let Some(Held::Segment(cover) | Held::Cover(cover)) = within.or(beside) {
                    covered.extend(cover.wal.iter().map(String::as_str));
                    names.extend(cover.names.iter().filter_map(|name| key::named(scope, name)));
                }
                judged.needed.extend([seg, cov]);
            }
            judged.needed.insert(head.clone());
        }
        let user = key::user(scope);
        for one in seen.values() {
            if let Seen::Whole(_, Held::Wal(named)) = one {
                names.extend(named.iter().filter_map(|text| Key::below(&user, text)));
            }
        }
        names.retain(|key| match key.part() {
            Part::Wal => key.hash().is_some() && !covered.contains(key::name(scope, key)),
            Part::Manifest => {
                ulid(key).is_some_and(|ulid| !heads.knows(ulid) && !heads.outlived(ulid, rules))
            }
            _ => false,
        });
        judged.needed.extend(names);
        let manifests = seen.keys().filter(|key| key.part() == Part::Manifest);
        let known = |key: &&Key| ulid(key).is_some_and(|ulid| heads.knows(ulid));
        let ancestors = manifests.filter(|key| !judged.needed.contains(*key)).filter(known);
        judged.ancestors = ancestors.cloned().collect();
        judged
    }

    fn report(self, judged: Judged, unreadable: Option<Error>) -> Verified {
        let mut report = Verified { unreadable, ..Verified::default() };
        for (key, seen) in self.seen.into_inner() {
            match seen {
                Seen::Whole(..) if judged.wrong.contains(&key) => report.corrupt.push(key),
                Seen::Whole(bytes, _) => {
                    report.objects += 1;
                    report.bytes += bytes;
                }
                Seen::Gone if judged.needed.contains(&key) => report.missing.push(key),
                Seen::Gone => {}
                Seen::Newer => report.newer.push(key),
                Seen::Corrupt if judged.needs(&key) => report.corrupt.push(key),
                Seen::Corrupt => report.replaced.push(key),
            }
        }
        report
    }
}

impl Judged {
    fn needs(&self, key: &Key) -> bool {
        match key.part() {
            Part::Wal => !self.held.contains(key),
            Part::Manifest => !self.ancestors.contains(key),
            _ => self.needed.contains(key),
        }
    }
}

/// The heads among the manifests that were read.
fn heads_of(seen: &BTreeMap<Key, Seen>, rules: &Rules, modified: &BTreeMap<Key, u64>) -> Heads {
    let mut heads = Heads::default();
    for (key, one) in seen {
        let (Seen::Whole(_, Held::Manifest(manifest)), Some(ulid)) = (one, ulid(key)) else {
            continue;
        };
        let modified = modified.get(key).copied().unwrap_or(0);
        if modified > manifest.begun.saturating_add(rules.void_after) {
            heads.settle(ulid);
        } else {
            heads.add(key, ulid, manifest.clone());
        }
    }
    heads
}

impl<O: Objects> Objects for Watch<'_, O> {
    async fn put(&self, key: &Key, _: Bytes) -> Result<()> {
        Err(Error::internal(format!("verifying writes nothing: {key}")))
    }

    async fn get(&self, key: &Key) -> Result<Option<Bytes>> {
        let got = self.objects.get(key).await;
        self.seen.borrow_mut().extend(Seen::of(key, &got).map(|seen| (key.clone(), seen)));
        got
    }

    async fn get_range(&self, key: &Key, start: u64, length: u64) -> Result<Option<Bytes>> {
        self.objects.get_range(key, start, length).await
    }

    async fn list(&self, prefix: &Prefix, after: Option<&str>) -> Result<Page> {
        self.objects.list(prefix, after).await
    }

    async fn delete(&self, key: &Key) -> Result<()> {
        Err(Error::internal(format!("verifying removes nothing: {key}")))
    }

    fn skew(&self) -> Skew {
        self.objects.skew()
    }
}
