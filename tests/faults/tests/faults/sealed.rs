//! Journals are sealed under a running host, and under one that dies amid it: no reader notices, on each store.

use futures::future::join_all;
use holdfast_faults::{Api, Call, Installation, Plan, Snapshot, seed};
use serde_json::{Value, json};

/// So many that every user has enough to be sealed.
const CALLS: usize = 800;

#[tokio::test(flavor = "multi_thread")]
async fn sealing_changes_no_answer_on_the_embedded_store() {
    unnoticed(Installation::embedded(), seed() + 30).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sealing_changes_no_answer_on_rclone() {
    unnoticed(Installation::rclone(), seed() + 31).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sealing_changes_no_answer_on_seaweedfs() {
    unnoticed(Installation::seaweedfs(), seed() + 32).await;
}

async fn unnoticed(installation: Installation, seed: u64) {
    let plan = Plan::new(seed, CALLS);
    // Only what the test asks for is sealed.
    let mut installation = installation.with("compact_interval_ms", "0");
    let host = installation.start();
    let api = Api::of(&host);
    let (first, second) = plan.calls.split_at(CALLS / 2);
    store_all(&api, first).await;
    let half = Snapshot::take(&api, &plan, false).await;
    let sealed = all_sealed(&api).await;
    assert!(sealed > CALLS as u64 / 4, "only {sealed} objects of {} were sealed", CALLS / 2);
    half.assert_same(&Snapshot::take(&api, &plan, false).await);
    store_all(&api, second).await;
    let before = Snapshot::take(&api, &plan, false).await;
    assert!(before.hits() > 0, "no search found anything");

    // A host dies amid sealing: whatever it left changes nothing.
    let dying = tokio::spawn({
        let api = api.clone();
        async move { api.post("/v1/upkeep/compact", &json!({}), None).await.is_ok() }
    });
    tokio::task::yield_now().await;
    host.kill();
    let _ = dying.await;
    installation.lose_local_directory();
    let host = installation.start();
    let api = Api::of(&host);
    before.assert_same(&Snapshot::take(&api, &plan, false).await);

    let more = all_sealed(&api).await;
    before.assert_same(&Snapshot::take(&api, &plan, false).await);
    host.kill();
    installation.lose_local_directory();
    let host = installation.start();
    let api = Api::of(&host);
    before.assert_same(&Snapshot::take(&api, &plan, false).await);
    assert_eq!(all_sealed(&api).await, 0, "there is nothing more to seal");
    println!("{sealed} objects sealed, then {more} of those that a dying host had left");
}

async fn store_all(api: &Api, calls: &[Call]) {
    for calls in calls.chunks(20) {
        join_all(calls.iter().map(|call| stored(api, call))).await;
    }
}

async fn stored(api: &Api, call: &Call) {
    let answer = api.post(&call.path(), &call.body(), None).await.expect("an answer");
    let _ = answer.expect(201);
}

/// Works through all users: objects that were sealed.
async fn all_sealed(api: &Api) -> u64 {
    let (mut sealed, mut cursor) = (0, Value::Null);
    loop {
        let body = if cursor.is_null() { json!({}) } else { json!({"cursor": cursor}) };
        let done = api.post_for(200, "/v1/upkeep/compact", &body).await.json();
        assert_eq!(done["corrupt"], json!([]));
        sealed += done["sealed"].as_u64().expect("a count");
        cursor = done["next_cursor"].clone();
        if cursor.is_null() {
            return sealed;
        }
    }
}
