//! Collecting: removes what segments hold by now, and what nothing names.
//!
//! An object goes only if (a) a manifest that was published at least the grace ago, a head or an ancestor of one, covers it
//! or no longer names it, (b) no present head and no manifest younger than the grace names it, and (c) every segment of
//! every present head was just read back and holds what it held. What nothing ever named goes after twice the grace. What an
//! erase settles and its sweeps did not meet, because it came after its receipt, goes as soon as it is found. Bytes of
//! attachments and index parts have rules of their own: see [`attachments`] and [`index_parts`].

use crate::attachments;
use crate::compact::Next;
use crate::covered::{WalId, uncovered};
use crate::erase::hidden_by;
use crate::fetch::{self, Seen};
use crate::heads::ulid;
use crate::index_parts;
use crate::ledger;
use crate::rules::Rules;
use crate::survey::{Segments, Survey, segments, survey};
use futures::future::join;
use futures::stream::StreamExt;
use holdfast_core::cover::Cover;
use holdfast_core::erase::{Erased, Ledger};
use holdfast_core::manifest::Manifest;
use holdfast_core::ports::{Clock, Listed, Objects, Outside, Page};
use holdfast_core::record::WalObject;
use holdfast_core::{Key, Part, Prefix, Result, Scope, key, segment};
use std::collections::{BTreeMap, HashSet};

/// What a collection did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Collected {
    /// Is there more to do now?
    pub next: Next,
    /// Objects that were removed.
    pub removed: usize,
    /// Their bytes.
    pub bytes: u64,
    /// Objects of the present heads that are not what was written: nothing but index parts is removed while there are any.
    pub corrupt: Vec<Key>,
}

/// Removes what may go, at most so much as one step takes. Repeating is safe, and so is stopping anywhere.
///
/// # Errors
/// What the store may answer; `corrupt` or `not_yet_visible` for a manifest that may stand for what is nowhere else.
pub async fn collect<I>(
    outside: &Outside<'_, impl Objects, impl Clock, I>,
    scope: &Scope,
    ledger: &Ledger,
    rules: &Rules,
) -> Result<Collected> {
    let objects = outside.objects;
    let erasure = ledger::erasure(objects, ledger, scope).await?;
    let erased = erasure.as_ref().map(|erasure| Erased::by(erasure.at)).unwrap_or_default();
    let ended = erasure.and_then(|erasure| erasure.receipt).is_some_and(|receipt| receipt.last);
    let now = outside.clock.now();
    let surveyed = survey(objects, scope, rules, now, erased);
    // Ages are by the store's clock, which may not agree with ours.
    let ages = Ages { now: now.saturating_sub(rules.margin), rules };
    let (survey, lists) = join(surveyed, Lists::of(objects, scope, &ages, erased)).await;
    let survey = match survey {
        Err(error) if !fetch::concerns_one(&error) => return Err(error),
        survey => survey,
    };
    let mut lists = lists?;
    let mut collected = Collected { next: Next::Done, removed: 0, bytes: 0, corrupt: Vec::new() };
    // Copies go whatever else is the matter.
    let purged = index_parts::last_purge(survey.as_ref().ok(), lists.purge);
    let judge = index_parts::Judge { rules, now, erased, ended, purged };
    remove(objects, judge.going(std::mem::take(&mut lists.idx)), &mut collected).await?;
    let survey = survey?;
    collected.corrupt.clone_from(&survey.look.corrupt);
    let attached = std::mem::take(&mut lists.att);
    lists.man = parsed(&key::manifests(scope), &survey.look.listed).collect();
    lists.leave_late(erased);
    let late = std::mem::take(&mut lists.late);
    if ended && !late.is_empty() {
        collected.next = Next::More;
        remove(objects, late.into_iter().take(rules.step_objects), &mut collected).await?;
        return Ok(collected);
    }
    of_journal(objects, scope, ages, &survey, lists, &mut collected).await?;
    if collected.next == Next::Done && collected.corrupt.is_empty() {
        attachments::collect(outside, scope, ledger, rules, attached, &mut collected).await?;
    }
    Ok(collected)
}

/// What segments hold by now, and what nothing names.
async fn of_journal(
    objects: &impl Objects,
    scope: &Scope,
    ages: Ages<'_>,
    survey: &Survey,
    lists: Lists,
    collected: &mut Collected,
) -> Result<()> {
    let (step, Lists { wal, seg, cov, man, cut, .. }) = (ages.rules.step_objects, lists);
    let mut going = Going { ages, objects, scope, survey, man, doomed: Vec::new() };
    let Some(word) = going.word().await? else { return Ok(()) };
    going.manifests(&word);
    going.sealed(&word, seg, cov).await?;
    going.wal(&word, wal).await?;
    let mut doomed = going.doomed;
    if doomed.is_empty() || !collected.corrupt.is_empty() {
        return Ok(());
    }
    collected.corrupt = read_back(objects, &survey.segments).await?;
    if !collected.corrupt.is_empty() {
        return Ok(());
    }
    if cut || doomed.len() > step {
        collected.next = Next::More;
    }
    doomed.truncate(step);
    remove(objects, doomed, collected).await
}

pub(crate) async fn remove(
    objects: &impl Objects,
    doomed: impl IntoIterator<Item = Seen>,
    collected: &mut Collected,
) -> Result<()> {
    for Seen { key, bytes, .. } in doomed {
        objects.delete(&key).await?;
        collected.removed += 1;
        collected.bytes += bytes;
    }
    Ok(())
}

/// What lies there of a user, under names of ours.
#[derive(Default)]
struct Lists {
    /// The oldest of those that are past the grace.
    wal: Vec<Seen>,
    /// There are more of them.
    cut: bool,
    /// When the newest that holds a purge was named: Unix milliseconds.
    purge: Option<u64>,
    /// What the erase settles: some of it.
    late: Vec<Seen>,
    seg: Vec<Seen>,
    cov: Vec<Seen>,
    /// As the survey saw them.
    man: Vec<Seen>,
    idx: Vec<Seen>,
    att: Vec<Seen>,
}

impl Lists {
    /// One list of all: of most users it is one page, and each part by itself would be one too.
    async fn of(
        objects: &impl Objects,
        scope: &Scope,
        ages: &Ages<'_>,
        erased: Erased,
    ) -> Result<Self> {
        let (prefix, attachments) = (key::user(scope), key::attachments(scope));
        let (mut lists, mut after) = (Self::default(), None::<String>);
        loop {
            let Page { objects: page, next } = objects.list(&prefix, after.as_deref()).await?;
            for seen in parsed(&prefix, &page) {
                match seen.key.part() {
                    Part::Wal => lists.add_wal(ages, erased, seen),
                    Part::Segment => lists.seg.push(seen),
                    Part::Cover => lists.cov.push(seen),
                    Part::Index => lists.idx.push(seen),
                    Part::Other if seen.key.as_str().starts_with(attachments.as_str()) => {
                        lists.att.push(seen);
                    }
                    Part::Manifest | Part::Other => {}
                }
            }
            after = next;
            if after.is_none() {
                return Ok(lists);
            }
        }
    }

    fn add_wal(&mut self, ages: &Ages<'_>, erased: Erased, seen: Seen) {
        let most = ages.rules.listed_objects;
        if key::is_purging(seen.key.as_str()) {
            let named = ulid(&seen.key).map(|ulid| ulid.timestamp_ms());
            self.purge = self.purge.max(named);
        }
        if erased.settles(&seen.key) {
            if self.late.len() < most {
                self.late.push(seen);
            }
        } else if ages.past_grace(&seen) {
            self.cut |= self.wal.len() == most;
            if self.wal.len() < most {
                self.wal.push(seen);
            }
        }
    }

    /// Takes out what the erase settles: it goes with that, and here what came too late for it.
    fn leave_late(&mut self, erased: Erased) {
        let Self { seg, cov, man, late, .. } = self;
        for list in [seg, cov, man] {
            late.extend(list.extract_if(.., |seen| erased.settles(&seen.key)));
        }
    }
}

fn parsed<'l>(prefix: &'l Prefix, listed: &'l [Listed]) -> impl Iterator<Item = Seen> + 'l {
    listed.iter().filter_map(|one| Seen::of(prefix, one))
}

/// What counts as old.
struct Ages<'a> {
    now: u64,
    rules: &'a Rules,
}

impl Ages<'_> {
    fn past_grace(&self, seen: &Seen) -> bool {
        seen.modified.saturating_add(self.rules.grace) <= self.now
    }

    fn past_orphan(&self, seen: &Seen) -> bool {
        seen.modified.saturating_add(self.rules.orphan()) <= self.now
    }
}

/// A manifest that was published at least the grace ago, on whose word objects go.
struct Word {
    name: String,
    /// When it appeared, in Unix milliseconds.
    modified: u64,
    manifest: Manifest,
    segments: Segments,
}

impl Word {
    /// Names of the manifests that it took the place of.
    fn before(&self) -> impl Iterator<Item = &str> {
        self.manifest.parents.iter().chain(&self.manifest.ancestors).map(String::as_str)
    }
}

struct Going<'a, O> {
    ages: Ages<'a>,
    objects: &'a O,
    scope: &'a Scope,
    survey: &'a Survey,
    man: Vec<Seen>,
    doomed: Vec<Seen>,
}

impl<O: Objects> Going<'_, O> {
    /// The newest manifest past the grace that is a head or an ancestor of one.
    async fn word(&self) -> Result<Option<Word>> {
        let heads: Vec<&Key> = self.survey.heads.iter().map(|(key, _)| key).collect();
        let void: HashSet<&Key> = self.survey.look.void.iter().collect();
        let known =
            self.survey.heads.iter().flat_map(|(_, m)| m.parents.iter().chain(&m.ancestors));
        let known: HashSet<&str> = known.map(String::as_str).collect();
        for seen in self.man.iter().rev().filter(|seen| self.ages.past_grace(seen)) {
            let name = key::name(self.scope, &seen.key);
            if void.contains(&seen.key) || !(heads.contains(&&seen.key) || known.contains(name)) {
                continue;
            }
            let Some(manifest) = self.read(&seen.key).await? else { continue };
            if seen.modified > manifest.begun.saturating_add(self.ages.rules.void_after) {
                continue;
            }
            let parts = &self.survey.segments;
            let (rules, entries) = (self.ages.rules, manifest.segments.iter());
            let segments = segments(self.objects, self.scope, rules, entries, parts).await?;
            let (name, modified) = (name.to_owned(), seen.modified);
            return Ok(Some(Word { name, modified, manifest, segments }));
        }
        Ok(None)
    }

    async fn read(&self, key: &Key) -> Result<Option<Manifest>> {
        match fetch::get(self.objects, key).await.and_then(|bytes| Manifest::decode(&bytes)) {
            Err(error) if !fetch::concerns_one(&error) => Err(error),
            manifest => Ok(manifest.ok()),
        }
    }

    /// Manifests that the word took the place of, but the parents of heads, which stand in for them; and void ones.
    fn manifests(&mut self, word: &Word) {
        let before: HashSet<&str> = word.before().collect();
        let parents = self.survey.heads.iter().flat_map(|(_, manifest)| &manifest.parents);
        let parents: HashSet<&str> = parents.map(String::as_str).collect();
        let heads: HashSet<&Key> = self.survey.heads.iter().map(|(key, _)| key).collect();
        for seen in &self.man {
            let name = key::name(self.scope, &seen.key);
            let kept = heads.contains(&seen.key) || parents.contains(name) || name == word.name;
            let superseded = before.contains(name) && self.ages.past_grace(seen);
            let void = self.survey.look.void.contains(&seen.key) && self.ages.past_orphan(seen);
            if !kept && (superseded || void) {
                self.doomed.push(seen.clone());
            }
        }
    }

    /// WAL objects that the word covers, and the present heads too.
    async fn wal(&mut self, word: &Word, wal: Vec<Seen>) -> Result<()> {
        let id = |seen: &Seen| WalId::of_key(&seen.key);
        let mut kept: HashSet<Key> = HashSet::new();
        for segments in [&word.segments, &self.survey.segments] {
            let kept_by = uncovered(self.objects, segments.values(), wal.clone(), id).await?;
            kept.extend(kept_by.into_iter().map(|seen| seen.key));
        }
        self.doomed.extend(wal.into_iter().filter(|seen| !kept.contains(&seen.key)));
        Ok(())
    }

    /// Segments, each with its cover, that the word no longer names, or that nothing names; never one that holds what
    /// the present heads do not.
    async fn sealed(&mut self, word: &Word, seg: Vec<Seen>, cov: Vec<Seen>) -> Result<()> {
        let mut pairs: BTreeMap<u128, Vec<Seen>> = BTreeMap::new();
        for seen in seg.into_iter().chain(cov) {
            let Some(ulid) = ulid(&seen.key) else { continue };
            if !self.survey.segments.contains_key(&ulid.0) {
                pairs.entry(ulid.0).or_default().push(seen);
            }
        }
        pairs.retain(|_, pair| pair.iter().all(|seen| self.ages.past_grace(seen)));
        if pairs.is_empty() {
            return Ok(());
        }
        let Some(named) = self.named_by_any(word).await? else { return Ok(()) };
        for (ulid, pair) in pairs {
            // Its maker saw it: it was there, by the store's clock, before the word began; or what that took the place of
            // names it.
            let begun = word.modified.saturating_sub(self.ages.rules.void_after);
            let before = pair.iter().all(|seen| seen.modified < begun);
            let seen = before || named.before.contains(&ulid);
            let dropped = seen && !names(&word.manifest, self.scope, ulid);
            let orphan = pair.iter().all(|seen| self.ages.past_orphan(seen));
            if named.young.contains(&ulid) || !(dropped || orphan && !named.any.contains(&ulid)) {
                continue;
            }
            let may_go = match self.cover(&pair).await? {
                Some(cover) => self.is_spare(&cover, &pair).await?,
                None => orphan && !named.any.contains(&ulid),
            };
            // The cover goes in a later collection: should somebody name the segment still, it tells what that held.
            match pair.iter().find(|seen| seen.key.part() == Part::Segment) {
                Some(segment) if may_go => self.doomed.push(segment.clone()),
                None if may_go && !named.any.contains(&ulid) => self.doomed.extend(pair),
                _ => {}
            }
        }
        Ok(())
    }

    /// The present heads, or WAL objects that are there, hold all that the segment does, but what was erased.
    async fn is_spare(&self, cover: &Cover, pair: &[Seen]) -> Result<bool> {
        let erased = self.survey.heads.erased;
        let names: Vec<&String> = cover.wal.iter().collect();
        let heads = self.survey.segments.values();
        let unheld = uncovered(self.objects, heads, names, |name| WalId::of(name)).await?;
        let unheld = unheld.into_iter().filter_map(|name| key::named(self.scope, name));
        let unheld: Vec<Key> = unheld.collect();
        let read = fetch::all(self.objects, unheld).await?.into_iter();
        let unread =
            read.filter(|(_, got)| !got.as_ref().is_ok_and(|b| WalObject::decode(b).is_ok()));
        let unheld: HashSet<Key> = unread.map(|(key, _)| key).collect();
        if unheld.iter().any(|key| !erased.may_lack(key)) {
            return Ok(false);
        }
        let segment = pair.iter().find(|seen| seen.key.part() == Part::Segment);
        let (Some(segment), Some(at), false) = (segment, erased.at(), unheld.is_empty()) else {
            return Ok(true);
        };
        let lines = match fetch::get(self.objects, &segment.key).await {
            Ok(bytes) => segment::open(&bytes, cover),
            Err(error) => Err(error),
        };
        let lines = match lines {
            Ok(lines) => lines,
            Err(error) if fetch::concerns_one(&error) => return Ok(false),
            Err(error) => return Err(error),
        };
        let ulids: HashSet<_> = unheld.iter().filter_map(ulid).collect();
        let mut of_them = lines.iter().filter(|line| ulids.contains(&line.order.ulid));
        Ok(of_them.all(hidden_by(at)))
    }

    async fn cover(&self, pair: &[Seen]) -> Result<Option<Cover>> {
        for seen in pair.iter().rev() {
            let cover = match fetch::get(self.objects, &seen.key).await {
                Ok(bytes) if seen.key.part() == Part::Segment => segment::cover_within(&bytes),
                Ok(bytes) => Cover::decode(&bytes),
                Err(error) if !fetch::concerns_one(&error) => return Err(error),
                Err(error) => Err(error),
            };
            if let Ok(cover) = cover {
                return Ok(Some(cover));
            }
        }
        Ok(None)
    }

    /// Segments that manifests name, of the void ones too. None while one of them cannot be read.
    async fn named_by_any(&self, word: &Word) -> Result<Option<ByManifests>> {
        let before: HashSet<&str> = word.before().collect();
        let listed: BTreeMap<&Key, &Seen> = self.man.iter().map(|seen| (&seen.key, seen)).collect();
        let mut reads = std::pin::pin!(fetch::each(self.objects, listed.keys().copied().cloned()));
        let mut named = ByManifests::default();
        while let Some((key, got)) = reads.next().await {
            let manifest = fetch::passing(got)?.and_then(|bytes| Manifest::decode(&bytes));
            let Some((manifest, seen)) = manifest.ok().zip(listed.get(&key)) else {
                return Ok(None);
            };
            let ulids = manifest
                .segments
                .iter()
                .filter_map(|entry| Some(ulid(&key::named(self.scope, &entry.seg)?)?.0));
            let ulids: Vec<u128> = ulids.collect();
            if !self.ages.past_grace(seen) {
                named.young.extend(&ulids);
            }
            if before.contains(key::name(self.scope, &seen.key)) {
                named.before.extend(&ulids);
            }
            named.any.extend(ulids);
        }
        Ok(Some(named))
    }
}

#[derive(Default)]
struct ByManifests {
    any: HashSet<u128>,
    young: HashSet<u128>,
    /// By those that the word took the place of.
    before: HashSet<u128>,
}

fn names(manifest: &Manifest, scope: &Scope, ulid: u128) -> bool {
    let keys = manifest.segments.iter().filter_map(|entry| key::named(scope, &entry.seg));
    keys.into_iter().any(|key| self::ulid(&key).is_some_and(|one| one.0 == ulid))
}

/// Reads every segment and cover back; says which are not what was written.
async fn read_back(objects: &impl Objects, segments: &Segments) -> Result<Vec<Key>> {
    let mut corrupt = Vec::new();
    // One after the other: a segment may be large.
    for named in segments.values() {
        if !named.whole {
            corrupt.push(named.cov.clone());
        }
        // The cover beside it has the hash of its bytes in its name.
        let read = fetch::get(objects, &named.seg).await.and_then(|bytes| {
            let cover = segment::bytes_of_cover(&bytes)?;
            segment::check(&bytes, &Cover::decode(cover)?)?;
            Ok(key::hash32(cover))
        });
        match read {
            Ok(hash) if named.about.is_some() && named.cov.hash() == Some(&hash) => {}
            Err(error) if !fetch::concerns_one(&error) => return Err(error),
            _ => corrupt.push(named.seg.clone()),
        }
    }
    Ok(corrupt)
}
