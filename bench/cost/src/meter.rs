//! A store in memory with a clock and names of its own, which keeps the bill.

use crate::bill::{Bill, LEAST};
use bytes::Bytes;
use holdfast_core::clock::Skew;
use holdfast_core::ports::{Clock, Ids, Objects, Outside, Page};
use holdfast_core::{Key, Prefix, Result};
use holdfast_objects::Memory;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use std::cell::{Cell, RefCell};
use std::collections::HashMap;

/// Everything outside a journal, counted.
pub(crate) struct Meter {
    memory: Memory,
    now: Cell<u64>,
    names: RefCell<StdRng>,
    sizes: RefCell<HashMap<String, u64>>,
    bill: Cell<Bill>,
}

impl Meter {
    /// An empty store; the clock stands at `now`.
    pub(crate) fn new(now: u64, seed: u64) -> Self {
        let meter = Self {
            memory: Memory::new(),
            now: Cell::new(now),
            names: RefCell::new(StdRng::seed_from_u64(seed)),
            sizes: RefCell::default(),
            bill: Cell::default(),
        };
        meter.set(now);
        meter
    }

    /// Sets the clock, and the store's.
    pub(crate) fn set(&self, now: u64) {
        self.now.set(now);
        self.memory.set_now(now);
    }

    pub(crate) fn outside(&self) -> Outside<'_, Self, Self, Self> {
        Outside { objects: self, clock: self, ids: self }
    }

    /// The bill so far; what stays is what is there now.
    pub(crate) fn bill(&self) -> Bill {
        let calls = self.memory.calls();
        let kept = self.sizes.borrow().values().sum();
        Bill {
            puts: calls.puts,
            gets: calls.gets,
            lists: calls.lists,
            deletes: calls.deletes,
            kept,
            ..self.bill.get()
        }
    }

    fn count(&self, change: impl FnOnce(&mut Bill)) {
        let mut bill = self.bill.get();
        change(&mut bill);
        self.bill.set(bill);
    }

    fn read(&self, bytes: Option<Bytes>) -> Option<Bytes> {
        let size = bytes.as_ref().map_or(0, Bytes::len) as u64;
        self.count(|bill| bill.read += size);
        bytes
    }
}

impl Objects for Meter {
    async fn put(&self, key: &Key, bytes: Bytes) -> Result<()> {
        let billed = (bytes.len() as u64).max(LEAST);
        self.memory.put(key, bytes).await?;
        self.sizes.borrow_mut().insert(key.as_str().to_owned(), billed);
        self.count(|bill| bill.written += billed);
        Ok(())
    }

    async fn get(&self, key: &Key) -> Result<Option<Bytes>> {
        Ok(self.read(self.memory.get(key).await?))
    }

    async fn get_range(&self, key: &Key, start: u64, length: u64) -> Result<Option<Bytes>> {
        Ok(self.read(self.memory.get_range(key, start, length).await?))
    }

    async fn list(&self, prefix: &Prefix, after: Option<&str>) -> Result<Page> {
        self.memory.list(prefix, after).await
    }

    async fn delete(&self, key: &Key) -> Result<()> {
        self.memory.delete(key).await?;
        let billed = self.sizes.borrow_mut().remove(key.as_str()).unwrap_or(0);
        self.count(|bill| bill.removed += billed);
        Ok(())
    }

    fn skew(&self) -> Skew {
        self.memory.skew()
    }
}

impl Clock for Meter {
    fn now(&self) -> u64 {
        self.now.get()
    }

    async fn sleep(&self, milliseconds: u64) {
        self.set(self.now.get() + milliseconds);
    }
}

impl Ids for Meter {
    fn random(&self) -> [u8; 10] {
        self.names.borrow_mut().random()
    }
}
