//! Reads as of an earlier time: what had been written by then, with the deletes of today.

use holdfast_http_tests::{Client, by_words, fresh, messages_of};
use serde_json::{Value, json};

fn said(client: &Client, text: &str) -> (String, String) {
    let id = client.store("s", &json!([{"role": "user", "content": text}])).remove(0);
    let path = format!("{}/{id}", messages_of("s"));
    let stored = client.get(&path).expect_status(200).json();
    (id, stored["stored_at"].as_str().unwrap().to_owned())
}

/// Texts of the session as of a time, and what they were asked with.
fn as_of(client: &Client, time: &str, more: &str) -> Value {
    client.get(&format!("{}?as_of={time}{more}", messages_of("s"))).expect_status(200).json()
}

fn texts(page: &Value) -> Vec<&str> {
    page["data"].as_array().unwrap().iter().map(|m| m["content"].as_str().unwrap()).collect()
}

/// Two messages, a time, and one that was stored after it.
fn history() -> (Client, Vec<String>, String) {
    let client = Client::new(by_words());
    client.post("/v1/sessions", r#"{"id":"s","name":"first"}"#).expect_status(201);
    let (first, _) = said(&client, "one");
    let (second, time) = said(&client, "two");
    after(&client, &time);
    client.send("PATCH", "/v1/sessions/s", &[], Some(br#"{"name":"later"}"#)).expect_status(200);
    let (third, _) = said(&client, "three");
    (client, vec![first, second, third], time)
}

/// Waits until what is stored is of a later millisecond: a time is all of one.
fn after(client: &Client, time: &str) {
    let client = client.acting_for(&fresh("clock"));
    let tick = json!([{"role": "user", "content": "tick"}]);
    let stored = |id: &str| client.get(&format!("{}/{id}", messages_of("clock"))).json();
    let moved = |id: &str| stored(id)["stored_at"].as_str().unwrap() > time;
    while !moved(&client.store("clock", &tick)[0]) {}
}

#[test]
fn a_page_as_of_a_time_ends_there_and_cursors_serve_that_time_only() {
    let (client, ids, time) = history();
    let page = as_of(&client, &time, "");
    assert_eq!(texts(&page), ["one", "two"], "{page}");
    assert!(
        page["data"]
            .as_array()
            .unwrap()
            .iter()
            .all(|m| m["stored_at"].as_str().unwrap() <= time.as_str())
    );
    assert!(client.messages("s").len() > 2);
    let path = format!("{}/{}?as_of={time}", messages_of("s"), ids[2]);
    client.get(&path).problem(404, "not_found");
    client.get(&format!("{}/{}?as_of={time}", messages_of("s"), ids[0])).expect_status(200);
    let first = as_of(&client, &time, "&limit=1");
    let cursor = first["next_cursor"].as_str().unwrap();
    assert_eq!(texts(&as_of(&client, &time, &format!("&limit=1&cursor={cursor}"))), ["two"]);
    client.get(&format!("{}?cursor={cursor}", messages_of("s"))).problem(400, "invalid_cursor");
}

#[test]
fn a_session_as_of_a_time_has_the_fields_and_counts_of_then() {
    let (client, _, time) = history();
    let now = client.get("/v1/sessions/s").expect_status(200).json();
    assert_eq!(now["name"], "later");
    let then = client.get(&format!("/v1/sessions/s?as_of={time}")).expect_status(200).json();
    assert_eq!(then["name"], "first");
    assert_eq!((&then["message_count"], &now["message_count"]), (&json!(2), &json!(3)));
    let listed = client.get(&format!("/v1/sessions?as_of={time}")).data();
    assert_eq!(listed, [then]);
    assert!(client.get("/v1/sessions?as_of=2001-01-01T00:00:00Z").data().is_empty());
    client.get("/v1/sessions/s?as_of=2001-01-01T00:00:00Z").problem(404, "not_found");
}

#[test]
fn what_is_deleted_today_is_not_in_the_past_either() {
    let (client, ids, time) = history();
    let path = format!("{}/{}", messages_of("s"), ids[0]);
    client.send("DELETE", &path, &[], None).expect_status(204);
    let page = as_of(&client, &time, "");
    assert_eq!(texts(&page), ["two"]);
    assert_eq!(page["data"][0]["index"], 2, "a deleted message keeps its rank");
}

#[test]
fn what_is_no_time_is_refused() {
    let client = Client::new(by_words());
    for path in [messages_of("s"), "/v1/sessions".to_owned()] {
        let problem = client.get(&format!("{path}?as_of=yesterday")).any_problem();
        assert_eq!(problem["pointer"], "as_of");
    }
}

#[test]
fn as_of_a_time_an_entry_a_preference_and_a_relationship_are_those_of_then() {
    let user = fresh("past").replace(' ', "-");
    let client = Client { user: Some(user.clone()), ..Client::new(by_words()) };
    for session in ["s", "t"] {
        client.store(session, &json!([{"role": "user", "content": "x"}]));
    }
    let entry = "/v1/sessions/s/contexts/project/deadline";
    let preferences = format!("/v1/users/{user}/preferences");
    let preference = format!("{preferences}/tone");
    let relationships = "/v1/sessions/s/relationships";
    let set = |value: &str, score: f64, status: u16| {
        let body = json!({"value": value}).to_string();
        client.send("PUT", entry, &[], Some(body.as_bytes())).expect_status(status);
        client.send("PUT", &preference, &[], Some(body.as_bytes())).expect_status(status);
        let related = json!({"target_session_id": "t", "type": "similar", "score": score});
        client.post(relationships, &related.to_string()).expect_status(status);
    };
    set("then", 0.25, 201);
    let (_, time) = said(&client, "after it");
    after(&client, &time);
    set("now", 0.75, 200);
    let then = format!("?as_of={time}");
    for (query, value, score) in [("", "now", 0.75), (then.as_str(), "then", 0.25)] {
        let read = |path: &str| client.get(&format!("{path}{query}")).expect_status(200);
        assert_eq!(read(entry).json()["value"], value);
        assert_eq!(read("/v1/sessions/s/contexts").data()[0]["value"], value);
        assert_eq!(read(&preference).json()["value"], value);
        assert_eq!(read(&preferences).data()[0]["value"], value);
        let related = read(relationships).data();
        assert_eq!((related.len(), &related[0]["score"]), (1, &json!(score)));
    }
    for path in [entry, &preference] {
        let before = format!("{path}?as_of=2020-01-01T00:00:00Z");
        client.get(&before).problem(404, "not_found");
    }
    let timeline = client.get(&format!("/v1/users/{user}/timeline{then}"));
    assert_eq!(timeline.problem(400, "invalid")["pointer"], "as_of");
}
