//! The local cache over a store in memory: what it saves, what it notices, and what it never does.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use bytes::Bytes;
use futures::future::join_all;
use holdfast_core::clock::Skew;
use holdfast_core::erase::{Erased, REACH};
use holdfast_core::ports::Objects;
use holdfast_core::{Hlc, Key, Scope, TenantId, UserId, key};
use holdfast_objects::Memory;
use holdfast_ports::{Cache, CacheStats, Cached};
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tempfile::TempDir;
use ulid::Ulid;

const PLENTY: u64 = 1 << 20;

fn scope(user: &str) -> Scope {
    Scope { tenant: TenantId::parse("t").unwrap(), user: UserId::parse(user).unwrap() }
}

/// Puts an object of so many bytes, not by way of a cache.
async fn object(memory: &Memory, user: &str, number: u128, bytes: usize) -> (Key, Bytes) {
    let seed = u8::try_from(number % 251).unwrap();
    let bytes = Bytes::from(vec![seed; bytes]);
    let key = key::wal_object(&scope(user), Ulid(number), &bytes);
    memory.put(&key, bytes.clone()).await.unwrap();
    (key, bytes)
}

async fn objects(memory: &Memory, user: &str, many: u128, bytes: usize) -> Vec<(Key, Bytes)> {
    join_all((1..=many).map(|number| object(memory, user, number, bytes))).await
}

fn over<'m>(memory: &'m Memory, folder: &Path, most: u64) -> (Cached<MemoryRef<'m>>, Cache) {
    let cache = Cache::open(folder.join("objects"), most);
    (Cached::new(MemoryRef(memory), cache.clone()), cache)
}

/// Several caches over one store.
struct MemoryRef<'m>(&'m Memory);

impl Objects for MemoryRef<'_> {
    async fn put(&self, key: &Key, bytes: Bytes) -> holdfast_core::Result<()> {
        self.0.put(key, bytes).await
    }
    async fn get(&self, key: &Key) -> holdfast_core::Result<Option<Bytes>> {
        self.0.get(key).await
    }
    async fn get_range(
        &self,
        key: &Key,
        from: u64,
        length: u64,
    ) -> holdfast_core::Result<Option<Bytes>> {
        self.0.get_range(key, from, length).await
    }
    async fn list(
        &self,
        prefix: &holdfast_core::Prefix,
        after: Option<&str>,
    ) -> holdfast_core::Result<holdfast_core::ports::Page> {
        self.0.list(prefix, after).await
    }
    async fn delete(&self, key: &Key) -> holdfast_core::Result<()> {
        self.0.delete(key).await
    }

    fn skew(&self) -> Skew {
        self.0.skew()
    }
}

/// Every file below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

fn room(folder: &Path) -> u64 {
    files(folder).iter().map(|file| fs::metadata(file).unwrap().len().next_multiple_of(4096)).sum()
}

/// Once the files from before are counted.
async fn counted(cache: &Cache, files: u64) -> CacheStats {
    loop {
        let stats = cache.stats();
        if stats.files == files {
            return stats;
        }
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn what_was_read_once_costs_no_request_again() {
    let (memory, folder) = (Memory::new(), TempDir::new().unwrap());
    let (store, cache) = over(&memory, folder.path(), PLENTY);
    let (key, bytes) = object(&memory, "ann", 1, 5000).await;
    for _ in 0..3 {
        assert_eq!(store.get(&key).await.unwrap(), Some(bytes.clone()));
    }
    assert_eq!(store.get_range(&key, 10, 20).await.unwrap(), Some(bytes.slice(10..30)));
    assert_eq!(store.get_range(&key, 4990, 20).await.unwrap(), Some(bytes.slice(4990..)));
    assert_eq!(memory.calls().gets, 1);
    let stats = cache.stats();
    assert_eq!((stats.hits, stats.misses, stats.files, stats.bytes), (4, 1, 1, 8192));
}

#[tokio::test]
async fn what_this_host_wrote_by_it_costs_no_request() {
    let (memory, folder) = (Memory::new(), TempDir::new().unwrap());
    let (store, _) = over(&memory, folder.path(), PLENTY);
    let key = key::segment_object(&scope("ann"), Ulid(1), b"x");
    store.put(&key, Bytes::from_static(b"x")).await.unwrap();
    assert_eq!(store.get(&key).await.unwrap().as_deref(), Some(&b"x"[..]));
    assert_eq!(memory.calls().gets, 0);
}

#[tokio::test]
async fn a_restart_costs_no_request() {
    let (memory, folder) = (Memory::new(), TempDir::new().unwrap());
    let all = objects(&memory, "ann", 20, 100).await;
    for (key, _) in &all {
        over(&memory, folder.path(), PLENTY).0.get(key).await.unwrap();
    }
    let before = memory.calls().gets;
    let (store, cache) = over(&memory, folder.path(), PLENTY);
    for (key, bytes) in &all {
        assert_eq!(store.get(key).await.unwrap().as_ref(), Some(bytes));
    }
    assert_eq!((before, memory.calls().gets), (20, 20));
    assert_eq!(counted(&cache, 20).await.bytes, 20 * 4096);
}

#[tokio::test]
async fn a_file_that_is_not_what_was_written_is_noticed_and_read_again() {
    let (memory, folder) = (Memory::new(), TempDir::new().unwrap());
    let (store, cache) = over(&memory, folder.path(), PLENTY);
    let (key, bytes) = object(&memory, "ann", 1, 5000).await;
    let spoil: [fn(&mut Vec<u8>); 4] = [
        |bytes| bytes[4000] ^= 1,
        |bytes| bytes.truncate(4096),
        |bytes| bytes.push(0),
        |bytes| bytes.clear(),
    ];
    for spoil in spoil {
        store.get(&key).await.unwrap();
        let file = files(folder.path()).pop().unwrap();
        let mut damaged = fs::read(&file).unwrap();
        spoil(&mut damaged);
        fs::write(&file, damaged).unwrap();
        assert_eq!(store.get(&key).await.unwrap(), Some(bytes.clone()));
        assert_eq!(fs::read(&file).unwrap(), bytes);
    }
    assert_eq!((cache.stats().damaged, memory.calls().gets), (4, 5));
}

#[tokio::test]
async fn the_bound_is_kept_and_what_was_used_longest_ago_leaves_first() {
    let (memory, folder) = (Memory::new(), TempDir::new().unwrap());
    let (store, cache) = over(&memory, folder.path(), 10 * 4096);
    let all = objects(&memory, "ann", 30, 4000).await;
    for (key, _) in &all {
        store.get(key).await.unwrap();
        store.get(&all[0].0).await.unwrap();
        assert!(room(folder.path()) <= 10 * 4096);
    }
    assert_eq!(cache.stats().files, 10);
    let before = memory.calls().gets;
    for (key, _) in all.iter().rev().take(9).chain(&all[..1]) {
        store.get(key).await.unwrap();
    }
    assert_eq!(memory.calls().gets, before);
    store.get(&all[10].0).await.unwrap();
    assert_eq!(memory.calls().gets, before + 1);
}

#[tokio::test]
async fn an_object_larger_than_the_bound_is_read_and_not_kept() {
    let (memory, folder) = (Memory::new(), TempDir::new().unwrap());
    let (store, _) = over(&memory, folder.path(), 8192);
    let (small, _) = object(&memory, "ann", 1, 10).await;
    let (large, bytes) = object(&memory, "ann", 2, 8193).await;
    store.get(&small).await.unwrap();
    assert_eq!(store.get(&large).await.unwrap(), Some(bytes));
    assert_eq!(files(folder.path()).len(), 1);
}

#[tokio::test]
async fn a_smaller_bound_holds_after_a_restart_for_what_was_used_longest_ago() {
    let (memory, folder) = (Memory::new(), TempDir::new().unwrap());
    let all = objects(&memory, "ann", 8, 100).await;
    let (store, _) = over(&memory, folder.path(), PLENTY);
    for (key, _) in &all {
        store.get(key).await.unwrap();
    }
    for (at, (key, _)) in all.iter().enumerate() {
        let file = files(folder.path())
            .into_iter()
            .find(|file| key.as_str().ends_with(file.file_name().unwrap().to_str().unwrap()));
        let at =
            std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1000 - at as u64);
        fs::File::open(file.unwrap()).unwrap().set_modified(at).unwrap();
    }
    let (store, cache) = over(&memory, folder.path(), 3 * 4096);
    counted(&cache, 3).await;
    assert_eq!(room(folder.path()), 3 * 4096);
    let before = memory.calls().gets;
    for (key, _) in &all[..3] {
        store.get(key).await.unwrap();
    }
    assert_eq!(memory.calls().gets, before);
}

#[tokio::test]
async fn what_a_crash_left_is_removed_at_the_start() {
    let (memory, folder) = (Memory::new(), TempDir::new().unwrap());
    let torn = folder.path().join("objects/.new/torn");
    fs::create_dir_all(torn.parent().unwrap()).unwrap();
    fs::write(&torn, b"half").unwrap();
    let (key, bytes) = object(&memory, "ann", 1, 5000).await;
    let named = folder
        .path()
        .join("objects")
        .join(key.as_str().trim_start_matches("v1/t/").replace("/u/", "/"));
    fs::create_dir_all(named.parent().unwrap()).unwrap();
    fs::write(&named, &bytes[..100]).unwrap();
    let (store, _) = over(&memory, folder.path(), PLENTY);
    assert!(!torn.exists());
    assert_eq!(store.get(&key).await.unwrap(), Some(bytes.clone()));
    assert_eq!(fs::read(&named).unwrap(), bytes);
}

#[tokio::test]
async fn files_are_the_owners_only() {
    let (memory, folder) = (Memory::new(), TempDir::new().unwrap());
    let (store, _) = over(&memory, folder.path(), PLENTY);
    let (key, _) = object(&memory, "ann", 1, 10).await;
    store.get(&key).await.unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let file = files(folder.path()).pop().unwrap();
    assert_eq!(mode(&file), 0o600);
    for above in file.ancestors().skip(1).take_while(|above| *above != folder.path()) {
        assert_eq!(mode(above), 0o700, "{above:?}");
    }
}

#[tokio::test]
async fn a_forgotten_user_is_gone_from_the_disk_and_nobody_else_is() {
    let (memory, folder) = (Memory::new(), TempDir::new().unwrap());
    let (store, cache) = over(&memory, folder.path(), PLENTY);
    let (ann, _) = object(&memory, "ann", 1, 10).await;
    let (anna, _) = object(&memory, "anna", 2, 10).await;
    for key in [&ann, &anna] {
        store.get(key).await.unwrap();
    }
    cache.forget(&scope("ann"), Erased::default()).await;
    cache.forget(&scope("nobody"), Erased::default()).await;
    assert_eq!((files(folder.path()).len(), cache.stats().files), (1, 1));
    store.get(&anna).await.unwrap();
    assert_eq!(memory.calls().gets, 2);
    store.get(&ann).await.unwrap();
    assert_eq!(memory.calls().gets, 3);
}

#[tokio::test]
async fn users_of_before_a_restart_are_known_and_those_that_are_only_a_hash_are_forgotten_together()
{
    let (memory, folder) = (Memory::new(), TempDir::new().unwrap());
    let (store, _) = over(&memory, folder.path(), PLENTY);
    let long = "é".repeat(70);
    for (user, number) in [("ann", 1), (long.as_str(), 2)] {
        store.get(&object(&memory, user, number, 10).await.0).await.unwrap();
    }
    let (_, cache) = over(&memory, folder.path(), PLENTY);
    let known = BTreeMap::from([(scope("ann").tenant, vec![scope("ann")])]);
    assert_eq!(cache.users().await, known);
    cache.forget_hashed(&TenantId::parse("other").unwrap()).await;
    assert_eq!(files(folder.path()).len(), 2);
    cache.forget_hashed(&scope("ann").tenant).await;
    assert_eq!(files(folder.path()).len(), 1);
    assert_eq!(cache.users().await, known);
}

#[tokio::test]
async fn what_an_erase_may_take_is_not_kept_again_and_what_came_after_it_is() {
    const ERASED: u64 = 1_774_000_000_000;
    let (memory, folder) = (Memory::new(), TempDir::new().unwrap());
    let (store, cache) = over(&memory, folder.path(), PLENTY);
    let at = |milliseconds| Ulid::from_parts(milliseconds, 1).0;
    let (before, _) = object(&memory, "ann", at(ERASED + REACH - 1), 10).await;
    let (other, _) = object(&memory, "anna", at(ERASED), 10).await;
    let (after, _) = object(&memory, "ann", at(ERASED + REACH), 10).await;
    cache.forget(&scope("ann"), Erased::by(Hlc::at(ERASED))).await;
    cache.forget(&scope("ann"), Erased::by(Hlc::at(1))).await;
    for key in [&before, &other, &after] {
        store.get(key).await.unwrap();
    }
    assert_eq!((files(folder.path()).len(), cache.stats().files), (2, 2));
    for (key, reads) in [(&other, 3), (&after, 3), (&before, 4)] {
        store.get(key).await.unwrap();
        assert_eq!(memory.calls().gets, reads);
    }
}

/// A store that forgets a user between the bucket's answer and the reader.
struct Forgetting<'m>(&'m Memory, Cache);

impl Objects for Forgetting<'_> {
    async fn put(&self, key: &Key, bytes: Bytes) -> holdfast_core::Result<()> {
        self.0.put(key, bytes).await
    }
    async fn get(&self, key: &Key) -> holdfast_core::Result<Option<Bytes>> {
        let got = self.0.get(key).await;
        self.1.forget(&scope("ann"), Erased::default()).await;
        got
    }
    async fn get_range(
        &self,
        key: &Key,
        from: u64,
        length: u64,
    ) -> holdfast_core::Result<Option<Bytes>> {
        self.0.get_range(key, from, length).await
    }
    async fn list(
        &self,
        prefix: &holdfast_core::Prefix,
        after: Option<&str>,
    ) -> holdfast_core::Result<holdfast_core::ports::Page> {
        self.0.list(prefix, after).await
    }
    async fn delete(&self, key: &Key) -> holdfast_core::Result<()> {
        self.0.delete(key).await
    }

    fn skew(&self) -> Skew {
        self.0.skew()
    }
}

#[tokio::test]
async fn a_read_that_is_under_way_brings_nothing_of_a_forgotten_user_back() {
    let (memory, folder) = (Memory::new(), TempDir::new().unwrap());
    let cache = Cache::open(folder.path().join("objects"), PLENTY);
    let store = Cached::new(Forgetting(&memory, cache.clone()), cache);
    let (key, bytes) = object(&memory, "ann", 1, 10).await;
    assert_eq!(store.get(&key).await.unwrap(), Some(bytes));
    assert!(files(folder.path()).is_empty());
}

#[tokio::test]
async fn what_the_bucket_removed_is_still_read_until_it_is_deleted_here() {
    let (memory, folder) = (Memory::new(), TempDir::new().unwrap());
    let (store, cache) = over(&memory, folder.path(), PLENTY);
    let (key, bytes) = object(&memory, "ann", 1, 10).await;
    store.get(&key).await.unwrap();
    memory.delete(&key).await.unwrap();
    assert_eq!(store.get(&key).await.unwrap(), Some(bytes));
    store.delete(&key).await.unwrap();
    assert_eq!(store.get(&key).await.unwrap(), None);
    assert_eq!((cache.stats().files, files(folder.path()).len()), (0, 0));
}

#[tokio::test]
async fn a_disk_that_cannot_be_written_is_no_error() {
    let (memory, folder) = (Memory::new(), TempDir::new().unwrap());
    // A file where the folder should be: nothing can be made below it, whoever runs the test.
    fs::write(folder.path().join("objects"), b"").unwrap();
    let (store, cache) = over(&memory, folder.path(), PLENTY);
    let (key, bytes) = object(&memory, "ann", 1, 10).await;
    for _ in 0..2 {
        assert_eq!(store.get(&key).await.unwrap(), Some(bytes.clone()));
    }
    cache.forget(&scope("ann"), Erased::default()).await;
    store.delete(&key).await.unwrap();
    assert_eq!((memory.calls().gets, cache.stats().files), (2, 0));
}

#[tokio::test]
async fn the_folder_may_be_removed_at_any_time() {
    let (memory, folder) = (Memory::new(), TempDir::new().unwrap());
    let (store, cache) = over(&memory, folder.path(), PLENTY);
    let (key, bytes) = object(&memory, "ann", 1, 10).await;
    store.get(&key).await.unwrap();
    fs::remove_dir_all(folder.path().join("objects")).unwrap();
    for _ in 0..2 {
        assert_eq!(store.get(&key).await.unwrap(), Some(bytes.clone()));
    }
    assert_eq!((memory.calls().gets, cache.stats().files), (2, 1));
}

#[tokio::test]
async fn with_no_room_nothing_is_kept_and_what_was_is_removed() {
    let (memory, folder) = (Memory::new(), TempDir::new().unwrap());
    let (key, _) = object(&memory, "ann", 1, 10).await;
    over(&memory, folder.path(), PLENTY).0.get(&key).await.unwrap();
    assert_eq!(files(folder.path()).len(), 1);
    let (store, _) = over(&memory, folder.path(), 0);
    store.get(&key).await.unwrap();
    assert!(!folder.path().join("objects").exists());
    assert_eq!(memory.calls().gets, 2);
}

#[tokio::test]
async fn a_store_that_cannot_be_reached_is_still_an_error_and_what_is_not_there_is_not_kept() {
    let (memory, folder) = (Memory::new(), TempDir::new().unwrap());
    let (store, _) = over(&memory, folder.path(), PLENTY);
    let (key, bytes) = object(&memory, "ann", 1, 10).await;
    memory.delete(&key).await.unwrap();
    assert_eq!(store.get(&key).await.unwrap(), None);
    memory.set_unreachable(true);
    assert_eq!(store.get(&key).await.unwrap_err().reason, "store_unavailable");
    memory.set_unreachable(false);
    memory.put(&key, bytes.clone()).await.unwrap();
    assert_eq!(store.get(&key).await.unwrap(), Some(bytes));
}

#[test]
fn threads_that_share_a_cache_read_what_is_right_within_the_bound() {
    let (memory, folder) = (Memory::new(), TempDir::new().unwrap());
    let all = futures::executor::block_on(objects(&memory, "ann", 40, 3000));
    let cache = Cache::open(folder.path().join("objects"), 25 * 4096);
    let (memory, all) = (Arc::new(memory), Arc::new(all));
    std::thread::scope(|threads| {
        for thread in 0..4_usize {
            let (memory, all, cache) = (memory.clone(), all.clone(), cache.clone());
            threads.spawn(move || {
                let store = Cached::new(MemoryRef(&memory), cache.clone());
                let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
                runtime.block_on(async {
                    for round in 0..10 {
                        let gets = (0..all.len())
                            .map(|at| store.get(&all[(at + thread * round) % all.len()].0));
                        let got = join_all(gets).await;
                        for (at, got) in got.into_iter().enumerate() {
                            assert_eq!(
                                got.unwrap().unwrap(),
                                all[(at + thread * round) % all.len()].1
                            );
                        }
                        if round == 5 && thread == 0 {
                            cache.forget(&scope("ann"), Erased::default()).await;
                        }
                    }
                });
            });
        }
    });
    assert!(room(folder.path()) <= 25 * 4096);
    assert_eq!(cache.stats().bytes, room(folder.path()));
    assert_eq!(cache.stats().damaged, 0);
}
