//! What came to a user, by arrival: a mirror that follows it misses nothing.

use holdfast_core::access::Permission;
use holdfast_core::clock::rfc3339;
use holdfast_core::thing::{Source, ThingBody, ThingKind};
use holdfast_core::token::Frontier;
use holdfast_core::{Error, Result, Scope};
use holdfast_formats::rest;
use holdfast_kit::index::{self, Change, Reading};
use holdfast_kit::read::{MAX_PAGE, PAGE, noun, reading, stored};
use holdfast_kit::{Answer, Call, State};
use serde_json::value::RawValue;
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
        let said = said(&change.kind, fields)?;
        add(&mut text, "fields", &expanded(said.fields));
        if !said.sources.is_empty() {
            let sources: Vec<Value> = said.sources.iter().map(source_json).collect();
            add(&mut text, "sources", &Value::from(sources).to_string());
        }
    }
    Ok(text)
}

/// What a change says, and of what a thing was made.
pub struct Said {
    /// Its members, JSON of the caller's as text.
    pub fields: Map<String, Value>,
    /// What a thing was made of.
    pub sources: Vec<Source>,
}

/// Reads the fields of a change; of a thing without what is sealed, and without where its bytes lie.
///
/// # Errors
/// `corrupt` when they cannot be read.
pub fn said(kind: &str, fields: &str) -> Result<Said> {
    let broken = |e| Error::corrupt("a change cannot be read").caused_by(e);
    if ThingKind::parse(kind).is_err() {
        let fields = serde_json::from_str(fields).map_err(broken)?;
        return Ok(Said { fields, sources: Vec::new() });
    }
    let body = RawValue::from_string(fields.to_owned()).map_err(broken)?;
    let ThingBody { text, sources, .. } = ThingBody::decode(&body)?;
    let mut fields: Map<String, Value> = serde_json::from_str(&text).map_err(broken)?;
    for own in ["sealed", "parts"] {
        fields.remove(own);
    }
    Ok(Said { fields, sources })
}

fn source_json(source: &Source) -> Value {
    json!({
        "session_id": source.session,
        "message_id": source.message,
        "order": source.order.to_string(),
        "start": source.start,
        "end": source.end,
    })
}

/// Adds a member whose JSON text is there already to an object's text.
fn add(object: &mut String, name: &str, json: &str) {
    object.pop();
    object.push_str(&format!(",\"{name}\":{json}}}"));
}

/// Members that hold JSON of the caller's as text, so that it comes back as it came.
const JSON: &[&str] = &["metadata", "value", "relevance_score", "score", "importance"];

/// JSON of the caller's stands in it as it came.
fn expanded(mut fields: Map<String, Value>) -> String {
    let texts: Vec<(&str, Value)> =
        JSON.iter().filter_map(|name| Some((*name, fields.remove(*name)?))).collect();
    let mut object = Value::Object(fields).to_string();
    for (name, value) in texts {
        let json = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let comma = if object == "{}" { "" } else { "," };
        object.pop();
        object.push_str(&format!("{comma}\"{name}\":{json}}}"));
    }
    object
}
