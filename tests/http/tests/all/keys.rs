//! API keys: made, listed, revoked; a key makes no more than it holds, and its text shows once.

use holdfast_http_tests::{Answer, Client, by_words, fresh, messages_of};
use serde_json::{Value, json};

const KEYS: &str = "/v1/keys";
const HELLO: &str = r#"{"role":"user","content":"hello"}"#;

fn root() -> Client {
    Client::new(by_words())
}

fn kid(key: &str) -> &str {
    key.split('.').nth(1).unwrap()
}

fn make(client: &Client, wanted: &Value) -> Answer {
    client.post(KEYS, &wanted.to_string())
}

fn revoke(client: &Client, key: &str) -> Answer {
    client.send("DELETE", &format!("{KEYS}/{}", kid(key)), &[], None)
}

#[test]
fn a_key_shows_its_text_when_it_is_made_and_never_again() {
    let root = root();
    let made =
        make(&root, &json!({"kind": "service", "name": "backend"})).expect_status(201).json();
    let key = made["key"].as_str().unwrap();
    let list = root.get(KEYS).expect_status(200);
    let listed =
        list.data().into_iter().find(|listed| listed["id"] == made["id"]).expect("it is listed");
    assert_eq!(listed["name"], "backend");
    assert_eq!(listed["revoked"], false);
    assert!(!list.text.contains(key.rsplit('.').next().unwrap()), "the secret shows");
}

#[test]
fn a_repetition_makes_the_same_key_and_another_body_is_refused() {
    let root = root();
    let header = ("Idempotency-Key", fresh("make"));
    let header = (header.0, header.1.as_str());
    let wanted = r#"{"kind":"service","name":"backend"}"#;
    let first = root.post_with(KEYS, header, wanted).expect_status(201).json();
    let again = root.post_with(KEYS, header, wanted).expect_status(201).json();
    assert_eq!(first["key"], again["key"]);
    root.post_with(KEYS, header, r#"{"kind":"service"}"#).problem(422, "idempotency_mismatch");
    let key = first["key"].as_str().unwrap();
    root.with_key(key).acting_for("u").get("/v1/sessions").expect_status(200);
    revoke(&root, key).expect_status(200);
    root.post_with(KEYS, header, wanted).problem(422, "idempotency_mismatch");
}

#[test]
fn a_key_of_the_ninth_generation_is_refused_when_it_is_made() {
    let mut client = root();
    for _ in 0..9 {
        let key = client.make_key(&json!({"kind": "admin", "permissions": ["keys", "admin"]}));
        client = client.with_key(&key);
    }
    make(&client, &json!({"kind": "admin", "permissions": ["keys"]})).problem(403, "denied");
}

#[test]
fn a_new_key_works_at_once_under_each_header() {
    let root = root();
    let user = fresh("bound");
    let key = root.make_key(&json!({"kind": "user", "user_id": user}));
    let nobody = Client { key: None, user: None, ..root };
    for header in [
        ("Authorization", format!("Bearer {key}")),
        ("Authorization", format!("Token {key}")),
        ("X-API-Key", key.clone()),
    ] {
        let header = [(header.0, header.1.as_str())];
        nobody.send("GET", "/v1/sessions", &header, None).expect_status(200);
    }
}

#[test]
fn a_revoked_key_is_refused_at_once_where_it_was_not_used_before() {
    let root = root();
    let key = root.make_key(&json!({"kind": "service"}));
    assert_eq!(revoke(&root, &key).expect_status(200).json()["revoked"], true);
    root.with_key(&key).acting_for("u").get("/v1/sessions").problem(401, "unauthenticated");
    revoke(&root, &key).expect_status(200);
}

#[test]
fn a_refusal_says_how_to_authenticate() {
    let nobody = Client { key: None, ..root() };
    let answer = nobody.get("/v1/sessions");
    answer.problem(401, "unauthenticated");
    assert!(answer.header("www-authenticate").is_some_and(|how| how.starts_with("Bearer")));
}

#[test]
fn a_refusal_never_repeats_the_key() {
    let root = root();
    let secret = "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3JldC0";
    let answer = root.with_key(&format!("hf_default.root.{secret}")).get("/v1/sessions");
    assert!(!answer.text.contains(secret));
}

#[test]
fn a_key_makes_no_more_than_it_holds() {
    let root = root();
    let maker =
        root.with_key(&root.make_key(&json!({"kind": "service", "permissions": ["read", "keys"]})));
    for more in [json!(["write"]), json!(["read", "erase"]), json!(["admin"])] {
        make(&maker, &json!({"kind": "service", "permissions": more})).problem(403, "denied");
    }
    make(&maker, &json!({"kind": "service"})).problem(403, "denied");
    make(&maker, &json!({"kind": "service", "permissions": ["read"]})).expect_status(201);
}

#[test]
fn an_admin_key_makes_no_key_that_reads() {
    let root = root();
    let admin = root.with_key(&root.make_key(&json!({"kind": "admin"})));
    make(&admin, &json!({"kind": "service"})).problem(403, "denied");
    make(&admin, &json!({"kind": "user", "user_id": "ann"})).problem(403, "denied");
}

#[test]
fn a_user_key_makes_keys_of_its_own_user_only() {
    let root = root();
    let user = fresh("bound");
    let wanted = json!({"kind": "user", "user_id": user, "permissions": ["read", "write", "keys"]});
    let bound = root.with_key(&root.make_key(&wanted));
    make(&bound, &json!({"kind": "user", "user_id": user})).expect_status(201);
    make(&bound, &json!({"kind": "user", "user_id": "other"})).problem(403, "denied");
    make(&bound, &json!({"kind": "service", "permissions": ["read"]})).problem(403, "denied");
    make(&bound, &json!({"kind": "admin", "permissions": ["keys"]})).problem(403, "denied");
}

#[test]
fn a_user_key_lists_and_revokes_keys_of_its_own_user_only() {
    let root = root();
    let user = fresh("bound");
    let wanted = json!({"kind": "user", "user_id": user, "permissions": ["read", "keys"]});
    let bound = root.with_key(&root.make_key(&wanted));
    let foreign = root.make_key(&json!({"kind": "user", "user_id": "other"}));
    let listed = bound.get(KEYS).expect_status(200).data();
    assert!(!listed.is_empty() && listed.iter().all(|key| key["user_id"] == user), "{listed:?}");
    revoke(&bound, &foreign).problem(404, "not_found");
    root.with_key(&foreign).get("/v1/sessions").expect_status(200);
}

#[test]
fn a_user_key_names_its_user_and_others_name_none() {
    let root = root();
    make(&root, &json!({"kind": "user"})).problem(422, "unprocessable");
    make(&root, &json!({"kind": "service", "user_id": "ann"})).problem(422, "unprocessable");
    make(&root, &json!({"kind": "admin", "user_id": "ann"})).problem(422, "unprocessable");
}

#[test]
fn unknown_kinds_permissions_and_fields_are_refused() {
    let root = root();
    make(&root, &json!({"kind": "god"})).problem(422, "unprocessable");
    make(&root, &json!({"kind": "service", "permissions": ["read", "fly"]}))
        .problem(422, "unprocessable");
    make(&root, &json!({"kind": "service", "tenant": "other"})).problem(400, "unknown_field");
}

#[test]
fn an_unknown_key_cannot_be_revoked() {
    root().send("DELETE", "/v1/keys/nothing", &[], None).problem(404, "not_found");
}

#[test]
fn a_user_key_without_roles_stores_user_messages_only() {
    let root = root();
    let bound = root.with_key(&root.make_key(&json!({"kind": "user", "user_id": fresh("bound")})));
    for role in ["system", "assistant", "tool"] {
        let body = json!({"messages": [{"role": "user", "content": "x"}, {"role": role, "content": "y", "tool_call_id": "c"}]});
        let problem = bound.post(&messages_of("s"), &body.to_string()).problem(403, "denied");
        assert_eq!(problem["pointer"], "/messages/1/role", "{role}");
        assert_eq!(problem["outcome"], "not_stored");
    }
    bound.get(&messages_of("s")).problem(404, "not_found");
    bound.post(&messages_of("s"), HELLO).expect_status(201);
}

#[test]
fn the_place_of_a_foreign_role_is_named_in_a_single_message_too() {
    let root = root();
    let bound = root.with_key(&root.make_key(&json!({"kind": "user", "user_id": fresh("bound")})));
    let problem =
        bound.post(&messages_of("s"), r#"{"role":"system","content":"x"}"#).problem(403, "denied");
    assert_eq!(problem["pointer"], "/role");
}

#[test]
fn a_user_key_without_roles_cannot_bring_them_in_through_another_format() {
    let root = root();
    let bound = root.with_key(&root.make_key(&json!({"kind": "user", "user_id": fresh("bound")})));
    let langchain = r#"[{"type":"system","data":{"content":"x"}}]"#;
    bound.post(&format!("{}?format=langchain", messages_of("s")), langchain).problem(403, "denied");
    let openai = r#"[{"role":"developer","content":"x"}]"#;
    bound.post(&format!("{}?format=openai", messages_of("s")), openai).problem(403, "denied");
    let partial = r#"{"messages":[{"role":"assistant","content":"x"},{"role":"none"}]}"#;
    bound.post(&format!("{}?partial=true", messages_of("s")), partial).problem(403, "denied");
    bound.get(&messages_of("s")).problem(404, "not_found");
}

#[test]
fn a_user_key_with_roles_stores_them_all() {
    let root = root();
    let wanted = json!({"kind": "user", "user_id": fresh("bound"), "permissions": ["read", "write", "roles"]});
    let bound = root.with_key(&root.make_key(&wanted));
    bound.store(
        "s",
        &json!([{"role": "system", "content": "x"}, {"role": "assistant", "content": "y"}]),
    );
    assert_eq!(bound.messages("s").len(), 2);
}

#[test]
fn a_made_up_host_header_is_refused_on_loopback() {
    let answer = root().send("GET", "/v1/sessions", &[("Host", "evil.example")], None);
    answer.problem(403, "denied");
}
