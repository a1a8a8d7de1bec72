//! What is known beside the conversation: preferences, memories, context entries, summaries; and the conversation before this one.

use crate::retrieve::Need;
use holdfast_core::context::goes_on;
use holdfast_core::facts::{Fact, FactKind, merged};
use holdfast_core::memory::Memory;
use holdfast_core::summary::Summary;
use holdfast_core::thing::ThingKind;
use holdfast_core::{Hlc, Result, Scope, SessionId};
use holdfast_kit::index::{self, Consistency, Message, Page, Reading, Thing};
use holdfast_kit::things::{all, sources};
use serde_json::{Value, json};
use std::collections::HashMap;

/// Memories of at least this importance belong to the profile: they need no question.
const PROFILE: f64 = 0.8;
/// Memories of the profile, at most.
const PROFILE_MEMORIES: usize = 20;
/// A memory that answers the question with less than this score is left out.
const LEAST_SCORE: f32 = 0.05;
/// Preferences, at most.
const PREFERENCES: usize = 50;
/// Messages of the conversation before, at most.
const BEFORE: u32 = 4;

/// What is known, the most important first.
pub struct Known {
    /// As facts of a context.
    pub facts: Vec<Fact>,
    /// The memories among them, by id.
    pub memories: HashMap<String, Thing>,
    /// The session in short, in the order of what is covered; not among the facts yet.
    pub summaries: Vec<Covering>,
    /// Orders of all records among them.
    pub orders: Vec<String>,
}

/// A summary, and where what it covers begins.
pub struct Covering {
    /// Order of the first message, as text.
    pub first: String,
    /// The summary as a fact.
    pub fact: Fact,
}

fn local() -> Reading {
    Reading { consistency: Consistency::Local, after: None, as_of: None }
}

/// What is known; `found` are the memories that the question found, best first. The view has been brought up to date.
pub async fn known(scope: &Scope, need: &Need, found: Vec<(Thing, f32)>) -> Result<Known> {
    let mut known = Known {
        facts: Vec::new(),
        memories: HashMap::new(),
        summaries: Vec::new(),
        orders: Vec::new(),
    };
    if need.include_memories {
        preferences(scope, &mut known).await?;
        profile(scope, &mut known).await?;
        for (thing, score) in found {
            if score >= LEAST_SCORE {
                known.remember(thing, "relevant")?;
            }
        }
    }
    if let Some(session) = &need.session {
        let session = SessionId::parse(session)?;
        entries(scope, &session, need, &mut known).await?;
        if need.include_summaries {
            summaries(scope, &session, &mut known).await?;
        }
    }
    Ok(known)
}

impl Known {
    fn remember(&mut self, thing: Thing, why: &'static str) -> Result<()> {
        if self.memories.contains_key(&thing.id) {
            return Ok(());
        }
        let text = Memory::read(&thing.last.body)?.text;
        self.facts.push(Fact { kind: FactKind::Memory, id: thing.id.clone(), text, why });
        self.orders.push(thing.last.order.clone());
        self.memories.insert(thing.id.clone(), thing);
        Ok(())
    }
}

async fn preferences(scope: &Scope, known: &mut Known) -> Result<()> {
    let (mut found, _) = all(scope, (ThingKind::Preference, None, None), local()).await?;
    found.reverse();
    let mut left = PREFERENCES;
    for thing in found {
        let held: Value = serde_json::from_str(&thing.last.body).unwrap_or_default();
        // What is sensitive is not put before a model.
        let plain = held.get("sensitive") != Some(&Value::Bool(true));
        let Some(text) = held.get("value").and_then(Value::as_str).filter(|_| plain) else {
            continue;
        };
        if left == 0 {
            break;
        }
        left -= 1;
        let (kind, text, id) = (FactKind::Preference, plain_text(text), thing.id);
        known.facts.push(Fact { kind, id, text, why: "preference" });
        known.orders.push(thing.last.order);
    }
    Ok(())
}

/// What JSON text says: a string as it is, anything else as its text.
fn plain_text(json: &str) -> String {
    serde_json::from_str(json).unwrap_or_else(|_| json.to_owned())
}

async fn profile(scope: &Scope, known: &mut Known) -> Result<()> {
    let filter = json!({"importance": {"gte": PROFILE}}).to_string();
    let (found, _) = all(scope, (ThingKind::Memory, None, Some(filter)), local()).await?;
    let mut weighed = found
        .into_iter()
        .map(|thing| Ok((Memory::read(&thing.last.body)?.weight(), thing)))
        .collect::<Result<Vec<_>>>()?;
    weighed.sort_by(|(x, a), (y, b)| y.total_cmp(x).then_with(|| b.last.order.cmp(&a.last.order)));
    weighed.truncate(PROFILE_MEMORIES);
    weighed.into_iter().try_for_each(|(_, thing)| known.remember(thing, "profile"))
}

async fn entries(scope: &Scope, session: &SessionId, need: &Need, known: &mut Known) -> Result<()> {
    let (found, _) = all(scope, (ThingKind::Context, Some(session), None), local()).await?;
    let mut candidates = Vec::new();
    for thing in found {
        let held: Value = serde_json::from_str(&thing.last.body).unwrap_or_default();
        let relevance = held.get("relevance_score").and_then(Value::as_str);
        let relevance = relevance.and_then(|text| text.parse().ok()).unwrap_or(0.0);
        let Some(text) = held.get("value").and_then(Value::as_str) else { continue };
        let (kind, text, id) = (FactKind::Context, plain_text(text), thing.id);
        known.orders.push(thing.last.order);
        candidates.push((Fact { kind, id, text, why: "context" }, relevance));
    }
    known.facts.extend(merged(candidates, &need.entries));
    Ok(())
}

async fn summaries(scope: &Scope, session: &SessionId, known: &mut Known) -> Result<()> {
    let (found, _) = all(scope, (ThingKind::Summary, Some(session), None), local()).await?;
    for thing in found {
        let text = Summary::read(&thing.last.body)?.text;
        let first = sources(&thing.last.sources)?.first().map(|source| source.order.to_string());
        let Some(first) = first.filter(|_| !text.is_empty()) else { continue };
        known.orders.push(thing.last.order);
        let fact = Fact { kind: FactKind::Summary, id: thing.id, text, why: "summary" };
        known.summaries.push(Covering { first, fact });
    }
    known.summaries.sort_by(|a, b| a.first.cmp(&b.first));
    Ok(())
}

/// The newest messages of the conversation before this one, oldest first, when it was within the last 24 h.
pub async fn before(
    scope: &Scope,
    need: &Need,
    newest: &[Message],
    now: u64,
) -> Result<Vec<Message>> {
    if !need.include_conversations {
        return Ok(Vec::new());
    }
    let page = Page { after: None, rank: None, limit: 2, descending: true };
    let found = index::list_sessions(scope.into(), page, local()).await?;
    let own = newest.first().map(|message| &message.session).or(need.session.as_ref());
    let other = found.items.into_iter().find(|session| Some(&session.id) != own);
    let lasts = |session: &index::Session| goes_on(Hlc(session.last_activity), now);
    let Some(session) = other.filter(lasts) else { return Ok(Vec::new()) };
    let page = Page { after: None, rank: None, limit: BEFORE, descending: true };
    let found = index::history(scope.into(), session.id, page, local()).await?;
    let mut items = found.items;
    items.reverse();
    Ok(items)
}
