//! Restores: what was, as new records; what was deleted only when asked, under new ids; never what was erased.

use holdfast_http_tests::{Answer, Client, by_words, fresh, messages_of};
use serde_json::{Value, json};

fn client() -> Client {
    let user = fresh("restored").replace(' ', "-");
    Client { user: Some(user), ..Client::new(by_words()) }
}

fn path(client: &Client) -> String {
    format!("/v1/users/{}/restore", client.user.as_deref().unwrap())
}

fn ask(client: &Client, body: &Value) -> Answer {
    client.post(&path(client), &body.to_string())
}

fn restore(client: &Client, body: &Value) -> Value {
    ask(client, body).expect_status(200).json()
}

fn patch(client: &Client, body: &str) {
    client.send("PATCH", "/v1/sessions/s", &[], Some(body.as_bytes())).expect_status(200);
}

fn say(client: &Client, id: &str, text: &str, parent: Option<&str>) -> String {
    let mut message = json!({"role": "user", "content": text, "id": id});
    if let Some(parent) = parent {
        message["parent_id"] = json!(parent);
    }
    client.store("s", &json!([message]));
    let stored = client.get(&format!("{}/{id}", messages_of("s"))).expect_status(200).json();
    stored["stored_at"].as_str().unwrap().to_owned()
}

fn delete(client: &Client, id: &str) {
    client.send("DELETE", &format!("{}/{id}", messages_of("s")), &[], None).expect_status(204);
}

fn texts(client: &Client) -> Vec<String> {
    let all = client.messages("s");
    all.iter().map(|message| message["content"].as_str().unwrap().to_owned()).collect()
}

/// Two messages and a name, a time, and what changed since.
fn changed() -> (Client, String) {
    let client = client();
    client.post("/v1/sessions", r#"{"id":"s","name":"Trip"}"#).expect_status(201);
    say(&client, "m1", "one", None);
    let time = say(&client, "m2", "two", Some("m1"));
    patch(&client, r#"{"name":"Voyage","status":"archived","metadata":{"a":1}}"#);
    delete(&client, "m1");
    delete(&client, "m2");
    say(&client, "m3", "three", None);
    (client, time)
}

#[test]
fn fields_come_back_and_what_was_deleted_is_named_and_left_out() {
    let (client, time) = changed();
    let dry = restore(&client, &json!({"at": time, "dry_run": true}));
    assert_eq!(client.get("/v1/sessions/s").json()["name"], "Voyage", "a dry run writes nothing");
    let done = restore(&client, &json!({"at": time}));
    assert_eq!((&done["restored"], &done["left_out"]), (&dry["restored"], &dry["left_out"]));
    let fields = &done["restored"][0]["fields"];
    assert_eq!(fields, &json!({"name": "Trip", "status": "active", "metadata": null}));
    let left: Vec<(&str, &str)> = done["left_out"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| (one["id"].as_str().unwrap(), one["reason"].as_str().unwrap()))
        .collect();
    assert_eq!(left, [("m1", "deleted"), ("m2", "deleted")]);
    let session = client.get("/v1/sessions/s").expect_status(200).json();
    assert_eq!(
        (&session["name"], &session["status"], &session["metadata"]),
        (&json!("Trip"), &json!("active"), &json!({}))
    );
    assert_eq!(texts(&client), ["three"]);
    // Nothing is left to do.
    assert_eq!(restore(&client, &json!({"at": time}))["restored"], json!([]));
}

#[test]
fn what_was_deleted_comes_back_under_new_ids_once_and_answers_what_it_answered() {
    let (client, time) = changed();
    let body = json!({"at": time, "deleted": true});
    let header = ("Idempotency-Key", "again");
    let done = client.post_with(&path(&client), header, &body.to_string()).expect_status(200);
    assert!(
        done.header("idempotency-replayed").is_none() && done.header("holdfast-after").is_some()
    );
    let done = done.json();
    let messages: Vec<&Value> = done["restored"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|one| one["kind"] == "message")
        .collect();
    assert_eq!(messages.len(), 2, "{done}");
    assert_eq!(
        (&messages[0]["deleted_id"], &messages[0]["status"]),
        (&json!("m1"), &json!("restored"))
    );
    assert_eq!(texts(&client), ["three", "one", "two"]);
    let shown = client.messages("s");
    assert_eq!(
        (&shown[1]["id"], &shown[1]["restored_from"]),
        (&messages[0]["id"], &messages[0]["restored_from"])
    );
    assert_eq!(shown[2]["parent_id"], messages[0]["id"], "the parent's new id");
    client.get(&format!("{}/m1", messages_of("s"))).problem(404, "not_found");
    let again = client.post_with(&path(&client), header, &body.to_string()).expect_status(200);
    assert_eq!(again.header("idempotency-replayed"), Some("true"));
    assert_eq!(again.json()["restored"][0]["status"], "there");
    assert_eq!(client.messages("s"), shown);
    // Deleted once more, it comes back under one more id.
    let first = messages[0]["id"].as_str().unwrap();
    delete(&client, first);
    assert_eq!(texts(&client), ["three", "two"]);
    restore(&client, &body);
    assert_eq!(texts(&client), ["three", "two", "one"]);
}

#[test]
fn a_deleted_session_comes_back_with_its_fields_and_messages() {
    let client = client();
    client.post("/v1/sessions", r#"{"id":"s","name":"Trip"}"#).expect_status(201);
    let time = say(&client, "m1", "one", None);
    client.send("DELETE", "/v1/sessions/s", &[], None).expect_status(204);
    let kept = restore(&client, &json!({"at": time}));
    assert_eq!(
        (&kept["restored"], &kept["left_out"][0]["reason"]),
        (&json!([]), &json!("deleted"))
    );
    client.get("/v1/sessions/s").problem(404, "not_found");
    let other = restore(&client, &json!({"at": time, "deleted": true, "session_id": "other"}));
    assert_eq!((&other["restored"], &other["left_out"]), (&json!([]), &json!([])));
    restore(&client, &json!({"at": time, "deleted": true, "session_id": "s"}));
    assert_eq!(client.get("/v1/sessions/s").expect_status(200).json()["name"], "Trip");
    assert_eq!(texts(&client), ["one"]);
    let body = json!({"query": "one", "mode": "keyword"}).to_string();
    assert_eq!(client.post("/v1/search", &body).expect_status(200).data().len(), 1);
}

#[test]
fn what_was_deleted_comes_back_out_of_sealed_segments_too() {
    let client = client();
    client.post("/v1/sessions", r#"{"id":"s","name":"Trip"}"#).expect_status(201);
    say(&client, "m1", "one", None);
    let time = say(&client, "m2", "two", Some("m1"));
    delete(&client, "m1");
    // So many objects are worth a segment.
    for _ in 0..70 {
        client.store("later", &json!([{"role": "user", "content": "x"}]));
    }
    let body = json!({"user_id": client.user}).to_string();
    let tending = Client { user: None, ..client.clone() };
    let tended = tending.post("/v1/upkeep/compact", &body).expect_status(200).json();
    assert!(tended["sealed"].as_u64().unwrap() >= 70, "{tended}");
    assert_eq!(texts(&client), ["two"]);
    let mut body = json!({"at": time, "deleted": true, "session_id": "s"});
    let mut step = restore(&client, &body);
    let one = step["restored"].as_array().unwrap().iter().find(|one| one["deleted_id"] == "m1");
    let id = one.unwrap_or_else(|| panic!("{step}"))["id"].clone();
    while step["has_more"] == true {
        body["cursor"] = step["next_cursor"].clone();
        step = restore(&client, &body);
    }
    assert_eq!(texts(&client), ["two", "one"]);
    assert_eq!(client.messages("s")[1]["id"], id);
}

#[test]
fn what_was_erased_never_comes_back() {
    let client = client();
    let time = say(&client, "m1", "one", None);
    delete(&client, "m1");
    let erase = format!("/v1/users/{}/erase", client.user.as_deref().unwrap());
    Client { user: None, ..client.clone() }.post(&erase, "{}").expect_status(200);
    let done = restore(&client, &json!({"at": time, "deleted": true}));
    assert_eq!((&done["restored"], &done["has_more"]), (&json!([]), &json!(false)));
    client.get("/v1/sessions/s").problem(404, "not_found");
}

#[test]
fn what_is_newer_is_left_alone_and_many_come_back_in_steps() {
    let client = client();
    let time = say(&client, "m0", "0", None);
    let many: Vec<Value> = (1..=700)
        .map(|n| json!({"role": "user", "content": n.to_string(), "id": format!("m{n}")}))
        .collect();
    client.store("s", &json!(many));
    let later = say(&client, "last", "last", None);
    client.send("DELETE", "/v1/sessions/s", &[], None).expect_status(204);
    client.store("new", &json!([{"role": "user", "content": "new"}]));
    let mut body = json!({"at": later, "deleted": true});
    let first = restore(&client, &body);
    let told = |what: &str| first[what].as_array().unwrap().len();
    // The new session is told among them, and left out.
    assert_eq!((told("restored"), told("left_out")), (499, 1));
    assert_eq!(first["has_more"], true);
    body["cursor"] = first["next_cursor"].clone();
    let second = restore(&client, &body);
    assert_eq!(second["has_more"], false, "{}", second["left_out"]);
    let all: Vec<String> = (0..=700).map(|n| n.to_string()).chain(["last".to_owned()]).collect();
    assert_eq!(texts(&client), all);
    let newer = restore(&client, &json!({"at": time}));
    assert!(
        newer["left_out"]
            .as_array()
            .unwrap()
            .iter()
            .any(|one| one["reason"] == "newer" && one["id"] == "new")
    );
    body["at"] = json!(time);
    ask(&client, &body).problem(400, "invalid_cursor");
}

#[test]
fn it_takes_write_and_for_what_was_deleted_delete_too_and_only_ones_own() {
    let (client, time) = changed();
    let user = client.user.clone().unwrap();
    let key = |permissions: &Value, user: &str| {
        let wanted = json!({"kind": "user", "user_id": user, "permissions": permissions});
        let bound = client.with_key(&client.make_key(&wanted));
        move |body: &Value, path: &str| bound.post(path, &body.to_string())
    };
    let (plain, deleted) = (json!({"at": time}), json!({"at": time, "deleted": true}));
    key(&json!(["read", "delete"]), &user)(&plain, &path(&client)).problem(403, "denied");
    key(&json!(["write"]), &user)(&deleted, &path(&client)).problem(403, "denied");
    key(&json!(["write", "delete"]), "somebody-else")(&deleted, &path(&client))
        .problem(403, "denied");
    key(&json!(["write"]), &user)(&plain, &path(&client)).expect_status(200);
    key(&json!(["write", "delete"]), &user)(&deleted, &path(&client)).expect_status(200);
    assert_eq!(texts(&client).len(), 3);
}

#[test]
fn what_is_no_restore_is_refused() {
    let client = client();
    assert_eq!(ask(&client, &json!({})).any_problem()["pointer"], "/at");
    assert_eq!(ask(&client, &json!({"at": "yesterday"})).any_problem()["pointer"], "at");
    ask(&client, &json!({"at": "2026-01-01T00:00:00Z", "delete": true})).any_problem();
    let other = json!({"at": "2026-01-01T00:00:00Z", "user_id": "other"});
    ask(&client, &other).problem(400, "contradicting_scope");
    assert_eq!(client.get(&path(&client)).header("allow"), Some("POST"));
}

fn memory(client: &Client, id: &str, text: &str, more: &Value) {
    let mut body = json!({"id": id, "text": text});
    for (name, value) in more.as_object().unwrap() {
        body[name] = value.clone();
    }
    client.post("/v1/memories", &body.to_string()).expect_status(201);
}

fn remembered(client: &Client) -> Vec<(String, String)> {
    let all = client.get("/v1/memories?order=asc").expect_status(200).data();
    let text = |memory: &Value, name: &str| memory[name].as_str().unwrap().to_owned();
    let mut all: Vec<_> = all.iter().map(|one| (text(one, "id"), text(one, "text"))).collect();
    all.sort();
    all
}

/// A time after all that was stored before, by the store's clock.
fn moment(client: &Client) -> String {
    say(client, &fresh("moment").replace(' ', "-"), "now", None)
}

#[test]
fn memories_and_what_lies_around_sessions_come_back_as_they_were() {
    let client = client();
    let user = client.user.clone().unwrap();
    let (entry, preference) =
        ("/v1/sessions/s/contexts/project/deadline", format!("/v1/users/{user}/preferences/tone"));
    let put = |path: &str, value: &str| {
        let body = json!({"value": value}).to_string();
        assert!(client.send("PUT", path, &[], Some(body.as_bytes())).status < 300);
    };
    say(&client, "m1", "one", None);
    memory(&client, "tea", "drinks tea", &json!({}));
    memory(&client, "same", "stays the same", &json!({}));
    put(entry, "May");
    put(&preference, "plain");
    let time = moment(&client);
    let change = json!({"text": "drinks coffee"}).to_string();
    client.send("PATCH", "/v1/memories/tea", &[], Some(change.as_bytes())).expect_status(200);
    put(entry, "June");
    put(&preference, "ornate");
    memory(&client, "young", "came later", &json!({}));
    let then = client.get(&format!("/v1/memories?as_of={time}")).expect_status(200).data();
    assert_eq!(then.len(), 2, "{then:?}");
    let done = restore(&client, &json!({"at": time}));
    let mut kinds: Vec<&str> = done["restored"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["kind"].as_str().unwrap())
        .collect();
    kinds.sort_unstable();
    assert_eq!(kinds, ["context", "memory", "preference"], "{done}");
    assert!(
        done["left_out"]
            .as_array()
            .unwrap()
            .iter()
            .any(|one| one["id"] == "young" && one["reason"] == "newer")
    );
    let expected = [("same", "stays the same"), ("tea", "drinks tea"), ("young", "came later")];
    assert_eq!(remembered(&client), expected.map(|(id, text)| (id.to_owned(), text.to_owned())));
    assert_eq!(client.get(entry).expect_status(200).json()["value"], "May");
    assert_eq!(client.get(&preference).expect_status(200).json()["value"], "plain");
    let history = client.get("/v1/memories/tea/history").expect_status(200).data();
    assert_eq!(history.last().unwrap()["event"], "restored");
    // Nothing is left to do.
    assert_eq!(restore(&client, &json!({"at": time}))["restored"], json!([]));
}

#[test]
fn a_deleted_memory_comes_back_with_the_message_that_it_was_made_of_and_goes_with_its_copy() {
    let client = client();
    say(&client, "m1", "one about tea", None);
    let made_of = json!({"source_message_ids": [{"session_id": "s", "message_id": "m1"}]});
    memory(&client, "tea", "drinks tea", &made_of);
    memory(&client, "alone", "has no source", &json!({}));
    let rating = json!({"rating": "up"}).to_string();
    client.post(&format!("{}/m1/feedback", messages_of("s")), &rating).expect_status(201);
    let time = moment(&client);
    delete(&client, "m1");
    client.send("DELETE", "/v1/memories/alone", &[], None).expect_status(204);
    assert_eq!(remembered(&client), []);
    let kept = restore(&client, &json!({"at": time}));
    assert_eq!(remembered(&client), [], "{kept}");
    let mut body = json!({"at": time, "deleted": true});
    let mut steps = vec![restore(&client, &body)];
    while steps.last().unwrap()["has_more"] == true {
        body["cursor"] = steps.last().unwrap()["next_cursor"].clone();
        steps.push(restore(&client, &body));
    }
    let all: Vec<&Value> =
        steps.iter().flat_map(|step| step["restored"].as_array().unwrap()).collect();
    let copy = all.iter().find(|one| one["deleted_id"] == "m1").expect("the message");
    let copy = copy["id"].as_str().unwrap();
    let expected = [("alone", "has no source"), ("tea", "drinks tea")];
    assert_eq!(remembered(&client), expected.map(|(id, text)| (id.to_owned(), text.to_owned())));
    let feedback = client.get(&format!("{}/{copy}/feedback", messages_of("s"))).expect_status(200);
    assert_eq!(feedback.data()[0]["rating"], "up");
    // It is bound to the copy.
    delete(&client, copy);
    assert_eq!(remembered(&client), [("alone".to_owned(), "has no source".to_owned())]);
}

#[test]
fn an_attachment_comes_back_with_its_bytes_and_once() {
    let client = client();
    let file = "/v1/sessions/s/attachments/a.json";
    let put = |text: &str| client.send("PUT", file, &[], Some(text.as_bytes()));
    client.post("/v1/sessions", r#"{"id":"s"}"#).expect_status(201);
    put("{\"first\": 1}").expect_status(201);
    let time = moment(&client);
    put("{\"second\": 2}").expect_status(200);
    let done = restore(&client, &json!({"at": time}));
    let back = |done: &Value| -> Vec<Value> {
        let all = done["restored"].as_array().unwrap().iter();
        all.filter(|one| one["kind"] == "attachment").cloned().collect()
    };
    assert_eq!(back(&done).len(), 1, "{done}");
    assert_eq!(back(&done)[0]["fields"]["size"], 12);
    assert!(!done.to_string().contains("att/"), "{done}");
    assert_eq!(client.get(file).expect_status(200).text, "{\"first\": 1}");
    assert!(back(&restore(&client, &json!({"at": time}))).is_empty());
    client.send("DELETE", file, &[], None).expect_status(204);
    let done = restore(&client, &json!({"at": time}));
    assert!(back(&done).is_empty() && client.get(file).status == 404);
    let done = restore(&client, &json!({"at": time, "deleted": true}));
    assert_eq!(back(&done).len(), 1, "{done}");
    assert_eq!(client.get(file).expect_status(200).text, "{\"first\": 1}");
}
