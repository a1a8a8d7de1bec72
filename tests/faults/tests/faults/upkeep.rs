//! `holdfast upkeep --url`: a program of its own tends a running host's journals, call by call.

use crate::verify::files;
use futures::future::join_all;
use holdfast_faults::{Api, Installation, history};
use holdfast_servers::{Host, HostSettings};
use serde_json::json;
use std::process::{Command, Output};
use std::time::Duration;

/// Enough to be sealed, for each user.
const EACH: usize = 66;

fn upkeep(host: &Host, arguments: &[&str], key: &str) -> Output {
    let settings = HostSettings { key: Some(key.to_owned()), ..HostSettings::default() };
    let arguments = [&["--url", &host.url], arguments].concat();
    Host::command("upkeep", &arguments, &settings).output().expect("run holdfast upkeep")
}

fn said(output: &Output) -> String {
    [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text)).concat()
}

#[tokio::test(flavor = "multi_thread")]
async fn all_users_of_a_running_host_are_tended_by_calls_and_what_is_read_stays_the_same() {
    let installation = Installation::rclone().with("compact_interval_ms", "0");
    let host = installation.start();
    let api = Api::of(&host);
    for user in ["ann", "bob"] {
        let messages = (0..EACH).map(
            |n| json!({"user_id": user, "id": format!("m{n:02}"), "role": "user", "content": "x"}),
        );
        join_all(messages.map(|message| {
            let api = api.clone();
            async move { api.post_for(201, "/v1/sessions/s/messages", &message).await }
        }))
        .await;
    }
    let before = history(&api, "ann", "s", None, "latest").await;
    let one = upkeep(&host, &["--user", "bob"], &host.key);
    assert!(one.status.success(), "{}", said(&one));
    assert!(said(&one).contains(&format!("1 users; {EACH} objects sealed")), "{}", said(&one));
    let all = upkeep(&host, &["--collect"], &host.key);
    assert!(all.status.success(), "{}", said(&all));
    assert!(said(&all).contains(&format!("2 users; {EACH} objects sealed")), "{}", said(&all));
    assert!(said(&all).contains("collected: 2 users"), "{}", said(&all));
    assert!(said(&all).contains("expired: 0 messages, 0 other things"), "{}", said(&all));
    assert_eq!(history(&api, "ann", "s", None, "latest").await, before);

    let service = api.post_for(201, "/v1/keys", &json!({"kind": "service"})).await.json();
    let refused = upkeep(&host, &[], service["key"].as_str().expect("a key"));
    assert_eq!(refused.status.code(), Some(3), "{}", said(&refused));

    // A segment that is not what was written: named, and told by the exit code.
    let folder = installation.server().expect("a server").folder().to_owned();
    let cover =
        files(&folder, "/cov/").into_iter().find(|path| path.to_string_lossy().contains("/ann/"));
    std::fs::write(cover.expect("a cover"), b"not it").expect("damage");
    let damaged = upkeep(&host, &["--user", "ann"], &host.key);
    assert_eq!(damaged.status.code(), Some(8), "{}", said(&damaged));
    assert!(said(&damaged).contains("corrupt   v1/t/default/u/ann/cov/"), "{}", said(&damaged));
}

/// Waits until it is so.
pub async fn until(what: &str, so: impl Fn() -> bool) {
    let waiting = async {
        while !so() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let waited = tokio::time::timeout(Duration::from_secs(60), waiting).await;
    waited.unwrap_or_else(|_| panic!("not within a minute: {what}"));
}

#[tokio::test(flavor = "multi_thread")]
async fn whom_a_host_wrote_is_on_a_list_when_it_stops_and_the_next_walk_tends_them() {
    let installation = Installation::rclone().with("compact_interval_ms", "0");
    let folder = installation.server().expect("a server").folder().to_owned();
    let host = installation.start();
    let api = Api::of(&host);
    for n in 0..EACH {
        let message = json!({"user_id": "ann", "role": "user", "content": format!("says {n}")});
        let _ = api.post_for(201, "/v1/sessions/s/messages", &message).await;
    }
    assert!(files(&folder, "/dirty/").is_empty(), "within the hour nothing is said");
    let told = Command::new("kill").arg(host.id().to_string()).status().expect("kill");
    assert!(told.success());
    until("a list is left", || !files(&folder, "/dirty/").is_empty()).await;
    drop(host);
    let list = files(&folder, "/dirty/").pop().expect("a list");
    let list = std::fs::read_to_string(list).expect("its text");
    assert_eq!(list, r#"{"v":1,"users":["ann"]}"#);

    let installation = installation.with("upkeep_interval_ms", "500");
    let (_host, _kept) = installation.start_beside();
    until("ann is sealed", || !files(&folder, "/man/").is_empty()).await;
    until("all users were looked at", || files(&folder, "/op/swept/").len() == 1).await;
    until("the list is worked through", || files(&folder, "/dirty/").is_empty()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_journal_is_sealed_by_the_thresholds_that_are_set_by_calls_and_by_the_host_itself() {
    let installation = Installation::rclone().with("compact_interval_ms", "0");
    let installation = installation.with("compact_objects", "3");
    let host = installation.start();
    let (api, ann) = (Api::of(&host), json!({"user_id": "ann"}));
    let say = async |api: &Api, n: u32| {
        let message = json!({"user_id": "ann", "role": "user", "content": format!("says {n}")});
        let _ = api.post_for(201, "/v1/sessions/s/messages", &message).await;
    };
    for (n, sealed) in [(0, 0), (1, 0), (2, 3)] {
        say(&api, n).await;
        let done = api.post_for(200, "/v1/upkeep/compact", &ann).await.json();
        assert_eq!(done["sealed"], sealed, "after {} messages", n + 1);
    }
    drop(host);

    let folder = installation.server().expect("a server").folder().to_owned();
    let segments = || files(&folder, "/seg/").len();
    let installation = installation.with("compact_interval_ms", "200");
    let (host, _kept) = installation.start_beside();
    let api = Api::of(&host);
    say(&api, 3).await;
    say(&api, 4).await;
    assert_eq!(segments(), 1);
    // A host that did not count them from the beginning seals at most twice as many.
    for n in 5..9 {
        say(&api, n).await;
    }
    until("the host has sealed three more", || segments() > 1).await;
}
