//! A message reduced to what a training line can carry: who, text, and tool calls.

use super::report::{LeftOut, Report};
use crate::{Stored, calls, json};
use holdfast_core::message::{Message, Role};
use serde::{Deserialize, Serialize};

/// What one message says; or several of one role that were joined.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Said {
    /// Ids of the messages that it came from.
    pub ids: Vec<String>,
    /// Id of the message that it answers.
    pub parent: Option<String>,
    /// Who says it.
    pub role: Role,
    /// Display name of who says it.
    pub name: Option<String>,
    /// Its text; may be empty beside calls.
    pub text: String,
    /// Tool calls, of an assistant.
    pub calls: Vec<Call>,
    /// The call that it answers, of a tool.
    pub answers: Option<String>,
}

/// A tool call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Call {
    /// Its id.
    pub id: String,
    /// Name of the function.
    pub name: String,
    /// JSON text of an object, on one line.
    pub arguments: String,
}

impl Said {
    /// A stored message, if it says something that may be trained on. `trusted` says that a service key wrote it.
    pub fn of(stored: &Stored<'_>, trusted: bool, report: &mut Report) -> Option<Self> {
        report.messages += 1;
        let message = stored.message;
        if stored.conflict_of.is_some() {
            report.leave(LeftOut::Conflict, 1);
            return None;
        }
        if !trusted && message.role != Role::User {
            report.leave(LeftOut::UntrustedWriter, 1);
            return None;
        }
        let calls = calls_of(message, report);
        let text = text_of(message, report);
        if text.trim().is_empty() && calls.is_empty() && message.role != Role::Tool {
            report.leave(LeftOut::NoText, 1);
            return None;
        }
        Some(Self {
            ids: vec![stored.id.to_owned()],
            parent: message.parent_id.clone(),
            role: message.role,
            name: message.name.clone(),
            text,
            calls,
            answers: message.tool_call_id.clone().filter(|_| message.role == Role::Tool),
        })
    }

    /// About how many bytes it takes in a line.
    pub fn size(&self) -> usize {
        let calls = self.calls.iter().map(|call| call.arguments.len() + call.name.len() + 64);
        self.text.len() + calls.sum::<usize>() + 64
    }

    /// Joins what comes after it and has its role.
    pub(super) fn join(&mut self, next: Said) {
        if !self.text.is_empty() && !next.text.is_empty() {
            self.text.push('\n');
        }
        self.text.push_str(&next.text);
        self.ids.extend(next.ids);
        self.calls.extend(next.calls);
        if self.name != next.name {
            self.name = None;
        }
    }
}

fn calls_of(message: &Message, report: &mut Report) -> Vec<Call> {
    let Some(calls) = message.tool_calls.as_deref().filter(|_| message.role == Role::Assistant)
    else {
        return Vec::new();
    };
    let (good, bad) = calls::sound(calls);
    report.leave(LeftOut::ToolCallMalformed, bad);
    good
}

fn text_of(message: &Message, report: &mut Report) -> String {
    let blocks = match (&message.content, &message.blocks) {
        (Some(text), _) => return text.clone(),
        (None, Some(blocks)) => json::items(blocks).unwrap_or_default(),
        (None, None) => return String::new(),
    };
    let mut texts = Vec::new();
    for block in blocks {
        let said = json::string(block.get()).or_else(|| text_of_block(block.get()));
        match said {
            Some(text) => texts.push(text),
            None if repeats_a_call(block.get()) => {}
            None => report.leave(LeftOut::Block, 1),
        }
    }
    texts.join("\n")
}

fn kind(block: &str) -> String {
    json::field(block, "type").and_then(json::string).unwrap_or_default()
}

/// Thoughts are no text: models are not trained to say them.
fn text_of_block(block: &str) -> Option<String> {
    let kind = kind(block);
    let text = json::field(block, "text").and_then(json::string);
    text.filter(|_| !matches!(kind.as_str(), "reasoning" | "thinking"))
}

/// Blocks by which some systems say again what stands among the tool calls.
fn repeats_a_call(block: &str) -> bool {
    matches!(kind(block).as_str(), "tool_use" | "tool_call" | "function_call")
}
