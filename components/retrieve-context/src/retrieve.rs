//! Retrieving a context: what is known, the newest turns, what is relevant to the question, packed to a budget of tokens.

use crate::known::{Covering, before, known};
use crate::search::{Hit, Query, default_boosts, search};
use holdfast_core::clock::rfc3339;
use holdfast_core::context::{Candidate, Choice, Packed, Recent, pack};
use holdfast_core::facts::{EntryRules, Fact, FactKind};
use holdfast_core::message::Role;
use holdfast_core::token::Frontier;
use holdfast_core::{Hlc, Result, Scope, token};
use holdfast_kit::index::{self, Message, Mode, Page, Reading, Thing};
use holdfast_kit::read::noun;
use holdfast_kit::{State, tokens};
use std::collections::{HashMap, HashSet};

/// Newest messages of the session that may go in.
const RECENT: u32 = 200;
/// Relevant messages that may go in.
const RELEVANT: u32 = 30;
/// Relevant messages of which the other half of the turn may go in too.
const HALVES: usize = 6;
/// A quoted message takes at least so many tokens for its frame: more of them than fit need not be looked at.
const FRAME: u32 = 24;

/// What a context is for.
pub struct Need {
    /// The session that goes on.
    pub session: Option<String>,
    /// What is asked; the newest user message of the session when none.
    pub query: Option<String>,
    /// Tokens, at most.
    pub max_tokens: u32,
    /// Messages of other sessions may take part.
    pub include_conversations: bool,
    /// Memories and preferences may take part.
    pub include_memories: bool,
    /// Summaries of what is cut of the session may take part.
    pub include_summaries: bool,
    /// Boost of the session's own messages, in z-scores; the recipe's when none.
    pub same_session_boost: Option<f32>,
    /// How context entries of the session are merged.
    pub entries: EntryRules,
}

/// A packed context, and what it saw.
pub struct Context {
    /// What is packed.
    pub packed: Packed,
    /// The session's newest messages, as they are stored.
    pub recent: Vec<Message>,
    /// The memories that may be in it, by id.
    pub memories: HashMap<String, Thing>,
    /// Messages of the conversation before this one.
    pub before: HashSet<(String, String)>,
    /// Messages beside those that the search found.
    pub beside: HashSet<(String, String)>,
    /// What the search gave, by kind and id.
    pub scores: HashMap<(String, String), f32>,
    /// The marker of quoted blocks.
    pub marker: String,
    /// Order of the newest message that took part; empty when there is none.
    pub indexed_through: String,
    /// What the answer saw.
    pub frontier: Frontier,
}

impl Context {
    /// The summaries in it, oldest first; none when there are none.
    pub fn summary(&self) -> Option<String> {
        let facts = self.packed.facts.iter().rev();
        let texts = facts.filter(|fact| fact.kind == FactKind::Summary).map(|fact| &*fact.text);
        Some(texts.collect::<Vec<_>>().join("\n")).filter(|text| !text.is_empty())
    }

    /// Why an older message is in it.
    pub fn why(&self, id: &(String, String)) -> &'static str {
        match id {
            id if self.before.contains(id) => "continuity",
            id if self.beside.contains(id) => "neighbour",
            _ => "relevant",
        }
    }
}

/// Packs what is known, the newest turns verbatim, then what is relevant, into the budget.
pub async fn retrieve(
    state: &State,
    scope: &Scope,
    need: Need,
    reading: Reading,
) -> Result<Context> {
    let (newest, mut frontier) = newest(scope, &need, &reading).await?;
    let mut indexed_through = newest.last().map(|m| m.order.clone()).unwrap_or_default();
    let (mut relevant, mut shown) = (Vec::new(), Vec::new());
    let (mut found, mut scores) = (Vec::new(), HashMap::new());
    if let Some(text) = question(&need, &newest)? {
        // The first call has brought the view up to date: this one asks the same view.
        let (consistency, after) = (index::Consistency::Local, reading.after);
        let reading = Reading { consistency, after, as_of: None };
        let asked = search(scope, query(&need, text), reading).await?;
        indexed_through = indexed_through.max(asked.indexed_through);
        frontier = frontier.joined(&asked.frontier);
        for hit in asked.hits {
            let score = hit.score();
            match hit {
                Hit::Message(hit) => {
                    scores.insert(("message".to_owned(), hit.message.id.clone()), score);
                    relevant.push(candidate(&hit.message)?);
                    shown.push(hit.message);
                }
                Hit::Memory(hit) => {
                    scores.insert(("memory".to_owned(), hit.thing.id.clone()), score);
                    found.push((hit.thing, score));
                }
            }
        }
    }
    let before = before(scope, &need, &newest, now(state)).await?;
    let beside = beside(scope, &need, &shown).await?;
    let continued = join(&mut relevant, &before)?;
    let halves = join(&mut relevant, &beside)?;
    let mut known = known(scope, &need, found).await?;
    let messages = newest.iter().chain(&before).chain(&shown).chain(&beside);
    let orders = messages.map(|message| &message.order).chain(known.orders.iter());
    let marker = marker(state, scope, orders);
    let count = |texts: &[String]| tokens::count(texts).into_iter().map(|n| n as usize).collect();
    let budget = need.max_tokens as usize;
    let mut recent = Recent::within(budget, newest.iter().rev().map(candidate), &marker, &count)?;
    if newest.len() >= most(&need) as usize {
        recent = recent.after_others();
    }
    let packing = |facts: &[Fact]| {
        let (recent, relevant) = (&recent, &relevant);
        pack(&Choice { facts, recent, relevant, budget, marker: &marker }, &count)
    };
    let mut packed = packing(&known.facts);
    let cut = cut(&known.summaries, &packed, &newest);
    if !cut.is_empty() {
        known.facts.splice(0..0, cut);
        packed = packing(&known.facts);
    }
    let (memories, recent) = (known.memories, newest);
    let (before, beside) = (continued, halves);
    Ok(Context {
        packed,
        recent,
        memories,
        before,
        beside,
        scores,
        marker,
        indexed_through,
        frontier,
    })
}

/// Adds those that are not there yet: their names.
fn join(relevant: &mut Vec<Candidate>, messages: &[Message]) -> Result<HashSet<(String, String)>> {
    let mut joined = HashSet::new();
    for message in messages {
        let candidate = candidate(message)?;
        if relevant.iter().all(|known| known.id != candidate.id) {
            joined.insert(candidate.id.clone());
            relevant.push(candidate);
        }
    }
    Ok(joined)
}

/// The other half of the turn of each of the first of these: what came after a user's message, and before any other.
async fn beside(scope: &Scope, need: &Need, found: &[Message]) -> Result<Vec<Message>> {
    let mut all = Vec::new();
    for message in found.iter().take(HALVES.min((need.max_tokens / FRAME) as usize)) {
        let descending = noun(message)?.role != Role::User;
        let page = Page { after: Some(message.order.clone()), rank: None, limit: 1, descending };
        let local = Reading { consistency: index::Consistency::Local, after: None, as_of: None };
        let session = message.session.clone();
        all.extend(index::history(scope.into(), session, page, local).await?.items);
    }
    Ok(all)
}

/// Newest messages that are looked at.
fn most(need: &Need) -> u32 {
    RECENT.min(need.max_tokens / FRAME + 1)
}

/// Summaries of what the packed context does not hold verbatim, newest first.
fn cut(summaries: &[Covering], packed: &Packed, newest: &[Message]) -> Vec<Fact> {
    let oldest = packed.recent.first().map(|(candidate, _)| &candidate.id.1);
    let begins = oldest.and_then(|id| newest.iter().find(|message| message.id == *id));
    // Orders sort as their texts do.
    let is_cut = |one: &&Covering| begins.is_none_or(|message| one.first < message.order);
    summaries.iter().rev().filter(is_cut).map(|one| one.fact.clone()).collect()
}

/// The session's newest messages, oldest first; without a session the user is brought up to date all the same.
async fn newest(scope: &Scope, need: &Need, reading: &Reading) -> Result<(Vec<Message>, Frontier)> {
    if let Some(session) = &need.session {
        let page = Page { after: None, rank: None, limit: most(need), descending: true };
        let found = index::history(scope.into(), session.clone(), page, reading.clone()).await?;
        let mut items = found.items;
        items.reverse();
        return Ok((items, found.frontier.into()));
    }
    let found = index::find_user(scope.into(), reading.clone()).await?;
    Ok((Vec::new(), found.frontier.into()))
}

/// What is asked; without a query what the newest user message says.
fn question(need: &Need, newest: &[Message]) -> Result<Option<String>> {
    let mut text = need.query.clone();
    for message in newest.iter().rev() {
        if text.is_some() {
            break;
        }
        let message = noun(message)?;
        text = (message.role == Role::User).then(|| message.text());
    }
    Ok(text.filter(|text| !text.trim().is_empty()))
}

fn query(need: &Need, text: String) -> Query {
    let mut boosts = default_boosts();
    boosts.same_session = need.same_session_boost.unwrap_or(boosts.same_session);
    Query {
        text,
        session: need.session.clone().filter(|_| !need.include_conversations),
        from_session: need.session.clone(),
        filters: None,
        top_k: RELEVANT.min(need.max_tokens / FRAME + 1),
        threshold: None,
        mode: Mode::Hybrid,
        boosts,
        conversations: true,
        memories: need.include_memories,
    }
}

/// Unix milliseconds, by the store's clock.
fn now(state: &State) -> u64 {
    state.bucket.now()
}

fn candidate(found: &Message) -> Result<Candidate> {
    let message = noun(found)?;
    let stored_at = || rfc3339(Hlc(found.at).milliseconds());
    Ok(Candidate {
        id: (found.session.clone(), found.id.clone()),
        role: message.role,
        trusted: found.trusted,
        time: message.event_time.clone().unwrap_or_else(stored_at),
        text: message.text(),
        calls: message.tool_call_ids(),
        answers: message.tool_call_id,
        name: message.name,
    })
}

/// The marker of quoted blocks: the same for the same view and question, and nobody who writes messages can guess it.
fn marker<'a>(state: &State, scope: &Scope, orders: impl Iterator<Item = &'a String>) -> String {
    let mut parts: Vec<&[u8]> = vec![b"marker", scope.tenant.as_str().as_bytes()];
    parts.push(scope.user.as_str().as_bytes());
    // Orders are ours, and no two records share one.
    for order in orders {
        parts.push(order.as_bytes());
    }
    let mac = token::mac(state.settings.root_secret.as_bytes(), &parts);
    mac.iter().take(4).map(|byte| format!("{byte:02x}")).collect()
}
