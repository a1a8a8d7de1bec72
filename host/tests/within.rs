//! Calls of one component to another of the same application.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod common;

use common::{Host, probe, settings};
use holdfast::Settings;
use holdfast::admission::{Admission, Rates};
use holdfast::http::Extras;
use std::sync::Arc;
use std::time::Duration;

/// A host whose component `probe` may reach what is `allowed`, beside `other`, which no route leads to.
async fn host(allowed: &str, settings: Settings, extras: Extras) -> Host {
    let manifest = probe(&format!(
        "allowed_outbound_hosts = [{allowed}]\n\
         [[trigger.http]]\nroute = {{ private = true }}\ncomponent = \"other\"\n\
         [component.other]\nsource = \"guest_probe.wasm\"\n"
    ));
    Host::start_with(&manifest, settings, extras).await
}

const OTHER: &str = "\"http://other.spin.internal\"";

async fn plain(allowed: &str) -> Host {
    host(allowed, settings(), Extras::default()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_named_component_answers_with_the_callers_headers_and_request_id() {
    let host = plain(OTHER).await;
    let request = host
        .client
        .get(host.url("/fetch?http://other.spin.internal/headers?a=b"))
        .header("x-request-id", "one")
        .header("authorization", "Bearer k")
        .header("holdfast-user", "ann")
        .header("spin-client-addr", "made up");
    let text = request.send().await.unwrap().text().await.unwrap();
    for part in [
        "http://other.spin.internal/headers?a=b",
        "\"x-request-id\": \"one\"",
        "\"authorization\": \"Bearer k\"",
        "\"holdfast-user\": \"ann\"",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(!text.contains("made up"), "{text}");
    assert_eq!(host.metric("holdfast_requests_total{component=\"other\",status=\"200\"}").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_component_that_no_entry_names_is_refused() {
    for allowed in ["", "\"*://*:*\"", "\"http://probe.spin.internal\""] {
        let (status, text) =
            plain(allowed).await.get("/fetch?http://other.spin.internal/hello").await;
        assert_eq!((status, text.contains("HttpRequestDenied")), (502, true), "{allowed}: {text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_component_that_is_not_there_is_said() {
    let host = plain("\"http://*.spin.internal\"").await;
    let (status, text) = host.get("/fetch?http://nobody.spin.internal/").await;
    assert_eq!((status, text.contains("DestinationNotFound")), (502, true), "{text}");
    let (_, text) = host.get("/fetch?http://self.alt/hello").await;
    assert!(text.contains("not supported"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_one_inside_the_other_come_to_an_end() {
    let host = plain("\"http://probe.spin.internal\"").await;
    let nested = |depth| {
        let calls = "/fetch?http://probe.spin.internal".repeat(depth);
        format!("{calls}/hello")
    };
    assert_eq!(host.get(&nested(4)).await, (200, "hello".into()));
    let (status, text) = host.get(&nested(5)).await;
    assert_eq!((status, text.contains("LoopDetected")), (502, true), "{text}");
    assert_eq!(host.get("/hello").await, (200, "hello".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_within_a_request_has_the_requests_deadline() {
    let mut short = settings();
    short.instance.deadline = Duration::from_secs(2);
    let host = host(OTHER, short, Extras::default()).await;
    let busy = "holdfast_instances_busy{component=\"other\"}";
    for what in ["sleep?600000", "loop"] {
        let (status, _) = host.get(&format!("/fetch?http://other.spin.internal/{what}")).await;
        assert_eq!(status, 503, "{what}");
    }
    while host.metric(busy).await != 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(host.get("/fetch?http://other.spin.internal/hello").await, (200, "hello".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trap_of_the_called_component_is_a_problem_for_its_caller() {
    let host = plain(OTHER).await;
    let (status, text) = host.get("/fetch?http://other.spin.internal/panic").await;
    assert_eq!((status, text.contains("component other stopped")), (500, true), "{text}");
    assert_eq!(host.get("/hello").await, (200, "hello".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_component_sends_within_has_the_limit_of_bodies() {
    let host = host(OTHER, Settings { max_body: 1000, ..settings() }, Extras::default()).await;
    let send = |count| format!("/send?{count},http://other.spin.internal/length");
    assert_eq!(host.get(&send(1000)).await, (200, "1000".into()));
    assert_eq!(host.get(&send(1001)).await.0, 413);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_answer_flows_through() {
    let host = plain(OTHER).await;
    let url = "/fetch?http://other.spin.internal/memory?1";
    assert_eq!(host.get(url).await, (200, (1 << 20).to_string()));
    let (status, _) = host.get("/fetch?http://other.spin.internal/panic-in-body?40").await;
    assert_eq!(status, 200, "the head was sent before the body broke off");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_within_a_request_is_not_admitted_a_second_time() {
    let rates = Rates { address_requests: 1, ..Rates::default() };
    let admission = Some(Arc::new(Admission::new(rates, "", "")));
    let host = host(OTHER, settings(), Extras { admission, ..Extras::default() }).await;
    let (status, text) = host.get("/fetch?http://other.spin.internal/hello").await;
    assert_eq!((status, text.as_str()), (200, "hello"));
}
