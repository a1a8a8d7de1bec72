//! The native transport against sockets that behave badly, one raw server a test.
#![allow(clippy::unwrap_used, reason = "tests")]

use bytes::Bytes;
use holdfast_objects::{Reach, Transport, TransportError};
use holdfast_ports::{Limits, ReqwestTransport};
use http::{Request, Response};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

/// A server that gives each connection to `serve`, in its own thread, once for each; returns its origin.
fn server(connections: usize, serve: impl Fn(TcpStream) + Send + 'static) -> String {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        listener.incoming().take(connections).flatten().for_each(serve);
    });
    origin
}

fn answer(mut stream: &TcpStream, text: &str) {
    let _ = stream.read(&mut [0; 4096]);
    stream.write_all(text.as_bytes()).unwrap();
}

fn limits() -> Limits {
    Limits { connect: Duration::from_secs(2), request: Duration::from_secs(5), body: 100 }
}

async fn send(client: &ReqwestTransport, url: &str) -> Result<Response<Bytes>, TransportError> {
    client.send(Request::builder().uri(url).body(Bytes::new()).unwrap()).await
}

fn reach(result: Result<Response<Bytes>, TransportError>) -> Reach {
    result.unwrap_err().reach
}

#[tokio::test]
async fn a_server_that_is_not_there_was_sent_nothing() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let client = ReqwestTransport::new(limits()).unwrap();
    assert_eq!(reach(send(&client, &origin).await), Reach::NotSent);
}

#[tokio::test]
async fn a_connection_that_closes_without_an_answer_is_closed() {
    let origin = server(1, |mut stream| {
        let _ = stream.read(&mut [0; 4096]);
    });
    let client = ReqwestTransport::new(limits()).unwrap();
    assert_eq!(reach(send(&client, &origin).await), Reach::Closed);
}

#[tokio::test]
async fn an_answer_that_is_cut_off_is_unknown() {
    let origin =
        server(1, |stream| answer(&stream, "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf"));
    let client = ReqwestTransport::new(limits()).unwrap();
    assert_eq!(reach(send(&client, &origin).await), Reach::Unknown);
}

#[tokio::test]
async fn a_server_that_never_answers_is_unknown_after_the_time_limit() {
    let origin = server(1, |stream| {
        let _ = (&stream).read_to_end(&mut Vec::new());
    });
    let limits = Limits { request: Duration::from_millis(200), ..limits() };
    let client = ReqwestTransport::new(limits).unwrap();
    assert_eq!(reach(send(&client, &origin).await), Reach::Unknown);
}

#[tokio::test]
async fn a_body_above_the_limit_is_not_read() {
    let long = format!("HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n{}", "x".repeat(101));
    let origin = server(1, move |stream| answer(&stream, &long));
    let client = ReqwestTransport::new(limits()).unwrap();
    let error = send(&client, &origin).await.unwrap_err();
    assert!(error.cause.contains("too large"), "{error}");
}

#[tokio::test]
async fn a_redirect_is_an_answer_and_not_followed() {
    let origin = server(1, |stream| {
        answer(
            &stream,
            "HTTP/1.1 307 Moved\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n",
        );
    });
    let client = ReqwestTransport::new(limits()).unwrap();
    assert_eq!(send(&client, &origin).await.unwrap().status(), 307);
}

#[tokio::test]
async fn a_connection_is_used_again() {
    let origin = server(1, |stream| {
        for _ in 0..2 {
            answer(&stream, "HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\nx");
        }
    });
    let client = ReqwestTransport::new(limits()).unwrap();
    for _ in 0..2 {
        assert_eq!(send(&client, &origin).await.unwrap().body(), "x");
    }
}

#[tokio::test]
async fn the_url_reaches_the_server_byte_by_byte() {
    let origin = server(1, |mut stream| {
        let mut seen = [0; 4096];
        let read = stream.read(&mut seen).unwrap();
        let head = String::from_utf8_lossy(&seen[..read]).into_owned();
        let line = head.lines().next().unwrap();
        let text = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{line}", line.len());
        stream.write_all(text.as_bytes()).unwrap();
    });
    let client = ReqwestTransport::new(limits()).unwrap();
    let path = "/b/a%20b//c%2Bd%2F%C3%A9%27%28?prefix=a%2F&x=%2B";
    let seen = send(&client, &format!("{origin}{path}")).await.unwrap().into_body();
    assert_eq!(seen, format!("GET {path} HTTP/1.1"));
}
