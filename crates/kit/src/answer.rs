//! Answers: JSON, and problems (RFC 9457) made of the one error table.

use bytes::Bytes;
use holdfast_core::Error;
use serde::Serialize;
use serde_json::Value;

/// What a route answers.
#[derive(Debug)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// Content type.
    pub content_type: &'static str,
    /// The body.
    pub body: Bytes,
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
        let content_type = "application/json";
        Self { status, content_type, body: json.into(), headers: Vec::new() }
    }

    /// An answer without a body: 204.
    pub fn nothing() -> Self {
        Self::raw(204, Bytes::new())
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
    answer.content_type = "application/problem+json";
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
