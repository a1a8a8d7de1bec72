//! Things as native types: what goes in and out of a view.

use crate::types::{Message, Session};
use holdfast_core::Hlc;
use holdfast_core::fold;
use holdfast_core::record::WriterKind;
use holdfast_core::token::Frontier;
use holdfast_search::Stage;
use serde_json::{Map, Value};

/// Which things a list holds.
#[derive(Debug, Clone, Default)]
pub struct Selection {
    /// `memory`, `preference`, `context`, `relationship`, `feedback` or `summary`.
    pub kind: String,
    /// The session that they lie in, for a kind of sessions.
    pub session: Option<String>,
    /// Only things that pass this filter: JSON.
    pub filter: Option<String>,
}

/// One record of a thing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    /// Its order.
    pub order: String,
    /// Its hybrid time.
    pub at: Hlc,
    /// Key id of its writer.
    pub by: String,
    /// A service key wrote it.
    pub trusted: bool,
    /// JSON text of the thing.
    pub body: String,
    /// JSON text of what it was made of.
    pub sources: String,
}

/// One thing of the fold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Thing {
    /// Its kind.
    pub kind: String,
    /// Its session, where it has one.
    pub session: Option<String>,
    /// Its id.
    pub id: String,
    /// Hybrid time of its first record.
    pub created_at: Hlc,
    /// The record that stands.
    pub last: Version,
    /// JSON text of everything that it was made of.
    pub sources: String,
}

/// Things by when they were last changed.
#[derive(Debug, Clone)]
pub struct ThingPage {
    /// The page.
    pub items: Vec<Thing>,
    /// `after` of the next page, when more follow.
    pub next: Option<String>,
    /// What the answer saw.
    pub frontier: Frontier,
}

/// One thing, its history, and what the answer saw.
#[derive(Debug, Clone)]
pub struct FoundThing {
    /// The thing, when there is one.
    pub item: Option<Thing>,
    /// Its records, oldest first.
    pub history: Vec<Version>,
    /// There is none because it was deleted or has ended.
    pub deleted: bool,
    /// What the answer saw.
    pub frontier: Frontier,
}

/// One answer to a question over things.
#[derive(Debug, Clone, PartialEq)]
pub struct ThingHit {
    /// The thing.
    pub thing: Thing,
    /// In [0, 1]; calibrated.
    pub score: f32,
    /// How it got its place.
    pub stages: Vec<Stage>,
}

/// The answer to a question over things.
#[derive(Debug, Clone)]
pub struct ThingRecall {
    /// Best first.
    pub hits: Vec<ThingHit>,
    /// Things that have no vector in the index's space yet.
    pub pending: u32,
    /// What the answer saw.
    pub frontier: Frontier,
}

/// One thing of a timeline.
#[derive(Debug, Clone)]
pub enum Moment {
    /// A message.
    Message(Message),
    /// A session.
    Session(Session),
    /// A memory.
    Memory(Thing),
}

/// A part of a timeline.
#[derive(Debug, Clone)]
pub struct Timeline {
    /// Newest first.
    pub items: Vec<Moment>,
    /// `after` and `rank` of the next page, when more follows.
    pub next: Option<(String, u32)>,
    /// What the answer saw.
    pub frontier: Frontier,
}

pub(super) fn version(version: &fold::Version) -> Version {
    Version {
        order: version.order.to_string(),
        at: version.order.hlc,
        by: version.by.key.clone(),
        trusted: version.by.kind == WriterKind::Service,
        body: version.text.to_string(),
        sources: serde_json::to_string(&version.sources).unwrap_or_default(),
    }
}

pub(super) fn thing(found: &fold::FoundThing<'_>) -> Option<Thing> {
    Some(Thing {
        kind: found.kind.name().to_owned(),
        session: found.session.map(str::to_owned),
        id: found.id.to_owned(),
        created_at: found.created(),
        last: version(found.last()?),
        sources: serde_json::to_string(&found.sources()).unwrap_or_default(),
    })
}

/// The fields of a thing as filters name them.
pub(super) fn fields(found: &fold::FoundThing<'_>) -> Value {
    let Some(last) = found.last() else { return Value::Null };
    let mut fields: Map<String, Value> = serde_json::from_str(&last.text).unwrap_or_default();
    // The caller's JSON and numbers are kept as their texts.
    for name in ["metadata", "importance", "relevance_score"] {
        if let Some(Value::String(text)) = fields.get(name) {
            let parsed = serde_json::from_str(text).unwrap_or(Value::Null);
            fields.insert(name.to_owned(), parsed);
        }
    }
    if let Some(Value::String(text)) = fields.get("text") {
        let hash = holdfast_core::memory::content_hash(text);
        fields.insert("content_hash".to_owned(), hash.into());
    }
    if let Some((kind, _)) = found.id.split_once('/').filter(|_| found.kind.in_session()) {
        fields.insert("type".to_owned(), kind.into());
    }
    let mut sessions: Vec<_> = found.sources().iter().map(|s| s.session.to_string()).collect();
    sessions.sort_unstable();
    sessions.dedup();
    let changed = last.order.hlc.milliseconds();
    for (name, value) in [
        ("id", Value::from(found.id)),
        ("session_id", Value::from(found.session)),
        ("source_sessions", Value::from(sessions)),
        ("created_at", found.created().milliseconds().into()),
        ("updated_at", changed.into()),
        ("stored_at", changed.into()),
        ("expires_at", last.expires_at.into()),
    ] {
        fields.insert(name.to_owned(), value);
    }
    Value::Object(fields)
}
