//! The bucket until a deadline.

use super::Portable;
use crate::Source;
use bytes::Bytes;
use holdfast_core::clock::Skew;
use holdfast_core::ports::{Clock, Objects, Page};
use holdfast_core::{Case, Error, Key, Prefix, Result};

/// The bucket until a deadline.
pub(super) struct Until<'a, B, C> {
    pub index: &'a Portable<B, C>,
    pub end: u64,
}

impl<B: Objects, C: Clock> Until<'_, B, C> {
    pub fn check(&self) -> Result<()> {
        if self.index.clock.now() < self.end {
            return Ok(());
        }
        let detail = "the index is loading this user: try again";
        Err(Error::because(Case::Unavailable, "index_loading", detail).retry_after(2))
    }
}

impl<B: Objects, C: Clock> Source for Until<'_, B, C> {
    fn now(&self) -> u64 {
        self.index.now()
    }

    async fn turn(&self) -> Result<()> {
        self.check()
    }
}

impl<B: Objects, C: Clock> Objects for Until<'_, B, C> {
    async fn put(&self, key: &Key, bytes: Bytes) -> Result<()> {
        self.index.bucket.put(key, bytes).await
    }

    async fn get(&self, key: &Key) -> Result<Option<Bytes>> {
        self.index.bucket.get(key).await
    }

    async fn get_range(&self, key: &Key, start: u64, length: u64) -> Result<Option<Bytes>> {
        self.index.bucket.get_range(key, start, length).await
    }

    async fn list(&self, prefix: &Prefix, after: Option<&str>) -> Result<Page> {
        self.index.bucket.list(prefix, after).await
    }

    async fn delete(&self, key: &Key) -> Result<()> {
        self.index.bucket.delete(key).await
    }

    fn skew(&self) -> Skew {
        self.index.bucket.skew()
    }
}
