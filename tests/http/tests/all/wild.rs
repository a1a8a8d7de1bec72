//! Requests that were good, and what a seed makes of them.

use holdfast_http_tests::Client;
use rand::Rng;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use serde_json::{Value, json};

/// A request as bytes can say it.
#[derive(Clone)]
pub struct Wild {
    pub method: &'static str,
    pub path: String,
    pub headers: Vec<(&'static str, Vec<u8>)>,
    pub body: Vec<u8>,
}

impl Wild {
    pub fn new(client: &Client, method: &'static str, path: &str, body: &str) -> Self {
        let key = format!("Bearer {}", client.key.as_ref().unwrap());
        let user = client.user.clone().unwrap();
        let headers = vec![
            ("Authorization", key.into_bytes()),
            ("Holdfast-User", user.into_bytes()),
            ("Content-Type", b"application/json".to_vec()),
        ];
        Self { method, path: path.to_owned(), headers, body: body.into() }
    }

    pub fn bytes(&self) -> Vec<u8> {
        let mut bytes = format!(
            "{} {} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n",
            self.method, self.path
        )
        .into_bytes();
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
pub fn good(client: &Client) -> Vec<Wild> {
    let message = r#"{"role":"user","content":"héllo 😀","name":"Ann","metadata":{"a":[1,2.5,null]},"event_time":"2026-01-01T00:00:00Z"}"#;
    let batch = format!(
        r#"{{"messages":[{message},{{"role":"tool","content":[{{"type":"text","text":"x"}}],"tool_call_id":"c"}}]}}"#
    );
    let new = |method, path: &str, body: &str| Wild::new(client, method, path, body);
    vec![
        new("POST", "/v1/sessions/fuzz/messages", message),
        new("POST", "/v1/sessions/fuzz/messages?partial=true", &batch),
        new("POST", "/v1/sessions/fuzz/messages", &batch),
        new(
            "POST",
            "/v1/sessions/fuzz/messages?format=langchain",
            r#"[{"type":"human","data":{"content":"x","id":"run-1"}}]"#,
        ),
        new(
            "POST",
            "/v1/sessions/fuzz/messages?format=openai",
            r#"[{"role":"user","content":"x"}]"#,
        ),
        new("POST", "/v1/sessions", r#"{"name":"n","type":"t","metadata":{"k":"v"}}"#),
        new("PATCH", "/v1/sessions/fuzz", r#"{"name":"m","metadata":{"k":"v"}}"#),
        new(
            "POST",
            "/v1/search",
            r#"{"query":"héllo","filters":{"AND":[{"role":{"eq":"user"}},{"metadata.a":{"exists":true}}]},"top_k":5,"threshold":0.1,"mode":"hybrid","explain":true,"boosts":{"speaker":1.0}}"#,
        ),
        new(
            "POST",
            "/v1/context",
            r#"{"query":"x","session_id":"fuzz","max_tokens":100,"include_memories":true,"same_session_boost":0.5}"#,
        ),
        new("POST", "/v1/keys", r#"{"kind":"user","user_id":"fuzz","permissions":["read"]}"#),
        new("GET", "/v1/sessions/fuzz/messages?limit=3&order=desc", ""),
        new("GET", "/v1/sessions/fuzz/messages/none", ""),
        new("GET", "/v1/sessions?limit=3", ""),
        new("DELETE", "/v1/sessions/fuzz/messages/none", ""),
        new("DELETE", "/v1/sessions/none", ""),
    ]
}

const FRAGMENTS: &[&[u8]] = &[
    b"\xff",
    b"\xc3\x28",
    b"\xed\xa0\x80",
    b"\"\\ud800\"",
    b"\"\\udc00\\ud800\"",
    b"\0",
    b"null",
    b"true",
    b"-1",
    b"1e999",
    b"123456789012345678901234567890",
    b"\"\"",
    b"[]",
    b"{}",
    b"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[",
    b"}",
    b"]",
    b"\"",
    b"\\u00",
    b"NaN",
    b"/*",
    b",",
    b":",
    b"\xef\xbb\xbf",
    b"'x'",
    b"\"unknown\":1,",
    b"\"role\":\"user\",",
    b"\"user_id\":\"other\",",
    b"\"id\":\"\\u0000\",",
    b"\"embedding\":{\"space\":\"\",\"vector\":[]},",
];

pub fn mutate(wild: &mut Wild, random: &mut StdRng) {
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
            *[
                "text/plain",
                "",
                "application/json; charset=latin1",
                "application/xml",
                ";;;",
                "application/x+json",
                "a\u{e9}",
            ]
            .choose(random)
            .unwrap(),
        ),
        8 => odd_header(wild, random),
        9 => odd_path(wild, random),
        10 => {
            let odd = [
                "limit=%ff",
                "limit=-1",
                "cursor=x.y",
                "order=sideways",
                "user_id=",
                "a=b=c&&=",
                "format=xml",
                "consistency=never",
                "partial=maybe",
                "limit=1&limit=1",
                "%00=%00",
                "user_id=other",
            ];
            let mark = if wild.path.contains('?') { '&' } else { '?' };
            wild.path += &format!("{mark}{}", odd.choose(random).unwrap());
        }
        _ => {
            let method = *["POST", "GET", "PUT", "PATCH", "DELETE", "OPTIONS", "PURGE"]
                .choose(random)
                .unwrap();
            // The session whose messages are counted at the end must not be deleted by chance.
            let counted = method == "DELETE" && !wild.path.contains("/messages");
            wild.method = if counted { "PURGE" } else { method };
        }
    }
}

fn replace_a_value(wild: &mut Wild, random: &mut StdRng) {
    let Ok(mut value) = serde_json::from_slice::<Value>(&wild.body) else { return };
    let deep = Value::Array(vec![json!(0); 2_000]);
    let others = [
        Value::Null,
        json!(true),
        json!(-7),
        json!(1.5),
        json!(""),
        json!("x".repeat(9_000)),
        json!([]),
        json!({}),
        json!([[]]),
        json!({"x": 1}),
        deep,
        json!(u64::MAX),
    ];
    let other = others.choose(random).unwrap().clone();
    *somewhere(&mut value, random) = other;
    wild.body = value.to_string().into_bytes();
}

/// A value somewhere inside.
fn somewhere<'a>(value: &'a mut Value, random: &mut StdRng) -> &'a mut Value {
    let inside = match value {
        Value::Object(fields) => fields.len(),
        Value::Array(items) => items.len(),
        _ => 0,
    };
    if inside == 0 || random.random_bool(0.3) {
        return value;
    }
    let at = random.random_range(0..inside);
    let child = match value {
        Value::Object(fields) => fields.values_mut().nth(at).unwrap(),
        other => &mut other[at],
    };
    somewhere(child, random)
}

fn double_a_field(wild: &mut Wild, random: &mut StdRng) {
    let Ok(Value::Object(fields)) = serde_json::from_slice(&wild.body) else { return };
    let Some((name, value)) = fields.iter().nth(random.random_range(0..fields.len().max(1))) else {
        return;
    };
    let doubled = format!("{{{}:{value},", json!(name));
    wild.body = [doubled.as_bytes(), &wild.body[1..]].concat();
}

fn odd_header(wild: &mut Wild, random: &mut StdRng) {
    let long = "x".repeat(random.random_range(1..20_000)).into_bytes();
    let values: [Vec<u8>; 8] = [
        Vec::new(),
        b"\xff\xfe".to_vec(),
        "é😀".into(),
        long,
        b"a.b".to_vec(),
        b"\"\"".to_vec(),
        b"hf_default.root.x".to_vec(),
        b" , ,".to_vec(),
    ];
    let names = [
        "Holdfast-After",
        "Idempotency-Key",
        "X-Request-Id",
        "If-Match",
        "Holdfast-User",
        "Authorization",
        "X-API-Key",
        "Accept",
        "Spin-Path-Info",
        "Spin-Full-Url",
    ];
    let (name, value) = (*names.choose(random).unwrap(), values.choose(random).unwrap().clone());
    if random.random_bool(0.2) {
        wild.headers.push((name, value));
    } else {
        wild.set(name, value);
    }
}

fn odd_path(wild: &mut Wild, random: &mut StdRng) {
    let odd = [
        "%",
        "%zz",
        "%ff",
        "%00",
        "%0a",
        "//",
        "/..",
        "/%2e%2e",
        "%2F",
        "/.",
        "~",
        "/messages",
        "é",
        "%F0%9F%98%80",
        ";a=b",
        "\\",
        "%25",
        "|",
    ];
    let at: Vec<usize> = wild.path.char_indices().map(|(at, _)| at).filter(|at| *at > 0).collect();
    wild.path.insert_str(*at.choose(random).unwrap(), odd.choose(random).unwrap());
    if random.random_bool(0.05) {
        wild.path.insert_str(1, &"x".repeat(6_000));
    }
}
