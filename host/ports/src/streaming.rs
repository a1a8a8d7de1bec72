//! Bodies that are sent and read piece by piece, and never held whole.

use crate::transport::{Limits, builder, text, unanswered};
use bytes::Bytes;
use futures::stream::{Stream, StreamExt};
use holdfast_core::{Error, Result};
use holdfast_objects::{Reach, TransportError};
use http::{Request, Response};
use std::io;
use std::pin::Pin;
use std::time::Duration;

/// Nothing comes for so long: the connection is dead.
const SILENCE: Duration = Duration::from_secs(120);

/// A body, piece by piece.
pub type Pieces = Pin<Box<dyn Stream<Item = io::Result<Bytes>> + Send>>;

/// Sends by reqwest as [`ReqwestTransport`](crate::ReqwestTransport) does, with bodies of any length, and as long as they take.
#[derive(Debug, Clone)]
pub struct Streaming(reqwest::Client);

impl Streaming {
    /// With connections of its own.
    ///
    /// # Errors
    /// `internal` when TLS cannot be set up.
    pub fn new() -> Result<Self> {
        let client = builder(Limits::default().connect)?.read_timeout(SILENCE).build();
        let broken = |cause| Error::internal("HTTP cannot be set up").caused_by(cause);
        Ok(Self(client.map_err(broken)?))
    }

    /// Sends a request; without a body it has none. The answer's body comes as it is read.
    ///
    /// # Errors
    /// Without an answer.
    pub async fn send(
        &self,
        request: Request<Option<Pieces>>,
    ) -> Result<Response<Pieces>, TransportError> {
        let request =
            request.map(|pieces| pieces.map(reqwest::Body::wrap_stream).unwrap_or_default());
        let request = reqwest::Request::try_from(request)
            .map_err(|cause| TransportError::new(Reach::NotSent, cause))?;
        let answer = self.0.execute(request).await.map_err(|cause| unanswered(&cause))?;
        let (mut head, ()) = Response::new(()).into_parts();
        (head.status, head.headers) = (answer.status(), answer.headers().clone());
        let pieces = answer.bytes_stream();
        let pieces = pieces.map(|piece| piece.map_err(|cause| io::Error::other(text(&cause))));
        Ok(Response::from_parts(head, Box::pin(pieces)))
    }
}
