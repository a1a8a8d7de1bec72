//! What is stored comes back: one message or a batch, every role and field, byte for byte, in order.

use holdfast_http_tests::{Client, by_words, fresh, messages_of};
use serde_json::{Value, json};

fn client() -> Client {
    Client::new(by_words())
}

/// The text of the value of `field` in a body, from the beginning of the value on.
fn raw_value<'a>(text: &'a str, field: &str) -> &'a str {
    let name = format!("\"{field}\":");
    text.split_once(&name).unwrap_or_else(|| panic!("no {field} in {text}")).1
}

#[test]
fn one_message_is_stored_and_read_back() {
    let client = client();
    let stored = client.post(&messages_of("s"), r#"{"role":"user","content":"hello"}"#);
    let stored = stored.expect_status(201).json();
    let read = client.messages("s");
    assert_eq!(read.len(), 1);
    assert_eq!(read[0]["content"], "hello");
    assert_eq!(read[0]["role"], "user");
    assert_eq!(read[0]["id"], stored["messages"][0]["id"]);
    assert_eq!(read[0]["order"], stored["messages"][0]["order"]);
}

#[test]
fn the_answer_of_a_store_has_the_form_that_clients_rely_on() {
    let body = r#"{"messages":[{"role":"user","content":"a"},{"role":"user","content":"b"}]}"#;
    let answer = client().post(&messages_of("s"), body).expect_status(201);
    let stored = answer.json();
    assert_eq!(stored["indexed"], true);
    assert_eq!(stored.as_object().unwrap().len(), 2);
    for message in stored["messages"].as_array().unwrap() {
        let mut names: Vec<&String> = message.as_object().unwrap().keys().collect();
        names.sort();
        assert_eq!(names, ["id", "order", "status"]);
        assert_eq!(message["status"], "stored");
    }
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_eq!(answer.header("vary"), Some("Authorization, Holdfast-User"));
    assert!(answer.header("holdfast-after").is_some_and(|token| token.contains('.')));
}

#[test]
fn a_page_of_messages_has_the_form_that_clients_rely_on() {
    let client = client();
    client.store("s", &json!([{"role": "user", "content": "a"}]));
    let page = client.get(&messages_of("s")).expect_status(200).json();
    assert_eq!(page["next_cursor"], Value::Null);
    assert_eq!(page["has_more"], false);
    let message = page["data"][0].as_object().unwrap();
    for field in
        ["id", "index", "order", "role", "name", "content", "metadata", "event_time", "stored_at"]
    {
        assert!(message.contains_key(field), "{field}");
    }
    assert_eq!(message["index"], 1);
    assert!(message["stored_at"].as_str().unwrap().ends_with('Z'));
}

#[test]
fn all_four_roles_come_back_in_the_order_in_which_they_came() {
    let client = client();
    client.store(
        "s",
        &json!([
            {"role": "system", "content": "be brief"},
            {"role": "user", "content": "what is the weather?"},
            {"role": "assistant", "content": null, "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "weather", "arguments": "{}"}}]},
            {"role": "tool", "content": "rain", "tool_call_id": "c1"},
        ]),
    );
    let read = client.messages("s");
    let roles: Vec<_> = read.iter().map(|message| message["role"].as_str().unwrap()).collect();
    assert_eq!(roles, ["system", "user", "assistant", "tool"]);
    let ranks: Vec<_> = read.iter().map(|message| message["index"].as_u64().unwrap()).collect();
    assert_eq!(ranks, [1, 2, 3, 4]);
}

#[test]
fn metadata_comes_back_byte_for_byte() {
    let client = client();
    let metadata = "{ \"b\" : 1.0,\n\t\"a\":12345678901234567890123456789, \"e\": 1e400, \"\\u00e9\": \"\\/\u{1f600}\",\"z\":[ ] }";
    let body = format!(r#"{{"role":"user","content":"x","metadata":{metadata}}}"#);
    client.post(&messages_of("s"), &body).expect_status(201);
    let read = client.get(&messages_of("s")).text;
    assert!(raw_value(&read, "metadata").starts_with(metadata), "{read}");
}

#[test]
fn content_comes_back_byte_for_byte_whatever_it_holds() {
    let client = client();
    for text in [
        "  leading and trailing \n\n",
        "\r\n\t\u{0}\u{7f}\u{85}\u{2028}\u{feff}",
        "naïve e\u{301} 日本語 👩‍👩‍👧 العربية",
        "{{x}} <script>alert(1)</script> %00 \\u0041",
        "",
    ] {
        let session = fresh("bytes");
        client.store(&session, &json!([{"role": "user", "content": text}]));
        assert_eq!(client.messages(&session)[0]["content"], text, "{text:?}");
    }
}

#[test]
fn blocks_and_extra_and_tool_calls_come_back_byte_for_byte() {
    let client = client();
    let blocks = r#"[ {"type":"text", "text":"h\u00e9"},{"type":"image_url","image_url":{"url":"https://example.com/a?b=c#d"}}, "plain" ]"#;
    let calls =
        r#"[ {"id" : "c1","type":"function","function":{"name":"f","arguments":"{\"x\": 1}"}} ]"#;
    let extra = r#"{ "vendor" : 1.50 }"#;
    let body = format!(
        r#"{{"role":"assistant","content":{blocks},"tool_calls":{calls},"extra":{extra}}}"#
    );
    client.post(&messages_of("s"), &body).expect_status(201);
    let read = client.get(&messages_of("s")).text;
    for (field, text) in [("content", blocks), ("tool_calls", calls), ("extra", extra)] {
        assert!(raw_value(&read, field).starts_with(text), "{field}: {read}");
    }
}

#[test]
fn name_parent_and_event_time_are_kept_as_the_caller_gave_them() {
    let client = client();
    client.store("s", &json!([{"role": "user", "content": "first", "id": "m1"}]));
    let time = "2019-02-03T04:05:06.789+02:00";
    client.store(
        "s",
        &json!([{"role": "user", "content": "x", "id": "m2", "name": "Zoë 😀", "parent_id": "m1", "event_time": time}]),
    );
    let read = &client.messages("s")[1];
    assert_eq!(read["name"], "Zoë 😀");
    assert_eq!(read["parent_id"], "m1");
    assert_eq!(read["event_time"], time);
}

#[test]
fn an_old_event_time_does_not_change_the_order() {
    let client = client();
    client.store(
        "s",
        &json!([{"role": "user", "content": "first", "event_time": "2026-01-01T00:00:00Z"}]),
    );
    client.store(
        "s",
        &json!([{"role": "user", "content": "second", "event_time": "1999-01-01T00:00:00Z"}]),
    );
    let read: Vec<_> = client.messages("s").iter().map(|m| m["content"].clone()).collect();
    assert_eq!(read, ["first", "second"]);
}

#[test]
fn messages_of_one_batch_keep_their_order() {
    let client = client();
    let sent: Vec<Value> =
        (0..200).map(|n| json!({"role": "user", "content": format!("line {n}")})).collect();
    client.store("s", &json!(sent));
    let read = client.messages("s");
    let expected: Vec<_> = sent.iter().map(|message| message["content"].clone()).collect();
    assert_eq!(read.iter().map(|m| m["content"].clone()).collect::<Vec<_>>(), expected);
    let orders: Vec<_> = read.iter().map(|m| m["order"].as_str().unwrap().to_owned()).collect();
    assert!(orders.is_sorted_by(|a, b| a < b), "{orders:?}");
}

#[test]
fn a_message_is_read_alone_by_its_id_even_when_that_holds_a_slash() {
    let client = client();
    let sent = json!([{"role": "user", "content": "here", "id": "a/b é"}, {"role": "user", "content": "other"}]);
    client.store("s", &sent);
    let read =
        client.get(&format!("{}/a%2Fb%20%C3%A9", messages_of("s"))).expect_status(200).json();
    assert_eq!(read["content"], "here");
    assert_eq!(read["id"], "a/b é");
}

#[test]
fn an_unknown_message_is_not_found() {
    let client = client();
    client.store("s", &json!([{"role": "user", "content": "x"}]));
    client.get(&format!("{}/nothing", messages_of("s"))).problem(404, "not_found");
}

#[test]
fn an_unknown_session_is_not_found() {
    client().get(&messages_of("nothing")).problem(404, "not_found");
}

#[test]
fn the_token_of_a_store_is_taken_by_the_next_read() {
    let client = client();
    let stored =
        client.post(&messages_of("s"), r#"{"role":"user","content":"x"}"#).expect_status(201);
    let token = stored.header("holdfast-after").unwrap();
    let read = client
        .send("GET", &messages_of("s"), &[("Holdfast-After", token)], None)
        .expect_status(200);
    assert_eq!(read.data().len(), 1);
    assert!(read.header("holdfast-after").is_some());
}

#[test]
fn the_token_of_another_user_is_refused() {
    let client = client();
    let stored =
        client.post(&messages_of("s"), r#"{"role":"user","content":"x"}"#).expect_status(201);
    let token = stored.header("holdfast-after").unwrap();
    let other = client.acting_for(&fresh("other"));
    let header = [("Holdfast-After", token)];
    other.send("GET", &messages_of("s"), &header, None).problem(400, "invalid_token");
    other
        .post_with(&messages_of("s"), header[0], r#"{"role":"user","content":"y"}"#)
        .problem(400, "invalid_token");
}

#[test]
fn a_changed_token_is_refused() {
    let client = client();
    let stored =
        client.post(&messages_of("s"), r#"{"role":"user","content":"x"}"#).expect_status(201);
    let token = format!("A{}", &stored.header("holdfast-after").unwrap()[1..]);
    client
        .send("GET", &messages_of("s"), &[("Holdfast-After", &token)], None)
        .problem(400, "invalid_token");
}
