//! The S3 client against `rclone serve s3`, which checks signatures and ignores conditions, as Wasabi does.
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use bytes::Bytes;
use holdfast_core::{Key, key::hash32, ports::Objects};
use holdfast_objects::Settings;
use holdfast_ports::{Bucket, bucket};
use holdfast_servers::{Rclone, Server, Shared};
use support::run_with;

static SERVER: Shared = Shared::new();

fn run(claim: impl AsyncFnOnce(&Bucket)) {
    run_with(&SERVER.get(Rclone::start), claim);
}

fn refused(change: impl FnOnce(&Server) -> Settings) -> holdfast_core::Error {
    let server = SERVER.get(Rclone::start);
    let changed = change(&server);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        bucket(changed).unwrap().put(&Key::raw("refused/a"), Bytes::new()).await.unwrap_err()
    })
}

holdfast_objects::conformance!(run);

#[test]
fn bytes_that_changed_in_the_store_are_corrupt() {
    let server = SERVER.get(Rclone::start);
    let name = format!("damaged/01ARZ3NDEKTSV4RRFFQ69G5FAV-{}.jsonl", hash32(b"right"));
    run_with(&server, async |objects: &Bucket| {
        objects.put(&Key::raw(&name), Bytes::from_static(b"right")).await.unwrap();
        let file = server.folder().join("data").join(&server.bucket).join(&name);
        std::fs::write(file, "wrong").unwrap();
        let error = objects.get(&Key::raw(&name)).await.unwrap_err();
        assert_eq!(error.reason, "corrupt");
        assert!(error.detail.contains(&name));
    });
}

#[test]
fn a_wrong_secret_is_refused_after_one_request() {
    let server = SERVER.get(Rclone::start);
    let changed = Settings { secret_key: "wrong".to_owned(), ..server.settings() };
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let objects = bucket(changed).unwrap();
        let error = objects.get(&Key::raw("a")).await.unwrap_err();
        assert_eq!((error.reason, objects.stats().requests()), ("store_refused", 1));
    });
}

#[test]
fn a_bucket_that_does_not_exist_is_named() {
    let error = refused(|server| Settings { bucket: "no-such".to_owned(), ..server.settings() });
    assert_eq!(error.reason, "store_refused");
    assert!(error.detail.contains("no-such"), "{error}");
}

#[test]
fn a_store_that_comes_back_is_reached_within_one_call_and_one_that_does_not_is_unavailable() {
    let mut server = Rclone::start();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let objects = bucket(server.settings()).unwrap();
    let put = |text: &'static str| {
        runtime.block_on(objects.put(&Key::raw(text), Bytes::from_static(b"x")))
    };
    put("a").unwrap();
    server.start_again();
    put("b").unwrap();
    server.kill();
    let mut settings = server.settings();
    settings.policy.deadline = 300;
    let error = runtime.block_on(bucket(settings).unwrap().put(&Key::raw("c"), Bytes::new()));
    assert_eq!(error.unwrap_err().reason, "store_unavailable");
}

#[test]
fn the_clock_is_known_after_one_answer() {
    run(async |objects: &Bucket| {
        assert_eq!(objects.skew().offset(), None);
        objects.put(&Key::raw("clock/a"), Bytes::new()).await.unwrap();
        assert_eq!(objects.skew().offset(), Some(0));
        let page = objects.list(&holdfast_core::Prefix::raw("clock/"), None).await.unwrap();
        assert!(page.objects[0].modified.abs_diff(objects.now()) < 60_000);
    });
}

#[test]
fn a_presigned_url_reads_its_object_without_credentials() {
    run(async |objects: &Bucket| {
        let key = Key::raw("signed/a b+c");
        objects.put(&key, Bytes::from_static(b"x")).await.unwrap();
        let url = objects.presigned(&key, 60).unwrap();
        assert_eq!(support::plain_get(&url).await, (200, Bytes::from_static(b"x")));
        let (status, _) = support::plain_get(&url.replace("Signature=", "Signature=0")).await;
        assert_eq!(status, 403);
    });
}

#[test]
fn a_store_is_usable_from_several_threads() {
    fn shared<T: Send + Sync>(_: &T) {}
    run(async |objects: &Bucket| shared(objects));
}
