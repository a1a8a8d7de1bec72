//! A store whose immutable objects are kept on this machine.

use super::Cache;
use bytes::Bytes;
use holdfast_core::clock::Skew;
use holdfast_core::erase::Erased;
use holdfast_core::ports::{Objects, Page};
use holdfast_core::{Key, Prefix, Result, Scope};
use holdfast_objects::Bucket;

/// A store behind a [`Cache`]. A read of what is kept costs no request, and may give an object that the bucket has removed:
/// what is shown is decided by tombstones, covers and erasures, never by what is still there. Whoever must know what the
/// bucket itself holds, as compaction, collection and `verify`, asks the store without a cache. Needs a tokio runtime.
#[derive(Debug)]
pub struct Cached<S> {
    store: S,
    cache: Cache,
}

impl<S> Cached<S> {
    /// `store` behind `cache`.
    pub fn new(store: S, cache: Cache) -> Self {
        Self { store, cache }
    }
}

impl<S: Objects> Objects for Cached<S> {
    async fn put(&self, key: &Key, bytes: Bytes) -> Result<()> {
        let drops = self.cache.drops();
        self.store.put(key, bytes.clone()).await?;
        if let Some(place) = self.cache.place(key) {
            self.cache.keep(place, bytes, drops).await;
        }
        Ok(())
    }

    async fn get(&self, key: &Key) -> Result<Option<Bytes>> {
        let Some(place) = self.cache.place(key) else { return self.store.get(key).await };
        let drops = self.cache.drops();
        if let Some(bytes) = self.cache.read(&place).await {
            return Ok(Some(bytes));
        }
        let got = self.store.get(key).await?;
        if let Some(bytes) = &got {
            self.cache.keep(place, bytes.clone(), drops).await;
        }
        Ok(got)
    }

    async fn get_range(&self, key: &Key, start: u64, length: u64) -> Result<Option<Bytes>> {
        let kept = match self.cache.place(key) {
            Some(place) => self.cache.read(&place).await,
            None => None,
        };
        let Some(bytes) = kept else { return self.store.get_range(key, start, length).await };
        let at = |n: u64| usize::try_from(n).unwrap_or(usize::MAX).min(bytes.len());
        Ok(Some(bytes.slice(at(start)..at(start.saturating_add(length)))))
    }

    async fn list(&self, prefix: &Prefix, after: Option<&str>) -> Result<Page> {
        self.store.list(prefix, after).await
    }

    async fn delete(&self, key: &Key) -> Result<()> {
        let done = self.store.delete(key).await;
        if let Some(place) = self.cache.place(key) {
            self.cache.remove(place).await;
        }
        done
    }

    fn skew(&self) -> Skew {
        self.store.skew()
    }
}

impl<S: Bucket> Bucket for Cached<S> {
    async fn forget(&self, scope: &Scope, erased: Erased) {
        self.cache.forget(scope, erased).await;
    }
}
