//! Any key that S3 allows is kept, and none reaches outside the data folder.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod common;

use common::{decoded, encoded, start};

fn odd_keys() -> Vec<String> {
    let mut keys: Vec<String> = [
        "a",
        "a/b",
        "a/b/c",
        "a/",
        "/",
        "//",
        "/leading",
        "trailing/",
        "dir//double",
        "..",
        "../..",
        "../../etc/passwd",
        "a/../b",
        "a/./b",
        ".",
        "with space",
        " space ",
        "plus+plus",
        "percent%percent",
        "%2e%2e%2f",
        "%41",
        "question?mark=1&and",
        "hash#tag",
        "quote\"'<>&",
        "back\\slash",
        "C:\\windows",
        "tilde~star*",
        "tab\tkey",
        "grüße/日本語/🦀",
        "e\u{301}",
        "\u{e9}",
        "UPPER",
        "upper",
        "con",
        "incoming",
        "lock",
    ]
    .map(str::to_owned)
    .into();
    keys.push("x".repeat(1024));
    keys.push("é".repeat(512));
    keys.push(format!("{}/{}", "y".repeat(500), "z".repeat(523)));
    keys
}

#[tokio::test]
async fn odd_keys_round_trip_through_put_get_and_list_and_survive_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let (running, client) = start(folder.path()).await;
    let mut keys = odd_keys();
    for key in &keys {
        let answer = client.put(key, format!("body of {key}")).await;
        assert_eq!(answer.status, 200, "{key:?}: {}", answer.text());
    }
    running.shutdown().await;
    let (running, client) = start(folder.path()).await;
    for key in &keys {
        assert_eq!(client.get(key).await.text(), format!("body of {key}"), "{key:?}");
    }
    keys.sort();
    let listed = client.list("").await;
    let listed: Vec<_> = listed.elements("Key").into_iter().map(decoded).collect();
    assert_eq!(listed, keys);
    for key in &keys {
        let prefix = client.list(&format!("max-keys=1&prefix={}", encoded(key))).await;
        assert_eq!(decoded(prefix.elements("Key")[0]), *key);
        assert_eq!(client.delete(key).await.status, 204, "{key:?}");
        assert_eq!(client.get(key).await.status, 404, "{key:?}");
    }
    assert!(client.list("").await.elements("Key").is_empty());
    running.shutdown().await;
}

#[tokio::test]
async fn a_key_above_1024_bytes_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (running, client) = start(folder.path()).await;
    let answer = client.put(&"x".repeat(1025), "text").await;
    assert_eq!((answer.status, answer.error_code()), (400, "KeyTooLongError"));
    running.shutdown().await;
}

#[tokio::test]
async fn no_key_or_bucket_or_upload_id_reaches_outside_its_folder() {
    let outside = tempfile::tempdir().unwrap();
    let folder = outside.path().join("data");
    let (running, client) = start(&folder).await;
    for key in odd_keys() {
        client.put(&key, "text").await;
        client.put(&format!("../../{key}"), "text").await;
    }
    for bucket in ["..", "%2e%2e", "..%2f..", "%2e%2e%2fdata", "a%00b", ".hidden"] {
        let made = client.send("PUT", &format!("/{bucket}"), &[], bytes::Bytes::new()).await;
        assert_eq!(made.status, 400, "{bucket}: {}", made.text());
        let put = client.send("PUT", &format!("/{bucket}/key"), &[], "text".into()).await;
        assert!(matches!(put.status, 400 | 404), "{bucket}: {}", put.text());
    }
    for id in ["..", "../../buckets", "%2e%2e", ""] {
        let path = format!("/holdfast/key?partNumber=1&uploadId={}", encoded(id));
        let part = client.send("PUT", &path, &[], "text".into()).await;
        assert!(matches!(part.status, 400 | 404), "{id:?}: {} {}", part.status, part.text());
    }
    running.shutdown().await;
    let beside: Vec<_> = std::fs::read_dir(outside.path()).unwrap().collect();
    assert_eq!(beside.len(), 1, "{beside:?}");
    let mut inside: Vec<_> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    inside.sort();
    assert_eq!(inside, ["buckets", "incoming", "lock", "uploads"]);
    for file in std::fs::read_dir(folder.join("buckets/holdfast")).unwrap() {
        let name = file.unwrap().file_name().into_string().unwrap();
        assert!(name.len() == 64 && name.bytes().all(|byte| byte.is_ascii_hexdigit()), "{name}");
    }
}
