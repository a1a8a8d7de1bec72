//! What a store, or the way to it, may do instead of a plain answer: every case that `crates/objects` must live with.

use bytes::Bytes;
use http::{Method, Request, Response, header};

/// One fault of one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fault {
    /// 500, and nothing was done.
    InternalError,
    /// 500, although it was done.
    InternalErrorDone,
    /// 502 from something in between, with a body that is no XML.
    BadGateway,
    /// 503 `SlowDown`.
    SlowDown,
    /// 429.
    TooManyRequests,
    /// 403 `RequestRateLimitExceeded`, as Wasabi throttles.
    RateLimit,
    /// 410 `ConnectionClosed`, as Wasabi gives up.
    ConnectionClosed,
    /// The connection is reset, and nothing was done.
    ResetBefore,
    /// The connection is reset after it was done.
    ResetAfter,
    /// No answer ever, and nothing is done.
    LostRequest,
    /// No answer ever, and it was done.
    LostAnswer,
    /// No answer ever, and it is done long after the client has given up.
    Late,
    /// 403 `RequestTimeTooSkewed`, with the right time in `Date`.
    TimeTooSkewed,
    /// 400 `BadDigest`; once an object.
    BadDigest,
    /// The answer's body ends before its `content-length`.
    Truncated,
    /// A bit of an object's bytes is flipped.
    Garbled,
    /// 403 `InvalidAccessKeyId`: no passing fault, as the two that follow.
    UnknownKey,
    /// 403 `SignatureDoesNotMatch`.
    BadSignature,
    /// 403 `AuthenticationLockout`, as Wasabi answers for five minutes after wrong credentials.
    Lockout,
}

impl Fault {
    /// All that pass: what a client is to mend by itself.
    pub const ALL: [Self; 16] = [
        Self::InternalError,
        Self::InternalErrorDone,
        Self::BadGateway,
        Self::SlowDown,
        Self::TooManyRequests,
        Self::RateLimit,
        Self::ConnectionClosed,
        Self::ResetBefore,
        Self::ResetAfter,
        Self::LostRequest,
        Self::LostAnswer,
        Self::Late,
        Self::TimeTooSkewed,
        Self::BadDigest,
        Self::Truncated,
        Self::Garbled,
    ];

    /// A request like this can have it. A list is not garbled: no client could tell, and TLS sees to that.
    pub fn strikes(self, method: &Method, is_list: bool) -> bool {
        match self {
            Self::Late => *method == Method::PUT || *method == Method::DELETE,
            Self::BadDigest => *method == Method::PUT,
            Self::Truncated => *method == Method::GET,
            Self::Garbled => *method == Method::GET && !is_list,
            _ => true,
        }
    }

    /// Status, code and message of the answer that stands in for the server's, where there is one.
    pub(crate) fn answer(self) -> Option<Response<Bytes>> {
        let (status, code) = match self {
            Self::InternalError | Self::InternalErrorDone => (500, "InternalError"),
            Self::BadGateway => (502, ""),
            Self::SlowDown => (503, "SlowDown"),
            Self::TooManyRequests => (429, "TooManyRequests"),
            Self::RateLimit => (403, "RequestRateLimitExceeded"),
            Self::ConnectionClosed => (410, "ConnectionClosed"),
            Self::TimeTooSkewed => (403, "RequestTimeTooSkewed"),
            Self::BadDigest => (400, "BadDigest"),
            Self::UnknownKey => (403, "InvalidAccessKeyId"),
            Self::BadSignature => (403, "SignatureDoesNotMatch"),
            Self::Lockout => (403, "AuthenticationLockout"),
            _ => return None,
        };
        let (kind, body) = if code.is_empty() {
            ("text/html", "<html><body>bad gateway</body></html>".to_owned())
        } else {
            ("application/xml", error(code))
        };
        let answer =
            Response::builder().status(status).header(header::CONTENT_TYPE, kind).body(body.into());
        Some(answer.expect("an answer"))
    }
}

fn error(code: &str) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{code}</Code><Message>injected</Message><RequestId>0</RequestId></Error>"
    )
}

/// The request lists objects.
pub(crate) fn is_list<B>(request: &Request<B>) -> bool {
    request.uri().query().is_some_and(|query| query.contains("list-type="))
}
