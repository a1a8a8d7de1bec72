//! Canaries: what one user or tenant stored shows in no answer to another, on any route that reads.

use holdfast_http_tests::{Client, Running, by_words, fresh, messages_of};
use holdfast_servers::HostSettings;
use serde_json::{Value, json};
use std::sync::Arc;

const SECRET: &str = "canaryword7f3a";

/// Stores a canary wherever a user can store something: its order, which nobody else may see either.
fn plant(client: &Client) -> String {
    let body = json!({
        "id": "shared", "name": format!("name {SECRET}"), "metadata": {"m": format!("meta {SECRET}")}
    });
    client.post("/v1/sessions", &body.to_string()).expect_status(201);
    let message = json!([{
        "role": "user", "id": "shared-id", "name": format!("speaker {SECRET}"),
        "content": format!("content {SECRET} about tomatoes"), "metadata": {"m": format!("meta {SECRET}")}
    }]);
    client.store("shared", &message);
    let memory = json!({"id": "shared-memory", "text": format!("memory {SECRET} about tomatoes"), "importance": 1});
    client.post("/v1/memories", &memory.to_string()).expect_status(201);
    let (bytes, kind) = (format!("attachment {SECRET} about tomatoes"), format!("text/{SECRET}"));
    let kind = [("Content-Type", kind.as_str())];
    let path = "/v1/sessions/shared/attachments/shared.txt";
    client.send("PUT", path, &kind, Some(bytes.as_bytes())).expect_status(201);
    client.messages("shared")[0]["order"].as_str().unwrap().to_owned()
}

/// Every answer that another gets of every route that reads, with the statuses that they may have.
fn peek(other: &Client) -> Vec<(String, u16, String)> {
    let searches = [
        json!({"query": SECRET, "top_k": 200}),
        json!({"query": "tomatoes", "session_id": "shared", "explain": true}),
        json!({"query": "tomatoes", "filters": {"id": {"eq": "shared-id"}}}),
        json!({"query": "tomatoes", "include_conversations": false}),
        json!({"query": "tomatoes", "filters": {"OR": [{"role": {"eq": "user"}}, {"role": {"ne": "user"}}]}, "top_k": 200}),
    ];
    let contexts = [
        json!({"query": SECRET, "max_tokens": 5000}),
        json!({"session_id": "shared", "max_tokens": 5000}),
        json!({"session_id": "shared", "query": "tomatoes", "max_tokens": 5000, "include_conversations": true}),
    ];
    let mut answers = Vec::new();
    let mut keep = |what: String, answer: holdfast_http_tests::Answer| {
        answers.push((what, answer.status, format!("{:?}{}", answer.headers, answer.text)));
    };
    for path in [
        "/v1/sessions",
        "/v1/sessions?order=asc&limit=1000",
        "/v1/sessions/shared",
        "/v1/sessions/shared/messages",
        "/v1/sessions/shared/messages?order=desc",
        "/v1/sessions/shared/messages?format=langchain&annotate=true",
        "/v1/sessions/shared/messages?format=openai",
        "/v1/sessions/shared/messages/shared-id",
        "/v1/sessions/shared/attachments",
        "/v1/sessions/shared/attachments/shared.txt",
        "/v1/memories",
        "/v1/memories/shared-memory",
        "/v1/memories/shared-memory/history",
    ] {
        keep(path.to_owned(), other.get(path));
    }
    for body in searches {
        keep(format!("search {body}"), other.post("/v1/search", &body.to_string()));
    }
    for body in contexts {
        keep(format!("context {body}"), other.post("/v1/context", &body.to_string()));
    }
    answers
}

#[track_caller]
fn none_shows(answers: &[(String, u16, String)], order: &str) {
    for (what, status, text) in answers {
        assert!(matches!(status, 200 | 404), "{what}: {status} {text}");
        assert!(!text.to_lowercase().contains(SECRET), "{what}: {text}");
        assert!(!text.contains(order), "{what}: {text}");
    }
}

#[test]
fn the_canary_shows_to_its_own_user() {
    let client = Client::new(by_words());
    plant(&client);
    let shown = peek(&client);
    let blind: Vec<_> =
        shown.iter().filter(|(_, status, text)| *status != 200 || !text.contains(SECRET)).collect();
    assert!(blind.is_empty(), "these routes would not notice a leak: {blind:?}");
}

#[test]
fn another_user_sees_nothing_through_a_service_key() {
    let client = Client::new(by_words());
    let order = plant(&client);
    none_shows(&peek(&client.acting_for(&fresh("other"))), &order);
}

#[test]
fn another_user_sees_nothing_through_a_key_of_its_own() {
    let client = Client::new(by_words());
    let order = plant(&client);
    let key = client.make_key(&json!({"kind": "user", "user_id": fresh("other")}));
    none_shows(&peek(&client.with_key(&key)), &order);
}

#[test]
fn a_user_whose_name_begins_alike_sees_nothing() {
    let client = Client::new(by_words()).acting_for("ann");
    let order = plant(&client);
    for name in ["an", "ann2", "Ann", "ann/", "ann/wal", "../ann", "a%6En", "ann~20"] {
        none_shows(&peek(&client.acting_for(name)), &order);
    }
}

#[test]
fn the_same_session_id_under_two_users_names_two_sessions() {
    let one = Client::new(by_words());
    let other = one.acting_for(&fresh("other"));
    let body = |name: &str| json!({"id": "shared", "name": name}).to_string();
    one.post("/v1/sessions", &body("first")).expect_status(201);
    other.post("/v1/sessions", &body("second")).expect_status(201);
    one.store("shared", &json!([{"role": "user", "content": "mine", "id": "m"}]));
    other.store("shared", &json!([{"role": "user", "content": "yours", "id": "m"}]));
    other
        .send("PATCH", "/v1/sessions/shared", &[], Some(br#"{"name":"third"}"#))
        .expect_status(200);
    let shown = |client: &Client| -> Value {
        json!([
            client.get("/v1/sessions/shared").json()["name"],
            client.messages("shared")[0]["content"]
        ])
    };
    assert_eq!((shown(&one), shown(&other)), (json!(["first", "mine"]), json!(["third", "yours"])));
}

#[test]
fn the_same_idempotency_key_under_two_users_names_two_requests() {
    let one = Client::new(by_words());
    let other = one.acting_for(&fresh("other"));
    let header = ("Idempotency-Key", "same");
    one.post_with(&messages_of("s"), header, r#"{"role":"user","content":"mine"}"#)
        .expect_status(201);
    other
        .post_with(&messages_of("s"), header, r#"{"role":"user","content":"yours"}"#)
        .expect_status(201);
    assert_eq!(other.messages("s")[0]["content"], "yours");
}

/// A second tenant: another host on the same bucket with another first key, as an operator would add one.
fn second_tenant(first: &Running) -> Running {
    let local = std::fs::read_to_string(first.data_dir().join("local.json")).unwrap();
    let local: Value = serde_json::from_str(&local).unwrap();
    let text = |name: &str| local[name].as_str().unwrap().to_owned();
    let (endpoint, bucket) = first.host.bucket.rsplit_once('/').unwrap();
    let settings = HostSettings {
        key: Some("hf_neighbour.root.a-first-key-of-another-tenant".to_owned()),
        ..HostSettings::default()
    };
    Running::start(
        settings
            .with("root_secret", text("root_secret"))
            .with("s3_endpoint", endpoint)
            .with("s3_bucket", bucket)
            .with("s3_access_key", text("s3_access_key"))
            .with("s3_secret_key", text("s3_secret_key")),
    )
}

#[test]
fn another_tenant_sees_nothing_of_the_same_user_in_the_same_bucket() {
    let running = by_words();
    let one = Client::new(running.clone());
    let order = plant(&one);
    let user = one.user.clone().unwrap();
    let neighbour = Client::new(Arc::new(second_tenant(&running))).acting_for(&user);
    none_shows(&peek(&neighbour), &order);

    // A key that the neighbour made is good at the first host, which shares the secret, for its own tenant only.
    let key = neighbour.make_key(&json!({"kind": "service", "name": "neighbour key"}));
    assert!(key.starts_with("hf_neighbour."), "{key}");
    let visiting = one.with_key(&key).acting_for(&user);
    visiting.store("own", &json!([{"role": "user", "content": "of the neighbour"}]));
    none_shows(&peek(&visiting), &order);
    one.get(&messages_of("own")).problem(404, "not_found");
    assert!(!one.get("/v1/keys").text.contains("neighbour key"));
    neighbour.send("DELETE", "/v1/keys/root", &[], None).problem(404, "not_found");
}

#[test]
fn a_key_renamed_to_another_tenant_is_none() {
    let client = Client::new(by_words());
    let key = client.make_key(&json!({"kind": "service"}));
    let renamed = key.replacen("hf_default.", "hf_other.", 1);
    client.with_key(&renamed).acting_for("u").get("/v1/sessions").problem(401, "unauthenticated");
}
