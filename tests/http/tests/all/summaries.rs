//! Summaries: made only when there is something to cover, of an exact range, stored right or not at all.

use crate::api::{Api, ERRING, Manner};
use holdfast_http_tests::{Client, Running, by_words, messages_of};
use holdfast_servers::HostSettings;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::{Duration, Instant};

const SUMMARIES: &str = "/v1/sessions/s/summaries";

/// A client of a host of its own whose summaries an API writes.
fn with_api(settings: HostSettings) -> (Client, Api) {
    let api = Api::start(Manner::Well);
    let settings = settings
        .with("generate_endpoint", &api.origin)
        .with("generate_model", "m")
        .with("generate_key", "sk-secret")
        .with("generate_deadline_ms", "1500");
    (Client::new(Arc::new(Running::start(settings))), api)
}

/// Stores so many messages: their ids.
fn talk(client: &Client, from: usize, count: usize) -> Vec<String> {
    let messages: Vec<Value> = (from..from + count)
        .map(|n| {
            let role = if n % 2 == 0 { "user" } else { "assistant" };
            json!({"role": role, "id": format!("m{n}"), "content": format!("Ann keeps {n} boats in the harbour of Bergen.")})
        })
        .collect();
    client.store("s", &json!(messages))
}

fn ask(client: &Client, wish: Value) -> Value {
    let answer = client.post(SUMMARIES, &wish.to_string());
    assert!(answer.status == 200 || answer.status == 201, "{}", answer.text);
    answer.json()
}

fn listed(client: &Client) -> Vec<Value> {
    client.get(SUMMARIES).expect_status(200).data()
}

#[test]
fn f2_6_nothing_is_generated_below_the_budget_or_without_being_asked() {
    let (client, api) = with_api(HostSettings::default());
    talk(&client, 0, 6);
    let none = ask(&client, json!({"max_tokens": 10_000}));
    assert_eq!((&none["summary"], &none["reason"]), (&Value::Null, &json!("within_budget")));
    client.post("/v1/context", r#"{"session_id": "s", "max_tokens": 40}"#).expect_status(200);
    client.post("/v1/search", r#"{"query": "boats"}"#).expect_status(200);
    assert_eq!(ask(&client, json!({"keep_messages": 6}))["reason"], "nothing_left");
    assert!(api.calls().is_empty() && listed(&client).is_empty());
    let made = ask(&client, json!({"max_tokens": 40}));
    assert_eq!(api.calls().len(), 1);
    assert_eq!(api.calls()[0].authorization.as_deref(), Some("Bearer sk-secret"));
    let covered = made["summary"]["covers"]["messages"].as_array().unwrap().len();
    assert!((1..6).contains(&covered), "{made}");
}

#[test]
fn f2_7_a_summary_covers_an_exact_range_and_the_originals_stay() {
    let (client, api) = with_api(HostSettings::default());
    let ids = talk(&client, 0, 8);
    let before = client.messages("s");
    let made = ask(&client, json!({"keep_messages": 2}));
    let covers = json!({"first": ids[0], "last": ids[5], "messages": ids[..6]});
    let summary = &made["summary"];
    assert_eq!(summary["covers"], covers);
    assert_eq!(
        (&summary["text"], &summary["generator"]),
        (&json!("6 messages in short"), &json!("m"))
    );
    assert_eq!(summary["tokens"], json!({"prompt": 60, "completion": 5}));
    assert_eq!(client.messages("s"), before);
    let found =
        client.post("/v1/search", r#"{"query": "boats", "session_id": "s"}"#).expect_status(200);
    assert_eq!(found.data().len(), 8);
    // Again and overlapping: the next goes on where the last one ended, and nothing is covered twice.
    assert_eq!(ask(&client, json!({"keep_messages": 2}))["reason"], "nothing_left");
    let next = ask(&client, json!({"keep_messages": 0}));
    assert_eq!(next["summary"]["covers"]["messages"], json!(ids[6..]));
    assert_eq!(ask(&client, json!({}))["reason"], "nothing_left");
    assert_eq!((api.calls().len(), listed(&client).len()), (2, 2));
    assert_eq!(listed(&client)[0], *summary);
    let other = client.acting_for("somebody else");
    assert!(other.get(SUMMARIES).expect_status(200).data().is_empty());
    other.post(SUMMARIES, "{}").problem(404, "not_found");
}

#[test]
fn calls_at_once_make_one_summary() {
    let (client, _api) = with_api(HostSettings::default());
    talk(&client, 0, 6);
    std::thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| ask(&client, json!({"keep_messages": 2})));
        }
    });
    let all = listed(&client);
    assert_eq!(all.len(), 1, "{all:?}");
    assert_eq!(all[0]["covers"]["messages"].as_array().unwrap().len(), 4);
}

#[test]
fn nothing_is_lost_or_stored_wrong_when_the_generator_errs() {
    let (client, api) = with_api(HostSettings::default());
    talk(&client, 0, 6);
    let before = client.messages("s");
    for manner in ERRING {
        api.set(manner);
        let problem = client.post(SUMMARIES, "{}").problem(503, "model_unavailable");
        assert!(!problem.to_string().contains("sk-secret"), "{problem}");
        assert!(!api.calls().is_empty(), "{manner:?}");
        assert!(listed(&client).is_empty(), "{manner:?}");
    }
    assert_eq!(client.messages("s"), before);
    api.set(Manner::Well);
    assert_eq!(ask(&client, json!({}))["summary"]["text"], "6 messages in short");
}

#[test]
fn a_summary_that_shall_not_be_stored_is_not() {
    let (client, _api) = with_api(HostSettings::default().with("store_summaries", "false"));
    talk(&client, 0, 4);
    for wish in [json!({}), json!({"store": false})] {
        let answer = client.post(SUMMARIES, &wish.to_string()).expect_status(200).json();
        assert_eq!(answer["summary"]["id"], Value::Null);
        assert_eq!(answer["summary"]["covers"]["messages"].as_array().unwrap().len(), 4);
    }
    assert!(listed(&client).is_empty());
}

#[test]
fn a_summary_is_gone_with_a_message_that_it_covers_and_what_is_left_is_covered_anew() {
    let client = Client::new(by_words());
    let ids = talk(&client, 0, 6);
    let first = ask(&client, json!({"keep_messages": 2}));
    assert_eq!(first["summary"]["generator"], "extractive");
    assert!(first["summary"]["text"].as_str().unwrap().contains("boats"), "{first}");
    let path = format!("{}/{}", messages_of("s"), ids[1]);
    client.send("DELETE", &path, &[], None).expect_status(204);
    assert!(listed(&client).is_empty());
    let again = ask(&client, json!({"keep_messages": 2}));
    assert_eq!(again["summary"]["covers"]["messages"], json!([ids[0], ids[2], ids[3]]));
    assert!(!again["summary"]["text"].as_str().unwrap().contains("keeps 1 boats"), "{again}");
    client.send("DELETE", "/v1/sessions/s", &[], None).expect_status(204);
    assert!(listed(&client).is_empty());
}

#[test]
fn f2_8_a_context_holds_the_newest_verbatim_and_a_summary_of_what_was_cut() {
    let client = Client::new(by_words());
    talk(&client, 0, 60);
    let context = |extra: Value| {
        let mut body = json!({"session_id": "s", "max_tokens": 500, "include_memories": false});
        body.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        client.post("/v1/context", &body.to_string()).expect_status(200).json()
    };
    assert_eq!(context(json!({}))["summary"], Value::Null);
    let summary =
        ask(&client, json!({"keep_messages": 10, "summary_tokens": 64}))["summary"].clone();
    let packed = context(json!({}));
    assert_eq!(packed["summary"], summary["text"], "{packed}");
    assert!(packed["context"].as_str().unwrap().contains(summary["text"].as_str().unwrap()));
    assert!(packed["tokens"].as_u64().unwrap() <= 500);
    let used = packed["used"].as_array().unwrap();
    assert!(
        used.contains(&json!({"type": "summary", "id": summary["id"], "why": "summary"})),
        "{packed}"
    );
    assert!(used.iter().any(|one| one["id"] == "m59" && one["why"] == "recent"));
    assert_eq!(context(json!({"include_summaries": false}))["summary"], Value::Null);
    // What stands there verbatim needs no summary.
    assert_eq!(context(json!({"max_tokens": 100_000}))["summary"], Value::Null);
}

#[test]
fn long_idle_sessions_are_summed_up_by_upkeep_and_by_nobody_where_it_is_off() {
    let settings = HostSettings::default().with("summarize_idle_ms", "1");
    let (client, api) = with_api(settings);
    talk(&client, 0, 100);
    client.store("short", &json!([{"role": "user", "content": "hello"}]));
    let upkeep = |client: &Client, body: Value| {
        let operator = Client { user: None, ..client.clone() };
        operator.post("/v1/upkeep/summarize", &body.to_string())
    };
    let done = upkeep(&client, json!({})).expect_status(200).json();
    assert_eq!((&done["summaries"], &done["has_more"]), (&json!(1), &json!(false)), "{done}");
    assert_eq!((api.calls().len(), listed(&client).len()), (1, 1));
    assert!(done["tokens"]["prompt"].as_u64().unwrap() > 0);
    let again = upkeep(&client, json!({"user_id": client.user})).expect_status(200).json();
    assert_eq!((&again["summaries"], api.calls().len()), (&json!(0), 1));
    api.set(Manner::Garbage);
    talk(&client, 100, 100);
    let failed = upkeep(&client, json!({})).expect_status(200).json();
    assert_eq!((&failed["failed"], listed(&client).len()), (&json!(1), 1), "{failed}");
    upkeep(&Client::new(by_words()), json!({})).problem(422, "unprocessable");
}

#[test]
fn a_tenant_that_has_spent_its_tokens_gets_no_summary_and_the_model_no_call() {
    let settings = HostSettings::default().with("tenant_generate_tokens", "1500");
    let (client, api) = with_api(settings);
    talk(&client, 0, 4);
    let made = ask(&client, json!({}));
    assert_eq!(made["budget"], json!({"limit": 1500, "spent": 45}), "as the model says: {made}");
    assert_eq!(ask(&client, json!({}))["budget"], Value::Null, "nothing was generated");
    // More than is left: refused before anybody is asked, with what to do and when.
    let ids = talk(&client, 4, 4);
    api.set(Manner::Well);
    let refused = client.post(SUMMARIES, r#"{"summary_tokens": 1400}"#);
    let wait: u64 = refused.header("retry-after").unwrap().parse().unwrap();
    assert!(wait > 0 && wait <= 24 * 60 * 60, "{wait}");
    let problem = refused.problem(429, "budget_spent");
    assert!(problem["detail"].as_str().unwrap().contains("1455 are left"), "{problem}");
    assert!(problem["detail"].as_str().unwrap().contains("tenant_generate_tokens"), "{problem}");
    assert!(api.calls().is_empty() && listed(&client).len() == 1);
    // A refusal of the model costs nothing, and what nobody says costs all that it might.
    for (manner, times) in [(Manner::Refuses, 3), (Manner::TooLong, 1)] {
        api.set(manner);
        for _ in 0..times {
            client.post(SUMMARIES, "{}").problem(503, "model_unavailable");
        }
        assert_eq!(api.calls().len(), times);
    }
    api.set(Manner::Well);
    client.post(SUMMARIES, "{}").problem(429, "budget_spent");
    assert!(api.calls().is_empty());
    // Nothing is lost: what still fits is made.
    let made = ask(&client, json!({"summary_tokens": 64}));
    assert_eq!(made["summary"]["covers"]["messages"], json!(ids));
    assert_eq!((api.calls().len(), listed(&client).len()), (1, 2));
}

#[test]
fn a_budget_that_is_spent_ends_the_upkeep_of_idle_sessions_until_tomorrow() {
    let settings = HostSettings::default()
        .with("summarize_idle_ms", "1")
        .with("summarize_interval_ms", "0")
        .with("tenant_generate_tokens", "100");
    let (client, api) = with_api(settings);
    talk(&client, 0, 100);
    let operator = Client { user: None, ..client.clone() };
    for body in [json!({}), json!({"user_id": client.user})] {
        let done = operator.post("/v1/upkeep/summarize", &body.to_string());
        let done = done.expect_status(200).json();
        assert_eq!((&done["budget_spent"], &done["summaries"]), (&json!(true), &json!(0)));
        assert_eq!((&done["has_more"], &done["next_cursor"]), (&json!(false), &Value::Null));
    }
    assert!(api.calls().is_empty() && listed(&client).is_empty());
}

/// Waits until this holds.
fn patiently(what: &str, holds: impl Fn() -> bool) {
    let patience = Instant::now() + Duration::from_secs(60);
    while !holds() {
        assert!(Instant::now() < patience, "{what}");
        std::thread::yield_now();
    }
}

#[test]
fn the_host_sums_up_idle_sessions_by_itself_and_each_once() {
    let settings =
        HostSettings::default().with("summarize_idle_ms", "1").with("summarize_interval_ms", "50");
    let (client, api) = with_api(settings);
    let ids = talk(&client, 0, 100);
    patiently("the session is summed up", || listed(&client).len() == 1);
    let first = &listed(&client)[0]["covers"];
    assert_eq!((&first["first"], api.calls().len()), (&json!(ids[0]), 1));
    client.store("short", &json!([{"role": "user", "content": "hello"}]));
    // Another session, many rounds later: the first was not summed up again, the short one never.
    let other = client.acting_for("somebody else");
    talk(&other, 0, 100);
    patiently("another user's session is summed up", || listed(&other).len() == 1);
    assert_eq!((api.calls().len(), listed(&client).len()), (2, 1));
    // What was said since is covered next, and a generator that errs keeps nothing from that.
    api.set(Manner::Garbage);
    talk(&client, 100, 100);
    patiently("the model was asked in vain", || !api.calls().is_empty());
    assert_eq!(listed(&client).len(), 1);
    api.set(Manner::Well);
    patiently("the rest is summed up", || listed(&client).len() == 2);
}

#[test]
fn the_host_sums_up_nothing_by_itself_where_the_setting_is_off() {
    let settings = HostSettings::default().with("summarize_interval_ms", "1");
    let (client, api) = with_api(settings);
    talk(&client, 0, 100);
    for _ in 0..50 {
        client.get("/v1/sessions/s").expect_status(200);
    }
    assert!(api.calls().is_empty() && listed(&client).is_empty());
}

#[test]
fn a_summary_is_refused_to_who_may_not_write_and_with_a_field_that_is_wrong() {
    let client = Client::new(by_words());
    talk(&client, 0, 2);
    let anybody = Client { user: None, ..client.clone() };
    let wanted = json!({"kind": "user", "user_id": client.user, "permissions": ["read"]});
    let reader = client.with_key(&anybody.make_key(&wanted));
    reader.post(SUMMARIES, "{}").problem(403, "denied");
    for wish in [r#"{"summary_tokens": 1}"#, r#"{"max_tokens": 0}"#, r#"{"budget": 9}"#] {
        let problem = client.post(SUMMARIES, wish).any_problem();
        assert!(problem["status"] == 400 || problem["status"] == 422, "{problem}");
    }
    assert!(listed(&client).is_empty());
}
