//! Bad messages: all are named, none is stored; with `partial=true` the good ones are.

use holdfast_http_tests::{Client, by_words, messages_of};
use serde_json::{Value, json};

fn client() -> Client {
    Client::new(by_words())
}

fn pointers(problem: &Value) -> Vec<&str> {
    let errors = problem["errors"].as_array().expect("errors").iter();
    errors.map(|error| error["pointer"].as_str().expect("a pointer")).collect()
}

const MIXED: &str = r#"{"messages":[
    {"role":"user","content":"good"},
    {"role":"nobody","content":"x"},
    {"role":"user"},
    {"role":"user","content":"also good"},
    {"role":"user","content":"x","event_time":"yesterday","metadata":[]}
]}"#;

#[test]
fn every_bad_item_is_named_with_its_place() {
    let problem = client().post(&messages_of("s"), MIXED).problem(422, "unprocessable");
    let mut found = pointers(&problem);
    found.sort_unstable();
    assert_eq!(
        found,
        [
            "/messages/1/role",
            "/messages/2/content",
            "/messages/4/event_time",
            "/messages/4/metadata"
        ]
    );
    for error in problem["errors"].as_array().unwrap() {
        assert!(error["code"].is_string() && error["detail"].is_string(), "{error}");
    }
}

#[test]
fn nothing_of_a_batch_with_a_bad_item_is_stored() {
    let client = client();
    let problem = client.post(&messages_of("s"), MIXED).problem(422, "unprocessable");
    assert_eq!(problem["outcome"], "not_stored");
    client.get(&messages_of("s")).problem(404, "not_found");
    let found = client.post("/v1/search", r#"{"query":"good"}"#).expect_status(200);
    assert_eq!(found.data(), Vec::<Value>::new());
}

#[test]
fn a_partial_store_keeps_the_good_items_and_says_what_became_of_each() {
    let client = client();
    let path = format!("{}?partial=true", messages_of("s"));
    let answer = client.post(&path, MIXED).expect_status(207).json();
    let items = answer["messages"].as_array().unwrap();
    let status: Vec<_> = items.iter().map(|item| item["status"].as_str().unwrap()).collect();
    assert_eq!(status, ["stored", "refused", "refused", "stored", "refused"]);
    assert_eq!(items[1]["errors"][0]["pointer"], "/messages/1/role");
    let read: Vec<_> = client.messages("s").iter().map(|m| m["content"].clone()).collect();
    assert_eq!(read, ["good", "also good"]);
    assert_eq!(client.messages("s")[1]["id"], items[3]["id"]);
}

#[test]
fn a_partial_store_without_a_good_item_is_refused() {
    let client = client();
    let path = format!("{}?partial=true", messages_of("s"));
    client
        .post(&path, r#"{"messages":[{"role":"nobody","content":"x"}]}"#)
        .problem(422, "unprocessable");
    client.get(&messages_of("s")).problem(404, "not_found");
}

#[test]
fn a_replayed_partial_store_stores_nothing_twice() {
    let client = client();
    let path = format!("{}?partial=true", messages_of("s"));
    let header = ("Idempotency-Key", "k");
    let first = client.post_with(&path, header, MIXED).expect_status(207).json();
    let again = client.post_with(&path, header, MIXED).expect_status(207);
    assert_eq!(again.json()["messages"], first["messages"]);
    assert_eq!(client.messages("s").len(), 2);
}

#[test]
fn an_unknown_field_is_refused_and_names_the_nearest_known_one() {
    let answer = client().post(&messages_of("s"), r#"{"role":"user","contents":"x"}"#);
    assert!(matches!(answer.status, 400 | 422), "{}", answer.text);
    let problem = answer.any_problem();
    let errors = problem["errors"].as_array().unwrap();
    let unknown =
        errors.iter().find(|error| error["code"] == "unknown_field").expect("it is named");
    assert_eq!(unknown["pointer"], "/contents");
    assert!(unknown["detail"].as_str().unwrap().contains("`content`"), "{unknown}");
}

#[test]
fn only_an_unknown_field_is_400() {
    let body = r#"{"role":"user","content":"x","colour":"red"}"#;
    client().post(&messages_of("s"), body).problem(400, "unknown_field");
}

#[test]
fn a_field_that_stands_twice_is_refused() {
    let body = r#"{"role":"user","content":"x","content":"y"}"#;
    client().post(&messages_of("s"), body).problem(422, "unprocessable");
}

#[test]
fn an_empty_list_is_refused() {
    client().post(&messages_of("s"), r#"{"messages":[]}"#).problem(422, "unprocessable");
}

#[test]
fn half_of_a_surrogate_pair_is_refused_wherever_it_stands() {
    let client = client();
    for body in [
        r#"{"role":"user","content":"\ud800"}"#,
        r#"{"role":"user","content":"x","metadata":{"\udc00":1}}"#,
        r#"{"role":"user","content":"x","name":"\ud83d\ud83d\ude00"}"#,
    ] {
        client.post(&messages_of("s"), body).problem(422, "unprocessable");
    }
    client.get(&messages_of("s")).problem(404, "not_found");
}

#[test]
fn a_body_that_is_not_utf8_is_refused() {
    let body = b"{\"role\":\"user\",\"content\":\"\xff\xfe\"}";
    client().send("POST", &messages_of("s"), &[], Some(body)).problem(400, "invalid_utf8");
}

#[test]
fn a_body_that_is_not_json_is_refused() {
    for body in
        ["", "{", "nonsense", r#"{"role":"user","content":"x"} trailing"#, "{'role':'user'}"]
    {
        client().post(&messages_of("s"), body).problem(400, "malformed_json");
    }
}

#[test]
fn a_body_of_another_type_is_refused() {
    let header = [("Content-Type", "text/plain")];
    let body = br#"{"role":"user","content":"x"}"#;
    client()
        .send("POST", &messages_of("s"), &header, Some(body))
        .problem(415, "unsupported_media_type");
}

#[test]
fn a_session_id_that_is_too_long_or_holds_control_characters_is_refused() {
    let client = client();
    for id in ["x".repeat(257), "a%0Ab".to_owned(), "a%00b".to_owned()] {
        let answer = client.post(&messages_of(&id), r#"{"role":"user","content":"x"}"#);
        answer.problem(422, "unprocessable");
    }
    assert_eq!(client.get("/v1/sessions").data(), Vec::<Value>::new());
}

#[test]
fn a_vector_that_is_none_is_refused() {
    let client = client();
    for vector in [json!([0.0, 0.0]), json!([]), json!(["x"]), json!("x"), json!([null])] {
        let body = json!({"role": "user", "content": "x", "embedding": {"space": "mine/2", "vector": vector}});
        client.post(&messages_of("s"), &body.to_string()).problem(422, "unprocessable");
    }
    client.get(&messages_of("s")).problem(404, "not_found");
}
