//! Who asks: the key of a request.

use crate::state::State;
use holdfast_core::Result;
use holdfast_core::access::Caller;
use holdfast_core::ports::Clock;
use holdfast_journal::key_text;
use http::HeaderMap;

/// The caller behind the request's headers.
///
/// # Errors
/// `unauthenticated` without a valid key; `unavailable` when that cannot be found out now.
pub async fn caller(state: &State, headers: &HeaderMap) -> Result<Caller> {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let text = key_text(header("authorization"), header("x-api-key"))?;
    state.authority.caller(&state.bucket, crate::GuestClock.now(), &text).await
}
