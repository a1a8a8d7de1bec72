//! The object store as the index sees it: read only, and the same type whatever is behind it.

use bytes::Bytes;
use futures::future::LocalBoxFuture;
use holdfast_core::clock::Skew;
use holdfast_core::ports::{Objects, Page};
use holdfast_core::{Error, Key, Prefix, Result, Scope, erase};
use holdfast_objects::Bucket;

/// Any [`Bucket`], behind a pointer.
pub(crate) struct AnyBucket(Box<dyn Erased>);

impl AnyBucket {
    pub(crate) fn new(bucket: impl Bucket + 'static) -> Self {
        Self(Box::new(bucket))
    }

    pub(crate) async fn forget(&self, scope: &Scope, erased: erase::Erased) {
        self.0.forget(scope, erased).await;
    }
}

trait Erased {
    fn get<'a>(&'a self, key: &'a Key) -> LocalBoxFuture<'a, Result<Option<Bytes>>>;
    fn get_range<'a>(
        &'a self,
        key: &'a Key,
        start: u64,
        length: u64,
    ) -> LocalBoxFuture<'a, Result<Option<Bytes>>>;
    fn list<'a>(
        &'a self,
        prefix: &'a Prefix,
        after: Option<&'a str>,
    ) -> LocalBoxFuture<'a, Result<Page>>;
    fn skew(&self) -> Skew;
    fn forget<'a>(&'a self, scope: &'a Scope, erased: erase::Erased) -> LocalBoxFuture<'a, ()>;
}

impl<B: Bucket> Erased for B {
    fn get<'a>(&'a self, key: &'a Key) -> LocalBoxFuture<'a, Result<Option<Bytes>>> {
        Box::pin(Objects::get(self, key))
    }

    fn get_range<'a>(
        &'a self,
        key: &'a Key,
        start: u64,
        length: u64,
    ) -> LocalBoxFuture<'a, Result<Option<Bytes>>> {
        Box::pin(Objects::get_range(self, key, start, length))
    }

    fn list<'a>(
        &'a self,
        prefix: &'a Prefix,
        after: Option<&'a str>,
    ) -> LocalBoxFuture<'a, Result<Page>> {
        Box::pin(Objects::list(self, prefix, after))
    }

    fn skew(&self) -> Skew {
        Objects::skew(self)
    }

    fn forget<'a>(&'a self, scope: &'a Scope, erased: erase::Erased) -> LocalBoxFuture<'a, ()> {
        Box::pin(Bucket::forget(self, scope, erased))
    }
}

impl Objects for AnyBucket {
    async fn put(&self, key: &Key, _: Bytes) -> Result<()> {
        Err(read_only(key))
    }

    async fn get(&self, key: &Key) -> Result<Option<Bytes>> {
        self.0.get(key).await
    }

    async fn get_range(&self, key: &Key, start: u64, length: u64) -> Result<Option<Bytes>> {
        self.0.get_range(key, start, length).await
    }

    async fn list(&self, prefix: &Prefix, after: Option<&str>) -> Result<Page> {
        self.0.list(prefix, after).await
    }

    async fn delete(&self, key: &Key) -> Result<()> {
        Err(read_only(key))
    }

    fn skew(&self) -> Skew {
        self.0.skew()
    }
}

fn read_only(key: &Key) -> Error {
    Error::internal(format!("the index only reads and lists, and is not to change {key}"))
}
