//! Filters: against an evaluator written apart, and what they refuse.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod common;

use common::{docs, index, seeded};
use holdfast_search::{Doc, Filter};
use proptest::prelude::*;
use serde_json::{Value, json};

/// The whole message as JSON, as a reader sees it.
fn message(doc: &Doc) -> Value {
    json!({
        "id": doc.id, "role": doc.role, "name": doc.name, "session_id": doc.session, "event_time": doc.event_time,
        "stored_at": doc.stored_at, "parent_id": doc.parent_id, "tool_call_id": doc.tool_call_id,
        "metadata": doc.metadata,
    })
}

/// Evaluates the JSON of a filter on the JSON of a message, with nothing of the crate.
fn brute_force(filter: &Value, message: &Value) -> bool {
    filter.as_object().unwrap().iter().all(|(key, value)| match key.as_str() {
        "AND" => value.as_array().unwrap().iter().all(|part| brute_force(part, message)),
        "OR" => value.as_array().unwrap().iter().any(|part| brute_force(part, message)),
        "NOT" => !brute_force(value, message),
        path => {
            let mut held = message;
            for name in path.split('.') {
                held = &held[name];
            }
            value.as_object().unwrap().iter().all(|(name, wanted)| holds(name, held, wanted))
        }
    })
}

fn holds(operator: &str, held: &Value, wanted: &Value) -> bool {
    let same = |a: &Value, b: &Value| a == b || (a.is_number() && a.as_f64() == b.as_f64());
    let less = |a: &Value, b: &Value| match (a.as_f64(), b.as_f64(), a.as_str(), b.as_str()) {
        (Some(a), Some(b), _, _) => a < b,
        (_, _, Some(a), Some(b)) => a < b,
        _ => false,
    };
    let there = !held.is_null();
    match operator {
        "eq" => there && same(held, wanted),
        "ne" => !(there && same(held, wanted)),
        "in" => there && wanted.as_array().unwrap().iter().any(|one| same(held, one)),
        "nin" => !(there && wanted.as_array().unwrap().iter().any(|one| same(held, one))),
        "gt" => less(wanted, held),
        "gte" => less(wanted, held) || (there && !wanted.is_array() && same(held, wanted)),
        "lt" => less(held, wanted),
        "lte" => less(held, wanted) || (there && !wanted.is_array() && same(held, wanted)),
        "contains" => match (held, wanted) {
            (Value::String(held), Value::String(wanted)) => held.contains(wanted.as_str()),
            (Value::Array(held), wanted) => held.iter().any(|one| same(one, wanted)),
            _ => false,
        },
        "exists" => there == wanted.as_bool().unwrap(),
        _ => unreachable!(),
    }
}

fn condition() -> impl Strategy<Value = Value> {
    let texts =
        prop::sample::select(vec!["m3", "m", "user", "tool", "Mara", "s1", "a", "x", "call2"]);
    let text_field = prop::sample::select(vec![
        "id",
        "role",
        "name",
        "session_id",
        "parent_id",
        "tool_call_id",
        "metadata.topic",
        "metadata.tags",
        "metadata.missing",
    ]);
    let on_text = (text_field, texts, 0..9u8).prop_map(|(field, text, operator)| match operator {
        0 => json!({field: {"eq": text}}),
        1 => json!({field: {"ne": text}}),
        2 => json!({field: {"in": [text, "m7", "b"]}}),
        3 => json!({field: {"nin": [text]}}),
        4 => json!({field: {"gt": text}}),
        5 => json!({field: {"lte": text, "exists": true}}),
        6 => json!({field: {"contains": text}}),
        7 => json!({field: {"exists": false}}),
        _ => json!({field: {"gte": text}}),
    });
    let number_field =
        prop::sample::select(vec!["metadata.n", "metadata.deep.er", "event_time", "stored_at"]);
    let on_number = (number_field, 0..40u64, 0..5u8).prop_map(|(field, number, operator)| {
        let number = match field {
            "event_time" => json!(1_650_000_000_000 + number * 86_400_000),
            "stored_at" => json!(1_700_000_000_000 + number),
            _ => json!(number / 10),
        };
        match operator {
            0 => json!({field: {"gt": number}}),
            1 => json!({field: {"lte": number}}),
            2 => json!({field: {"eq": number}}),
            3 => json!({field: {"in": [number, 1]}}),
            _ => json!({field: {"lt": number, "exists": true}}),
        }
    });
    prop_oneof![on_text, on_number]
}

fn tree() -> impl Strategy<Value = Value> {
    condition().prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 1..4).prop_map(|all| json!({"AND": all})),
            prop::collection::vec(inner.clone(), 1..4).prop_map(|any| json!({"OR": any})),
            inner.prop_map(|one| json!({"NOT": one})),
        ]
    })
}

proptest! {
    #[test]
    fn filters_pass_what_brute_force_passes(filter in tree()) {
        let all = docs(&mut seeded(5), 60);
        let index = index(&all);
        let parsed = Filter::parse(&filter.to_string()).unwrap();
        for (number, doc) in all.iter().enumerate() {
            let entry = index.entry_of(number as u32).unwrap();
            prop_assert_eq!(
                parsed.passes(&index, entry), brute_force(&filter, &message(doc)), "{} on {}", filter, message(doc)
            );
            prop_assert_eq!(parsed.passes_json(&message(doc)), brute_force(&filter, &message(doc)));
        }
    }
}

#[test]
fn times_are_read_as_rfc_3339_with_any_offset() {
    let filter = |text: &str| Filter::parse(&json!({"event_time": {"gte": text}}).to_string());
    assert_eq!(
        filter("2026-01-01T02:00:00+02:00").unwrap(),
        filter("2026-01-01T00:00:00Z").unwrap()
    );
    assert!(filter("yesterday").is_err());
}

#[test]
fn archived_messages_are_hidden_unless_the_filter_speaks_of_them() {
    let all = docs(&mut seeded(6), 200);
    let index = index(&all);
    let archived =
        all.iter().filter(|doc| message(doc)["metadata"]["archived"] == json!(true)).count();
    let count = |filter: &str| index.passing(None, Some(&Filter::parse(filter).unwrap())).len();
    assert!(archived > 5);
    assert_eq!(index.passing(None, None).len(), 200 - archived);
    assert_eq!(count("{}"), 200 - archived);
    assert_eq!(count(r#"{"metadata.archived":{"eq":true}}"#), archived);
    let said = all.iter().filter(|doc| !message(doc)["metadata"]["archived"].is_null()).count();
    assert_eq!(count(r#"{"NOT":{"metadata.archived":{"exists":false}}}"#), said);
    assert_eq!(index.passing(Some("nowhere"), None).len(), 0);
}

#[test]
fn what_is_wrong_is_said_with_its_place_and_the_nearest_name() {
    let cases = [
        (r#"{"rolle":{"eq":"user"}}"#, "/rolle", "\"role\""),
        (r#"{"AND":[{"role":{"equals":"user"}}]}"#, "/AND/0/role/equals", "\"eq\""),
        (r#"{"role":{"gtee":"user"}}"#, "/role/gtee", "\"gte\""),
        (r#"{"or":[]}"#, "/or", "\"OR\""),
        (r#"{"metadata":{"eq":1}}"#, "/metadata", "metadata.<path>"),
        (r#"{"role":"user"}"#, "/role", "{\"eq\":\"user\"}"),
        (r#"{"role":{"eq":7}}"#, "/role/eq", "text"),
        (r#"{"role":{"in":"user"}}"#, "/role/in", "list"),
        (r#"{"event_time":{"gt":"May"}}"#, "/event_time/gt", "RFC 3339"),
        (r#"{"metadata.a/b":{"gt":[]}}"#, "/metadata.a~1b/gt", "number or a text"),
        (r#"{"name":{"exists":"yes"}}"#, "/name/exists", "true or false"),
        (r#"{"AND":[]}"#, "/AND", "at least one"),
        (r#"[]"#, "", "object"),
    ];
    for (filter, place, hint) in cases {
        let error = Filter::parse(filter).unwrap_err();
        assert_eq!(error.field.as_deref(), Some(place), "{filter}");
        assert!(error.detail.contains(hint), "{filter}: {}", error.detail);
    }
    assert_eq!(Filter::parse("{").unwrap_err().reason, "malformed_json");
}

#[test]
fn filters_have_limits() {
    let deep = |n: usize| format!("{}{{}}{}", r#"{"NOT":"#.repeat(n), "}".repeat(n));
    assert!(Filter::parse(&deep(7)).is_ok());
    assert!(Filter::parse(&deep(8)).is_err());
    let wide = |n: usize| json!({"OR": vec![json!({"id": {"eq": "x"}}); n]}).to_string();
    assert!(Filter::parse(&wide(63)).is_ok());
    assert!(Filter::parse(&wide(64)).is_err());
    let many = |n: usize| json!({"id": {"in": vec!["x"; n]}}).to_string();
    assert!(Filter::parse(&many(1000)).is_ok());
    assert!(Filter::parse(&many(1001)).is_err());
}

#[test]
fn attributes_of_memories_are_filtered_and_messages_have_none() {
    let mut all = docs(&mut seeded(6), 3);
    let memory = json!({"category": "taste", "importance": 0.75, "created_at": 1_767_225_600_000_u64, "source_sessions": ["s1"]});
    all[1].attributes = Some(memory.clone());
    let index = index(&all);
    let passing = |filter: &str| -> Vec<u32> {
        let filter = Filter::parse(filter).unwrap();
        assert_eq!(filter.passes_json(&memory), index.passing(None, Some(&filter)).contains(1));
        index.passing(None, Some(&filter)).iter().collect()
    };
    assert_eq!(passing(r#"{"category":{"eq":"taste"}}"#), [1]);
    assert_eq!(passing(r#"{"importance":{"gte":0.7}}"#), [1]);
    assert_eq!(passing(r#"{"importance":{"gte":0.8}}"#), [] as [u32; 0]);
    assert_eq!(passing(r#"{"created_at":{"lte":"2026-01-01T00:00:00Z"}}"#), [1]);
    assert_eq!(passing(r#"{"source_sessions":{"contains":"s1"}}"#), [1]);
    assert_eq!(passing(r#"{"category":{"exists":false}}"#), [0, 2]);
    assert_eq!(passing(r#"{"session_id":{"exists":false}}"#), [1]);
    assert!(Filter::parse(r#"{"category":{"eq":7}}"#).is_err());
    assert!(Filter::parse(r#"{"importanse":{"eq":7}}"#).unwrap_err().detail.contains("importance"));
}
