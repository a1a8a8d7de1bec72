//! What the crates need from outside, as traits. A guest fills them in `kit`, the host in `host`, tests in memory.
//!
//! The traits are async and not `Send`: a guest has one thread. The host gives each user's state to one thread
//! (`docs/decisions/0001-ports-without-send.md`).
#![allow(async_fn_in_trait, reason = "ports are not Send by design: see the module's doc")]

use crate::clock::Skew;
use crate::erase::Versions;
use crate::{Key, Prefix, Result};
use bytes::Bytes;

/// The object store. Every method retries by its own policy (`crates/objects`) before it answers.
pub trait Objects {
    /// Stores new bytes under a key that nobody else ever writes; repeating with the same bytes is safe.
    ///
    /// `Ok` means durable: the store answered 200 and its ETag is the MD5 of `bytes`. An error of reason
    /// `outcome_unknown` means that the bytes may or may not be there, now or later; any other error means that they
    /// are not and will not be.
    async fn put(&self, key: &Key, bytes: Bytes) -> Result<()>;

    /// Reads a whole object; `None` when there is none. Bytes are checked against the hash in the key's name, where
    /// it has one: a mismatch is `corrupt`.
    async fn get(&self, key: &Key) -> Result<Option<Bytes>>;

    /// Reads `length` bytes from `start` (fewer at the object's end); `None` when there is no such object.
    async fn get_range(&self, key: &Key, start: u64, length: u64) -> Result<Option<Bytes>>;

    /// One page of the keys below `prefix`, in byte order, that come after `after`.
    ///
    /// A list is never taken for complete: see `storage.md`. `next` continues it; `None` ends it.
    async fn list(&self, prefix: &Prefix, after: Option<&str>) -> Result<Page>;

    /// Removes an object; removing one that is not there is not an error.
    async fn delete(&self, key: &Key) -> Result<()>;

    /// What the store's answers say of our clock by now.
    fn skew(&self) -> Skew;

    /// Removes for good what the store keeps, as old versions, of objects below `prefix` that were removed: some a call.
    /// The default is for stores that keep none.
    async fn purge(&self, _prefix: &Prefix) -> Result<Purged> {
        Ok(Purged::default())
    }
}

/// What [`Objects::purge`] left.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Purged {
    /// There is more to remove: call again.
    pub more: bool,
    /// What stays.
    pub versions: Versions,
}

/// One page of a list.
#[derive(Debug, Clone, Default)]
pub struct Page {
    /// The objects, in byte order of their keys.
    pub objects: Vec<Listed>,
    /// `after` of the next page, when there may be one.
    pub next: Option<String>,
}

/// One listed object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// The whole key, as the bucket spells it.
    pub key: String,
    /// Bytes.
    pub size: u64,
    /// Unix milliseconds, by the store's clock.
    pub modified: u64,
}

/// This machine's time.
pub trait Clock {
    /// Unix milliseconds.
    fn now(&self) -> u64;

    /// Waits; only the retry policy, deadlines and deletes use it.
    async fn sleep(&self, milliseconds: u64);
}

/// Fresh names.
pub trait Ids {
    /// 10 random bytes from a secure source.
    fn random(&self) -> [u8; 10];
}

/// What a writer needs from outside.
pub struct Outside<'a, O, C, I> {
    /// The bucket.
    pub objects: &'a O,
    /// The time.
    pub clock: &'a C,
    /// Fresh names.
    pub ids: &'a I,
}

/// Why a text is embedded: passages and queries may be prepared differently, and queries go first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// A stored text.
    Passage,
    /// A question.
    Query,
}

/// Vectors of several texts in one embedding space, flat.
#[derive(Debug, Clone, PartialEq)]
pub struct Vectors {
    /// Id of the embedding space: the whole recipe.
    pub space: String,
    /// Components of one vector.
    pub dimensions: usize,
    /// `dimensions` × texts components, in the order of the texts.
    pub values: Vec<f32>,
}

/// Makes vectors of texts.
pub trait Embedder {
    /// One vector a text. `unavailable` when the model is not there or the deadline passed: the caller goes on
    /// without vectors.
    async fn embed(&self, purpose: Purpose, texts: Vec<String>) -> Result<Vectors>;
}

/// Counts tokens as a model would.
pub trait Tokens {
    /// Tokens of `text`, as the setting `tokenizer` counts them.
    fn count(&self, text: &str) -> usize;
}
