//! Repetitions: the same request stores once; another body under the same name is refused.

use holdfast_http_tests::{Client, by_words, messages_of};
use serde_json::json;

const ONE: &str = r#"{"role":"user","content":"once"}"#;

fn client() -> Client {
    Client::new(by_words())
}

#[test]
fn a_replay_answers_the_same_and_stores_nothing_more() {
    let client = client();
    let header = ("Idempotency-Key", "k1");
    let body = r#"{"messages":[{"role":"user","content":"a"},{"role":"user","content":"b"}]}"#;
    let first = client.post_with(&messages_of("s"), header, body).expect_status(201);
    let again = client.post_with(&messages_of("s"), header, body).expect_status(201);
    assert_eq!(first.json()["messages"], again.json()["messages"]);
    assert_eq!(first.header("idempotency-replayed"), None);
    assert_eq!(again.header("idempotency-replayed"), Some("true"));
    assert_eq!(client.messages("s").len(), 2);
}

#[test]
fn another_body_under_the_same_key_is_refused_and_not_stored() {
    let client = client();
    let header = ("Idempotency-Key", "k1");
    client.post_with(&messages_of("s"), header, ONE).expect_status(201);
    let other = client.post_with(&messages_of("s"), header, r#"{"role":"user","content":"twice"}"#);
    let problem = other.problem(422, "idempotency_mismatch");
    assert_eq!(problem["outcome"], "not_stored");
    assert_eq!(client.messages("s").len(), 1);
}

#[test]
fn a_longer_body_under_the_same_key_is_refused_and_not_stored() {
    let client = client();
    let header = ("Idempotency-Key", "k1");
    client.post_with(&messages_of("s"), header, ONE).expect_status(201);
    let longer = format!(r#"{{"messages":[{ONE},{{"role":"user","content":"more"}}]}}"#);
    client.post_with(&messages_of("s"), header, &longer).problem(422, "idempotency_mismatch");
    assert_eq!(client.messages("s").len(), 1);
}

#[test]
fn a_shorter_body_under_the_same_key_is_refused() {
    let client = client();
    let header = ("Idempotency-Key", "k1");
    let two = format!(r#"{{"messages":[{ONE},{{"role":"user","content":"more"}}]}}"#);
    client.post_with(&messages_of("s"), header, &two).expect_status(201);
    client.post_with(&messages_of("s"), header, ONE).problem(422, "idempotency_mismatch");
}

#[test]
fn the_same_key_in_two_sessions_names_two_requests() {
    let client = client();
    let header = ("Idempotency-Key", "k1");
    let one = client.post_with(&messages_of("s"), header, ONE).expect_status(201).json();
    let other = client.post_with(&messages_of("t"), header, ONE).expect_status(201).json();
    assert_ne!(one["messages"][0]["id"], other["messages"][0]["id"]);
}

#[test]
fn the_same_id_with_the_same_content_is_one_message() {
    let client = client();
    let body = r#"{"role":"user","content":"x","id":"m1"}"#;
    let first = client.post(&messages_of("s"), body).expect_status(201).json();
    let again = client.post(&messages_of("s"), body).expect_status(201).json();
    assert_eq!(first["messages"], again["messages"]);
    assert_eq!(client.messages("s").len(), 1);
}

#[test]
fn the_same_id_with_other_content_conflicts_and_is_not_stored() {
    let client = client();
    client.store("s", &json!([{"role": "user", "content": "x", "id": "m1"}]));
    let answer = client.post(&messages_of("s"), r#"{"role":"user","content":"y","id":"m1"}"#);
    let problem = answer.problem(409, "conflict");
    assert_eq!(problem["outcome"], "not_stored");
    assert_eq!(problem["ids"], json!(["m1"]));
    let read = client.messages("s");
    assert_eq!((read.len(), &read[0]["content"]), (1, &json!("x")));
}

#[test]
fn the_same_id_twice_in_one_request_is_refused_with_its_place() {
    let client = client();
    let body = r#"{"messages":[{"role":"user","content":"x","id":"m1"},{"role":"user","content":"y","id":"m1"}]}"#;
    let problem = client.post(&messages_of("s"), body).problem(422, "unprocessable");
    assert_eq!(problem["pointer"], "/messages/1/id");
    client.get(&messages_of("s")).problem(404, "not_found");
}

#[test]
fn a_request_without_key_and_ids_may_be_sent_twice_on_purpose() {
    let client = client();
    client.post(&messages_of("s"), ONE).expect_status(201);
    client.post(&messages_of("s"), ONE).expect_status(201);
    assert_eq!(client.messages("s").len(), 2);
}

#[test]
fn an_empty_or_endless_key_is_refused() {
    let client = client();
    for key in ["", &"k".repeat(257)] {
        client.post_with(&messages_of("s"), ("Idempotency-Key", key), ONE).problem(400, "invalid");
    }
}

#[test]
fn a_replayed_new_session_is_the_same_session() {
    let client = client();
    let header = ("Idempotency-Key", "k1");
    let first = client.post_with("/v1/sessions", header, r#"{"name":"n"}"#).expect_status(201);
    let again = client.post_with("/v1/sessions", header, r#"{"name":"n"}"#).expect_status(201);
    assert_eq!(first.json(), again.json());
    assert_eq!(again.header("idempotency-replayed"), Some("true"));
    assert_eq!(client.get("/v1/sessions").data().len(), 1);
}

#[test]
fn another_session_under_the_same_key_is_refused() {
    let client = client();
    let header = ("Idempotency-Key", "k1");
    client.post_with("/v1/sessions", header, r#"{"name":"n"}"#).expect_status(201);
    client
        .post_with("/v1/sessions", header, r#"{"name":"m"}"#)
        .problem(422, "idempotency_mismatch");
    assert_eq!(client.get("/v1/sessions").data().len(), 1);
}
