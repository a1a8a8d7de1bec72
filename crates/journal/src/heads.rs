//! Which manifests count: the newest, and every listed one that is nobody's ancestor.

use crate::fetch::{self, Got};
use crate::rules::Rules;
use holdfast_core::erase::Erased;
use holdfast_core::manifest::Manifest;
use holdfast_core::ports::{Listed, Objects};
use holdfast_core::{Case, Error, Key, Part, Result, Scope, key};
use std::collections::{BTreeMap, HashSet};
use ulid::Ulid;

/// Manifests that were read and are nobody's ancestor, and what they stand for.
#[derive(Debug, Clone, Default)]
pub(crate) struct Heads {
    /// What was published before it, and a little after it, counts for nothing.
    pub(crate) erased: Erased,
    heads: BTreeMap<u128, (Key, Manifest)>,
    /// Ancestors, void ones, and young ones that cannot be read: nothing to read again.
    settled: HashSet<u128>,
}

/// What a look at the list of manifests gave.
#[derive(Debug)]
pub(crate) struct Look {
    /// Manifests that were read for the first time, newest first.
    pub found: Vec<(Key, Manifest)>,
    /// Listed, whatever they are.
    pub listed: Vec<Listed>,
    /// Void ones.
    pub void: Vec<Key>,
    /// So young that all they stand for is still there elsewhere, and not what was written.
    pub corrupt: Vec<Key>,
}

impl Heads {
    /// None yet, of a user who was erased.
    pub(crate) fn of(erased: Erased) -> Self {
        Self { erased, ..Self::default() }
    }

    /// The present heads, oldest first.
    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = &(Key, Manifest)> {
        self.heads.values()
    }

    /// The heads and their parents, which stand in for them.
    pub(crate) fn counting(&self) -> HashSet<u128> {
        let parents = self.heads.values().flat_map(|(_, manifest)| &manifest.parents);
        let parents = parents.filter_map(|name| ulid_of_name(name)).map(|ulid| ulid.0);
        self.heads.keys().copied().chain(parents).collect()
    }

    /// Nothing is to be read there again.
    pub(crate) fn knows(&self, ulid: Ulid) -> bool {
        self.heads.contains_key(&ulid.0)
            || self.settled.contains(&ulid.0)
            || self.erased.reaches(ulid.timestamp_ms())
    }

    /// Is a manifest that is gone one whose place others took? It is when it is older by more than the grace than the newest
    /// head: before that none is removed.
    pub(crate) fn outlived(&self, ulid: Ulid, rules: &Rules) -> bool {
        let newest = self.heads.last_key_value().map(|(ulid, _)| Ulid(*ulid).timestamp_ms());
        newest.is_some_and(|at| ulid.timestamp_ms().saturating_add(rules.grace) < at)
    }

    /// Takes a manifest in, unless it is known.
    pub(crate) fn add(&mut self, key: &Key, ulid: Ulid, manifest: Manifest) {
        for name in manifest.parents.iter().chain(&manifest.ancestors) {
            if let Some(ancestor) = ulid_of_name(name) {
                self.heads.remove(&ancestor.0);
                self.settled.insert(ancestor.0);
            }
        }
        if !self.settled.contains(&ulid.0) {
            self.heads.insert(ulid.0, (key.clone(), manifest));
        }
    }

    /// Counts this head no more.
    pub(crate) fn set_aside(&mut self, ulid: Ulid) {
        self.heads.remove(&ulid.0);
        self.settle(ulid);
    }

    /// Nothing is to be read there, now or later.
    pub(crate) fn settle(&mut self, ulid: Ulid) {
        self.settled.insert(ulid.0);
    }
}

/// The ULID in a name.
pub(crate) fn ulid_of_name(name: &str) -> Option<Ulid> {
    Ulid::from_string(name.rsplit('/').next()?.get(..26)?).ok()
}

/// The ULID in a key's name.
pub(crate) fn ulid(key: &Key) -> Option<Ulid> {
    Ulid::from_string(key.ulid()?).ok()
}

/// Lists manifests and reads those that `heads` does not know, until each is a head, an ancestor, or void. `now` is Unix
/// milliseconds.
///
/// # Errors
/// `not_yet_visible` or `corrupt` for one that may stand for what is nowhere else.
pub(crate) async fn look(
    objects: &impl Objects,
    scope: &Scope,
    rules: &Rules,
    now: u64,
    heads: &mut Heads,
) -> Result<Look> {
    let prefix = key::manifests(scope);
    let listed = fetch::list(objects, &prefix).await?;
    let parsed = listed.iter().filter_map(|one| {
        let key = Key::below(&prefix, &one.key).filter(|key| key.part() == Part::Manifest)?;
        Some((ulid(&key)?, (key, one.modified)))
    });
    let all: BTreeMap<Ulid, (Key, u64)> = parsed.collect();
    let mut look = Look { found: Vec::new(), listed, void: Vec::new(), corrupt: Vec::new() };
    // The newest alone, because it knows most of the others.
    let mut most = 1;
    loop {
        let unknown = all.iter().rev().filter(|(ulid, _)| !heads.knows(**ulid)).take(most);
        let keys: Vec<Key> = unknown.map(|(_, (key, _))| key.clone()).collect();
        if keys.is_empty() {
            return Ok(look);
        }
        for (key, got) in fetch::all(objects, keys).await?.into_iter().rev() {
            let Some(ulid) = ulid(&key) else { continue };
            let modified = all.get(&ulid).map_or(0, |(_, modified)| *modified);
            look.take(rules, now, heads, ulid, modified, (key, got))?;
        }
        most = usize::MAX;
    }
}

impl Look {
    fn take(
        &mut self,
        rules: &Rules,
        now: u64,
        heads: &mut Heads,
        ulid: Ulid,
        modified: u64,
        (key, got): Got,
    ) -> Result<()> {
        match got.and_then(|bytes| read(&key, &bytes)) {
            Ok(manifest) if modified > manifest.begun.saturating_add(rules.void_after) => {
                heads.settle(ulid);
                self.void.push(key);
            }
            Ok(mut manifest) => {
                // Its maker's clock was ahead, and so is what it says of the list that it had.
                if manifest.begun > modified.saturating_add(rules.ahead) {
                    manifest.from = manifest.from.min(modified.saturating_sub(rules.void_after));
                }
                heads.add(&key, ulid, manifest.clone());
                self.found.push((key, manifest));
            }
            // Known by now: an ancestor of one that was read with it.
            Err(_) if heads.knows(ulid) => {}
            // Nothing was removed on its word yet.
            Err(error)
                if error.reason == "corrupt" && now < modified.saturating_add(rules.grace) =>
            {
                heads.settle(ulid);
                self.corrupt.push(key);
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }
}

/// Reads a manifest's bytes.
///
/// # Errors
/// `corrupt` that names it.
pub(crate) fn read(key: &Key, bytes: &[u8]) -> Result<Manifest> {
    Manifest::decode(bytes).map_err(|e| e.about(key))
}

/// The keys of an entry's segment and cover, and their ULID.
///
/// # Errors
/// `corrupt` when they are no such names.
pub(crate) fn parts(scope: &Scope, seg: &str, cov: &str) -> Result<(Ulid, Key, Key)> {
    let named = |name, part| key::named(scope, name).filter(|key| key.part() == part);
    let keys = named(seg, Part::Segment).zip(named(cov, Part::Cover));
    keys.and_then(|(seg, cov)| {
        let ulid = ulid(&seg)?;
        (self::ulid(&cov)? == ulid).then_some((ulid, seg, cov))
    })
    .ok_or_else(|| Error::new(Case::Corrupt, "a manifest names what is no segment and its cover"))
}
