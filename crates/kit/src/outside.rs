//! The ports of a guest: the bucket over wasi:http, WASI's clock, WASI's randomness.

use bytes::Bytes;
use holdfast_core::ports::{Clock, Ids};
use holdfast_objects::{Reach, Store, Transport, TransportError};
use http_body_util::{BodyExt, Full, Limited};
use spin_sdk::http::Request;
use spin_sdk::wasip3::http::types::ErrorCode;
use spin_sdk::wasip3::{clocks, random};

/// The bucket.
pub type Bucket = Store<WasiTransport, GuestClock, GuestIds>;

/// wasi:http. `content-length` is set by the caller: without it a runtime may send chunks, which S3 refuses.
pub struct WasiTransport;

impl WasiTransport {
    /// As [`send`](Transport::send), for an answer of at most so many bytes.
    ///
    /// # Errors
    /// As there; an answer that is longer is `Unknown`.
    pub async fn send_within(
        &self,
        request: http::Request<Bytes>,
        most: usize,
    ) -> Result<http::Response<Bytes>, TransportError> {
        let request: Request<Full<Bytes>> = request.map(Full::new);
        let response = spin_sdk::http::send(request).await.map_err(failed)?;
        let (parts, body) = response.into_parts();
        let body = Limited::new(body, most).collect().await;
        let body = body.map_err(|e| TransportError::new(Reach::Unknown, e))?;
        Ok(http::Response::from_parts(parts, body.to_bytes()))
    }
}

impl Transport for WasiTransport {
    async fn send(
        &self,
        request: http::Request<Bytes>,
    ) -> Result<http::Response<Bytes>, TransportError> {
        self.send_within(request, usize::MAX).await
    }
}

fn failed(code: ErrorCode) -> TransportError {
    let reach = match code {
        ErrorCode::DnsTimeout
        | ErrorCode::DnsError(_)
        | ErrorCode::DestinationNotFound
        | ErrorCode::DestinationUnavailable
        | ErrorCode::DestinationIpProhibited
        | ErrorCode::DestinationIpUnroutable
        | ErrorCode::ConnectionRefused
        | ErrorCode::ConnectionTimeout
        | ErrorCode::ConnectionLimitReached
        | ErrorCode::TlsProtocolError
        | ErrorCode::TlsCertificateError
        | ErrorCode::TlsAlertReceived(_)
        | ErrorCode::HttpRequestDenied
        | ErrorCode::HttpRequestUriInvalid
        | ErrorCode::HttpRequestMethodInvalid => Reach::NotSent,
        // What stock runtimes answer for a pooled connection that the server has closed.
        ErrorCode::HttpProtocolError | ErrorCode::ConnectionTerminated => Reach::Closed,
        _ => Reach::Unknown,
    };
    TransportError::new(reach, code)
}

/// WASI's clocks.
#[derive(Clone, Copy)]
pub struct GuestClock;

impl Clock for GuestClock {
    fn now(&self) -> u64 {
        let now = clocks::system_clock::now();
        u64::try_from(now.seconds).unwrap_or(0) * 1000 + u64::from(now.nanoseconds / 1_000_000)
    }

    async fn sleep(&self, milliseconds: u64) {
        clocks::monotonic_clock::wait_for(milliseconds * 1_000_000).await;
    }
}

/// WASI's secure randomness.
#[derive(Clone, Copy)]
pub struct GuestIds;

impl Ids for GuestIds {
    fn random(&self) -> [u8; 10] {
        let bytes = random::random::get_random_bytes(10);
        bytes.try_into().unwrap_or_default()
    }
}
