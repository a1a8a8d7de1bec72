//! A request to one of our own routes, within the application, with what the client sent of itself.

use holdfast_core::{Case, Error, Result};
use holdfast_formats::mcp::Asked;
use holdfast_kit::{Call, Reach, WasiTransport};
use http::{HeaderName, HeaderValue};

/// Largest answer that is read: a page of large messages must be asked for in parts.
const MOST: usize = 16 << 20;
/// Headers of the client that go with each call.
const OWN: [&str; 4] = ["authorization", "x-api-key", "holdfast-after", "idempotency-key"];

/// What a route answered.
pub struct Told {
    /// HTTP status.
    pub status: u16,
    /// The body.
    pub body: String,
    /// What the answer has seen or written.
    pub after: Option<String>,
}

/// Asks for `user`.
///
/// # Errors
/// `unavailable` when the component cannot be reached; `outcome_unknown` when a write may have happened.
pub async fn send(call: &Call, user: &str, asked: Asked) -> Result<Told> {
    let writes = asked.method != "GET";
    let component = asked.component.clone();
    let response = WasiTransport.send_within(request(call, user, asked)?, MOST).await;
    let response = response.map_err(|e| {
        let failed = match writes && e.reach != Reach::NotSent {
            true => Error::because(
                Case::Unavailable,
                "outcome_unknown",
                format!("{component} gave no whole answer: look whether it took effect"),
            ),
            false => Error::unavailable(format!(
                "{component} gave no whole answer: ask for less, or later"
            )),
        };
        failed.caused_by(e)
    })?;
    let after = response.headers().get("holdfast-after");
    let after = after.and_then(|after| after.to_str().ok()).map(str::to_owned);
    let (status, body) = (response.status().as_u16(), response.into_body());
    let body = String::from_utf8(body.into()).map_err(|e| {
        Error::internal(format!("{component} answered what is not UTF-8")).caused_by(e)
    })?;
    Ok(Told { status, body, after })
}

fn request(call: &Call, user: &str, asked: Asked) -> Result<http::Request<bytes::Bytes>> {
    let wrong =
        |e: http::Error| Error::invalid("an argument does not fit into a request").caused_by(e);
    let uri = format!("http://{}.spin.internal{}", asked.component, asked.target);
    let mut builder = http::Request::builder().method(asked.method.as_str()).uri(uri);
    for name in OWN {
        for value in call.headers.get_all(name) {
            builder = builder.header(name, value);
        }
    }
    let body = asked.body.unwrap_or_default();
    let mut request = builder.body(bytes::Bytes::from(body)).map_err(wrong)?;
    let length = request.body().len();
    let headers = request.headers_mut();
    let set = [("holdfast-user", user), ("x-request-id", &call.request_id)];
    let given = asked.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    for (name, value) in set.into_iter().chain(given) {
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|e| wrong(e.into()))?;
        let value = HeaderValue::from_bytes(value.as_bytes()).map_err(|e| wrong(e.into()))?;
        headers.insert(name, value);
    }
    if length > 0 {
        headers.insert("content-type", HeaderValue::from_static("application/json"));
        headers.insert("content-length", HeaderValue::from(length));
    }
    Ok(request)
}
