//! A message in a line: `{"role", "content", …}` as OpenAI and TRL have it.

use super::report::{LeftOut, Report};
use super::said::{Call, Said};
use crate::json;
use holdfast_core::message::Role;
use serde::Serialize;
use serde_json::value::RawValue;

/// How a family of trainers writes messages.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    /// Arguments are text, no text beside calls is `null`, names stand where they may.
    Openai,
    /// Arguments are objects, no text is empty text, nobody has a name.
    Trl,
}

/// One message of a line.
#[derive(Serialize)]
pub(super) struct Chat<'a> {
    role: &'static str,
    content: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tool_calls: Vec<ChatCall<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_call_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    weight: Option<u8>,
}

#[derive(Serialize)]
struct ChatCall<'a> {
    id: &'a str,
    #[serde(rename = "type")]
    kind: &'static str,
    function: Function<'a>,
}

#[derive(Serialize)]
struct Function<'a> {
    name: &'a str,
    arguments: Option<Box<RawValue>>,
}

impl<'a> Chat<'a> {
    pub fn new(said: &'a Said, dialect: Dialect, report: &mut Report) -> Self {
        let openai = dialect == Dialect::Openai;
        let name = said.name.as_deref().filter(|_| said.role != Role::Tool);
        let carried = name.filter(|name| openai && is_plain(name));
        report.leave(LeftOut::Name, usize::from(name.is_some() && carried.is_none()));
        let silent = openai && said.text.is_empty() && !said.calls.is_empty();
        Self {
            role: said.role.name(),
            content: (!silent).then_some(&said.text),
            name: carried,
            tool_calls: said.calls.iter().map(|call| ChatCall::new(call, dialect)).collect(),
            tool_call_id: said.answers.as_deref(),
            weight: None,
        }
    }

    /// The same, not to be learned.
    pub fn unlearned(self) -> Self {
        Self { weight: Some(0), ..self }
    }
}

impl<'a> ChatCall<'a> {
    fn new(call: &'a Call, dialect: Dialect) -> Self {
        let arguments = match dialect {
            Dialect::Openai => json::quote(&call.arguments),
            Dialect::Trl => call.arguments.clone(),
        };
        let function =
            Function { name: &call.name, arguments: RawValue::from_string(arguments).ok() };
        Self { id: &call.id, kind: "function", function }
    }
}

/// Messages of a line.
pub(super) fn chat<'a>(said: &'a [Said], dialect: Dialect, report: &mut Report) -> Vec<Chat<'a>> {
    said.iter().map(|said| Chat::new(said, dialect, report)).collect()
}

/// The window's tools as they stand in a line.
pub(super) fn tools(tools: Option<&String>) -> Option<Box<RawValue>> {
    tools.and_then(|text| RawValue::from_string(text.clone()).ok())
}

/// Names that OpenAI takes: no spaces, and none of `<|\/>`; at most 64 characters.
fn is_plain(name: &str) -> bool {
    let plain = |c: char| !c.is_whitespace() && !"<|\\/>".contains(c);
    !name.is_empty() && name.chars().count() <= 64 && name.chars().all(plain)
}
