//! Randomness from one seed: splitmix64.

use std::cell::Cell;

/// A generator; equal seeds give equal draws.
#[derive(Debug)]
pub struct Random(Cell<u64>);

impl Random {
    /// A generator of this seed.
    pub fn new(seed: u64) -> Self {
        Self(Cell::new(seed ^ 0x5851_f42d_4c95_7f2d))
    }

    /// 64 random bits.
    pub fn bits(&self) -> u64 {
        let state = self.0.get().wrapping_add(0x9e37_79b9_7f4a_7c15);
        self.0.set(state);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `limit`; 0 when that is 0.
    pub fn below(&self, limit: u64) -> u64 {
        if limit == 0 { 0 } else { self.bits() % limit }
    }

    /// A number from `low` to `high`.
    pub fn between(&self, low: u64, high: u64) -> u64 {
        low + self.below(high.saturating_sub(low) + 1)
    }

    /// An index below `length`.
    pub fn index(&self, length: usize) -> usize {
        usize::try_from(self.below(u64::try_from(length).unwrap_or(0))).unwrap_or(0)
    }

    /// True so many times in a million.
    pub fn chance(&self, millionths: u64) -> bool {
        millionths > 0 && self.below(1_000_000) < millionths
    }

    /// One of these.
    pub fn pick<'a, T>(&self, from: &'a [T]) -> Option<&'a T> {
        from.get(self.index(from.len()))
    }

    /// Mostly small numbers up to `high`: the magnitude is drawn first.
    pub fn skewed(&self, high: u64) -> u64 {
        let bits = u64::from(u64::BITS - high.leading_zeros());
        let limit = 1u64.checked_shl(u32::try_from(self.between(0, bits)).unwrap_or(0));
        self.below(limit.unwrap_or(high).min(high) + 1)
    }
}
