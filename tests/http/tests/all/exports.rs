//! Exports: begun, advanced, listed, fetched, cancelled; whose they are; and what never enters them.

use holdfast_http_tests::{Client, Running, by_words, fresh};
use holdfast_servers::{HostSettings, Proxy, Rclone, Server, Weather};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::sync::Arc;
use std::time::{Duration, Instant};

const EXPORTS: &str = "/v1/exports";

fn client() -> Client {
    filled(Client::new(by_words()))
}

/// A client of a user with three sessions, one of which must not be learned from.
fn filled(client: Client) -> Client {
    for session in ["harbour", "oven", "secret"] {
        let marked = session == "secret";
        let new = json!({"id": session, "metadata": {"no_train": marked, "topic": session}});
        client.post("/v1/sessions", &new.to_string()).expect_status(201);
        client.store(
            session,
            &json!([
                {"role": "user", "content": format!("tell me of the {session}, write to ann@mail.example")},
                {"role": "assistant", "content": format!("of the {session} I know nothing")},
            ]),
        );
    }
    client
}

fn begin(client: &Client, wish: &Value) -> Value {
    client.post(EXPORTS, &wish.to_string()).expect_status(201).json()
}

fn of(export: &Value, rest: &str) -> String {
    format!("{EXPORTS}/{}{rest}", export["id"].as_str().unwrap())
}

fn finish(client: &Client, export: &Value) -> Value {
    for _ in 0..100 {
        let now = client.post(&of(export, "/advance"), "").expect_status(200).json();
        if now["status"] != "running" {
            return now;
        }
    }
    panic!("it goes on and on");
}

#[test]
fn an_export_is_advanced_until_it_is_done_and_its_files_are_what_the_manifest_says() {
    let client = client();
    let begun = begin(&client, &json!({"format": "trl-sft"}));
    assert_eq!((&begun["status"], &begun["manifest"]), (&json!("running"), &Value::Null));
    client.get(&of(&begun, "/files")).problem(409, "conflict");
    let done = finish(&client, &begun);
    assert_eq!(done["status"], "done");
    assert_eq!(done["counts"]["examples"], 2);
    assert_eq!(done["counts"]["left_out"], json!({"no_train": 1}));
    let files = client.get(&of(&begun, "/files?links=60")).expect_status(200).data();
    let names: Vec<&str> = files.iter().map(|file| file["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["sources/train.jsonl", "train.jsonl", "README.md", "_MANIFEST.json"]);
    for file in &files {
        let path = of(&begun, &format!("/files/{}", file["name"].as_str().unwrap()));
        let fetched = client.get(&path).expect_status(200);
        assert!(
            fetched.header("content-disposition").unwrap().starts_with("attachment; filename=")
        );
        assert_eq!(fetched.header("x-content-type-options"), Some("nosniff"));
        assert!(fetched.header("content-security-policy").unwrap().contains("sandbox"));
        assert!(!fetched.text.contains("secret"), "{}", fetched.text);
        if let Some(sha256) = file["sha256"].as_str() {
            assert_eq!(format!("{:x}", Sha256::digest(&fetched.text)), sha256);
        }
        assert!(file["url"].as_str().unwrap().contains("X-Amz-Expires=60"), "{file}");
        let linked = client.http.get(file["url"].as_str().unwrap()).send().unwrap();
        assert_eq!(linked.status(), 200);
        assert_eq!(linked.text().unwrap(), fetched.text);
    }
    client.get(&of(&begun, "/files?links=901")).problem(400, "invalid");
    for odd in ["/files/nothing.jsonl", "/files/_work/asked.json", "/files/..%2f..%2fx"] {
        client.get(&of(&begun, odd)).problem(404, "not_found");
    }
}

#[test]
fn an_anonymized_export_holds_nothing_personal() {
    let client = client();
    let user = client.user.clone().unwrap().replace(' ', "%20");
    let path = format!("/v1/users/{user}/preferences/full_name");
    client.send("PUT", &path, &[], Some(br#"{"value": "Adelheid Brenner"}"#)).expect_status(201);
    let personal = [
        ("secret", "ghp_16C7e42F292c6912E7710c838347Ae178B4a"),
        ("email", "bob@mail.example"),
        ("iban", "DE89370400440532013000"),
        ("card", "4111 1111 1111 1111"),
        ("ip", "203.0.113.7"),
        ("phone", "+49 30 1234567"),
        ("name", "Adelheid Brenner"),
    ];
    let said: Vec<String> = personal.iter().map(|(_, one)| format!("<{one}>")).collect();
    client.store(
        "all",
        &json!([
            {"role": "user", "content": said.join(" and ")},
            {"role": "assistant", "content": format!("noted: {}", said.join(", "))},
        ]),
    );
    let begun = begin(&client, &json!({"format": "openai", "anonymize": true}));
    let done = finish(&client, &begun);
    // Twice each, and the two addresses of the other sessions.
    let expected =
        json!({"secret": 2, "email": 4, "iban": 2, "card": 2, "ip": 2, "phone": 2, "name": 2});
    assert_eq!(done["manifest"]["replaced"], expected);
    let line = client.get(&of(&begun, "/files/train.jsonl")).expect_status(200).text;
    for (kind, value) in personal {
        let label = format!("[{}_", kind.to_uppercase());
        assert!(line.contains(&label) && !line.contains(value), "{kind}: {line}");
    }
    for file in client.get(&of(&begun, "/files")).data() {
        let path = of(&begun, &format!("/files/{}", file["name"].as_str().unwrap()));
        let text = client.get(&path).expect_status(200).text;
        assert!(!text.contains("mail.example") && !text.contains(client.user.as_deref().unwrap()));
    }
}

#[test]
fn a_mark_that_comes_while_an_export_runs_is_heeded() {
    let client = client();
    let begun = begin(&client, &json!({"format": "sharegpt"}));
    client.send("PATCH", "/v1/sessions/oven", &[], Some(br#"{"metadata": {"no_train": true}}"#));
    client.send("DELETE", "/v1/sessions/harbour", &[], None).expect_status(204);
    let done = finish(&client, &begun);
    assert_eq!(done["counts"]["examples"], 0, "{done}");
}

#[test]
fn a_user_who_is_marked_before_or_while_an_export_runs_is_not_in_it() {
    let client = client();
    let user = client.user.clone().unwrap().replace(' ', "%20");
    let begun = begin(&client, &json!({"format": "sharegpt"}));
    let path = format!("/v1/users/{user}");
    client.send("PUT", &path, &[], Some(br#"{"no_train": true}"#)).expect_status(200);
    for begun in [begun, begin(&client, &json!({"format": "sharegpt"}))] {
        assert_eq!(finish(&client, &begun)["counts"]["examples"], 0);
    }
    client.send("PUT", &path, &[], Some(br#"{"no_train": false}"#)).expect_status(200);
    let begun = begin(&client, &json!({"format": "sharegpt"}));
    assert_eq!(finish(&client, &begun)["counts"]["examples"], 2);
}

#[test]
fn a_selection_is_by_sessions_metadata_and_time() {
    let client = client();
    let examples =
        |wish: Value| finish(&client, &begin(&client, &wish))["counts"]["examples"].clone();
    assert_eq!(examples(json!({"format": "alpaca", "sessions": ["oven"]})), 1);
    assert_eq!(examples(json!({"format": "alpaca", "metadata": {"topic": "harbour"}})), 1);
    assert_eq!(examples(json!({"format": "alpaca", "until": "2020-01-01T00:00:00Z"})), 0);
    assert_eq!(examples(json!({"format": "alpaca", "as_of": "2020-01-01T00:00:00Z"})), 0);
}

#[test]
fn pairs_and_labels_are_made_of_feedback() {
    let client = client();
    let ids = |session: &str| client.messages(session)[1]["id"].as_str().unwrap().to_owned();
    let say = |session: &str, said: Value| {
        let path = format!("/v1/sessions/{session}/messages/{}/feedback", ids(session));
        client.post(&path, &said.to_string()).expect_status(201);
    };
    say("oven", json!({"rating": "down", "better_answer": "it has two doors"}));
    say("harbour", json!({"rating": "up"}));
    say("secret", json!({"rating": "down", "better_answer": "never to be learned"}));
    for (format, examples) in [("trl-preference", 1), ("openai-preference", 1), ("trl-kto", 3)] {
        let begun = begin(&client, &json!({"format": format}));
        let done = finish(&client, &begun);
        assert_eq!(done["counts"]["examples"], examples, "{done}");
        let lines = client.get(&of(&begun, "/files/train.jsonl")).expect_status(200).text;
        assert!(lines.contains("it has two doors") && !lines.contains("never to be"), "{lines}");
    }
    let sessions = |feedback: &str| {
        let wish = json!({"format": "openai", "feedback": feedback});
        finish(&client, &begin(&client, &wish))["counts"]["sessions"].clone()
    };
    assert_eq!(["up", "down", "any"].map(sessions), [json!(1), json!(1), json!(2)]);
}

#[test]
fn who_is_erased_while_an_export_runs_is_not_in_it() {
    let one = filled(Client::new(by_words()).acting_for(&fresh("exported").replace(' ', "-")));
    let other = filled(one.acting_for(&fresh("exported").replace(' ', "-")));
    let (gone, stays) = (one.user.clone().unwrap(), other.user.clone().unwrap());
    let everybody = Client { user: None, ..one.clone() };
    let begun = begin(&everybody, &json!({"format": "trl-sft", "users": [gone, stays]}));
    everybody.post(&format!("/v1/users/{gone}/erase"), "{}").expect_status(200);
    finish(&everybody, &begun);
    let sources = everybody.get(&of(&begun, "/files/sources/train.jsonl")).expect_status(200).text;
    assert!(sources.contains(&stays) && !sources.contains(&gone), "{sources}");
}

#[test]
fn an_export_that_holds_an_erased_user_goes_with_the_user_and_others_stay() {
    let one = || filled(Client::new(by_words()).acting_for(&fresh("exported").replace(' ', "-")));
    let (gone, stays) = (one(), one());
    let everybody = Client { user: None, ..gone.clone() };
    let exports = [&gone, &stays].map(|client| {
        let begun = begin(&everybody, &json!({"format": "openai", "users": [client.user]}));
        assert_eq!(finish(&everybody, &begun)["counts"]["examples"], 2);
        begun
    });
    let path = format!("/v1/users/{}/erase", gone.user.as_deref().unwrap());
    let erased = everybody.post(&path, "{}").expect_status(200).json();
    assert_eq!(erased["removed"]["exp"], 6, "{erased}");
    everybody.get(&of(&exports[0], "")).problem(404, "not_found");
    everybody.get(&of(&exports[0], "/files/train.jsonl")).problem(404, "not_found");
    everybody.get(&of(&exports[1], "/files/train.jsonl")).expect_status(200);
}

#[test]
fn an_export_that_nobody_advances_is_advanced_by_the_host() {
    let settings = HostSettings::default().with("export_interval_ms", "200");
    let client = filled(Client::new(Arc::new(Running::start(settings))));
    let wish = json!({"format": "trl-kto", "anonymize": true, "seed": 7});
    let path = format!(
        "/v1/sessions/oven/messages/{}/feedback",
        client.messages("oven")[1]["id"].as_str().unwrap()
    );
    client.post(&path, r#"{"rating": "up"}"#).expect_status(201);
    let begun = begin(&client, &wish);
    let patience = Instant::now() + Duration::from_secs(60);
    let done = loop {
        let now = client.get(&of(&begun, "")).expect_status(200).json();
        if now["status"] != "running" {
            break now;
        }
        assert!(Instant::now() < patience, "{now}");
        std::thread::yield_now();
    };
    assert_eq!((&done["status"], &done["counts"]["examples"]), (&json!("done"), &json!(1)));
    let line = client.get(&of(&begun, "/files/train.jsonl")).expect_status(200).text;
    assert!(line.contains("[EMAIL_") && !line.contains("mail.example"), "{line}");
}

/// A client of a host of its own whose store can be made to fail; it looks for exports so often.
fn behind_a_proxy(every: &str) -> (Client, Proxy, Server) {
    let server = Rclone::start();
    let proxy = Proxy::before(&server, 1);
    let settings = HostSettings::default()
        .by_way_of(&proxy.endpoint, &server)
        .with("s3_deadline_ms", "2000")
        .with("export_interval_ms", every)
        .with("compact_interval_ms", "0");
    (Client::new(Arc::new(Running::start(settings))), proxy, server)
}

#[test]
fn a_message_that_is_deleted_after_it_was_gathered_is_not_in_the_export_and_the_others_are() {
    let (client, proxy, _server) = behind_a_proxy("0");
    let client = filled(client);
    // The store is away after so many writes: behind the parts, and behind the files.
    for (format, session, writes) in [("trl-sft", "oven", 3), ("langchain", "harbour", 7)] {
        let begun = begin(&client, &json!({"format": format}));
        proxy.set(Weather::Ends(writes));
        let stopped = client.post(&of(&begun, "/advance"), "");
        assert_eq!(stopped.status, 503, "{}", stopped.text);
        proxy.set(Weather::Calm);
        let question = client.messages(session)[0]["id"].as_str().unwrap().to_owned();
        let path = format!("/v1/sessions/{session}/messages/{question}");
        client.send("DELETE", &path, &[], None).expect_status(204);
        let done = finish(&client, &begun);
        assert_eq!(done["status"], "done", "{done}");
        let files = client.get(&of(&begun, "/files")).expect_status(200).data();
        let texts = files.iter().map(|file| {
            let path = of(&begun, &format!("/files/{}", file["name"].as_str().unwrap()));
            client.get(&path).expect_status(200).text
        });
        let text: String = texts.collect();
        assert!(!text.contains(&format!("tell me of the {session}")), "{format}: {text}");
        if format == "trl-sft" {
            assert!(text.contains("tell me of the harbour"), "{text}");
            assert_eq!(done["counts"]["left_out"], json!({"message_gone": 1, "no_train": 1}));
        } else {
            assert!(text.contains("of the harbour I know nothing"), "{text}");
            assert_eq!(done["counts"]["examples"], 2);
        }
    }
}

#[test]
fn a_host_that_nobody_asks_for_exports_hardly_looks_for_them() {
    let (client, proxy, _server) = behind_a_proxy("10");
    client.get("/v1/sessions").expect_status(200);
    let before = proxy.requests();
    for _ in 0..1_000 {
        client.get("/healthz").expect_status(200);
    }
    // At each look it would be two requests, a hundred looks a second.
    let asked = proxy.requests() - before;
    assert!(asked < 40, "{asked} requests");
}

#[test]
fn an_export_asks_the_store_no_more_often_for_a_session_of_many_pages() {
    let (client, proxy, _server) = behind_a_proxy("0");
    let requests = |count: usize| {
        let client = client.acting_for(&fresh("long"));
        for from in (0..count).step_by(500) {
            let said = |n: usize| {
                let role = if n.is_multiple_of(2) { "user" } else { "assistant" };
                json!({"role": role, "content": format!("boat {n}")})
            };
            let said: Vec<Value> = (from..count.min(from + 500)).map(said).collect();
            client.store("s", &json!(said));
        }
        let begun = begin(&client, &json!({"format": "openai", "users": [client.user]}));
        let before = proxy.requests();
        assert_eq!(finish(&client, &begun)["counts"]["messages"], count);
        proxy.requests() - before
    };
    let (few, many) = (requests(40), requests(2_000));
    println!("requests of an export: {few} for 40 messages, {many} for 2,000");
    // Looks of the background among them.
    assert!(many <= few + 12, "{few} requests for 40 messages, {many} for 2,000");
}

#[test]
fn a_cancelled_export_is_cancelled_for_good() {
    let client = client();
    let begun = begin(&client, &json!({"format": "mlx"}));
    for _ in 0..2 {
        let ended = client.post(&of(&begun, "/cancel"), "").expect_status(200).json();
        assert_eq!(ended["status"], "cancelled");
    }
    assert_eq!(finish(&client, &begun)["status"], "cancelled");
    let done = begin(&client, &json!({"format": "mlx"}));
    finish(&client, &done);
    client.post(&of(&done, "/cancel"), "").problem(409, "conflict");
}

#[test]
fn a_users_key_exports_that_user_and_sees_no_other_export() {
    let root = client();
    let user = root.user.clone().unwrap();
    let anybody = Client { user: None, ..root.clone() };
    let wanted = json!({"kind": "user", "user_id": user, "permissions": ["read", "export"]});
    let bound = root.with_key(&anybody.make_key(&wanted));
    let reader = json!({"kind": "user", "user_id": user, "permissions": ["read"]});
    root.with_key(&anybody.make_key(&reader)).get(EXPORTS).problem(403, "denied");
    let (theirs, mine) =
        (begin(&root, &json!({"format": "openai"})), begin(&bound, &json!({"format": "openai"})));
    assert_eq!(finish(&bound, &mine)["counts"]["examples"], 2);
    bound.get(&of(&theirs, "")).problem(404, "not_found");
    bound.post(&of(&theirs, "/advance"), "").problem(404, "not_found");
    bound.post(&of(&theirs, "/cancel"), "").problem(404, "not_found");
    let listed = bound.get(EXPORTS).expect_status(200).data();
    assert_eq!(listed.iter().map(|one| &one["id"]).collect::<Vec<_>>(), [&mine["id"]]);
    let all = root.get(&format!("{EXPORTS}?limit=100")).expect_status(200).data();
    assert!(
        all.iter().any(|one| one["id"] == mine["id"])
            && all.iter().any(|one| one["id"] == theirs["id"])
    );
    bound
        .post(EXPORTS, r#"{"format": "openai", "users": ["somebody else"]}"#)
        .problem(403, "denied");
}

#[test]
fn a_wish_that_makes_no_sense_is_refused_with_its_field() {
    let client = Client::new(by_words());
    for (wish, pointer) in [
        (r#"{"format": "word"}"#, "format"),
        (r#"{"format": "openai", "feedback": "meh"}"#, "feedback"),
        (r#"{"format": "openai", "formt": 1}"#, "formt"),
        (r#"{"format": "openai", "split": {"validation": 2}}"#, "split"),
        (r#"{"format": "openai", "split": {"validation": 0.6, "test": 0.6}}"#, "split"),
        (r#"{"format": "openai", "since": "yesterday"}"#, "since"),
        (r#"{"format": "openai", "seed": -1}"#, "seed"),
    ] {
        let problem = client.post(EXPORTS, wish).any_problem();
        assert!(problem["status"] == 400 || problem["status"] == 422, "{problem}");
        assert!(problem["pointer"].as_str().unwrap().contains(pointer), "{problem}");
    }
    client.get(&format!("{EXPORTS}/01ARZ3NDEKTSV4RRFFQ69G5FAV")).problem(404, "not_found");
    client.get(&format!("{EXPORTS}/x")).problem(404, "not_found");
}
