//! Holdfast's own REST form of messages.

use crate::batch::{Batch, CallerVector, NewMessage, read_each};
use crate::json;
use crate::limits::Limits;
use crate::object::{Content, Object};
use crate::original::{ObjectText, content};
use crate::problem::{Problem, Problems, below};
use crate::stored::Stored;
use holdfast_core::clock::parse_rfc3339;
use holdfast_core::message::{Message, Role};
use holdfast_core::{Error, MessageId};
use std::collections::HashSet;

const MESSAGE: &[&str] = &[
    "role",
    "content",
    "name",
    "id",
    "parent_id",
    "event_time",
    "metadata",
    "extra",
    "tool_calls",
    "tool_call_id",
    "embedding",
];
const USER: &str = "user_id";
const MESSAGES: &str = "messages";

/// Reads a body: one message, or `{"user_id"?, "messages": [message, …]}`.
///
/// # Errors
/// What is wrong with the body as a whole; what is wrong with a message is in the [`Batch`].
pub fn read(body: &[u8], limits: &Limits) -> Result<Batch, Problems> {
    let text = json::document(body, limits.batch_bytes).map_err(one)?;
    let single = json::field(text, MESSAGES).is_none();
    if single { read_single(text, limits) } else { read_batch(text, limits) }
}

fn read_single(text: &str, limits: &Limits) -> Result<Batch, Problems> {
    let mut object = match Object::message("", text, limits) {
        Ok(object) => object,
        Err(problems) => {
            return Ok(Batch { user_id: None, list: None, items: vec![Err(problems)] });
        }
    };
    let user_id = object.string(USER);
    let known: Vec<&str> = MESSAGE.iter().copied().chain([USER, MESSAGES]).collect();
    let item = message(object, &known, limits);
    Ok(Batch { user_id, list: None, items: vec![item] })
}

fn read_batch(text: &str, limits: &Limits) -> Result<Batch, Problems> {
    let mut object = Object::open("", text).map_err(one)?;
    let user_id = object.string(USER);
    object.allow_only("a list of messages", &[USER, MESSAGES]);
    let items = object.raw(MESSAGES).and_then(json::items);
    if items.is_none() {
        object.refuse(MESSAGES, "messages must be an array");
    }
    object.close().map_err(Problems)?;
    let pointer = below("", MESSAGES);
    let items = read_each(&pointer, &items.unwrap_or_default(), limits, |pointer, text, limits| {
        message(Object::message(pointer, text, limits)?, MESSAGE, limits)
    });
    let items = refuse_twins(items.map_err(one)?);
    Ok(Batch { user_id, list: Some("/messages"), items })
}

/// Of messages with one id the first stands: which of them a later read should find, nobody could say.
fn refuse_twins(
    items: Vec<Result<NewMessage, Vec<Problem>>>,
) -> Vec<Result<NewMessage, Vec<Problem>>> {
    let mut seen = HashSet::new();
    let each = items.into_iter().enumerate().map(|(at, item)| {
        let message = item?;
        if message.id.as_ref().is_none_or(|id| seen.insert(id.clone())) {
            return Ok(message);
        }
        let detail = "the id stands twice in this request: send each message once";
        Err(vec![Problem::rule(format!("/messages/{at}/id"), detail)])
    });
    each.collect()
}

fn one(problem: Problem) -> Problems {
    Problems(vec![problem])
}

fn message(
    mut object: Object<'_>,
    known: &[&str],
    limits: &Limits,
) -> Result<NewMessage, Vec<Problem>> {
    object.allow_only("a message", known);
    let role = role(&mut object);
    let tool_calls = object.objects("tool_calls").map(str::to_owned);
    let (content, blocks) = said(&mut object, tool_calls.is_some()).parts();
    let message = Message {
        role,
        content,
        blocks,
        name: object.string("name"),
        parent_id: id(&mut object, "parent_id").map(|id| id.as_str().to_owned()),
        event_time: event_time(&mut object),
        metadata: metadata(&mut object, limits),
        extra: object.object("extra").map(str::to_owned),
        tool_calls,
        tool_call_id: object.string("tool_call_id"),
        external_id: None,
        original: None,
    };
    let (id, embedding) = (id(&mut object, "id"), embedding(&mut object));
    object.close()?;
    Ok(NewMessage { id, message, embedding })
}

fn role(object: &mut Object<'_>) -> Role {
    let known = match object.value("role") {
        Some(text) => json::string(text).and_then(|name| Role::parse(&name)),
        None => None,
    };
    known.unwrap_or_else(|| {
        object.refuse("role", "role must be one of system, user, assistant, tool");
        Role::User
    })
}

fn said<'a>(object: &mut Object<'a>, calls: bool) -> Content<'a> {
    match object.value("content") {
        Some(text) => object.content("content", text),
        None if calls => Content::None,
        None => {
            object.refuse("content", "content must be a string or an array of blocks");
            Content::None
        }
    }
}

fn id(object: &mut Object<'_>, name: &str) -> Option<MessageId> {
    match MessageId::parse(&object.string(name)?) {
        Ok(id) => Some(id),
        Err(Error { detail, .. }) => {
            object.refuse(name, detail);
            None
        }
    }
}

fn event_time(object: &mut Object<'_>) -> Option<String> {
    let time = object.string("event_time")?;
    if let Err(Error { detail, .. }) = parse_rfc3339(&time) {
        object.refuse("event_time", detail);
    }
    Some(time)
}

fn metadata(object: &mut Object<'_>, limits: &Limits) -> Option<String> {
    let text = object.object("metadata")?;
    if text.len() > limits.metadata_bytes {
        let detail = format!("metadata has more than {} bytes", limits.metadata_bytes);
        object.refuse("metadata", detail);
    }
    Some(text.to_owned())
}

fn embedding(object: &mut Object<'_>) -> Option<CallerVector> {
    let text = object.value("embedding")?;
    match vector(&below(object.pointer(), "embedding"), text) {
        Ok(vector) => Some(vector),
        Err(problems) => {
            object.note(problems);
            None
        }
    }
}

fn vector(pointer: &str, text: &str) -> Result<CallerVector, Vec<Problem>> {
    let mut object = Object::open(pointer, text).map_err(|problem| vec![problem])?;
    object.allow_only("an embedding", &["space", "vector"]);
    let space = object.string("space").filter(|space| !space.is_empty());
    if space.is_none() {
        object.refuse("space", "name the embedding space of the vector");
    }
    let given: Option<Vec<f64>> =
        object.value("vector").and_then(|text| serde_json::from_str(text).ok());
    let vector = given.as_deref().and_then(normalised);
    if vector.is_none() {
        object.refuse("vector", "a vector must be an array of finite numbers, not all zero");
    }
    object.close()?;
    Ok(CallerVector { space: space.unwrap_or_default(), vector: vector.unwrap_or_default() })
}

/// The vector of length 1 in this direction; none when there is no direction.
fn normalised(vector: &[f64]) -> Option<Vec<f32>> {
    // By the largest component first, so that squares neither overflow nor vanish.
    let largest = vector.iter().fold(0.0_f64, |largest, x| largest.max(x.abs()));
    if !vector.iter().all(|x| x.is_finite()) || largest == 0.0 {
        return None;
    }
    let scaled: Vec<f64> = vector.iter().map(|x| x / largest).collect();
    let length = scaled.iter().map(|x| x * x).sum::<f64>().sqrt();
    #[expect(clippy::cast_possible_truncation, reason = "vectors are single precision")]
    Some(scaled.iter().map(|x| (x / length) as f32).collect())
}

/// The REST form of a stored message. The caller's own JSON stands in it as it came.
pub fn message_json(stored: &Stored<'_>) -> String {
    let message = stored.message;
    let mut object = ObjectText::default();
    object.text("id", stored.id);
    object.raw("index", &stored.index.to_string());
    object.text("order", &stored.order.to_string());
    object.text("role", message.role.name());
    object.text_or_null("name", message.name.as_deref());
    object.raw("content", &content(message));
    for (name, json) in [("tool_calls", &message.tool_calls), ("extra", &message.extra)] {
        if let Some(json) = json {
            object.raw(name, json);
        }
    }
    for (name, text) in [
        ("tool_call_id", message.tool_call_id.as_deref()),
        ("parent_id", message.parent_id.as_deref()),
        ("external_id", message.external_id.as_deref()),
        ("conflict_of", stored.conflict_of),
        ("restored_from", stored.restored_from),
    ] {
        if let Some(text) = text {
            object.text(name, text);
        }
    }
    object.raw("metadata", message.metadata.as_deref().unwrap_or("null"));
    object.text_or_null("event_time", message.event_time.as_deref());
    object.text("stored_at", &stored.stored_at());
    object.end()
}
