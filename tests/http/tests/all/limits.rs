//! The table of limits: for each row what fits is taken and what is one more is refused, with nothing stored.

use holdfast_http_tests::{Answer, Client, Running, by_words, messages_of, raw};
use holdfast_servers::HostSettings;
use serde_json::{Value, json};
use std::sync::Arc;

const MIB: usize = 1 << 20;

fn client() -> Client {
    Client::new(by_words())
}

/// A message whose JSON has exactly so many bytes.
fn sized(bytes: usize) -> String {
    let empty = r#"{"role":"user","content":""}"#;
    empty.replace("\"\"", &format!("\"{}\"", "x".repeat(bytes - empty.len())))
}

fn search(body: &Value) -> Answer {
    client().post("/v1/search", &body.to_string())
}

fn nested(depth: usize) -> String {
    // The message and its metadata are two of them.
    let inner = depth - 2;
    format!(
        r#"{{"role":"user","content":"x","metadata":{{"a":{}{}}}}}"#,
        "[".repeat(inner),
        "]".repeat(inner)
    )
}

#[test]
fn a_message_of_1_mib_is_stored_and_one_byte_more_is_too_large() {
    let client = client();
    client.post(&messages_of("s"), &sized(MIB + 1)).problem(413, "too_large");
    client.get(&messages_of("s")).problem(404, "not_found");
    client.post(&messages_of("s"), &sized(MIB)).expect_status(201);
    let read = client.messages("s");
    assert_eq!(read[0]["content"].as_str().unwrap().len(), MIB - 28);
}

#[test]
fn a_large_message_inside_a_batch_is_too_large() {
    let client = client();
    let body = format!(r#"{{"messages":[{},{}]}}"#, sized(100), sized(MIB + 1));
    let problem = client.post(&messages_of("s"), &body).problem(413, "too_large");
    assert_eq!(problem["pointer"], "/messages/1");
    client.get(&messages_of("s")).problem(404, "not_found");
}

#[test]
fn a_batch_of_8_mib_is_stored_and_one_byte_more_is_too_large() {
    let client = client();
    let items = vec![sized(MIB); 7].join(",");
    let fill = 8 * MIB - items.len() - r#"{"messages":[,]}"#.len();
    let body = format!(r#"{{"messages":[{items},{}]}}"#, sized(fill));
    assert_eq!(body.len(), 8 * MIB);
    client.post(&messages_of("s"), &format!("{body} ")).problem(413, "too_large");
    client.get(&messages_of("s")).problem(404, "not_found");
    let stored = client.post(&messages_of("s"), &body).expect_status(201).json();
    assert_eq!(stored["messages"].as_array().unwrap().len(), 8);
}

#[test]
fn a_body_that_says_it_is_far_too_large_is_refused_before_it_is_sent() {
    let client = client();
    let key = client.key.as_ref().unwrap();
    let head = format!(
        "POST /v1/sessions/s/messages?user_id=u HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\
         Authorization: Bearer {key}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        64 * MIB
    );
    let answer = raw(&client.running, head.as_bytes()).expect("an answer");
    answer.problem(413, "too_large");
}

#[test]
fn a_batch_of_1000_items_is_stored_and_one_more_is_too_large() {
    let client = client();
    let batch = |count: usize| {
        let items: Vec<Value> =
            (0..count).map(|n| json!({"role": "user", "content": n.to_string()})).collect();
        json!({"messages": items}).to_string()
    };
    client.post(&messages_of("s"), &batch(1_001)).problem(413, "too_large");
    client.get(&messages_of("s")).problem(404, "not_found");
    client.post(&messages_of("s"), &batch(1_000)).expect_status(201);
    assert_eq!(client.messages("s").len(), 1_000);
}

#[test]
fn json_32_deep_is_stored_and_one_deeper_is_refused() {
    let client = client();
    client.post(&messages_of("s"), &nested(33)).problem(422, "unprocessable");
    client.get(&messages_of("s")).problem(404, "not_found");
    client.post(&messages_of("s"), &nested(32)).expect_status(201);
    let read = client.get(&messages_of("s")).expect_status(200).text;
    assert!(read.contains(&"[".repeat(30)), "{read}");
}

#[test]
fn endless_depth_is_refused() {
    let client = client();
    for depth in [200, 10_000, 400_000] {
        client.post(&messages_of("s"), &nested(depth)).problem(422, "unprocessable");
        let answer = client.post(
            "/v1/search",
            &format!(
                r#"{{"query":"x","filters":{}1{}}}"#,
                r#"{"NOT":"#.repeat(depth),
                "}".repeat(depth)
            ),
        );
        assert!((400..500).contains(&answer.status), "{}", answer.status);
    }
}

#[test]
fn metadata_of_16_kib_is_stored_and_one_byte_more_is_refused() {
    let client = client();
    let message = |bytes: usize| {
        format!(
            r#"{{"role":"user","content":"x","metadata":{{"a":"{}"}}}}"#,
            "x".repeat(bytes - r#"{"a":""}"#.len())
        )
    };
    let problem =
        client.post(&messages_of("s"), &message((16 << 10) + 1)).problem(422, "unprocessable");
    assert_eq!(problem["pointer"], "/metadata");
    client.post(&messages_of("s"), &message(16 << 10)).expect_status(201);
}

#[test]
fn metadata_of_a_session_has_the_same_limit() {
    let client = client();
    let session = |bytes: usize| {
        format!(r#"{{"metadata":{{"a":"{}"}}}}"#, "x".repeat(bytes - r#"{"a":""}"#.len()))
    };
    client.post("/v1/sessions", &session((16 << 10) + 1)).problem(422, "unprocessable");
    client.post("/v1/sessions", &session(16 << 10)).expect_status(201);
}

#[test]
fn a_query_of_8_kib_is_searched_and_one_byte_more_is_refused() {
    search(&json!({"query": "x".repeat(8 << 10)})).expect_status(200);
    let problem =
        search(&json!({"query": "x".repeat((8 << 10) + 1)})).problem(422, "unprocessable");
    assert_eq!(problem["pointer"], "/query");
    let body = json!({"query": "x".repeat((8 << 10) + 1), "max_tokens": 10}).to_string();
    client().post("/v1/context", &body).problem(422, "unprocessable");
}

#[test]
fn top_k_of_200_is_taken_and_one_more_is_refused() {
    search(&json!({"query": "x", "top_k": 200})).expect_status(200);
    for wrong in [json!(201), json!(0), json!(-1), json!(1.5), json!("10"), json!(1e10)] {
        search(&json!({"query": "x", "top_k": wrong})).problem(422, "unprocessable");
    }
}

#[test]
fn a_limit_of_1000_is_taken_and_one_more_is_refused() {
    let client = client();
    client.store("s", &json!([{"role": "user", "content": "x"}]));
    for path in [messages_of("s"), "/v1/sessions".to_owned()] {
        client.get(&format!("{path}?limit=1000")).expect_status(200);
        for wrong in ["1001", "0", "-1", "x", "", "1e3", "99999999999999999999"] {
            let problem = client.get(&format!("{path}?limit={wrong}")).problem(400, "invalid");
            assert_eq!(problem["pointer"], "limit");
        }
    }
}

fn deep(depth: usize) -> Value {
    (1..depth).fold(json!({"role": {"eq": "user"}}), |inner, _| json!({"NOT": inner}))
}

#[test]
fn a_filter_8_deep_is_taken_and_one_deeper_is_refused() {
    search(&json!({"query": "x", "filters": deep(8)})).expect_status(200);
    refused_filter(&deep(9));
}

#[test]
fn a_filter_of_64_nodes_is_taken_and_one_more_is_refused() {
    let wide = |nodes: usize| json!({"OR": vec![json!({"role": {"eq": "user"}}); nodes - 1]});
    search(&json!({"query": "x", "filters": wide(64)})).expect_status(200);
    refused_filter(&wide(65));
}

#[test]
fn a_filter_in_1000_values_is_taken_and_one_more_is_refused() {
    let values = |count: usize| json!({"metadata.n": {"in": (0..count).collect::<Vec<_>>()}});
    search(&json!({"query": "x", "filters": values(1_000)})).expect_status(200);
    refused_filter(&values(1_001));
}

#[track_caller]
fn refused_filter(filter: &Value) {
    let answer = search(&json!({"query": "x", "filters": filter}));
    assert!(matches!(answer.status, 400 | 422), "{} {}", answer.status, answer.text);
    let problem = answer.any_problem();
    assert!(problem["pointer"].as_str().is_some_and(|at| at.starts_with("/filters")), "{problem}");
}

#[test]
fn ids_of_256_bytes_are_taken_and_one_more_is_refused() {
    let client = client();
    let message = |id: &str| json!({"role": "user", "content": "x", "id": id}).to_string();
    client.post(&messages_of(&"s".repeat(256)), &message(&"é".repeat(128))).expect_status(201);
    assert_eq!(client.messages(&"s".repeat(256))[0]["id"], "é".repeat(128));
    client.post(&messages_of("s"), &message(&"m".repeat(257))).problem(422, "unprocessable");
    client.acting_for(&"u".repeat(257)).get("/v1/sessions").problem(422, "unprocessable");
}

#[test]
fn requests_beyond_the_rate_of_a_tenant_or_an_address_are_429_with_retry_after() {
    let rates = HostSettings::default().with("tenant_requests", "3").with("address_requests", "2");
    let client = Client::new(Arc::new(Running::start(rates)));
    let refused = |client: &Client| -> Answer {
        // A full bucket is a second's worth; it fills while this asks.
        let asked = (0..1_000).map(|_| client.get("/v1/sessions"));
        asked.into_iter().find(|answer| answer.status == 429).expect("one too many")
    };
    let answer = refused(&client);
    assert_eq!(answer.header("retry-after"), Some("1"));
    answer.problem(429, "exhausted");
    let stranger = Client { key: None, ..client };
    let answer = refused(&stranger);
    assert_eq!(answer.header("retry-after"), Some("1"));
    answer.problem(429, "exhausted");
}
