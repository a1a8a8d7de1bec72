//! `/v1/sessions/:session/summaries` and `/v1/upkeep/summarize` over HTTP.

use crate::idle::{Done, WALK, of_user, walk};
use crate::summarize::{Shown, TOKENS, TOKENS_RANGE, Wish, list, summarize};
use holdfast_core::access::Permission;
use holdfast_core::{Error, Result, Scope, SessionId, UserId};
use holdfast_formats::Body;
use holdfast_kit::read::{as_of, reading};
use holdfast_kit::{Answer, Call};
use serde_json::{Value, json};

const FIELDS: &[&str] = &["user_id", "max_tokens", "keep_messages", "summary_tokens", "store"];

/// Largest budget.
const MAX_TOKENS: u32 = 1_000_000;

/// Serves one request.
pub async fn route(call: &Call) -> Result<Answer> {
    match (call.method.as_str(), call.segments().as_slice()) {
        ("POST", ["v1", "sessions", session, "summaries"]) => post(call, session).await,
        ("GET", ["v1", "sessions", session, "summaries"]) => get(call, session).await,
        ("POST", ["v1", "upkeep", "summarize"]) => upkeep(call).await,
        (_, ["v1", "upkeep", "summarize"]) => Err(call.no_route(&["POST"])),
        (_, ["v1", "sessions", _, "summaries"]) => Err(call.no_route(&["GET", "POST"])),
        _ => Err(call.no_route(&[])),
    }
}

async fn post(call: &Call, session: &str) -> Result<Answer> {
    call.query.only(&["user_id"])?;
    let caller = call.caller(Permission::Write).await?;
    let limits = &call.state.settings.limits;
    let bytes = call.body(limits.batch_bytes).await?;
    let mut body = Body::open(&bytes, limits, "a summary", FIELDS)?;
    let user_id = body.string("user_id");
    let (least, most) = TOKENS_RANGE;
    let wish = Wish {
        max_tokens: body.whole("max_tokens", 1, MAX_TOKENS).map(|tokens| tokens as usize),
        keep: body.whole("keep_messages", 0, MAX_TOKENS).unwrap_or(0) as usize,
        tokens: body.whole("summary_tokens", least, most).unwrap_or(TOKENS),
        store: body.flag("store", true),
    };
    body.close()?;
    let scope = call.scope(&caller, user_id.as_deref())?;
    let (session, author) = (SessionId::parse(session)?, call.author(&caller, &scope)?);
    let outcome = summarize(call.state, &scope, &session, &wish, author).await?;
    let (status, summary, reason) = match &outcome.made {
        Ok(made) => (if made.id.is_some() { 201 } else { 200 }, shown(made), Value::Null),
        Err(idle) => (200, Value::Null, Value::from(idle.name())),
    };
    let budget = outcome.budget.map(|one| json!({"limit": one.limit, "spent": one.spent}));
    let body = json!({
        "summary": summary,
        "reason": reason,
        "has_more": outcome.more,
        "budget": budget,
    });
    Ok(Answer::json(status, &body).seen(call.state, &scope, &outcome.frontier))
}

async fn get(call: &Call, session: &str) -> Result<Answer> {
    call.query.only(&["user_id", "consistency", "as_of"])?;
    let caller = call.caller(Permission::Read).await?;
    let scope = call.scope(&caller, None)?;
    let reading = reading(call.query.get("consistency"), call.after(&scope)?)?;
    let reading = as_of(reading, call.query.get("as_of"))?;
    let (found, frontier) = list(&scope, &SessionId::parse(session)?, reading).await?;
    let items: Vec<String> = found.iter().map(|one| shown(one).to_string()).collect();
    Ok(Answer::list(&items, None).seen(call.state, &scope, &frontier))
}

async fn upkeep(call: &Call) -> Result<Answer> {
    call.query.only(&[])?;
    let caller = call.caller(Permission::Admin).await?;
    let limits = &call.state.settings.limits;
    let bytes = call.body(limits.batch_bytes).await?;
    let mut body = Body::open(&bytes, limits, "upkeep", &["user_id", "cursor"])?;
    let (user_id, cursor) = (body.string("user_id"), body.string("cursor"));
    body.close()?;
    if caller.user.is_some() {
        return Err(Error::denied("a key of one user tends no sessions of others"));
    }
    let (done, more, next) = match user_id {
        Some(user) => {
            let scope = Scope { tenant: caller.tenant, user: UserId::parse(&user)? };
            let mut done = Done { users: 1, ..Done::default() };
            let begun = call.state.bucket.now();
            let over = || call.state.bucket.now().saturating_sub(begun) >= WALK;
            let whole = of_user(call.state, &scope, None, &mut done, &over).await?;
            let more = !whole && !done.budget_spent;
            (done, more, None)
        }
        None => {
            let (done, next) = walk(call.state, &caller.tenant, cursor).await?;
            (done, next.is_some(), next)
        }
    };
    let body = json!({
        "has_more": more,
        "next_cursor": next,
        "users": done.users,
        "summaries": done.summaries,
        "failed": done.failed,
        "budget_spent": done.budget_spent,
        "tokens": {"prompt": done.prompt_tokens, "completion": done.completion_tokens},
    });
    Ok(Answer::json(200, &body))
}

fn shown(made: &Shown) -> Value {
    let covers: Vec<&str> =
        made.covers.iter().filter_map(|source| source.message.as_deref()).collect();
    json!({
        "id": made.id,
        "text": made.summary.text,
        "covers": {"first": covers.first(), "last": covers.last(), "messages": covers},
        "generator": made.summary.by,
        "tokens": {
            "prompt": made.summary.prompt_tokens,
            "completion": made.summary.completion_tokens,
        },
        "stored_at": made.stored_at,
    })
}
