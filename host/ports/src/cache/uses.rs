//! Which files there are, and which was used longest ago.

use holdfast_core::erase::Erased;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

/// A file takes whole blocks of the disk.
const BLOCK: u64 = 4096;

/// When a file was used: Unix milliseconds, and a number that no other use has.
type Use = (u64, u64);

/// Files by the time of their last use, with the room that they take.
#[derive(Debug, Default)]
pub(super) struct Uses {
    files: HashMap<Arc<str>, (Use, u64)>,
    order: BTreeMap<Use, Arc<str>>,
    bytes: u64,
    next: u64,
    /// Names that left while what is there from before is counted.
    left: Option<HashSet<Arc<str>>>,
    /// Erases of users, by their folders.
    erased: HashMap<Box<str>, Erased>,
}

impl Uses {
    /// Nothing is known yet, and a walk is under way.
    pub(super) fn counting() -> Self {
        Self { left: Some(HashSet::new()), ..Self::default() }
    }

    /// The walk has ended.
    pub(super) fn counted(&mut self) {
        self.left = None;
    }

    /// Room that all take, in bytes.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// How many there are.
    pub(super) fn files(&self) -> usize {
        self.files.len()
    }

    /// Room that a file of so many bytes takes.
    pub(super) fn room(bytes: u64) -> u64 {
        bytes.max(1).checked_next_multiple_of(BLOCK).unwrap_or(u64::MAX)
    }

    /// Does it count?
    pub(super) fn has(&self, name: &str) -> bool {
        self.files.contains_key(name)
    }

    /// The file of this name has so many bytes and was used at `now`.
    pub(super) fn used(&mut self, name: &str, bytes: u64, now: u64) {
        self.gone(name);
        let (name, used, room) = (Arc::<str>::from(name), (now, self.next), Self::room(bytes));
        self.next += 1;
        self.bytes = self.bytes.saturating_add(room);
        self.order.insert(used, name.clone());
        self.files.insert(name, (used, room));
    }

    /// A walk met the file: it counts, unless its use is known better or it has left since.
    pub(super) fn met(&mut self, name: &str, bytes: u64, at: u64) {
        let left = self.left.as_ref().is_some_and(|left| left.contains(name));
        if !left && !self.has(name) {
            self.used(name, bytes, at);
        }
    }

    /// The file is gone.
    pub(super) fn gone(&mut self, name: &str) {
        if let Some(left) = &mut self.left {
            left.insert(name.into());
        }
        if let Some((used, room)) = self.files.remove(name) {
            self.order.remove(&used);
            self.bytes = self.bytes.saturating_sub(room);
        }
    }

    /// The user of this folder was erased: all of its files are gone.
    pub(super) fn erase(&mut self, folder: &str, erased: Erased) {
        let below = self.files.keys().filter(|name| name.starts_with(folder));
        for name in below.cloned().collect::<Vec<_>>() {
            self.gone(&name);
        }
        let last = self.erased.entry(folder.into()).or_default();
        *last = erased.max(*last);
    }

    /// The last erase of the user of this folder.
    pub(super) fn erased(&self, folder: &str) -> Erased {
        self.erased.get(folder).copied().unwrap_or_default()
    }

    /// The file that was used longest ago, while all take more room than `most`: it leaves.
    pub(super) fn leaves(&mut self, most: u64) -> Option<Arc<str>> {
        let name = self.order.first_key_value().filter(|_| self.bytes > most)?.1.clone();
        self.gone(&name);
        Some(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_used_longest_ago_leaves_first_and_only_while_there_is_too_much() {
        let mut uses = Uses::default();
        for (name, at) in [("b", 2), ("a", 1), ("c", 3)] {
            uses.used(name, 4096, at);
        }
        uses.used("a", 4096, 4);
        uses.met("a", 4096, 0);
        uses.met("z", 1, 0);
        assert_eq!((uses.bytes(), uses.files()), (4 * 4096, 4));
        assert_eq!(uses.leaves(2 * 4096).as_deref(), Some("z"));
        assert_eq!(uses.leaves(2 * 4096).as_deref(), Some("b"));
        assert_eq!(uses.leaves(2 * 4096), None);
        uses.gone("a");
        uses.gone("a");
        assert_eq!((uses.bytes(), uses.files()), (4096, 1));
    }

    #[test]
    fn what_leaves_during_a_walk_does_not_come_back_by_it() {
        let mut uses = Uses::counting();
        uses.used("a", 1, 9);
        uses.gone("b");
        assert_eq!(uses.leaves(0).as_deref(), Some("a"));
        for name in ["a", "b", "c"] {
            uses.met(name, 1, 0);
        }
        uses.counted();
        assert_eq!(uses.files(), 1);
    }

    #[test]
    fn a_users_files_leave_together_and_nobody_elses() {
        let mut uses = Uses::default();
        for name in ["t/u/wal/1", "t/u/seg/2", "t/u1/wal/3"] {
            uses.used(name, 5000, 1);
        }
        uses.erase("t/u/", Erased::default());
        assert_eq!((uses.bytes(), uses.files()), (8192, 1));
    }
}
