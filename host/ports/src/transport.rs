//! Requests to the object store over pooled HTTP/1.1 connections, with TLS by rustls and the web's roots.

use crate::{SystemClock, traffic};
use bytes::{Bytes, BytesMut};
use holdfast_core::ports::Clock;
use holdfast_core::{Error, Result};
use holdfast_objects::{Reach, Transport, TransportError};
use http::{Request, Response};
use std::error::Error as _;
use std::io::ErrorKind;
use std::sync::Arc;
use std::time::Duration;

/// Bounds of one request.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Time to connect, TLS included.
    pub connect: Duration,
    /// Time for the whole request, the answer's body included.
    pub request: Duration,
    /// Bytes of an answer's body.
    pub body: usize,
}

impl Default for Limits {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Self { connect: seconds(5), request: seconds(60), body: 256 << 20 }
    }
}

/// Sends by reqwest: no proxy, no redirects, no decompression. Cloning shares the pool.
#[derive(Debug, Clone)]
pub struct ReqwestTransport {
    client: reqwest::Client,
    body: usize,
}

impl ReqwestTransport {
    /// A transport with a pool of its own.
    ///
    /// # Errors
    /// `internal` when TLS cannot be set up.
    pub fn new(limits: Limits) -> Result<Self> {
        let client = builder(limits.connect)?
            .timeout(limits.request)
            .pool_max_idle_per_host(64)
            .pool_idle_timeout(Duration::from_secs(20))
            .build()
            .map_err(|cause| Error::internal("HTTP cannot be set up").caused_by(cause))?;
        Ok(Self { client, body: limits.body })
    }
}

impl Transport for ReqwestTransport {
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, TransportError> {
        let request = reqwest::Request::try_from(request)
            .map_err(|cause| TransportError::new(Reach::NotSent, cause))?;
        let answer = self.client.execute(request).await.map_err(|cause| unanswered(&cause))?;
        let mut whole = Response::new(Bytes::new());
        *whole.status_mut() = answer.status();
        *whole.headers_mut() = answer.headers().clone();
        *whole.body_mut() = self.read(answer).await?;
        Ok(whole)
    }
}

impl ReqwestTransport {
    async fn read(&self, mut answer: reqwest::Response) -> Result<Bytes, TransportError> {
        let stated = answer.content_length().and_then(|length| usize::try_from(length).ok());
        let too_large = || TransportError::new(Reach::Unknown, "the answer's body is too large");
        if stated.is_some_and(|length| length > self.body) {
            return Err(too_large());
        }
        let mut body = BytesMut::with_capacity(stated.unwrap_or(0));
        let cut_off = |cause: reqwest::Error| TransportError::new(Reach::Unknown, text(&cause));
        while let Some(part) = answer.chunk().await.map_err(cut_off)? {
            if body.len() + part.len() > self.body {
                return Err(too_large());
            }
            body.extend_from_slice(&part);
        }
        traffic().read(body.len() as u64, SystemClock.now());
        Ok(body.freeze())
    }
}

/// No proxy, no redirects, no decompression.
pub(crate) fn builder(connect: Duration) -> Result<reqwest::ClientBuilder> {
    Ok(reqwest::Client::builder()
        .use_preconfigured_tls(tls()?)
        .http1_only()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .tcp_nodelay(true)
        .connect_timeout(connect))
}

fn tls() -> Result<rustls::ClientConfig> {
    let roots = rustls::RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|cause| Error::internal("TLS cannot be set up").caused_by(cause))?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}

/// How far a request got that has no answer.
pub(crate) fn unanswered(error: &reqwest::Error) -> TransportError {
    let closed = |cause: &(dyn std::error::Error + 'static)| {
        let hyper = cause.downcast_ref::<hyper::Error>();
        let io = cause.downcast_ref::<std::io::Error>();
        hyper.is_some_and(hyper::Error::is_incomplete_message)
            || io.is_some_and(|io| {
                matches!(io.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe)
            })
    };
    let reach = if error.is_connect() {
        Reach::NotSent
    } else if causes(error).any(closed) {
        Reach::Closed
    } else {
        Reach::Unknown
    };
    TransportError::new(reach, text(error))
}

fn causes<'a>(
    error: &'a reqwest::Error,
) -> impl Iterator<Item = &'a (dyn std::error::Error + 'static)> {
    std::iter::successors(error.source(), |cause| (*cause).source())
}

/// The error with its causes, without the URL: a presigned one is a secret.
pub(crate) fn text(error: &reqwest::Error) -> String {
    let kind = if error.is_timeout() { "timed out" } else { "failed" };
    causes(error).fold(format!("request {kind}"), |text, cause| format!("{text}: {cause}"))
}
