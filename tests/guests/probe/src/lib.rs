//! Misbehaves on request: each path breaks one limit of the host, or shows one thing that it promises.
#![cfg(target_family = "wasm")]

use bytes::Bytes;
use futures::SinkExt;
use http::{HeaderMap, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use spin_sdk::http::body::{IncomingBodyExt, stream};
use spin_sdk::http::{BoxBody, EmptyBody, IntoResponse, Request};
use spin_sdk::http_service;
use spin_sdk::wasip3::http::types::ErrorCode;
use std::hint::black_box;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

static CALLS: AtomicU64 = AtomicU64::new(0);

#[http_service]
async fn handle(request: Request) -> impl IntoResponse {
    let path = request.uri().path().to_owned();
    let argument = request.uri().query().unwrap_or_default().to_owned();
    match path.as_str() {
        "/hello" => text("hello"),
        "/calls" => text(&CALLS.fetch_add(1, Ordering::Relaxed).to_string()),
        "/headers" => text(&format!("{:?} {:?}", request.uri(), request.headers())),
        "/environment" => text(&format!("{:?}", std::env::vars().collect::<Vec<_>>())),
        "/variable" => variable(&argument).await,
        "/echo" => Response::new(request.into_body().map_err(Into::into).boxed_unsync()),
        "/length" => length(request).await,
        "/fetch" => fetch(&argument, request.headers()).await,
        "/send" => send(&argument).await,
        "/sleep" => sleep(&argument).await,
        "/loop" => endless(),
        "/memory" => memory(&argument),
        "/panic" => deliberate(),
        "/panic-in-body" => body_that(&argument, deliberate),
        "/loop-in-body" => body_that(&argument, endless),
        "/print" => print(),
        "/no-answer" => no_answer(),
        _ => status(StatusCode::NOT_FOUND, "no such test"),
    }
}

type Answer = Response<BoxBody>;

fn text(text: &str) -> Answer {
    Response::new(Full::new(Bytes::from(text.to_owned())).map_err(|e| match e {}).boxed_unsync())
}

fn status(status: StatusCode, message: &str) -> Answer {
    let mut answer = text(message);
    *answer.status_mut() = status;
    answer
}

async fn variable(name: &str) -> Answer {
    match spin_sdk::variables::get(name).await {
        Ok(value) => text(&value),
        Err(error) => status(StatusCode::NOT_FOUND, &format!("{error:?}")),
    }
}

async fn length(request: Request) -> Answer {
    match request.into_body().bytes().await {
        Ok(bytes) => text(&bytes.len().to_string()),
        Err(error) => status(StatusCode::BAD_REQUEST, &format!("{error:?}")),
    }
}

/// Sends a GET (or `METHOD,url` another), with what it was sent as `authorization` and `holdfast-user`, and gives back
/// what came, redirects and all.
async fn fetch(argument: &str, headers: &HeaderMap) -> Answer {
    let (method, url) = match argument.split_once(',') {
        Some((method, url)) if !method.contains(':') => (method, url),
        _ => ("GET", argument),
    };
    let mut builder = http::Request::builder().method(method).uri(url);
    for name in ["authorization", "holdfast-user"] {
        for value in headers.get_all(name) {
            builder = builder.header(name, value);
        }
    }
    match builder.body(EmptyBody::new()) {
        Ok(request) => answered(spin_sdk::http::send(request).await).await,
        Err(_) => status(StatusCode::BAD_REQUEST, "no URL"),
    }
}

/// Sends so many bytes (`COUNT,url`).
async fn send(argument: &str) -> Answer {
    let (count, url) = argument.split_once(',').unwrap_or_default();
    let body = Full::new(Bytes::from(vec![b'x'; count.parse().unwrap_or(0)]));
    match http::Request::post(url).body(body) {
        Ok(request) => answered(spin_sdk::http::send(request).await).await,
        Err(_) => status(StatusCode::BAD_REQUEST, "no URL"),
    }
}

async fn answered(answer: Result<spin_sdk::http::Response, ErrorCode>) -> Answer {
    match answer {
        Ok(response) => {
            let code = response.status();
            let body = response.into_body().bytes().await.unwrap_or_default();
            status(code, &String::from_utf8_lossy(&body))
        }
        Err(error) => status(StatusCode::BAD_GATEWAY, &format!("{error:?}")),
    }
}

async fn sleep(millis: &str) -> Answer {
    spin_sdk::time::sleep(Duration::from_millis(millis.parse().unwrap_or(0))).await;
    text("awake")
}

fn endless() -> Answer {
    let mut turns = 0_u64;
    loop {
        turns = black_box(turns.wrapping_add(1));
    }
}

/// Takes `mib` MiB and touches them.
fn memory(mib: &str) -> Answer {
    let size = mib.parse::<usize>().unwrap_or(1024) << 20;
    let taken = black_box(vec![1_u8; size]);
    text(&taken.len().to_string())
}

#[expect(clippy::panic, reason = "this is the test")]
fn deliberate() -> Answer {
    panic!("a deliberate panic")
}

/// Writes `count` pieces of 1 kB, waits a little after each, then misbehaves.
fn body_that(count: &str, misbehave: fn() -> Answer) -> Answer {
    let count: usize = count.parse().unwrap_or(3);
    let (mut pieces, body) = stream::<Bytes>();
    spin_sdk::wasip3::spawn(async move {
        for _ in 0..count {
            if pieces.send(Bytes::from(vec![b'x'; 1000])).await.is_err() {
                return;
            }
            spin_sdk::time::sleep(Duration::from_millis(20)).await;
        }
        misbehave();
    });
    Response::new(body.boxed_unsync())
}

fn print() -> Answer {
    println!("to standard output");
    eprintln!("to standard error");
    text("printed")
}

fn no_answer() -> Answer {
    let mut answer = text("");
    answer.headers_mut().insert("connection", http::HeaderValue::from_static("close"));
    answer
}
