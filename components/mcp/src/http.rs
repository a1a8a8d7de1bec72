//! `POST /mcp`: one JSON-RPC message in, one answer out; and the metadata of the resource.

use crate::access::{METADATA, check_origin, metadata, unauthenticated};
use crate::methods::{ABOUT, answer};
use holdfast_core::access::Caller;
use holdfast_core::{Error, Result};
use holdfast_formats::mcp::{Fault, Message, Revision};
use holdfast_kit::{Answer, Call};

/// Serves one request.
pub async fn route(call: &Call) -> Result<Answer> {
    check_origin(call)?;
    let segments = call.segments();
    let of_metadata = matches!(segments.strip_prefix(&METADATA), Some([] | ["mcp"]));
    match (call.method.as_str(), segments.as_slice()) {
        ("POST", ["mcp"]) => post(call).await,
        ("GET", _) if of_metadata => Ok(metadata(call)),
        (_, ["mcp"]) => Err(call.no_route(&["POST"])),
        _ if of_metadata => Err(call.no_route(&["GET"])),
        _ => Err(call.no_route(&[])),
    }
}

async fn post(call: &Call) -> Result<Answer> {
    let told = match call.identified().await {
        Ok(caller) => told(call, &caller).await,
        Err(error) => Err(error),
    };
    told.or_else(|error| match error.status() {
        401 => Ok(unauthenticated(call, &error)),
        _ => Err(error),
    })
}

async fn told(call: &Call, caller: &Caller) -> Result<Answer> {
    let bytes = call.body(call.state.settings.limits.batch_bytes).await?;
    let message = match Message::read(&bytes) {
        Ok(message) => message,
        Err((fault, id)) => return Ok(refused(&fault, &id, Revision::Handshake)),
    };
    let id = message.id.as_deref().unwrap_or("null");
    let revision = match Revision::of(&message, &|name| call.header(name)) {
        Ok(revision) => revision,
        Err((fault, revision)) => return Ok(refused(&fault, id, revision)),
    };
    if message.id.is_none() {
        // Nothing is kept between requests that a notification could be about.
        return Ok(Answer::raw(202, ""));
    }
    let outcome = answer(call, caller, &message, revision).await?;
    let answer = match outcome.reply {
        Ok(reply) => Answer::raw(200, reply.json(id, revision, ABOUT)),
        Err(fault) => refused(&fault, id, revision),
    };
    Ok(match outcome.after {
        Some(after) => answer.with("holdfast-after", after),
        None => answer,
    })
}

fn refused(fault: &Fault, id: &str, revision: Revision) -> Answer {
    Answer::raw(fault.status(revision), fault.json(id))
}

/// The problem of an error, as text.
pub fn problem_text(call: &Call, error: &Error) -> String {
    serde_json::Value::Object(error.problem(&call.request_id)).to_string()
}
