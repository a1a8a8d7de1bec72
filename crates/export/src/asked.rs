//! What an export was asked to take, and how.

use holdfast_core::clock::parse_rfc3339;
use holdfast_core::message::Message;
use holdfast_formats::training::{Format, Shares};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// A request for an export, as `_work/asked.json` keeps it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Asked {
    /// Version of this form: 1.
    pub v: u32,
    /// What is written.
    pub format: Format,
    /// What is taken.
    pub selection: Selection,
    /// Shares of the split.
    pub shares: Shares,
    /// Seed of the split.
    pub seed: u64,
    /// Replace personal data.
    pub anonymize: bool,
    /// Take systems, assistants and tools from keys of users as well.
    pub untrusted: bool,
    /// Unix milliseconds: what had been written by then.
    pub as_of: u64,
    /// Unix milliseconds: when it was begun.
    pub created: u64,
    /// Key id of who began it.
    pub by: String,
    /// The one user whose key began it: who sees it.
    pub owner: Option<String>,
}

/// Which sessions and messages are taken: all that nothing here excludes.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Selection {
    /// Only these users; all when empty.
    #[serde(default)]
    pub users: Vec<String>,
    /// Only sessions with these ids; all when empty.
    #[serde(default)]
    pub sessions: Vec<String>,
    /// Unix milliseconds: only messages of then or later, by the caller's time, else by when they were stored.
    #[serde(default)]
    pub from: Option<u64>,
    /// Only messages before.
    #[serde(default)]
    pub to: Option<u64>,
    /// Only sessions whose metadata have these values.
    #[serde(default)]
    pub metadata: Map<String, Value>,
}

impl Selection {
    /// Is this session taken?
    pub fn takes_session(&self, id: &str, metadata: &Map<String, Value>) -> bool {
        let named = self.sessions.is_empty() || self.sessions.iter().any(|one| one == id);
        named && self.metadata.iter().all(|(name, value)| metadata.get(name) == Some(value))
    }

    /// Is a message taken that was stored at this time?
    pub fn takes_message(&self, message: &Message, stored: u64) -> bool {
        let said = message.event_time.as_deref().and_then(|text| parse_rfc3339(text).ok());
        let at = said.unwrap_or(stored);
        self.from.is_none_or(|from| at >= from) && self.to.is_none_or(|to| at < to)
    }
}
