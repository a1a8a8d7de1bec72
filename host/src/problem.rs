//! Errors that the host answers itself, as `application/problem+json`.

use crate::pool::Answer;
use holdfast_core::error::Error;
use http::HeaderValue;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER};

/// The answer for `error`, in the shape that the components give theirs. `unknown` says that a write may have happened.
pub fn answer(error: &Error, request_id: &str, unknown: bool) -> http::Response<Answer> {
    let mut body = serde_json::json!({
        "type": format!("urn:holdfast:problem:{}", error.reason),
        "title": error.title(),
        "status": error.status(),
        "code": error.reason,
        "detail": error.detail,
        "instance": format!("urn:holdfast:request:{request_id}"),
        "request_id": request_id,
    });
    if let Some(fields) = body.as_object_mut() {
        if let Some(field) = &error.field {
            fields.insert("pointer".into(), field.as_str().into());
        }
        if unknown {
            fields.insert("outcome".into(), "unknown".into());
        }
    }
    let mut response = http::Response::new(Answer::whole(body.to_string()));
    *response.status_mut() = http::StatusCode::from_u16(error.status()).unwrap_or_default();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Some(seconds) = error.retry_after {
        headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}
