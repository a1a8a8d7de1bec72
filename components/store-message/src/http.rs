//! `/v1/sessions/:session/messages[/:id]` over HTTP.

use crate::delete::delete;
use crate::store::{Failed, Stored, Writing, store};
use crate::{chunks, feedback, history};
use holdfast_core::access::{Caller, Permission};
use holdfast_core::message::{Message, Role};
use holdfast_core::{Error, Result, Scope, SessionId};
use holdfast_formats::{Batch, NewMessage, Problem, Problems, langchain, openai, rest};
use holdfast_kit::index;
use holdfast_kit::read::{Asked, MAX_PAGE, PAGE, as_of, noun, reading, stored};
use holdfast_kit::{Answer, Call};
use serde_json::{Value, json};

const FORMATS: &[&str] = &["holdfast", "langchain", "openai"];

/// Serves one request.
pub async fn route(call: &Call) -> Result<Answer> {
    match (call.method.as_str(), call.segments().as_slice()) {
        ("POST", ["v1", "sessions", session, "messages"]) => post(call, session).await,
        ("GET", ["v1", "sessions", session, "messages"])
            if call.query.get("content_hash").is_some() =>
        {
            chunks::by_content(call, None, Some(session)).await
        }
        ("GET", ["v1", "sessions", session, "messages"]) => list(call, session).await,
        ("GET", ["v1", "sessions", session, "messages", id]) => get(call, session, id).await,
        ("DELETE", ["v1", "sessions", session, "messages", id]) => remove(call, session, id).await,
        ("GET", ["v1", "sessions", session, "messages", id, "chunks"]) => {
            chunks::list(call, session, id).await
        }
        ("POST", ["v1", "sessions", session, "messages", id, "feedback"]) => {
            feedback::post(call, session, id).await
        }
        ("GET", ["v1", "sessions", session, "messages", id, "feedback"]) => {
            feedback::list(call, session, id).await
        }
        ("GET", ["v1", "users", user, "messages"]) => {
            chunks::by_content(call, Some(user), None).await
        }
        (_, ["v1", "users", _, "messages"]) => Err(call.no_route(&["GET"])),
        (_, ["v1", "sessions", _, "messages", _, "chunks"]) => Err(call.no_route(&["GET"])),
        (_, ["v1", "sessions", _, "messages", _, "feedback"]) => {
            Err(call.no_route(&["GET", "POST"]))
        }
        (_, ["v1", "sessions", _, "messages"]) => Err(call.no_route(&["GET", "POST"])),
        (_, ["v1", "sessions", _, "messages", _]) => Err(call.no_route(&["DELETE", "GET"])),
        _ => Err(call.no_route(&[])),
    }
}

async fn post(call: &Call, session: &str) -> Result<Answer> {
    call.query.only(&["user_id", "format", "partial"])?;
    let caller = call.caller(Permission::Write).await?;
    let session = SessionId::parse(session)?;
    let format = call.query.choice("format", FORMATS)?;
    let partial = call.query.flag("partial")?;
    let limits = &call.state.settings.limits;
    let body = call.body(limits.batch_bytes).await?;
    let batch = match format {
        "langchain" => langchain::read(&body, limits),
        "openai" => openai::read(&body, limits),
        _ => rest::read(&body, limits),
    };
    let batch = batch.map_err(|problems| refused(call, problems))?;
    let scope = call.scope(&caller, batch.user_id.as_deref())?;
    check_roles(call, &caller, format, &batch)?;
    let writing = writing(call, &caller, &scope)?;
    if partial {
        return post_partial(call, &scope, &session, batch, writing).await;
    }
    let messages = batch.all().map_err(|problems| refused(call, problems))?;
    let outcome = store(call.state, &scope, &session, messages, writing).await;
    let stored = outcome.map_err(|failed| not_stored(call, failed))?;
    let messages: Vec<Value> = stored.places.iter().map(placed).collect();
    let body = json!({"messages": messages, "indexed": stored.indexed});
    Ok(answer(call, &scope, 201, &body, &stored))
}

/// An id in a header: what is not a plain character is percent-encoded.
fn encoded(id: &str) -> String {
    percent_encoding::utf8_percent_encode(id, percent_encoding::NON_ALPHANUMERIC).to_string()
}

/// Stored role is privilege: a key without it stores what a user says.
fn check_roles(call: &Call, caller: &Caller, format: &str, batch: &Batch) -> Result<()> {
    let foreign = |item: &Result<NewMessage, Vec<Problem>>| {
        item.as_ref().is_ok_and(|new| new.message.role != Role::User)
    };
    let Some(at) = batch.items.iter().position(foreign).filter(|_| !caller.may_set_roles()) else {
        return Ok(());
    };
    call.on_failure(json!({"outcome": "not_stored"}));
    let field = if format == "langchain" { "type" } else { "role" };
    let detail = "this key stores messages of role user only: it lacks the permission roles";
    Err(Error::denied(detail).at(format!("{}/{field}", batch.pointer(at))))
}

/// Stores the good items and says of each what became of it.
async fn post_partial(
    call: &Call,
    scope: &Scope,
    session: &SessionId,
    batch: Batch,
    writing: Writing,
) -> Result<Answer> {
    let mut good: Vec<NewMessage> = Vec::new();
    let mut bad: Vec<Option<Vec<Problem>>> = Vec::new();
    for item in batch.items {
        match item {
            Ok(message) => {
                good.push(message);
                bad.push(None);
            }
            Err(problems) => bad.push(Some(problems)),
        }
    }
    if good.is_empty() {
        let problems = Problems(bad.into_iter().flatten().flatten().collect());
        return Err(refused(call, problems));
    }
    let outcome = store(call.state, scope, session, good, writing).await;
    let stored = outcome.map_err(|failed| not_stored(call, failed))?;
    let mut places = stored.places.iter();
    let items: Vec<Value> = bad
        .into_iter()
        .map(|problems| match problems {
            None => places.next().map_or(Value::Null, placed),
            Some(errors) => json!({"status": "refused", "errors": errors}),
        })
        .collect();
    Ok(answer(call, scope, 207, &json!({"messages": items, "indexed": stored.indexed}), &stored))
}

fn writing(call: &Call, caller: &Caller, scope: &Scope) -> Result<Writing> {
    let (idempotency_key, author) = (call.idempotency_key()?, call.author(caller, scope)?);
    Ok(Writing { author, idempotency_key })
}

fn placed((id, order): &(String, String)) -> Value {
    json!({"id": id, "order": order, "status": "stored"})
}

fn answer(call: &Call, scope: &Scope, status: u16, body: &Value, stored: &Stored) -> Answer {
    let answer = Answer::json(status, body).seen(call.state, scope, &stored.frontier);
    if stored.replayed { answer.with("idempotency-replayed", "true") } else { answer }
}

fn refused(call: &Call, problems: Problems) -> Error {
    call.on_failure(json!({"errors": problems, "outcome": "not_stored"}));
    problems.into()
}

fn not_stored(call: &Call, failed: Failed) -> Error {
    let unknown = failed.error.reason == "outcome_unknown";
    let outcome = if unknown { "unknown" } else { "not_stored" };
    call.on_failure(json!({"outcome": outcome, "ids": failed.ids}));
    failed.error
}

async fn get(call: &Call, session: &str, id: &str) -> Result<Answer> {
    call.query.only(&["user_id", "consistency", "as_of"])?;
    let caller = call.caller(Permission::Read).await?;
    let scope = call.scope(&caller, None)?;
    let reading = reading(call.query.get("consistency"), call.after(&scope)?)?;
    let reading = as_of(reading, call.query.get("as_of"))?;
    let found = history::get(&scope, &SessionId::parse(session)?, id, reading).await?;
    let Some(item) = found.item else { return Err(Error::not_found("there is no such message")) };
    let json = rest::message_json(&stored(&item, &noun(&item)?)?);
    Ok(Answer::raw(200, json).seen(call.state, &scope, &found.frontier.into()))
}

async fn remove(call: &Call, session: &str, id: &str) -> Result<Answer> {
    call.query.only(&["user_id", "mode"])?;
    let physical = call.physical()?;
    let caller = call.caller(Permission::Delete).await?;
    let scope = call.scope(&caller, None)?;
    let (session, author) = (SessionId::parse(session)?, call.author(&caller, &scope)?);
    let frontier = delete(call.state, &scope, &session, id, physical, author).await?;
    Ok(Answer::nothing().seen(call.state, &scope, &frontier))
}

async fn list(call: &Call, session: &str) -> Result<Answer> {
    call.query.only(&[
        "user_id",
        "limit",
        "cursor",
        "order",
        "consistency",
        "as_of",
        "format",
        "annotate",
    ])?;
    let caller = call.caller(Permission::Read).await?;
    let scope = call.scope(&caller, None)?;
    let session = SessionId::parse(session)?;
    let format = call.query.choice("format", FORMATS)?;
    let order = call.query.choice("order", &["asc", "desc"])?;
    let limit = call.query.number("limit", PAGE, MAX_PAGE)?;
    let annotate = call.query.flag("annotate")?;
    let reading = reading(call.query.get("consistency"), call.after(&scope)?)?;
    let reading = as_of(reading, call.query.get("as_of"))?;
    let cursor = call.query.get("cursor").map(str::to_owned);
    let asked = Asked { cursor, limit, descending: order == "desc" };
    let (found, next) = history::page(call.state, &scope, &session, &asked, reading).await?;
    let answer = render(call, format, annotate, &found, next.as_deref())?;
    Ok(answer.seen(call.state, &scope, &found.frontier.into()))
}

fn render(
    call: &Call,
    format: &str,
    annotate: bool,
    found: &index::MessagePage,
    next: Option<&str>,
) -> Result<Answer> {
    let nouns: Vec<Message> = found.items.iter().map(noun).collect::<Result<_>>()?;
    let all = found.items.iter().zip(&nouns).map(|(item, noun)| stored(item, noun));
    let all: Vec<_> = all.collect::<Result<_>>()?;
    let array = match format {
        "langchain" => langchain::langchain_array(all, annotate),
        "openai" => openai::openai_array(all, annotate),
        _ => {
            let items: Vec<String> = all.iter().map(rest::message_json).collect();
            let late = |item| Ok(rest::message_json(&stored(item, &noun(item)?)?));
            let late: Vec<String> = found.late.iter().map(late).collect::<Result<_>>()?;
            return Ok(Answer::list_with(&items, &late, next));
        }
    };
    let mut answer = Answer::raw(200, array);
    if !found.late.is_empty() {
        let ids: Vec<_> = found.late.iter().map(|late| encoded(&late.id)).collect();
        answer = answer.with("holdfast-late", ids.join(","));
    }
    Ok(match next {
        Some(next) => {
            answer.with("link", format!("<{}>; rel=\"next\"", call.url_with("cursor", next)))
        }
        None => answer,
    })
}
