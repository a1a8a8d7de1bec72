//! A journal as an index part keeps it: what was read of it, and the fold of that.

use crate::heads;
use crate::read::Journal;
use holdfast_core::arrival::Arrivals;
use holdfast_core::fold::{SavedView, Within};
use holdfast_core::{Key, Part, Result, key};
use serde::{Deserialize, Serialize};
use ulid::Ulid;

/// What was read of a journal, as it is written and read.
#[derive(Debug, Serialize, Deserialize)]
pub struct SavedJournal<'a> {
    erased: Option<u64>,
    folded: Vec<Name>,
    named: Vec<Name>,
    #[serde(borrow)]
    leaves: Vec<&'a str>,
    oldest: Option<u64>,
    purging: Option<u64>,
    #[serde(borrow)]
    view: SavedView<'a>,
}

/// A ULID, in halves: most are near each other.
type Name = (u64, u64);

fn name(ulid: u128) -> Name {
    ((ulid >> 64) as u64, ulid as u64)
}

fn ulid((high, low): Name) -> u128 {
    u128::from(high) << 64 | u128::from(low)
}

impl SavedJournal<'_> {
    /// Messages that it has numbers for.
    pub fn messages(&self) -> usize {
        self.view.messages()
    }
}

impl Journal {
    /// The journal as an index part keeps it; none while it lacks something.
    ///
    /// # Errors
    /// `internal` when it cannot be written.
    pub fn saved(&self) -> Result<Option<SavedJournal<'_>>> {
        if self.owes() || self.stale {
            return Ok(None);
        }
        let mut named: Vec<Name> = self.named.iter().copied().map(name).collect();
        named.sort_unstable();
        let saved = self.view.saved()?.map(|view| SavedJournal {
            erased: self.heads.erased.at().map(|at| at.0),
            folded: self.folded.iter().map(name).collect(),
            named,
            leaves: self.leaves.values().map(String::as_str).collect(),
            oldest: self.oldest,
            purging: self.purging,
            view,
        });
        Ok(saved)
    }

    /// Takes in what another knew, where nothing was read yet but what is to be read: that is only what the other did not
    /// know. False, and nothing is taken in, when the user was erased since or something was read.
    ///
    /// # Errors
    /// `corrupt` when it is none; nothing is taken in then.
    pub fn restore(&mut self, saved: SavedJournal<'_>) -> Result<bool> {
        let erased = self.heads.erased.at().map(|at| at.0);
        let fresh = self.folded.is_empty() && *self.view.limits() == Within::default();
        if !fresh || self.stale || saved.erased != erased {
            return Ok(false);
        }
        self.view = saved.view.restore()?;
        self.folded = Arrivals::of(saved.folded.into_iter().map(ulid));
        self.named = saved.named.into_iter().map(ulid).collect();
        let prefix = key::user(&self.scope);
        let leaves = saved.leaves.into_iter().filter_map(|text| Key::below(&prefix, text));
        let leaves = leaves.filter(|key| key.part() == Part::Wal);
        let leaf =
            |key: Key| Some((Ulid::from_string(key.ulid()?).ok()?.0, key.as_str().to_owned()));
        self.leaves = leaves.filter_map(leaf).collect();
        self.oldest = self.oldest.into_iter().chain(saved.oldest).min();
        self.purging = saved.purging;
        self.finish_known();
        Ok(true)
    }

    /// Segments all of whose WAL objects are known are finished.
    fn finish_known(&mut self) {
        let folded = |name: &String| {
            heads::ulid_of_name(name).is_some_and(|ulid| self.folded.contains(ulid.0))
        };
        let known = self.pending.covers_awaited().filter_map(|(seg, cover)| {
            let cover = cover.filter(|cover| cover.wal.iter().all(folded))?;
            Some((heads::ulid(seg)?, cover.clone()))
        });
        for (ulid, cover) in known.collect::<Vec<_>>() {
            self.finish(ulid, &cover);
        }
        self.forgive();
    }

    /// Bytes that are still to be read, as far as they are known: of what is sealed, its frames.
    pub fn ahead(&self) -> u64 {
        let tail = self.owed.iter().filter(|(key, _)| key.part() == Part::Wal);
        let tail: u64 = tail.map(|(_, bytes)| bytes).sum();
        tail.saturating_add(self.sealed().unwrap_or_default())
    }
}
