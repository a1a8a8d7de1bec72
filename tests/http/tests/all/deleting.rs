//! Deletes: what is deleted leaves every answer and never comes back, and nobody else's goes.

use holdfast_http_tests::{Answer, Client, by_words, messages_of};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

const GONE: &str = "marzipan lighthouse";

fn client() -> Client {
    Client::new(by_words())
}

fn delete(client: &Client, path: &str) -> Answer {
    client.send("DELETE", path, &[], None)
}

fn message(session: &str, id: &str) -> String {
    format!("{}/{id}", messages_of(session))
}

/// Three messages, of which the second holds what is looked for.
fn three(client: &Client) {
    let text = format!("we met at the {GONE}");
    client.store(
        "s",
        &json!([
            {"role": "user", "content": "one", "id": "m1"},
            {"role": "user", "content": text, "id": "m2", "name": "Tobias"},
            {"role": "user", "content": "three", "id": "m3"},
        ]),
    );
}

fn found(client: &Client, query: &str) -> Vec<String> {
    let body = json!({"query": query, "mode": "keyword"}).to_string();
    let hits = client.post("/v1/search", &body).expect_status(200).data();
    hits.iter().map(|hit| hit["message"]["id"].as_str().unwrap().to_owned()).collect()
}

fn ranks(client: &Client, session: &str) -> Vec<(String, u64)> {
    let rank = |message: &Value| {
        (message["id"].as_str().unwrap().to_owned(), message["index"].as_u64().unwrap())
    };
    client.messages(session).iter().map(rank).collect()
}

fn ranked(all: &[(&str, u64)]) -> Vec<(String, u64)> {
    all.iter().map(|(id, rank)| ((*id).to_owned(), *rank)).collect()
}

#[test]
fn a_deleted_message_leaves_reads_search_context_and_counts_and_the_others_keep_their_index() {
    let client = client();
    three(&client);
    assert!(found(&client, GONE).contains(&"m2".to_owned()));
    let answer = delete(&client, &message("s", "m2")).expect_status(204);
    assert!(answer.text.is_empty() && answer.header("content-type").is_none());
    assert!(answer.header("holdfast-after").is_some());
    client.get(&message("s", "m2")).problem(404, "not_found");
    assert_eq!(ranks(&client, "s"), ranked(&[("m1", 1), ("m3", 3)]));
    assert!(!found(&client, GONE).contains(&"m2".to_owned()));
    assert_eq!(client.get("/v1/sessions/s").json()["message_count"], 2);
    let body = json!({"query": GONE, "session_id": "s", "max_tokens": 1_000}).to_string();
    let context = client.post("/v1/context", &body).expect_status(200);
    assert!(!context.text.contains(GONE), "{}", context.text);
}

#[test]
fn deleting_a_message_twice_is_not_an_error_and_one_that_never_was_there_is_not_found() {
    let client = client();
    three(&client);
    delete(&client, &message("s", "m2")).expect_status(204);
    let again = delete(&client, &message("s", "m2")).expect_status(204);
    assert!(again.header("holdfast-after").is_some());
    delete(&client, &message("s", "nothing")).problem(404, "not_found");
    delete(&client, &message("nothing", "m1")).problem(404, "not_found");
    // What was not there was not deleted: it can be stored.
    client.store("s", &json!([{"role": "user", "content": "four", "id": "nothing"}]));
    assert_eq!(ranks(&client, "s"), ranked(&[("m1", 1), ("m3", 3), ("nothing", 4)]));
}

#[test]
fn an_id_that_was_deleted_is_gone_for_ever() {
    let client = client();
    three(&client);
    delete(&client, &message("s", "m2")).expect_status(204);
    for content in ["other words", GONE] {
        let body = json!({"role": "user", "content": content, "id": "m2"}).to_string();
        let problem = client.post(&messages_of("s"), &body).problem(410, "gone");
        assert_eq!(
            (&problem["pointer"], &problem["outcome"]),
            (&json!("id"), &json!("not_stored"))
        );
    }
    let batch = json!({"messages": [
        {"role": "user", "content": "x", "id": "m4"}, {"role": "user", "content": "y", "id": "m2"},
    ]});
    client.post(&messages_of("s"), &batch.to_string()).problem(410, "gone");
    assert_eq!(ranks(&client, "s"), ranked(&[("m1", 1), ("m3", 3)]));
    // The id is free in every other session.
    client.store("t", &json!([{"role": "user", "content": "x", "id": "m2"}]));
}

#[test]
fn a_store_that_is_repeated_after_its_delete_is_gone() {
    let client = client();
    let store = |body: &str| client.post_with(&messages_of("s"), ("Idempotency-Key", "once"), body);
    let body = r#"{"role":"user","content":"x"}"#;
    let stored = store(body).expect_status(201).json();
    let id = stored["messages"][0]["id"].as_str().unwrap().to_owned();
    delete(&client, &message("s", &id)).expect_status(204);
    store(body).problem(410, "gone");
    client.get("/v1/sessions/s").problem(404, "not_found");
}

#[test]
fn a_deleted_session_is_gone_with_everything_in_it() {
    let client = client();
    three(&client);
    client.store("t", &json!([{"role": "user", "content": "stays", "id": "m1"}]));
    let named = client.send("PATCH", "/v1/sessions/s", &[], Some(br#"{"name":"old"}"#));
    named.expect_status(200);
    let answer = delete(&client, "/v1/sessions/s").expect_status(204);
    assert!(answer.text.is_empty() && answer.header("holdfast-after").is_some());
    client.get("/v1/sessions/s").problem(404, "not_found");
    client.get(&messages_of("s")).problem(404, "not_found");
    client.get(&message("s", "m1")).problem(404, "not_found");
    assert!(found(&client, GONE).is_empty());
    let sessions = client.get("/v1/sessions").expect_status(200).data();
    let ids: Vec<_> = sessions.iter().map(|session| session["id"].clone()).collect();
    assert_eq!(ids, [json!("t")]);
    assert_eq!(ranks(&client, "t"), ranked(&[("m1", 1)]));
}

#[test]
fn deleting_a_session_twice_is_not_an_error_and_one_that_never_was_there_is_not_found() {
    let client = client();
    client.post("/v1/sessions", r#"{"id":"s"}"#).expect_status(201);
    delete(&client, "/v1/sessions/s").expect_status(204);
    delete(&client, "/v1/sessions/s").expect_status(204);
    delete(&client, "/v1/sessions/nothing").problem(404, "not_found");
}

#[test]
fn a_store_after_a_delete_opens_the_session_anew_and_empty() {
    let client = client();
    client.post("/v1/sessions", r#"{"id":"s","name":"old","metadata":{"a":1}}"#).expect_status(201);
    three(&client);
    delete(&client, "/v1/sessions/s").expect_status(204);
    // The same ids, one with the same content.
    client.store(
        "s",
        &json!([
            {"role": "user", "content": "three", "id": "m3"},
            {"role": "user", "content": "new", "id": "m1"},
        ]),
    );
    assert_eq!(ranks(&client, "s"), ranked(&[("m3", 1), ("m1", 2)]));
    let session = client.get("/v1/sessions/s").expect_status(200).json();
    assert_eq!((&session["message_count"], &session["name"]), (&json!(2), &Value::Null));
    assert_eq!(session["metadata"], json!({}));
    assert!(found(&client, GONE).is_empty());
    client.get(&message("s", "m2")).problem(404, "not_found");
    let made = client.post("/v1/sessions", r#"{"id":"s","name":"new"}"#).expect_status(201);
    assert_eq!(made.json()["name"], "new");
}

#[test]
fn a_deleted_session_can_be_deleted_again_once_it_was_opened_anew() {
    let client = client();
    for round in ["first", "second"] {
        client.store("s", &json!([{"role": "user", "content": round, "id": "m"}]));
        delete(&client, "/v1/sessions/s").expect_status(204);
        client.get("/v1/sessions/s").problem(404, "not_found");
        assert!(found(&client, round).is_empty());
    }
}

#[test]
fn messages_that_share_an_id_are_deleted_together_and_by_that_id() {
    let client = client();
    client.store("s", &json!([{"role": "user", "content": "x", "id": "a~b"}]));
    client.store("s", &json!([{"role": "user", "content": "y", "id": "m"}]));
    // Another name of the same message: `<id>~<8 hex of its digest>`.
    let digest = Sha256::digest(br#"{"role":"user","content":"y"}"#);
    let other: String = digest[..4].iter().map(|byte| format!("{byte:02x}")).collect();
    let other = message("s", &format!("m~{other}"));
    assert_eq!(client.get(&other).expect_status(200).json()["id"], "m");
    delete(&client, &other).problem(409, "conflict");
    for id in ["a~b", "m"] {
        delete(&client, &message("s", id)).expect_status(204);
    }
    client.get(&other).problem(404, "not_found");
    client.get("/v1/sessions/s").problem(404, "not_found");
}

#[test]
fn another_users_data_stays_as_it_was() {
    let (mine, other) = (client(), client());
    for client in [&mine, &other] {
        three(client);
    }
    delete(&mine, &message("s", "m2")).expect_status(204);
    assert_eq!(ranks(&other, "s"), ranked(&[("m1", 1), ("m2", 2), ("m3", 3)]));
    assert!(found(&other, GONE).contains(&"m2".to_owned()));
    delete(&mine, "/v1/sessions/s").expect_status(204);
    assert_eq!(other.messages("s").len(), 3);
}

#[test]
fn a_delete_needs_its_permission() {
    let client = client();
    three(&client);
    let user = client.user.clone().unwrap();
    let plain = client.make_key(&json!({"kind": "user", "user_id": user}));
    let deleter = client.make_key(
        &json!({"kind": "user", "user_id": user, "permissions": ["read", "write", "delete"]}),
    );
    for path in [message("s", "m2"), "/v1/sessions/s".to_owned()] {
        delete(&client.with_key(&plain), &path).problem(403, "denied");
        assert_eq!(client.messages("s").len(), 3);
    }
    delete(&client.with_key(&deleter), &message("s", "m2")).expect_status(204);
    delete(&client.with_key(&deleter), "/v1/sessions/s").expect_status(204);
}

#[test]
fn a_token_of_a_delete_can_be_read_with_and_written_after() {
    let client = client();
    three(&client);
    let deleted = delete(&client, &message("s", "m2")).expect_status(204);
    let after = deleted.header("holdfast-after").unwrap();
    let page = client.send("GET", &messages_of("s"), &[("Holdfast-After", after)], None);
    assert_eq!(page.expect_status(200).data().len(), 2);
    let body = br#"{"role":"user","content":"x","id":"m4"}"#;
    let stored = client.send("POST", &messages_of("s"), &[("Holdfast-After", after)], Some(body));
    stored.expect_status(201);
    assert_eq!(ranks(&client, "s"), ranked(&[("m1", 1), ("m3", 3), ("m4", 4)]));
}

#[test]
fn a_cursor_goes_on_after_a_message_that_was_deleted() {
    let client = client();
    three(&client);
    let path = messages_of("s");
    let first = client.get(&format!("{path}?limit=2")).expect_status(200).json();
    let cursor = first["next_cursor"].as_str().unwrap();
    delete(&client, &message("s", "m2")).expect_status(204);
    let rest = client.get(&format!("{path}?limit=2&cursor={cursor}")).expect_status(200).json();
    let ids: Vec<_> = rest["data"].as_array().unwrap().iter().map(|m| m["id"].clone()).collect();
    assert_eq!((ids, &rest["has_more"]), (vec![json!("m3")], &json!(false)));
    assert_eq!(rest.get("late"), None);
}

#[test]
fn what_a_delete_does_not_know_is_refused() {
    let client = client();
    three(&client);
    delete(&client, &format!("{}?cascade=true", message("s", "m2"))).any_problem();
    delete(&client, "/v1/sessions/s?cascade=true").any_problem();
    assert_eq!(client.messages("s").len(), 3);
    let put = client.send("PUT", "/v1/sessions/s", &[], Some(b"{}"));
    assert_eq!(put.header("allow"), Some("DELETE, GET, PATCH"));
    let put = client.send("PUT", &message("s", "m2"), &[], Some(b"{}"));
    assert_eq!(put.header("allow"), Some("DELETE, GET"));
}
