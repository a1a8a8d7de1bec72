//! The index that an instance holds. A cache, never a truth: every instance has its own and may vanish.

use bytes::Bytes;
use holdfast_core::clock::Skew;
use holdfast_core::ports::{Objects, Page};
use holdfast_core::{Key, Prefix, Result};
use holdfast_kit::{GuestClock, State, state};
use holdfast_view::{Limits, Portable};
use std::cell::OnceCell;

/// The instance's index.
pub type Index = Portable<Bucket, GuestClock>;

/// The instance's bucket.
pub struct Bucket(&'static State);

thread_local! {
    static INDEX: OnceCell<&'static Index> = const { OnceCell::new() };
}

/// The instance's index, made at its first call.
///
/// # Errors
/// `unavailable` when a setting is missing or wrong; tried again at the next call.
pub async fn index() -> Result<&'static Index> {
    let state = state().await?;
    let make = || {
        let (space, deadline) = (state.settings.space(), state.settings.load_deadline);
        let retention_days = state.settings.retention_days;
        let limits = Limits { deadline, retention_days, ..Limits::default() };
        let index = Index::new(Bucket(state), GuestClock, state.ledger(), &space, limits);
        // Lives as long as the instance.
        &*Box::leak(Box::new(index))
    };
    Ok(INDEX.with(|cell| *cell.get_or_init(make)))
}

impl Objects for Bucket {
    async fn put(&self, key: &Key, bytes: Bytes) -> Result<()> {
        self.0.bucket.put(key, bytes).await
    }

    async fn get(&self, key: &Key) -> Result<Option<Bytes>> {
        self.0.bucket.get(key).await
    }

    async fn get_range(&self, key: &Key, start: u64, length: u64) -> Result<Option<Bytes>> {
        self.0.bucket.get_range(key, start, length).await
    }

    async fn list(&self, prefix: &Prefix, after: Option<&str>) -> Result<Page> {
        self.0.bucket.list(prefix, after).await
    }

    async fn delete(&self, key: &Key) -> Result<()> {
        self.0.bucket.delete(key).await
    }

    fn skew(&self) -> Skew {
        self.0.bucket.skew()
    }
}
