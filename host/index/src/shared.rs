//! What all shards share: the time, the counters, and how full the index is.

use crate::standing::Standing;
use holdfast_core::clock::{MAX_SKEW, Skew};
use holdfast_core::{Case, Error, Result, TenantId};
use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};

const UNKNOWN: i64 = i64::MIN;

/// Counters since the start, and the time.
pub(crate) struct Shared {
    clock: Box<dyn Fn() -> u64 + Send + Sync>,
    offsets: Vec<AtomicI64>,
    /// The store's last `Date`; 0 before that.
    told: AtomicU64,
    pub(crate) standing: Standing,
    /// Bytes of all users.
    pub(crate) bytes: AtomicUsize,
    /// Users of all shards.
    pub(crate) users: AtomicUsize,
    /// The least recent use of a user of each shard.
    pub(crate) oldest: Vec<AtomicU64>,
    pub(crate) uses: AtomicU64,
    pub(crate) loads: AtomicU64,
    pub(crate) failed_loads: AtomicU64,
    pub(crate) polls: AtomicU64,
    pub(crate) glances: AtomicU64,
    pub(crate) evictions: AtomicU64,
    last_error: Mutex<Option<String>>,
    loading: Mutex<HashMap<TenantId, usize>>,
}

/// A tenant's place among its loads, until it is dropped.
pub(crate) struct Loading<'a> {
    shared: &'a Shared,
    tenant: TenantId,
}

impl Drop for Loading<'_> {
    fn drop(&mut self) {
        let mut loading = self.shared.loading.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = loading.get_mut(&self.tenant) {
            *count -= 1;
            if *count == 0 {
                loading.remove(&self.tenant);
            }
        }
    }
}

impl Shared {
    pub(crate) fn new(shards: usize, clock: impl Fn() -> u64 + Send + Sync + 'static) -> Self {
        Self {
            clock: Box::new(clock),
            offsets: (0..shards).map(|_| AtomicI64::new(UNKNOWN)).collect(),
            told: AtomicU64::new(0),
            standing: Standing::default(),
            bytes: AtomicUsize::new(0),
            users: AtomicUsize::new(0),
            oldest: (0..shards).map(|_| AtomicU64::new(u64::MAX)).collect(),
            uses: AtomicU64::new(0),
            loads: AtomicU64::new(0),
            failed_loads: AtomicU64::new(0),
            polls: AtomicU64::new(0),
            glances: AtomicU64::new(0),
            evictions: AtomicU64::new(0),
            last_error: Mutex::new(None),
            loading: Mutex::default(),
        }
    }

    /// Unix milliseconds by the store's clock, as far as its answers told it.
    pub(crate) fn now(&self) -> u64 {
        (self.clock)().saturating_add_signed(self.offset().unwrap_or(0))
    }

    /// A place for one more load of the tenant, of which `most` may run at once.
    ///
    /// # Errors
    /// `exhausted` when so many run.
    pub(crate) fn begin_load(&self, tenant: &TenantId, most: usize) -> Result<Loading<'_>> {
        let mut loading = self.loading.lock().unwrap_or_else(PoisonError::into_inner);
        let count = loading.entry(tenant.clone()).or_default();
        if most > 0 && *count >= most {
            let detail = format!("{most} users of this tenant are loading: try again");
            return Err(Error::new(Case::Exhausted, detail).retry_after(1));
        }
        *count += 1;
        Ok(Loading { shared: self, tenant: tenant.clone() })
    }

    /// What an answer to a shard said of the time.
    pub(crate) fn learn(&self, shard: usize, skew: Skew) {
        if let Some(told) = skew.told() {
            self.told.store(told, Relaxed);
        }
        let Some(offset) = skew.offset() else { return };
        for (number, slot) in self.offsets.iter().enumerate() {
            let known = slot.load(Relaxed);
            // No two answers about one clock differ by more: it was set, and the other shard has not been answered since.
            let set = known != UNKNOWN && known.abs_diff(offset) > 2 * MAX_SKEW.unsigned_abs();
            match number == shard {
                true => slot.store(offset, Relaxed),
                false if set => slot.store(UNKNOWN, Relaxed),
                false => {}
            }
        }
    }

    /// The store's last `Date`, to whichever shard: Unix milliseconds.
    pub(crate) fn told(&self) -> Option<u64> {
        Some(self.told.load(Relaxed)).filter(|told| *told > 0)
    }

    /// Milliseconds to add to our clock. Each shard's store keeps an interval of its own; an offset that is not 0 is
    /// one that proved 0 wrong.
    pub(crate) fn offset(&self) -> Option<i64> {
        let known = self.offsets.iter().map(|slot| slot.load(Relaxed)).filter(|o| *o != UNKNOWN);
        known.max_by_key(|offset| offset.unsigned_abs())
    }

    pub(crate) fn clock_trusted(&self) -> bool {
        self.offset().is_some_and(|offset| offset.abs() <= MAX_SKEW)
    }

    pub(crate) fn failed(&self, error: &holdfast_core::Error) {
        let text = format!("{}: {error}", error.reason);
        *self.last_error.lock().unwrap_or_else(PoisonError::into_inner) = Some(text);
    }

    pub(crate) fn last_error(&self) -> Option<String> {
        self.last_error.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_was_set_is_right_again_with_the_first_answer_to_any_shard() {
        const DATE: u64 = 1_774_000_000_000;
        let shared = Shared::new(3, || DATE);
        let answered = |shard, ahead: u64, date| {
            let mut skew = Skew::default();
            skew.observe(date + ahead, date + ahead + 10, date);
            shared.learn(shard, skew);
        };
        assert_eq!((shared.offset(), shared.told()), (None, None));
        answered(0, 3 * MAX_SKEW.unsigned_abs(), DATE);
        assert!(!shared.clock_trusted());
        answered(1, 0, DATE + 5_000);
        assert_eq!((shared.offset(), shared.told()), (Some(0), Some(DATE + 5_000)));
        // Half a minute is what a slow answer hides: what proves it stands.
        answered(2, 30_000, DATE + 6_000);
        answered(1, 0, DATE + 7_000);
        assert!(shared.offset().is_some_and(|offset| offset < -28_000));
    }
}
