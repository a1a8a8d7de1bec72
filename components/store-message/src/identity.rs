//! Ids of messages: the caller's, or one derived from the Idempotency-Key, or a fresh UUIDv7.

use holdfast_core::{Scope, SessionId};
use holdfast_formats::NewMessage;
use holdfast_kit::State;
use holdfast_kit::write::{derived_id, fresh_id};

/// The id of each message, in their order.
pub fn identify(
    state: &State,
    scope: &Scope,
    session: &SessionId,
    messages: &[NewMessage],
    idempotency_key: Option<&str>,
) -> Vec<String> {
    let id = |(position, message): (usize, &NewMessage)| match (&message.id, idempotency_key) {
        (Some(id), _) => id.as_str().to_owned(),
        (None, Some(key)) => derived(scope, session, key, position),
        (None, None) => fresh_id(state),
    };
    messages.iter().enumerate().map(id).collect()
}

/// The id of the message at `position` of the request that has this Idempotency-Key.
pub fn derived(scope: &Scope, session: &SessionId, key: &str, position: usize) -> String {
    derived_id(scope, &[session.as_str(), key, &position.to_string()])
}
