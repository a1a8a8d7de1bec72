//! The feed of changes: a page is what came, in the order in which it came, and a cursor goes on there.

use holdfast_http_tests::{Client, Running, by_words, fresh, messages_of};
use holdfast_servers::HostSettings;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// A client for a user whose id stands in a path as it is.
fn client() -> Client {
    let user = fresh("followed").replace(' ', "-");
    Client { user: Some(user), ..Client::new(by_words()) }
}

fn path(client: &Client, more: &str) -> String {
    format!("/v1/users/{}/changes{more}", client.user.as_deref().unwrap())
}

fn changes(client: &Client, more: &str) -> Value {
    client.get(&path(client, more)).expect_status(200).json()
}

fn since(client: &Client, page: &Value) -> Value {
    changes(client, &format!("?cursor={}", page["next_cursor"].as_str().unwrap()))
}

fn kinds(page: &Value) -> Vec<(&str, &str)> {
    let items = page["data"].as_array().unwrap().iter();
    items.map(|c| (c["kind"].as_str().unwrap(), c["id"].as_str().unwrap_or_default())).collect()
}

#[test]
fn everything_that_comes_is_told_once_and_says_enough_to_be_applied() {
    let client = client();
    let session = json!({"id": "s", "name": "Trip", "metadata": {"b": 1, "a": 2}}).to_string();
    client.post("/v1/sessions", &session).expect_status(201);
    client
        .store("s", &json!([{"role": "user", "content": "one", "id": "m1", "metadata": {"x": 1}}]));
    let first = changes(&client, "");
    assert_eq!(kinds(&first), [("session", "s"), ("message", "m1")]);
    let (fields, message) = (&first["data"][0], &first["data"][1]);
    assert_eq!(fields["fields"]["name"], "Trip");
    assert_eq!(fields["fields"]["metadata"], json!({"b": 1, "a": 2}));
    assert_eq!(message["message"], client.messages("s")[0]);
    assert_eq!(
        (&message["session_id"], &message["order"]),
        (&json!("s"), &message["message"]["order"])
    );
    assert_eq!(message["digest"].as_str().unwrap().len(), 64);
    assert!(message["arrived"].as_str().unwrap().ends_with('Z'));
    assert_eq!((&first["has_more"], &first["poll_after_seconds"]), (&json!(false), &json!(2)));
    let second = since(&client, &first);
    assert_eq!(second["data"], json!([]));
    client.store("s", &json!([{"role": "user", "content": "two", "id": "m2"}]));
    client.send("PATCH", "/v1/sessions/s", &[], Some(br#"{"name":"Voyage"}"#)).expect_status(200);
    client.send("DELETE", &format!("{}/m1", messages_of("s")), &[], None).expect_status(204);
    let third = since(&client, &second);
    assert_eq!(kinds(&third), [("message", "m2"), ("session", "s"), ("tombstone", "m1")]);
    assert_eq!(
        (&third["data"][1]["fields"], &third["data"][2]["of"]),
        (&json!({"name": "Voyage"}), &json!("message"))
    );
    assert_eq!(since(&client, &third)["data"], json!([]));
}

#[test]
fn what_is_deleted_is_told_as_a_place_without_a_word_of_it() {
    let client = client();
    client.store("s", &json!([{"role": "user", "content": "marzipan", "id": "m1"}]));
    client.send("DELETE", &format!("{}/m1", messages_of("s")), &[], None).expect_status(204);
    let page = changes(&client, "");
    assert_eq!(kinds(&page), [("message", "m1"), ("tombstone", "m1")]);
    assert_eq!(
        (&page["data"][0]["deleted"], &page["data"][0]["message"]),
        (&json!(true), &Value::Null)
    );
    assert!(!page.to_string().contains("marzipan"));
    client.send("DELETE", "/v1/sessions/s", &[], None).expect_status(404);
}

#[test]
fn pages_go_on_where_the_last_ended_also_once_all_is_sealed() {
    let client = client();
    for number in 0..70 {
        client.store(
            "s",
            &json!([{"role": "user", "content": format!("{number}"), "id": format!("m{number}")}]),
        );
    }
    let (mut page, mut ids) = (changes(&client, "?limit=30"), Vec::new());
    let body = json!({"user_id": client.user}).to_string();
    Client { user: None, ..client.clone() }.post("/v1/upkeep/compact", &body).expect_status(200);
    loop {
        ids.extend(kinds(&page).iter().map(|(_, id)| (*id).to_owned()));
        if page["has_more"] == false {
            break;
        }
        assert_eq!(page["poll_after_seconds"], 0);
        page = changes(
            &client,
            &format!("?limit=30&cursor={}", page["next_cursor"].as_str().unwrap()),
        );
    }
    assert_eq!(ids, (0..70).map(|number| format!("m{number}")).collect::<Vec<_>>());
}

#[test]
fn an_erase_is_told_first_and_what_came_before_it_no_more() {
    let client = client();
    client.store("s", &json!([{"role": "user", "content": "one", "id": "m1"}]));
    let page = changes(&client, "");
    let erase = format!("/v1/users/{}/erase", client.user.as_deref().unwrap());
    Client { user: None, ..client.clone() }.post(&erase, "{}").expect_status(200);
    client.store("s", &json!([{"role": "user", "content": "two", "id": "m2"}]));
    let page = since(&client, &page);
    assert_eq!(kinds(&page), [("erase", ""), ("message", "m2")]);
    assert!(page["data"][0]["order"].as_str() < page["data"][1]["order"].as_str());
    assert_eq!(since(&client, &page)["data"], json!([]));
}

#[test]
fn a_cursor_serves_its_user_only_and_a_key_only_its_own() {
    let (client, other) = (client(), client());
    client.store("s", &json!([{"role": "user", "content": "one"}]));
    let cursor = changes(&client, "")["next_cursor"].as_str().unwrap().to_owned();
    other.get(&path(&other, &format!("?cursor={cursor}"))).problem(400, "invalid_cursor");
    client.get(&path(&client, "?cursor=x")).problem(400, "invalid_cursor");
    client.get(&path(&client, "?limit=0")).any_problem();
    let wanted = json!({"kind": "user", "user_id": other.user, "permissions": ["read"]});
    let bound = client.with_key(&client.make_key(&wanted));
    bound.get(&path(&client, "")).problem(403, "denied");
    bound.get(&path(&other, "")).expect_status(200);
    let writer = json!({"kind": "user", "user_id": other.user, "permissions": ["write"]});
    client.with_key(&client.make_key(&writer)).get(&path(&other, "")).problem(403, "denied");
    let answer = client.post(&path(&client, ""), "{}");
    assert_eq!((answer.status, answer.header("allow")), (405, Some("GET")));
}

#[test]
fn a_user_who_never_was_has_an_empty_feed_that_goes_on() {
    let client = client();
    let page = changes(&client, "");
    assert_eq!(page["data"], json!([]));
    client.store("s", &json!([{"role": "user", "content": "one", "id": "m1"}]));
    assert_eq!(kinds(&since(&client, &page)), [("message", "m1")]);
}

/// A mirror of things, as `docs/storage.md` says: of each the newest record that nothing hides.
#[derive(Default)]
struct Things {
    /// By kind, session and id: order to what it says and what it was made of.
    all: BTreeMap<[String; 3], BTreeMap<String, (Value, Value)>>,
    buried: BTreeMap<[String; 3], String>,
    sessions: BTreeMap<String, String>,
    messages: BTreeSet<[String; 2]>,
}

const KINDS: &[&str] =
    &["memory", "preference", "context", "relationship", "feedback", "summary", "attachment"];

impl Things {
    fn take(&mut self, change: &Value) {
        let text = |name: &str| change[name].as_str().unwrap_or_default().to_owned();
        let (session, id, order) = (text("session_id"), text("id"), text("order"));
        let at = order.get(..16).unwrap_or_default().to_owned();
        match (text("kind").as_str(), text("of").as_str()) {
            (kind, _) if KINDS.contains(&kind) => {
                let said = (change["fields"].clone(), change["sources"].clone());
                self.all.entry([kind.to_owned(), session, id]).or_default().insert(order, said);
            }
            ("tombstone", "message") => drop(self.messages.insert([session, id])),
            ("tombstone", "session") => {
                let until = self.sessions.entry(session).or_default();
                *until = at.max(until.clone());
            }
            ("tombstone", of) if KINDS.contains(&of) => {
                let until = self.buried.entry([of.to_owned(), session, id]).or_default();
                *until = at.max(until.clone());
            }
            _ => {}
        }
    }

    fn stands(&self, name: &[String; 3], order: &str, sources: &Value) -> bool {
        let of = |source: &Value, name: &str| source[name].as_str().unwrap_or_default().to_owned();
        let sources = sources.as_array().cloned().unwrap_or_default();
        let time = |order: &str| order.get(..16).unwrap_or_default().to_owned();
        let gone = |source: &Value| {
            let session = of(source, "session_id");
            let until = self.sessions.get(&session);
            until.is_some_and(|until| time(&of(source, "order")) <= *until)
                || self.messages.contains(&[session, of(source, "message_id")])
        };
        self.buried.get(name).is_none_or(|until| time(order) > *until)
            && self.sessions.get(&name[1]).is_none_or(|until| time(order) > *until)
            && !sources.iter().any(gone)
    }

    /// What stands of a kind, by session and id.
    fn of(&self, kind: &str) -> BTreeMap<[String; 2], Value> {
        let of_kind = self.all.iter().filter(|(name, _)| name[0] == kind);
        let last = |(name, told): (&[String; 3], &BTreeMap<String, (Value, Value)>)| {
            let mut left = told.iter().filter(|(order, said)| self.stands(name, order, &said.1));
            let said = left.next_back()?.1.0.clone();
            Some(([name[1].clone(), name[2].clone()], said))
        };
        of_kind.filter_map(last).collect()
    }
}

/// Everything around three sessions: put, put again, deleted, gone with what it was made of.
fn lively(client: &Client) {
    let put =
        |path: &str, body: &Value| client.send("PUT", path, &[], Some(body.to_string().as_bytes()));
    let delete = |path: &str| client.send("DELETE", path, &[], None).expect_status(204);
    let of_user = format!("/v1/users/{}/preferences", client.user.as_deref().unwrap());
    for session in ["a", "b", "c"] {
        client.store(
            session,
            &json!([{"role": "user", "content": format!("I like {session} tea"), "id": "m1"},
                {"role": "assistant", "content": "noted", "id": "m2"}]),
        );
        let of = format!("/v1/sessions/{session}");
        for key in ["k1", "k2"] {
            let value = json!({"value": {"in": session, "of": key}, "relevance_score": 0.5});
            put(&format!("{of}/contexts/project/{key}"), &value).expect_status(201);
        }
        put(
            &format!("{of}/contexts/project/k1"),
            &json!({"value": "anew", "metadata": {"b": 1, "a": 2}}),
        )
        .expect_status(200);
        client
            .post(&format!("{of}/messages/m2/feedback"), r#"{"rating":"up","comment":"yes"}"#)
            .expect_status(201);
        put(&format!("{of}/attachments/{session}.db"), &json!({"of": session})).expect_status(201);
        let memory = json!({"id": format!("of {session}"), "session_id": session, "source_message_ids": ["m1"]});
        client.post("/v1/memories", &memory.to_string()).expect_status(201);
    }
    for (from, to) in [("a", "b"), ("a", "c"), ("b", "c")] {
        let body = json!({"target_session_id": to, "type": "reference", "score": 0.25});
        client
            .post(&format!("/v1/sessions/{from}/relationships"), &body.to_string())
            .expect_status(201);
    }
    put(&format!("{of_user}/language"), &json!({"value": "pt"})).expect_status(201);
    put(&format!("{of_user}/language"), &json!({"value": ["pt", "en"]})).expect_status(200);
    put(&format!("{of_user}/gone"), &json!({"value": 1})).expect_status(201);
    delete(&format!("{of_user}/gone"));
    delete("/v1/sessions/a/contexts/project/k2");
    delete("/v1/sessions/b/attachments/b.db");
    delete("/v1/sessions/a/messages/m1");
    delete("/v1/sessions/c");
    put("/v1/sessions/a/contexts/project/k2", &json!({"value": "back"})).expect_status(201);
}

#[test]
fn a_mirror_of_the_feed_has_all_things_that_the_reads_show() {
    let client = client();
    let (mut mirror, mut cursor) = (Things::default(), String::new());
    let mut follow = |limit: u32| loop {
        let page = changes(&client, &format!("?limit={limit}{cursor}"));
        page["data"].as_array().unwrap().iter().for_each(|change| mirror.take(change));
        cursor = format!("&cursor={}", page["next_cursor"].as_str().unwrap());
        if page["has_more"] == false {
            break;
        }
    };
    follow(5);
    lively(&client);
    follow(4);
    let read = |path: &str| client.get(path).expect_status(200).data();
    let user = client.user.clone().unwrap();
    let same = |told: &Value, read: &Value, members: &[&str]| {
        for member in members {
            assert_eq!(told[*member], read[*member], "{member} of {told} and {read}");
        }
    };
    let told = mirror.of("context");
    let contexts: Vec<Value> =
        ["a", "b"].iter().flat_map(|s| read(&format!("/v1/sessions/{s}/contexts"))).collect();
    assert_eq!((told.len(), contexts.len()), (4, 4));
    for one in contexts {
        let id = format!("{}/{}", one["type"].as_str().unwrap(), one["key"].as_str().unwrap());
        let name = [one["session_id"].as_str().unwrap().to_owned(), id];
        same(&told[&name], &one, &["value", "relevance_score", "metadata", "expires_at"]);
    }
    let told = mirror.of("preference");
    let preferences = read(&format!("/v1/users/{user}/preferences"));
    assert_eq!((told.len(), preferences.len()), (1, 1));
    same(&told[&[String::new(), "language".to_owned()]], &preferences[0], &["value", "metadata"]);
    let told = mirror.of("memory");
    let memories = read("/v1/memories");
    assert_eq!((told.len(), memories.len()), (1, 1));
    same(&told[&[String::new(), "of b".to_owned()]], &memories[0], &["text", "importance"]);
    let told = mirror.of("relationship");
    let relationships = read("/v1/sessions/a/relationships");
    assert_eq!((told.len(), relationships.len()), (1, 1));
    same(
        &told[&["a".to_owned(), "reference/b".to_owned()]],
        &relationships[0],
        &["score", "metadata"],
    );
    let told = mirror.of("attachment");
    let attachments = read("/v1/sessions/a/attachments");
    assert_eq!((told.len(), attachments.len()), (1, 1));
    same(
        &told[&["a".to_owned(), "a.db".to_owned()]],
        &attachments[0],
        &["size", "sha256", "media_type"],
    );
    let told = mirror.of("feedback");
    assert_eq!(told.len(), 2);
    for session in ["a", "b"] {
        let feedback = read(&format!("/v1/sessions/{session}/messages/m2/feedback"));
        let name = [session.to_owned(), feedback[0]["id"].as_str().unwrap().to_owned()];
        same(&told[&name], &feedback[0], &["rating", "comment", "metadata"]);
    }
    // Who comes late is told of nothing that is deleted.
    let mut late = Things::default();
    let page = changes(&client, "?limit=1000");
    page["data"].as_array().unwrap().iter().for_each(|change| late.take(change));
    assert!(KINDS.iter().all(|kind| late.of(kind) == mirror.of(kind)));
    assert!(!page.to_string().contains("c.db"));
}

#[test]
fn what_is_sealed_is_told_without_its_value_and_bytes_without_where_they_lie() {
    let key = "ab".repeat(32);
    let settings = HostSettings::default().with("tenant_key", &key);
    let running = Arc::new(Running::start(settings));
    let client = Client { user: Some("ann".to_owned()), ..Client::new(running) };
    let secret = br#"{"value":"marzipan","sensitive":true,"metadata":{"a":1}}"#;
    client.send("PUT", "/v1/users/ann/preferences/pin", &[], Some(secret)).expect_status(201);
    client.post("/v1/sessions", r#"{"id":"s"}"#).expect_status(201);
    let put = client.send("PUT", "/v1/sessions/s/attachments/a", &[], Some(b"{}"));
    put.expect_status(201);
    let page = changes(&client, "");
    assert_eq!(kinds(&page), [("preference", "pin"), ("session", "s"), ("attachment", "a")]);
    assert_eq!(page["data"][0]["fields"], json!({"sensitive": true, "metadata": {"a": 1}}));
    assert_eq!(page["data"][2]["fields"]["size"], 2);
    for hidden in ["marzipan", "sealed", "nonce", "parts", "att/"] {
        assert!(!page.to_string().contains(hidden), "{hidden}: {page}");
    }
}
