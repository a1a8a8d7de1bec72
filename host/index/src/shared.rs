//! What all shards share: the time, the counters, and how full the index is.

use holdfast_core::clock::MAX_SKEW;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};

const UNKNOWN: i64 = i64::MIN;

/// Counters since the start, and the time.
pub(crate) struct Shared {
    clock: Box<dyn Fn() -> u64 + Send + Sync>,
    offsets: Vec<AtomicI64>,
    pub(crate) answered: AtomicBool,
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
    pub(crate) evictions: AtomicU64,
    last_error: Mutex<Option<String>>,
}

impl Shared {
    pub(crate) fn new(shards: usize, clock: impl Fn() -> u64 + Send + Sync + 'static) -> Self {
        Self {
            clock: Box::new(clock),
            offsets: (0..shards).map(|_| AtomicI64::new(UNKNOWN)).collect(),
            answered: AtomicBool::new(false),
            bytes: AtomicUsize::new(0),
            users: AtomicUsize::new(0),
            oldest: (0..shards).map(|_| AtomicU64::new(u64::MAX)).collect(),
            uses: AtomicU64::new(0),
            loads: AtomicU64::new(0),
            failed_loads: AtomicU64::new(0),
            polls: AtomicU64::new(0),
            evictions: AtomicU64::new(0),
            last_error: Mutex::new(None),
        }
    }

    /// Unix milliseconds by the store's clock, as far as its answers told it.
    pub(crate) fn now(&self) -> u64 {
        (self.clock)().saturating_add_signed(self.offset().unwrap_or(0))
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
