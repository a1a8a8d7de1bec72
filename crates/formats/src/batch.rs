//! Messages of a request, each read or refused by itself.

use crate::limits::Limits;
use crate::problem::{Problem, Problems};
use holdfast_core::MessageId;
use holdfast_core::message::Message;
use serde_json::value::RawValue;

/// A message as a caller sends it.
#[derive(Debug, Clone, PartialEq)]
pub struct NewMessage {
    /// The caller's id; none lets the server give one.
    pub id: Option<MessageId>,
    /// What is stored.
    pub message: Message,
    /// A vector that the caller made.
    pub embedding: Option<CallerVector>,
}

/// A vector that a caller made: finite, of length 1.
#[derive(Debug, Clone, PartialEq)]
pub struct CallerVector {
    /// Id of its embedding space.
    pub space: String,
    /// Its components.
    pub vector: Vec<f32>,
}

/// A request's messages in their order.
#[derive(Debug, Clone, PartialEq)]
pub struct Batch {
    /// The user that the body names, unchecked.
    pub user_id: Option<String>,
    /// JSON pointer of the list in the body; none when the body was one message.
    pub list: Option<&'static str>,
    /// Each message, or all that is wrong with it.
    pub items: Vec<Result<NewMessage, Vec<Problem>>>,
}

impl Batch {
    /// JSON pointer of a message in the body.
    pub fn pointer(&self, position: usize) -> String {
        self.list.map(|list| format!("{list}/{position}")).unwrap_or_default()
    }

    /// All messages, when each is good.
    ///
    /// # Errors
    /// Everything that is wrong with any of them.
    pub fn all(self) -> Result<Vec<NewMessage>, Problems> {
        let mut good = Vec::with_capacity(self.items.len());
        let mut bad = Vec::new();
        for item in self.items {
            match item {
                Ok(message) => good.push(message),
                Err(problems) => bad.extend(problems),
            }
        }
        if bad.is_empty() { Ok(good) } else { Err(Problems(bad)) }
    }
}

/// Checks the number of items and reads each with `read`.
pub(crate) fn read_each<'a>(
    pointer: &str,
    items: &[&'a RawValue],
    limits: &Limits,
    read: impl Fn(&str, &'a str, &Limits) -> Result<NewMessage, Vec<Problem>>,
) -> Result<Vec<Result<NewMessage, Vec<Problem>>>, Problem> {
    if items.is_empty() {
        return Err(Problem::rule(pointer, "the list holds no message: send at least one"));
    }
    if items.len() > limits.batch_items {
        let detail =
            format!("the list holds more than {} messages: send fewer", limits.batch_items);
        return Err(Problem::new(pointer, "too_large", detail));
    }
    let each = items.iter().enumerate();
    Ok(each.map(|(at, item)| read(&format!("{pointer}/{at}"), item.get(), limits)).collect())
}

/// Reads a body that is a bare array.
pub(crate) fn read_array(
    bytes: &[u8],
    limits: &Limits,
    read: impl Fn(&str, &str, &Limits) -> Result<NewMessage, Vec<Problem>>,
) -> Result<Batch, Problem> {
    let text = crate::json::document(bytes, limits.batch_bytes)?;
    let items = crate::json::items(text)
        .ok_or_else(|| Problem::rule("", "in this format the body is an array of messages"))?;
    Ok(Batch { user_id: None, list: Some(""), items: read_each("", &items, limits, read)? })
}
