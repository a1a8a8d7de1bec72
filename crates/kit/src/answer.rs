//! Answers: JSON, and problems (RFC 9457) made of the one error table.

use crate::flow::Flow;
use bytes::Bytes;
use futures::Stream;
use holdfast_core::{Error, Result};
use serde::Serialize;
use serde_json::Value;
use std::borrow::Cow;

/// What a route answers.
#[derive(Debug)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// Content type.
    pub content_type: Cow<'static, str>,
    /// The body, when it is there already.
    pub body: Bytes,
    /// Bytes of the body, whether they are there or flow.
    pub length: u64,
    /// The body, when it comes piece by piece.
    pub(crate) flow: Option<Flow>,
    /// More headers.
    pub headers: Vec<(&'static str, String)>,
}

impl Answer {
    /// A JSON answer.
    pub fn json(status: u16, body: &impl Serialize) -> Self {
        let body = serde_json::to_vec(body).unwrap_or_default();
        Self::raw(status, body)
    }

    /// A JSON answer whose text is there already.
    pub fn raw(status: u16, json: impl Into<Bytes>) -> Self {
        let (content_type, body) = (Cow::Borrowed("application/json"), json.into());
        let length = body.len() as u64;
        Self { status, content_type, body, length, flow: None, headers: Vec::new() }
    }

    /// An answer without a body: 204.
    pub fn nothing() -> Self {
        Self::raw(204, Bytes::new())
    }

    /// An answer whose body comes piece by piece, `length` bytes in all. What fails on the way breaks it off, so that
    /// nobody takes it for whole.
    pub fn flowing(
        status: u16,
        content_type: String,
        length: u64,
        pieces: impl Stream<Item = Result<Bytes>> + 'static,
    ) -> Self {
        let content_type = Cow::Owned(content_type);
        let (flow, headers) = (Some(Flow::new(pieces)), Vec::new());
        Self { status, content_type, body: Bytes::new(), length, flow, headers }
    }

    /// With one more header.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

/// The problem of an error, with more members where the route gives them.
pub fn problem(error: &Error, request_id: &str, more: Option<Value>) -> Answer {
    let mut body = error.problem(request_id);
    if let Some(Value::Object(more)) = more {
        body.extend(more);
    }
    let mut answer = Answer::json(error.status(), &body);
    answer.content_type = Cow::Borrowed("application/problem+json");
    if let Some(seconds) = error.retry_after {
        answer = answer.with("retry-after", seconds.to_string());
    }
    if let Some(allow) = &error.allow {
        answer = answer.with("allow", allow.clone());
    }
    if error.status() == 401 {
        answer = answer.with("www-authenticate", "Bearer realm=\"holdfast\"");
    }
    answer
}
