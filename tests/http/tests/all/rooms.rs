//! What lies around sessions: context entries, relationships, preferences, statistics, the timeline.

use holdfast_core::clock::parse_rfc3339;
use holdfast_http_tests::{Answer, Client, Running, by_words, fresh, messages_of};
use holdfast_servers::HostSettings;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::sync::Arc;

/// A client for a user whose id stands in a path as it is.
fn client() -> Client {
    named(by_words())
}

fn named(running: Arc<Running>) -> Client {
    let user = fresh("rooms").replace(' ', "-");
    Client { user: Some(user), ..Client::new(running) }
}

fn put(client: &Client, path: &str, body: &Value) -> Answer {
    client.send("PUT", path, &[], Some(body.to_string().as_bytes()))
}

fn of_user(client: &Client, rest: &str) -> String {
    format!("/v1/users/{}/{rest}", client.user.as_deref().unwrap())
}

fn say(client: &Client, session: &str, text: &str) -> String {
    client.store(session, &json!([{"role": "user", "content": text}])).remove(0)
}

fn hash(text: &str) -> String {
    Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn f3_1_a_session_has_its_ten_attributes() {
    let client = client();
    let body = json!({"id": "s", "name": "Trip", "type": "planning", "metadata": {"a": [1]},
        "context_summary": "what came before", "relevance_score": 0.75});
    client.post("/v1/sessions", &body.to_string()).expect_status(201);
    client
        .send("PATCH", "/v1/sessions/s", &[], Some(br#"{"status":"archived"}"#))
        .expect_status(200);
    let session = client.get("/v1/sessions/s?format=ltst").expect_status(200).json();
    let names = [
        "session_id",
        "user_id",
        "session_name",
        "session_type",
        "status",
        "metadata",
        "context_summary",
        "relevance_score",
        "created_at",
        "last_activity",
    ];
    assert_eq!(session.as_object().unwrap().len(), 10);
    assert!(names.iter().all(|name| !session[name].is_null()), "{session}");
    assert_eq!(
        (&session["session_id"], &session["user_id"], &session["session_name"]),
        (&json!("s"), &json!(client.user.clone().unwrap()), &json!("Trip"))
    );
    assert_eq!(
        (&session["session_type"], &session["status"], &session["metadata"]),
        (&json!("planning"), &json!("archived"), &json!({"a": [1]}))
    );
    assert_eq!(
        (&session["context_summary"], &session["relevance_score"]),
        (&json!("what came before"), &json!(0.75))
    );
    let own = client.get("/v1/sessions/s").expect_status(200).json();
    assert_eq!(
        (&own["context_summary"], &own["name"]),
        (&json!("what came before"), &json!("Trip"))
    );
}

#[test]
fn f3_4_what_nobody_set_has_its_default() {
    let client = client();
    client.post("/v1/sessions", r#"{"id":"s"}"#).expect_status(201);
    let session = client.get("/v1/sessions/s?format=ltst").json();
    assert_eq!(
        (&session["session_type"], &session["status"], &session["relevance_score"]),
        (&json!("conversation"), &json!("active"), &json!(0.0))
    );
    assert_eq!((&session["metadata"], &session["context_summary"]), (&json!({}), &Value::Null));
    let entry = put(&client, "/v1/sessions/s/contexts/project/k", &json!({"value": "v"}));
    assert_eq!(entry.expect_status(201).json()["relevance_score"], json!(0.0));
}

#[test]
fn f3_12_sessions_are_listed_newest_activity_first() {
    let client = client();
    for session in ["a", "b", "c"] {
        say(&client, session, "x");
    }
    say(&client, "a", "again");
    let sessions = client.get("/v1/sessions?limit=2").expect_status(200);
    let ids = |answer: &Answer| -> Vec<String> {
        answer.data().iter().map(|s| s["id"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(ids(&sessions), ["a", "c"]);
    let next = sessions.json()["next_cursor"].as_str().unwrap().to_owned();
    assert_eq!(ids(&client.get(&format!("/v1/sessions?limit=2&cursor={next}"))), ["b"]);
}

#[test]
fn f3_21_sessions_are_filtered_by_their_metadata() {
    let client = client();
    for (id, team) in [("a", "red"), ("b", "blue"), ("c", "red"), ("d", "red")] {
        let body = json!({"id": id, "metadata": {"team": team}, "type": format!("type {id}")});
        client.post("/v1/sessions", &body.to_string()).expect_status(201);
    }
    let red = "filters=%7B%22metadata.team%22:%7B%22eq%22:%22red%22%7D%7D";
    let page = client.get(&format!("/v1/sessions?order=asc&limit=2&{red}")).expect_status(200);
    let ids: Vec<_> = page.data().iter().map(|s| s["id"].clone()).collect();
    assert_eq!(ids, ["a", "c"]);
    let next = page.json()["next_cursor"].as_str().unwrap().to_owned();
    let rest = client.get(&format!("/v1/sessions?order=asc&limit=2&{red}&cursor={next}"));
    assert_eq!(rest.data()[0]["id"], "d");
    let one = client.get("/v1/sessions?filters=%7B%22type%22:%7B%22eq%22:%22type%20b%22%7D%7D");
    assert_eq!(one.data().len(), 1);
    client.get("/v1/sessions?filters=%7B%22nmae%22:%7B%7D%7D").problem(400, "unknown_field");
}

#[test]
fn f3_3_a_context_entry_is_put_by_type_and_key() {
    let client = client();
    say(&client, "s", "x");
    let path = "/v1/sessions/s/contexts/project/deadline";
    let body = json!({"value": "in May", "relevance_score": 0.9, "metadata": {"a": 1}, "expires_at": "2100-01-01T00:00:00Z"});
    let made = put(&client, path, &body).expect_status(201);
    let read = client.get(path).expect_status(200);
    assert_eq!(made.json(), read.json());
    let entry = read.json();
    for (name, value) in body.as_object().unwrap() {
        assert_eq!(&entry[name], value, "{name}");
    }
    assert_eq!(entry["context_hash"], json!(hash("s:project:deadline:in May")));
    assert_eq!((&entry["type"], &entry["key"]), (&json!("project"), &json!("deadline")));
    let etag = read.header("etag").unwrap().to_owned();
    put(&client, path, &json!({"value": {"day": 3}})).expect_status(200);
    assert_eq!(client.get(path).json()["value"], json!({"day": 3}));
    let late = client.send("PUT", path, &[("If-Match", &etag)], Some(br#"{"value":1}"#));
    late.problem(412, "precondition_failed");
    put(&client, "/v1/sessions/s/contexts/user_info/name", &json!({"value": "Ann"}))
        .expect_status(201);
    assert_eq!(client.get("/v1/sessions/s/contexts").data().len(), 2);
    assert_eq!(client.get("/v1/sessions/s/contexts?type=project").data().len(), 1);
    put(&client, "/v1/sessions/s/contexts/else/k", &json!({"value": 1}))
        .problem(422, "unprocessable");
    put(&client, "/v1/sessions/none/contexts/project/k", &json!({"value": 1}))
        .problem(404, "not_found");
    put(&client, path, &json!({})).problem(422, "unprocessable");
    client.send("DELETE", path, &[], None).expect_status(204);
    client.get(path).problem(404, "not_found");
    put(&client, path, &json!({"value": "anew"})).expect_status(201);
}

#[test]
fn f3_10_an_ended_context_entry_is_gone_before_any_cleanup() {
    let client = client();
    say(&client, "s", "x");
    let path = "/v1/sessions/s/contexts/project/k";
    put(&client, path, &json!({"value": 1, "expires_at": "2020-01-01T00:00:00Z"}))
        .expect_status(201);
    client.get(path).problem(404, "not_found");
    assert!(client.get("/v1/sessions/s/contexts").data().is_empty());
}

#[test]
fn f3_13_deleting_a_session_removes_all_of_it() {
    let client = client();
    let id = say(&client, "s", "canary of the session");
    say(&client, "t", "x");
    put(&client, "/v1/sessions/s/contexts/project/k", &json!({"value": "canary"}))
        .expect_status(201);
    let related = json!({"target_session_id": "s", "type": "similar"}).to_string();
    client.post("/v1/sessions/t/relationships", &related).expect_status(201);
    client
        .post(&format!("{}/{id}/feedback", messages_of("s")), r#"{"comment":"canary"}"#)
        .expect_status(201);
    let memory = json!({"session_id": "s", "source_message_ids": [id]}).to_string();
    client.post("/v1/memories", &memory).expect_status(201);
    client.send("DELETE", "/v1/sessions/s", &[], None).expect_status(204);
    assert!(client.get("/v1/sessions/t/relationships").data().is_empty());
    assert!(client.get("/v1/memories").data().is_empty());
    for path in ["contexts", "relationships", "statistics"] {
        client.get(&format!("/v1/sessions/s/{path}")).problem(404, "not_found");
    }
    say(&client, "s", "opened anew");
    assert!(client.get("/v1/sessions/s/contexts").data().is_empty());
    let everywhere = [
        client.get(&of_user(&client, "timeline")).text,
        client.post("/v1/search", r#"{"query":"canary"}"#).text,
        client.post("/v1/context", r#"{"query":"canary","session_id":"s","max_tokens":900}"#).text,
    ];
    assert!(everywhere.iter().all(|text| !text.contains("canary")), "{everywhere:?}");
}

#[test]
fn f3_14_statistics_are_equal_to_a_recount() {
    let client = client();
    let texts = ["one two", "drei\r\nvier 😀", "", "five"];
    let roles = ["user", "assistant", "tool", "user"];
    for (text, role) in texts.iter().zip(roles) {
        let message = json!([{"role": role, "content": text, "tool_call_id": "c"}]);
        client.store("s", &message);
    }
    let gone = say(&client, "s", "deleted again");
    client.send("DELETE", &format!("{}/{gone}", messages_of("s")), &[], None).expect_status(204);
    put(&client, "/v1/sessions/s/contexts/project/k", &json!({"value": 1})).expect_status(201);
    let counted = client.get("/v1/sessions/s/statistics").expect_status(200).json();
    let characters: usize = texts.iter().map(|text| text.chars().count()).sum();
    for (name, value) in [
        ("session_id", json!("s")),
        ("message_count", json!(4)),
        ("human_message_count", json!(2)),
        ("ai_message_count", json!(1)),
        ("average_message_length", json!(characters as f64 / 4.0)),
        ("context_count", json!(1)),
    ] {
        assert_eq!(counted[name], value, "{name}: {counted}");
    }
    assert_eq!(counted.as_object().unwrap().len(), 9, "{counted}");
    // As a tokenizer counts that is not ours, in the default vocabulary.
    let vocabulary = tiktoken_rs::o200k_base().unwrap();
    let tokens: usize = texts.iter().map(|text| vocabulary.encode_ordinary(text).len()).sum();
    assert_eq!(counted["total_tokens"], json!(tokens), "{counted}");
    let all = client.messages("s");
    let at =
        |message: &Value| -> u64 { parse_rfc3339(message["stored_at"].as_str().unwrap()).unwrap() };
    let (first, last) = (&all[0], all.last().unwrap());
    assert_eq!(counted["last_summary_update"], last["stored_at"]);
    assert_eq!(counted["session_duration"], json!((at(last) - at(first)) as f64 / 1000.0));
    client.get("/v1/sessions/none/statistics").problem(404, "not_found");
}

#[test]
fn f3_16_relationships_are_unique_by_source_target_and_type() {
    let client = client();
    for session in ["a", "b", "c"] {
        say(&client, session, "x");
    }
    let path = "/v1/sessions/a/relationships";
    let relate = |target: &str, kind: &str, score: f64| {
        let body = json!({"target_session_id": target, "type": kind, "score": score, "metadata": {"n": 1}});
        client.post(path, &body.to_string())
    };
    let made = relate("b", "continuation", 0.5).expect_status(201).json();
    assert_eq!(
        (&made["source_session_id"], &made["target_session_id"]),
        (&json!("a"), &json!("b"))
    );
    relate("b", "similar", 0.5).expect_status(201);
    relate("c", "reference", 0.5).expect_status(201);
    let again = relate("b", "continuation", 0.75).expect_status(200).json();
    assert_eq!((&again["score"], &again["created_at"]), (&json!(0.75), &made["created_at"]));
    assert_eq!(client.get(path).data().len(), 3);
    relate("b", "cousin", 0.5).problem(422, "unprocessable");
    relate("none", "similar", 0.5).problem(422, "unprocessable");
    relate("a", "similar", 0.5).problem(422, "unprocessable");
    client.send("DELETE", &format!("{path}/similar/b"), &[], None).expect_status(204);
    assert_eq!(client.get(path).data().len(), 2);
    client.send("DELETE", "/v1/sessions/c", &[], None).expect_status(204);
    assert_eq!(client.get(path).data().len(), 1);
}

#[test]
fn f3_16_a_preference_is_put_by_its_key() {
    let client = client();
    let path = of_user(&client, "preferences/theme");
    put(&client, &path, &json!({"value": "dark", "metadata": {"a": 1}})).expect_status(201);
    let read = client.get(&path).expect_status(200).json();
    assert_eq!(
        (&read["key"], &read["value"], &read["sensitive"], &read["metadata"]),
        (&json!("theme"), &json!("dark"), &json!(false), &json!({"a": 1}))
    );
    put(&client, &path, &json!({"value": [1, 2]})).expect_status(200);
    assert_eq!(client.get(&of_user(&client, "preferences")).data()[0]["value"], json!([1, 2]));
    let profile = client.get(&of_user(&client, "profile")).json();
    assert_eq!(profile["preferences"], json!({"theme": [1, 2]}));
    client.send("DELETE", &path, &[], None).expect_status(204);
    client.send("DELETE", &path, &[], None).expect_status(204);
    client.get(&path).problem(404, "not_found");
    client.send("DELETE", &of_user(&client, "preferences/x"), &[], None).problem(404, "not_found");
    put(&client, &path, &json!({"value": "light"})).expect_status(201);
}

#[test]
fn f3_26_a_sensitive_preference_is_refused_without_the_tenants_key() {
    let client = client();
    let path = of_user(&client, "preferences/pin");
    let problem = put(&client, &path, &json!({"value": "1234", "sensitive": true}))
        .problem(422, "unprocessable");
    assert!(problem["detail"].as_str().unwrap().contains("tenant_key"), "{problem}");
    client.get(&path).problem(404, "not_found");
}

#[test]
fn f3_26_a_sensitive_preference_is_sealed_in_the_bucket() {
    let settings = HostSettings::default().with("tenant_key", "5a".repeat(32));
    let running = Arc::new(Running::start(settings));
    let client = named(running.clone());
    let path = of_user(&client, "preferences/pin");
    let body = json!({"value": "canary-pin", "sensitive": true});
    put(&client, &path, &body).expect_status(201);
    put(&client, &of_user(&client, "preferences/open"), &json!({"value": "canary-open"}))
        .expect_status(201);
    let read = client.get(&path).expect_status(200).json();
    assert_eq!((&read["value"], &read["sensitive"]), (&json!("canary-pin"), &json!(true)));
    let list = client.get(&of_user(&client, "preferences")).expect_status(200).text;
    let profile = client.get(&of_user(&client, "profile")).expect_status(200).text;
    let context = client.post("/v1/context", r#"{"query":"pin","max_tokens":500}"#).text;
    assert!(context.contains("canary-open"), "{context}");
    for text in [list, profile, context] {
        assert!(!text.contains("canary-pin"), "{text}");
    }
    let mut files = Vec::new();
    let mut folders = vec![running.data_dir().join("store"), running.data_dir().to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
            if entry.file_type().unwrap().is_dir() {
                folders.push(entry.path());
            } else if entry.file_type().unwrap().is_file() {
                files.push(std::fs::read(entry.path()).unwrap_or_default());
            }
        }
    }
    let holds = |text: &str| {
        files.iter().any(|file| file.windows(text.len()).any(|part| part == text.as_bytes()))
    };
    assert!(holds("canary-open") && !holds("canary-pin"), "what is not sealed would be seen");
}

#[test]
fn f0_13_the_timeline_is_newest_first_stable_and_skips_nothing() {
    let client = client();
    client.post("/v1/sessions", r#"{"id":"made"}"#).expect_status(201);
    for number in 0..5 {
        say(&client, if number % 2 == 0 { "s" } else { "t" }, &format!("message {number}"));
    }
    // Notes and todos are memories of that category.
    for (text, category) in [("buy flour", "todo"), ("the oven is slow", "note")] {
        let body = json!({"text": text, "category": category}).to_string();
        client.post("/v1/memories", &body).expect_status(201);
    }
    let path = of_user(&client, "timeline");
    let whole = client.get(&format!("{path}?limit=100")).expect_status(200).data();
    let kinds: Vec<_> = whole.iter().map(|item| item["type"].as_str().unwrap()).collect();
    assert_eq!(kinds.len(), 10, "{kinds:?}");
    assert_eq!((kinds[0], kinds[1], kinds[9]), ("memory", "memory", "session"));
    let category = |at: usize| whole[at]["memory"]["category"].clone();
    assert_eq!((category(0), category(1)), (json!("note"), json!("todo")));
    let said: Vec<_> = whole
        .iter()
        .filter(|item| item["type"] == "message")
        .map(|item| item["message"]["content"].as_str().unwrap())
        .collect();
    assert_eq!(said, ["message 4", "message 3", "message 2", "message 1", "message 0"]);
    let (mut walked, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = client.get(&format!("{path}?limit=2{cursor}")).expect_status(200);
        walked.extend(page.data());
        // What comes while somebody walks comes before the beginning.
        say(&client, "s", "later");
        match page.json()["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(walked.len(), 10);
    let orders = |all: &[Value]| -> Vec<Value> {
        all.iter().map(|item| item["message"]["order"].clone()).collect()
    };
    assert_eq!(orders(&walked), orders(&whole));
}

#[test]
fn f3_17_context_entries_are_merged_by_the_promised_parameters() {
    let client = client();
    say(&client, "s", "hello");
    for (key, value, relevance) in [
        ("a", "the red team meets on monday at ten", 0.9),
        ("b", "The red team meets on Monday at ten", 0.8),
        ("c", "the release is in may", 0.7),
        ("d", "hardly relevant", 0.6),
    ] {
        let body = json!({"value": value, "relevance_score": relevance});
        put(&client, &format!("/v1/sessions/s/contexts/project/{key}"), &body).expect_status(201);
    }
    let used = |entries: Value| -> Vec<String> {
        let mut body = json!({"session_id": "s", "max_tokens": 2000});
        if !entries.is_null() {
            body["entries"] = entries;
        }
        let answer = client.post("/v1/context", &body.to_string()).expect_status(200).json();
        let used = answer["used"].as_array().unwrap().clone();
        let context = used.iter().filter(|used| used["type"] == "context");
        context.map(|used| used["id"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(used(Value::Null), ["project/a", "project/c"]);
    assert_eq!(used(json!({"min_relevance": 0.5})), ["project/a", "project/c", "project/d"]);
    assert_eq!(used(json!({"min_similarity": 1.0, "max": 1})), ["project/a"]);
    assert_eq!(used(json!({"max_chars": 30})), ["project/c"]);
    // Of entries only: nothing else is measured by them.
    client.post("/v1/memories", r#"{"text":"likes tea","importance":1}"#).expect_status(201);
    let none = json!({"min_relevance": 1, "min_similarity": 0, "max": 0, "max_chars": 0});
    let body = json!({"session_id": "s", "max_tokens": 2000, "entries": none}).to_string();
    let answer = client.post("/v1/context", &body).expect_status(200).json();
    let kinds = answer["used"].as_array().unwrap().iter().map(|used| used["type"].as_str());
    assert_eq!(kinds.collect::<Vec<_>>(), [Some("memory"), Some("message")], "{answer}");
    let bad = r#"{"session_id":"s","max_tokens":9,"entries":{"min_relevance":2}}"#;
    let problem = client.post("/v1/context", bad).problem(422, "unprocessable");
    assert_eq!(problem["pointer"], "/entries/min_relevance");
}

#[test]
fn f3_18_a_context_holds_preferences_memories_older_messages_and_the_conversation_before() {
    let client = client();
    put(&client, &of_user(&client, "preferences/tone"), &json!({"value": "brief"}))
        .expect_status(201);
    client
        .post("/v1/memories", r#"{"text":"is allergic to peanuts","importance":1}"#)
        .expect_status(201);
    say(&client, "yesterday", "we spoke of marzipan");
    say(&client, "s", "what shall we cook?");
    let body = r#"{"session_id":"s","query":"cook","max_tokens":1500}"#;
    let answer = client.post("/v1/context", body).expect_status(200).json();
    let why = |kind: &str| -> Vec<&str> {
        let used = answer["used"].as_array().unwrap().iter();
        let used = used.filter(|used| used["type"] == kind);
        used.map(|used| used["why"].as_str().unwrap()).collect()
    };
    assert_eq!((why("preference"), why("memory")), (vec!["preference"], vec!["profile"]));
    assert_eq!(why("message"), ["continuity", "recent"]);
    let text = answer["context"].as_str().unwrap();
    let places: Vec<_> =
        ["brief", "peanuts", "marzipan", "cook?"].iter().map(|t| text.find(t).unwrap()).collect();
    assert!(places.is_sorted(), "{text}");
    assert!(answer["tokens"].as_u64().unwrap() <= 1500);
}

#[test]
fn nothing_of_these_rooms_shows_to_another_user() {
    let (client, other) = (client(), client());
    for one in [&client, &other] {
        say(one, "s", "x");
    }
    put(&client, "/v1/sessions/s/contexts/project/k", &json!({"value": "canary"}))
        .expect_status(201);
    put(&client, &of_user(&client, "preferences/k"), &json!({"value": "canary"}))
        .expect_status(201);
    client.post("/v1/memories", r#"{"text":"canary","importance":1}"#).expect_status(201);
    for path in [
        "/v1/sessions/s/contexts".to_owned(),
        "/v1/sessions/s/contexts/project/k".to_owned(),
        "/v1/sessions/s/relationships".to_owned(),
        of_user(&other, "preferences"),
        of_user(&other, "preferences/k"),
        of_user(&other, "timeline"),
        of_user(&other, "profile"),
    ] {
        let answer = other.get(&path);
        assert!(matches!(answer.status, 200 | 404) && !answer.text.contains("canary"), "{path}");
    }
    let context = other.post("/v1/context", r#"{"session_id":"s","query":"x","max_tokens":900}"#);
    assert!(!context.text.contains("canary"));
    let bound = client.make_key(&json!({"kind": "user", "user_id": other.user.clone().unwrap()}));
    let bound = other.with_key(&bound);
    bound.get(&of_user(&client, "preferences")).problem(403, "denied");
    bound.get(&of_user(&client, "timeline")).problem(403, "denied");
}
