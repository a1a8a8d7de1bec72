//! Malformed requests from a fixed seed: each is refused with a clear problem, none breaks the host, nothing is half
//! stored.

use crate::wild::{Wild, good, mutate};
use holdfast_http_tests::{Answer, Client, by_words, messages_of, raw};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use serde_json::json;
use std::collections::BTreeSet;

const SEED: u64 = 20_261_125;
const REQUESTS: usize = 1_500;

/// Ids that an answer of a store acknowledges.
fn acknowledged(wild: &Wild, answer: &Answer) -> Vec<(String, String)> {
    if !matches!(answer.status, 201 | 207) || !wild.path.contains("/messages") {
        return Vec::new();
    }
    let stored = answer.json();
    let placed =
        stored["messages"].as_array().unwrap().iter().filter(|item| item["status"] == "stored");
    placed
        .map(|item| {
            (item["id"].as_str().unwrap().to_owned(), item["order"].as_str().unwrap().to_owned())
        })
        .collect()
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
        let shown = || {
            format!(
                "request {round}: {}",
                String::from_utf8_lossy(&wild.bytes()).chars().take(900).collect::<String>()
            )
        };
        let answer = raw(&client.running, &wild.bytes())
            .unwrap_or_else(|| panic!("no answer to {}", shown()));
        assert!(answer.status < 500, "{} {}\n{}", answer.status, answer.text, shown());
        if answer.status >= 400
            && !(answer.text.is_empty() && answer.header("content-type").is_none())
        {
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

fn everything_acknowledged_is_there_and_nothing_else(
    client: &Client,
    mut acknowledged: Vec<String>,
) {
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
    let mut wild =
        Wild::new(&client, "POST", "/v1/sessions/s/messages", r#"{"role":"user","content":"x"}"#);
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
