//! `/v1/sessions[/:session]` over HTTP, and the way to everything else of this component.

use crate::changes;
use crate::things::share;
use crate::users;
use crate::verbs::{self, Changed, Shown};
use crate::{attachments, contexts, preferences, relationships, statistics, timeline};
use holdfast_core::access::Permission;
use holdfast_core::session::SessionFields;
use holdfast_core::{Case, Error, Result, Scope, SessionId};
use holdfast_formats::Body;
use holdfast_kit::read::{Asked, MAX_PAGE, PAGE, as_of, reading};
use holdfast_kit::{Answer, Call};
use serde_json::Value;

const NEW: &[&str] =
    &["id", "user_id", "name", "type", "metadata", "context_summary", "relevance_score"];
const CHANGE: &[&str] =
    &["user_id", "name", "type", "status", "metadata", "context_summary", "relevance_score"];
const FORMATS: &[&str] = &["holdfast", "ltst"];
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
        (_, ["v1", "sessions", session, rest @ ..]) => of_session(call, session, rest).await,
        (_, ["v1", "users", user, rest @ ..]) => of_user(call, user, rest).await,
        _ => Err(call.no_route(&[])),
    }
}

async fn of_session(call: &Call, session: &str, rest: &[&str]) -> Result<Answer> {
    match (call.method.as_str(), rest) {
        ("GET", ["statistics"]) => statistics::get(call, session).await,
        ("GET", ["contexts"]) => contexts::list(call, session, None).await,
        ("GET", ["contexts", kind]) => contexts::list(call, session, Some(kind)).await,
        ("PUT", ["contexts", kind, key]) => contexts::put(call, session, (kind, key)).await,
        ("GET", ["contexts", kind, key]) => contexts::get(call, session, (kind, key)).await,
        ("DELETE", ["contexts", kind, key]) => contexts::delete(call, session, (kind, key)).await,
        ("POST", ["relationships"]) => relationships::post(call, session).await,
        ("GET", ["relationships"]) => relationships::list(call, session).await,
        ("DELETE", ["relationships", kind, target]) => {
            relationships::delete(call, session, (kind, target)).await
        }
        ("GET", ["attachments"]) => attachments::list(call, session).await,
        ("PUT", ["attachments", name]) => attachments::put(call, session, name).await,
        // What sends the answer leaves the bytes of one to HEAD out.
        ("GET" | "HEAD", ["attachments", name]) => attachments::get(call, session, name).await,
        ("DELETE", ["attachments", name]) => attachments::delete(call, session, name).await,
        (_, ["attachments", _]) => Err(call.no_route(&["DELETE", "GET", "HEAD", "PUT"])),
        (_, ["statistics" | "contexts" | "attachments"] | ["contexts", _]) => {
            Err(call.no_route(&["GET"]))
        }
        (_, ["contexts", _, _]) => Err(call.no_route(&["DELETE", "GET", "PUT"])),
        (_, ["relationships"]) => Err(call.no_route(&["GET", "POST"])),
        (_, ["relationships", _, _]) => Err(call.no_route(&["DELETE"])),
        _ => Err(call.no_route(&[])),
    }
}

async fn of_user(call: &Call, user: &str, rest: &[&str]) -> Result<Answer> {
    match (call.method.as_str(), rest) {
        ("GET", ["timeline"]) => timeline::get(call, user).await,
        ("GET", ["preferences"]) => preferences::list(call, user).await,
        ("PUT", ["preferences", key]) => preferences::put(call, user, key).await,
        ("GET", ["preferences", key]) => preferences::get(call, user, key).await,
        ("DELETE", ["preferences", key]) => preferences::delete(call, user, key).await,
        (_, ["timeline"] | ["preferences"]) => Err(call.no_route(&["GET"])),
        (_, ["preferences", _]) => Err(call.no_route(&["DELETE", "GET", "PUT"])),
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
        context_summary: body.string("context_summary"),
        relevance_score: share(body, "relevance_score"),
        cleared: Vec::new(),
    }
}

fn answer(call: &Call, scope: &Scope, status: u16, changed: &Changed) -> Answer {
    let json = session_json(scope.user.as_str(), &changed.session);
    shown(status, &changed.session, json).seen(call.state, scope, &changed.frontier)
}

fn shown(status: u16, session: &Shown, json: String) -> Answer {
    let etag = format!("\"{}\"", session.order);
    Answer::raw(status, json).with("etag", etag)
}

/// The JSON of a session, in a format of its own or with the ten names of F3.
fn json(format: &str, user: &str, session: &Shown) -> String {
    match format {
        "ltst" => {
            let names = ["session_id", "session_name", "session_type"];
            format!("{{{}}}", members(names, user, session))
        }
        _ => session_json(user, session),
    }
}

/// The JSON of a session.
pub fn session_json(user: &str, session: &Shown) -> String {
    let members = members(["id", "name", "type"], user, session);
    format!("{{{members},\"message_count\":{}}}", session.messages)
}

/// What both formats tell; they call id, name and type by names of their own.
fn members([id, name, kind]: [&str; 3], user: &str, session: &Shown) -> String {
    let text = |text: &Option<String>| Value::from(text.clone()).to_string();
    format!(
        "\"{id}\":{},\"user_id\":{},\"{name}\":{},\"{kind}\":{},\"status\":{},\"metadata\":{},\
         \"context_summary\":{},\"relevance_score\":{},\"created_at\":\"{}\",\
         \"last_activity\":\"{}\"",
        Value::from(session.id.as_str()),
        Value::from(user),
        text(&session.fields.name),
        text(&session.fields.kind),
        text(&session.fields.status),
        session.fields.metadata.as_deref().unwrap_or("{}"),
        text(&session.fields.context_summary),
        session.fields.relevance_score.as_deref().unwrap_or("0.0"),
        session.created_at,
        session.last_activity,
    )
}

async fn get(call: &Call, session: &str) -> Result<Answer> {
    call.query.only(&["user_id", "consistency", "as_of", "format"])?;
    let caller = call.caller(Permission::Read).await?;
    let scope = call.scope(&caller, None)?;
    let format = call.query.choice("format", FORMATS)?;
    let reading = reading(call.query.get("consistency"), call.after(&scope)?)?;
    let reading = as_of(reading, call.query.get("as_of"))?;
    let (session, frontier) = verbs::get(&scope, &SessionId::parse(session)?, reading).await?;
    let json = json(format, scope.user.as_str(), &session);
    Ok(shown(200, &session, json).seen(call.state, &scope, &frontier))
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
    let known =
        ["user_id", "limit", "cursor", "order", "consistency", "as_of", "filters", "format"];
    call.query.only(&known)?;
    let caller = call.caller(Permission::Read).await?;
    let scope = call.scope(&caller, None)?;
    let format = call.query.choice("format", FORMATS)?;
    let filter = call.query.get("filters").map(str::to_owned);
    let order = call.query.choice("order", &["desc", "asc"])?;
    let limit = call.query.number("limit", PAGE, MAX_PAGE)?;
    let reading = reading(call.query.get("consistency"), call.after(&scope)?)?;
    let reading = as_of(reading, call.query.get("as_of"))?;
    let cursor = call.query.get("cursor").map(str::to_owned);
    let asked = Asked { cursor, limit, descending: order == "desc" };
    let (shown, next, frontier) = verbs::list(call.state, &scope, filter, &asked, reading).await?;
    let user = scope.user.as_str();
    let items: Vec<String> = shown.iter().map(|session| json(format, user, session)).collect();
    Ok(Answer::list(&items, next.as_deref()).seen(call.state, &scope, &frontier))
}
