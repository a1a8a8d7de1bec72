//! The S3 client against SeaweedFS.
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use bytes::Bytes;
use holdfast_core::{Key, ports::Objects};
use holdfast_objects::Settings;
use holdfast_ports::{Bucket, bucket};
use holdfast_servers::{SeaweedFs, Shared};
use support::{run_with, settings};

static SERVER: Shared = Shared::new();

fn run(claim: impl AsyncFnOnce(&Bucket)) {
    run_with(&SERVER.get(SeaweedFs::start), claim);
}

holdfast_objects::conformance!(run);

#[test]
fn a_wrong_secret_and_an_unknown_key_are_refused_after_one_request() {
    let server = SERVER.get(SeaweedFs::start);
    let wrong = Settings { secret_key: "wrong".to_owned(), ..settings(&server) };
    let unknown = Settings { access_key: "UNKNOWN".to_owned(), ..settings(&server) };
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
    let settings = Settings { etag_is_not_md5: true, ..settings(&server) };
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let objects = bucket(settings).unwrap();
        objects.put(&Key::raw("back/a"), Bytes::from_static(b"x")).await.unwrap();
        assert_eq!((objects.stats().puts, objects.stats().gets), (1, 1));
    });
}
