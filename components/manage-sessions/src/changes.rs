//! What came to a user, by arrival: a mirror that follows it misses nothing.

use holdfast_core::access::Permission;
use holdfast_core::clock::rfc3339;
use holdfast_core::token::Frontier;
use holdfast_core::{Result, Scope};
use holdfast_formats::rest;
use holdfast_kit::index::{self, Change, Reading};
use holdfast_kit::read::{MAX_PAGE, PAGE, noun, reading, stored};
use holdfast_kit::{Answer, Call, State};
use serde_json::{Map, Value, json};

/// When a follower who was told everything should ask again, in seconds: about when others' writes are found.
const AGAIN: u32 = 2;

/// A page of the feed.
pub struct Page {
    /// Records in the order in which their objects were named.
    pub items: Vec<Change>,
    /// Continues the feed.
    pub next_cursor: String,
    /// There are more now.
    pub more: bool,
    /// What the answer saw.
    pub frontier: Frontier,
}

/// What came since the cursor's page, from the beginning when none.
///
/// # Errors
/// `invalid_cursor`; what a read may meet.
pub async fn page(
    state: &State,
    scope: &Scope,
    cursor: Option<&str>,
    limit: u32,
    reading: Reading,
) -> Result<Page> {
    let signer = state.signer(scope);
    let place = cursor.map(|cursor| signer.read_place("changes", cursor)).transpose()?;
    let found = index::changes(scope.into(), place, limit, reading).await?;
    let (next_cursor, more) = (signer.place("changes", &found.place), found.more);
    Ok(Page { items: found.items, next_cursor, more, frontier: found.frontier.into() })
}

/// `GET /v1/users/:user/changes`.
pub async fn route(call: &Call, user: &str) -> Result<Answer> {
    call.query.only(&["user_id", "cursor", "limit", "consistency"])?;
    let caller = call.caller(Permission::Read).await?;
    let scope = call.scope(&caller, Some(user))?;
    let limit = call.query.number("limit", PAGE, MAX_PAGE)?;
    let reading = reading(call.query.get("consistency"), call.after(&scope)?)?;
    let page = page(call.state, &scope, call.query.get("cursor"), limit, reading).await?;
    let items: Vec<String> = page.items.iter().map(shown).collect::<Result<_>>()?;
    let (data, next, more) = (items.join(","), page.next_cursor, page.more);
    let again = if more { 0 } else { AGAIN };
    let body = format!(
        "{{\"data\":[{data}],\"next_cursor\":\"{next}\",\"has_more\":{more},\"poll_after_seconds\":{again}}}"
    );
    Ok(Answer::raw(200, body).seen(call.state, &scope, &page.frontier))
}

fn shown(change: &Change) -> Result<String> {
    let mut shown = Map::new();
    let mut put = |name: &str, value: Value| shown.insert(name.to_owned(), value);
    put("kind", json!(change.kind));
    if let Some(session) = &change.session {
        put("session_id", json!(session));
    }
    match change.of.as_deref() {
        Some("messages") => put("until", json!(change.id)),
        _ if change.id.is_empty() => None,
        _ => put("id", json!(change.id)),
    };
    put("order", json!(change.order));
    put("arrived", json!(rfc3339(change.arrived)));
    if let Some(of) = &change.of {
        put("of", json!(of));
    }
    if change.hidden {
        put("deleted", json!(true));
    }
    if let Some(digest) = &change.digest {
        put("digest", json!(digest));
    }
    let mut text = Value::Object(shown).to_string();
    if let Some(message) = &change.message {
        add(&mut text, "message", &rest::message_json(&stored(message, &noun(message)?)?));
    }
    if let Some(fields) = &change.fields {
        add(&mut text, "fields", &fields_json(fields));
    }
    Ok(text)
}

/// Adds a member whose JSON text is there already to an object's text.
fn add(object: &mut String, name: &str, json: &str) {
    object.pop();
    object.push_str(&format!(",\"{name}\":{json}}}"));
}

/// A session's fields at rest hold the caller's metadata as text: here it is JSON as it came.
fn fields_json(fields: &str) -> String {
    let Ok(Value::Object(mut fields)) = serde_json::from_str(fields) else {
        return "{}".to_owned();
    };
    let metadata = fields.remove("metadata");
    let mut text = Value::Object(fields).to_string();
    if let Some(metadata) = metadata.as_ref().and_then(Value::as_str) {
        let first = text == "{}";
        text.pop();
        let comma = if first { "" } else { "," };
        text.push_str(&format!("{comma}\"metadata\":{metadata}}}"));
    }
    text
}
