//! A host's way to the bucket: its clock, its retries as `crates/objects` makes them, the faults of the network, and
//! death or sleep at every call.

use crate::executor::Owner;
use crate::mutants::Mutant;
use crate::plan::SECOND;
use crate::world::World;
use bytes::Bytes;
use holdfast_core::clock::Skew;
use holdfast_core::key::hash32;
use holdfast_core::ports::{Clock, Ids, Objects, Page};
use holdfast_core::{Case, Error, Key, Prefix, Result};
use std::cell::{Cell, RefCell};
use std::collections::HashSet;
use std::rc::Rc;

const TRIES: u64 = 3;

/// What a client of the store is there for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// It serves clients.
    Serves,
    /// It compacts.
    Tends,
    /// It removes what is not needed, or looks whether all is well.
    Collects,
    /// It removes what an erase takes.
    Sweeps,
}

/// One host's client of the store.
pub struct Bucket {
    pub(crate) world: Rc<World>,
    host: usize,
    pub(crate) role: Cell<Role>,
    skew: RefCell<Skew>,
    /// Put, and not read since.
    written: RefCell<HashSet<String>>,
}

/// The store's clock, as far as its answers told it.
pub struct StoreClock<'a>(&'a Bucket);

/// What came of one try.
enum Try<T> {
    Answered(T),
    Refused,
    Silent,
}

impl Bucket {
    /// A client that has seen no answer yet.
    pub fn new(world: Rc<World>, host: usize, role: Role) -> Self {
        let (role, skew, written) = (Cell::new(role), RefCell::default(), RefCell::default());
        Self { world, host, role, skew, written }
    }

    /// The store's clock.
    pub fn clock(&self) -> StoreClock<'_> {
        StoreClock(self)
    }

    /// The host may die, stop or have its clock set here.
    async fn pass(&self) {
        let world = &self.world;
        if world.strikes(world.plan.killed) {
            world.kill(self.host);
            futures::future::pending::<()>().await;
        }
        if world.strikes(world.plan.jump) {
            world.jump(self.host);
        }
        if world.strikes(world.plan.paused) {
            world.pause(self.host);
            // Waits here until the pause is over.
            world.sleep(1).await;
        }
    }

    async fn travel(&self) {
        let most = self.world.plan.latency.min(if self.world.is_calm() { 50 } else { u64::MAX });
        self.world.sleep(self.world.random.skewed(most)).await;
    }

    /// One request: there, what the store does, and back.
    async fn ask<T>(&self, act: impl FnOnce(u64) -> T) -> Try<T> {
        self.pass().await;
        let sent = self.now();
        self.travel().await;
        if self.world.strikes(self.world.plan.refused) {
            return Try::Refused;
        }
        let at = self.world.now();
        let answer = act(at);
        self.travel().await;
        self.pass().await;
        self.skew.borrow_mut().observe(sent, self.now(), at / SECOND * SECOND);
        Try::Answered(answer)
    }

    /// One PUT. The store's part goes on when we die.
    async fn put_once(&self, key: &str, bytes: &Bytes) -> Try<()> {
        let world = &self.world;
        let silent = world.strikes(world.plan.timeout);
        let lost = silent && world.strikes(300_000);
        let mut way = world.random.skewed(world.plan.latency);
        if silent && world.strikes(500_000) {
            way = world.random.skewed(world.plan.late);
        }
        self.pass().await;
        let sent = self.now();
        if world.strikes(world.plan.refused) {
            self.travel().await;
            return Try::Refused;
        }
        if !lost {
            let (world, key, bytes) = (world.clone(), key.to_owned(), bytes.clone());
            world.clone().executor.spawn(Owner::Outside, async move {
                world.sleep(way).await;
                world.land(&key, &bytes);
            });
        }
        if silent {
            world.sleep(2 * world.plan.latency + SECOND).await;
            self.pass().await;
            return Try::Silent;
        }
        world.sleep(way).await;
        // It lands in this millisecond, perhaps after us.
        world.sleep(1).await;
        let at = world.now();
        self.travel().await;
        self.pass().await;
        self.skew.borrow_mut().observe(sent, self.now(), at / SECOND * SECOND);
        Try::Answered(())
    }

    /// One DELETE, of which no answer may come, now or later.
    async fn delete_once(&self, key: &str) -> Try<()> {
        let world = &self.world;
        if !world.strikes(world.plan.timeout) {
            return self.ask(|now| world.store.remove(key, now)).await;
        }
        self.pass().await;
        if world.strikes(700_000) {
            let (late, key) = (world.random.skewed(world.plan.late), key.to_owned());
            let world = world.clone();
            world.clone().executor.spawn(Owner::Outside, async move {
                world.sleep(late).await;
                world.store.remove(&key, world.now());
            });
        }
        world.sleep(2 * world.plan.latency + SECOND).await;
        self.pass().await;
        Try::Silent
    }

    /// Repeats until an answer comes or the tries are used up.
    async fn persist<T>(&self, mut once: impl AsyncFnMut() -> Try<T>) -> Result<T> {
        let mut unknown = false;
        for _ in 0..TRIES {
            match once().await {
                Try::Answered(answer) => return Ok(answer),
                Try::Silent => unknown = true,
                Try::Refused => {}
            }
            self.world.sleep(self.world.random.below(SECOND)).await;
        }
        let reason = if unknown { "outcome_unknown" } else { "store_unavailable" };
        Err(Error::because(Case::Unavailable, reason, "the store does not answer"))
    }

    async fn put_durably(&self, key: &str, bytes: &Bytes) -> Result<()> {
        let outcome = self.persist(async || self.put_once(key, bytes).await).await;
        self.world.trace(|| format!("host {}: PUT {key}: {}", self.host, said(&outcome)));
        outcome
    }
}

impl Objects for Bucket {
    async fn put(&self, key: &Key, bytes: Bytes) -> Result<()> {
        let name = self.world.mutant.stored_name(key.as_str());
        self.written.borrow_mut().insert(key.as_str().to_owned());
        self.world.mutant.note_alias(&self.world, &name, key.as_str());
        self.world.send(key.as_str(), &bytes);
        if self.world.mutant == Mutant::AckBeforePut {
            let (world, host, role) = (self.world.clone(), self.host, self.role.get());
            self.world.executor.spawn(Owner::Host(self.host), async move {
                let _ = Self::new(world, host, role).put_durably(&name, &bytes).await;
            });
            return Ok(());
        }
        match self.put_durably(&name, &bytes).await {
            Err(_) if self.world.mutant == Mutant::SkippedFailedPut => Ok(()),
            outcome => outcome,
        }
    }

    async fn get(&self, key: &Key) -> Result<Option<Bytes>> {
        let world = &self.world;
        let name = world.mutant.found_name(world, self.role.get(), key.as_str());
        let once = async || {
            let got = self.ask(|now| world.store.read(&name, now)).await;
            let cut = world.strikes(world.plan.truncated);
            if cut && matches!(got, Try::Answered(Some(_))) { Try::Refused } else { got }
        };
        let bytes = self.persist(once).await?;
        world.trace(|| format!("host {}: GET {key}: {}", self.host, bytes.is_some()));
        let Some(bytes) = bytes else { return Ok(None) };
        let named = key.hash().filter(|_| world.mutant != Mutant::SharedKey);
        if named.is_some_and(|hash| hash != hash32(&bytes)) {
            return Err(Error::corrupt(format!("{key} does not hold what its name says")));
        }
        // What was just written is read back as it is.
        match self.written.borrow_mut().remove(key.as_str()) {
            true => Ok(Some(bytes)),
            false => Ok(Some(world.mutant.got_bytes(self.role.get(), key, bytes))),
        }
    }

    async fn get_range(&self, key: &Key, start: u64, length: u64) -> Result<Option<Bytes>> {
        let once = async || self.ask(|now| self.world.store.read(key.as_str(), now)).await;
        let bytes = self.persist(once).await?;
        let at = |place: u64, whole: &Bytes| {
            usize::try_from(place).unwrap_or(usize::MAX).min(whole.len())
        };
        Ok(bytes.map(|whole| whole.slice(at(start, &whole)..at(start + length, &whole))))
    }

    async fn list(&self, prefix: &Prefix, after: Option<&str>) -> Result<Page> {
        let world = &self.world;
        let after = world.mutant.list_from(prefix.as_str(), after);
        // Only who serves is asked later what was left out.
        let reader = if self.role.get() == Role::Serves { self.host } else { usize::MAX };
        let from = after.as_deref();
        let list =
            |now| world.mutant.list(world, self.role.get(), (prefix.as_str(), from), now, reader);
        let page = self.persist(async || self.ask(list).await).await?;
        world.trace(|| {
            let after = after.as_deref().unwrap_or("-");
            format!("host {}: LIST {prefix:?} after {after}: {}", self.host, page.objects.len())
        });
        Ok(page)
    }

    async fn delete(&self, key: &Key) -> Result<()> {
        let world = &self.world;
        let name = world.mutant.found_name(world, self.role.get(), key.as_str());
        let outcome = self.persist(async || self.delete_once(&name).await).await;
        world.trace(|| format!("host {}: DELETE {name}: {}", self.host, said(&outcome)));
        world.counts.removed.set(world.counts.removed.get() + 1);
        outcome
    }

    fn skew(&self) -> Skew {
        *self.skew.borrow()
    }
}

impl Clock for StoreClock<'_> {
    fn now(&self) -> u64 {
        self.0.now().saturating_add_signed(self.0.skew().offset().unwrap_or(0))
    }

    async fn sleep(&self, milliseconds: u64) {
        self.0.sleep(milliseconds).await;
    }
}

impl Clock for Bucket {
    fn now(&self) -> u64 {
        self.world.now().saturating_add_signed(self.world.skew(self.host))
    }

    async fn sleep(&self, milliseconds: u64) {
        self.pass().await;
        self.world.sleep(milliseconds).await;
    }
}

impl Ids for Bucket {
    fn random(&self) -> [u8; 10] {
        let mut random = [0; 10];
        let bits = [self.world.random.bits(), self.world.random.bits()];
        let bytes = bits.iter().flat_map(|bits| bits.to_le_bytes());
        random.iter_mut().zip(bytes).for_each(|(to, from)| *to = from);
        random
    }
}

impl World {
    /// Somebody is about to PUT this.
    fn send(&self, key: &str, bytes: &Bytes) {
        let mut checker = self.checker.borrow_mut();
        checker.at(self.now());
        if let Err(broken) = checker.sent(key, bytes) {
            self.fail(broken);
        }
    }

    /// A PUT arrives at the store.
    pub fn land(&self, key: &str, bytes: &Bytes) {
        let now = self.now();
        self.trace(|| format!("store: {key} lands"));
        self.store.apply(key, bytes, now);
        let mut checker = self.checker.borrow_mut();
        checker.at(now);
        checker.landed(key);
    }
}

fn said<T>(outcome: &Result<T>) -> &str {
    match outcome {
        Ok(_) => "ok",
        Err(error) => error.reason,
    }
}
