//! Having the API write a summary: one request, and nothing taken on trust.

use crate::bindings::exports::holdfast::models::generator::Utterance;
use futures::future::{Either, select};
use holdfast_core::Result;
use holdfast_core::clock::rfc3339;
use holdfast_core::ports::Clock;
use holdfast_formats::generate::{MOST, Written, answer, failed, refused, request};
use holdfast_kit::{Generating, GuestClock, Reach, WasiTransport};
use std::pin::pin;

/// The conversation in short.
///
/// # Errors
/// `model_refused` when the API was not reached, or refuses; `model_unavailable` when it does not answer in time, or what is no
/// summary.
pub async fn summary(
    generating: &Generating,
    said: &[Utterance],
    max_tokens: u32,
) -> Result<Written> {
    let lines = said.iter().map(|one| (&*one.speaker, one.at.map(rfc3339), &*one.text));
    let body = request(&generating.model, lines, max_tokens);
    let url = format!("{}{}", generating.endpoint, generating.path);
    let mut builder = http::Request::post(url)
        .header("content-type", "application/json")
        .header("content-length", body.len());
    if !generating.key.is_empty() {
        builder = builder.header("authorization", format!("Bearer {}", generating.key));
    }
    let request = builder.body(body.into()).map_err(|e| {
        refused("cannot be asked: check generate_path and generate_key").caused_by(e)
    })?;
    // Not asked a second time: what it cost, it has cost.
    let asked = WasiTransport.send_within(request, MOST);
    match select(pin!(asked), pin!(GuestClock.sleep(generating.deadline))).await {
        Either::Left((Ok(given), _)) => answer(given.status().as_u16(), given.body(), max_tokens),
        Either::Left((Err(error), _)) if error.reach == Reach::NotSent => {
            Err(refused("cannot be reached").caused_by(error))
        }
        Either::Left((Err(error), _)) => Err(failed("cannot be reached").caused_by(error)),
        Either::Right(_) => Err(failed("did not answer in time")),
    }
}
