//! The REST form of memories: what a caller sends, and what it is shown.

use crate::body::Body;
use crate::json;
use crate::limits::Limits;
use crate::original::ObjectText;
use crate::problem::Problems;
use holdfast_core::clock::{parse_rfc3339, rfc3339};
use holdfast_core::memory::Memory;
use holdfast_core::thing::Source;
use holdfast_core::{Hlc, SessionId};
use serde_json::Value;

/// A memory as a caller sends it, or a change of one: what is none is not said.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct GivenMemory {
    /// The caller's id.
    pub id: Option<String>,
    /// The statement.
    pub text: Option<String>,
    /// What it is about; `Some(None)` takes it away.
    pub category: Option<Option<String>>,
    /// From 0 to 1, as it came.
    pub importance: Option<String>,
    /// JSON text of an object; `Some(None)` takes it away.
    pub metadata: Option<Option<String>>,
    /// RFC 3339; `Some(None)` takes it away.
    pub expires_at: Option<Option<String>>,
    /// What it is made of.
    pub sources: Option<Vec<GivenSource>>,
}

/// A message, or a part of one, that a memory is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GivenSource {
    /// The session.
    pub session: SessionId,
    /// Id of the message.
    pub message: String,
    /// First byte of the part in the message's text.
    pub start: Option<u32>,
    /// End (exclusive) of the part.
    pub end: Option<u32>,
}

/// Fields of a memory that is saved or changed.
pub const MEMORY: &[&str] = &[
    "id",
    "user_id",
    "text",
    "category",
    "importance",
    "metadata",
    "expires_at",
    "session_id",
    "source_message_ids",
];

/// Reads the fields of a memory; what is wrong is noted in the body.
pub fn read_memory(body: &mut Body<'_>, limits: &Limits) -> GivenMemory {
    let text = body.string("text");
    if text.as_ref().is_some_and(|text| text.trim().is_empty()) {
        body.refuse("text", "text must not be blank");
    }
    let expires_at = given(body, "expires_at", |body| {
        let time = body.string("expires_at")?;
        if let Err(error) = parse_rfc3339(&time) {
            body.refuse("expires_at", error.detail);
        }
        Some(time)
    });
    GivenMemory {
        id: id(body),
        text,
        category: given(body, "category", |body| body.string("category")),
        importance: importance(body),
        metadata: given(body, "metadata", |body| body.object("metadata", limits.metadata_bytes)),
        expires_at,
        sources: sources(body, limits),
    }
}

/// A field that `null` takes away.
fn given<T>(
    body: &mut Body<'_>,
    name: &str,
    read: impl FnOnce(&mut Body<'_>) -> Option<T>,
) -> Option<Option<T>> {
    if body.is_null(name) { Some(None) } else { read(body).map(Some) }
}

fn id(body: &mut Body<'_>) -> Option<String> {
    let id = body.string("id")?;
    if let Err(error) = holdfast_core::MessageId::parse(&id) {
        body.refuse("id", error.detail.replace("message_id", "id"));
    }
    Some(id)
}

/// A number from 0 to 1, as it came.
fn importance(body: &mut Body<'_>) -> Option<String> {
    let text = body.raw("importance")?.to_owned();
    let number: Option<f64> = serde_json::from_str(&text).ok();
    if !number.is_some_and(|number| (0.0..=1.0).contains(&number)) {
        body.refuse("importance", "importance must be a number from 0 to 1");
    }
    Some(text)
}

fn sources(body: &mut Body<'_>, limits: &Limits) -> Option<Vec<GivenSource>> {
    let session = body.string("session_id");
    let items = body.items("source_message_ids")?;
    if items.len() > limits.batch_items {
        body.refuse("source_message_ids", "source_message_ids holds too many messages");
        return None;
    }
    let mut all = Vec::new();
    for (at, item) in items.into_iter().enumerate() {
        let pointer = format!("/source_message_ids/{at}");
        match source(&pointer, item.get(), session.as_deref(), limits) {
            Ok(source) => all.push(source),
            Err(problems) => body.note(problems),
        }
    }
    Some(all)
}

fn source(
    pointer: &str,
    text: &str,
    session: Option<&str>,
    limits: &Limits,
) -> Result<GivenSource, Problems> {
    const KNOWN: &[&str] = &["session_id", "message_id", "start", "end"];
    let bare = json::string(text);
    let shaped = match &bare {
        Some(id) => serde_json::json!({"message_id": id}).to_string(),
        None => text.to_owned(),
    };
    let mut item = Body::at(pointer, &shaped, limits, "a source", KNOWN)?;
    let session = item.string("session_id").or(session.map(str::to_owned));
    let session = session.map(|session| SessionId::parse(&session));
    let message = item.string("message_id").filter(|id| !id.is_empty());
    let (start, end) = (item.whole("start", 0, u32::MAX), item.whole("end", 1, u32::MAX));
    if message.is_none() {
        item.refuse("message_id", "name the message that the memory is made of");
    }
    if start.is_some() != end.is_some() || start.zip(end).is_some_and(|(start, end)| start >= end) {
        item.refuse("end", "a part has a start and an end after it, in bytes of the text");
    }
    match &session {
        None => item.refuse("session_id", "name the session of the message: session_id"),
        Some(Err(error)) => item.refuse("session_id", error.detail.clone()),
        Some(Ok(_)) => {}
    }
    item.finish()?;
    match (session, message) {
        (Some(Ok(session)), Some(message)) => Ok(GivenSource { session, message, start, end }),
        _ => Err(Problems(Vec::new())),
    }
}

/// A memory as a reader sees it.
#[derive(Debug, Clone)]
pub struct StoredMemory<'a> {
    /// Its id.
    pub id: &'a str,
    /// Its version that stands.
    pub memory: &'a Memory,
    /// Everything that it was made of.
    pub sources: &'a [Source],
    /// When it was saved.
    pub created_at: Hlc,
    /// When it was last changed.
    pub updated_at: Hlc,
}

/// The REST form of a memory. The caller's own JSON stands in it as it came.
pub fn memory_json(stored: &StoredMemory<'_>) -> String {
    let mut object = ObjectText::default();
    object.text("id", stored.id);
    said(&mut object, stored.memory, stored.sources);
    object.text("content_hash", &stored.memory.content_hash());
    object.text("created_at", &rfc3339(stored.created_at.milliseconds()));
    object.text("updated_at", &rfc3339(stored.updated_at.milliseconds()));
    object.end()
}

/// One version of a memory in its history.
#[derive(Debug, Clone)]
pub struct StoredVersion<'a> {
    /// From 1, oldest first.
    pub version: usize,
    /// Its order, as text: restoring takes it.
    pub order: &'a str,
    /// What it says.
    pub memory: &'a Memory,
    /// What it was made of.
    pub sources: &'a [Source],
    /// When it was written.
    pub at: Hlc,
}

/// The REST form of a version of a memory.
pub fn version_json(stored: &StoredVersion<'_>) -> String {
    let mut object = ObjectText::default();
    object.raw("version", &stored.version.to_string());
    object.text("order", stored.order);
    object.text("event", stored.memory.event.name());
    said(&mut object, stored.memory, stored.sources);
    object.text("stored_at", &rfc3339(stored.at.milliseconds()));
    object.end()
}

fn said(object: &mut ObjectText, memory: &Memory, sources: &[Source]) {
    object.text("text", &memory.text);
    object.text_or_null("category", memory.category.as_deref());
    object.raw("importance", &memory.importance);
    object.raw("metadata", memory.metadata.as_deref().unwrap_or("null"));
    object.text_or_null("expires_at", memory.expires_at.as_deref());
    let named = sources.iter().map(|source| {
        serde_json::json!({
            "session_id": source.session, "message_id": source.message, "start": source.start, "end": source.end
        })
    });
    let ids: Vec<&str> = sources.iter().filter_map(|source| source.message.as_deref()).collect();
    object.raw("source_message_ids", &Value::from(ids).to_string());
    object.raw("sources", &Value::Array(named.collect()).to_string());
}
