//! Segments that a manifest names and that are not read yet.

use crate::heads::ulid_of_name;
use holdfast_core::Key;
use holdfast_core::cover::Cover;
use std::collections::{HashMap, HashSet};
use ulid::Ulid;

/// Segments by the ULID that they share with their covers.
#[derive(Debug, Default)]
pub(crate) struct Pending {
    awaited: HashMap<u128, Awaited>,
    /// WAL objects that they cover: read with them.
    promised: HashSet<u128>,
    /// All that they cover is known.
    done: HashSet<u128>,
    /// They cannot be read.
    lost: HashSet<u128>,
    /// Manifests that are read for their segments only, because a later one's cannot be read.
    pub(crate) spare: HashSet<u128>,
    behind: HashSet<u128>,
}

#[derive(Debug)]
struct Awaited {
    seg: Key,
    cover: Option<Cover>,
    without_cover: bool,
    parents: Vec<Key>,
    /// Manifests that name it.
    by: HashSet<u128>,
}

impl Pending {
    /// Is it still to be read?
    pub(crate) fn awaits(&self, ulid: Ulid) -> bool {
        self.awaited.contains_key(&ulid.0)
    }

    /// The manifest `by` with these parents names a segment. Gives those of them that stand for it when it cannot be read.
    pub(crate) fn name(&mut self, ulid: Ulid, seg: Key, parents: &[Key], by: Ulid) -> Vec<Key> {
        if self.done.contains(&ulid.0) {
            return Vec::new();
        }
        if self.lost.contains(&ulid.0) {
            return parents.to_vec();
        }
        let new = || Awaited {
            seg,
            cover: None,
            without_cover: false,
            parents: Vec::new(),
            by: HashSet::new(),
        };
        let awaited = self.awaited.entry(ulid.0).or_insert_with(new);
        awaited.by.insert(by.0);
        awaited.parents.extend(parents.iter().cloned());
        Vec::new()
    }

    /// Awaits no more what only manifests name that do not count any more: others took their place.
    pub(crate) fn keep(&mut self, counts: impl Fn(u128) -> bool) {
        self.awaited.retain(|_, awaited| awaited.by.iter().any(|by| counts(*by)));
        self.count_promises();
    }

    /// Are all manifests that name it such?
    pub(crate) fn are_namers(&self, ulid: Ulid, such: impl Fn(Ulid) -> bool) -> bool {
        let awaited = self.awaited.get(&ulid.0);
        awaited.is_some_and(|awaited| awaited.by.iter().all(|by| such(Ulid(*by))))
    }

    /// Awaits it no more.
    pub(crate) fn forget(&mut self, ulid: Ulid) {
        self.awaited.remove(&ulid.0);
        self.count_promises();
    }

    /// What it covers. Gives the segment, when it is awaited.
    pub(crate) fn covers(&mut self, ulid: Ulid, cover: Cover) -> Option<Key> {
        let awaited = self.awaited.get_mut(&ulid.0)?;
        self.promised.extend(cover.wal.iter().filter_map(|name| ulid_of_name(name)).map(|u| u.0));
        awaited.cover = Some(cover);
        Some(awaited.seg.clone())
    }

    /// Those that are to be read, each with what it covers where that was read.
    pub(crate) fn covers_awaited(&self) -> impl Iterator<Item = (&Key, Option<&Cover>)> {
        self.awaited.values().map(|awaited| (&awaited.seg, awaited.cover.as_ref()))
    }

    /// Will this WAL object's records come with a segment?
    pub(crate) fn promises(&self, ulid: Ulid) -> bool {
        self.promised.contains(&ulid.0)
    }

    /// What the awaited ones promise.
    fn count_promises(&mut self) {
        let covers = self.awaited.values().filter_map(|awaited| awaited.cover.as_ref());
        let names = covers.flat_map(|cover| &cover.wal);
        self.promised = names.filter_map(|name| ulid_of_name(name)).map(|ulid| ulid.0).collect();
    }

    /// What it covers, where that was read.
    pub(crate) fn cover(&self, ulid: Ulid) -> Option<&Cover> {
        self.awaited.get(&ulid.0)?.cover.as_ref()
    }

    /// Is its cover still to be read?
    pub(crate) fn awaits_cover(&self, ulid: Ulid) -> bool {
        let awaited = self.awaited.get(&ulid.0);
        awaited.is_some_and(|awaited| awaited.cover.is_none() && !awaited.without_cover)
    }

    /// Its cover cannot be read. Gives the segment, which holds it too.
    pub(crate) fn without_cover(&mut self, ulid: Ulid) -> Option<Key> {
        let awaited = self.awaited.get_mut(&ulid.0)?;
        awaited.without_cover = true;
        Some(awaited.seg.clone())
    }

    /// All that it covers is known.
    pub(crate) fn finish(&mut self, ulid: Ulid) {
        if self.awaited.remove(&ulid.0).is_some_and(|awaited| awaited.cover.is_some()) {
            self.count_promises();
        }
        self.done.insert(ulid.0);
    }

    /// It cannot be read. Gives what it covers, where that was read, and the manifests that stand for it.
    pub(crate) fn lose(&mut self, ulid: Ulid) -> Option<(Cover, Vec<Key>)> {
        self.awaited.get(&ulid.0).filter(|awaited| awaited.cover.is_some())?;
        let Awaited { cover, parents, .. } = self.awaited.remove(&ulid.0)?;
        self.lost.insert(ulid.0);
        self.count_promises();
        Some((cover?, parents))
    }

    /// This manifest is read for what stands behind a later one. False when it was before.
    pub(crate) fn look_behind(&mut self, ulid: Ulid) -> bool {
        self.behind.insert(ulid.0) && self.spare.insert(ulid.0)
    }
}
