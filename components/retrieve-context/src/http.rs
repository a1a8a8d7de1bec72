//! `POST /v1/search` and `POST /v1/context` over HTTP.

use crate::retrieve::{Context, Need, retrieve};
use crate::search::{MAX_TOP_K, Query, TOP_K, default_boosts, mode, mode_name, search};
use holdfast_core::access::Permission;
use holdfast_core::context::{Candidate, quoted};
use holdfast_core::message::Role;
use holdfast_core::{Result, SessionId};
use holdfast_formats::{Body, openai, rest};
use holdfast_kit::index::{Boosts, Hit};
use holdfast_kit::read::{noun, reading, stored};
use holdfast_kit::{Answer, Call};
use serde_json::{Value, json};

const SEARCH: &[&str] = &[
    "user_id",
    "session_id",
    "query",
    "filters",
    "top_k",
    "threshold",
    "mode",
    "explain",
    "boosts",
    "consistency",
];
const CONTEXT: &[&str] = &[
    "user_id",
    "session_id",
    "query",
    "max_tokens",
    "include_conversations",
    "include_memories",
    "include_summaries",
    "same_session_boost",
    "explain",
    "consistency",
];
/// Largest budget of a context.
const MAX_TOKENS: u32 = 1_000_000;

/// Serves one request.
pub async fn route(call: &Call) -> Result<Answer> {
    match (call.method.as_str(), call.segments().as_slice()) {
        ("POST", ["v1", "search"]) => post_search(call).await,
        ("POST", ["v1", "context"]) => post_context(call).await,
        (_, ["v1", "search" | "context"]) => Err(call.no_route(&["POST"])),
        _ => Err(call.no_route(&[])),
    }
}

async fn post_search(call: &Call) -> Result<Answer> {
    call.query.only(&["user_id"])?;
    let caller = call.caller(Permission::Read).await?;
    let limits = &call.state.settings.limits;
    let bytes = call.body(limits.batch_bytes).await?;
    let mut body = Body::open(&bytes, limits, "a search", SEARCH)?;
    let user_id = body.string("user_id");
    let query = query(&mut body, call.state.settings.query_bytes);
    let explain = body.flag("explain", false);
    let consistency = body.string("consistency");
    body.close()?;
    let scope = call.scope(&caller, user_id.as_deref())?;
    let reading = reading(consistency.as_deref(), call.after(&scope)?)?;
    let found = search(&scope, query?, reading).await?;
    let recall = &found.recall;
    let hits = recall.hits.iter().map(|hit| hit_json(hit, explain)).collect::<Result<Vec<_>>>()?;
    let (hits, mode) = (hits.join(","), mode_name(found.mode));
    let (through, pending) = (&recall.indexed_through, recall.pending);
    let json = format!(
        "{{\"data\":[{hits}],\"indexed_through\":\"{through}\",\"pending\":{pending},\"mode\":\"{mode}\"}}"
    );
    Ok(Answer::raw(200, json).seen(call.state, &scope, &found.recall.frontier.into()))
}

fn query(body: &mut Body<'_>, most: usize) -> Result<Query> {
    let text = body.string("query").unwrap_or_default();
    if text.trim().is_empty() {
        body.refuse("query", "query must be a text that is not empty");
    }
    if text.len() > most {
        body.refuse("query", format!("query has more than {most} bytes"));
    }
    let session = body.string("session_id");
    Ok(Query {
        text,
        from_session: session.clone(),
        session: session.map(|id| SessionId::parse(&id).map(|id| id.to_string())).transpose()?,
        filters: body.object("filters", usize::MAX),
        top_k: body.whole("top_k", 1, MAX_TOP_K).unwrap_or(TOP_K),
        threshold: body.number("threshold", 0.0, 1.0),
        mode: mode(body.choice("mode", &["hybrid", "vector", "keyword"]))?,
        boosts: boosts(body)?,
    })
}

fn boosts(body: &mut Body<'_>) -> Result<Boosts> {
    const KNOWN: &[&str] = &["speaker", "date", "same_session", "dense_places"];
    let Some(text) = body.object("boosts", 1024) else { return Ok(default_boosts()) };
    let limits = holdfast_formats::Limits::default();
    let mut inner = Body::open(text.as_bytes(), &limits, "boosts", KNOWN)?;
    let default = default_boosts();
    let boosts = Boosts {
        speaker: inner.number("speaker", 0.0, 100.0).unwrap_or(default.speaker),
        date: inner.number("date", 0.0, 100.0).unwrap_or(default.date),
        same_session: inner.number("same_session", 0.0, 100.0).unwrap_or(default.same_session),
        dense_places: inner.whole("dense_places", 0, MAX_TOP_K).unwrap_or(default.dense_places),
    };
    inner.close().map_err(|e| {
        let at = format!("/boosts{}", e.field.clone().unwrap_or_default());
        e.at(at)
    })?;
    Ok(boosts)
}

fn hit_json(hit: &Hit, explain: bool) -> Result<String> {
    let noun = noun(&hit.message)?;
    let message = rest::message_json(&stored(&hit.message, &noun)?);
    let session = Value::from(hit.message.session.as_str());
    let stages = hit.stages.iter().map(|stage| (stage.name.clone(), json!(stage.value)));
    let stages = Value::Object(stages.collect());
    let explain = if explain { format!(",\"explain\":{stages}") } else { String::new() };
    let score = hit.score;
    Ok(format!(
        "{{\"type\":\"message\",\"message\":{message},\"session_id\":{session},\"score\":{score}{explain}}}"
    ))
}

async fn post_context(call: &Call) -> Result<Answer> {
    call.query.only(&["user_id"])?;
    let caller = call.caller(Permission::Read).await?;
    let limits = &call.state.settings.limits;
    let bytes = call.body(limits.batch_bytes).await?;
    let mut body = Body::open(&bytes, limits, "a context", CONTEXT)?;
    let user_id = body.string("user_id");
    let need = need(&mut body, call.state.settings.query_bytes);
    let consistency = body.string("consistency");
    body.flag("explain", false);
    body.close()?;
    let scope = call.scope(&caller, user_id.as_deref())?;
    let reading = reading(consistency.as_deref(), call.after(&scope)?)?;
    let context = retrieve(call.state, &scope, need?, reading).await?;
    let answer = Answer::raw(200, context_json(&context)?);
    Ok(answer.seen(call.state, &scope, &context.frontier))
}

fn need(body: &mut Body<'_>, most: usize) -> Result<Need> {
    let max_tokens = body.whole("max_tokens", 1, MAX_TOKENS);
    if max_tokens.is_none() {
        body.refuse(
            "max_tokens",
            "max_tokens is missing: say how many tokens the context may have",
        );
    }
    let query = body.string("query");
    if query.as_ref().is_some_and(|query| query.len() > most) {
        body.refuse("query", format!("query has more than {most} bytes"));
    }
    // Memories and summaries do not exist yet: the flags are taken, and there is nothing to leave out.
    body.flag("include_memories", true);
    body.flag("include_summaries", true);
    let session = body.string("session_id");
    Ok(Need {
        session: session.map(|id| SessionId::parse(&id).map(|id| id.to_string())).transpose()?,
        query,
        max_tokens: max_tokens.unwrap_or(1),
        include_conversations: body.flag("include_conversations", true),
        same_session_boost: body.number("same_session_boost", 0.0, 100.0),
    })
}

fn context_json(context: &Context) -> Result<String> {
    let packed = &context.packed;
    let relevant = packed.relevant.iter().map(|candidate| used(candidate, "relevant"));
    let recent = packed.recent.iter().map(|(candidate, why)| used(candidate, why.name()));
    let used = Value::Array(relevant.chain(recent).collect());
    let text = Value::from(packed.text.as_str());
    let (messages, tokens) = (chat(context)?.join(","), packed.tokens);
    let through = &context.indexed_through;
    Ok(format!(
        "{{\"context\":{text},\"messages\":[{messages}],\"memories\":[],\"summary\":null,\
         \"tokens\":{tokens},\"used\":{used},\"indexed_through\":\"{through}\"}}"
    ))
}

fn used(candidate: &Candidate, why: &str) -> Value {
    let (session, id) = &candidate.id;
    json!({"id": id, "session_id": session, "why": why})
}

/// The same for a chat API, a JSON text each: what is relevant as one quoted message, then the newest turns as they are
/// stored. A system role stands only where a service key wrote it.
pub fn chat(context: &Context) -> Result<Vec<String>> {
    let packed = &context.packed;
    let mut messages = Vec::new();
    if !packed.relevant.is_empty() {
        let quotes: String = packed.relevant.iter().map(|c| quoted(c, &context.marker)).collect();
        let content = format!("Earlier messages that may matter:\n{quotes}");
        messages.push(json!({"role": "user", "content": content}).to_string());
    }
    for (candidate, _) in &packed.recent {
        let stored_as = context.recent.iter().find(|message| message.id == candidate.id.1);
        match stored_as {
            Some(message) if candidate.role != Role::System || candidate.trusted => {
                let array = openai::openai_array([stored(message, &noun(message)?)?], false);
                messages.push(item(&array).to_owned());
            }
            _ => messages.push(json!({"role": "user", "content": candidate.text}).to_string()),
        }
    }
    Ok(messages)
}

/// The one item of an array's text.
fn item(array: &str) -> &str {
    array.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(array)
}
