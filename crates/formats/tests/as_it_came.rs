//! Whatever is accepted comes back as it came: random key order, white space, escapes, unicode and nesting.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod support;

use holdfast_formats::{Batch, Limits, langchain, openai, rest};
use proptest::prelude::*;
use serde_json::value::RawValue;
use std::collections::HashMap;
use support::{content, ids, listed, object, object_of, space, stored, string, value};

fn quoted(name: &str) -> String {
    format!("\"{name}\"")
}

fn in_any_order(fields: Vec<(String, String)>) -> impl Strategy<Value = Vec<(String, String)>> {
    Just(fields).prop_shuffle()
}

fn langchain_item() -> impl Strategy<Value = String> {
    let types = [
        "human",
        "ai",
        "system",
        "tool",
        "chat",
        "function",
        "remove",
        "HumanMessageChunk",
        "AIMessageChunk",
        "SystemMessageChunk",
        "ToolMessageChunk",
        "ChatMessageChunk",
        "FunctionMessageChunk",
    ];
    let calls = prop_oneof![Just("[]".to_owned()), object().prop_map(|call| format!("[ {call} ]"))];
    let parts =
        (prop::sample::select(types.to_vec()), content(), string(), object(), calls, value());
    parts
        .prop_flat_map(|(kind, content, text, object, calls, value)| {
            let data = [
                ("content", content),
                ("name", text.clone()),
                ("id", text.clone()),
                ("tool_call_id", text.clone()),
                ("role", text),
                ("additional_kwargs", object.clone()),
                ("response_metadata", object),
                ("tool_calls", calls),
                ("anything", value.clone()),
            ];
            let data = data.map(|(name, value)| (quoted(name), value)).to_vec();
            (Just(kind), object_of(in_any_order(data)), Just(value))
        })
        .prop_flat_map(|(kind, data, value)| {
            let item = [("type", quoted(kind)), ("data", data), ("extra", value)];
            object_of(in_any_order(item.map(|(name, value)| (quoted(name), value)).to_vec()))
        })
}

fn openai_item() -> impl Strategy<Value = String> {
    let roles = ["system", "developer", "user", "assistant", "tool", "function"];
    let said = prop_oneof![4 => content(), 1 => Just("null".to_owned())];
    (prop::sample::select(roles.to_vec()), said, string(), value()).prop_flat_map(
        |(role, said, text, value)| {
            let nothing = said == "null" && !["assistant", "function"].contains(&role);
            let said = if nothing { quoted("") } else { said };
            let item = [
                ("role", quoted(role)),
                ("content", said),
                ("name", text.clone()),
                ("tool_call_id", text),
                ("refusal", value.clone()),
                ("audio", value),
            ];
            object_of(in_any_order(item.map(|(name, value)| (quoted(name), value)).to_vec()))
        },
    )
}

fn rest_item() -> impl Strategy<Value = String> {
    let role = prop::sample::select(vec!["system", "user", "assistant", "tool"]);
    (role, content(), string(), object(), object(), object()).prop_flat_map(
        |(role, content, text, metadata, extra, call)| {
            let item = [
                ("role", quoted(role)),
                ("content", content),
                ("name", text.clone()),
                ("tool_call_id", text),
                ("metadata", metadata),
                ("extra", extra),
                ("tool_calls", format!("[{call}]")),
                ("event_time", quoted("2026-01-31T12:00:00.5+01:00")),
            ];
            object_of(in_any_order(item.map(|(name, value)| (quoted(name), value)).to_vec()))
        },
    )
}

fn array_of(items: &[String], s: &str) -> Vec<u8> {
    format!("{s}[{s}{}{s}]{s}", items.join(&format!("{s},{s}"))).into_bytes()
}

fn messages(batch: Batch) -> Vec<holdfast_core::message::Message> {
    stored(batch.all().unwrap())
}

fn fields(text: &str) -> HashMap<String, Box<RawValue>> {
    serde_json::from_str(text).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_langchain_item_comes_back_to_the_byte(
        items in prop::collection::vec(langchain_item(), 1..4), s in space(),
    ) {
        let kept = messages(langchain::read(&array_of(&items, &s), &Limits::default()).unwrap());
        let ids = ids(kept.len());
        let out = langchain::langchain_array(listed(&ids, &kept), false);
        prop_assert_eq!(out, format!("[{}]", items.join(",")));
    }

    #[test]
    fn annotating_a_langchain_item_changes_only_its_response_metadata(item in langchain_item()) {
        let kept = messages(langchain::read(&array_of(std::slice::from_ref(&item), ""), &Limits::default()).unwrap());
        let out = langchain::langchain_array(listed(&ids(1), &kept), true);
        let items: Vec<Box<RawValue>> = serde_json::from_str(&out).unwrap();
        let (old, new) = (fields(&item), fields(items[0].get()));
        prop_assert_eq!(old["type"].get(), new["type"].get());
        prop_assert_eq!(old["extra"].get(), new["extra"].get());
        let (old, new) = (fields(old["data"].get()), fields(new["data"].get()));
        for (name, value) in &old {
            if name != "response_metadata" {
                prop_assert_eq!(value.get(), new[name].get());
            }
        }
        let metadata = fields(new["response_metadata"].get());
        prop_assert!(metadata["holdfast"].get().contains("\"id\":\"m1\""));
        for (name, value) in fields(old["response_metadata"].get()) {
            prop_assert_eq!(value.get(), metadata[&name].get());
        }
    }

    #[test]
    fn every_openai_item_comes_back_to_the_byte(
        items in prop::collection::vec(openai_item(), 1..4), s in space(),
    ) {
        let kept = messages(openai::read(&array_of(&items, &s), &Limits::default()).unwrap());
        let ids = ids(kept.len());
        let out = openai::openai_array(listed(&ids, &kept), false);
        prop_assert_eq!(out, format!("[{}]", items.join(",")));
    }

    #[test]
    fn a_rest_message_keeps_its_text_and_the_json_of_its_free_parts(item in rest_item()) {
        let kept = messages(rest::read(item.as_bytes(), &Limits::default()).unwrap());
        let (old, new) = (fields(&item), fields(&rest::message_json(&listed(&ids(1), &kept)[0])));
        for name in ["metadata", "extra", "tool_calls"] {
            prop_assert_eq!(old[name].get(), new[name].get());
        }
        let (said, kept) = (old["content"].get(), new["content"].get());
        if said.starts_with('[') {
            prop_assert_eq!(said, kept);
        }
        for name in ["role", "content", "name", "tool_call_id", "event_time"] {
            if !old[name].get().starts_with('[') {
                let text = |raw: &RawValue| serde_json::from_str::<String>(raw.get()).unwrap();
                prop_assert_eq!(text(&old[name]), text(&new[name]));
            }
        }
    }

    #[test]
    fn whatever_the_bytes_reading_answers(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        let limits = Limits::default();
        let _ = (rest::read(&bytes, &limits), langchain::read(&bytes, &limits));
        let _ = openai::read(&bytes, &limits);
    }

    #[test]
    fn whatever_the_json_reading_answers(json in value()) {
        let limits = Limits::default();
        for body in [json.clone(), format!("[{json}]"), format!("{{\"messages\":{json}}}")] {
            let _ = (rest::read(body.as_bytes(), &limits), langchain::read(body.as_bytes(), &limits));
            let _ = openai::read(body.as_bytes(), &limits);
        }
    }
}
