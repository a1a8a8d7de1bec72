//! What somebody thinks of a message: `/v1/sessions/:session/messages/:id/feedback`. It is gone with the message.

use crate::history;
use holdfast_core::access::Permission;
use holdfast_core::clock::rfc3339;
use holdfast_core::thing::{Source, ThingBody, ThingKind};
use holdfast_core::{Error, Hlc, Order, Result, SessionId};
use holdfast_formats::Body;
use holdfast_kit::index::Thing;
use holdfast_kit::read::{as_of, latest, reading};
use holdfast_kit::things::{all, find};
use holdfast_kit::write::{NewThing, derived_id, fresh_id, known, record_things};
use holdfast_kit::{Answer, Call};
use serde_json::{Value, json};

const KIND: ThingKind = ThingKind::Feedback;
const FIELDS: &[&str] = &["user_id", "rating", "better_answer", "comment", "metadata"];
const RATINGS: &[&str] = &["up", "down"];

/// Keeps what somebody thinks of a message; with an Idempotency-Key once.
pub async fn post(call: &Call, session: &str, message: &str) -> Result<Answer> {
    call.query.only(&["user_id"])?;
    let caller = call.caller(Permission::Write).await?;
    let limits = &call.state.settings.limits;
    let bytes = call.body(limits.batch_bytes).await?;
    let mut body = Body::open(&bytes, limits, "feedback", FIELDS)?;
    let user_id = body.string("user_id");
    let (rating, better) = (body.choice("rating", RATINGS), body.string("better_answer"));
    let (comment, metadata) =
        (body.string("comment"), body.object("metadata", limits.metadata_bytes));
    if rating.is_none() && better.is_none() && comment.is_none() {
        body.refuse("rating", "say something: rating, better_answer or comment");
    }
    body.close()?;
    let scope = call.scope(&caller, user_id.as_deref())?;
    let (key, author) = (call.idempotency_key()?, call.author(&caller, &scope)?);
    let session = SessionId::parse(session)?;
    let found = history::get(&scope, &session, message, latest(&author.after)).await?;
    let item = found.item.ok_or_else(|| Error::not_found("there is no such message"))?;
    let stored_as = item.conflict_of.unwrap_or(item.id);
    let id = match &key {
        Some(key) => derived_id(&scope, &["feedback", session.as_str(), &stored_as, key]),
        None => fresh_id(call.state),
    };
    let thing = json!({
        "message": message, "rating": rating, "better_answer": better, "comment": comment,
        "metadata": metadata,
    });
    let source = Source {
        session: session.clone(),
        message: Some(stored_as),
        order: Order::parse(&item.order)?,
        start: None,
        end: None,
    };
    let body = ThingBody::new(&thing, vec![source])?;
    let name = (KIND, Some(&session), id.as_str());
    let there = find(&scope, name, latest(&author.after)).await?;
    if let Some(there) = there.item {
        if serde_json::from_str::<Value>(&there.last.body).ok() != Some(thing) {
            let detail = "the Idempotency-Key was used with other feedback: use a fresh one";
            let case = holdfast_core::Case::Invalid;
            let error = Error::because(case, "idempotency_mismatch", detail);
            return Err(error.at("Idempotency-Key"));
        }
        let answer = Answer::raw(201, feedback_json(&there)).with("idempotency-replayed", "true");
        return Ok(answer.seen(call.state, &scope, &found.frontier.into()));
    }
    let text = body.text.to_string();
    let new = NewThing { kind: KIND, session: Some(session.clone()), id: id.clone(), body };
    let known = known(&scope, session.as_str(), Vec::new()).await;
    let written = record_things(call.state, &scope, author, &known, &[new]).await?;
    let at = written.orders.first().map_or(Hlc(0), |order| order.hlc);
    let json = said(&id, at, &serde_json::from_str(&text).unwrap_or_default());
    Ok(Answer::raw(201, json).seen(call.state, &scope, &written.frontier))
}

/// All feedback on a message, oldest first.
pub async fn list(call: &Call, session: &str, message: &str) -> Result<Answer> {
    call.query.only(&["user_id", "consistency", "as_of"])?;
    let caller = call.caller(Permission::Read).await?;
    let scope = call.scope(&caller, None)?;
    let session = SessionId::parse(session)?;
    let reading = reading(call.query.get("consistency"), call.after(&scope)?)?;
    let reading = as_of(reading, call.query.get("as_of"))?;
    history::get(&scope, &session, message, reading.clone()).await?;
    let (found, frontier) = all(&scope, (KIND, Some(&session), None), reading).await?;
    let of_message = |thing: &&Thing| held(thing).get("message") == Some(&message.into());
    let items: Vec<String> = found.iter().filter(of_message).map(feedback_json).collect();
    Ok(Answer::list(&items, None).seen(call.state, &scope, &frontier))
}

fn held(thing: &Thing) -> Value {
    serde_json::from_str(&thing.last.body).unwrap_or_default()
}

fn feedback_json(thing: &Thing) -> String {
    said(&thing.id, Hlc(thing.last.at), &held(thing))
}

fn said(id: &str, at: Hlc, held: &Value) -> String {
    let member = |name: &str| held.get(name).unwrap_or(&Value::Null);
    format!(
        "{{\"id\":{},\"message_id\":{},\"rating\":{},\"better_answer\":{},\"comment\":{},\"metadata\":{},\"stored_at\":\"{}\"}}",
        Value::from(id),
        member("message"),
        member("rating"),
        member("better_answer"),
        member("comment"),
        member("metadata").as_str().unwrap_or("null"),
        rfc3339(at.milliseconds()),
    )
}
