//! LIST pages equal a sorted oracle.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod common;

use std::collections::BTreeSet;

use common::{Answer, Client, Numbers, decoded, encoded, start};

fn random_keys(numbers: &mut Numbers, count: usize) -> BTreeSet<String> {
    let pieces = ["a", "b", "/", "//", "é", "z", "-", "0", "日", " ", "+", "%", "\u{10FFFF}"];
    let mut keys = BTreeSet::new();
    while keys.len() < count {
        let length = 1 + numbers.below(6);
        keys.insert((0..length).map(|_| pieces[numbers.below(pieces.len())]).collect());
    }
    keys
}

/// What a listing must hold: keys and common prefixes, merged, in byte order.
fn oracle(keys: &BTreeSet<String>, prefix: &str, delimiter: &str, after: &str) -> Vec<String> {
    let mut lines = BTreeSet::new();
    for key in keys.iter().filter(|key| key.starts_with(prefix) && key.as_str() > after) {
        let rest = &key[prefix.len()..];
        match rest.find(delimiter).filter(|_| !delimiter.is_empty()) {
            Some(at) => lines.insert(key[..prefix.len() + at + delimiter.len()].to_owned()),
            None => lines.insert(key.clone()),
        };
    }
    lines.into_iter().collect()
}

fn lines(page: &Answer) -> Vec<String> {
    assert_eq!(page.status, 200, "{}", page.text());
    let keys = page.elements("Key").into_iter().map(decoded);
    let prefixes = page
        .elements("CommonPrefixes")
        .into_iter()
        .map(|prefix| decoded(prefix.trim_start_matches("<Prefix>").trim_end_matches("</Prefix>")));
    let mut lines: Vec<_> = keys.chain(prefixes).collect();
    lines.sort();
    lines
}

async fn walk(client: &Client, query: &str, max: usize) -> Vec<String> {
    let mut all = Vec::new();
    let mut token = String::new();
    loop {
        let page = client.list(&format!("{query}&max-keys={max}{token}")).await;
        let found = lines(&page);
        assert!(found.len() <= max);
        assert_eq!(page.elements("KeyCount"), [found.len().to_string()]);
        all.extend(found);
        match page.elements("NextContinuationToken").first() {
            Some(next) => token = format!("&continuation-token={next}"),
            None => return all,
        }
        assert_eq!(page.elements("IsTruncated"), ["true"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_by_prefix_delimiter_and_start_equal_a_sorted_oracle() {
    let mut numbers = Numbers(3);
    let keys = random_keys(&mut numbers, 300);
    let folder = tempfile::tempdir().unwrap();
    let (running, client) = start(folder.path()).await;
    for key in &keys {
        assert_eq!(client.put(key, "x").await.status, 200);
    }
    let prefixes = ["", "a", "/", "a/", "é", "\u{10FFFF}", "none"];
    for case in 0..120 {
        let prefix = prefixes[numbers.below(prefixes.len())];
        let delimiter = ["", "/", "//", "é", "\u{10FFFF}"][numbers.below(5)];
        let after = match numbers.below(3) {
            0 => keys.iter().nth(numbers.below(keys.len())).unwrap().as_str(),
            1 => "b",
            _ => "",
        };
        let max = 1 + numbers.below(40);
        let query = format!(
            "prefix={}&delimiter={}&start-after={}",
            encoded(prefix),
            encoded(delimiter),
            encoded(after)
        );
        let expected = oracle(&keys, prefix, delimiter, after);
        assert_eq!(walk(&client, &query, max).await, expected, "case {case}: {query} {max}");
    }
    running.shutdown().await;
}

#[tokio::test]
async fn the_older_listing_pages_by_marker_through_the_same_lines() {
    let mut numbers = Numbers(5);
    let keys = random_keys(&mut numbers, 60);
    let folder = tempfile::tempdir().unwrap();
    let (running, client) = start(folder.path()).await;
    for key in &keys {
        client.put(key, "x").await;
    }
    let mut all = Vec::new();
    let mut marker = String::new();
    loop {
        let path = format!("/holdfast?delimiter=/&encoding-type=url&max-keys=7&marker={marker}");
        let page = client.send("GET", &path, &[], bytes::Bytes::new()).await;
        all.extend(lines(&page));
        match page.elements("NextMarker").first() {
            Some(next) => marker = (*next).to_owned(),
            None => break,
        }
    }
    assert_eq!(all, oracle(&keys, "", "/", ""));
    running.shutdown().await;
}

#[tokio::test]
async fn a_page_of_no_lines_is_not_truncated_and_a_wrong_token_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (running, client) = start(folder.path()).await;
    client.put("key", "x").await;
    let none = client.list("max-keys=0").await;
    assert_eq!((lines(&none).len(), none.elements("IsTruncated")[0]), (0, "false"));
    assert_eq!(client.list("max-keys=-1").await.error_code(), "InvalidArgument");
    assert_eq!(client.list("continuation-token=nonsense").await.error_code(), "InvalidArgument");
    running.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_listed_as_soon_as_its_put_was_answered_and_gone_with_its_delete() {
    let folder = tempfile::tempdir().unwrap();
    let (running, _) = start(folder.path()).await;
    let mut writers = tokio::task::JoinSet::new();
    for writer in 0..8 {
        let client = Client::new(running.address());
        writers.spawn(async move {
            for number in 0..20 {
                let key = format!("{writer}/{number:03}");
                client.put(&key, "x").await;
                let listed = client.list(&format!("prefix={key}")).await;
                assert_eq!(listed.elements("Key"), [key.as_str()]);
                client.delete(&key).await;
                let listed = client.list(&format!("prefix={key}")).await;
                assert!(listed.elements("Key").is_empty());
            }
        });
    }
    writers.join_all().await;
    running.shutdown().await;
}
