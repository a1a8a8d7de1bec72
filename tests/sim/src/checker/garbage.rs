//! What lies in the bucket at the end: nothing that no head needs (P7), nothing of what was erased (P6), and a receipt.
//! Decodes objects by their forms; knows nothing of who needs what but what `docs/storage.md` says of heads.

use super::heard::Line;
use super::{Broken, Checker, Item, milliseconds, ulid};
use crate::plan::{DAY, MINUTE};
use crate::store::Stored;
use holdfast_core::cover::Cover;
use holdfast_core::manifest::Manifest;
use holdfast_core::segment;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use ulid::Ulid;

/// A user's objects, sorted out.
#[derive(Default)]
pub(super) struct Sorted<'a> {
    manifests: BTreeMap<&'a str, (Manifest, u64)>,
    covers: BTreeMap<&'a str, Cover>,
    /// Bytes of attachments.
    pub attached: Vec<&'a str>,
    /// Index parts.
    pub parts: Vec<(&'a str, &'a Stored)>,
    pub others: Vec<(&'a str, &'a Stored)>,
}

impl Checker {
    /// Up to when a user is erased, by what landed.
    pub fn erased_until(&self, user: usize) -> &str {
        let landed = |key: &String| self.objects.get(key).is_some_and(|object| object.landed);
        let erases = self.graves.iter().filter(|g| g.user == user && g.session.is_none());
        let erases = erases.filter(|g| landed(&g.key)).map(|g| g.at.as_str());
        erases.max().unwrap_or_default()
    }

    /// Unix milliseconds up to which names count for nothing.
    pub(super) fn settled_until(&self, user: usize) -> u64 {
        match self.erased_until(user) {
            "" => 0,
            at => milliseconds(at) + 2 * MINUTE,
        }
    }

    /// P7: what lies there and no head needs.
    ///
    /// # Errors
    /// What cannot be read.
    pub fn garbage(
        &self,
        user: usize,
        stored: &[Stored],
        void_after: u64,
    ) -> Result<Vec<String>, Broken> {
        let prefix = self.homes.get(user).map_or("", |home| home.journal.as_str());
        let sorted = Sorted::of(prefix, stored)?;
        let known: HashSet<&str> = sorted
            .manifests
            .values()
            .flat_map(|(manifest, _)| manifest.parents.iter().chain(&manifest.ancestors))
            .map(String::as_str)
            .collect();
        // What was named up to two minutes after an erase counts for nothing.
        let settled = |name: &str| moment(name) < self.settled_until(user);
        let heads = sorted.manifests.iter().filter(|(name, (manifest, modified))| {
            let void = *modified > manifest.begun.saturating_add(void_after);
            !known.contains(*name) && !void && !settled(name)
        });
        let (mut needed, mut covered) = (BTreeSet::new(), HashSet::new());
        // Of copies the newest may stay, for a month.
        let newest = sorted.parts.last().map(|(name, _)| *name);
        needed.extend(newest.filter(|name| moment(name) + 31 * DAY > self.retention.now));
        for (name, (manifest, _)) in heads {
            needed.insert(*name);
            // They stand in for the head, and their covers tell what their segments held.
            for parent in manifest.parents.iter().map(String::as_str) {
                needed.insert(parent);
                let named = sorted.manifests.get(parent).into_iter();
                let entries = named.flat_map(|(manifest, _)| &manifest.segments);
                needed.extend(entries.map(|entry| entry.cov.as_str()));
            }
            for entry in manifest.segments.iter().filter(|entry| !settled(&entry.seg)) {
                needed.extend([entry.seg.as_str(), entry.cov.as_str()]);
                let cover = sorted.covers.get(entry.cov.as_str());
                let cover = cover.ok_or_else(|| format!("P7: {} is not there", entry.cov))?;
                covered.extend(cover.wal.iter().map(String::as_str));
            }
        }
        let names = sorted.manifests.keys().chain(sorted.covers.keys()).copied();
        let others = sorted.others.iter().chain(&sorted.parts);
        let names = names.chain(others.map(|(name, _)| *name));
        let useless = |name: &&str| match name.starts_with("wal/") {
            true => covered.contains(name),
            false => !needed.contains(name),
        };
        let told = |name: &str| match sorted.covers.get(name) {
            None => name.to_owned(),
            Some(cover) => {
                let only = cover.wal.iter().filter(|name| !covered.contains(name.as_str()));
                format!("{name}, which alone covers {:?}", only.collect::<Vec<_>>())
            }
        };
        let parts = self.useless_parts(user, &sorted.attached).into_iter().map(str::to_owned);
        Ok(names.filter(useless).map(told).chain(parts).collect())
    }

    /// P6: no object holds what was erased, but WAL objects that are too large to be sealed.
    ///
    /// # Errors
    /// One that does.
    pub fn bytes(&self, user: usize, stored: &[Stored], largest: u64) -> Result<(), Broken> {
        let prefix = self.homes.get(user).map_or("", |home| home.journal.as_str());
        let erased = self.erased_until(user);
        let Sorted { parts, others, .. } = Sorted::of(prefix, stored)?;
        let gone = |item: &&Item| {
            let mut copies = item.copies.values();
            item.user == user && copies.all(|copy| copy.judged.as_str() <= erased)
        };
        let gone: Vec<&Item> = self.items.iter().filter(gone).collect();
        for (name, one) in parts {
            let text = String::from_utf8_lossy(&one.bytes);
            if let Some(item) = gone.iter().find(|item| text.contains(&item.text)) {
                return Err(format!("P6: {name} holds what was erased at {erased}: {}", item.text));
            }
        }
        for (name, one) in others {
            // It stays as it is: see the README.
            if name.starts_with("wal/") && one.bytes.len() as u64 > largest {
                continue;
            }
            for text in texts(name, one)? {
                let Ok(line) = serde_json::from_str::<Line<'_>>(&text) else { continue };
                if line.judged() <= erased && line.kind != "erase" {
                    return Err(format!("P6: {name} holds what was erased at {erased}: {text}"));
                }
            }
        }
        Ok(())
    }

    /// P7: the last erase of a user has its final receipt.
    pub fn is_receipted(&self, user: usize, ledger: &[Stored]) -> bool {
        let prefix = self.homes.get(user).map_or("", |home| home.ledger.as_str());
        let landed = |key: &String| self.objects.get(key).is_some_and(|object| object.landed);
        let marks = self.graves.iter().filter(|g| g.key.starts_with(prefix) && landed(&g.key));
        let Some(last) = marks.max_by_key(|g| (&g.at, ulid(&g.key))) else { return true };
        let last = ulid(&last.key);
        ledger.iter().any(|one| {
            let name = one.key.strip_prefix(prefix).unwrap_or_default();
            name.starts_with(last) && name.ends_with("-final.json")
        })
    }
}

impl<'a> Sorted<'a> {
    pub fn of(prefix: &str, stored: &'a [Stored]) -> Result<Self, Broken> {
        let mut sorted = Self::default();
        for one in stored {
            let Some(name) = one.key.strip_prefix(prefix) else { continue };
            let unread = |error| format!("P2: {name} cannot be read: {error}");
            match name.split('/').next().unwrap_or_default() {
                "man" => {
                    let manifest = Manifest::decode(&one.bytes).map_err(unread)?;
                    sorted.manifests.insert(name, (manifest, one.modified));
                }
                "cov" => {
                    sorted.covers.insert(name, Cover::decode(&one.bytes).map_err(unread)?);
                }
                "att" => sorted.attached.push(name),
                "idx" => sorted.parts.push((name, one)),
                _ => sorted.others.push((name, one)),
            }
        }
        Ok(sorted)
    }
}

/// When an object was named: Unix milliseconds.
pub(super) fn moment(name: &str) -> u64 {
    Ulid::from_string(ulid(name)).map_or(0, |ulid| ulid.timestamp_ms())
}

/// The records of a segment or a WAL object, as their texts.
pub(super) fn texts(name: &str, one: &Stored) -> Result<Vec<String>, Broken> {
    if name.starts_with("wal/") {
        let text = String::from_utf8_lossy(&one.bytes);
        return Ok(text.lines().skip(1).map(str::to_owned).collect());
    }
    let unread = |error| format!("P2: {name} cannot be read: {error}");
    let cover = segment::cover_within(&one.bytes).map_err(unread)?;
    let lines = segment::open(&one.bytes, &cover).map_err(unread)?;
    Ok(lines.iter().map(|line| line.text.to_string()).collect())
}
