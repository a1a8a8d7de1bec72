//! OpenAI's fine-tuning lines: chat and preference.
//! (platform.openai.com/docs/guides/supervised-fine-tuning, …/direct-preference-optimization)

use super::chat::{Chat, Dialect, chat, tools};
use super::mend::{Rules, mended};
use super::rated::{Verdicts, is_bad, pairs};
use super::report::Report;
use super::window::Window;
use super::{Example, example};
use holdfast_core::message::Role;
use serde::Serialize;
use serde_json::value::RawValue;

const RULES: Rules = Rules {
    keep_bad: true,
    system_anywhere: true,
    repeats: true,
    no_tools: false,
    trailing: false,
};

#[derive(Serialize)]
struct Supervised<'a> {
    messages: Vec<Chat<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tools: Option<Box<RawValue>>,
}

#[derive(Serialize)]
struct Preference<'a> {
    input: Input<'a>,
    preferred_output: [Chat<'a>; 1],
    non_preferred_output: [Chat<'a>; 1],
}

#[derive(Serialize)]
struct Input<'a> {
    messages: Vec<Chat<'a>>,
    tools: Option<Box<RawValue>>,
    parallel_tool_calls: bool,
}

pub(super) fn supervised(
    window: &Window,
    verdicts: &Verdicts,
    report: &mut Report,
) -> Vec<Example> {
    let said = mended(&window.said, verdicts, &RULES, report);
    let learned = |said: &super::Said| said.role == Role::Assistant && !is_bad(said, verdicts);
    if !said.iter().any(learned) {
        report.leave(super::LeftOut::RatedBad, said.len());
        return Vec::new();
    }
    let message = |said| {
        let message = Chat::new(said, Dialect::Openai, report);
        let bad = said.role == Role::Assistant && is_bad(said, verdicts);
        if bad { message.unlearned() } else { message }
    };
    let messages = said.iter().map(message).collect();
    let line = Supervised { messages, tools: tools(window.tools.as_ref()) };
    example(&line, &said).into_iter().collect()
}

pub(super) fn preferences(
    window: &Window,
    verdicts: &Verdicts,
    report: &mut Report,
) -> Vec<Example> {
    // What was bad before is no prompt.
    let rules = Rules { keep_bad: false, ..RULES };
    let mut made = Vec::new();
    for pair in pairs(window, verdicts, &rules, report) {
        let none = RawValue::from_string("[]".to_owned()).ok();
        let input = Input {
            messages: chat(&pair.prompt, Dialect::Openai, report),
            tools: tools(window.tools.as_ref()).or(none),
            parallel_tool_calls: true,
        };
        let line = Preference {
            input,
            preferred_output: [Chat::new(&pair.chosen, Dialect::Openai, report)],
            non_preferred_output: [Chat::new(&pair.rejected, Dialect::Openai, report)],
        };
        let all = pair.prompt.iter().chain([&pair.chosen, &pair.rejected]);
        made.extend(example(&line, all));
    }
    made
}
