//! The rules of OpenAI's form, a test each.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod support;

use holdfast_core::message::{Message, Role};
use holdfast_formats::{Batch, Limits, langchain, openai};
use serde_json::{Value, json};
use support::{ids, listed, places, stored};

fn read(body: &str) -> Batch {
    openai::read(body.as_bytes(), &Limits::default()).unwrap()
}

fn message(item: &str) -> Message {
    read(&format!("[{item}]")).all().unwrap().remove(0).message
}

fn refused(item: &str) -> String {
    let places = places(read(&format!("[{item}]")));
    assert_eq!(places.len(), 1, "{item}: {places:?}");
    places[0].0.clone()
}

fn written(messages: &[Message], annotate: bool) -> Value {
    let ids = ids(messages.len());
    serde_json::from_str(&openai::openai_array(listed(&ids, messages), annotate)).unwrap()
}

#[test]
fn all_roles_are_mapped() {
    for (name, role) in [
        ("system", Role::System),
        ("developer", Role::System),
        ("user", Role::User),
        ("assistant", Role::Assistant),
        ("tool", Role::Tool),
        ("function", Role::Tool),
    ] {
        let item = format!(r#"{{"role":"{name}","content":"x","name":"n","tool_call_id":"c"}}"#);
        assert_eq!(message(&item).role, role, "{name}");
    }
}

#[test]
fn rules_are_refused_with_their_place() {
    assert_eq!(refused(r#"{"role":"robot","content":"x"}"#), "/0/role");
    assert_eq!(refused(r#"{"content":"x"}"#), "/0/role");
    assert_eq!(refused(r#"{"role":"user","content":null}"#), "/0/content");
    assert_eq!(refused(r#"{"role":"user"}"#), "/0/content");
    assert_eq!(refused(r#"{"role":"tool","content":"x"}"#), "/0/tool_call_id");
    assert_eq!(refused(r#"{"role":"function","content":"x"}"#), "/0/name");
    assert_eq!(refused(r#"{"role":"user","content":7}"#), "/0/content");
    assert_eq!(refused(r#"{"role":"assistant","tool_calls":7}"#), "/0/tool_calls");
}

#[test]
fn an_assistant_may_say_nothing_and_unknown_fields_are_kept() {
    let item = r#"{"role":"assistant","content":null,"refusal":"no","audio":{"id":"a"},"new":[1]}"#;
    let kept = message(item);
    assert_eq!(kept.text(), "");
    assert_eq!(written(&[kept], false), json!([serde_json::from_str::<Value>(item).unwrap()]));
    assert!(message(r#"{"role":"assistant","tool_calls":[{"id":"c"}]}"#).content.is_none());
}

#[test]
fn what_came_by_langchain_reads_as_openai() {
    let body = r#"[{"type":"human","data":{"content":[{"type":"text","text":"q"}],"name":"bob"}},
        {"type":"ai","data":{"content":"","tool_calls":[{"name":"f","args":{"x": 1},"id":"c1","type":"tool_call"}]}},
        {"type":"tool","data":{"content":"42","tool_call_id":"c1"}}]"#;
    let kept = stored(langchain::read(body.as_bytes(), &Limits::default()).unwrap().all().unwrap());
    let expected = json!([
        {"role":"user","content":[{"type":"text","text":"q"}],"name":"bob"},
        {"role":"assistant","content":"","tool_calls":[{"id":"c1","type":"function","function":{"name":"f","arguments":"{\"x\": 1}"}}]},
        {"role":"tool","content":"42","tool_call_id":"c1"}
    ]);
    assert_eq!(written(&kept, false), expected);
}

#[test]
fn annotations_stand_beside_the_fields() {
    let out = written(&[message(r#"{"role":"user","content":"x"}"#)], true);
    assert_eq!(out[0]["holdfast"]["id"], "m1");
    assert_eq!(out[0]["content"], "x");
}
