//! The rules of the REST form, a test each.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod support;

use holdfast_core::Error;
use holdfast_core::message::Role;
use holdfast_formats::{Batch, Limits, rest};
use support::{ids, listed, places, problems, stored};

fn read(body: &str) -> Batch {
    rest::read(body.as_bytes(), &Limits::default()).unwrap()
}

/// Pointer and code of the only problem of a body.
fn refused(body: &str) -> (String, &'static str) {
    let places = places(read(body));
    assert_eq!(places.len(), 1, "{body}: {places:?}");
    places.into_iter().next().unwrap()
}

fn at(pointer: &str) -> (String, &'static str) {
    (pointer.to_owned(), "unprocessable")
}

fn body_refused(body: &[u8]) -> Error {
    rest::read(body, &Limits::default()).unwrap_err().into()
}

#[test]
fn one_message_or_a_list_with_the_user() {
    let single = read(r#"{"user_id":"u","role":"user","content":"hi"}"#);
    assert_eq!((single.user_id.as_deref(), single.list), (Some("u"), None));
    let list =
        read(r#"{"messages":[{"role":"user","content":"a"},{"role":"tool","content":"b"}]}"#);
    assert_eq!((list.user_id.as_deref(), list.list), (None, Some("/messages")));
    let messages = list.all().unwrap();
    assert_eq!(messages[1].message.role, Role::Tool);
    assert_eq!(messages[0].message.content.as_deref(), Some("a"));
    assert!(messages[0].id.is_none() && messages[0].embedding.is_none());
}

#[test]
fn every_bad_item_is_listed_and_good_ones_are_kept() {
    let batch = read(
        r#"{"messages":[{"role":"user","content":"a"},{"role":"robot","content":7},
        {"role":"user","content":"b"},{"content":"c"},5]}"#,
    );
    assert_eq!(batch.items.iter().filter(|item| item.is_ok()).count(), 2);
    let expected = [
        at("/messages/1/role"),
        at("/messages/1/content"),
        at("/messages/3/role"),
        at("/messages/4"),
    ];
    let mut found = places(batch);
    found.sort();
    let mut expected = expected.to_vec();
    expected.sort();
    assert_eq!(found, expected);
}

#[test]
fn an_unknown_field_is_refused_and_the_nearest_named() {
    let found = problems(read(r#"{"role":"user","content":"a","metdata":{}}"#));
    assert_eq!((found[0].pointer.as_str(), found[0].code), ("/metdata", "unknown_field"));
    assert!(found[0].detail.contains("did you mean `metadata`?"), "{}", found[0].detail);
    let error = body_refused(br#"{"mesages":1,"user":"u","messages":[]}"#);
    assert_eq!((error.status(), error.reason), (400, "unknown_field"));
    let found = problems(read(r#"{"mesages":[]}"#));
    assert!(found[0].detail.contains("`messages`"), "{}", found[0].detail);
    assert_eq!(
        refused(r#"{"messages":[{"role":"user","content":"a","user_id":"u"}]}"#).1,
        "unknown_field"
    );
    let free = r#"{"role":"user","content":"a","metadata":{"x":1},"extra":{"y":{"z":[]}}}"#;
    assert!(read(free).all().is_ok());
    assert_eq!(refused(r#"{"role":"user","content":"a","a/b~c":1}"#).0, "/a~1b~0c");
}

#[test]
fn a_field_that_stands_twice_is_refused() {
    assert_eq!(refused(r#"{"role":"user","role":"system","content":"a"}"#), at("/role"));
    assert_eq!(refused(r#"{"role":"user","r\u006fle":"system","content":"a"}"#), at("/role"));
    assert_eq!(
        refused(r#"{"role":"user","content":"a","user_id":"a","user_id":"b"}"#),
        at("/user_id")
    );
    assert_eq!(body_refused(br#"{"messages":[],"messages":[{}]}"#).status(), 422);
    let vector =
        r#"{"role":"user","content":"a","embedding":{"space":"s","space":"t","vector":[1]}}"#;
    assert_eq!(refused(vector), at("/embedding/space"));
}

#[test]
fn content_is_a_string_or_blocks_and_null_only_beside_tool_calls() {
    for bad in ["7", "{}", "null", "true", "[7]", "[null]", "[[]]"] {
        assert_eq!(
            refused(&format!(r#"{{"role":"user","content":{bad}}}"#)),
            at("/content"),
            "{bad}"
        );
    }
    assert_eq!(refused(r#"{"role":"user"}"#), at("/content"));
    assert_eq!(refused(r#"{"role":"assistant","content":null,"tool_calls":[]}"#), at("/content"));
    for good in [r#""""#, "[]", r#"["a",{"type":"text","text":"b"}]"#] {
        assert!(read(&format!(r#"{{"role":"user","content":{good}}}"#)).all().is_ok(), "{good}");
    }
    let called = read(r#"{"role":"assistant","content":null,"tool_calls":[{"id":"c"}]}"#);
    let message = called.all().unwrap().remove(0).message;
    assert!(message.content.is_none() && message.blocks.is_none());
    assert_eq!(message.tool_call_ids(), ["c"]);
}

#[test]
fn fields_have_their_types() {
    for (field, value) in [
        ("name", "7"),
        ("id", "7"),
        ("id", r#""""#),
        ("id", r#""a\nb""#),
        ("parent_id", r#""""#),
        ("event_time", r#""yesterday""#),
        ("event_time", "7"),
        ("metadata", "[]"),
        ("metadata", r#""x""#),
        ("extra", "7"),
        ("tool_calls", "{}"),
        ("tool_calls", "[7]"),
        ("tool_call_id", "7"),
        ("user_id", "7"),
    ] {
        let body = format!(r#"{{"role":"user","content":"a","{field}":{value}}}"#);
        assert_eq!(refused(&body), at(&format!("/{field}")), "{body}");
        let body = format!(r#"{{"role":"user","content":"a","{field}":null}}"#);
        assert!(read(&body).all().is_ok(), "null is nothing: {field}");
    }
    for role in ["\"human\"", "\"User\"", "null", "7"] {
        assert_eq!(refused(&format!(r#"{{"role":{role},"content":"a"}}"#)), at("/role"));
    }
}

#[test]
fn a_vector_is_finite_not_zero_and_normalised() {
    let body =
        |embedding: &str| format!(r#"{{"role":"user","content":"a","embedding":{embedding}}}"#);
    for bad in [
        r#"{"space":"s","vector":[]}"#,
        r#"{"space":"s","vector":[0,0.0,-0.0]}"#,
        r#"{"space":"s","vector":[1e999]}"#,
        r#"{"space":"s","vector":["1"]}"#,
        r#"{"space":"s","vector":7}"#,
        r#"{"space":"s"}"#,
    ] {
        assert_eq!(refused(&body(bad)), at("/embedding/vector"), "{bad}");
    }
    assert_eq!(refused(&body(r#"{"vector":[1]}"#)), at("/embedding/space"));
    assert_eq!(refused(&body("[1]")), at("/embedding"));
    assert_eq!(refused(&body(r#"{"space":"s","vector":[1],"dims":1}"#)).1, "unknown_field");
    for (given, expected) in
        [("[3,-4]", [0.6, -0.8]), ("[3e300,-4e300]", [0.6, -0.8]), ("[0,2e-320]", [0.0, 1.0])]
    {
        let text = body(&format!(r#"{{"space":"s","vector":{given}}}"#));
        let embedding = read(&text).all().unwrap().remove(0).embedding.unwrap();
        assert_eq!((embedding.space.as_str(), embedding.vector.as_slice()), ("s", &expected[..]));
    }
}

#[test]
fn broken_utf8_and_half_surrogates_are_told_apart() {
    let error = body_refused(b"{\"role\":\"user\",\"content\":\"\xff\"}");
    assert_eq!((error.status(), error.reason), (400, "invalid_utf8"));
    let found = problems(read(r#"{"messages":[{"role":"user","content":"x\ud800"}]}"#));
    assert_eq!((found[0].pointer.as_str(), found[0].code), ("/messages/0", "unprocessable"));
    assert!(found[0].detail.contains("surrogate"));
    assert_eq!(refused(r#"{"role":"user","content":"a","metadata":{"k":"\udc00"}}"#), at(""));
    let pair = read(r#"{"role":"user","content":"\ud83d\ude00"}"#).all().unwrap().remove(0);
    assert_eq!(pair.message.content.as_deref(), Some("😀"));
}

#[test]
fn a_body_that_is_not_json_says_where() {
    for bad in ["", "{", "nul", r#"{"role":"user",}"#, "{} {}"] {
        let error = body_refused(bad.as_bytes());
        assert_eq!((error.status(), error.reason), (400, "malformed_json"), "{bad}");
        assert!(error.detail.contains("line"), "{}", error.detail);
    }
    for bad in ["7", "[]", "null", "\"x\""] {
        assert_eq!(refused(bad), at(""), "{bad}");
    }
    assert_eq!(body_refused(br#"{"messages":[]}"#).status(), 422);
    assert_eq!(body_refused(br#"{"messages":{}}"#).status(), 422);
}

#[test]
fn limits_hold_to_the_byte() {
    let limits =
        Limits { message_bytes: 60, batch_bytes: 200, batch_items: 3, ..Limits::default() };
    let message = |n: usize| format!(r#"{{"role":"user","content":"{}"}}"#, "x".repeat(n));
    let list = |n: usize, text: &str| format!(r#"{{"messages":[{}]}}"#, vec![text; n].join(","));
    let status = |body: String| match rest::read(body.as_bytes(), &limits).map(Batch::all) {
        Ok(Ok(_)) => 201,
        Ok(Err(problems)) | Err(problems) => Error::from(problems).status(),
    };
    let frame = message(0).len();
    assert_eq!(status(message(60 - frame)), 201);
    assert_eq!(status(message(61 - frame)), 413);
    assert_eq!(status(list(1, &message(61 - frame))), 413);
    assert_eq!(status(list(3, &message(0))), 201);
    assert_eq!(status(list(4, &message(0))), 413);
    assert_eq!(status(format!("{}{}", list(3, &message(20)), " ".repeat(200))), 413);
}

#[test]
fn depth_and_metadata_are_limited() {
    let nested = |depth: usize| {
        let (open, close) = ("[".repeat(depth), "]".repeat(depth));
        format!(r#"{{"role":"user","content":"a","extra":{{"x":{open}{close}}}}}"#)
    };
    assert!(read(&nested(30)).all().is_ok());
    assert_eq!(refused(&nested(31)), at(""));
    assert_eq!(refused(&nested(100_000)), at(""));
    let metadata = |bytes: usize| {
        format!(r#"{{"role":"user","content":"a","metadata":{{"x":"{}"}}}}"#, "y".repeat(bytes - 8))
    };
    assert!(read(&metadata(16 << 10)).all().is_ok());
    assert_eq!(refused(&metadata((16 << 10) + 1)), at("/metadata"));
}

#[test]
fn problems_of_one_kind_answer_by_it_and_a_mixture_by_422() {
    let status = |body: &str| Error::from(read(body).all().unwrap_err()).status();
    assert_eq!(status(r#"{"role":"user","content":"a","x":1}"#), 400);
    assert_eq!(status(r#"{"role":"user","content":"a","x":1,"y":1}"#), 400);
    assert_eq!(status(r#"{"role":"x","content":"a","x":1}"#), 422);
}

#[test]
fn a_stored_message_is_written_with_what_it_has() {
    let all = r#"{"role":"tool","content":"é","id":"i","name":"n","parent_id":"p","event_time":"2026-01-31T12:00:00Z",
        "metadata":{"a": 1},"extra":{"b" :2},"tool_call_id":"c"}"#;
    let kept = stored(vec![read(all).all().unwrap().remove(0)]);
    let json = rest::message_json(&listed(&ids(1), &kept)[0]);
    assert_eq!(
        json,
        "{\"id\":\"m1\",\"index\":1,\"order\":\"019d0aa3cc000000-00000000000000000000000007-000000\",\"role\":\"tool\",\
         \"name\":\"n\",\"content\":\"é\",\"extra\":{\"b\" :2},\"tool_call_id\":\"c\",\"parent_id\":\"p\",\
         \"metadata\":{\"a\": 1},\"event_time\":\"2026-01-31T12:00:00Z\",\"stored_at\":\"2026-03-20T09:46:40.000Z\"}"
    );
    let kept = stored(vec![read(r#"{"role":"user","content":"a"}"#).all().unwrap().remove(0)]);
    let id = ids(1);
    let mut message = listed(&id, &kept).remove(0);
    message.conflict_of = Some("m");
    let json: serde_json::Value = serde_json::from_str(&rest::message_json(&message)).unwrap();
    assert_eq!(json["conflict_of"], "m");
    assert!(json["name"].is_null() && json["metadata"].is_null() && json.get("extra").is_none());
}

#[test]
fn an_id_that_stands_twice_in_a_request_is_refused_at_its_second_place() {
    let batch = read(
        r#"{"messages":[{"role":"user","content":"a","id":"m"},{"role":"user","content":"b"},
        {"role":"user","content":"c","id":"m"}]}"#,
    );
    assert_eq!(batch.items.iter().filter(|item| item.is_ok()).count(), 2);
    assert_eq!(places(batch), [at("/messages/2/id")]);
}

#[test]
fn a_batch_knows_where_each_of_its_messages_stands_in_the_body() {
    let single = read(r#"{"role":"user","content":"a"}"#);
    assert_eq!(single.pointer(0), "");
    let list = read(r#"{"messages":[{"role":"user","content":"a"}]}"#);
    assert_eq!(list.pointer(7), "/messages/7");
}
