//! What went wrong with one request, classed by S3 error *code*: stores reuse statuses (a throttle may be a 403).

use crate::answer;
use crate::transport::{Reach, TransportError};
use bytes::Bytes;
use http::{Response, header};
use std::fmt;

/// What an error means for the next step. The policy table in [`crate::Policy::next`] has a row for each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Class {
    /// 500, 502, 503, 504, 429, `RequestRateLimitExceeded`, `ConnectionClosed`, reset, timeout, truncated body.
    Transient,
    /// A pooled connection that the server had closed.
    Closed,
    /// `RequestTimeTooSkewed`: our clock is off, the answer's `Date` says by how much.
    Skewed,
    /// `BadDigest`: the bytes changed on their way to the store.
    Digest,
    /// An answer that contradicts what was sent or what the key's name says: other ETag, other hash.
    Mismatch,
    /// `InvalidAccessKeyId`, `SignatureDoesNotMatch`, `AccessDenied` and every other refusal.
    Refused,
    /// `AuthenticationLockout`: five minutes without any request.
    Locked,
    /// The bucket does not exist.
    NoBucket,
    /// The object does not exist.
    NoKey,
    /// The range begins after the object's end.
    NoRange,
    /// The bucket is somewhere else.
    Redirect,
}

/// One failed request.
#[derive(Debug, Clone)]
pub(crate) struct Fault {
    pub class: Class,
    /// The request may have been carried out, or may still be.
    pub maybe_done: bool,
    /// HTTP status, or 0.
    pub status: u16,
    /// S3 error code, or empty.
    pub code: String,
    /// For logs: never shown to a caller.
    pub cause: String,
    /// Region or endpoint where the bucket is.
    pub place: String,
}

impl Fault {
    /// A fault that we found ourselves in an answer.
    pub(crate) fn found(class: Class, maybe_done: bool, cause: impl Into<String>) -> Self {
        let (code, place) = (String::new(), String::new());
        Self { class, maybe_done, status: 0, code, cause: cause.into(), place }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { status, code, cause, .. } = self;
        match (status, code.is_empty()) {
            (0, _) => f.write_str(cause),
            (_, true) => write!(f, "status {status}: {cause}"),
            (_, false) => write!(f, "status {status} {code}: {cause}"),
        }
    }
}

impl std::error::Error for Fault {}

impl From<TransportError> for Fault {
    fn from(error: TransportError) -> Self {
        let class = if error.reach == Reach::Closed { Class::Closed } else { Class::Transient };
        Self::found(class, error.reach != Reach::NotSent, error.cause)
    }
}

/// The answer, if it is one of success; else what is wrong with it.
pub(crate) fn success(answer: Response<Bytes>) -> Result<Response<Bytes>, Fault> {
    let status = answer.status().as_u16();
    if (200..300).contains(&status) {
        return Ok(answer);
    }
    let body = answer::error(answer.body());
    let header = |name: &str| answer.headers().get(name).and_then(|value| value.to_str().ok());
    let place = header("x-amz-bucket-region").or(header(header::LOCATION.as_str()));
    Err(Fault {
        class: class(status, &body.code),
        maybe_done: status >= 500 || body.code == "ConnectionClosed" || status == 408,
        status,
        cause: if body.message.is_empty() { "no message".to_owned() } else { body.message },
        place: place.map_or(body.place, str::to_owned),
        code: body.code,
    })
}

/// Class of an error answer by its S3 code, then by its status.
pub fn class(status: u16, code: &str) -> Class {
    match code {
        "RequestRateLimitExceeded" | "ConnectionClosed" | "SlowDown" | "RequestTimeout" => {
            Class::Transient
        }
        "RequestTimeTooSkewed" => Class::Skewed,
        "AuthenticationLockout" => Class::Locked,
        "BadDigest" | "XAmzContentSHA256Mismatch" | "IncompleteBody" => Class::Digest,
        "NoSuchBucket" => Class::NoBucket,
        "NoSuchKey" => Class::NoKey,
        "InvalidRange" => Class::NoRange,
        _ => match status {
            300..400 => Class::Redirect,
            416 => Class::NoRange,
            408 | 429 | 500 | 502 | 503 | 504 => Class::Transient,
            _ => Class::Refused,
        },
    }
}
