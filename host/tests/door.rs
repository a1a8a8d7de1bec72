//! The HTTP door itself: ids, Host header, health, metrics, host-native routes, stopping.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod common;

use common::{Host, probe, problem, raw, settings};
use futures::FutureExt;
use holdfast::http::Extras;
use holdfast::pool::Answer;
use std::sync::Arc;
use std::time::Duration;

#[tokio::test(flavor = "multi_thread")]
async fn a_plain_request_id_is_echoed_and_another_is_replaced() {
    let host = Host::start(&probe(""), settings()).await;
    for (given, kept) in [("abc-1.2_3", true), ("with space", false), (&*"x".repeat(129), false)] {
        let request = host.client.get(host.url("/hello")).header("x-request-id", given);
        let response = request.send().await.unwrap();
        assert_eq!(response.headers()["x-request-id"] == given, kept, "{given}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn on_loopback_the_host_header_must_name_this_machine() {
    let mut settings = settings();
    settings.hosts = vec!["holdfast.test".into()];
    let host = Host::start(&probe(""), settings).await;
    for (name, status) in [
        ("localhost", "200"),
        ("127.0.0.1:1", "200"),
        ("[::1]:80", "200"),
        ("HOLDFAST.test", "200"),
        ("evil.example", "403"),
        ("localhost.evil.example", "403"),
        ("", "403"),
        ("a@localhost b", "403"),
    ] {
        let request = format!("GET /hello HTTP/1.1\r\nHost: {name}\r\nConnection: close\r\n\r\n");
        let (text, _) = raw(host.address, &request).await;
        assert!(text.starts_with(&format!("HTTP/1.1 {status}")), "{name}: {text}");
    }
    let (text, _) = raw(host.address, "GET / HTTP/1.1\r\nConnection: close\r\n\r\n").await;
    assert!(text.starts_with("HTTP/1.1 400"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn health_metrics_and_native_routes_are_the_hosts_own() {
    let mut extras = Extras::default();
    extras.native.insert(
        "/native".into(),
        Arc::new(|_| async { http::Response::new(Answer::whole("native")) }.boxed()),
    );
    let host = Host::start_with(&probe(""), settings(), extras).await;
    assert_eq!(host.get("/healthz").await, (200, "ok\n".into()));
    assert_eq!(host.get("/readyz").await, (200, "ready\n".into()));
    assert_eq!(host.get("/native").await, (200, "native".into()));
    assert_eq!(host.get("/hello").await.0, 200);
    assert_eq!(host.metric("holdfast_requests_total{component=\"probe\",status=\"200\"}").await, 1);
    let response = host.client.post(host.url("/healthz")).send().await.unwrap();
    assert_eq!(problem(response).await["code"], "method_not_allowed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_that_fails_makes_the_host_not_ready() {
    let extras = Extras {
        ready: vec![Arc::new(|| async { Err("the store is away".to_owned()) }.boxed())],
        ..Extras::default()
    };
    let host = Host::start_with(&probe(""), settings(), extras).await;
    assert_eq!(host.get("/readyz").await, (503, "the store is away\n".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_path_without_a_route_is_404() {
    let host = Host::start(&probe("").replace("\"/...\"", "\"/hello\""), settings()).await;
    let response = host.client.get(host.url("/other")).send().await.unwrap();
    assert_eq!(problem(response).await["code"], "no_route");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_static_response_is_given_as_written() {
    let manifest = format!(
        "{}[[trigger.http]]\nroute = \"/fixed\"\n\
         static_response = {{ status_code = 203, headers = {{ a = \"b\" }}, body = \"fixed\" }}\n",
        probe("")
    );
    let host = Host::start(&manifest, settings()).await;
    let response = host.client.get(host.url("/fixed")).send().await.unwrap();
    assert_eq!(
        (response.status().as_u16(), &response.headers()["a"]),
        (203, &"b".parse().unwrap())
    );
    assert_eq!(response.text().await.unwrap(), "fixed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_private_route_cannot_be_reached_from_outside() {
    let manifest = probe("").replace("\"/...\"", "{ private = true }");
    let host = Host::start(&manifest, settings()).await;
    assert_eq!(host.get("/hello").await.0, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_lets_requests_in_flight_end() {
    let host = Host::start(&probe(""), settings()).await;
    let (client, url) = (host.client.clone(), host.url("/sleep?500"));
    let inside = host.metric("holdfast_instances_made_total{component=\"probe\"}").await;
    let in_flight = tokio::spawn(async move { client.get(url).send().await.unwrap().text().await });
    while host.metric("holdfast_instances_busy{component=\"probe\"}").await == inside {}
    let address = host.address;
    let served = host.begin_stop();
    assert_eq!(in_flight.await.unwrap().unwrap(), "awake");
    assert!(served.await.unwrap(), "all ended in time");
    assert!(tokio::net::TcpStream::connect(address).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_does_not_wait_beyond_its_limit() {
    let mut settings = settings();
    settings.drain = Duration::from_millis(200);
    let host = Host::start(&probe(""), settings).await;
    let (client, url) = (host.client.clone(), host.url("/sleep?20000"));
    let in_flight = tokio::spawn(async move { client.get(url).send().await });
    while host.metric("holdfast_instances_busy{component=\"probe\"}").await == 0 {}
    let started = std::time::Instant::now();
    assert!(!host.stop().await);
    assert!(started.elapsed() < Duration::from_secs(5));
    assert!(in_flight.await.unwrap().is_err());
}
