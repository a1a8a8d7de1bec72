//! Ids of messages: the caller's, or one derived from the Idempotency-Key, or a fresh UUIDv7.

use holdfast_core::ports::Ids;
use holdfast_core::{Scope, SessionId};
use holdfast_formats::NewMessage;
use holdfast_kit::{GuestIds, State};
use uuid::{Builder, Uuid};

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
        (None, None) => {
            let now = state.bucket.now();
            Builder::from_unix_timestamp_millis(now, &GuestIds.random()).into_uuid().to_string()
        }
    };
    messages.iter().enumerate().map(id).collect()
}

/// UUIDv5 over tenant, user, session, key and position, each after its length so that no two can be mistaken.
pub fn derived(scope: &Scope, session: &SessionId, key: &str, position: usize) -> String {
    let position = position.to_string();
    let parts = [scope.tenant.as_str(), scope.user.as_str(), session.as_str(), key, &position];
    let name: String = parts.iter().map(|part| format!("{}:{part}/", part.len())).collect();
    Uuid::new_v5(&Uuid::NAMESPACE_URL, name.as_bytes()).to_string()
}
