//! How much this process read from elsewhere, by the hour: what a store's provider counts as egress.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

const HOUR: u64 = 60 * 60_000;
/// Hours that are remembered: a month, by which providers count.
const MONTH: u64 = 30 * 24;

/// Bytes read, by the hour.
#[derive(Debug)]
pub struct Traffic(Mutex<Counts>);

#[derive(Debug)]
struct Counts {
    total: u64,
    hours: BTreeMap<u64, u64>,
}

/// What was read within a month.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Period {
    /// Bytes.
    pub bytes: u64,
    /// Hours since the first of them, a begun one as a whole.
    pub hours: u64,
}

impl Traffic {
    /// Nothing yet.
    pub const fn new() -> Self {
        Self(Mutex::new(Counts { total: 0, hours: BTreeMap::new() }))
    }

    /// So many bytes were read; `now` is Unix milliseconds.
    pub fn read(&self, bytes: u64, now: u64) {
        let mut counts = self.counts();
        counts.total = counts.total.saturating_add(bytes);
        *counts.hours.entry(now / HOUR).or_default() += bytes;
        while counts.hours.len() as u64 > MONTH {
            counts.hours.pop_first();
        }
    }

    /// All bytes so far.
    pub fn total(&self) -> u64 {
        self.counts().total
    }

    /// What was read in the month before `now`.
    pub fn month(&self, now: u64) -> Period {
        let (counts, hour) = (self.counts(), now / HOUR);
        let recent = counts.hours.range((hour + 1).saturating_sub(MONTH)..);
        let first = recent.clone().next().map_or(hour, |(first, _)| *first);
        let bytes = recent.map(|(_, bytes)| bytes).sum();
        Period { bytes, hours: hour.saturating_sub(first) + 1 }
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Traffic {
    fn default() -> Self {
        Self::new()
    }
}

/// What this process read.
pub fn traffic() -> &'static Traffic {
    static TRAFFIC: Traffic = Traffic::new();
    &TRAFFIC
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_read_more_than_a_month_ago_is_in_the_total_alone() {
        let traffic = Traffic::new();
        assert_eq!(traffic.month(5 * HOUR), Period { bytes: 0, hours: 1 });
        traffic.read(7, 5 * HOUR);
        traffic.read(3, 5 * HOUR + 1);
        traffic.read(1, 8 * HOUR);
        assert_eq!(traffic.month(8 * HOUR), Period { bytes: 11, hours: 4 });
        assert_eq!(traffic.month((5 + MONTH) * HOUR), Period { bytes: 1, hours: MONTH - 2 });
        assert_eq!(traffic.total(), 11);
    }
}
