//! Conditional writes and reads hold under races.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod common;

use bytes::Bytes;
use common::{Client, start};

#[tokio::test(flavor = "multi_thread")]
async fn of_eight_writers_that_race_for_a_free_key_exactly_one_wins_in_each_of_twenty_rounds() {
    let folder = tempfile::tempdir().unwrap();
    let (running, _) = start(folder.path()).await;
    for round in 0..20 {
        let key = format!("race/{round}");
        let mut writers = tokio::task::JoinSet::new();
        for writer in 0..8 {
            let (client, key) = (Client::new(running.address()), key.clone());
            writers.spawn(async move {
                let body = format!("written by {writer}");
                let answer = client.put_with(&key, &[("if-none-match", "*")], body.clone()).await;
                (answer.status, body)
            });
        }
        let answers = writers.join_all().await;
        let winners: Vec<_> = answers.iter().filter(|(status, _)| *status == 200).collect();
        let losers = answers.iter().filter(|(status, _)| *status == 412).count();
        assert_eq!((winners.len(), losers), (1, 7), "round {round}: {answers:?}");
        let stored = Client::new(running.address()).get(&key).await;
        assert_eq!(stored.text(), winners[0].1, "round {round}");
    }
    running.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_sixty_swaps_by_eight_writers_none_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let (running, client) = start(folder.path()).await;
    client.put("counter", "0").await;
    let mut writers = tokio::task::JoinSet::new();
    for writer in 0..8 {
        let client = Client::new(running.address());
        let swaps = if writer < 4 { 8 } else { 7 };
        writers.spawn(async move {
            let mut done = 0;
            while done < swaps {
                let current = client.get("counter").await;
                let etag = current.header("etag").unwrap().to_owned();
                let next = (current.text().parse::<u32>().unwrap() + 1).to_string();
                let answer = client.put_with("counter", &[("if-match", &etag)], next).await;
                assert!(matches!(answer.status, 200 | 412), "{}", answer.status);
                done += u32::from(answer.status == 200);
            }
        });
    }
    writers.join_all().await;
    assert_eq!(client.get("counter").await.text(), "60");
    running.shutdown().await;
}

#[tokio::test]
async fn a_write_whose_condition_does_not_hold_leaves_the_object_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let (running, client) = start(folder.path()).await;
    client.put("key", "first").await;
    let taken = client.put_with("key", &[("if-none-match", "*")], "second").await;
    assert_eq!((taken.status, taken.error_code()), (412, "PreconditionFailed"));
    let other = "\"00000000000000000000000000000000\"";
    let changed = client.put_with("key", &[("if-match", other)], "second").await;
    assert_eq!((changed.status, changed.error_code()), (412, "PreconditionFailed"));
    let missing = client.put_with("none", &[("if-match", other)], "second").await;
    assert_eq!((missing.status, missing.error_code()), (404, "NoSuchKey"));
    assert_eq!(client.get("key").await.text(), "first");
    assert_eq!(client.get("none").await.status, 404);
    running.shutdown().await;
}

#[tokio::test]
async fn a_key_is_free_again_after_its_object_was_deleted() {
    let folder = tempfile::tempdir().unwrap();
    let (running, client) = start(folder.path()).await;
    client.put("key", "first").await;
    assert_eq!(client.delete("key").await.status, 204);
    assert_eq!(client.delete("key").await.status, 204);
    assert_eq!(client.put_with("key", &[("if-none-match", "*")], "second").await.status, 200);
    assert_eq!(client.get("key").await.text(), "second");
    running.shutdown().await;
}

#[tokio::test]
async fn a_conditional_read_answers_304_for_what_is_known_and_412_for_what_changed() {
    let folder = tempfile::tempdir().unwrap();
    let (running, client) = start(folder.path()).await;
    let etag = client.put("key", "text").await.header("etag").unwrap().to_owned();
    for method in ["GET", "HEAD"] {
        let ask = async |headers: &[(&str, &str)]| {
            client.send(method, "/holdfast/key", headers, Bytes::new()).await
        };
        let known = ask(&[("if-none-match", &etag)]).await;
        assert_eq!((known.status, known.body.len()), (304, 0), "{method}");
        assert_eq!(known.header("etag"), Some(etag.as_str()), "{method}");
        assert_eq!(ask(&[("if-match", &etag)]).await.status, 200, "{method}");
        assert_eq!(ask(&[("if-match", "\"0\"")]).await.status, 412, "{method}");
        let long_ago = "Mon, 01 Jan 2001 00:00:00 GMT";
        assert_eq!(ask(&[("if-unmodified-since", long_ago)]).await.status, 412, "{method}");
        assert_eq!(ask(&[("if-modified-since", long_ago)]).await.status, 200, "{method}");
    }
    running.shutdown().await;
}
