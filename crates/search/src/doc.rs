//! A message as the index takes it in, and what the index keeps of it.

use crate::Language;
use half::f16;
use serde_json::Value;

/// Number of a message in its index, in the order of arrival. Means nothing outside the index that gave it.
pub type DocNo = u32;

/// One vector of a chunk of a message, in the index's embedding space.
#[derive(Debug, Clone, PartialEq)]
pub struct ChunkVector {
    /// First byte of the chunk in the message's text.
    pub start: u32,
    /// End (exclusive) of the chunk in the message's text.
    pub end: u32,
    /// Components as stored: finite and not all zero. What is searched is exactly these, decoded.
    pub values: Vec<f16>,
}

/// A message on its way into the index.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Doc {
    /// The message's id.
    pub id: String,
    /// The session.
    pub session: String,
    /// Place among all records of the user: text order is journal order. Decides ties and who is whose neighbour.
    pub order: String,
    /// `system`, `user`, `assistant` or `tool`.
    pub role: String,
    /// The message's own `name` field, for filters.
    pub name: Option<String>,
    /// Display name of who speaks; `name`, then `role`, serve where there is none.
    pub speaker: Option<String>,
    /// The message's text.
    pub text: String,
    /// When it happened, by the caller: Unix milliseconds.
    pub event_time: Option<u64>,
    /// When it was stored: Unix milliseconds.
    pub stored_at: u64,
    /// The message it answers.
    pub parent_id: Option<String>,
    /// The tool call that it answers.
    pub tool_call_id: Option<String>,
    /// The caller's metadata: an object.
    pub metadata: Option<Value>,
    /// Fields beside those of a message, by their names in filters; such a thing is of no session.
    pub attributes: Option<Value>,
    /// Its vectors in the index's space; empty: the message is pending and takes part by words.
    pub vectors: Vec<ChunkVector>,
}

impl Doc {
    /// Who speaks: display name, else `name`, else the role.
    pub fn label(&self) -> &str {
        self.speaker.as_deref().or(self.name.as_deref()).unwrap_or(&self.role)
    }
}

/// What the index keeps of a message, beside its words and vectors.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// The message's id.
    pub id: Box<str>,
    /// Place among all records of the user.
    pub order: Box<str>,
    /// Number of its session in this index.
    pub session: u32,
    /// Number of its role in this index.
    pub role: u32,
    /// Number of its speaker in this index; none where the role serves.
    pub speaker: Option<u32>,
    /// Number of its `name` in this index.
    pub name: Option<u32>,
    /// When it happened: Unix milliseconds.
    pub event_time: Option<u64>,
    /// When it was stored: Unix milliseconds.
    pub stored_at: u64,
    /// The message it answers.
    pub parent_id: Option<Box<str>>,
    /// The tool call that it answers.
    pub tool_call_id: Option<Box<str>>,
    /// The caller's metadata.
    pub metadata: Option<Box<Value>>,
    /// Fields that messages do not have.
    pub attributes: Option<Box<Value>>,
    /// The language that its text was taken to be in.
    pub language: Language,
    /// False once it was removed.
    pub live: bool,
    /// It has text, so that a vector can be made of it.
    pub embeddable: bool,
}

impl Entry {
    /// What stands for a message that is not there.
    pub(crate) fn hole() -> Self {
        Self {
            id: Box::default(),
            order: Box::default(),
            session: u32::MAX,
            role: u32::MAX,
            speaker: None,
            name: None,
            event_time: None,
            stored_at: 0,
            parent_id: None,
            tool_call_id: None,
            metadata: None,
            attributes: None,
            language: Language::Other,
            live: false,
            embeddable: false,
        }
    }

    /// `metadata.archived` is true: hidden unless the filter speaks of it.
    pub fn archived(&self) -> bool {
        let archived = self.metadata.as_ref().and_then(|metadata| metadata.get("archived"));
        archived == Some(&Value::Bool(true))
    }
}
