//! What upkeep does of itself and by calls: one user's trouble is not the others', each threshold counts alone, what can be
//! mended is, and a walk that is cut off goes on.

use crate::doctor::bucket_of;
use crate::upkeep::until;
use crate::verify::{files, store, verify};
use futures::future::join_all;
use holdfast_core::Key;
use holdfast_core::ports::Objects;
use holdfast_faults::{Api, Installation};
use holdfast_servers::{Host, HostSettings, Rclone};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

/// Enough to be sealed, where the setting says 3.
const EACH: usize = 4;

fn by_three(installation: Installation) -> Installation {
    installation.with("compact_interval_ms", "0").with("compact_objects", "3")
}

async fn say(api: &Api, user: &str, count: usize, text: &str) {
    for _ in 0..count {
        let message = json!({"user_id": user, "role": "user", "content": text});
        let _ = api.post_for(201, "/v1/sessions/s/messages", &message).await;
    }
}

async fn compacted(api: &Api, body: Value) -> Value {
    api.post_for(200, "/v1/upkeep/compact", &body).await.json()
}

/// Files of a part of a user's journal, as `seg`.
fn parts(installation: &Installation, user: &str, part: &str) -> Vec<PathBuf> {
    files(&installation.bucket_folder(), &format!("/u/{user}/{part}/"))
}

/// Removes objects behind everybody's back.
async fn lose(installation: &Installation, lost: Vec<PathBuf>) {
    let bucket = bucket_of(installation.server().expect("a server"));
    for path in lost {
        let key = path.strip_prefix(installation.bucket_folder()).expect("in the bucket");
        bucket.delete(&Key::raw(key.to_string_lossy())).await.expect("lose it");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn users_after_one_whose_journal_is_beyond_repair_are_tended_and_the_one_is_named() {
    let installation = by_three(Installation::rclone());
    let host = installation.start();
    let api = Api::of(&host);
    say(&api, "b", EACH, "x").await;
    assert_eq!(compacted(&api, json!({"user_id": "b"})).await["sealed"], EACH);
    for part in ["seg", "cov", "wal"] {
        let lost = parts(&installation, "b", part);
        assert!(!lost.is_empty(), "{part}");
        lose(&installation, lost).await;
    }
    join_all(["a", "c"].map(|user| say(&api, user, EACH, "x"))).await;

    let settings = HostSettings { key: Some(host.key.clone()), ..HostSettings::default() };
    let done = Host::command("upkeep", &["--url", &host.url], &settings).output();
    let done = done.expect("run holdfast upkeep");
    let said = [&done.stdout, &done.stderr].map(|text| String::from_utf8_lossy(text)).concat();
    assert_eq!(done.status.code(), Some(8), "{said}");
    assert!(said.contains(&format!("2 users; {} objects sealed", 2 * EACH)), "{said}");
    assert!(said.contains("failed    b: not_yet_visible: "), "{said}");
    assert!(said.contains("failed: 1 users"), "{said}");
    for user in ["a", "c"] {
        assert_eq!(parts(&installation, user, "seg").len(), 1, "{user}");
    }
    let again = compacted(&api, json!({})).await;
    assert_eq!((&again["users"], &again["next_cursor"]), (&json!(2), &Value::Null), "{again}");
    assert_eq!(again["failed"][0]["user_id"], "b", "{again}");
    assert_eq!(again["failed"][0]["code"], "not_yet_visible", "{again}");
    assert_eq!(again["failed"][1], Value::Null, "{again}");
}

/// The host seals by itself, though few objects are there.
async fn seals_by_itself(name: &str, value: &str) {
    let installation = Installation::rclone()
        .with("compact_interval_ms", "200")
        .with("compact_objects", "100000")
        .with(name, value);
    let host = installation.start();
    say(&Api::of(&host), "ann", 3, &"word ".repeat(100)).await;
    until("the host has sealed", || !parts(&installation, "ann", "seg").is_empty()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_seals_when_so_many_bytes_came() {
    seals_by_itself("compact_bytes", "1000").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_seals_when_what_came_is_so_old() {
    seals_by_itself("compact_age_ms", "1500").await;
}

async fn corrupt_objects(api: &Api, count: u64) -> bool {
    let metrics = api.get("/metrics", None).await.expect(200).body;
    let line = format!("holdfast_corrupt_objects{{component=\"host\"}} {count}\n");
    String::from_utf8_lossy(&metrics).contains(&line)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_mends_what_can_be_mended_and_counts_what_cannot() {
    let installation = by_three(Installation::rclone()).with("upkeep_interval_ms", "500");
    let host = installation.start();
    let api = Api::of(&host);
    store(&api, 0..EACH).await;
    let covers = || parts(&installation, "ann", "cov");
    until("ann is sealed", || !parts(&installation, "ann", "man").is_empty()).await;
    let before: BTreeSet<PathBuf> = covers().into_iter().collect();
    std::fs::write(before.first().expect("a cover"), b"not it").expect("damage");
    // Whom the host wrote it tends.
    store(&api, EACH..=EACH).await;
    until("it is mended", || covers().iter().any(|cover| !before.contains(cover))).await;
    until("all is whole", || verify(&installation, &[]).0 == Some(0)).await;
    assert!(corrupt_objects(&api, 0).await, "what is mended does not count");

    let newest = parts(&installation, "ann", "wal").pop().expect("an object");
    std::fs::write(newest, b"not it").expect("damage");
    store(&api, EACH + 1..2 * EACH).await;
    let counted = async {
        while !corrupt_objects(&api, 1).await {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let counted = tokio::time::timeout(Duration::from_secs(60), counted).await;
    assert!(counted.is_ok(), "what cannot be mended is not counted");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_walk_whose_time_is_over_says_where_it_goes_on_and_each_user_is_sealed_once() {
    let installation = by_three(Installation::behind_proxy(Rclone::start(), 1));
    let host = installation.start();
    let api = Api::of(&host);
    let users: Vec<String> = (0..20).map(|n| format!("user-{n:02}")).collect();
    join_all(users.iter().map(|user| say(&api, user, EACH, "x"))).await;
    installation.proxy().delay(Duration::from_millis(150));
    let (mut calls, mut visited, mut sealed, mut cursor) = (0, 0, 0, Value::Null);
    loop {
        let body = if cursor.is_null() { json!({}) } else { json!({"cursor": cursor}) };
        let done = compacted(&api, body).await;
        calls += 1;
        visited += done["users"].as_u64().expect("a count");
        sealed += done["sealed"].as_u64().expect("a count");
        cursor = done["next_cursor"].clone();
        assert_eq!(done["has_more"], !cursor.is_null(), "{done}");
        if cursor.is_null() {
            break;
        }
    }
    assert!(calls > 1, "one call was enough for all: the walk did not pass its time");
    assert_eq!((visited, sealed), (20, 20 * EACH as u64));
    for user in &users {
        assert_eq!(parts(&installation, user, "seg").len(), 1, "{user}");
    }
    println!("{calls} calls for {visited} users");
}
