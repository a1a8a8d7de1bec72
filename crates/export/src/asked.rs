//! What an export was asked to take, and how.

use crate::source::Feedback;
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
    /// Only sessions in which somebody said this of a message.
    #[serde(default)]
    pub feedback: Option<Rated>,
}

/// What people may have said of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rated {
    /// It is good.
    Up,
    /// It is bad, or there is something better to say.
    Down,
    /// Anything.
    Any,
}

impl Rated {
    /// Name as requests spell it.
    pub fn name(self) -> &'static str {
        match self {
            Rated::Up => "up",
            Rated::Down => "down",
            Rated::Any => "any",
        }
    }

    /// All of them.
    pub const ALL: [Self; 3] = [Rated::Up, Rated::Down, Rated::Any];

    fn is_said_by(self, feedback: &Feedback) -> bool {
        match self {
            Rated::Up => feedback.good == Some(true),
            Rated::Down => feedback.good == Some(false) || feedback.better_answer.is_some(),
            Rated::Any => true,
        }
    }
}

impl Selection {
    /// Is a session taken of which this was said?
    pub fn takes_feedback(&self, said: &[Feedback]) -> bool {
        self.feedback.is_none_or(|rated| said.iter().any(|one| rated.is_said_by(one)))
    }

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
