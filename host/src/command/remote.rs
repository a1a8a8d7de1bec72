//! A running installation as a command calls it: by its URL, with the key of the environment.

use anyhow::{Result, bail};
use bytes::Bytes;
use holdfast_core::error::REASONS;
use holdfast_core::ports::Clock;
use holdfast_core::{Case, Error};
use holdfast_objects::{Transport, TransportError};
use holdfast_ports::{Limits, ReqwestTransport, SystemClock};
use http::request::Builder;
use http::{Method, Request, Response, Uri, header};
use serde::Deserialize;
use std::time::Duration;

/// The key of the environment.
pub(super) fn given_key() -> Option<String> {
    std::env::var("HOLDFAST_KEY").ok().filter(|key| !key.is_empty())
}

/// The key of the environment, where nothing else will do.
pub(super) fn key_with_admin() -> Result<String> {
    let missing = || Error::invalid("set HOLDFAST_KEY to a key that has the permission admin");
    Ok(given_key().ok_or_else(missing)?)
}

/// Does what a command asks of an installation.
pub(super) fn wait<T>(asked: impl Future<Output = T>) -> Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let done = runtime.block_on(asked);
    // Whatever still reads from a terminal is not waited for.
    runtime.shutdown_background();
    Ok(done)
}

/// Where an installation answers, and what it is asked with.
pub(super) struct Installation<T = ReqwestTransport, C = SystemClock> {
    pub transport: T,
    pub clock: C,
    pub base: String,
    pub key: String,
}

/// One call of an installation.
pub(super) struct Call {
    pub method: Method,
    /// With its query.
    pub path: String,
    /// JSON, or empty.
    pub body: Bytes,
    /// The Idempotency-Key of a call that must not be made twice.
    pub once: Option<String>,
}

impl Call {
    /// `GET`s JSON.
    pub(super) fn get(path: &str) -> Self {
        Self { method: Method::GET, path: path.to_owned(), body: Bytes::new(), once: None }
    }

    /// `POST`s JSON.
    pub(super) fn post(path: &str, body: Bytes) -> Self {
        Self { method: Method::POST, path: path.to_owned(), body, once: None }
    }
}

impl Installation {
    /// The installation at `url`.
    pub(super) fn new(url: &str, key: String) -> Result<Self> {
        let limits =
            Limits { request: Duration::from_secs(600), body: 64 << 20, ..Limits::default() };
        let transport = ReqwestTransport::new(limits)?;
        Ok(Self { transport, clock: SystemClock, base: base(url)?, key })
    }
}

impl<T: Transport, C: Clock> Installation<T, C> {
    /// Makes a call, up to `tries` times while the installation says that it may go later: the body of the answer.
    pub(super) async fn patiently(&self, call: &Call, tries: u32) -> holdfast_core::Result<Bytes> {
        let mut tried = 1;
        loop {
            match self.send(call).await {
                Err(error) => {
                    let Some(seconds) = pause(&error, tried, tries) else { return Err(error) };
                    eprintln!("{}: {error}; again in {seconds} s", call.path);
                    self.clock.sleep(seconds * 1_000).await;
                    tried += 1;
                }
                done => return done,
            }
        }
    }

    /// The head of a request for a path.
    pub(super) fn request(&self, method: Method, path: &str) -> Builder {
        Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.base))
            .header(header::AUTHORIZATION, format!("Bearer {}", self.key))
    }

    async fn send(&self, call: &Call) -> holdfast_core::Result<Bytes> {
        let mut request = self.request(call.method.clone(), &call.path);
        if !call.body.is_empty() {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        if let Some(once) = &call.once {
            request = request.header("idempotency-key", once);
        }
        let request = request
            .body(call.body.clone())
            .map_err(|e| Error::invalid("HOLDFAST_KEY or --url cannot be sent").caused_by(e))?;
        let answer = self.transport.send(request).await.map_err(unanswered)?;
        if answer.status().is_success() { Ok(answer.into_body()) } else { Err(refused(&answer)) }
    }
}

/// The error of a request without an answer.
pub(super) fn unanswered(error: TransportError) -> Error {
    Error::unavailable("no answer: is the address right, and the installation up?").caused_by(error)
}

/// How many seconds to wait before a call is made again that was refused `tried` times; none when it is not to be.
pub(super) fn pause(error: &Error, tried: u32, tries: u32) -> Option<u64> {
    let least = 1_u64 << tried.min(6);
    let seconds = u64::from(error.retry_after.unwrap_or(1)).max(least).min(60);
    (error.case.retryable() && tried < tries).then_some(seconds)
}

/// What an answer holds.
pub(super) fn json<'a, A: Deserialize<'a>>(answer: &'a [u8]) -> holdfast_core::Result<A> {
    let wrong = |e| Error::internal("this answer is not Holdfast's").caused_by(e);
    serde_json::from_slice(answer).map_err(wrong)
}

/// Whether an URL names this machine.
pub(super) fn is_local(url: &str) -> bool {
    let uri: Option<Uri> = url.parse().ok();
    uri.and_then(|uri| uri.host().map(is_loopback)).unwrap_or(false)
}

fn is_loopback(host: &str) -> bool {
    ["localhost", "127.0.0.1", "[::1]"].contains(&host)
}

/// Scheme, host and port of an URL.
fn base(url: &str) -> Result<String> {
    let wrong = || Error::invalid(format!("--url {url}: write http(s)://host[:port]")).at("url");
    let uri: Uri = url.trim_end_matches('/').parse().map_err(|_| wrong())?;
    let scheme = uri.scheme_str().filter(|scheme| ["http", "https"].contains(scheme));
    let (Some(scheme), Some(authority)) = (scheme, uri.authority()) else { bail!(wrong()) };
    if authority.as_str().contains('@') || uri.query().is_some() {
        bail!(wrong());
    }
    if scheme == "http" && !is_loopback(authority.host()) {
        eprintln!("holdfast: the key goes to {authority} in clear text: use https");
    }
    Ok(format!("{scheme}://{authority}{}", uri.path().trim_end_matches('/')))
}

/// The error that an answer is: of the table where it says which, else by its status.
pub(super) fn refused(answer: &Response<Bytes>) -> Error {
    let status = answer.status();
    let problem: serde_json::Value = serde_json::from_slice(answer.body()).unwrap_or_default();
    let member = |name| problem.get(name).and_then(serde_json::Value::as_str);
    let code = member("code").unwrap_or_default();
    let detail = format!("{status}: {}", member("detail").unwrap_or("no reason given"));
    let error = match REASONS.iter().find(|row| row.reason == code) {
        Some(row) => Error::because(row.case, row.reason, detail),
        None => Error::new(by_status(status.as_u16()), detail),
    };
    let after = answer.headers().get(header::RETRY_AFTER).and_then(|value| value.to_str().ok());
    match after.and_then(|seconds| seconds.parse().ok()) {
        Some(seconds) => error.retry_after(seconds),
        None => error,
    }
}

/// What an answer means that others gave on the way, or that is not Holdfast's.
fn by_status(status: u16) -> Case {
    match status {
        401 | 403 => Case::Denied,
        404 => Case::NotFound,
        429 => Case::Exhausted,
        502..=504 => Case::Unavailable,
        400..=499 => Case::Invalid,
        _ => Case::Internal,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_url_is_scheme_host_and_port_and_maybe_a_path() {
        assert_eq!(base("http://127.0.0.1:8080/").unwrap(), "http://127.0.0.1:8080");
        assert_eq!(base("https://h/memory/").unwrap(), "https://h/memory");
        for wrong in ["h:1", "ftp://h", "", "https://user@h", "https://h/?q=1"] {
            assert!(base(wrong).is_err(), "{wrong}");
        }
    }
}
