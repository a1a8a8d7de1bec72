//! `/v1/memories[/:id[/history|/restore]]`, `/v1/memories/batch` and `/v1/users/:user/profile` over HTTP.

use crate::edit;
use crate::profile::profile;
use crate::read;
use crate::ready::{Ready, ready};
use crate::save::{Saved, local, save};
use crate::shown::Shown;
use holdfast_core::access::Permission;
use holdfast_core::thing::ThingKind;
use holdfast_core::{Error, Result, Scope};
use holdfast_formats::{Body, GivenMemory, MEMORY, Problem, Problems, read_memory};
use holdfast_kit::read::{Asked, MAX_PAGE, PAGE, as_of, latest, reading};
use holdfast_kit::things::remove;
use holdfast_kit::write::{Author, Forgetting};
use holdfast_kit::{Answer, Call, index};
use serde_json::{Value, json};

/// Memories of a profile that names no number.
const PROFILE: u32 = 50;

/// Serves one request.
pub async fn route(call: &Call) -> Result<Answer> {
    match (call.method.as_str(), call.segments().as_slice()) {
        ("POST", ["v1", "memories"]) => post(call).await,
        ("GET", ["v1", "memories"]) => list(call).await,
        ("POST", ["v1", "memories", "batch"]) => post_batch(call).await,
        ("GET", ["v1", "memories", id]) => get(call, id).await,
        ("PATCH", ["v1", "memories", id]) => patch(call, id).await,
        ("DELETE", ["v1", "memories", id]) => delete(call, id).await,
        ("GET", ["v1", "memories", id, "history"]) => history(call, id).await,
        ("POST", ["v1", "memories", id, "restore"]) => restore(call, id).await,
        ("GET", ["v1", "users", user, "profile"]) => get_profile(call, user).await,
        (_, ["v1", "memories"]) => Err(call.no_route(&["GET", "POST"])),
        (_, ["v1", "memories", "batch"]) => Err(call.no_route(&["DELETE", "GET", "PATCH", "POST"])),
        (_, ["v1", "memories", _]) => Err(call.no_route(&["DELETE", "GET", "PATCH"])),
        (_, ["v1", "memories", _, "history"]) => Err(call.no_route(&["GET"])),
        (_, ["v1", "memories", _, "restore"]) => Err(call.no_route(&["POST"])),
        (_, ["v1", "users", _, "profile"]) => Err(call.no_route(&["GET"])),
        _ => Err(call.no_route(&[])),
    }
}

async fn post(call: &Call) -> Result<Answer> {
    call.query.only(&["user_id"])?;
    let caller = call.caller(Permission::Write).await?;
    let limits = &call.state.settings.limits;
    let bytes = call.body(limits.batch_bytes).await?;
    let mut body = Body::open(&bytes, limits, "a memory", MEMORY)?;
    let (user_id, given) = (body.string("user_id"), read_memory(&mut body, limits));
    body.close()?;
    let scope = call.scope(&caller, user_id.as_deref())?;
    let (key, author) = (call.idempotency_key()?, call.author(&caller, &scope)?);
    let reading = brought_up(&scope, &author).await?;
    let ready = ready(&scope, given, &reading).await?;
    let saved = save(call.state, &scope, vec![ready], author, key.as_deref()).await?;
    let Some((shown, linked)) = saved.memories.first() else {
        return Err(Error::internal("a memory was saved and is not there"));
    };
    let (status, word) = match (linked, saved.replayed) {
        (_, true) => (201, "saved"),
        (true, _) => (200, "linked"),
        (false, _) => (201, "saved"),
    };
    let json = shown.json_with("status", word);
    let answer = Answer::raw(status, json).with("etag", etag(shown));
    Ok(finish(call, &scope, answer, &saved))
}

/// The view with all that was written before, so that what is there already is known.
async fn brought_up(scope: &Scope, author: &Author) -> Result<index::Reading> {
    let selection =
        index::Selection { kind: ThingKind::Memory.name().to_owned(), session: None, filter: None };
    let page = index::Page { after: None, rank: None, limit: 1, descending: false };
    index::list_things(scope.into(), selection, page, latest(&author.after)).await?;
    Ok(local(author))
}

fn finish(call: &Call, scope: &Scope, answer: Answer, saved: &Saved) -> Answer {
    let answer = answer.seen(call.state, scope, &saved.frontier);
    if saved.replayed { answer.with("idempotency-replayed", "true") } else { answer }
}

fn etag(shown: &Shown) -> String {
    format!("\"{}\"", shown.order)
}

async fn post_batch(call: &Call) -> Result<Answer> {
    call.query.only(&["user_id", "partial"])?;
    let caller = call.caller(Permission::Write).await?;
    let partial = call.query.flag("partial")?;
    let limits = &call.state.settings.limits;
    let bytes = call.body(limits.batch_bytes).await?;
    let (user_id, given) = batch(call, &bytes)?;
    let scope = call.scope(&caller, user_id.as_deref())?;
    let (key, author) = (call.idempotency_key()?, call.author(&caller, &scope)?);
    let reading = brought_up(&scope, &author).await?;
    let (mut good, mut bad) = (Vec::new(), Vec::new());
    for (at, given) in given.into_iter().enumerate() {
        match readied(&scope, at, given, &reading).await? {
            Ok(ready) => {
                good.push(ready);
                bad.push(None);
            }
            Err(problems) => bad.push(Some(problems)),
        }
    }
    let all_bad = good.is_empty();
    if all_bad || (!partial && bad.iter().any(Option::is_some)) {
        let problems = Problems(bad.into_iter().flatten().flatten().collect());
        call.on_failure(json!({"errors": problems, "outcome": "not_stored"}));
        return Err(problems.into());
    }
    let saved = save(call.state, &scope, good, author, key.as_deref()).await?;
    let mut each = saved.memories.iter();
    let items = bad.into_iter().map(|problems| match problems {
        Some(errors) => json!({"status": "refused", "errors": errors}),
        None => each.next().map_or(Value::Null, |(shown, linked)| {
            let status = if *linked { "linked" } else { "saved" };
            json!({"id": shown.id, "order": shown.order, "status": status})
        }),
    });
    let body = json!({"memories": items.collect::<Vec<_>>(), "indexed": saved.indexed});
    Ok(finish(call, &scope, Answer::json(if partial { 207 } else { 201 }, &body), &saved))
}

type Given = Result<GivenMemory, Problems>;

/// The memories of a batch, each read or refused by itself.
fn batch(call: &Call, bytes: &[u8]) -> Result<(Option<String>, Vec<Given>)> {
    let limits = &call.state.settings.limits;
    // What limits one memory is asked of each, not of the whole.
    let whole = holdfast_formats::Limits { message_bytes: limits.batch_bytes, ..limits.clone() };
    let mut body = Body::open(bytes, &whole, "a batch of memories", &["user_id", "memories"])?;
    let user_id = body.string("user_id");
    let items = body.items("memories").unwrap_or_default();
    if items.is_empty() {
        body.refuse("memories", "memories must be an array that holds at least one memory");
    }
    if items.len() > limits.batch_items {
        body.refuse("memories", format!("memories holds more than {}", limits.batch_items));
    }
    body.close()?;
    let read = |(at, item): (usize, &&serde_json::value::RawValue)| {
        let known: Vec<&str> = MEMORY.iter().copied().filter(|name| *name != "user_id").collect();
        let pointer = format!("/memories/{at}");
        let mut body = Body::at(&pointer, item.get(), limits, "a memory", &known)?;
        let given = read_memory(&mut body, limits);
        body.finish().map(|()| given)
    };
    Ok((user_id, items.iter().enumerate().map(read).collect()))
}

async fn readied(
    scope: &Scope,
    at: usize,
    given: Given,
    reading: &index::Reading,
) -> Result<Result<Ready, Vec<Problem>>> {
    let given = match given {
        Ok(given) => given,
        Err(Problems(problems)) => return Ok(Err(problems)),
    };
    match ready(scope, given, reading).await {
        Ok(ready) => Ok(Ok(ready)),
        Err(error) if error.reason == "unprocessable" => {
            let field = error.field.unwrap_or_default();
            let slash = if field.starts_with('/') || field.is_empty() { "" } else { "/" };
            let pointer = format!("/memories/{at}{slash}{field}");
            let (code, detail) = (error.reason, error.detail);
            Ok(Err(vec![Problem { pointer, code, detail }]))
        }
        Err(error) => Err(error),
    }
}

/// What a read of the query's words must include.
fn how(call: &Call, scope: &Scope) -> Result<index::Reading> {
    let reading = reading(call.query.get("consistency"), call.after(scope)?)?;
    as_of(reading, call.query.get("as_of"))
}

async fn get(call: &Call, id: &str) -> Result<Answer> {
    call.query.only(&["user_id", "consistency", "as_of"])?;
    let caller = call.caller(Permission::Read).await?;
    let scope = call.scope(&caller, None)?;
    let (shown, frontier) = read::get(&scope, id, how(call, &scope)?).await?;
    let answer = Answer::raw(200, shown.json()).with("etag", etag(&shown));
    Ok(answer.seen(call.state, &scope, &frontier))
}

async fn list(call: &Call) -> Result<Answer> {
    let known = ["user_id", "limit", "cursor", "order", "consistency", "as_of", "filters"];
    call.query.only(&known)?;
    let caller = call.caller(Permission::Read).await?;
    let scope = call.scope(&caller, None)?;
    let order = call.query.choice("order", &["desc", "asc"])?;
    let limit = call.query.number("limit", PAGE, MAX_PAGE)?;
    let cursor = call.query.get("cursor").map(str::to_owned);
    let filter = call.query.get("filters").map(str::to_owned);
    let asked = Asked { cursor, limit, descending: order == "desc" };
    let (shown, next, frontier) =
        read::list(call.state, &scope, filter, &asked, how(call, &scope)?).await?;
    let items: Vec<String> = shown.iter().map(Shown::json).collect();
    Ok(Answer::list(&items, next.as_deref()).seen(call.state, &scope, &frontier))
}

async fn history(call: &Call, id: &str) -> Result<Answer> {
    call.query.only(&["user_id", "consistency", "as_of"])?;
    let caller = call.caller(Permission::Read).await?;
    let scope = call.scope(&caller, None)?;
    let (versions, frontier) = read::history(&scope, id, how(call, &scope)?).await?;
    let items = versions.iter().enumerate().map(|(at, version)| read::history_json(at, version));
    let items: Vec<String> = items.collect::<Result<_>>()?;
    Ok(Answer::list(&items, None).seen(call.state, &scope, &frontier))
}

async fn patch(call: &Call, id: &str) -> Result<Answer> {
    call.query.only(&["user_id"])?;
    let caller = call.caller(Permission::Write).await?;
    let limits = &call.state.settings.limits;
    let bytes = call.body(limits.batch_bytes).await?;
    let known: Vec<&str> = MEMORY.iter().copied().filter(|name| *name != "id").collect();
    let mut body = Body::open(&bytes, limits, "a change of a memory", &known)?;
    let (user_id, change) = (body.string("user_id"), read_memory(&mut body, limits));
    body.close()?;
    let scope = call.scope(&caller, user_id.as_deref())?;
    let (if_match, author) = (call.header("if-match")?, call.author(&caller, &scope)?);
    let (shown, frontier) =
        edit::update(call.state, &scope, id, change, if_match.as_deref(), author).await?;
    let answer = Answer::raw(200, shown.json()).with("etag", etag(&shown));
    Ok(answer.seen(call.state, &scope, &frontier))
}

async fn restore(call: &Call, id: &str) -> Result<Answer> {
    call.query.only(&["user_id"])?;
    let caller = call.caller(Permission::Write).await?;
    let limits = &call.state.settings.limits;
    let bytes = call.body(limits.batch_bytes).await?;
    let mut body = Body::open(&bytes, limits, "a restore", &["user_id", "version"])?;
    let user_id = body.string("user_id");
    // A number from 1, or an order.
    let number = body.raw("version").is_some_and(|text| !text.starts_with('"'));
    let version = match number {
        true => body.whole("version", 1, u32::MAX).map(|number| number.to_string()),
        false => body.string("version"),
    };
    body.close()?;
    let scope = call.scope(&caller, user_id.as_deref())?;
    let (if_match, author) = (call.header("if-match")?, call.author(&caller, &scope)?);
    let (version, if_match) = (version.as_deref(), if_match.as_deref());
    let (shown, frontier) =
        edit::restore(call.state, &scope, id, version, if_match, author).await?;
    let answer = Answer::raw(200, shown.json()).with("etag", etag(&shown));
    Ok(answer.seen(call.state, &scope, &frontier))
}

async fn delete(call: &Call, id: &str) -> Result<Answer> {
    call.query.only(&["user_id", "mode"])?;
    let caller = call.caller(Permission::Delete).await?;
    let scope = call.scope(&caller, None)?;
    let (if_match, author) = (call.header("if-match")?, call.author(&caller, &scope)?);
    let name = (ThingKind::Memory, None, id);
    let forgetting = Forgetting { name, physical: call.physical()? };
    let frontier = remove(call.state, &scope, forgetting, if_match.as_deref(), author).await?;
    Ok(Answer::nothing().seen(call.state, &scope, &frontier))
}

async fn get_profile(call: &Call, user: &str) -> Result<Answer> {
    call.query.only(&["user_id", "limit", "consistency", "as_of"])?;
    let caller = call.caller(Permission::Read).await?;
    let scope = call.scope(&caller, Some(user))?;
    let limit = call.query.number("limit", PROFILE, MAX_PAGE)?;
    let found = profile(&scope, limit as usize, how(call, &scope)?).await?;
    let memories: Vec<String> = found.memories.iter().map(Shown::json).collect();
    let categories = json!(found.categories);
    let json = format!(
        "{{\"user_id\":{},\"memories\":[{}],\"categories\":{categories},\"preferences\":{},\"text\":{}}}",
        Value::from(user),
        memories.join(","),
        Value::Object(found.preferences.clone()),
        Value::from(found.text()),
    );
    Ok(Answer::raw(200, json).seen(call.state, &scope, &found.frontier))
}
