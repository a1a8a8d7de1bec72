//! What contexts, preferences and relationships share: put under a key, shown with an etag, listed, deleted.

use holdfast_core::access::Permission;
use holdfast_core::clock::rfc3339;
use holdfast_core::thing::{Source, ThingBody, ThingKind};
use holdfast_core::token::Frontier;
use holdfast_core::{Error, Hlc, Order, Result, Scope, SessionId};
use holdfast_formats::Body;
use holdfast_kit::index::{Reading, Thing, Version};
use holdfast_kit::read::{as_of, latest, reading};
use holdfast_kit::things::{find, matches, missing, remove};
use holdfast_kit::write::{Author, Forgetting, NewThing, known, record_things};
use holdfast_kit::{Answer, Call, State};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

/// Kind, session and id of a thing.
pub type Name<'a> = (ThingKind, Option<&'a SessionId>, &'a str);

/// What a thing holds as it was put, JSON texts as strings.
pub fn held(thing: &Thing) -> Value {
    serde_json::from_str(&thing.last.body).unwrap_or_default()
}

/// A member that holds JSON text.
pub fn json_of<'a>(held: &'a Value, name: &str) -> &'a str {
    held.get(name).and_then(Value::as_str).unwrap_or("null")
}

/// When a thing began to be and was last changed, as members of its JSON.
pub fn times(thing: &Thing) -> String {
    let at = |hlc: u64| rfc3339(Hlc(hlc).milliseconds());
    format!("\"created_at\":\"{}\",\"updated_at\":\"{}\"", at(thing.created_at), at(thing.last.at))
}

/// What a read of the query's words must include.
pub fn how(call: &Call, scope: &Scope) -> Result<Reading> {
    let reading = reading(call.query.get("consistency"), call.after(scope)?)?;
    as_of(reading, call.query.get("as_of"))
}

/// Puts a thing in the place of what is there. Says what stands now, whether it is new, and what the writer has seen.
///
/// # Errors
/// `precondition_failed` when `if_match` is not the etag of what is there.
pub async fn put(
    state: &State,
    scope: &Scope,
    (kind, session, id): Name<'_>,
    (thing, sources): (&Value, Vec<Source>),
    if_match: Option<&str>,
    author: Author,
) -> Result<(Thing, bool, Frontier)> {
    let before = find(scope, (kind, session, id), latest(&author.after)).await?.item;
    match &before {
        Some(before) => matches(if_match, before)?,
        None if if_match.is_some() => return Err(missing(kind, id)),
        None => {}
    }
    let body = ThingBody::new(thing, sources)?;
    let text = body.text.to_string();
    let new = NewThing { kind, session: session.cloned(), id: id.to_owned(), body };
    let known = known(scope, session.map_or("", SessionId::as_str), Vec::new()).await;
    let by = author.by.key.clone();
    let written = record_things(state, scope, author, &known, &[new]).await?;
    let order = written.orders.first().ok_or_else(|| Error::internal("nothing was written"))?;
    let thing = made((kind, session, id), &by, *order, text, before.as_ref());
    Ok((thing, before.is_none(), written.frontier))
}

/// A thing as it stands once this text is written in the place of what was there.
pub fn made(
    (kind, session, id): Name<'_>,
    by: &str,
    order: Order,
    text: String,
    before: Option<&Thing>,
) -> Thing {
    let last = Version {
        order: order.to_string(),
        at: order.hlc.0,
        by: by.to_owned(),
        trusted: false,
        body: text,
        sources: "[]".to_owned(),
    };
    let created_at = before.map_or(order.hlc.0, |before| before.created_at);
    let (kind, session) = (kind.name().to_owned(), session.map(SessionId::to_string));
    let (id, sources) = (id.to_owned(), "[]".to_owned());
    Thing { kind, session, id, created_at, last, sources }
}

/// The answer that shows a thing.
pub fn shown(
    call: &Call,
    scope: &Scope,
    status: u16,
    json: String,
    seen: (&Thing, &Frontier),
) -> Answer {
    let etag = format!("\"{}\"", seen.0.last.order);
    Answer::raw(status, json).with("etag", etag).seen(call.state, scope, seen.1)
}

/// One thing, or `not_found`.
pub async fn get(call: &Call, scope: &Scope, name: Name<'_>) -> Result<(Thing, Frontier)> {
    let found = find(scope, name, how(call, scope)?).await?;
    let item = found.item.ok_or_else(|| missing(name.0, name.2))?;
    Ok((item, found.frontier.into()))
}

/// Deletes a thing over HTTP.
pub async fn delete(call: &Call, scope: &Scope, name: Name<'_>, author: Author) -> Result<Answer> {
    let if_match = call.header("if-match")?;
    let forgetting = Forgetting { name, physical: call.physical()? };
    let frontier = remove(call.state, scope, forgetting, if_match.as_deref(), author).await?;
    Ok(Answer::nothing().seen(call.state, scope, &frontier))
}

/// Who deletes, and whose.
pub async fn deleting(call: &Call, user: Option<&str>) -> Result<(Scope, Author)> {
    call.query.only(&["user_id", "mode"])?;
    let caller = call.caller(Permission::Delete).await?;
    let scope = call.scope(&caller, user)?;
    let author = call.author(&caller, &scope)?;
    Ok((scope, author))
}

/// Whose data is read.
pub async fn reads(call: &Call, user: Option<&str>, more: &[&str]) -> Result<Scope> {
    call.query.only(&[&["user_id", "consistency", "as_of"], more].concat())?;
    let caller = call.caller(Permission::Read).await?;
    call.scope(&caller, user)
}

/// The JSON text of the member `value`, which must be there.
pub fn value(body: &mut Body<'_>, most: usize) -> String {
    let text = body.raw("value").unwrap_or_default().to_owned();
    if text.is_empty() {
        body.refuse("value", "value is missing: any JSON but null");
    }
    if text.len() > most {
        body.refuse("value", format!("value has more than {most} bytes"));
    }
    text
}

/// JSON of the caller's that a typed door was given, as it came.
///
/// # Errors
/// `unprocessable` when it is none, or null, or has more than `most` bytes.
pub fn json_given(name: &str, text: String, most: usize) -> Result<String> {
    let json = serde_json::from_str::<Box<RawValue>>(&text).is_ok_and(|json| json.get() != "null");
    if !json || text.len() > most {
        let detail = format!("{name} must be JSON, but null, of at most {most} bytes");
        return Err(Error::unprocessable(name, detail));
    }
    Ok(text)
}

/// A JSON object that a typed door was given, as it came; an empty one when none.
///
/// # Errors
/// As [`json_given`].
pub fn object_given(name: &str, text: Option<String>, most: usize) -> Result<String> {
    let Some(text) = text else { return Ok("{}".to_owned()) };
    if serde_json::from_str::<Map<String, Value>>(&text).is_err() {
        return Err(Error::unprocessable(name, format!("{name} must be a JSON object")));
    }
    json_given(name, text, most)
}

/// A number from 0 to 1 that a typed door was given; 0 when none.
///
/// # Errors
/// `unprocessable` when it is another.
pub fn share_given(name: &str, number: Option<f64>) -> Result<String> {
    let number = number.unwrap_or_default();
    if !(0.0..=1.0).contains(&number) {
        return Err(Error::unprocessable(name, format!("{name} must be a number from 0 to 1")));
    }
    Ok(format!("{number:?}"))
}

/// A number from 0 to 1, as it came.
pub fn share(body: &mut Body<'_>, name: &str) -> Option<String> {
    let text = body.raw(name)?.to_owned();
    let number: Option<f64> = serde_json::from_str(&text).ok();
    if !number.is_some_and(|number| (0.0..=1.0).contains(&number)) {
        body.refuse(name, format!("{name} must be a number from 0 to 1"));
    }
    Some(text)
}

/// An RFC 3339 time, as it came.
pub fn time(body: &mut Body<'_>, name: &str) -> Option<String> {
    let time = body.string(name)?;
    if let Err(error) = holdfast_core::clock::parse_rfc3339(&time) {
        body.refuse(name, error.detail);
    }
    Some(time)
}
