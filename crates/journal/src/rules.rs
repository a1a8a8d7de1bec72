//! The numbers of the protocol, in one place: what readers, compactors and collectors wait for and how much they take.

/// The numbers of the protocol. All hosts of a bucket should agree on them; times are milliseconds, sizes bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rules {
    /// How long an object that was sealed elsewhere stays readable, and a manifest waits before it justifies a removal.
    pub grace: u64,
    /// So many times [`grace`](Self::grace) must pass before what nothing ever named is removed, and before an ancestor
    /// that no list shows is forgotten.
    pub orphan_graces: u64,
    /// A manifest that appears later than this after its maker began to read is void: the maker slept.
    pub void_after: u64,
    /// How long before a list began objects may still appear: the longest write, clocks that differ, and a wide margin.
    pub margin: u64,
    /// How far ahead of ours a writer's clock may be.
    pub ahead: u64,
    /// So many uncovered objects are worth sealing,
    pub least_objects: usize,
    /// or so many bytes of them,
    pub least_bytes: u64,
    /// or any that are this old,
    pub seal_after: u64,
    /// or one that holds a purge and is this old.
    pub purge_after: u64,
    /// So many segments of one tier become one of the next.
    pub tier: usize,
    /// Records of one segment, at most, and what is kept of each beside its text; a WAL object above it stays as it is.
    pub segment_bytes: u64,
    /// What one step of a compaction reads, at most.
    pub step_bytes: u64,
    /// Objects that one step seals, at most, and that one collection removes: what is kept of each beside its bytes must fit
    /// an instance of 64 MiB too.
    pub step_objects: usize,
    /// Objects of one list that a compaction or a collection keeps in memory, the oldest first: others are listed again.
    pub listed_objects: usize,
    /// Names of sealed WAL objects that are kept in memory, the newest first: others are looked up in their covers.
    pub known_names: usize,
}

const SECOND: u64 = 1_000;
const MINUTE: u64 = 60 * SECOND;
const DAY: u64 = 24 * 60 * MINUTE;

impl Default for Rules {
    fn default() -> Self {
        Self {
            grace: 7 * DAY,
            orphan_graces: 2,
            void_after: 60 * MINUTE,
            margin: 20 * MINUTE,
            ahead: 2 * MINUTE,
            least_objects: 64,
            least_bytes: 256 << 10,
            seal_after: 7 * DAY,
            purge_after: 60 * MINUTE,
            tier: 8,
            segment_bytes: 28 << 20,
            step_bytes: 12 << 20,
            step_objects: 2_500,
            listed_objects: 10_000,
            known_names: 200_000,
        }
    }
}

impl Rules {
    /// How old what nothing names must be before it is removed.
    pub fn orphan(&self) -> u64 {
        self.grace.saturating_mul(self.orphan_graces)
    }
}
