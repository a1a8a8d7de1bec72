//! Bodies, metadata and signatures are what the sender said, and objects read back as stored.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod common;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use common::{ACCESS_KEY, Client, Numbers, object, settings, start};
use s3s::crypto::{Checksum as _, Crc32, Md5};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

#[tokio::test]
async fn the_etag_is_the_md5_and_metadata_comes_back_also_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let (running, client) = start(folder.path()).await;
    let headers = [
        ("content-type", "application/jsonl"),
        ("cache-control", "no-store"),
        ("x-amz-meta-holdfast-kind", "wal"),
    ];
    let stored = client.put_with("key", &headers, "text").await;
    let etag = format!("\"{}\"", hex::encode(Md5::checksum(b"text")));
    assert_eq!(stored.header("etag"), Some(etag.as_str()));
    let listed = client.list("").await;
    running.shutdown().await;
    let (running, client) = start(folder.path()).await;
    for method in ["GET", "HEAD"] {
        let answer = client.send(method, "/holdfast/key", &[], Bytes::new()).await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("etag"), Some(etag.as_str()));
        assert_eq!(answer.header("content-length"), Some("4"));
        for (name, value) in headers {
            assert_eq!(answer.header(name), Some(value), "{method}");
        }
    }
    let relisted = client.list("").await;
    assert_eq!(relisted.body, listed.body);
    running.shutdown().await;
}

#[tokio::test]
async fn every_answer_carries_a_date_errors_too() {
    let folder = tempfile::tempdir().unwrap();
    let (running, client) = start(folder.path()).await;
    for answer in [client.put("key", "x").await, client.get("none").await, client.list("").await] {
        assert!(answer.header("date").is_some_and(|date| date.ends_with("GMT")));
    }
    running.shutdown().await;
}

#[tokio::test]
async fn a_body_that_is_not_what_was_announced_is_refused_and_not_stored() {
    let folder = tempfile::tempdir().unwrap();
    let (running, client) = start(folder.path()).await;
    let md5 = STANDARD.encode(Md5::checksum(b"other"));
    let crc32 = STANDARD.encode(Crc32::checksum(b"other"));
    for (name, value, code) in [
        ("content-md5", md5.as_str(), "BadDigest"),
        ("content-md5", "bm9uZQ==", "InvalidDigest"),
        ("x-amz-checksum-crc32", crc32.as_str(), "BadDigest"),
    ] {
        let answer = client.put_with("key", &[(name, value)], "text").await;
        assert_eq!((answer.status, answer.error_code()), (400, code), "{name}");
    }
    let (signed, sent) = (Bytes::from("text"), Bytes::from("TEXT"));
    let answer = client.try_send("PUT", &object("key"), &[], signed, sent).await.unwrap();
    assert_eq!((answer.status, answer.error_code()), (400, "XAmzContentSHA256Mismatch"));
    assert_eq!(client.get("key").await.status, 404);
    let right = [
        ("content-md5", STANDARD.encode(Md5::checksum(b"text"))),
        ("x-amz-checksum-crc32", STANDARD.encode(Crc32::checksum(b"text"))),
    ];
    let right = right.each_ref().map(|(name, value)| (*name, value.as_str()));
    assert_eq!(client.put_with("key", &right, "text").await.status, 200);
    running.shutdown().await;
}

#[tokio::test]
async fn wrong_keys_are_refused_by_code() {
    let folder = tempfile::tempdir().unwrap();
    let (running, _) = start(folder.path()).await;
    let stranger = Client::with_keys(running.address(), "stranger", "secret");
    let answer = stranger.put("key", "x").await;
    assert_eq!((answer.status, answer.error_code()), (403, "InvalidAccessKeyId"));
    let forger = Client::with_keys(running.address(), ACCESS_KEY, "guess");
    let answer = forger.put("key", "x").await;
    assert_eq!((answer.status, answer.error_code()), (403, "SignatureDoesNotMatch"));
    running.shutdown().await;
}

#[tokio::test]
async fn ranges_answer_the_bytes_asked_for_in_small_and_in_streamed_objects() {
    let folder = tempfile::tempdir().unwrap();
    let (running, client) = start(folder.path()).await;
    for length in [10, 5 << 20] {
        let body = Numbers(length as u64).bytes(length);
        assert_eq!(client.put("key", body.clone()).await.status, 200);
        assert_eq!(client.get("key").await.body, body);
        let cases = [
            ("bytes=0-3".to_owned(), 0..4),
            ("bytes=4-".to_owned(), 4..length),
            ("bytes=-3".to_owned(), length - 3..length),
            (format!("bytes=2-{}", length * 2), 2..length),
            (format!("bytes=-{}", length * 2), 0..length),
        ];
        for (range, expected) in cases {
            let answer = client.get_with("key", &[("range", &range)]).await;
            assert_eq!(answer.status, 206, "{range}");
            let shown = format!("bytes {}-{}/{length}", expected.start, expected.end - 1);
            assert_eq!(answer.header("content-range"), Some(shown.as_str()), "{range}");
            assert_eq!(answer.body, body[expected], "{range}");
        }
        let beyond = format!("bytes={length}-");
        assert_eq!(client.get_with("key", &[("range", &beyond)]).await.status, 416);
    }
    client.put("empty", "").await;
    assert_eq!(client.get("empty").await.status, 200);
    assert_eq!(client.get_with("empty", &[("range", "bytes=-1")]).await.status, 416);
    running.shutdown().await;
}

#[tokio::test]
async fn a_folder_is_served_by_one_store_at_a_time() {
    let folder = tempfile::tempdir().unwrap();
    let (running, _) = start(folder.path()).await;
    let second = holdfast_store::serve(settings(folder.path())).await;
    assert!(matches!(second, Err(holdfast_store::Error::InUse { .. })), "{second:?}");
    running.shutdown().await;
    let (running, _) = start(folder.path()).await;
    running.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shutdown_lets_a_write_in_flight_finish_and_takes_no_new_connection() {
    let folder = tempfile::tempdir().unwrap();
    let (running, client) = start(folder.path()).await;
    let address = running.address();
    let body = Numbers(1).bytes(3 << 20);
    let (half, rest) = body.split_at(2 << 20);
    let mut socket = TcpStream::connect(address).await.unwrap();
    socket.write_all(client.head_of_put("key", &body).as_bytes()).await.unwrap();
    socket.write_all(half).await.unwrap();
    // What was received goes to a file at 1 MiB: then the request is surely in flight.
    while std::fs::read_dir(folder.path().join("incoming")).unwrap().next().is_none() {
        tokio::task::yield_now().await;
    }
    let stopping = tokio::spawn(running.shutdown());
    while TcpStream::connect(address).await.is_ok() {
        tokio::task::yield_now().await;
    }
    assert!(!stopping.is_finished());
    socket.write_all(rest).await.unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    stopping.await.unwrap();
    let (running, client) = start(folder.path()).await;
    assert_eq!(client.get("key").await.body, body);
    running.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sender_that_goes_away_in_the_middle_of_a_body_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (running, client) = start(folder.path()).await;
    let body = Numbers(1).bytes(3 << 20);
    let mut socket = TcpStream::connect(running.address()).await.unwrap();
    socket.write_all(client.head_of_put("key", &body).as_bytes()).await.unwrap();
    socket.write_all(&body[..2 << 20]).await.unwrap();
    let incoming = || std::fs::read_dir(folder.path().join("incoming")).unwrap().count();
    while incoming() == 0 {
        tokio::task::yield_now().await;
    }
    drop(socket);
    while incoming() > 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(client.get("key").await.status, 404);
    running.shutdown().await;
}
