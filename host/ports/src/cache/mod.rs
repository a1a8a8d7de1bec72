//! Immutable objects of the bucket, kept in files of this machine, so that a restart costs no egress.
//!
//! What is kept names its own hash, is checked against it at every read, and never changes: nothing can grow stale, so nothing
//! is asked of the bucket. A file appears under its name whole (written beside, then renamed), is readable by the owner only,
//! and lies in a folder of its user, who can be [forgotten](Cache::forget). Nothing is synced: what a crash tore is noticed
//! by its hash. A disk that is full or cannot be written means no cache, never an error.

mod cached;
mod disk;
mod uses;

pub use cached::Cached;

use crate::SystemClock;
use bytes::Bytes;
use disk::Place;
use holdfast_core::erase::Erased;
use holdfast_core::ports::Clock;
use holdfast_core::{Key, Scope, TenantId, key};
use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use uses::Uses;

/// A folder of objects, shared by whoever has a clone. Its work is done on tokio's threads for blocking work.
#[derive(Debug, Clone)]
pub struct Cache(Arc<Shared>);

/// What a cache did and holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CacheStats {
    /// Reads that cost no request.
    pub hits: u64,
    /// Reads of what was not there.
    pub misses: u64,
    /// Files that were not what was written, and are gone.
    pub damaged: u64,
    /// Files.
    pub files: u64,
    /// Room on the disk that they take.
    pub bytes: u64,
}

#[derive(Debug)]
struct Shared {
    root: PathBuf,
    most: u64,
    /// What changes files that have their name holds it.
    uses: Mutex<Uses>,
    /// So often something was dropped on purpose: what was read from the bucket before is not kept then.
    drops: AtomicU64,
    hits: AtomicU64,
    misses: AtomicU64,
    damaged: AtomicU64,
    /// The disk did not take the last one.
    failing: AtomicBool,
}

impl Cache {
    /// A cache of at most `most` bytes below the folder `root`, which is made when it is missing. What is there from before
    /// is counted in the background, and used at once. With 0 bytes nothing is kept, and what is there is removed.
    pub fn open(root: impl Into<PathBuf>, most: u64) -> Self {
        let shared = Arc::new(Shared {
            root: root.into(),
            most,
            uses: Mutex::new(Uses::counting()),
            drops: AtomicU64::new(0),
            hits: AtomicU64::new(0),
            misses: AtomicU64::new(0),
            damaged: AtomicU64::new(0),
            failing: AtomicBool::new(false),
        });
        shared.report(disk::prepare(&shared.root, most > 0));
        let counted = shared.clone();
        let thread = std::thread::Builder::new().name("holdfast-cache".to_owned());
        let counting = thread.spawn(move || counted.count());
        if counting.is_err() {
            shared.uses().counted();
        }
        shared.report(counting.map(drop));
        Self(shared)
    }

    /// Drops all that is kept of a user: called when the user is erased. What is being read from the bucket meanwhile is not
    /// kept either, nor is from now on what the erase may take: it can be read until a sweep has removed it.
    pub async fn forget(&self, scope: &Scope, erased: Erased) {
        let Some(folder) = disk::folder(scope) else { return };
        self.apart(move |shared| shared.forget(&folder, erased)).await;
    }

    /// Drops all that is kept of a tenant's users whose folders do not tell who they are: somebody was erased, and it may have
    /// been one of them.
    pub async fn forget_hashed(&self, tenant: &TenantId) {
        let tenant = tenant.as_str().to_owned();
        let hashed = move |shared: &Shared| {
            for (of, user) in disk::folders(&shared.root) {
                if of == tenant && key::user_of(&user).is_none() {
                    shared.forget(&format!("{of}/{user}/"), Erased::default());
                }
            }
        };
        self.apart(hashed).await;
    }

    /// Users of whom something is kept, also of before a restart, by their tenants; but not those whose folders do not tell who
    /// they are: of these the tenant alone.
    pub async fn users(&self) -> BTreeMap<TenantId, Vec<Scope>> {
        let folders = self.apart(|shared| disk::folders(&shared.root)).await.unwrap_or_default();
        let mut users: BTreeMap<TenantId, Vec<Scope>> = BTreeMap::new();
        for (tenant, user) in folders {
            let Ok(tenant) = TenantId::parse(&tenant) else { continue };
            let scope = key::user_of(&user).map(|user| Scope { tenant: tenant.clone(), user });
            users.entry(tenant).or_default().extend(scope);
        }
        users
    }

    /// What it did and holds.
    pub fn stats(&self) -> CacheStats {
        let (files, bytes) = {
            let uses = self.0.uses();
            (uses.files() as u64, uses.bytes())
        };
        let count = |counter: &AtomicU64| counter.load(SeqCst);
        let Shared { hits, misses, damaged, .. } = &*self.0;
        let (hits, misses, damaged) = (count(hits), count(misses), count(damaged));
        CacheStats { hits, misses, damaged, files, bytes }
    }

    /// Where an object would lie; none when it is none that is kept.
    fn place(&self, key: &Key) -> Option<Place> {
        if self.0.most > 0 { Place::of(key) } else { None }
    }

    fn drops(&self) -> u64 {
        self.0.drops.load(SeqCst)
    }

    async fn read(&self, place: &Place) -> Option<Bytes> {
        let place = place.clone();
        self.apart(move |shared| shared.read(&place)).await.flatten()
    }

    /// Keeps what was read, unless something was dropped since there were so many `drops`.
    async fn keep(&self, place: Place, bytes: Bytes, drops: u64) {
        self.apart(move |shared| shared.report(shared.keep(&place, &bytes, drops))).await;
    }

    async fn remove(&self, place: Place) {
        self.apart(move |shared| shared.remove(&place)).await;
    }

    /// None when the runtime is ending.
    async fn apart<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Shared) -> T + Send + 'static,
    ) -> Option<T> {
        let shared = self.0.clone();
        tokio::task::spawn_blocking(move || work(&shared)).await.ok()
    }
}

impl Shared {
    fn uses(&self) -> MutexGuard<'_, Uses> {
        self.uses.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn read(&self, place: &Place) -> Option<Bytes> {
        let now = SystemClock.now();
        match disk::read(&self.root, place, now) {
            Ok(bytes) => {
                let mut uses = self.uses();
                // It may have left meanwhile.
                if uses.has(place.name()) || disk::is_there(&self.root, place.name()) {
                    uses.used(place.name(), bytes.len() as u64, now);
                }
                self.hits.fetch_add(1, SeqCst);
                return Some(Bytes::from(bytes));
            }
            Err(error) if error.kind() == io::ErrorKind::InvalidData => self.damaged(place),
            Err(error) if error.kind() != io::ErrorKind::NotFound => self.report(Err(error)),
            Err(_) => {
                let mut uses = self.uses();
                // Somebody removed it.
                if uses.has(place.name()) && !disk::is_there(&self.root, place.name()) {
                    uses.gone(place.name());
                }
            }
        }
        self.misses.fetch_add(1, SeqCst);
        None
    }

    fn damaged(&self, place: &Place) {
        self.damaged.fetch_add(1, SeqCst);
        tracing::warn!(file = place.name(), "a kept object is not what was written: read again");
        let mut uses = self.uses();
        uses.gone(place.name());
        disk::remove(&self.root, place.name());
    }

    fn keep(&self, place: &Place, bytes: &[u8], drops: u64) -> io::Result<()> {
        let room = bytes.len() as u64;
        if Uses::room(room) > self.most {
            return Ok(());
        }
        let file = disk::write(&self.root, bytes)?;
        let mut uses = self.uses();
        let erased = uses.erased(place.folder());
        if self.drops.load(SeqCst) != drops || erased.may_lack(place.key()) {
            return Ok(());
        }
        disk::publish(&self.root, place, file)?;
        uses.used(place.name(), room, SystemClock.now());
        self.shrink(&mut uses);
        Ok(())
    }

    fn shrink(&self, uses: &mut Uses) {
        while let Some(name) = uses.leaves(self.most) {
            disk::remove(&self.root, &name);
        }
    }

    fn remove(&self, place: &Place) {
        let mut uses = self.uses();
        self.drops.fetch_add(1, SeqCst);
        uses.gone(place.name());
        disk::remove(&self.root, place.name());
    }

    fn forget(&self, folder: &str, erased: Erased) {
        let set_aside = {
            let mut uses = self.uses();
            self.drops.fetch_add(1, SeqCst);
            uses.erase(folder, erased);
            disk::set_aside(&self.root, folder)
        };
        self.report(set_aside.and_then(disk::remove_aside));
    }

    /// Counts what is there from before.
    fn count(&self) {
        if self.most == 0 {
            return self.uses().counted();
        }
        loop {
            let drops = self.drops.load(SeqCst);
            let found = disk::walk(&self.root);
            let mut uses = self.uses();
            // Some of it may be gone by now.
            if self.drops.load(SeqCst) != drops {
                continue;
            }
            for file in found {
                uses.met(&file.name, file.bytes, file.used);
            }
            uses.counted();
            return self.shrink(&mut uses);
        }
    }

    /// Says once that the disk does not do what it should.
    fn report(&self, done: io::Result<()>) {
        match done {
            Ok(()) => self.failing.store(false, SeqCst),
            Err(error) if !self.failing.swap(true, SeqCst) => {
                let folder = self.root.display();
                tracing::warn!(%folder, %error, "objects cannot be kept here: the bucket is read instead");
            }
            Err(_) => {}
        }
    }
}
