//! OpenAI's chat messages: arrays of `{"role", "content", …}`; fields that we do not know are kept.

use crate::batch::{Batch, NewMessage, read_array};
use crate::calls;
use crate::json;
use crate::limits::Limits;
use crate::object::{Content, Object};
use crate::original::{ObjectText, annotation, array, content, give_back, keep, with_field};
use crate::problem::{Problem, Problems};
use crate::stored::Stored;
use holdfast_core::message::{Message, Role};

/// Name of the format in `?format=` and in records.
pub const FORMAT: &str = "openai";

/// Reads a body: a bare array of messages.
///
/// # Errors
/// What is wrong with the body as a whole; what is wrong with a message is in the [`Batch`].
pub fn read(body: &[u8], limits: &Limits) -> Result<Batch, Problems> {
    read_array(body, limits, item).map_err(|problem| Problems(vec![problem]))
}

fn item(pointer: &str, text: &str, limits: &Limits) -> Result<NewMessage, Vec<Problem>> {
    let mut item = Object::message(pointer, text, limits)?;
    let role = role(&mut item);
    let said = said(&mut item, role);
    let (content, blocks) = said.parts();
    let message = Message {
        role,
        content,
        blocks,
        name: item.string("name"),
        parent_id: None,
        event_time: None,
        metadata: None,
        extra: None,
        tool_calls: item.objects("tool_calls").map(str::to_owned),
        tool_call_id: item.string("tool_call_id"),
        external_id: item.value("id").and_then(json::string),
        original: Some(keep(FORMAT, text, &said)),
    };
    item.close()?;
    Ok(NewMessage { id: None, message, embedding: None })
}

fn role(item: &mut Object<'_>) -> Role {
    let name = item.value("role").and_then(json::string).unwrap_or_default();
    let required = match name.as_str() {
        "tool" => Some("tool_call_id"),
        "function" => Some("name"),
        _ => None,
    };
    if let Some(field) = required.filter(|field| item.value(field).is_none()) {
        item.refuse(field, format!("a message of role {name} must have {field}"));
    }
    match name.as_str() {
        "developer" => Role::System,
        "function" => Role::Tool,
        name => Role::parse(name).unwrap_or_else(|| {
            let detail = "role must be one of developer, system, user, assistant, tool, function";
            item.refuse("role", detail);
            Role::User
        }),
    }
}

/// Only what an assistant says may be nothing: a call, a refusal, audio.
fn said<'a>(item: &mut Object<'a>, role: Role) -> Content<'a> {
    match item.value("content") {
        Some(text) => item.content("content", text),
        None if role == Role::Assistant || item.value("role") == Some("\"function\"") => {
            Content::None
        }
        None => {
            item.refuse("content", "content must be a string or an array of parts");
            Content::None
        }
    }
}

/// A bare array of messages: each as it came, or in OpenAI's form.
///
/// With `annotate` the server's ids stand in a field `holdfast` of each message.
pub fn openai_array<'a>(messages: impl IntoIterator<Item = Stored<'a>>, annotate: bool) -> String {
    array(messages.into_iter().map(|stored| {
        let item = give_back(FORMAT, stored.message).unwrap_or_else(|| converted(stored.message));
        if annotate { with_field(&item, "holdfast", &annotation(&stored)) } else { item }
    }))
}

fn converted(message: &Message) -> String {
    let mut object = ObjectText::default();
    object.text("role", message.role.name());
    object.raw("content", &content(message));
    if let Some(name) = &message.name {
        object.text("name", name);
    }
    if let Some(calls) = message.tool_calls.as_deref().filter(|_| message.role == Role::Assistant) {
        object.raw("tool_calls", &calls::openai(calls));
    }
    if message.role == Role::Tool {
        object.text("tool_call_id", message.tool_call_id.as_deref().unwrap_or_default());
    }
    object.end()
}
