//! The S3 client against SeaweedFS.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

mod support;

use bytes::Bytes;
use holdfast_core::erase::Versions;
use holdfast_core::{Key, Prefix, Scope, TenantId, UserId, key, ports::Objects};
use holdfast_objects::Settings;
use holdfast_ports::{Bucket, bucket};
use holdfast_servers::{SeaweedFs, Shared};
use support::run_with;
use support::versions::{count, lock, versioned};
use ulid::Ulid;

static SERVER: Shared = Shared::new();

fn run(claim: impl AsyncFnOnce(&Bucket)) {
    run_with(&SERVER.get(SeaweedFs::start), claim);
}

holdfast_objects::conformance!(run);

#[test]
fn a_wrong_secret_and_an_unknown_key_are_refused_after_one_request() {
    let server = SERVER.get(SeaweedFs::start);
    let wrong = Settings { secret_key: "wrong".to_owned(), ..server.settings() };
    let unknown = Settings { access_key: "UNKNOWN".to_owned(), ..server.settings() };
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        for changed in [wrong, unknown] {
            let objects = bucket(changed).unwrap();
            let error = objects.get(&Key::raw("a")).await.unwrap_err();
            assert_eq!((error.reason, objects.stats().requests()), ("store_refused", 1));
        }
    });
}

#[test]
fn a_key_with_two_slashes_round_trips() {
    run(async |objects: &Bucket| {
        let key = Key::raw("slashes//a");
        objects.put(&key, Bytes::from_static(b"x")).await.unwrap();
        assert_eq!(objects.get(&key).await.unwrap().unwrap(), "x");
    });
}

#[test]
fn a_store_whose_etag_is_not_the_md5_is_verified_by_reading_back() {
    let server = SERVER.get(SeaweedFs::start);
    let settings = Settings { etag_is_not_md5: true, ..server.settings() };
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let objects = bucket(settings).unwrap();
        objects.put(&Key::raw("back/a"), Bytes::from_static(b"x")).await.unwrap();
        assert_eq!((objects.stats().puts, objects.stats().gets), (1, 1));
    });
}

/// Calls until nothing more is to be removed; says what stays.
async fn purge(objects: &Bucket, prefix: &Prefix) -> Versions {
    loop {
        let purged = objects.purge(prefix).await.unwrap();
        if !purged.more {
            return purged.versions;
        }
    }
}

fn user(name: &str) -> (Prefix, Vec<Key>) {
    let tenant = TenantId::parse("acme").unwrap();
    let scope = Scope { tenant, user: UserId::parse(name).unwrap() };
    let key = |n| key::wal_object(&scope, Ulid::from_parts(1_774_000_000_000, n), b"x");
    (key::user(&scope), (1..4).map(key).collect())
}

async fn written_and_removed(objects: &Bucket, keys: &[Key]) {
    for key in keys {
        objects.put(key, Bytes::from_static(b"x")).await.unwrap();
        objects.delete(key).await.unwrap();
    }
}

#[test]
fn what_a_bucket_with_versions_keeps_of_removed_objects_goes_and_nothing_else() {
    let server = SERVER.get(SeaweedFs::start);
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let settings = versioned(&server, "versioned", false).await;
        let objects = bucket(settings.clone()).unwrap();
        let (ann, mut keys) = user("ann");
        let (anna, others) = user("anna");
        let stays = keys.pop().unwrap();
        written_and_removed(&objects, &keys).await;
        written_and_removed(&objects, &others).await;
        // Stored twice: the same bytes, two versions.
        objects.put(&stays, Bytes::from_static(b"x")).await.unwrap();
        objects.put(&stays, Bytes::from_static(b"x")).await.unwrap();
        assert_eq!(count(&settings, ann.as_str()).await, (4, 2));
        assert_eq!(purge(&objects, &ann).await, Versions::None);
        assert_eq!(count(&settings, ann.as_str()).await, (1, 0));
        assert_eq!(objects.get(&stays).await.unwrap().unwrap(), "x");
        assert_eq!(objects.get(&keys[0]).await.unwrap(), None);
        assert_eq!(count(&settings, anna.as_str()).await, (3, 3));
    });
}

#[test]
fn versions_that_are_locked_stay_and_it_is_told_how_many_and_until_when() {
    let server = SERVER.get(SeaweedFs::start);
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let settings = versioned(&server, "locked", true).await;
        let objects = bucket(settings.clone()).unwrap();
        let (ann, keys) = user("ann");
        objects.put(&keys[0], Bytes::from_static(b"x")).await.unwrap();
        lock(&settings, keys[0].as_str()).await;
        objects.delete(&keys[0]).await.unwrap();
        written_and_removed(&objects, &keys[1..]).await;
        let kept = purge(&objects, &ann).await;
        let Versions::Kept { count: 1, until: Some(until) } = kept else { panic!("{kept:?}") };
        let left = until.abs_diff(objects.now());
        assert!((3_500_000..3_700_000).contains(&left), "{left}");
        // Its mark stays too: without it the object would be back.
        assert_eq!(count(&settings, ann.as_str()).await, (1, 1));
        assert_eq!(objects.get(&keys[0]).await.unwrap(), None);
    });
}
