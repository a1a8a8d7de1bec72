//! Conversations for tests.

use crate::support::{ids, listed};
use holdfast_core::message::{Message, Role};
use holdfast_formats::training::{
    Cutter, Example, Format, Limits, Report, Said, Verdict, Verdicts, Window, examples,
};

/// A message of this role.
pub fn say(role: Role, text: &str) -> Message {
    Message::saying(role, text)
}

/// A user's message.
pub fn user(text: &str) -> Message {
    say(Role::User, text)
}

/// An assistant's.
pub fn assistant(text: &str) -> Message {
    say(Role::Assistant, text)
}

/// An assistant's call of `weather`.
pub fn call(id: &str, arguments: &str) -> Message {
    let calls = format!(
        r#"[{{"id":"{id}","type":"function","function":{{"name":"weather","arguments":{}}}}}]"#,
        serde_json::to_string(arguments).unwrap()
    );
    Message { content: None, tool_calls: Some(calls), ..assistant("") }
}

/// The answer of a tool.
pub fn tool(call: &str, text: &str) -> Message {
    Message { tool_call_id: Some(call.to_owned()), ..say(Role::Tool, text) }
}

/// The parts of a session with these messages.
pub fn windows(messages: &[Message], limits: Limits, report: &mut Report) -> Vec<Window> {
    let ids = ids(messages.len());
    let mut cutter = Cutter::new(limits, "ann", "s1", None);
    let mut windows = Vec::new();
    for stored in listed(&ids, messages) {
        if let Some(said) = Said::of(&stored, true, report) {
            windows.extend(cutter.push(said, report));
        }
    }
    windows.extend(cutter.finish());
    windows
}

/// Examples of a session, with what was counted.
pub fn made(format: Format, messages: &[Message], verdicts: &Verdicts) -> (Vec<Example>, Report) {
    let mut report = Report::default();
    let windows = windows(messages, Limits::default(), &mut report);
    let all = windows.iter().flat_map(|w| examples(format, w, verdicts, &mut report)).collect();
    (all, report)
}

/// Lines of a session without feedback.
pub fn lines(format: Format, messages: &[Message]) -> Vec<String> {
    made(format, messages, &Verdicts::new()).0.into_iter().map(|e| e.line).collect()
}

/// Verdicts `(id, good, correction)`.
pub fn verdicts(all: &[(&str, Option<bool>, Option<&str>)]) -> Verdicts {
    let verdict = |(id, good, correction): &(&str, Option<bool>, Option<&str>)| {
        let correction = correction.map(str::to_owned);
        ((*id).to_owned(), Verdict { good: *good, correction })
    };
    all.iter().map(verdict).collect()
}
