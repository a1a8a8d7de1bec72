//! The one method that this crate needs from a network: send a request, give the whole answer.
#![allow(async_fn_in_trait, reason = "ports are not Send by design, as in `holdfast_core::ports`")]

use bytes::Bytes;
use http::{Request, Response};
use std::fmt;

/// Sends one HTTP request. No retries, no redirects, no decompression: all policy is in [`crate::Store`].
pub trait Transport {
    /// Sends `request` and reads the whole answer, whatever its status. The request carries every header that is
    /// needed but `host`, which is the authority of its URL.
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, TransportError>;
}

/// How far a request without an answer got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// It never left: no address, no connection, no TLS. The server has done nothing.
    NotSent,
    /// The connection was closed before the first byte of an answer, as a pooled one that the server gave up: most
    /// likely nothing happened, but that is not known.
    Closed,
    /// Anything else: timeout, reset, answer cut off. The server may have done it, or may still do it.
    Unknown,
}

/// A request without a (whole) answer.
#[derive(Debug)]
pub struct TransportError {
    /// How far the request got.
    pub reach: Reach,
    /// The cause, for logs.
    pub cause: String,
}

impl TransportError {
    /// An error of `reach` with its cause for logs.
    pub fn new(reach: Reach, cause: impl fmt::Display) -> Self {
        Self { reach, cause: cause.to_string() }
    }
}

impl fmt::Display for TransportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no answer ({:?}): {}", self.reach, self.cause)
    }
}

impl std::error::Error for TransportError {}

impl<T: Transport + ?Sized> Transport for &T {
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, TransportError> {
        (**self).send(request).await
    }
}

impl<T: Transport + ?Sized> Transport for std::sync::Arc<T> {
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, TransportError> {
        (**self).send(request).await
    }
}
