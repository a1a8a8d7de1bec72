//! The rules of LangChain's form, a test each.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod support;

use holdfast_core::Error;
use holdfast_core::message::{Message, Role};
use holdfast_formats::{Batch, Limits, langchain, openai, rest};
use serde_json::{Value, json};
use support::{ids, listed, places, stored};

fn read(body: &str) -> Batch {
    langchain::read(body.as_bytes(), &Limits::default()).unwrap()
}

fn message(item: &str) -> Message {
    read(&format!("[{item}]")).all().unwrap().remove(0).message
}

fn refused(item: &str) -> String {
    let places = places(read(&format!("[{item}]")));
    assert_eq!(places.len(), 1, "{item}: {places:?}");
    assert_eq!(places[0].1, "unprocessable");
    places[0].0.clone()
}

fn written(messages: &[Message], annotate: bool) -> Value {
    let ids = ids(messages.len());
    let text = langchain::langchain_array(listed(&ids, messages), annotate);
    serde_json::from_str(&text).unwrap()
}

#[test]
fn all_13_types_have_their_role() {
    for (kind, role) in [
        ("human", Role::User),
        ("HumanMessageChunk", Role::User),
        ("ai", Role::Assistant),
        ("AIMessageChunk", Role::Assistant),
        ("system", Role::System),
        ("SystemMessageChunk", Role::System),
        ("tool", Role::Tool),
        ("ToolMessageChunk", Role::Tool),
        ("function", Role::Tool),
        ("FunctionMessageChunk", Role::Tool),
        ("remove", Role::System),
        ("chat", Role::System),
        ("ChatMessageChunk", Role::System),
    ] {
        let data = r#"{"content":"x","id":"e","name":"n","tool_call_id":"c","role":"developer"}"#;
        let message = message(&format!(r#"{{"type":"{kind}","data":{data}}}"#));
        assert_eq!(message.role, role, "{kind}");
        assert_eq!(message.external_id.as_deref(), Some("e"));
        assert_eq!(message.name.as_deref(), Some("n"));
    }
}

#[test]
fn a_chat_item_speaks_by_its_role_and_else_as_a_user() {
    for (name, role) in [
        ("user", Role::User),
        ("assistant", Role::Assistant),
        ("system", Role::System),
        ("tool", Role::Tool),
        ("developer", Role::System),
        ("Ann", Role::User),
    ] {
        let item = format!(r#"{{"type":"chat","data":{{"content":"x","role":"{name}"}}}}"#);
        assert_eq!(message(&item).role, role, "{name}");
    }
}

#[test]
fn what_langchains_reader_refuses_is_refused_with_its_place() {
    assert_eq!(refused(r#"{"type":"alien","data":{"content":"x"}}"#), "/0/type");
    assert_eq!(refused(r#"{"data":{"content":"x"}}"#), "/0/type");
    assert_eq!(refused(r#"{"type":"human"}"#), "/0/data");
    assert_eq!(refused(r#"{"type":"human","data":[]}"#), "/0/data");
    assert_eq!(refused(r#"{"type":"human","data":{"content":null}}"#), "/0/data/content");
    assert_eq!(refused(r#"{"type":"human","data":{}}"#), "/0/data/content");
    assert_eq!(refused(r#"{"type":"human","data":{"content":7}}"#), "/0/data/content");
    assert_eq!(refused(r#"{"type":"tool","data":{"content":"x"}}"#), "/0/data/tool_call_id");
    assert_eq!(
        refused(r#"{"type":"ToolMessageChunk","data":{"content":"x"}}"#),
        "/0/data/tool_call_id"
    );
    assert_eq!(refused(r#"{"type":"function","data":{"content":"x"}}"#), "/0/data/name");
    assert_eq!(refused(r#"{"type":"chat","data":{"content":"x"}}"#), "/0/data/role");
    assert_eq!(refused(r#"{"type":"remove","data":{"content":""}}"#), "/0/data/id");
    let usage = r#"{"type":"ai","data":{"content":"x","usage_metadata":{"input_tokens":1,"total_tokens":1}}}"#;
    assert_eq!(refused(usage), "/0/data/usage_metadata");
    assert_eq!(refused("7"), "/0");
    assert_eq!(
        refused(r#"{"type":"human","data":{"content":"a","content":"b"}}"#),
        "/0/data/content"
    );
    assert_eq!(refused(r#"{"type":"human","data":{"content":"\udc00"}}"#), "/0");
}

#[test]
fn what_langchains_reader_accepts_is_accepted() {
    for item in [
        r#"{"type":"human","data":{"content":"x"}}"#,
        r#"{"type":"human","data":{"content":"x","example":false,"own":{"deep":[1]}}}"#,
        r#"{"type":"ai","data":{"content":[],"id":null,"name":null,"tool_calls":[],"usage_metadata":null}}"#,
        r#"{"type":"remove","data":{"content":"","id":"h1"}}"#,
    ] {
        assert!(read(&format!("[{item}]")).all().is_ok(), "{item}");
    }
}

#[test]
fn the_body_is_a_bare_array() {
    let refused = |body: &str| {
        Error::from(langchain::read(body.as_bytes(), &Limits::default()).unwrap_err()).status()
    };
    assert_eq!(refused(r#"{"type":"human","data":{"content":"x"}}"#), 422);
    assert_eq!(refused("[]"), 422);
    assert_eq!(refused("[,]"), 400);
}

#[test]
fn remove_is_kept_as_an_empty_item_and_given_back() {
    let item = r#"{"type":"remove","data":{"content":"","additional_kwargs":{},"id":"h1"}}"#;
    let kept = message(item);
    assert_eq!((kept.text().as_str(), kept.external_id.as_deref()), ("", Some("h1")));
    assert_eq!(written(&[kept], false), json!([serde_json::from_str::<Value>(item).unwrap()]));
}

#[test]
fn items_may_share_an_id_and_none_is_given_to_us() {
    let chunk =
        |text| format!(r#"{{"type":"AIMessageChunk","data":{{"content":"{text}","id":"run-1"}}}}"#);
    let batch = read(&format!("[{},{}]", chunk("a"), chunk("b"))).all().unwrap();
    assert!(batch.iter().all(|new| new.id.is_none()));
    assert!(batch.iter().all(|new| new.message.external_id.as_deref() == Some("run-1")));
}

#[test]
fn text_is_kept_once_where_its_json_is_as_ours() {
    let original = |item| message(item).original.unwrap();
    let once = original(r#"{"type":"human","data":{"content":"é \" \n"}}"#);
    assert_eq!(once.before, r#"{"type":"human","data":{"content":"#);
    assert_eq!(once.after.as_deref(), Some("}}"));
    let blocks = original(r#"{"type":"human","data":{"content":[ "\u00e9" ]}}"#);
    assert_eq!(blocks.after.as_deref(), Some("}}"));
    assert_eq!(original(r#"{"type":"human","data":{"content":"\u00e9"}}"#).after, None);
}

#[test]
fn a_rest_message_is_written_as_message_to_dict_would() {
    let body = r#"{"messages":[{"role":"user","content":"hi","name":"bob"},
        {"role":"assistant","content":null,"tool_calls":[
            {"id":"c1","type":"function","function":{"name":"f","arguments":"{\"x\": 1}"}},
            {"id":"c2","type":"function","function":{"name":"g","arguments":"{bad"}},
            {"name":"h","args":{"y":[2]},"id":"c3"}]},
        {"role":"tool","content":"42","tool_call_id":"c1"},{"role":"system","content":[{"type":"text","text":"s"}]}]}"#;
    let kept = stored(rest::read(body.as_bytes(), &Limits::default()).unwrap().all().unwrap());
    let expected = json!([
        {"type":"human","data":{"content":"hi","additional_kwargs":{},"response_metadata":{},"type":"human","name":"bob","id":"m1"}},
        {"type":"ai","data":{"content":"","additional_kwargs":{},"response_metadata":{},"type":"ai","name":null,"id":"m2",
            "tool_calls":[{"name":"f","args":{"x":1},"id":"c1","type":"tool_call"},{"name":"h","args":{"y":[2]},"id":"c3","type":"tool_call"}],
            "invalid_tool_calls":[{"name":"g","args":"{bad","id":"c2","error":null,"type":"invalid_tool_call"}],"usage_metadata":null}},
        {"type":"tool","data":{"content":"42","additional_kwargs":{},"response_metadata":{},"type":"tool","name":null,"id":"m3",
            "tool_call_id":"c1","artifact":null,"status":"success"}},
        {"type":"system","data":{"content":[{"type":"text","text":"s"}],"additional_kwargs":{},"response_metadata":{},"type":"system","name":null,"id":"m4"}}
    ]);
    assert_eq!(written(&kept, false), expected);
}

#[test]
fn annotations_stand_in_response_metadata_and_replace_older_ones() {
    let given = r#"{"type":"human","data":{"content":"x","response_metadata":{"a":1,"holdfast":{"id":"old"}}}}"#;
    let bare = r#"{"type":"human","data":{"content":"x"}}"#;
    let out = written(&[message(given), message(bare)], true);
    assert_eq!(out[0]["data"]["response_metadata"]["a"], 1);
    assert_eq!(out[0]["data"]["response_metadata"]["holdfast"]["id"], "m1");
    assert_eq!(out[1]["data"]["response_metadata"]["holdfast"]["id"], "m2");
    assert_eq!(
        out[1]["data"]["response_metadata"]["holdfast"]["stored_at"],
        "2026-03-20T09:46:40.000Z"
    );
    assert_eq!(out[0].as_object().unwrap().len(), 2, "nothing of ours at the top");
}

#[test]
fn what_came_by_openai_reads_as_langchain() {
    let body = r#"[{"role":"assistant","content":"é","refusal":null}]"#;
    let kept = stored(openai::read(body.as_bytes(), &Limits::default()).unwrap().all().unwrap());
    let out = written(&kept, false);
    assert_eq!((&out[0]["type"], &out[0]["data"]["content"]), (&json!("ai"), &json!("é")));
}
