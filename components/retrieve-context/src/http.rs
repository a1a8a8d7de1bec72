//! `POST /v1/search` and `POST /v1/context` over HTTP.

use crate::retrieve::{Context, Need, retrieve};
use crate::search::{Hit, MAX_TOP_K, Query, TOP_K, default_boosts, mode, mode_name, search};
use holdfast_core::access::Permission;
use holdfast_core::context::{Candidate, quoted};
use holdfast_core::facts::{self, EntryRules, FactKind};
use holdfast_core::message::Role;
use holdfast_core::{Result, SessionId};
use holdfast_formats::{Body, openai, rest};
use holdfast_kit::index::Boosts;
use holdfast_kit::read::{noun, reading, stored};
use holdfast_kit::things::memory_json;
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
    "include_conversations",
    "include_memories",
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
    "entries",
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
    let hits = found.hits.iter().map(|hit| hit_json(hit, explain)).collect::<Result<Vec<_>>>()?;
    let (hits, mode) = (hits.join(","), mode_name(found.mode));
    let (through, pending) = (&found.indexed_through, found.pending);
    let json = format!(
        "{{\"data\":[{hits}],\"indexed_through\":\"{through}\",\"pending\":{pending},\"mode\":\"{mode}\"}}"
    );
    Ok(Answer::raw(200, json).seen(call.state, &scope, &found.frontier))
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
        conversations: body.flag("include_conversations", true),
        memories: body.flag("include_memories", true),
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
    let stages = hit.stages().iter().map(|stage| (stage.name.clone(), json!(stage.value)));
    let stages = Value::Object(stages.collect());
    let explain = if explain { format!(",\"explain\":{stages}") } else { String::new() };
    let score = hit.score();
    let (kind, shown, session) = match hit {
        Hit::Message(hit) => {
            let noun = noun(&hit.message)?;
            let message = rest::message_json(&stored(&hit.message, &noun)?);
            ("message", message, Value::from(hit.message.session.as_str()))
        }
        Hit::Memory(hit) => ("memory", memory_json(&hit.thing, "")?, Value::Null),
    };
    Ok(format!(
        "{{\"type\":\"{kind}\",\"{kind}\":{shown},\"session_id\":{session},\"score\":{score}{explain}}}"
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
    let explain = body.flag("explain", false);
    body.close()?;
    let scope = call.scope(&caller, user_id.as_deref())?;
    let reading = reading(consistency.as_deref(), call.after(&scope)?)?;
    let context = retrieve(call.state, &scope, need?, reading).await?;
    let answer = Answer::raw(200, context_json(&context, explain)?);
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
    let session = body.string("session_id");
    Ok(Need {
        session: session.map(|id| SessionId::parse(&id).map(|id| id.to_string())).transpose()?,
        query,
        max_tokens: max_tokens.unwrap_or(1),
        include_conversations: body.flag("include_conversations", true),
        include_memories: body.flag("include_memories", true),
        include_summaries: body.flag("include_summaries", true),
        same_session_boost: body.number("same_session_boost", 0.0, 100.0),
        entries: entries(body)?,
    })
}

/// How context entries are merged: F3's parameters.
fn entries(body: &mut Body<'_>) -> Result<EntryRules> {
    const KNOWN: &[&str] = &["min_relevance", "min_similarity", "max", "max_chars"];
    let default = EntryRules::default();
    let Some(text) = body.object("entries", 1024) else { return Ok(default) };
    let limits = holdfast_formats::Limits::default();
    let mut inner = Body::open(text.as_bytes(), &limits, "entries", KNOWN)?;
    let count = |number: Option<u32>, default: usize| number.map_or(default, |n| n as usize);
    let rules = EntryRules {
        min_relevance: inner
            .number("min_relevance", 0.0, 1.0)
            .map_or(default.min_relevance, f64::from),
        min_similarity: inner
            .number("min_similarity", 0.0, 1.0)
            .map_or(default.min_similarity, f64::from),
        max: count(inner.whole("max", 0, 1_000), default.max),
        max_chars: count(inner.whole("max_chars", 0, 1_000_000), default.max_chars),
    };
    inner.close().map_err(|e| {
        let at = format!("/entries{}", e.field.clone().unwrap_or_default());
        e.at(at)
    })?;
    Ok(rules)
}

fn context_json(context: &Context, explain: bool) -> Result<String> {
    let packed = &context.packed;
    let score = |kind: &str, id: &str, mut used: Value| {
        if explain
            && let Some(score) = context.scores.get(&(kind.to_owned(), id.to_owned()))
            && let Some(object) = used.as_object_mut()
        {
            object.insert("score".to_owned(), json!(score));
        }
        used
    };
    let facts = packed.facts.iter().map(|fact| {
        let kind = fact.kind.name();
        score(kind, &fact.id, json!({"type": kind, "id": fact.id, "why": fact.why}))
    });
    let relevant = packed.relevant.iter().map(|candidate| {
        let why = context.why(&candidate.id);
        score("message", &candidate.id.1, used(candidate, why))
    });
    let recent = packed.recent.iter().map(|(candidate, why)| used(candidate, why.name()));
    let used = Value::Array(facts.chain(relevant).chain(recent).collect());
    let memories = packed.facts.iter().filter(|fact| fact.kind == FactKind::Memory);
    let memories = memories.filter_map(|fact| context.memories.get(&fact.id));
    let memories: Vec<String> =
        memories.map(|thing| memory_json(thing, "")).collect::<Result<_>>()?;
    let memories = memories.join(",");
    let summary = Value::from(context.summary());
    let text = Value::from(packed.text.as_str());
    let (messages, tokens) = (chat(context)?.join(","), packed.tokens);
    let through = &context.indexed_through;
    Ok(format!(
        "{{\"context\":{text},\"messages\":[{messages}],\"memories\":[{memories}],\"summary\":{summary},\
         \"tokens\":{tokens},\"used\":{used},\"indexed_through\":\"{through}\"}}"
    ))
}

fn used(candidate: &Candidate, why: &str) -> Value {
    let (session, id) = &candidate.id;
    json!({"type": "message", "id": id, "session_id": session, "why": why})
}

/// The same for a chat API, a JSON text each: what is relevant as one quoted message, then the newest turns as they are
/// stored. A system role stands only where a service key wrote it.
pub fn chat(context: &Context) -> Result<Vec<String>> {
    let packed = &context.packed;
    let mut messages = Vec::new();
    if !packed.facts.is_empty() {
        let facts: String =
            packed.facts.iter().map(|fact| facts::quoted(fact, &context.marker)).collect();
        let content = format!("What is known:\n{facts}");
        messages.push(json!({"role": "user", "content": content}).to_string());
    }
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
