//! What a well-behaved component can count on: routes, headers, variables, streaming, reuse, composition.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod common;

use common::{Host, probe, settings};
use futures::StreamExt;
use std::time::Duration;

#[tokio::test(flavor = "multi_thread")]
async fn a_component_answers_over_http() {
    let host = Host::start(&probe(""), settings()).await;
    let response = host.client.get(host.url("/hello")).send().await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["content-length"], "5");
    assert_eq!(response.text().await.unwrap(), "hello");
    assert!(host.stop().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_is_used_again() {
    let host = Host::start(&probe(""), settings()).await;
    for expected in 0..10 {
        assert_eq!(host.get("/calls").await, (200, expected.to_string()));
    }
    assert_eq!(host.metric("holdfast_instances_made_total{component=\"probe\"}").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_has_one_request_at_a_time() {
    let host = Host::start(&probe(""), settings()).await;
    let calls = (0..8).map(|_| host.get("/sleep?300"));
    let started = std::time::Instant::now();
    let answers = futures::future::join_all(calls).await;
    assert!(answers.iter().all(|answer| *answer == (200, "awake".into())));
    assert!(started.elapsed() < Duration::from_millis(300 * 8));
    assert_eq!(host.metric("holdfast_instances_made_total{component=\"probe\"}").await, 8);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_instance_is_dropped() {
    let mut settings = settings();
    settings.instance.idle = Duration::from_millis(50);
    let host = Host::start(&probe(""), settings).await;
    assert_eq!(host.get("/calls").await.1, "0");
    while host.metric("holdfast_instances_idle{component=\"probe\"}").await > 0 {}
    assert_eq!(host.get("/calls").await.1, "0");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_component_sees_the_variables_of_its_own_table_only() {
    let manifest = format!(
        "{}[component.other]\nsource = \"guest_probe.wasm\"\nvariables = {{ theirs = \"t\" }}\n\
         [[trigger.http]]\nroute = \"/variable\"\ncomponent = \"other\"\n\
         [[trigger.http]]\nroute = \"/mine/...\"\ncomponent = \"probe\"\n\
         [variables]\nshared = {{ default = \"s\" }}\n",
        probe("variables = { ours = \"o-{{ shared }}\" }")
    );
    let manifest = manifest.replace("route = \"/variable\"", "route = \"/other/variable\"");
    let host = Host::start(&manifest, settings()).await;
    assert_eq!(host.get("/variable?ours").await, (200, "o-s".into()));
    for name in ["theirs", "shared", "ours2", "Not-a-name"] {
        assert_eq!(host.get(&format!("/variable?{name}")).await.0, 404, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_component_sees_its_own_environment_only() {
    let host = Host::start(&probe("environment = { A = \"b\" }"), settings()).await;
    assert_eq!(host.get("/environment").await.1, "[(\"A\", \"b\")]");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_matched_route_is_in_spins_headers_and_cannot_be_forged() {
    let manifest = probe("").replace("\"/...\"", "\"/:who/...\"");
    let host = Host::start(&manifest, settings()).await;
    let request = host.client.get(host.url("/headers")).header("spin-path-match-who", "forged");
    let text =
        request.header("spin-client-addr", "forged").send().await.unwrap().text().await.unwrap();
    assert!(text.contains("\"spin-path-match-who\": \"headers\""), "{text}");
    assert!(text.contains("\"spin-raw-component-route\": \"/:who/...\""), "{text}");
    assert!(!text.contains("forged"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_body_streams_through_with_flat_memory() {
    const PIECES: usize = 256;
    let mut settings = settings();
    settings.instance.memory = 16 << 20;
    settings.max_body = 1 << 30;
    let host = Host::start(&probe(""), settings).await;
    let piece = bytes::Bytes::from(vec![b'a'; 1 << 20]);
    let pieces =
        futures::stream::iter(std::iter::repeat_n(piece, PIECES).map(Ok::<_, std::io::Error>));
    let before = resident();
    let request = host.client.post(host.url("/echo")).body(reqwest::Body::wrap_stream(pieces));
    let mut body = request.send().await.unwrap().bytes_stream();
    let (mut total, mut peak) = (0, 0);
    while let Some(bytes) = body.next().await {
        let bytes = bytes.unwrap();
        assert!(bytes.iter().all(|byte| *byte == b'a'));
        total += bytes.len();
        peak = peak.max(resident());
    }
    assert_eq!(total, PIECES << 20);
    let growth = peak.saturating_sub(before);
    assert!(growth < 64 << 20, "grew by {} MiB", growth >> 20);
}

/// Bytes of this process in memory.
fn resident() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    statm.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4096
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dependency_is_composed_in() {
    let manifest =
        caller("dependencies = { \"test:greeter@0.1.0\" = { path = \"guest_greeter.wasm\" } }");
    let host = Host::start(&manifest, settings()).await;
    assert_eq!(host.get("/you").await, (200, "hello, /you".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_import_is_named_at_the_start() {
    let error = start_error(&caller(""));
    for words in [
        "caller",
        "component imports instance `test:greeter/greetings@0.1.0`",
        "not found in the linker",
    ] {
        assert!(error.contains(words), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dependency_that_satisfies_nothing_is_an_error() {
    let wrong = "dependencies = { \"test:other@0.1.0\" = { path = \"guest_greeter.wasm\" } }";
    assert!(start_error(&caller(wrong)).contains("imports nothing that it could satisfy"));
    let version = "dependencies = { \"test:greeter@0.2.0\" = { path = \"guest_greeter.wasm\" } }";
    assert!(start_error(&caller(version)).contains("imports nothing that it could satisfy"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_isolated_dependency_that_needs_rights_is_refused() {
    let wrong = "dependencies = { \"test:greeter@0.1.0\" = { path = \"guest_probe.wasm\" } }";
    assert!(start_error(&caller(wrong)).contains("it is isolated but imports"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_missing_or_no_component_is_named_at_the_start() {
    let manifest = probe("").replace("guest_probe.wasm", "absent.wasm");
    assert!(start_error(&manifest).contains("absent.wasm"));
    let manifest = caller("").replace("guest_caller", "guest_greeter");
    assert!(start_error(&manifest).contains("exports no HTTP handler"));
}

fn start_error(manifest: &str) -> String {
    let metrics = holdfast::metrics::Metrics::default();
    let error = common::load(manifest, &settings(), &metrics).err().expect("it started");
    format!("{error:#}")
}

fn caller(component: &str) -> String {
    format!(
        "{}{component}\n",
        probe("").replace("probe", "caller").trim_end_matches('\n').to_owned() + "\n"
    )
}
