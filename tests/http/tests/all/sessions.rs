//! Sessions: made, read, listed by last activity, changed under conditions.

use holdfast_http_tests::{Answer, Client, by_words, messages_of};
use serde_json::{Value, json};

const PATH: &str = "/v1/sessions";

fn client() -> Client {
    Client::new(by_words())
}

fn patch(client: &Client, id: &str, headers: &[(&str, &str)], body: &str) -> Answer {
    client.send("PATCH", &format!("{PATH}/{id}"), headers, Some(body.as_bytes()))
}

fn ids(client: &Client, query: &str) -> Vec<String> {
    let found = client.get(&format!("{PATH}{query}")).expect_status(200).data();
    found.iter().map(|session| session["id"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_session_is_made_and_read_back() {
    let client = client();
    let body = r#"{"id":"trip","name":"A trip","type":"planning","metadata":{"team":"red"}}"#;
    let made = client.post(PATH, body).expect_status(201);
    let read = client.get("/v1/sessions/trip").expect_status(200);
    assert_eq!(made.json(), read.json());
    let session = read.json();
    assert_eq!(session["name"], "A trip");
    assert_eq!(session["type"], "planning");
    assert_eq!(session["status"], "active");
    assert_eq!(session["metadata"], json!({"team": "red"}));
    assert_eq!(made.header("etag"), read.header("etag"));
}

#[test]
fn a_session_without_an_id_gets_one() {
    let client = client();
    let first = client.post(PATH, "{}").expect_status(201).json();
    let other = client.post(PATH, "{}").expect_status(201).json();
    assert_ne!(first["id"], other["id"]);
    assert_eq!(first["type"], "conversation");
    client.get(&format!("{PATH}/{}", first["id"].as_str().unwrap())).expect_status(200);
}

#[test]
fn the_same_session_again_is_200_and_changes_nothing() {
    let client = client();
    let body = r#"{"id":"s","name":"n","metadata":{"a":1}}"#;
    let first = client.post(PATH, body).expect_status(201);
    let again = client.post(PATH, body).expect_status(200);
    assert_eq!(first.json(), again.json());
    assert_eq!(first.header("etag"), again.header("etag"));
}

#[test]
fn a_session_that_differs_conflicts_and_stays_as_it_was() {
    let client = client();
    client.post(PATH, r#"{"id":"s","name":"n"}"#).expect_status(201);
    client.post(PATH, r#"{"id":"s","name":"other"}"#).problem(409, "conflict");
    assert_eq!(client.get("/v1/sessions/s").json()["name"], "n");
}

#[test]
fn an_unknown_session_is_not_found() {
    let client = client();
    client.get("/v1/sessions/nothing").problem(404, "not_found");
    patch(&client, "nothing", &[], r#"{"name":"n"}"#).problem(404, "not_found");
}

#[test]
fn a_message_makes_its_session() {
    let client = client();
    client.store("s", &json!([{"role": "user", "content": "x"}, {"role": "user", "content": "y"}]));
    let session = client.get("/v1/sessions/s").expect_status(200).json();
    assert_eq!(session["message_count"], 2);
    assert_eq!(session["type"], "conversation");
    assert_eq!(session["name"], Value::Null);
}

#[test]
fn a_session_that_a_message_made_can_be_named() {
    let client = client();
    client.store("s", &json!([{"role": "user", "content": "x"}]));
    patch(&client, "s", &[], r#"{"name":"named"}"#).expect_status(200);
    let session = client.get("/v1/sessions/s").json();
    assert_eq!((&session["name"], &session["message_count"]), (&json!("named"), &json!(1)));
}

#[test]
fn a_change_sets_what_it_names_and_leaves_the_rest() {
    let client = client();
    let body = r#"{"id":"s","name":"n","type":"t","metadata":{"a":1}}"#;
    client.post(PATH, body).expect_status(201);
    let changed = patch(&client, "s", &[], r#"{"status":"archived"}"#).expect_status(200);
    let read = client.get("/v1/sessions/s").expect_status(200);
    assert_eq!(changed.json(), read.json());
    assert_eq!(read.json()["status"], "archived");
    assert_eq!(read.json()["name"], "n");
    assert_eq!(read.json()["metadata"], json!({"a": 1}));
    assert_eq!(changed.header("etag"), read.header("etag"));
}

#[test]
fn a_change_under_the_etag_of_now_is_made() {
    let client = client();
    let made = client.post(PATH, r#"{"id":"s","name":"n"}"#).expect_status(201);
    let etag = made.header("etag").unwrap();
    let changed = patch(&client, "s", &[("If-Match", etag)], r#"{"name":"m"}"#).expect_status(200);
    assert_ne!(changed.header("etag"), Some(etag));
}

#[test]
fn a_change_under_an_old_etag_is_refused_and_not_made() {
    let client = client();
    let made = client.post(PATH, r#"{"id":"s","name":"n"}"#).expect_status(201);
    let etag = made.header("etag").unwrap();
    patch(&client, "s", &[], r#"{"name":"m"}"#).expect_status(200);
    let late = patch(&client, "s", &[("If-Match", etag)], r#"{"name":"late"}"#);
    late.problem(412, "precondition_failed");
    assert_eq!(client.get("/v1/sessions/s").json()["name"], "m");
}

#[test]
fn a_change_of_nothing_is_refused() {
    let client = client();
    client.post(PATH, r#"{"id":"s"}"#).expect_status(201);
    patch(&client, "s", &[], "{}").problem(422, "unprocessable");
}

#[test]
fn an_unknown_status_is_refused() {
    let client = client();
    client.post(PATH, r#"{"id":"s"}"#).expect_status(201);
    patch(&client, "s", &[], r#"{"status":"burnt"}"#).problem(422, "unprocessable");
}

#[test]
fn sessions_are_listed_by_last_activity_newest_first() {
    let client = client();
    for id in ["a", "b", "c"] {
        client.post(PATH, &json!({"id": id}).to_string()).expect_status(201);
    }
    assert_eq!(ids(&client, ""), ["c", "b", "a"]);
    client.store("a", &json!([{"role": "user", "content": "again"}]));
    assert_eq!(ids(&client, ""), ["a", "c", "b"]);
    assert_eq!(ids(&client, "?order=asc"), ["b", "c", "a"]);
}

#[test]
fn pages_of_sessions_are_the_whole() {
    let client = client();
    for n in 0..7 {
        client.store(&format!("s{n}"), &json!([{"role": "user", "content": "x"}]));
    }
    let whole = ids(&client, "");
    assert_eq!(whole.len(), 7);
    let (mut found, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = client.get(&format!("{PATH}?limit=3{cursor}")).expect_status(200).json();
        found.extend(
            page["data"].as_array().unwrap().iter().map(|s| s["id"].as_str().unwrap().to_owned()),
        );
        let Some(next) = page["next_cursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    assert_eq!(found, whole);
}

#[test]
fn metadata_of_a_session_comes_back_byte_for_byte() {
    let client = client();
    let metadata = "{ \"b\" : 1.0, \"a\":12345678901234567890123, \"\\u00e9\": [ ] }";
    client.post(PATH, &format!(r#"{{"id":"s","metadata":{metadata}}}"#)).expect_status(201);
    let read = client.get("/v1/sessions/s").expect_status(200).text;
    assert!(read.contains(&format!("\"metadata\":{metadata}")), "{read}");
}

#[test]
fn the_list_shows_the_same_as_the_session_itself() {
    let client = client();
    client.post(PATH, r#"{"id":"s","name":"n","metadata":{"a":[1]}}"#).expect_status(201);
    client.store("s", &json!([{"role": "user", "content": "x"}]));
    assert_eq!(client.get(PATH).data(), [client.get("/v1/sessions/s").json()]);
}

#[test]
fn an_unknown_field_of_a_session_is_refused() {
    let problem = client().post(PATH, r#"{"nmae":"n"}"#).problem(400, "unknown_field");
    assert!(problem["detail"].as_str().unwrap().contains("`name`"), "{problem}");
}

#[test]
fn methods_that_a_session_does_not_take_are_405() {
    let client = client();
    let put = client.send("PUT", PATH, &[], Some(b"{}"));
    assert_eq!(put.header("allow"), Some("GET, POST"));
    put.problem(405, "method_not_allowed");
    client.send("DELETE", &messages_of("s"), &[], None).problem(405, "method_not_allowed");
    client.get("/v1/search").problem(405, "method_not_allowed");
}

#[test]
fn a_path_that_is_no_route_is_404() {
    client().get("/v1/nothing").problem(404, "no_route");
    client().get("/v1/sessions/s/nothing").problem(404, "no_route");
}

#[test]
fn a_request_id_is_echoed() {
    let answer = client().send("GET", PATH, &[("X-Request-Id", "my-request.7")], None);
    assert_eq!(answer.expect_status(200).header("x-request-id"), Some("my-request.7"));
}
