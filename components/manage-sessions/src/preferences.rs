//! Preferences of a user: `/v1/users/:user/preferences[/:key]`. What is sensitive is sealed with the tenant's key.

use crate::things::{self, held, json_of, shown, times, value};
use holdfast_core::access::Permission;
use holdfast_core::seal::Sealed;
use holdfast_core::thing::ThingKind;
use holdfast_core::token::Frontier;
use holdfast_core::{Error, Result, Scope, SessionId};
use holdfast_formats::Body;
use holdfast_kit::index::Thing;
use holdfast_kit::write::Author;
use holdfast_kit::{Answer, Call, State, random};
use serde_json::{Value, json};

const KIND: ThingKind = ThingKind::Preference;
const FIELDS: &[&str] = &["user_id", "value", "sensitive", "metadata"];

/// The key, where it keeps the rules of ids.
pub fn checked(key: &str) -> Result<&str> {
    SessionId::parse(key).map_err(|error| Error::unprocessable("key", error.detail))?;
    Ok(key)
}

/// Puts a preference: the same key again takes its place.
pub async fn put(call: &Call, user: &str, key: &str) -> Result<Answer> {
    call.query.only(&["user_id"])?;
    let caller = call.caller(Permission::Write).await?;
    let limits = &call.state.settings.limits;
    let bytes = call.body(limits.batch_bytes).await?;
    let mut body = Body::open(&bytes, limits, "a preference", FIELDS)?;
    let (_, sensitive) = (body.string("user_id"), body.flag("sensitive", false));
    let value = value(&mut body, limits.message_bytes);
    let metadata = body.object("metadata", limits.metadata_bytes);
    body.close()?;
    let scope = call.scope(&caller, Some(user))?;
    let (author, if_match) = (call.author(&caller, &scope)?, call.header("if-match")?);
    let metadata = metadata.unwrap_or_else(|| "{}".to_owned());
    let given = Given { value: value.clone(), sensitive, metadata };
    let kept = keep(call.state, &scope, key, given, if_match.as_deref(), author);
    let (thing, new, frontier) = kept.await?;
    let status = if new { 201 } else { 200 };
    let json = preference_json(&thing, &value);
    Ok(shown(call, &scope, status, json, (&thing, &frontier)))
}

/// What is to be kept: JSON as text.
pub struct Given {
    /// The value.
    pub value: String,
    /// It is sealed.
    pub sensitive: bool,
    /// An object.
    pub metadata: String,
}

/// Puts a preference.
pub async fn keep(
    state: &State,
    scope: &Scope,
    key: &str,
    Given { value, sensitive, metadata }: Given,
    if_match: Option<&str>,
    author: Author,
) -> Result<(Thing, bool, Frontier)> {
    let key = checked(key)?;
    let thing = match sensitive {
        false => json!({"value": value, "metadata": metadata}),
        true => {
            let sealed = seal(state, scope, key, &value)?;
            json!({"sensitive": true, "sealed": sealed, "metadata": metadata})
        }
    };
    things::put(state, scope, (KIND, None, key), (&thing, Vec::new()), if_match, author).await
}

fn seal(state: &State, scope: &Scope, key: &str, value: &str) -> Result<Sealed> {
    let tenant_key = state.settings.tenant_key.as_ref().ok_or_else(|| {
        let detail = "sensitive preferences need the setting tenant_key, which is not set: tell the operator";
        Error::unprocessable("sensitive", detail)
    })?;
    tenant_key.seal(scope, key, random(), value)
}

/// The JSON text of a preference's value.
pub fn opened(state: &State, scope: &Scope, thing: &Thing) -> Result<String> {
    let held = held(thing);
    let Some(sealed) = held.get("sealed") else { return Ok(json_of(&held, "value").to_owned()) };
    let sealed: Sealed = serde_json::from_value(sealed.clone())
        .map_err(|e| Error::corrupt("a sealed preference cannot be read").caused_by(e))?;
    let tenant_key = state.settings.tenant_key.as_ref().ok_or_else(|| {
        Error::unavailable(
            "the setting tenant_key is not set, and this is sealed: tell the operator",
        )
    })?;
    tenant_key.open(scope, &thing.id, &sealed)
}

/// One preference, opened when it is sealed.
pub async fn get(call: &Call, user: &str, key: &str) -> Result<Answer> {
    let scope = things::reads(call, Some(user), &[]).await?;
    let (thing, frontier) = things::get(call, &scope, (KIND, None, checked(key)?)).await?;
    let json = preference_json(&thing, &opened(call.state, &scope, &thing)?);
    Ok(shown(call, &scope, 200, json, (&thing, &frontier)))
}

/// All preferences; of the sensitive ones no value.
pub async fn list(call: &Call, user: &str) -> Result<Answer> {
    let scope = things::reads(call, Some(user), &[]).await?;
    let how = things::how(call, &scope)?;
    let (found, frontier) = holdfast_kit::things::all(&scope, (KIND, None, None), how).await?;
    let json = |thing: &Thing| preference_json(thing, json_of(&held(thing), "value"));
    let items: Vec<String> = found.iter().map(json).collect();
    Ok(Answer::list(&items, None).seen(call.state, &scope, &frontier))
}

/// Deletes a preference.
pub async fn delete(call: &Call, user: &str, key: &str) -> Result<Answer> {
    let (scope, author) = things::deleting(call, Some(user)).await?;
    things::delete(call, &scope, (KIND, None, checked(key)?), author).await
}

fn preference_json(thing: &Thing, value: &str) -> String {
    let held = held(thing);
    let sensitive = held.get("sensitive") == Some(&Value::Bool(true));
    format!(
        "{{\"key\":{},\"value\":{value},\"sensitive\":{sensitive},\"metadata\":{},{}}}",
        Value::from(thing.id.as_str()),
        json_of(&held, "metadata"),
        times(thing),
    )
}
