//! Attachments of sessions: any bytes, back as they came, to nobody else, and gone with what they belong to.

use holdfast_http_tests::{Answer, Client, Running, by_words, fresh, raw};
use holdfast_servers::HostSettings;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::sync::Arc;

/// A client for a user whose id stands in a path as it is, with a session `s`.
fn client() -> Client {
    named(by_words())
}

fn named(running: Arc<Running>) -> Client {
    let user = fresh("attached").replace(' ', "-");
    let client = Client { user: Some(user), ..Client::new(running) };
    client.post("/v1/sessions", r#"{"id":"s"}"#).expect_status(201);
    client
}

fn path(name: &str) -> String {
    format!("/v1/sessions/s/attachments/{name}")
}

fn put(client: &Client, name: &str, bytes: &[u8]) -> Answer {
    put_with(client, name, &[], bytes)
}

fn put_with(client: &Client, name: &str, headers: &[(&str, &str)], bytes: &[u8]) -> Answer {
    let kind = [("Content-Type", "application/vnd.sqlite3")];
    client.send("PUT", &path(name), &[&kind, headers].concat(), Some(bytes))
}

/// An answer whose body is no text.
struct Got {
    status: u16,
    headers: reqwest::header::HeaderMap,
    bytes: Vec<u8>,
}

impl Got {
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

fn get(client: &Client, name: &str, headers: &[(&str, &str)]) -> Got {
    ask(client, reqwest::Method::GET, name, headers)
}

fn ask(client: &Client, method: reqwest::Method, name: &str, headers: &[(&str, &str)]) -> Got {
    let url = format!("{}{}", client.running.host.url, path(name));
    let mut request = client.http.request(method, url);
    request = request.header("Authorization", format!("Bearer {}", client.key.as_ref().unwrap()));
    request = request.header("Holdfast-User", client.user.as_ref().unwrap());
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let answer = request.send().unwrap();
    let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
    Got { status, headers, bytes: answer.bytes().unwrap().to_vec() }
}

fn hash(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Bytes that are no text, no two parts of which are alike.
fn noise(length: usize) -> Vec<u8> {
    let mut seed = 0x9e37_79b9_u32;
    let mut next = || {
        seed ^= seed << 13;
        seed ^= seed >> 17;
        seed ^= seed << 5;
        seed.to_le_bytes()
    };
    let mut bytes: Vec<u8> = (0..length.div_ceil(4)).flat_map(|_| next()).collect();
    bytes.truncate(length);
    bytes
}

#[test]
fn f1_2_any_bytes_come_back_as_they_went() {
    let client = client();
    // None, one, a part, a byte more than two parts of 4 MiB, and more than any other request may have.
    for length in [0, 1, 4 << 20, (8 << 20) + 1, 20_000_003] {
        let bytes = noise(length);
        let name = format!("{length}.db");
        let made = put(&client, &name, &bytes).expect_status(201);
        let shown = made.json();
        assert_eq!((&shown["name"], &shown["session_id"]), (&json!(name), &json!("s")));
        assert_eq!((&shown["size"], &shown["sha256"]), (&json!(length), &json!(hash(&bytes))));
        assert_eq!(shown["media_type"], "application/vnd.sqlite3");
        assert_eq!(made.header("etag").unwrap(), format!("\"{}\"", hash(&bytes)));
        let got = get(&client, &name, &[]);
        assert_eq!((got.status, got.bytes.len()), (200, length));
        assert!(got.bytes == bytes, "{length} bytes came back as others");
        assert_eq!(got.header("content-length"), length.to_string());
        assert_eq!(got.header("etag"), made.header("etag").unwrap());
    }
    assert_eq!(client.get("/v1/sessions/s/attachments").data().len(), 5);
}

#[test]
fn f1_9_a_session_lists_its_files_with_their_sizes_and_hashes_in_pages() {
    let client = client();
    let sizes = [3, 70_000, 0, 12, 5];
    for (at, size) in sizes.iter().enumerate() {
        put(&client, &format!("{at}.db"), &noise(*size)).expect_status(201);
    }
    let (mut all, mut next): (Vec<Value>, _) = (Vec::new(), String::new());
    for _ in 0..3 {
        let page = client.get(&format!("/v1/sessions/s/attachments?limit=2{next}"));
        all.extend(page.data());
        let cursor = page.json()["next_cursor"].as_str().map(str::to_owned);
        next = cursor.map(|cursor| format!("&cursor={cursor}")).unwrap_or_default();
    }
    assert_eq!((all.len(), next.as_str()), (5, ""));
    for (at, item) in all.iter().enumerate() {
        assert_eq!(item["name"], format!("{at}.db"));
        assert_eq!(item["size"], sizes[at]);
        assert_eq!(item["sha256"], hash(&noise(sizes[at])));
        assert_eq!(item["created_at"], item["updated_at"]);
    }
    let newest = client.get("/v1/sessions/s/attachments?order=desc&limit=1").data();
    assert_eq!(newest[0]["name"], "4.db");
    client.get("/v1/sessions/none/attachments").problem(404, "not_found");
}

#[test]
fn nothing_that_is_kept_is_run_by_a_browser() {
    let client = client();
    let kind = [("Content-Type", "text/html; charset=utf-8")];
    let page = b"<script>alert(1)</script>";
    client.send("PUT", &path("a%20%22b%C3%A9.html"), &kind, Some(page)).expect_status(201);
    let got = get(&client, "a%20%22b%C3%A9.html", &[]);
    assert_eq!(got.header("content-type"), "text/html; charset=utf-8");
    assert_eq!(got.header("x-content-type-options"), "nosniff");
    assert_eq!(got.header("content-security-policy"), "default-src 'none'; sandbox");
    let kept = "attachment; filename=\"a _b_.html\"; filename*=UTF-8''a%20%22b%C3%A9.html";
    assert_eq!(got.header("content-disposition"), kept);
    assert_eq!(got.header("cache-control"), "no-store");
    for wrong in ["text", "text/html; a=\u{e9}"] {
        let answer = client.send("PUT", &path("x"), &[("Content-Type", wrong)], Some(b"x"));
        answer.problem(400, "invalid");
    }
    let coded = [("Content-Encoding", "gzip")];
    put_with(&client, "x", &coded, b"x").problem(415, "unsupported_media_type");
}

#[test]
fn a_range_is_206_and_what_is_not_there_416() {
    let client = client();
    let bytes = noise((4 << 20) + 100);
    put(&client, "a", &bytes).expect_status(201);
    let size = bytes.len();
    let edge = 4 << 20;
    for (range, from, to) in [
        ("bytes=0-0".to_owned(), 0, 1),
        (format!("bytes={}-{}", edge - 2, edge + 1), edge - 2, edge + 2),
        ("bytes=-7".to_owned(), size - 7, size),
        (format!("bytes={edge}-"), edge, size),
        (format!("bytes=5-{}", size * 2), 5, size),
    ] {
        let got = get(&client, "a", &[("Range", &range)]);
        assert_eq!(got.status, 206, "{range}");
        assert!(got.bytes == bytes[from..to], "{range}");
        assert_eq!(got.header("content-range"), format!("bytes {from}-{}/{size}", to - 1));
    }
    let none = get(&client, "a", &[("Range", &format!("bytes={size}-"))]);
    assert_eq!((none.status, none.header("content-range")), (416, &*format!("bytes */{size}")));
    for passed_over in ["bytes=3-2", "bytes=0-0,2-2", "lines=1-2"] {
        assert_eq!(get(&client, "a", &[("Range", passed_over)]).bytes.len(), size);
    }
    let tag = format!("\"{}\"", hash(&bytes));
    let same = get(&client, "a", &[("Range", "bytes=0-9"), ("If-Range", &tag)]);
    let other = get(&client, "a", &[("Range", "bytes=0-9"), ("If-Range", "\"x\"")]);
    assert_eq!((same.bytes.len(), other.bytes.len()), (10, size));
}

#[test]
fn conditions_are_kept_by_the_hash_of_the_bytes() {
    let client = client();
    let tag = |bytes: &[u8]| format!("\"{}\"", hash(bytes));
    put_with(&client, "a", &[("If-Match", &tag(b"one"))], b"one")
        .problem(412, "precondition_failed");
    put_with(&client, "a", &[("If-None-Match", "*")], b"one").expect_status(201);
    put_with(&client, "a", &[("If-None-Match", "*")], b"two").problem(412, "precondition_failed");
    let seen = get(&client, "a", &[("If-None-Match", &tag(b"one"))]);
    assert_eq!((seen.status, seen.bytes.len(), seen.header("etag")), (304, 0, &*tag(b"one")));
    assert_eq!(get(&client, "a", &[("If-None-Match", "\"x\"")]).status, 200);
    put_with(&client, "a", &[("If-Match", &tag(b"one"))], b"two").expect_status(200);
    let late = [("If-Match", tag(b"one"))];
    let late: Vec<(&str, &str)> = late.iter().map(|(name, value)| (*name, &**value)).collect();
    put_with(&client, "a", &late, b"three").problem(412, "precondition_failed");
    client.send("DELETE", &path("a"), &late, None).problem(412, "precondition_failed");
    assert_eq!(get(&client, "a", &[]).bytes, b"two");
    let head = ask(&client, reqwest::Method::HEAD, "a", &[]);
    assert_eq!((head.status, head.bytes.len()), (200, 0));
    assert_eq!((head.header("content-length"), head.header("etag")), ("3", &*tag(b"two")));
    client.send("DELETE", &path("a"), &[("If-Match", &tag(b"two"))], None).expect_status(204);
    assert_eq!(get(&client, "a", &[]).status, 404);
}

#[test]
fn bytes_that_are_not_those_of_their_digest_are_refused_and_leave_nothing() {
    let client = client();
    // RFC 9530, appendix B.1.
    let body = b"{\"hello\": \"world\"}\n";
    let digest = [("Content-Digest", "sha-256=:RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg=:")];
    put_with(&client, "a", &digest, b"other").problem(422, "unprocessable");
    assert_eq!(get(&client, "a", &[]).status, 404);
    put_with(&client, "a", &digest, body).expect_status(201);
    // One that cannot be held against the bytes is not passed over.
    for odd in ["sha-256=:AAAA:", "sha-256=44afd2ab2d7c3252559d6782", "sha-512=:AA==:", "md5"] {
        put_with(&client, "b", &[("Content-Digest", odd)], body).problem(400, "invalid");
    }
}

#[test]
fn bytes_that_are_damaged_are_never_shown_and_the_same_bytes_again_mend_them() {
    let running = Arc::new(Running::start(HostSettings::default().with("cache_mib", "0")));
    let client = named(running.clone());
    let bytes = noise(5 << 20);
    put(&client, "a", &bytes).expect_status(201);
    let mut find = std::process::Command::new("find");
    let found = find.arg(running.data_dir()).args(["-type", "f", "-size", "+4000k"]).output();
    let found = String::from_utf8(found.unwrap().stdout).unwrap();
    let part = found.lines().next().expect("the part of 4 MiB");
    let mut damaged = std::fs::read(part).unwrap();
    let length = damaged.len();
    damaged[length / 2] ^= 1;
    std::fs::write(part, damaged).unwrap();
    assert_eq!(get(&client, "a", &[]).status, 500);
    assert_eq!(get(&client, "a", &[("Range", "bytes=0-9")]).status, 500);
    put(&client, "a", &bytes).expect_status(200);
    assert_eq!(get(&client, "a", &[]).bytes, bytes);
}

#[test]
fn a_physical_delete_of_what_was_hidden_before_is_written() {
    let running = Arc::new(Running::start(HostSettings::default()));
    let client = named(running.clone());
    put(&client, "a", b"x").expect_status(201);
    client.send("DELETE", &path("a"), &[], None).expect_status(204);
    let written = || holding(&running, "/wal/");
    let before = written();
    client.send("DELETE", &path("a"), &[], None).expect_status(204);
    assert_eq!(written(), before, "deleting again writes nothing");
    client.send("DELETE", &path("a?mode=physical"), &[], None).expect_status(204);
    assert_eq!(written(), before + 1);
}

/// How many files of the host's folder, which are the objects of its bucket with their keys, hold this text.
fn holding(running: &Running, text: &str) -> usize {
    let mut grep = std::process::Command::new("grep");
    let found = grep.args(["-rlaF", text]).arg(running.data_dir()).output().unwrap();
    String::from_utf8(found.stdout).unwrap().lines().count()
}

#[test]
fn the_same_bytes_again_are_the_same_and_others_take_their_place() {
    let client = client();
    let first = put(&client, "a", b"one").expect_status(201).json();
    let again = put(&client, "a", b"one").expect_status(200).json();
    assert_eq!(first, again);
    let then = get(&client, "a", &[]).headers["date"].to_str().unwrap().to_owned();
    assert!(!then.is_empty());
    let other = put(&client, "a", b"two").expect_status(200).json();
    assert_eq!(other["created_at"], first["created_at"]);
    assert_eq!(get(&client, "a", &[]).bytes, b"two");
    let before = format!("a?as_of={}", first["updated_at"].as_str().unwrap());
    assert_eq!(get(&client, &before, &[]).bytes, b"one");
}

#[test]
fn a_name_leads_nowhere_and_a_session_must_be_there() {
    let client = client();
    for bad in ["..%2Fa", "...", "a%5Cb", "a%00b", "%2Fa", &"x".repeat(257)] {
        put(&client, bad, b"x").problem(422, "unprocessable");
    }
    for good in ["a.db", "%C3%A9%20%25.db", "...a", "a%3Fb", "-"] {
        put(&client, good, b"x").expect_status(201);
        assert_eq!(get(&client, good, &[]).bytes, b"x");
    }
    let none = "/v1/sessions/none/attachments/a";
    client.send("PUT", none, &[], Some(b"{}")).problem(404, "not_found");
    assert_eq!(client.get("/v1/sessions").data().len(), 1);
    let brew = client.send("BREW", &path("a"), &[], None);
    assert_eq!(brew.header("allow"), Some("DELETE, GET, HEAD, PUT"));
}

#[test]
fn what_is_larger_than_the_setting_is_413_with_or_without_a_length() {
    let small = HostSettings::default().with("attachment_bytes", "100000");
    let client = named(Arc::new(Running::start(small)));
    put(&client, "a", &noise(100_000)).expect_status(201);
    put(&client, "b", &noise(100_001)).problem(413, "too_large");
    let (key, user) = (client.key.clone().unwrap(), client.user.clone().unwrap());
    let address = client.running.host.url.strip_prefix("http://").unwrap();
    let mut request = format!(
        "PUT {} HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {key}\r\nHoldfast-User: {user}\r\n\
         Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n186a1\r\n",
        path("c")
    )
    .into_bytes();
    request.extend(noise(100_001));
    request.extend_from_slice(b"\r\n0\r\n\r\n");
    raw(&client.running, &request).unwrap().problem(413, "too_large");
    let listed = client.get("/v1/sessions/s/attachments").data();
    assert_eq!(listed.len(), 1);
    // What came of the others is gone again.
    let large = std::process::Command::new("find")
        .arg(client.running.data_dir().join("store/buckets"))
        .args(["-type", "f", "-size", "+99999c"])
        .output();
    let large = String::from_utf8(large.unwrap().stdout).unwrap();
    assert_eq!(large.lines().count(), 1, "{large}");
}

#[test]
fn an_attachment_is_hidden_with_its_session_and_a_new_one_has_none() {
    let client = client();
    put(&client, "a", b"canary").expect_status(201);
    client.send("DELETE", "/v1/sessions/s", &[], None).expect_status(204);
    assert_eq!(get(&client, "a", &[]).status, 404);
    client.get("/v1/sessions/s/attachments").problem(404, "not_found");
    client.post("/v1/sessions", r#"{"id":"s"}"#).expect_status(201);
    assert!(client.get("/v1/sessions/s/attachments").data().is_empty());
    put(&client, "a", b"new").expect_status(201);
    assert_eq!(get(&client, "a", &[]).bytes, b"new");
}

#[test]
fn another_user_and_another_tenants_key_see_nothing_of_it() {
    let client = client();
    put(&client, "a", b"canary-of-one").expect_status(201);
    let other = client.acting_for(&fresh("other").replace(' ', "-"));
    assert_eq!(get(&other, "a", &[]).status, 404);
    other.post("/v1/sessions", r#"{"id":"s"}"#).expect_status(201);
    assert_eq!(get(&other, "a", &[]).status, 404);
    assert!(other.get("/v1/sessions/s/attachments").data().is_empty());
    other.send("DELETE", &path("a"), &[], None).problem(404, "not_found");
    put(&other, "a", b"of another").expect_status(201);
    assert_eq!(get(&client, "a", &[]).bytes, b"canary-of-one");
    let user = client.user.clone().unwrap();
    let wanted = json!({"kind": "user", "user_id": user, "permissions": ["read"]});
    let reader = Client { user: Some(user), ..client.with_key(&client.make_key(&wanted)) };
    assert_eq!(get(&reader, "a", &[]).bytes, b"canary-of-one");
    put(&reader, "a", b"x").problem(403, "denied");
    reader.send("DELETE", &path("a"), &[], None).problem(403, "denied");
    let stranger = Client { key: Some("hf_default.x.AAAA".to_owned()), ..client.clone() };
    assert_eq!(get(&stranger, "a", &[]).status, 401);
}

#[test]
fn an_erase_removes_the_bytes_of_attachments() {
    let running = Arc::new(Running::start(HostSettings::default()));
    let client = named(running.clone());
    let canary = b"canary-in-an-attachment";
    put(&client, "a", canary).expect_status(201);
    put(&client, "b", &[&noise(5 << 20)[..], canary].concat()).expect_status(201);
    let found = || holding(&running, "canary-in-an-attachment");
    assert_eq!(found(), 2);
    let user = client.user.clone().unwrap();
    let operator = Client { user: None, ..client.clone() };
    let receipt = operator.post(&format!("/v1/users/{user}/erase"), "{}").expect_status(200);
    assert_eq!(receipt.json()["removed"]["att"], json!(3));
    assert_eq!(found(), 0);
    assert_eq!(get(&client, "a", &[]).status, 404);
    // What comes after it stays.
    client.post("/v1/sessions", r#"{"id":"s"}"#).expect_status(201);
    put(&client, "a", b"new").expect_status(201);
    assert_eq!(get(&client, "a", &[]).bytes, b"new");
}

#[test]
fn f1_3_the_exported_tree_holds_the_messages_and_the_database_of_each_thread() {
    let client = client();
    let thread = "0b7e6f5a-31c4-4f0e-9a53-1f2c7d7a92e4";
    client.store(
        thread,
        &json!([{"role": "user", "content": "hi"}, {"role": "assistant", "content": "hello"}]),
    );
    let bytes = noise(5 << 20);
    let file = format!("/v1/sessions/{thread}/attachments/{thread}.db");
    let kind = [("Content-Type", "application/vnd.sqlite3")];
    client.send("PUT", &file, &kind, Some(&bytes)).expect_status(201);
    let begun = client.post("/v1/exports", r#"{"format":"langchain"}"#).expect_status(201).json();
    let export = format!("/v1/exports/{}", begun["id"].as_str().unwrap());
    while client.post(&format!("{export}/advance"), "").expect_status(200).json()["status"]
        == "running"
    {}
    let files = client.get(&format!("{export}/files")).expect_status(200).data();
    let names: Vec<&str> = files.iter().map(|file| file["name"].as_str().unwrap()).collect();
    for name in [format!("storage/memory/{thread}.json"), format!("storage/db/{thread}.db")] {
        assert!(names.contains(&name.as_str()), "{name} is not among {names:?}");
    }
    let database = files.iter().find(|file| file["name"].as_str().unwrap().ends_with(".db"));
    assert_eq!(database.unwrap()["sha256"], hash(&bytes));
}
