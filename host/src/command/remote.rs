//! A running installation as a command calls it: by its URL, with the key of the environment.

use anyhow::{Result, bail};
use bytes::Bytes;
use holdfast_core::error::REASONS;
use holdfast_core::{Case, Error};
use holdfast_objects::Transport;
use holdfast_ports::{Limits, ReqwestTransport};
use http::{Method, Request, Response, Uri, header};
use serde::de::DeserializeOwned;
use std::time::Duration;

/// The key of the environment.
pub(super) fn key_with_admin() -> Result<String> {
    let key = std::env::var("HOLDFAST_KEY").unwrap_or_default();
    if key.is_empty() {
        bail!(Error::invalid("set HOLDFAST_KEY to a key that has the permission admin"));
    }
    Ok(key)
}

/// Where an installation answers, and what it is asked with.
pub(super) struct Installation<T = ReqwestTransport> {
    pub transport: T,
    pub base: String,
    pub key: String,
}

impl Installation {
    /// The installation at `url`.
    pub(super) fn new(url: &str, key: String) -> Result<Self> {
        let limits =
            Limits { request: Duration::from_secs(600), body: 16 << 20, ..Limits::default() };
        Ok(Self { transport: ReqwestTransport::new(limits)?, base: base(url)?, key })
    }
}

impl<T: Transport> Installation<T> {
    /// `GET`s JSON.
    pub(super) async fn get<A: DeserializeOwned>(&self, path: &str) -> holdfast_core::Result<A> {
        self.ask(Method::GET, path, Bytes::new()).await
    }

    /// `POST`s JSON.
    pub(super) async fn post<A: DeserializeOwned>(
        &self,
        path: &str,
        body: Bytes,
    ) -> holdfast_core::Result<A> {
        self.ask(Method::POST, path, body).await
    }

    async fn ask<A: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Bytes,
    ) -> holdfast_core::Result<A> {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.base))
            .header(header::AUTHORIZATION, format!("Bearer {}", self.key));
        if !body.is_empty() {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        let request = request
            .body(body)
            .map_err(|e| Error::invalid("HOLDFAST_KEY or --url cannot be sent").caused_by(e))?;
        let answer = self.transport.send(request).await;
        let answer = answer.map_err(|e| {
            Error::unavailable("no answer: is the address right, and the installation up?")
                .caused_by(e)
        })?;
        if answer.status().is_success() {
            let wrong = |e| Error::internal("this answer is not Holdfast's").caused_by(e);
            return serde_json::from_slice(answer.body()).map_err(wrong);
        }
        Err(refused(&answer))
    }
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
    let local = ["localhost", "127.0.0.1", "[::1]"].contains(&authority.host());
    if scheme == "http" && !local {
        eprintln!("holdfast: the key goes to {authority} in clear text: use https");
    }
    Ok(format!("{scheme}://{authority}{}", uri.path().trim_end_matches('/')))
}

/// The error that an answer is: of the table where it says which, else by its status.
fn refused(answer: &Response<Bytes>) -> Error {
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
