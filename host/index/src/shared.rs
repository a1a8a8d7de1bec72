//! What all shards share: the time, the counters, and how full the index is.

use crate::standing::Standing;
use holdfast_core::clock::MAX_SKEW;
use holdfast_core::{Case, Error, Result, TenantId};
use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};

const UNKNOWN: i64 = i64::MIN;

/// Counters since the start, and the time.
pub(crate) struct Shared {
    clock: Box<dyn Fn() -> u64 + Send + Sync>,
    offsets: Vec<AtomicI64>,
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

    pub(crate) fn learn(&self, shard: usize, offset: Option<i64>) {
        if let Some((slot, offset)) = self.offsets.get(shard).zip(offset) {
            slot.store(offset, Relaxed);
        }
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
