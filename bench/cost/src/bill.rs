//! What an object store counts: requests, and bytes as they are billed.

use std::iter::Sum;
use std::ops::Add;

/// The least that an object is billed as, in bytes.
pub const LEAST: u64 = 4096;

/// Removed bytes are billed until their object is this many days old.
pub const MINIMUM_DAYS: u64 = 90;

/// Requests and bytes. Bytes are as billed, except those that were read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Bill {
    /// PUT requests.
    pub puts: u64,
    /// GET requests.
    pub gets: u64,
    /// LIST requests.
    pub lists: u64,
    /// DELETE requests.
    pub deletes: u64,
    /// Bytes written.
    pub written: u64,
    /// Bytes that went out of the store.
    pub read: u64,
    /// Bytes that were written and removed again.
    pub removed: u64,
    /// Bytes that stay.
    pub kept: u64,
}

impl Bill {
    /// Removed bytes that are on the bill at any time, when every month of 30 days is like this one.
    pub fn standing(&self) -> u64 {
        self.removed * MINIMUM_DAYS / 30
    }

    /// So many times as much.
    #[must_use]
    pub fn times(self, factor: u64) -> Self {
        self.members(|member| member * factor)
    }

    fn members(self, change: impl Fn(u64) -> u64) -> Self {
        Self {
            puts: change(self.puts),
            gets: change(self.gets),
            lists: change(self.lists),
            deletes: change(self.deletes),
            written: change(self.written),
            read: change(self.read),
            removed: change(self.removed),
            kept: change(self.kept),
        }
    }
}

impl Add for Bill {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            puts: self.puts + other.puts,
            gets: self.gets + other.gets,
            lists: self.lists + other.lists,
            deletes: self.deletes + other.deletes,
            written: self.written + other.written,
            read: self.read + other.read,
            removed: self.removed + other.removed,
            kept: self.kept + other.kept,
        }
    }
}

impl Sum for Bill {
    fn sum<I: Iterator<Item = Self>>(bills: I) -> Self {
        bills.fold(Self::default(), Add::add)
    }
}
