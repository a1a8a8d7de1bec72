//! The product on a runtime that knows nothing of it: the transcripts, on real object stores and with a real model API.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod api;
mod install;

use api::{Api, ERRING, Manner};
use holdfast_http_tests::{Player, root};
use holdfast_servers::{Rclone, Server, Shared};
use holdfast_standin::{Manifest, Standin};
use install::{files, key, variables};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

static STORE: Shared = Shared::new();
const REMOTE: &str = "{ path = \"target/components/remote-models.wasm\", inherit_configuration = [\"allowed_outbound_hosts\", \"variables\"] }";
const PORTABLE: &str = "{ path = \"target/components/portable-models.wasm\" }";

fn store() -> Arc<Server> {
    STORE.get(Rclone::start)
}

fn start(text: &str, given: &BTreeMap<String, String>) -> Standin {
    let manifest = Manifest::parse(text, root(), given).unwrap();
    let cache = root().join("target/tests/standin");
    Standin::start(&manifest, ([127, 0, 0, 1], 0).into(), &cache).unwrap()
}

fn spin_toml() -> String {
    std::fs::read_to_string(root().join("spin.toml")).unwrap()
}

fn player(standin: &Standin) -> Player {
    Player::new(&format!("http://{}", standin.address), &key().reveal())
}

#[test]
fn every_transcript_plays_on_a_runtime_that_knows_nothing_of_ours() {
    let store = store();
    let standin = start(&spin_toml(), &variables(&store));
    for file in files() {
        player(&standin).play(&file);
    }
}

#[test]
fn an_application_of_others_remembers_through_one_dependency() {
    let store = store();
    let dir = root().join("examples/rust-app");
    let text = std::fs::read_to_string(dir.join("spin.toml")).unwrap();
    let manifest = Manifest::parse(&text, dir, &variables(&store)).unwrap();
    let cache = root().join("target/tests/standin");
    let standin = Standin::start(&manifest, ([127, 0, 0, 1], 0).into(), &cache).unwrap();
    let http = holdfast_http_tests::plain();
    let says = |words: &'static str| {
        let url = format!("http://{}/an-application-of-others", standin.address);
        let answer = http.post(url).body(words).send().unwrap();
        (answer.status().as_u16(), answer.text().unwrap())
    };
    assert_eq!(says("We fly to Lisbon on 3 May.").0, 200);
    // Another instance answers, which knows only what the bucket holds.
    let (status, context) = says("When do we fly?");
    assert!(status == 200 && context.contains("Lisbon"), "{status}: {context}");
}

/// A call for a user of their own, and its answer.
fn call(standin: &Standin, path: &str, body: &Value) -> Value {
    let http = holdfast_http_tests::plain();
    let request = http.post(format!("http://{}{path}", standin.address)).body(body.to_string());
    let request = request.header("Content-Type", "application/json");
    let answer = request.bearer_auth(key().reveal()).send().unwrap();
    let (status, text) = (answer.status(), answer.text().unwrap());
    assert!(status.is_success(), "{path}: {status} {text}");
    serde_json::from_str(&text).unwrap()
}

/// Names of the user's index parts.
fn parts(store: &Server, user: &str) -> Vec<String> {
    let folder =
        store.folder().join("data").join(&store.bucket).join(format!("v1/t/default/u/{user}/idx"));
    let files = std::fs::read_dir(folder).into_iter().flatten();
    files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect()
}

#[test]
fn an_instance_starts_from_what_another_one_left_in_the_bucket() {
    let (store, user) = (store(), "reads-much");
    let standin = start(&spin_toml(), &variables(&store));
    let found = || {
        let question =
            json!({"user_id": user, "query": "harbour 777", "mode": "keyword", "top_k": 3});
        let answer = call(&standin, "/v1/search", &question);
        let ids = answer["data"].as_array().unwrap().iter();
        ids.map(|hit| hit["message"]["id"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let says = |number: u32| {
        let content = format!("the harbour at {number} {}", "was as quiet as ever ".repeat(20));
        json!({"role": "user", "content": content, "id": format!("m{number}")})
    };
    for batch in 0..8 {
        let messages: Vec<Value> = (batch * 100..batch * 100 + 100).map(says).collect();
        let body = json!({"user_id": user, "messages": messages});
        call(&standin, "/v1/sessions/s/messages", &body);
    }
    assert_eq!(parts(&store, user), [""; 0], "who only stores reads nothing");
    let first = found();
    assert!(first.contains(&"m777".to_owned()));
    let left = parts(&store, user);
    assert_eq!(left.len(), 1);
    assert_eq!(found(), first);
    // What came since counts, and the part stays.
    let body = json!({"user_id": user, "role": "user", "content": "harbour 777, harbour 777", "id": "late"});
    call(&standin, "/v1/sessions/s/messages", &body);
    assert!(found().contains(&"late".to_owned()));
    assert_eq!(parts(&store, user), left);
}

/// The application with `remote-models` in place of `portable-models`, and its API.
fn remote(manner: Manner) -> (Api, Standin, Arc<Server>) {
    remote_with(manner, &[])
}

fn remote_with(manner: Manner, settings: &[(&str, &str)]) -> (Api, Standin, Arc<Server>) {
    let (store, api) = (store(), Api::start(manner));
    let mut given = variables(&store);
    let more = [
        ("embed_endpoint", api.origin.as_str()),
        ("embed_path", "/v1/embeddings"),
        ("embed_model", "test/model"),
        ("embed_dimensions", "8"),
        ("embed_key", "sk-secret"),
        ("embed_deadline_ms", "1500"),
        ("generate_endpoint", api.origin.as_str()),
        ("generate_model", "test/writer"),
        ("generate_key", "sk-secret"),
        ("generate_deadline_ms", "1500"),
    ];
    let more = more.iter().chain(settings);
    given.extend(more.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    let text = spin_toml().replace(PORTABLE, REMOTE);
    assert_eq!(text.matches(REMOTE).count(), 5);
    let standin = start(&text, &given);
    (api, standin, store)
}

fn play(standin: &Standin, transcript: &str) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("inline.http");
    std::fs::write(&file, transcript).unwrap();
    player(standin).play(&file);
}

/// Stores two messages and asks by meaning: the embedder of the tests goes by the first letter.
const ALIKE: &str = r#"POST /v1/sessions/s/messages

{"messages": [{"role": "user", "content": "apple", "id": "a"}, {"role": "user", "content": "banana", "id": "b"}]}

=> 201
holdfast-after: {after}

...
---
POST /v1/search
Holdfast-After: {after}

{"query": "banana", "mode": "vector", "top_k": 1, "explain": true}

=> 200

{"data": [{"message": {"id": "b", "...": "..."}, "explain": {"cosine": "{#}", "...": "..."}, "...": "..."}],
 "pending": 0, "mode": "vector", "...": "..."}"#;

/// Stores without vectors and goes on by words, and says what is wrong where only vectors would do.
const WITHOUT: &str = r#"POST /v1/sessions/s/messages

{"role": "user", "content": "a banana", "id": "b"}

=> 201
holdfast-after: {after}

...
---
POST /v1/search
Holdfast-After: {after}

{"query": "banana", "top_k": 1}

=> 200

{"data": [{"message": {"id": "b", "...": "..."}, "...": "..."}], "pending": 1, "mode": "keyword", "...": "..."}
---
POST /v1/search

{"query": "banana", "mode": "vector"}

=> 503

{"code": "model_unavailable", "...": "..."}"#;

#[test]
fn an_openai_compatible_api_makes_the_vectors_in_one_call_a_batch() {
    let (api, standin, _store) = remote(Manner::Well);
    play(&standin, ALIKE);
    let calls = api.calls();
    assert_eq!(calls.len(), 2, "one for the store, one for the search: {calls:?}");
    for call in &calls {
        assert_eq!(call.authorization.as_deref(), Some("Bearer sk-secret"));
        assert_eq!(call.body["model"], "test/model");
        assert!(call.content_length, "chunked requests are refused by some APIs");
    }
    assert_eq!(calls[0].body["input"].as_array().unwrap().len(), 2);
    // Answers out of order are put in order; a connection that was closed is tried once more.
    api.set(Manner::Shuffled);
    play(&standin, ALIKE);
    api.set(Manner::ClosesFirst);
    play(&standin, ALIKE);
    assert_eq!(api.calls().len(), 3);
}

#[test]
fn an_api_that_is_slow_wrong_or_away_costs_the_vectors_and_nothing_else() {
    let (api, standin, _store) = remote(Manner::Slow);
    for manner in [
        Manner::Slow,
        Manner::Refuses,
        Manner::Garbage,
        Manner::WrongDimensions,
        Manner::TooFew,
        Manner::Zero,
        Manner::Endless,
        Manner::Closes,
    ] {
        api.set(manner);
        play(&standin, WITHOUT);
        assert!(!api.calls().is_empty(), "{manner:?}");
    }
}

#[test]
fn an_endpoint_that_is_no_origin_is_said_to_be_none() {
    let store = store();
    let mut given = variables(&store);
    let endpoint = ("embed_endpoint", "http://127.0.0.1:9/v1");
    let more = [endpoint, ("embed_model", "m"), ("embed_dimensions", "8")];
    given.extend(more.map(|(name, value)| (name.to_owned(), value.to_owned())));
    let standin = start(&spin_toml(), &given);
    let http = holdfast_http_tests::plain();
    let url = format!("http://{}/v1/sessions", standin.address);
    let answer = http.get(url).bearer_auth(key().reveal()).header("Holdfast-User", "u").send();
    let answer = answer.unwrap().text().unwrap();
    let said = "the path is a setting of its own";
    assert!(answer.contains("embed_endpoint") && answer.contains(said), "{answer}");
}

/// Sums up two messages, once.
const SUMMED_UP: &str = r#"POST /v1/sessions/s/messages

{"messages": [{"role": "user", "content": "apple", "id": "a"}, {"role": "user", "content": "banana", "id": "b"}]}

=> 201

...
---
POST /v1/sessions/s/summaries

{}

=> 201

{"summary": {"text": "2 messages in short", "generator": "test/writer", "tokens": {"prompt": 20, "completion": 5}, "...": "..."}, "...": "..."}"#;

/// Asks for a summary, gets none, and finds none.
const NOT_SUMMED_UP: &str = r#"POST /v1/sessions/s/messages

{"role": "user", "content": "a banana", "id": "b"}

=> 201

...
---
POST /v1/sessions/s/summaries

{}

=> 503

{"code": "model_unavailable", "...": "..."}
---
GET /v1/sessions/s/summaries

=> 200

{"data": [], "...": "..."}"#;

/// Sums up two messages, and not one more that may cost more than is left.
const SPENT: &str = r#"POST /v1/sessions/s/messages

{"messages": [{"role": "user", "content": "apple", "id": "a"}, {"role": "user", "content": "banana", "id": "b"}]}

=> 201

...
---
POST /v1/sessions/s/summaries

{}

=> 201

{"budget": {"limit": 1000, "spent": 25}, "...": "..."}
---
POST /v1/sessions/s/messages

{"role": "user", "content": "cherry", "id": "c"}

=> 201

...
---
POST /v1/sessions/s/summaries

{"summary_tokens": 900}

=> 429

{"code": "budget_spent", "...": "..."}
---
GET /v1/sessions/s/summaries

=> 200

{"data": [{"text": "2 messages in short", "...": "..."}], "...": "..."}"#;

#[test]
fn a_budget_of_tokens_holds_without_a_host_of_ours() {
    let (api, standin, _store) = remote_with(Manner::Well, &[("tenant_generate_tokens", "1000")]);
    play(&standin, SPENT);
    let chats = api.calls().into_iter().filter(|call| call.body.get("messages").is_some());
    assert_eq!(chats.count(), 1);
}

#[test]
fn an_openai_compatible_api_writes_summaries_and_what_is_none_is_not_stored() {
    let (api, standin, _store) = remote(Manner::Well);
    play(&standin, SUMMED_UP);
    let chats = api.calls().into_iter().filter(|call| call.body.get("messages").is_some());
    let chats: Vec<_> = chats.collect();
    assert_eq!(chats.len(), 1);
    assert_eq!(chats[0].body["model"], "test/writer");
    assert!(chats[0].content_length);
    for manner in ERRING {
        api.set(manner);
        play(&standin, NOT_SUMMED_UP);
    }
}
