//! Buckets, copies, deletes of many and uploads in parts.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod common;

use bytes::Bytes;
use common::{Client, Numbers, encoded, start};
use s3s::crypto::{Checksum as _, Md5};

const PART: usize = 5 << 20;

async fn begin(client: &Client, key: &str) -> String {
    let path = format!("/holdfast/{}?uploads", encoded(key));
    let headers = [("content-type", "text/plain"), ("x-amz-meta-a", "b")];
    let begun = client.send("POST", &path, &headers, Bytes::new()).await;
    begun.elements("UploadId")[0].to_owned()
}

async fn part(client: &Client, key: &str, id: &str, number: usize, body: Vec<u8>) -> String {
    let path = format!("/holdfast/{}?partNumber={number}&uploadId={id}", encoded(key));
    let answer = client.send("PUT", &path, &[], body.into()).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.header("etag").unwrap().to_owned()
}

async fn complete(
    client: &Client,
    key: &str,
    id: &str,
    parts: &[(usize, &str)],
    headers: &[(&str, &str)],
) -> common::Answer {
    let lines: String = parts
        .iter()
        .map(|(number, etag)| {
            format!("<Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag></Part>")
        })
        .collect();
    let body = format!("<CompleteMultipartUpload>{lines}</CompleteMultipartUpload>");
    let path = format!("/holdfast/{}?uploadId={id}", encoded(key));
    client.send("POST", &path, headers, body.into()).await
}

#[tokio::test]
async fn an_upload_in_parts_becomes_one_object_also_across_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let (running, client) = start(folder.path()).await;
    let (one, two) = (Numbers(1).bytes(PART), Numbers(2).bytes(7));
    let id = begin(&client, "dir/big +").await;
    part(&client, "dir/big +", &id, 1, vec![0; 9]).await;
    let first = part(&client, "dir/big +", &id, 1, one.clone()).await;
    running.shutdown().await;
    let (running, client) = start(folder.path()).await;
    let second = part(&client, "dir/big +", &id, 2, two.clone()).await;
    let listed = client.send("GET", "/holdfast?uploads", &[], Bytes::new()).await;
    assert_eq!(listed.elements("UploadId"), [id.as_str()]);
    let path = format!("/holdfast/{}?uploadId={id}", encoded("dir/big +"));
    let kept = client.send("GET", &path, &[], Bytes::new()).await;
    assert_eq!(kept.elements("Size"), [PART.to_string(), "7".to_owned()]);
    let parts = [(1, first.as_str()), (2, second.as_str())];
    let whole = complete(&client, "dir/big +", &id, &parts, &[]).await;
    assert_eq!(whole.status, 200, "{}", whole.text());
    let digests = [Md5::checksum(&one), Md5::checksum(&two)].concat();
    let etag = format!("\"{}-2\"", hex::encode(Md5::checksum(&digests)));
    let read = client.get("dir/big +").await;
    assert_eq!(read.body, [one, two].concat());
    assert_eq!(read.header("etag"), Some(etag.as_str()));
    assert_eq!(read.header("x-amz-meta-a"), Some("b"));
    let again = complete(&client, "dir/big +", &id, &parts, &[]).await;
    assert_eq!((again.status, again.error_code()), (404, "NoSuchUpload"));
    running.shutdown().await;
}

#[tokio::test]
async fn an_upload_with_wrong_parts_is_refused_and_can_be_aborted() {
    let folder = tempfile::tempdir().unwrap();
    let (running, client) = start(folder.path()).await;
    let id = begin(&client, "key").await;
    let small = part(&client, "key", &id, 1, vec![1; 10]).await;
    let last = part(&client, "key", &id, 2, vec![2; 10]).await;
    let cases: [(&[(usize, &str)], &str); 4] = [
        (&[(1, &small), (2, &last)], "EntityTooSmall"),
        (&[(2, &last), (1, &small)], "InvalidPartOrder"),
        (&[(1, &last)], "InvalidPart"),
        (&[(3, &last)], "InvalidPart"),
    ];
    for (parts, code) in cases {
        assert_eq!(complete(&client, "key", &id, parts, &[]).await.error_code(), code);
    }
    client.put("key", "there").await;
    let taken = complete(&client, "key", &id, &[(1, &small)], &[("if-none-match", "*")]).await;
    assert_eq!(taken.error_code(), "PreconditionFailed");
    let path = format!("/holdfast/key?uploadId={id}");
    assert_eq!(client.send("DELETE", &path, &[], Bytes::new()).await.status, 204);
    let gone = complete(&client, "key", &id, &[(1, &small)], &[]).await;
    assert_eq!(gone.error_code(), "NoSuchUpload");
    assert_eq!(client.get("key").await.text(), "there");
    running.shutdown().await;
}

#[tokio::test]
async fn a_copy_has_the_source_s_bytes_and_the_metadata_that_was_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let (running, client) = start(folder.path()).await;
    let body = Numbers(9).bytes(3 << 20);
    client.put_with("from é+", &[("x-amz-meta-a", "old")], body.clone()).await;
    let source = format!("/holdfast/{}", encoded("from é+"));
    let copied = client.put_with("to", &[("x-amz-copy-source", &source)], "").await;
    assert_eq!(copied.status, 200, "{}", copied.text());
    let read = client.get("to").await;
    assert_eq!((read.body.as_ref(), read.header("x-amz-meta-a")), (&body[..], Some("old")));
    let replace = [
        ("x-amz-copy-source", source.as_str()),
        ("x-amz-metadata-directive", "REPLACE"),
        ("x-amz-meta-a", "new"),
    ];
    assert_eq!(client.put_with("from é+", &replace, "").await.status, 200);
    assert_eq!(client.get("from é+").await.header("x-amz-meta-a"), Some("new"));
    let itself = client.put_with("from é+", &[("x-amz-copy-source", &source)], "").await;
    assert_eq!(itself.error_code(), "InvalidRequest");
    let none = client.put_with("to", &[("x-amz-copy-source", "/holdfast/none")], "").await;
    assert_eq!(none.error_code(), "NoSuchKey");
    running.shutdown().await;
}

#[tokio::test]
async fn buckets_are_made_listed_and_removed_when_empty() {
    let folder = tempfile::tempdir().unwrap();
    let (running, client) = start(folder.path()).await;
    let send = async |method, path| client.send(method, path, &[], Bytes::new()).await;
    assert_eq!(send("PUT", "/other").await.status, 200);
    assert_eq!(send("PUT", "/other").await.error_code(), "BucketAlreadyOwnedByYou");
    assert_eq!(send("HEAD", "/other").await.status, 200);
    assert_eq!(send("HEAD", "/none").await.status, 404);
    assert_eq!(send("GET", "/other?location").await.status, 200);
    assert_eq!(send("GET", "/").await.elements("Name"), ["holdfast", "other"]);
    client.send("PUT", "/other/key", &[], "x".into()).await;
    assert_eq!(send("DELETE", "/other").await.error_code(), "BucketNotEmpty");
    assert_eq!(send("DELETE", "/other/key").await.status, 204);
    assert_eq!(send("DELETE", "/other").await.status, 204);
    assert_eq!(send("GET", "/other?list-type=2").await.error_code(), "NoSuchBucket");
    let put = client.send("PUT", "/other/key", &[], "x".into()).await;
    assert_eq!(put.error_code(), "NoSuchBucket");
    running.shutdown().await;
}

#[tokio::test]
async fn many_keys_are_deleted_by_one_request_whether_there_or_not() {
    let folder = tempfile::tempdir().unwrap();
    let (running, client) = start(folder.path()).await;
    for key in ["a", "b", "c"] {
        client.put(key, "x").await;
    }
    let body = "<Delete><Object><Key>a</Key></Object><Object><Key>none</Key></Object>\
                <Object><Key>c</Key></Object></Delete>";
    let answer = client.send("POST", "/holdfast?delete", &[], body.into()).await;
    assert_eq!(answer.elements("Key"), ["a", "none", "c"]);
    assert_eq!(client.list("").await.elements("Key"), ["b"]);
    running.shutdown().await;
}
