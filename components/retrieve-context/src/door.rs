//! The typed door `context`: the same verbs, in the types of `holdfast:memory`.

use crate::bindings::Door;
use crate::bindings::exports::holdfast::memory::context::{
    Found, Guest, Hit, Need, Packed, Query, SearchPage, Stage, TurnMessage, Used,
};
use crate::retrieve::{self, retrieve};
use crate::search::{self, MAX_TOP_K, TOP_K, default_boosts, mode, mode_name};
use holdfast_core::Result;
use holdfast_core::context::Candidate;
use holdfast_core::facts::EntryRules;
use holdfast_core::message::Role;
use holdfast_kit::index;
use holdfast_kit::read::{after, present, reading};
use holdfast_kit::things::memory_noun;
use holdfast_kit::types::message;
use holdfast_kit::{memory, state};

impl Guest for Door {
    async fn search(
        scope: memory::Scope,
        query: Query,
        how: memory::Reading,
    ) -> Result<SearchPage, memory::Error> {
        Ok(find(scope, query, how).await?)
    }

    async fn retrieve(
        scope: memory::Scope,
        need: Need,
        how: memory::Reading,
    ) -> Result<Packed, memory::Error> {
        Ok(packed(scope, need, how).await?)
    }
}

async fn find(scope: memory::Scope, query: Query, how: memory::Reading) -> Result<SearchPage> {
    let (state, scope) = (state().await?, scope.try_into()?);
    let after = after(state, &scope, how.after.as_deref())?;
    present(&how)?;
    let reading = reading(how.consistency.as_deref(), after)?;
    let query = search::Query {
        text: query.text,
        from_session: query.session.clone(),
        session: query.session,
        filters: query.filters,
        top_k: query.top_k.unwrap_or(TOP_K).clamp(1, MAX_TOP_K),
        threshold: query.threshold,
        mode: mode(query.mode.as_deref())?,
        boosts: default_boosts(),
        conversations: query.include_conversations,
        memories: query.include_memories,
    };
    let found = search::search(&scope, query, reading).await?;
    Ok(SearchPage {
        hits: found.hits.iter().map(hit).collect::<Result<_>>()?,
        indexed_through: found.indexed_through,
        mode: mode_name(found.mode).to_owned(),
        after: state.signer(&scope).after(&found.frontier),
    })
}

fn hit(hit: &search::Hit) -> Result<Hit> {
    let stage = |stage: &index::Stage| Stage { name: stage.name.clone(), value: stage.value };
    let explain = hit.stages().iter().map(stage).collect();
    let found = match hit {
        search::Hit::Message(hit) => Found::Message(message(&hit.message)?),
        search::Hit::Memory(hit) => Found::Memory(memory_noun(&hit.thing)?),
    };
    Ok(Hit { found, score: hit.score(), explain })
}

async fn packed(scope: memory::Scope, need: Need, how: memory::Reading) -> Result<Packed> {
    let (state, scope) = (state().await?, scope.try_into()?);
    let after = after(state, &scope, how.after.as_deref())?;
    present(&how)?;
    let reading = reading(how.consistency.as_deref(), after)?;
    let need = retrieve::Need {
        session: need.session,
        query: need.query,
        max_tokens: need.max_tokens,
        include_conversations: need.include_conversations,
        include_memories: need.include_memories,
        include_summaries: need.include_summaries,
        same_session_boost: None,
        entries: EntryRules::default(),
    };
    let context = retrieve(state, &scope, need, reading).await?;
    let packed = &context.packed;
    let facts = packed.facts.iter().map(|fact| Used {
        kind: fact.kind.name().to_owned(),
        id: fact.id.clone(),
        session: None,
        why: fact.why.to_owned(),
    });
    let relevant =
        packed.relevant.iter().map(|candidate| used(candidate, context.why(&candidate.id)));
    let recent = packed.recent.iter().map(|(candidate, why)| used(candidate, why.name()));
    let used = facts.chain(relevant).chain(recent).collect();
    let messages = packed.recent.iter().map(|(candidate, _)| turn(candidate)).collect();
    Ok(Packed {
        messages,
        used,
        tokens: u32::try_from(packed.tokens).unwrap_or(u32::MAX),
        context: packed.text.clone(),
        after: state.signer(&scope).after(&context.frontier),
    })
}

fn used(candidate: &Candidate, why: &str) -> Used {
    let (session, id) = candidate.id.clone();
    let (kind, session) = ("message".to_owned(), Some(session));
    Used { kind, id, session, why: why.to_owned() }
}

fn turn(candidate: &Candidate) -> TurnMessage {
    let demoted = candidate.role == Role::System && !candidate.trusted;
    let role = if demoted { Role::User } else { candidate.role };
    TurnMessage { role: role.name().to_owned(), content: candidate.text.clone() }
}
