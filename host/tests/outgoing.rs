//! Outgoing HTTP: what the manifest names, and nothing else.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod common;

use common::{Host, neighbour, probe, settings};
use std::net::SocketAddr;
use std::sync::atomic::Ordering::SeqCst;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

async fn host(allowed: &str) -> Host {
    Host::start(&probe(&format!("allowed_outbound_hosts = [{allowed}]")), settings()).await
}

fn fetch(address: SocketAddr) -> String {
    format!("/fetch?http://localhost:{}/", address.port())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_named_host_is_reached_over_a_kept_connection() {
    let (address, count) = neighbour(OK.into()).await;
    let host = host(&format!("\"http://localhost:{}\"", address.port())).await;
    for _ in 0..3 {
        assert_eq!(host.get(&fetch(address)).await, (200, "ok".into()));
    }
    assert_eq!(count.load(SeqCst), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_host_or_port_is_refused() {
    let (named, _) = neighbour(OK.into()).await;
    let (other, count) = neighbour(OK.into()).await;
    let host = host(&format!("\"http://localhost:{}\"", named.port())).await;
    let (status, text) = host.get(&fetch(other)).await;
    assert_eq!((status, text.contains("HttpRequestDenied")), (502, true), "{text}");
    assert!(host.get("/fetch?http://example.com/").await.1.contains("HttpRequestDenied"));
    assert_eq!(count.load(SeqCst), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redirect_to_another_host_is_not_followed() {
    let (other, count) = neighbour(OK.into()).await;
    let redirect = format!(
        "HTTP/1.1 302 Found\r\nLocation: http://localhost:{}/\r\nContent-Length: 0\r\n\r\n",
        other.port()
    );
    let (named, _) = neighbour(redirect).await;
    let host = host(&format!("\"http://localhost:{}\"", named.port())).await;
    assert_eq!(host.get(&fetch(named)).await.0, 302);
    assert_eq!(count.load(SeqCst), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_ip_literal_is_refused_unless_it_is_named() {
    let (address, count) = neighbour(OK.into()).await;
    let port = address.port();
    let wide = host("\"*://*:*\"").await;
    for literal in ["127.0.0.1", "[::ffff:127.0.0.1]", "2130706433", "127.1", "0x7f000001"] {
        let (_, text) = wide.get(&format!("/fetch?http://{literal}:{port}/")).await;
        assert!(text.contains("HttpRequestDenied"), "{literal}: {text}");
    }
    assert_eq!(count.load(SeqCst), 0);
    let named = host(&format!("\"http://127.0.0.1:{port}\"")).await;
    assert_eq!(named.get(&format!("/fetch?http://{address}/")).await, (200, "ok".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_local_address_is_refused() {
    let host = host("\"*://*:*\"").await;
    for literal in ["169.254.169.254", "[fe80::1]", "[::ffff:169.254.169.254]"] {
        let (_, text) = host.get(&format!("/fetch?http://{literal}/latest/meta-data/")).await;
        assert!(text.contains("HttpRequestDenied"), "{literal}: {text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_kept_connection_is_replaced_for_idempotent_methods() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        // One answer for each connection; the next request on it is read and dropped.
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut buffer = [0; 4096];
                let _ = stream.read(&mut buffer).await;
                let _ = stream.write_all(OK.as_bytes()).await;
                let _ = stream.read(&mut buffer).await;
            });
        }
    });
    let host = host(&format!("\"http://localhost:{}\"", address.port())).await;
    for _ in 0..4 {
        assert_eq!(host.get(&fetch(address)).await, (200, "ok".into()));
    }
    let post = format!("/fetch?POST,http://localhost:{}/", address.port());
    let (status, text) = host.get(&post).await;
    assert_eq!((status, text.contains("ConnectionTerminated")), (502, true), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_connection_is_said() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let host = host("\"http://localhost:*\"").await;
    assert!(host.get(&fetch(address)).await.1.contains("ConnectionRefused"));
}
