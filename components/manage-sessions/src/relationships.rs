//! Relationships of a session to others: `/v1/sessions/:session/relationships[/:type/:target]`.

use crate::things::{self, held, json_of, share, shown, times};
use crate::verbs;
use holdfast_core::access::Permission;
use holdfast_core::thing::{Source, ThingKind};
use holdfast_core::token::Frontier;
use holdfast_core::{Case, Error, Hlc, Order, Result, Scope, SessionId};
use holdfast_formats::Body;
use holdfast_kit::index::{self, Thing};
use holdfast_kit::read::latest;
use holdfast_kit::write::Author;
use holdfast_kit::{Answer, Call, State};
use serde_json::{Value, json};

const KIND: ThingKind = ThingKind::Relationship;
const FIELDS: &[&str] = &["user_id", "target_session_id", "type", "score", "metadata"];
/// Types of relationships.
const TYPES: &[&str] = &["continuation", "reference", "similar"];

/// Relates a session to another of the same user: the same type and target again takes its place. It is gone with either.
pub async fn post(call: &Call, session: &str) -> Result<Answer> {
    call.query.only(&["user_id"])?;
    let caller = call.caller(Permission::Write).await?;
    let limits = &call.state.settings.limits;
    let bytes = call.body(limits.batch_bytes).await?;
    let mut body = Body::open(&bytes, limits, "a relationship", FIELDS)?;
    let (user_id, target) = (body.string("user_id"), body.string("target_session_id"));
    let kind = body.choice("type", TYPES);
    for (name, there) in [("type", kind.is_some()), ("target_session_id", target.is_some())] {
        if !there {
            body.refuse(name, format!("{name} is missing"));
        }
    }
    let thing = json!({
        "score": share(&mut body, "score").unwrap_or_else(|| "0.0".to_owned()),
        "metadata": body.object("metadata", limits.metadata_bytes).unwrap_or_else(|| "{}".to_owned()),
    });
    body.close()?;
    let scope = call.scope(&caller, user_id.as_deref())?;
    let (author, if_match) = (call.author(&caller, &scope)?, call.header("if-match")?);
    let place = (session, kind.unwrap_or_default(), target.unwrap_or_default());
    let related = relate(call.state, &scope, place, &thing, if_match.as_deref(), author);
    let (thing, new, frontier) = related.await?;
    let status = if new { 201 } else { 200 };
    Ok(shown(call, &scope, status, relationship_json(&thing), (&thing, &frontier)))
}

/// Relates a session to another that is there.
pub async fn relate(
    state: &State,
    scope: &Scope,
    (session, kind, target): (&str, &str, String),
    thing: &Value,
    if_match: Option<&str>,
    author: Author,
) -> Result<(Thing, bool, Frontier)> {
    let session = SessionId::parse(session)?;
    let target = SessionId::parse(&target).map_err(|error| error.at("target_session_id"))?;
    if !TYPES.contains(&kind) {
        let detail = format!("type must be one of {}", TYPES.join(", "));
        return Err(Error::unprocessable("type", detail));
    }
    if target == session {
        let detail = "a session is not related to itself: name another";
        return Err(Error::unprocessable("target_session_id", detail));
    }
    verbs::get(scope, &session, latest(&author.after)).await?;
    let found = index::find_session(scope.into(), target.to_string(), latest(&author.after));
    let item = found.await?.item.ok_or_else(|| {
        let detail = format!("there is no session {target}");
        Error::because(Case::Invalid, "unprocessable", detail).at("target_session_id")
    })?;
    let source = Source {
        session: target.clone(),
        message: None,
        order: as_of_now(&item)?,
        start: None,
        end: None,
    };
    let id = format!("{kind}/{target}");
    let name = (KIND, Some(&session), id.as_str());
    things::put(state, scope, name, (thing, vec![source]), if_match, author).await
}

/// An order at the hybrid time of the session's last record: a later delete of the session lies above it.
fn as_of_now(session: &index::Session) -> Result<Order> {
    Order::parse(&format!("{}-{}-000000", Hlc(session.last_activity), "0".repeat(26)))
}

/// All relationships of a session.
pub async fn list(call: &Call, session: &str) -> Result<Answer> {
    let scope = things::reads(call, None, &[]).await?;
    let (session, how) = (SessionId::parse(session)?, things::how(call, &scope)?);
    verbs::get(&scope, &session, how.clone()).await?;
    let wanted = (KIND, Some(&session), None);
    let (found, frontier) = holdfast_kit::things::all(&scope, wanted, how).await?;
    let items: Vec<String> = found.iter().map(relationship_json).collect();
    Ok(Answer::list(&items, None).seen(call.state, &scope, &frontier))
}

/// Deletes a relationship.
pub async fn delete(call: &Call, session: &str, (kind, target): (&str, &str)) -> Result<Answer> {
    let (scope, author) = things::deleting(call, None).await?;
    let (id, session) = (format!("{kind}/{target}"), SessionId::parse(session)?);
    things::delete(call, &scope, (KIND, Some(&session), &id), author).await
}

fn relationship_json(thing: &Thing) -> String {
    let held = held(thing);
    let (kind, target) = thing.id.split_once('/').unwrap_or_default();
    format!(
        "{{\"source_session_id\":{},\"target_session_id\":{},\"type\":\"{kind}\",\"score\":{},\"metadata\":{},{}}}",
        Value::from(thing.session.as_deref()),
        Value::from(target),
        json_of(&held, "score"),
        json_of(&held, "metadata"),
        times(thing),
    )
}
