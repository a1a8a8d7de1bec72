//! `/v1/sessions[/:session]` and `/v1/users/:user[/changes]` over HTTP.

use crate::changes;
use crate::users;
use crate::verbs::{self, Changed, Shown};
use holdfast_core::access::Permission;
use holdfast_core::session::SessionFields;
use holdfast_core::{Case, Error, Result, Scope, SessionId};
use holdfast_formats::Body;
use holdfast_kit::read::{Asked, MAX_PAGE, PAGE, as_of, reading};
use holdfast_kit::{Answer, Call};
use serde_json::Value;

const NEW: &[&str] = &["id", "user_id", "name", "type", "metadata"];
const CHANGE: &[&str] = &["user_id", "name", "type", "status", "metadata"];
const STATUS: &[&str] = &["active", "archived"];

/// Serves one request.
pub async fn route(call: &Call) -> Result<Answer> {
    match (call.method.as_str(), call.segments().as_slice()) {
        ("POST", ["v1", "sessions"]) => post(call).await,
        ("GET", ["v1", "sessions"]) => list(call).await,
        ("GET", ["v1", "sessions", session]) => get(call, session).await,
        ("PATCH", ["v1", "sessions", session]) => patch(call, session).await,
        ("DELETE", ["v1", "sessions", session]) => remove(call, session).await,
        (_, ["v1", "users", user]) => users::route(call, user).await,
        ("GET", ["v1", "users", user, "changes"]) => changes::route(call, user).await,
        (_, ["v1", "users", _, "changes"]) => Err(call.no_route(&["GET"])),
        (_, ["v1", "sessions"]) => Err(call.no_route(&["GET", "POST"])),
        (_, ["v1", "sessions", _]) => Err(call.no_route(&["DELETE", "GET", "PATCH"])),
        _ => Err(call.no_route(&[])),
    }
}

async fn post(call: &Call) -> Result<Answer> {
    call.query.only(&["user_id"])?;
    let caller = call.caller(Permission::Write).await?;
    let limits = &call.state.settings.limits;
    let bytes = call.body(limits.batch_bytes).await?;
    let mut body = Body::open(&bytes, limits, "a session", NEW)?;
    let (user_id, id) = (body.string("user_id"), body.string("id"));
    let fields = fields(&mut body, limits.metadata_bytes);
    body.close()?;
    let scope = call.scope(&caller, user_id.as_deref())?;
    let key = call.idempotency_key()?;
    let derived = id.is_none() && key.is_some();
    let id = id.unwrap_or_else(|| verbs::new_id(call.state, &scope, key.as_deref()));
    let author = call.author(&caller, &scope)?;
    let made = verbs::create(call.state, &scope, &SessionId::parse(&id)?, fields, author).await;
    let made = made.map_err(|error| if derived { mismatch(error) } else { error })?;
    Ok(match (made.existed, derived) {
        (true, true) => answer(call, &scope, 201, &made).with("idempotency-replayed", "true"),
        (existed, _) => answer(call, &scope, if existed { 200 } else { 201 }, &made),
    })
}

/// A session whose id comes from the Idempotency-Key differs: the key was used with another body.
fn mismatch(error: Error) -> Error {
    if error.reason != "conflict" {
        return error;
    }
    let detail = "the Idempotency-Key was used with another session: use a fresh one";
    Error::because(Case::Invalid, "idempotency_mismatch", detail).at("Idempotency-Key")
}

async fn patch(call: &Call, session: &str) -> Result<Answer> {
    call.query.only(&["user_id"])?;
    let caller = call.caller(Permission::Write).await?;
    let limits = &call.state.settings.limits;
    let bytes = call.body(limits.batch_bytes).await?;
    let mut body = Body::open(&bytes, limits, "a change of a session", CHANGE)?;
    let user_id = body.string("user_id");
    let mut fields = fields(&mut body, limits.metadata_bytes);
    fields.status = body.choice("status", STATUS).map(str::to_owned);
    body.close()?;
    let scope = call.scope(&caller, user_id.as_deref())?;
    let if_match = call.header("if-match")?;
    let author = call.author(&caller, &scope)?;
    let id = SessionId::parse(session)?;
    let changed =
        verbs::update(call.state, &scope, &id, fields, if_match.as_deref(), author).await?;
    Ok(answer(call, &scope, 200, &changed))
}

fn fields(body: &mut Body<'_>, metadata_bytes: usize) -> SessionFields {
    SessionFields {
        name: body.string("name"),
        kind: body.string("type"),
        status: None,
        metadata: body.object("metadata", metadata_bytes),
        cleared: Vec::new(),
    }
}

fn answer(call: &Call, scope: &Scope, status: u16, changed: &Changed) -> Answer {
    shown(status, &changed.session).seen(call.state, scope, &changed.frontier)
}

fn shown(status: u16, session: &Shown) -> Answer {
    let etag = format!("\"{}\"", session.order);
    Answer::raw(status, json(session)).with("etag", etag)
}

fn json(session: &Shown) -> String {
    let text = |text: &Option<String>| Value::from(text.clone()).to_string();
    format!(
        "{{\"id\":{},\"name\":{},\"type\":{},\"status\":{},\"metadata\":{},\"created_at\":\"{}\",\
         \"last_activity\":\"{}\",\"message_count\":{}}}",
        Value::from(session.id.as_str()),
        text(&session.fields.name),
        text(&session.fields.kind),
        text(&session.fields.status),
        session.fields.metadata.as_deref().unwrap_or("{}"),
        session.created_at,
        session.last_activity,
        session.messages,
    )
}

async fn get(call: &Call, session: &str) -> Result<Answer> {
    call.query.only(&["user_id", "consistency", "as_of"])?;
    let caller = call.caller(Permission::Read).await?;
    let scope = call.scope(&caller, None)?;
    let reading = reading(call.query.get("consistency"), call.after(&scope)?)?;
    let reading = as_of(reading, call.query.get("as_of"))?;
    let (session, frontier) = verbs::get(&scope, &SessionId::parse(session)?, reading).await?;
    Ok(shown(200, &session).seen(call.state, &scope, &frontier))
}

async fn remove(call: &Call, session: &str) -> Result<Answer> {
    call.query.only(&["user_id", "mode"])?;
    let physical = call.physical()?;
    let caller = call.caller(Permission::Delete).await?;
    let scope = call.scope(&caller, None)?;
    let author = call.author(&caller, &scope)?;
    let session = SessionId::parse(session)?;
    let frontier = verbs::delete(call.state, &scope, &session, physical, author).await?;
    Ok(Answer::nothing().seen(call.state, &scope, &frontier))
}

async fn list(call: &Call) -> Result<Answer> {
    call.query.only(&["user_id", "limit", "cursor", "order", "consistency", "as_of"])?;
    let caller = call.caller(Permission::Read).await?;
    let scope = call.scope(&caller, None)?;
    let order = call.query.choice("order", &["desc", "asc"])?;
    let limit = call.query.number("limit", PAGE, MAX_PAGE)?;
    let reading = reading(call.query.get("consistency"), call.after(&scope)?)?;
    let reading = as_of(reading, call.query.get("as_of"))?;
    let cursor = call.query.get("cursor").map(str::to_owned);
    let asked = Asked { cursor, limit, descending: order == "desc" };
    let (shown, next, frontier) = verbs::list(call.state, &scope, &asked, reading).await?;
    let items: Vec<String> = shown.iter().map(json).collect();
    Ok(Answer::list(&items, next.as_deref()).seen(call.state, &scope, &frontier))
}
