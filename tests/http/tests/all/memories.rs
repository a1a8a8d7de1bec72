//! Model memories: saved, found, changed, undone, deleted, and gone with what they were made of.

use holdfast_http_tests::{Answer, Client, by_meaning, by_words, fresh, messages_of};
use serde_json::{Value, json};

const PATH: &str = "/v1/memories";

/// A client for a user whose id stands in a path as it is.
fn client() -> Client {
    let user = fresh("remembered").replace(' ', "-");
    Client { user: Some(user), ..Client::new(by_words()) }
}

#[track_caller]
fn save(client: &Client, body: &Value) -> Value {
    client.post(PATH, &body.to_string()).expect_status(201).json()
}

fn id(memory: &Value) -> &str {
    memory["id"].as_str().unwrap()
}

fn at(memory: &Value) -> String {
    format!("{PATH}/{}", id(memory))
}

fn patch(client: &Client, path: &str, headers: &[(&str, &str)], body: &Value) -> Answer {
    client.send("PATCH", path, headers, Some(body.to_string().as_bytes()))
}

fn list(client: &Client, query: &str) -> Vec<Value> {
    client.get(&format!("{PATH}{query}")).expect_status(200).data()
}

fn texts(memories: &[Value]) -> Vec<&str> {
    memories.iter().map(|memory| memory["text"].as_str().unwrap()).collect()
}

fn search(client: &Client, more: &Value) -> Vec<Value> {
    let mut body = json!({"mode": "keyword"});
    for (name, value) in more.as_object().unwrap() {
        body[name] = value.clone();
    }
    client.post("/v1/search", &body.to_string()).expect_status(200).data()
}

#[test]
fn f2_14_a_memory_is_saved_read_listed_and_found() {
    let client = client();
    let body = json!({"text": "Ann drinks oolong tea", "category": "taste", "importance": 0.9, "metadata": {"a": [1]}});
    let saved = save(&client, &body);
    assert_eq!(saved["status"], "saved");
    let read = client.get(&at(&saved)).expect_status(200);
    let memory = read.json();
    for (name, value) in [
        ("text", json!("Ann drinks oolong tea")),
        ("category", json!("taste")),
        ("importance", json!(0.9)),
        ("metadata", json!({"a": [1]})),
        ("expires_at", Value::Null),
        ("source_message_ids", json!([])),
    ] {
        assert_eq!(memory[name], value, "{name}: {memory}");
    }
    assert!(read.header("etag").is_some());
    assert_eq!(list(&client, ""), std::slice::from_ref(&memory));
    let hits = search(&client, &json!({"query": "oolong"}));
    assert_eq!((&hits[0]["type"], &hits[0]["memory"]), (&json!("memory"), &memory));
    assert!((0.0..=1.0).contains(&hits[0]["score"].as_f64().unwrap()));
}

#[test]
fn the_same_text_twice_is_a_link_and_never_a_second_memory() {
    let client = client();
    let saved = save(&client, &json!({"text": "likes tea", "category": "taste"}));
    let again = json!({"text": "likes tea", "category": "other"}).to_string();
    let linked = client.post(PATH, &again).expect_status(200).json();
    assert_eq!((&linked["id"], &linked["status"]), (&saved["id"], &json!("linked")));
    assert_eq!(linked["category"], "taste");
    assert_eq!(list(&client, "").len(), 1);
    client.store("s", &json!([{"role": "user", "content": "I like tea", "id": "m1"}]));
    let from = json!({"text": "likes tea", "session_id": "s", "source_message_ids": ["m1"]});
    let linked = client.post(PATH, &from.to_string()).expect_status(200).json();
    assert_eq!(linked["source_message_ids"], json!(["m1"]));
    assert_eq!(list(&client, ""), [client.get(&at(&saved)).json()]);
    // The memory stood before it had sources: it stands when they go.
    let path = format!("{}/m1", messages_of("s"));
    client.send("DELETE", &path, &[], None).expect_status(204);
    let left = client.get(&at(&saved)).expect_status(200).json();
    assert_eq!(left["source_message_ids"], json!([]));
}

#[test]
fn f2_12_a_memory_is_promoted_from_messages_and_names_them() {
    let client = client();
    let said = "My name is Zoë, I live in Köln.";
    client.store("s", &json!([{"role": "user", "content": said, "id": "m1"}]));
    let start = said.find("I live").unwrap();
    let body = json!({"source_message_ids": [{"session_id": "s", "message_id": "m1", "start": start, "end": said.len()}]});
    let memory = save(&client, &body);
    assert_eq!(memory["text"], "I live in Köln.");
    assert_eq!(memory["source_message_ids"], json!(["m1"]));
    let part = json!([{"session_id": "s", "message_id": "m1", "start": start, "end": said.len()}]);
    assert_eq!(memory["sources"], part);
    let whole = save(&client, &json!({"session_id": "s", "source_message_ids": ["m1"]}));
    assert_eq!(whole["text"], said);
}

#[test]
fn a_source_that_is_not_there_and_a_part_that_is_none_are_refused() {
    let client = client();
    client.store("s", &json!([{"role": "user", "content": "é", "id": "m1"}]));
    for sources in [
        json!([{"session_id": "s", "message_id": "no"}]),
        json!([{"session_id": "t", "message_id": "m1"}]),
        json!([{"session_id": "s", "message_id": "m1", "start": 0, "end": 1}]),
        json!([{"session_id": "s", "message_id": "m1", "start": 0, "end": 3}]),
        json!([{"session_id": "s", "message_id": "m1", "start": 1}]),
        json!(["m1"]),
        json!([7]),
    ] {
        let body = json!({"text": "x", "source_message_ids": sources}).to_string();
        let problem = client.post(PATH, &body).problem(422, "unprocessable");
        let pointer = problem["pointer"].as_str().unwrap();
        assert!(pointer.starts_with("/source_message_ids/0"), "{problem}");
    }
    assert!(list(&client, "").is_empty());
}

#[test]
fn a_promoted_memory_is_gone_with_its_message_and_its_session_edits_too() {
    let client = client();
    for (message, session) in [("m1", "s"), ("m2", "s"), ("m3", "t")] {
        let said = format!("canary {message} of the promoted");
        client.store(session, &json!([{"role": "user", "content": said, "id": message}]));
    }
    let promote = |session: &str, message: &str| {
        save(&client, &json!({"session_id": session, "source_message_ids": [message]}))
    };
    let (first, second, third) = (promote("s", "m1"), promote("s", "m2"), promote("t", "m3"));
    patch(&client, &at(&first), &[], &json!({"text": "edited by hand"})).expect_status(200);
    // An edit that gives its sources up stands by itself.
    let own = json!({"text": "my own words", "source_message_ids": []});
    patch(&client, &at(&third), &[], &own).expect_status(200);
    let path = format!("{}/m1", messages_of("s"));
    client.send("DELETE", &path, &[], None).expect_status(204);
    client.get(&at(&first)).problem(404, "not_found");
    client.get(&format!("{}/history", at(&first))).problem(404, "not_found");
    client.get(&at(&second)).expect_status(200);
    for session in ["s", "t"] {
        client.send("DELETE", &format!("/v1/sessions/{session}"), &[], None).expect_status(204);
    }
    client.get(&at(&second)).problem(404, "not_found");
    assert_eq!(texts(&list(&client, "")), ["my own words"]);
    assert!(search(&client, &json!({"query": "canary promoted"})).is_empty());
    let history = client.get(&format!("{}/history", at(&third))).expect_status(200);
    assert!(!history.text.contains("canary"), "{}", history.text);
}

#[test]
fn a_memory_is_changed_under_its_etag_and_null_takes_a_field_away() {
    let client = client();
    let saved = save(&client, &json!({"text": "one", "category": "c", "metadata": {"a": 1}}));
    let etag = client.get(&at(&saved)).header("etag").unwrap().to_owned();
    let change = json!({"text": "two", "category": null, "importance": 1});
    let changed = patch(&client, &at(&saved), &[("If-Match", &etag)], &change).expect_status(200);
    assert_eq!(changed.json(), client.get(&at(&saved)).json());
    let memory = changed.json();
    assert_eq!((&memory["text"], &memory["category"]), (&json!("two"), &Value::Null));
    assert_eq!((&memory["importance"], &memory["metadata"]), (&json!(1), &json!({"a": 1})));
    assert_eq!(memory["created_at"], saved["created_at"]);
    let late = patch(&client, &at(&saved), &[("If-Match", &etag)], &json!({"text": "three"}));
    late.problem(412, "precondition_failed");
    patch(&client, &at(&saved), &[], &json!({})).problem(422, "unprocessable");
    patch(&client, &format!("{PATH}/none"), &[], &json!({"text": "x"})).problem(404, "not_found");
    assert!(search(&client, &json!({"query": "one"})).is_empty());
    assert_eq!(search(&client, &json!({"query": "two"})).len(), 1);
}

#[test]
fn an_edit_into_the_text_of_another_memory_conflicts() {
    let client = client();
    save(&client, &json!({"text": "one"}));
    let other = save(&client, &json!({"text": "two"}));
    patch(&client, &at(&other), &[], &json!({"text": "one"})).problem(409, "conflict");
    assert_eq!(client.get(&at(&other)).json()["text"], "two");
}

#[test]
fn the_history_holds_every_version_and_an_earlier_one_is_restored() {
    let client = client();
    let saved = save(&client, &json!({"text": "one"}));
    patch(&client, &at(&saved), &[], &json!({"text": "two"})).expect_status(200);
    patch(&client, &at(&saved), &[], &json!({"text": "three", "category": "c"})).expect_status(200);
    let path = format!("{}/restore", at(&saved));
    let undone = client.post(&path, "{}").expect_status(200).json();
    assert_eq!((&undone["text"], &undone["category"]), (&json!("two"), &Value::Null));
    let first = client.post(&path, r#"{"version":1}"#).expect_status(200).json();
    assert_eq!(first["text"], "one");
    let history = client.get(&format!("{}/history", at(&saved))).expect_status(200).data();
    assert_eq!(texts(&history), ["one", "two", "three", "two", "one"]);
    let events: Vec<_> = history.iter().map(|version| version["event"].as_str().unwrap()).collect();
    assert_eq!(events, ["saved", "edited", "edited", "restored", "restored"]);
    let third = json!({"version": history[2]["order"]}).to_string();
    assert_eq!(client.post(&path, &third).expect_status(200).json()["text"], "three");
    client.post(&path, r#"{"version":99}"#).problem(404, "not_found");
    assert_eq!(search(&client, &json!({"query": "three"})).len(), 1);
}

#[test]
fn a_deleted_memory_leaves_every_answer_and_can_be_saved_anew() {
    let client = client();
    let saved = save(&client, &json!({"text": "forget the marzipan"}));
    for _ in 0..2 {
        client.send("DELETE", &at(&saved), &[], None).expect_status(204);
    }
    client.get(&at(&saved)).problem(404, "not_found");
    client.get(&format!("{}/history", at(&saved))).problem(404, "not_found");
    client.post(&format!("{}/restore", at(&saved)), "{}").problem(404, "not_found");
    assert!(list(&client, "").is_empty());
    assert!(search(&client, &json!({"query": "marzipan"})).is_empty());
    client.send("DELETE", &format!("{PATH}/never"), &[], None).problem(404, "not_found");
    let anew = save(&client, &json!({"text": "forget the marzipan"}));
    let history = client.get(&format!("{}/history", at(&anew))).expect_status(200).data();
    assert_eq!(history.len(), 1, "what was deleted does not come back");
}

#[test]
fn a_delete_under_an_old_etag_is_refused() {
    let client = client();
    let saved = save(&client, &json!({"text": "one"}));
    let etag = client.get(&at(&saved)).header("etag").unwrap().to_owned();
    patch(&client, &at(&saved), &[], &json!({"text": "two"})).expect_status(200);
    let late = client.send("DELETE", &at(&saved), &[("If-Match", &etag)], None);
    late.problem(412, "precondition_failed");
    client.get(&at(&saved)).expect_status(200);
}

#[test]
fn f2_16_a_batch_is_atomic_and_partial_says_of_each_what_became_of_it() {
    let client = client();
    let memories = json!([{"text": "one"}, {"text": " "}, {"text": "two"}, {"text": "one"}]);
    let body = json!({"memories": memories}).to_string();
    let path = format!("{PATH}/batch");
    let problem = client.post(&path, &body).problem(422, "unprocessable");
    assert_eq!(problem["errors"][0]["pointer"], "/memories/1/text");
    assert!(list(&client, "").is_empty());
    let each = client.post(&format!("{path}?partial=true"), &body).expect_status(207).json();
    let status: Vec<_> =
        each["memories"].as_array().unwrap().iter().map(|m| m["status"].clone()).collect();
    assert_eq!(status, ["saved", "refused", "saved", "linked"]);
    assert_eq!(each["memories"][0]["id"], each["memories"][3]["id"]);
    assert_eq!(texts(&list(&client, "?order=asc")), ["one", "two"]);
    let missing =
        json!({"memories": [{"text": "three"}, {"session_id": "s", "source_message_ids": ["no"]}]});
    let problem = client.post(&path, &missing.to_string()).problem(422, "unprocessable");
    assert_eq!(problem["errors"][0]["pointer"], "/memories/1/source_message_ids/0");
    let good = json!({"memories": [{"text": "three"}, {"text": "four", "category": "c"}]});
    client.post(&path, &good.to_string()).expect_status(201);
    assert_eq!(list(&client, "").len(), 4);
}

#[test]
fn an_idempotency_key_saves_once_and_refuses_another_body() {
    let client = client();
    let (key, body) = (("Idempotency-Key", "k1"), r#"{"text":"one"}"#);
    let first = client.post_with(PATH, key, body).expect_status(201);
    assert_eq!(first.header("idempotency-replayed"), None);
    let again = client.post_with(PATH, key, body).expect_status(201);
    assert_eq!(again.header("idempotency-replayed"), Some("true"));
    assert_eq!(first.json(), again.json());
    client.post_with(PATH, key, r#"{"text":"two"}"#).problem(422, "idempotency_mismatch");
    assert_eq!(list(&client, "").len(), 1);
}

#[test]
fn a_callers_id_that_is_taken_by_another_text_conflicts() {
    let client = client();
    save(&client, &json!({"id": "mine", "text": "one"}));
    client.post(PATH, r#"{"id":"mine","text":"one"}"#).expect_status(200);
    client.post(PATH, r#"{"id":"mine","text":"two"}"#).problem(409, "conflict");
    assert_eq!(client.get("/v1/memories/mine").json()["text"], "one");
}

#[test]
fn a_list_is_filtered_and_paged() {
    let client = client();
    for number in 0..5 {
        let category = if number % 2 == 0 { "even" } else { "odd" };
        let importance = f64::from(number) / 10.0;
        save(
            &client,
            &json!({"text": format!("memory {number}"), "category": category, "importance": importance, "metadata": {"n": number}}),
        );
    }
    let filtered = |filter: &Value| {
        let filter = filter.to_string().replace('"', "%22").replace('{', "%7B").replace('}', "%7D");
        list(&client, &format!("?order=asc&filters={filter}"))
    };
    let even = filtered(&json!({"category": {"eq": "even"}}));
    assert_eq!(texts(&even), ["memory 0", "memory 2", "memory 4"]);
    let some = filtered(&json!({"importance": {"gte": 0.2}, "metadata.n": {"lt": 4}}));
    assert_eq!(texts(&some), ["memory 2", "memory 3"]);
    client.get("/v1/memories?filters=%7B%22categorie%22:%7B%7D%7D").problem(400, "unknown_field");
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = client.get(&format!("{PATH}?limit=2&order=asc{cursor}")).expect_status(200);
        seen.extend(page.data());
        match page.json()["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(seen.len(), 5);
    assert_eq!(texts(&seen), texts(&list(&client, "?order=asc")));
    client
        .get(&format!("{PATH}?order=asc&limit=2&filters=%7B%7D{cursor}"))
        .problem(400, "invalid_cursor");
}

#[test]
fn an_ended_memory_shows_nowhere_and_is_saved_anew() {
    let client = client();
    let ended = json!({"text": "the parcel comes today", "expires_at": "2020-01-01T00:00:00Z"});
    let saved = save(&client, &ended);
    client.get(&at(&saved)).problem(404, "not_found");
    assert!(list(&client, "").is_empty());
    assert!(search(&client, &json!({"query": "parcel"})).is_empty());
    let later = json!({"text": "the parcel comes today", "expires_at": "2100-01-01T00:00:00Z"});
    let anew = save(&client, &later);
    assert_eq!(client.get(&at(&anew)).expect_status(200).json()["text"], later["text"]);
    client.post(PATH, r#"{"text":"x","expires_at":"soon"}"#).problem(422, "unprocessable");
}

#[test]
fn a_memory_as_of_a_time_is_the_version_of_then() {
    let client = client();
    let saved = save(&client, &json!({"text": "one"}));
    let time = saved["updated_at"].as_str().unwrap().to_owned();
    // A time is a whole millisecond: what comes within it is of then, too.
    let later = || client.store("clock", &json!([{"role": "user", "content": "tick"}])).remove(0);
    let moved = |id: String| {
        let path = format!("{}/{id}", messages_of("clock"));
        let stored = client.get(&path).expect_status(200).json();
        stored["stored_at"].as_str().unwrap() > time.as_str()
    };
    while !moved(later()) {}
    patch(&client, &at(&saved), &[], &json!({"text": "two"})).expect_status(200);
    assert_eq!(client.get(&at(&saved)).expect_status(200).json()["text"], "two");
    let then = client.get(&format!("{}?as_of={time}", at(&saved))).expect_status(200).json();
    assert_eq!(then["text"], "one");
    let listed = list(&client, &format!("?as_of={time}"));
    assert_eq!((listed.len(), &listed[0]["text"]), (1, &json!("one")));
    let before = format!("{}?as_of=2020-01-01T00:00:00Z", at(&saved));
    client.get(&before).problem(404, "not_found");
    assert!(list(&client, "?as_of=2020-01-01T00:00:00Z").is_empty());
    client.send("DELETE", &at(&saved), &[], None).expect_status(204);
    client.get(&format!("{}?as_of={time}", at(&saved))).problem(404, "not_found");
}

#[test]
fn memories_and_messages_are_found_together_or_apart() {
    let client = client();
    save(&client, &json!({"text": "the locker number is 4711", "category": "code"}));
    client.store("s", &json!([{"role": "user", "content": "which locker number did I have?"}]));
    let kinds = |more: Value| -> Vec<String> {
        let mut body = json!({"query": "locker number"});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let hits = search(&client, &body);
        let mut kinds: Vec<_> =
            hits.iter().map(|hit| hit["type"].as_str().unwrap().to_owned()).collect();
        kinds.sort();
        kinds
    };
    assert_eq!(kinds(json!({})), ["memory", "message"]);
    assert_eq!(kinds(json!({"include_memories": false})), ["message"]);
    assert_eq!(kinds(json!({"include_conversations": false})), ["memory"]);
    assert_eq!(kinds(json!({"filters": {"category": {"eq": "code"}}})), ["memory"]);
    assert_eq!(kinds(json!({"filters": {"role": {"eq": "user"}}})), ["message"]);
    assert_eq!(kinds(json!({"session_id": "s"})), ["message"]);
    assert_eq!(kinds(json!({"top_k": 1})).len(), 1);
}

#[test]
fn f2_11_conversations_and_memories_take_part_by_default() {
    let client = client();
    save(&client, &json!({"text": "drinks oolong tea every morning"}));
    client.store("old", &json!([{"role": "user", "content": "oolong tea from Taiwan arrived"}]));
    let ask = |more: Value| {
        let mut body = json!({"query": "oolong tea", "max_tokens": 2000, "explain": true});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        client.post("/v1/context", &body.to_string()).expect_status(200).json()
    };
    let both = ask(json!({}));
    let text = both["context"].as_str().unwrap();
    let (memory, message) = (text.find("every morning").unwrap(), text.find("Taiwan").unwrap());
    assert!(memory < message, "memories come first: {text}");
    assert_eq!(both["memories"][0]["text"], "drinks oolong tea every morning");
    let used = both["used"].as_array().unwrap();
    assert_eq!((&used[0]["type"], &used[0]["why"]), (&json!("memory"), &json!("relevant")));
    assert!(used[0]["score"].is_number() && used.iter().all(|used| used["why"].is_string()));
    let none = ask(json!({"include_memories": false}));
    assert!(!none.to_string().contains("every morning") && none.to_string().contains("Taiwan"));
    assert_eq!(none["memories"], json!([]));
}

#[test]
fn an_important_memory_needs_no_question_and_the_budget_holds() {
    let client = client();
    save(&client, &json!({"id": "nuts", "text": "is allergic to peanuts", "importance": 1.0}));
    save(&client, &json!({"text": "has a red bicycle", "importance": 0.1}));
    client.store("s", &json!([{"role": "user", "content": "what shall we cook?"}]));
    for max_tokens in [1, 20, 60, 200, 1000] {
        let body = json!({"session_id": "s", "max_tokens": max_tokens}).to_string();
        let answer = client.post("/v1/context", &body).expect_status(200).json();
        assert!(answer["tokens"].as_u64().unwrap() <= max_tokens, "{answer}");
        if max_tokens >= 200 {
            let why = answer["used"][0]["why"].as_str().unwrap();
            assert_eq!((answer["memories"].as_array().unwrap().len(), why), (1, "profile"));
            let first = answer["messages"][0]["content"].as_str().unwrap();
            assert!(first.contains("peanuts"), "{answer}");
        }
    }
}

#[test]
fn f2_13_the_profile_says_what_is_known_about_this_user_only() {
    let (client, other) = (client(), client());
    save(&client, &json!({"text": "likes tea", "importance": 0.2, "category": "taste"}));
    save(&client, &json!({"text": "is called Zoë", "importance": 0.9}));
    save(&other, &json!({"text": "canary of another"}));
    let user = client.user.clone().unwrap();
    let asking = Client { user: None, ..client.clone() };
    let profile = asking.get(&format!("/v1/users/{user}/profile")).expect_status(200);
    let known = profile.json();
    assert_eq!(texts(known["memories"].as_array().unwrap()), ["is called Zoë", "likes tea"]);
    assert_eq!(known["categories"], json!({"": 1, "taste": 1}));
    assert_eq!(known["text"], "\"is called Zoë\"\n\"likes tea\"\n");
    assert!(!profile.text.contains("canary"));
    let first = asking.get(&format!("/v1/users/{user}/profile?limit=1")).json();
    assert_eq!(first["memories"].as_array().unwrap().len(), 1);
    let bound = client.make_key(&json!({"kind": "user", "user_id": user}));
    let foreign = format!("/v1/users/{}/profile", other.user.clone().unwrap());
    client.with_key(&bound).get(&foreign).problem(403, "denied");
}

#[test]
fn an_erased_user_has_no_memories() {
    let client = client();
    let saved = save(&client, &json!({"text": "canary of the erased"}));
    let user = client.user.clone().unwrap();
    let asking = Client { user: None, ..client.clone() };
    asking.post(&format!("/v1/users/{user}/erase"), "{}").expect_status(200);
    client.get(&at(&saved)).problem(404, "not_found");
    assert!(list(&client, "").is_empty());
    assert!(search(&client, &json!({"query": "canary"})).is_empty());
    let profile = asking.get(&format!("/v1/users/{user}/profile")).expect_status(200);
    assert!(!profile.text.contains("canary"));
    save(&client, &json!({"text": "canary of the erased"}));
}

#[test]
fn a_memory_is_found_by_meaning() {
    let Some(running) = by_meaning() else { return };
    let client = Client::new(running);
    save(&client, &json!({"text": "Adopted a kitten called Miso."}));
    save(&client, &json!({"text": "The invoice of the plumber is overdue."}));
    let body = json!({"query": "which pet lives in the flat?", "top_k": 2}).to_string();
    let answer = client.post("/v1/search", &body).expect_status(200).json();
    assert_eq!(answer["mode"], "hybrid");
    assert_eq!(answer["data"][0]["memory"]["text"], "Adopted a kitten called Miso.");
    assert_eq!(answer["pending"], 0, "{answer}");
}
