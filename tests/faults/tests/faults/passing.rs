//! Messages that are older than they are kept: written into the bucket as they would have been a month ago.

use crate::doctor::bucket_of;
use crate::upkeep::until;
use crate::verify::files;
use bytes::Bytes;
use holdfast_core::message::{Message, MessageBody, Role};
use holdfast_core::ports::Objects;
use holdfast_core::record::{Header, Kind, Record, Stamp, WalObject, Writer, WriterKind};
use holdfast_core::{Hlc, Scope, SessionId, TenantId, UserId, key};
use holdfast_faults::{Api, Installation};
use http::Method;
use serde_json::{Value, json};
use std::time::{SystemTime, UNIX_EPOCH};
use ulid::Ulid;

const DAY: u64 = 86_400_000;

/// Puts a message of `days` ago into the bucket, as a host of then would have.
async fn stored_before(installation: &Installation, days: u64, id: &str) {
    stored_at(installation, now() - days * DAY, id).await;
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as u64
}

async fn stored_at(installation: &Installation, then: u64, id: &str) {
    let by = Writer { kind: WriterKind::Service, key: "root".to_owned() };
    let stamp = Stamp { at: Hlc::at(then), by };
    let message = Message::saying(Role::User, format!("{id} about marzipan"));
    let body = MessageBody::new(message, Vec::new()).unwrap().encode().unwrap();
    let session = SessionId::parse("talk").unwrap();
    let record = Record::new(Kind::Message, id, &session, &stamp, body);
    let bytes = WalObject { header: Header::default(), records: vec![record] }.encode().unwrap();
    let bytes = Bytes::from(bytes);
    let key = key::wal_object(&ann(), Ulid::from_parts(then, 7), &bytes);
    bucket_of(installation.server().unwrap()).put(&key, bytes).await.unwrap();
}

fn ann() -> Scope {
    Scope { tenant: TenantId::parse("default").unwrap(), user: UserId::parse("ann").unwrap() }
}

/// Puts an index part of that moment.
async fn copied(installation: &Installation, then: u64) {
    let bytes = Bytes::from_static(b"a copy");
    let key = key::index_part(&ann(), Ulid::from_parts(then, 7), &bytes);
    bucket_of(installation.server().unwrap()).put(&key, bytes).await.unwrap();
}

async fn ids(api: &Api) -> Vec<String> {
    let page = api.get("/v1/sessions/talk/messages?user_id=ann&limit=1000", None).await;
    if page.status == 404 {
        return Vec::new();
    }
    let all = page.expect(200).json()["data"].as_array().expect("messages").clone();
    all.iter().map(|message| message["id"].as_str().expect("an id").to_owned()).collect()
}

async fn found(api: &Api) -> usize {
    let body = json!({"user_id": "ann", "query": "marzipan", "mode": "keyword"});
    api.post_for(200, "/v1/search", &body).await.json()["data"].as_array().expect("hits").len()
}

async fn keep(api: &Api, days: u64) -> Value {
    let body = json!({"retention_days": days}).to_string().into();
    let answer = api.send(Method::PUT, "/v1/users/ann", Some(body), None).await;
    answer.expect("an answer").expect(200).json()
}

async fn expire(api: &Api) -> u64 {
    let done = api.post_for(200, "/v1/upkeep/expire", &json!({"user_id": "ann"})).await;
    done.json()["expired"].as_u64().expect("a number")
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_older_than_a_users_retention_is_hidden_on_every_host_and_gone_once_written_down() {
    let installation = Installation::rclone();
    for (days, id) in [(40, "a"), (20, "b"), (2, "c")] {
        stored_before(&installation, days, id).await;
    }
    let (one, _kept) = installation.start_beside();
    let (other, _kept_too) = installation.start_beside();
    let hosts = [Api::of(&one), Api::of(&other)];
    assert_eq!(
        (ids(&hosts[0]).await, found(&hosts[1]).await),
        (vec!["a".into(), "b".into(), "c".into()], 3)
    );
    keep(&hosts[0], 30).await;
    for api in &hosts {
        assert_eq!((ids(api).await, found(api).await), (vec!["b".to_owned(), "c".into()], 2));
    }
    // Kept longer again, it is there again: nothing was written down.
    keep(&hosts[1], 0).await;
    for api in &hosts {
        assert_eq!((ids(api).await.len(), found(api).await), (3, 3));
    }
    keep(&hosts[0], 10).await;
    assert_eq!(expire(&hosts[1]).await, 2);
    assert_eq!(expire(&hosts[0]).await, 0, "it is written down");
    keep(&hosts[0], 0).await;
    for api in &hosts {
        assert_eq!((ids(api).await, found(api).await), (vec!["c".to_owned()], 1));
    }
    let changes = hosts[0].get("/v1/users/ann/changes", None).await.expect(200).json();
    let last = changes["data"].as_array().expect("changes").clone();
    let passed = last.iter().find(|change| change["of"] == "messages").expect("a tombstone");
    assert_eq!(passed["until"].as_str().map(str::len), Some(16));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_installations_retention_holds_for_all_and_a_users_may_only_be_shorter() {
    let installation = Installation::rclone().with("retention_days", "30");
    for (days, id) in [(40, "a"), (20, "b"), (2, "c")] {
        stored_before(&installation, days, id).await;
    }
    let (host, _kept) = installation.start_beside();
    let api = Api::of(&host);
    assert_eq!((ids(&api).await, found(&api).await), (vec!["b".to_owned(), "c".into()], 2));
    assert_eq!(keep(&api, 365).await["kept_days"], 30);
    assert_eq!(ids(&api).await.len(), 2);
    assert_eq!(keep(&api, 10).await["kept_days"], 10);
    assert_eq!(ids(&api).await, ["c"]);
    // What expired is restored by nobody.
    let at = json!({"at": "2040-01-01T00:00:00Z", "deleted": true});
    let done = api.post_for(200, "/v1/users/ann/restore", &at).await.json();
    assert_eq!(done["restored"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_of_what_passed_goes_with_the_walk_that_writes_that_down_though_nobody_wrote() {
    let installation = Installation::rclone().with("upkeep_interval_ms", "500");
    let folder = installation.server().unwrap().folder().to_owned();
    // It passes while the host looks on.
    stored_at(&installation, now() - 30 * DAY + 20_000, "a").await;
    let (host, _kept) = installation.start_beside();
    let api = Api::of(&host);
    until("all users were looked at", || files(&folder, "/op/swept/").len() == 1).await;
    assert_eq!(ids(&api).await, ["a"]);
    copied(&installation, now() - 1_000).await;
    copied(&installation, now()).await;
    keep(&api, 30).await;
    until("the user who was written is tended", || files(&folder, "/idx/").len() < 2).await;
    until("the copy is gone", || files(&folder, "/idx/").is_empty()).await;
    assert!(!files(&folder, ".purge.jsonl").is_empty(), "for what passed, and for nothing else");
}
