//! Errors that the host answers itself, as `application/problem+json`.

use crate::pool::Answer;
use holdfast_core::error::Error;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, VARY, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue};

/// The id that a request has by now; empty where it has none.
pub fn request_id(headers: &HeaderMap) -> &str {
    headers.get("x-request-id").and_then(|id| id.to_str().ok()).unwrap_or_default()
}

/// The answer for `error`, in the shape that the components give theirs. `unknown` says that a write may have happened.
pub fn answer(error: &Error, request_id: &str, unknown: bool) -> http::Response<Answer> {
    let mut body = error.problem(request_id);
    if unknown {
        body.insert("outcome".into(), "unknown".into());
    }
    let body = serde_json::Value::Object(body);
    let mut response = http::Response::new(Answer::whole(body.to_string()));
    *response.status_mut() = http::StatusCode::from_u16(error.status()).unwrap_or_default();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(VARY, HeaderValue::from_static("Authorization, Holdfast-User"));
    if error.status() == 401 {
        headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"holdfast\""));
    }
    if let Some(allow) = error.allow.as_deref().and_then(|allow| allow.parse().ok()) {
        headers.insert(ALLOW, allow);
    }
    if let Some(seconds) = error.retry_after {
        headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}
