//! Context entries of a session: `/v1/sessions/:session/contexts[/:type[/:key]]`.

use crate::things::{self, held, json_of, share, shown, time, times, value};
use crate::verbs;
use holdfast_core::access::Permission;
use holdfast_core::thing::ThingKind;
use holdfast_core::token::Frontier;
use holdfast_core::{Error, Result, Scope, SessionId};
use holdfast_formats::Body;
use holdfast_kit::index::Thing;
use holdfast_kit::read::latest;
use holdfast_kit::write::Author;
use holdfast_kit::{Answer, Call, State};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

const KIND: ThingKind = ThingKind::Context;
const FIELDS: &[&str] = &["user_id", "value", "relevance_score", "metadata", "expires_at"];
/// Types of context entries.
pub const TYPES: &[&str] = &["conversation", "preference", "project", "user_info"];

/// The id of an entry.
///
/// # Errors
/// `unprocessable` for a type that is none, or a key that breaks the rules of ids.
pub fn name(kind: &str, key: &str) -> Result<String> {
    if !TYPES.contains(&kind) {
        let detail = format!("a context entry is one of {}", TYPES.join(", "));
        return Err(Error::unprocessable("type", detail));
    }
    SessionId::parse(key).map_err(|error| Error::unprocessable("key", error.detail))?;
    Ok(format!("{kind}/{key}"))
}

/// Puts an entry: the same type and key again takes its place.
pub async fn put(call: &Call, session: &str, (kind, key): (&str, &str)) -> Result<Answer> {
    call.query.only(&["user_id"])?;
    let caller = call.caller(Permission::Write).await?;
    let limits = &call.state.settings.limits;
    let bytes = call.body(limits.batch_bytes).await?;
    let mut body = Body::open(&bytes, limits, "a context entry", FIELDS)?;
    let user_id = body.string("user_id");
    let thing = json!({
        "value": value(&mut body, limits.message_bytes),
        "relevance_score": share(&mut body, "relevance_score").unwrap_or_else(|| "0.0".to_owned()),
        "metadata": body.object("metadata", limits.metadata_bytes).unwrap_or_else(|| "{}".to_owned()),
        "expires_at": time(&mut body, "expires_at"),
    });
    body.close()?;
    let scope = call.scope(&caller, user_id.as_deref())?;
    let place = (&SessionId::parse(session)?, kind, key);
    let (author, if_match) = (call.author(&caller, &scope)?, call.header("if-match")?);
    let kept = keep(call.state, &scope, place, &thing, if_match.as_deref(), author);
    let (thing, new, frontier) = kept.await?;
    let status = if new { 201 } else { 200 };
    Ok(shown(call, &scope, status, entry_json(&thing), (&thing, &frontier)))
}

/// Puts what `thing` says under a type and a key of a session that is there.
pub async fn keep(
    state: &State,
    scope: &Scope,
    (session, kind, key): (&SessionId, &str, &str),
    thing: &Value,
    if_match: Option<&str>,
    author: Author,
) -> Result<(Thing, bool, Frontier)> {
    let id = name(kind, key)?;
    verbs::get(scope, session, latest(&author.after)).await?;
    let name = (KIND, Some(session), id.as_str());
    things::put(state, scope, name, (thing, Vec::new()), if_match, author).await
}

/// One entry.
pub async fn get(call: &Call, session: &str, (kind, key): (&str, &str)) -> Result<Answer> {
    let scope = things::reads(call, None, &[]).await?;
    let (id, session) = (name(kind, key)?, SessionId::parse(session)?);
    let (thing, frontier) = things::get(call, &scope, (KIND, Some(&session), &id)).await?;
    Ok(shown(call, &scope, 200, entry_json(&thing), (&thing, &frontier)))
}

/// All entries of a session, or those of a type.
pub async fn list(call: &Call, session: &str, kind: Option<&str>) -> Result<Answer> {
    let scope = things::reads(call, None, &["type"]).await?;
    let session = SessionId::parse(session)?;
    let kind = kind.or(call.query.get("type"));
    if let Some(kind) = kind {
        name(kind, "any")?;
    }
    let filter = kind.map(|kind| json!({"type": {"eq": kind}}).to_string());
    let how = things::how(call, &scope)?;
    verbs::get(&scope, &session, how.clone()).await?;
    let wanted = (KIND, Some(&session), filter);
    let (found, frontier) = holdfast_kit::things::all(&scope, wanted, how).await?;
    let items: Vec<String> = found.iter().map(entry_json).collect();
    Ok(Answer::list(&items, None).seen(call.state, &scope, &frontier))
}

/// Deletes an entry.
pub async fn delete(call: &Call, session: &str, (kind, key): (&str, &str)) -> Result<Answer> {
    let (scope, author) = things::deleting(call, None).await?;
    let (id, session) = (name(kind, key)?, SessionId::parse(session)?);
    things::delete(call, &scope, (KIND, Some(&session), &id), author).await
}

/// F3's attributes of a context entry, and when it was put.
fn entry_json(thing: &Thing) -> String {
    let held = held(thing);
    let (kind, key) = thing.id.split_once('/').unwrap_or_default();
    let session = thing.session.as_deref().unwrap_or_default();
    let value = json_of(&held, "value");
    let plain = serde_json::from_str::<String>(value).unwrap_or_else(|_| value.to_owned());
    let hash = Sha256::digest(format!("{session}:{kind}:{key}:{plain}"));
    let hash: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    format!(
        "{{\"session_id\":{},\"type\":{},\"key\":{},\"value\":{value},\"relevance_score\":{},\
         \"context_hash\":\"{hash}\",\"metadata\":{},\"expires_at\":{},{}}}",
        Value::from(session),
        Value::from(kind),
        Value::from(key),
        json_of(&held, "relevance_score"),
        json_of(&held, "metadata"),
        held.get("expires_at").unwrap_or(&Value::Null),
        times(thing),
    )
}
