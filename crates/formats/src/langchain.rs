//! LangChain's messages: arrays of `{"type", "data"}`, as `message_to_dict` writes and `messages_from_dict` reads them.
//!
//! All 13 types are read. `remove` takes nothing away: it is stored as an item of its own, with role `system` and empty
//! text, and given back in its place, so that who replays the array sees what was sent. Several items may share one
//! `data.id` (chunks do): it is kept as `external_id`.

use crate::batch::{Batch, NewMessage, read_array};
use crate::calls;
use crate::json;
use crate::limits::Limits;
use crate::object::{Content, Object};
use crate::original::{ObjectText, annotation, array, content, give_back, keep, with_field};
use crate::problem::{Problem, Problems, below};
use crate::stored::Stored;
use holdfast_core::message::{Message, Role};

/// Name of the format in `?format=` and in records.
pub const FORMAT: &str = "langchain";

const TYPES: &[(&str, Type)] = &[
    ("human", Type::Human),
    ("ai", Type::Ai),
    ("system", Type::System),
    ("tool", Type::Tool),
    ("chat", Type::Chat),
    ("function", Type::Function),
    ("remove", Type::Remove),
    ("HumanMessageChunk", Type::Human),
    ("AIMessageChunk", Type::Ai),
    ("SystemMessageChunk", Type::System),
    ("ToolMessageChunk", Type::Tool),
    ("ChatMessageChunk", Type::Chat),
    ("FunctionMessageChunk", Type::Function),
];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Type {
    Human,
    Ai,
    System,
    Tool,
    Chat,
    Function,
    Remove,
}

/// Reads a body: a bare array of items.
///
/// # Errors
/// What is wrong with the body as a whole; what is wrong with an item is in the [`Batch`].
pub fn read(body: &[u8], limits: &Limits) -> Result<Batch, Problems> {
    read_array(body, limits, item).map_err(|problem| Problems(vec![problem]))
}

fn item(pointer: &str, text: &str, limits: &Limits) -> Result<NewMessage, Vec<Problem>> {
    let mut item = Object::message(pointer, text, limits)?;
    let kind = item_type(&mut item);
    if item.value("data").is_none() {
        item.refuse("data", "an item must have data, an object");
    }
    let data = item.object("data");
    item.close()?;
    // Both are there when nothing was noted.
    let (Some(kind), Some(data)) = (kind, data) else { return Err(Vec::new()) };
    let mut data = Object::open(&below(pointer, "data"), data).map_err(|problem| vec![problem])?;
    let message = message(kind, text, &mut data);
    data.close()?;
    Ok(NewMessage { id: None, message, embedding: None })
}

fn item_type(item: &mut Object<'_>) -> Option<Type> {
    let name = item.value("type").and_then(json::string).unwrap_or_default();
    let known = TYPES.iter().find(|(known, _)| *known == name).map(|(_, kind)| *kind);
    if known.is_none() {
        let names: Vec<&str> = TYPES.iter().map(|(name, _)| *name).collect();
        item.refuse("type", format!("type must be one of {}", names.join(", ")));
    }
    known
}

fn message<'a>(kind: Type, text: &'a str, data: &mut Object<'a>) -> Message {
    let said = said(kind, data);
    check(kind, data);
    let role = role(kind, data);
    let (content, blocks) = said.parts();
    Message {
        role,
        content,
        blocks,
        name: data.string("name"),
        parent_id: None,
        event_time: None,
        metadata: None,
        extra: None,
        tool_calls: data.objects("tool_calls").map(str::to_owned),
        tool_call_id: data.string("tool_call_id"),
        external_id: data.string("id"),
        original: Some(keep(FORMAT, text, &said)),
    }
}

fn said<'a>(kind: Type, data: &mut Object<'a>) -> Content<'a> {
    match data.raw("content") {
        Some("null") | None if kind == Type::Remove => Content::Text(String::new(), ""),
        Some(text) => data.content("content", text),
        None => {
            data.refuse("content", "content must be a string or an array of blocks");
            Content::None
        }
    }
}

/// What LangChain's own reader insists on.
fn check(kind: Type, data: &mut Object<'_>) {
    let required = match kind {
        Type::Tool => Some("tool_call_id"),
        Type::Function => Some("name"),
        Type::Remove => Some("id"),
        Type::Chat => Some("role"),
        Type::Human | Type::Ai | Type::System => None,
    };
    if let Some(name) = required.filter(|name| data.value(name).is_none()) {
        data.refuse(name, format!("an item of this type must have {name}"));
    }
    if kind == Type::Ai
        && let Some(usage) = data.object("usage_metadata")
    {
        let counted = |name| json::field(usage, name).is_some_and(|n| n.parse::<i64>().is_ok());
        if !["input_tokens", "output_tokens", "total_tokens"].into_iter().all(counted) {
            let detail = "usage_metadata must count input_tokens, output_tokens and total_tokens";
            data.refuse("usage_metadata", detail);
        }
    }
}

fn role(kind: Type, data: &mut Object<'_>) -> Role {
    match kind {
        Type::Human => Role::User,
        Type::Ai => Role::Assistant,
        Type::System | Type::Remove => Role::System,
        Type::Tool | Type::Function => Role::Tool,
        Type::Chat => named_role(&data.string("role").unwrap_or_default()),
    }
}

/// The role that a chat item names; whoever has a name of his own speaks as a user.
fn named_role(name: &str) -> Role {
    match name {
        "developer" => Role::System,
        "human" => Role::User,
        "ai" => Role::Assistant,
        "function" => Role::Tool,
        name => Role::parse(name).unwrap_or(Role::User),
    }
}

/// A bare array of items: each as it came, or as `message_to_dict` would write it.
///
/// With `annotate` the server's ids stand in `data.response_metadata.holdfast`.
pub fn langchain_array<'a>(
    messages: impl IntoIterator<Item = Stored<'a>>,
    annotate: bool,
) -> String {
    array(messages.into_iter().map(|stored| {
        let item = give_back(FORMAT, stored.message)
            .unwrap_or_else(|| converted(stored.id, stored.message));
        if annotate { annotated(&item, &annotation(&stored)) } else { item }
    }))
}

fn annotated(item: &str, annotation: &str) -> String {
    let Some(data) = json::field(item, "data") else { return item.to_owned() };
    let old = json::field(data, "response_metadata").filter(|old| old.starts_with('{'));
    let metadata = with_field(old.unwrap_or("{}"), "holdfast", annotation);
    json::replaced(item, data, &with_field(data, "response_metadata", &metadata))
}

fn converted(id: &str, message: &Message) -> String {
    let kind = match message.role {
        Role::User => "human",
        Role::Assistant => "ai",
        Role::System => "system",
        Role::Tool => "tool",
    };
    let mut data = ObjectText::default();
    match content(message).as_str() {
        "null" => data.text("content", ""),
        content => data.raw("content", content),
    }
    data.raw("additional_kwargs", "{}");
    data.raw("response_metadata", "{}");
    data.text("type", kind);
    data.text_or_null("name", message.name.as_deref());
    data.text("id", id);
    if message.role == Role::Assistant {
        let calls = message.tool_calls.as_deref().unwrap_or("[]");
        let (calls, invalid) = calls::langchain(calls);
        data.raw("tool_calls", &calls);
        data.raw("invalid_tool_calls", &invalid);
        data.raw("usage_metadata", "null");
    }
    if message.role == Role::Tool {
        data.text("tool_call_id", message.tool_call_id.as_deref().unwrap_or_default());
        data.raw("artifact", "null");
        data.text("status", "success");
    }
    let mut item = ObjectText::default();
    item.text("type", kind);
    item.raw("data", &data.end());
    item.end()
}
