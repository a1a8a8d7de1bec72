//! Malformed requests from a fixed seed: each is refused with a clear problem, none breaks the host, nothing is half
//! stored.

use holdfast_http_tests::{Answer, Client, by_words, messages_of, raw};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use serde_json::{Value, json};
use std::collections::BTreeSet;

const SEED: u64 = 20_261_125;
const REQUESTS: usize = 1_500;

/// A request as bytes can say it.
#[derive(Clone)]
struct Wild {
    method: &'static str,
    path: String,
    headers: Vec<(&'static str, Vec<u8>)>,
    body: Vec<u8>,
}

impl Wild {
    fn new(client: &Client, method: &'static str, path: &str, body: &str) -> Self {
        let key = format!("Bearer {}", client.key.as_ref().unwrap());
        let user = client.user.clone().unwrap();
        let headers = vec![
            ("Authorization", key.into_bytes()),
            ("Holdfast-User", user.into_bytes()),
            ("Content-Type", b"application/json".to_vec()),
        ];
        Self { method, path: path.to_owned(), headers, body: body.into() }
    }

    fn bytes(&self) -> Vec<u8> {
        let mut bytes = format!("{} {} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n", self.method, self.path).into_bytes();
        for (name, value) in &self.headers {
            bytes.extend_from_slice(format!("{name}: ").as_bytes());
            bytes.extend_from_slice(value);
            bytes.extend_from_slice(b"\r\n");
        }
        bytes.extend_from_slice(format!("Content-Length: {}\r\n\r\n", self.body.len()).as_bytes());
        bytes.extend_from_slice(&self.body);
        bytes
    }

    fn set(&mut self, name: &'static str, value: impl Into<Vec<u8>>) {
        self.headers.retain(|(held, _)| *held != name);
        self.headers.push((name, value.into()));
    }
}

/// Requests that are good as they are.
fn good(client: &Client) -> Vec<Wild> {
    let message = r#"{"role":"user","content":"héllo 😀","name":"Ann","metadata":{"a":[1,2.5,null]},"event_time":"2026-01-01T00:00:00Z"}"#;
    let batch = format!(r#"{{"messages":[{message},{{"role":"tool","content":[{{"type":"text","text":"x"}}],"tool_call_id":"c"}}]}}"#);
    let new = |method, path: &str, body: &str| Wild::new(client, method, path, body);
    vec![
        new("POST", "/v1/sessions/fuzz/messages", message),
        new("POST", "/v1/sessions/fuzz/messages?partial=true", &batch),
        new("POST", "/v1/sessions/fuzz/messages", &batch),
        new("POST", "/v1/sessions/fuzz/messages?format=langchain", r#"[{"type":"human","data":{"content":"x","id":"run-1"}}]"#),
        new("POST", "/v1/sessions/fuzz/messages?format=openai", r#"[{"role":"user","content":"x"}]"#),
        new("POST", "/v1/sessions", r#"{"name":"n","type":"t","metadata":{"k":"v"}}"#),
        new("PATCH", "/v1/sessions/fuzz", r#"{"name":"m","metadata":{"k":"v"}}"#),
        new("POST", "/v1/search", r#"{"query":"héllo","filters":{"AND":[{"role":{"eq":"user"}},{"metadata.a":{"exists":true}}]},"top_k":5,"threshold":0.1,"mode":"hybrid","explain":true,"boosts":{"speaker":1.0}}"#),
        new("POST", "/v1/context", r#"{"query":"x","session_id":"fuzz","max_tokens":100,"include_memories":true,"same_session_boost":0.5}"#),
        new("POST", "/v1/keys", r#"{"kind":"user","user_id":"fuzz","permissions":["read"]}"#),
        new("GET", "/v1/sessions/fuzz/messages?limit=3&order=desc", ""),
        new("GET", "/v1/sessions/fuzz/messages/none", ""),
        new("GET", "/v1/sessions?limit=3", ""),
    ]
}

const FRAGMENTS: &[&[u8]] = &[
    b"\xff", b"\xc3\x28", b"\xed\xa0\x80", b"\"\\ud800\"", b"\"\\udc00\\ud800\"", b"\0", b"null", b"true", b"-1", b"1e999",
    b"123456789012345678901234567890", b"\"\"", b"[]", b"{}", b"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[", b"}", b"]", b"\"", b"\\u00",
    b"NaN", b"/*", b",", b":", b"\xef\xbb\xbf", b"'x'", b"\"unknown\":1,", b"\"role\":\"user\",", b"\"user_id\":\"other\",",
    b"\"id\":\"\\u0000\",", b"\"embedding\":{\"space\":\"\",\"vector\":[]},",
];

fn mutate(wild: &mut Wild, random: &mut StdRng) {
    match random.random_range(0..12) {
        0 if !wild.body.is_empty() => wild.body.truncate(random.random_range(0..wild.body.len())),
        1 if !wild.body.is_empty() => {
            let at = random.random_range(0..wild.body.len());
            wild.body[at] = random.random();
        }
        2 | 3 => {
            let at = random.random_range(0..=wild.body.len());
            let fragment = *FRAGMENTS.choose(random).unwrap();
            wild.body.splice(at..at, fragment.iter().copied());
        }
        4 => replace_a_value(wild, random),
        5 => double_a_field(wild, random),
        6 => wild.body = (0..random.random_range(0..300)).map(|_| random.random()).collect(),
        7 => wild.set(
            "Content-Type",
            *["text/plain", "", "application/json; charset=latin1", "application/xml", ";;;", "application/x+json", "a\u{e9}"].choose(random).unwrap(),
        ),
        8 => odd_header(wild, random),
        9 => odd_path(wild, random),
        10 => {
            let odd = ["limit=%ff", "limit=-1", "cursor=x.y", "order=sideways", "user_id=", "a=b=c&&=", "format=xml", "consistency=never", "partial=maybe", "limit=1&limit=1", "%00=%00", "user_id=other"];
            let mark = if wild.path.contains('?') { '&' } else { '?' };
            wild.path += &format!("{mark}{}", odd.choose(random).unwrap());
        }
        _ => wild.method = ["POST", "GET", "PUT", "PATCH", "DELETE", "OPTIONS", "PURGE"].choose(random).unwrap(),
    }
}

fn replace_a_value(wild: &mut Wild, random: &mut StdRng) {
    let Ok(mut value) = serde_json::from_slice::<Value>(&wild.body) else { return };
    let deep = Value::Array(vec![json!(0); 2_000]);
    let others = [Value::Null, json!(true), json!(-7), json!(1.5), json!(""), json!("x".repeat(9_000)), json!([]), json!({}), json!([[]]), json!({"x": 1}), deep, json!(u64::MAX)];
    let mut place = &mut value;
    loop {
        let enter = random.random_bool(0.7);
        place = match place {
            Value::Object(fields) if !fields.is_empty() && enter => {
                let at = random.random_range(0..fields.len());
                fields.values_mut().nth(at).unwrap()
            }
            Value::Array(items) if !items.is_empty() && enter => {
                let at = random.random_range(0..items.len());
                &mut items[at]
            }
            leaf => {
                *leaf = others.choose(random).unwrap().clone();
                break;
            }
        };
    }
    wild.body = value.to_string().into_bytes();
}

fn double_a_field(wild: &mut Wild, random: &mut StdRng) {
    let Ok(Value::Object(fields)) = serde_json::from_slice(&wild.body) else { return };
    let Some((name, value)) = fields.iter().nth(random.random_range(0..fields.len().max(1))) else { return };
    let doubled = format!("{{{}:{value},", json!(name));
    wild.body = [doubled.as_bytes(), &wild.body[1..]].concat();
}

fn odd_header(wild: &mut Wild, random: &mut StdRng) {
    let long = "x".repeat(random.random_range(1..20_000)).into_bytes();
    let values: [Vec<u8>; 8] = [
        Vec::new(), b"\xff\xfe".to_vec(), "é😀".into(), long, b"a.b".to_vec(), b"\"\"".to_vec(), b"hf_default.root.x".to_vec(), b" , ,".to_vec(),
    ];
    let names = ["Holdfast-After", "Idempotency-Key", "X-Request-Id", "If-Match", "Holdfast-User", "Authorization", "X-API-Key", "Accept", "Spin-Path-Info", "Spin-Full-Url"];
    let (name, value) = (*names.choose(random).unwrap(), values.choose(random).unwrap().clone());
    if random.random_bool(0.2) {
        wild.headers.push((name, value));
    } else {
        wild.set(name, value);
    }
}

fn odd_path(wild: &mut Wild, random: &mut StdRng) {
    let odd = ["%", "%zz", "%ff", "%00", "%0a", "//", "/..", "/%2e%2e", "%2F", "/.", "~", "/messages", "é", "%F0%9F%98%80", ";a=b", "\\", "%25", "|"];
    let at: Vec<usize> = wild.path.char_indices().map(|(at, _)| at).filter(|at| *at > 0).collect();
    wild.path.insert_str(*at.choose(random).unwrap(), odd.choose(random).unwrap());
    if random.random_bool(0.05) {
        wild.path.insert_str(1, &"x".repeat(6_000));
    }
}

/// Ids that an answer of a store acknowledges.
fn acknowledged(wild: &Wild, answer: &Answer) -> Vec<(String, String)> {
    if !matches!(answer.status, 201 | 207) || !wild.path.contains("/messages") {
        return Vec::new();
    }
    let stored = answer.json();
    let placed = stored["messages"].as_array().unwrap().iter().filter(|item| item["status"] == "stored");
    placed.map(|item| (item["id"].as_str().unwrap().to_owned(), item["order"].as_str().unwrap().to_owned())).collect()
}

#[test]
fn malformed_requests_get_a_problem_and_break_nothing() {
    let client = Client::new(by_words()).acting_for("fuzzed");
    let mut random = StdRng::seed_from_u64(SEED);
    let good = good(&client);
    client.store("fuzz", &json!([{"role": "user", "content": "before"}]));
    let mut stored = vec![client.messages("fuzz")[0]["order"].as_str().unwrap().to_owned()];
    let (mut refused, mut codes) = (0, BTreeSet::new());
    for round in 0..REQUESTS {
        let mut wild = good.choose(&mut random).unwrap().clone();
        for _ in 0..random.random_range(1..3) {
            mutate(&mut wild, &mut random);
        }
        let shown = || format!("request {round}: {}", String::from_utf8_lossy(&wild.bytes()).chars().take(900).collect::<String>());
        let answer = raw(&client.running, &wild.bytes()).unwrap_or_else(|| panic!("no answer to {}", shown()));
        assert!(answer.status < 500, "{} {}\n{}", answer.status, answer.text, shown());
        if answer.status >= 400 && !(answer.text.is_empty() && answer.header("content-type").is_none()) {
            let checked = std::panic::catch_unwind(|| answer.any_problem());
            let problem = checked.unwrap_or_else(|_| panic!("no proper problem for {}", shown()));
            codes.insert(problem["code"].as_str().unwrap().to_owned());
            refused += 1;
        } else if answer.status >= 400 {
            // The HTTP library itself refused what is no HTTP.
            assert!(matches!(answer.status, 400 | 414 | 431), "{} to {}", answer.status, shown());
        }
        if wild.headers.iter().any(|(name, value)| *name == "Holdfast-User" && value == b"fuzzed") {
            stored.extend(acknowledged(&wild, &answer).into_iter().map(|(_, order)| order));
        }
    }
    println!("{refused} of {REQUESTS} refused; codes: {codes:?}");
    assert!(refused >= 500, "only {refused} were refused");
    assert!(codes.len() >= 8, "{codes:?}");
    everything_acknowledged_is_there_and_nothing_else(&client, stored);
    client.store("after", &json!([{"role": "user", "content": "the store still works"}]));
    assert_eq!(client.messages("after").len(), 1);
    client.get("/readyz").expect_status(200);
}

fn everything_acknowledged_is_there_and_nothing_else(client: &Client, mut acknowledged: Vec<String>) {
    let mut found = Vec::new();
    for session in client.get("/v1/sessions?limit=1000").expect_status(200).data() {
        let id = session["id"].as_str().unwrap();
        let path = messages_of(&id.bytes().map(|byte| format!("%{byte:02X}")).collect::<String>());
        let page = client.get(&format!("{path}?limit=1000")).expect_status(200).data();
        found.extend(page.iter().map(|message| message["order"].as_str().unwrap().to_owned()));
    }
    acknowledged.sort();
    acknowledged.dedup();
    found.sort();
    assert_eq!(found, acknowledged);
}

#[test]
fn what_is_no_http_is_refused_or_hung_up_on_and_breaks_nothing() {
    let client = Client::new(by_words());
    let many: String = (0..500).map(|n| format!("X-{n}: x\r\n")).collect();
    for request in [
        "nonsense\r\n\r\n".to_owned(),
        "GET /v1/sessions HTTP/1.1\r\n\r\n".to_owned(),
        "GET /v1/sessions HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n".to_owned(),
        "GET /v1/a b HTTP/1.1\r\nHost: localhost\r\n\r\n".to_owned(),
        "GET /v1/sessions HTTP/9.9\r\nHost: localhost\r\n\r\n".to_owned(),
        "GET http://evil.example/v1/sessions HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n".to_owned(),
        format!("GET /v1/sessions HTTP/1.1\r\nHost: localhost\r\n{many}\r\n"),
        format!("GET /v1/sessions HTTP/1.1\r\nHost: localhost\r\nX: {}\r\n\r\n", "x".repeat(2 << 20)),
        format!("GET /{} HTTP/1.1\r\nHost: localhost\r\n\r\n", "x".repeat(200_000)),
        "POST /v1/search HTTP/1.1\r\nHost: localhost\r\nContent-Length: x\r\n\r\n".to_owned(),
        "POST /v1/search HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\nzz\r\n".to_owned(),
    ] {
        let shown: String = request.chars().take(80).collect();
        if let Some(answer) = raw(&client.running, request.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n").as_bytes()) {
            assert!((400..500).contains(&answer.status), "{} to {shown}: {}", answer.status, answer.text);
        }
    }
    client.get("/v1/sessions").expect_status(200);
}

#[test]
fn a_body_that_breaks_off_stores_nothing() {
    let client = Client::new(by_words());
    let mut wild = Wild::new(&client, "POST", "/v1/sessions/s/messages", r#"{"role":"user","content":"x"}"#);
    let whole = wild.bytes();
    wild.body.clear();
    for length in [whole.len() - 1, whole.len() - 10] {
        let address = client.running.host.url.strip_prefix("http://").unwrap();
        let mut connection = std::net::TcpStream::connect(address).unwrap();
        std::io::Write::write_all(&mut connection, &whole[..length]).unwrap();
        connection.shutdown(std::net::Shutdown::Write).unwrap();
        let mut answer = Vec::new();
        let _ = std::io::Read::read_to_end(&mut connection, &mut answer);
        assert!(!answer.starts_with(b"HTTP/1.1 2"), "{}", String::from_utf8_lossy(&answer));
    }
    client.get(&messages_of("s")).problem(404, "not_found");
}
