//! TRL's conversational lines: language modelling, prompt-completion, preference, unpaired preference.
//! (huggingface.co/docs/trl/dataset_formats)

use super::chat::{Chat, Dialect, chat, tools};
use super::mend::{Rules, mended, turns};
use super::rated::{Verdicts, labels as rated_labels, pairs};
use super::report::{LeftOut, Report};
use super::said::Said;
use super::window::Window;
use super::{Example, example};
use holdfast_core::message::Role;
use serde::Serialize;
use serde_json::value::RawValue;

const RULES: Rules = Rules {
    keep_bad: false,
    system_anywhere: false,
    repeats: false,
    no_tools: false,
    trailing: false,
};

/// A prompt looks back at most so many messages: every turn has one, and they shall not grow with the square.
const LOOKBACK: usize = 32;

#[derive(Serialize)]
struct Line<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    messages: Option<Vec<Chat<'a>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    prompt: Option<Vec<Chat<'a>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    completion: Option<Vec<Chat<'a>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    chosen: Option<Vec<Chat<'a>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rejected: Option<Vec<Chat<'a>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    label: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tools: Option<Box<RawValue>>,
}

impl<'a> Line<'a> {
    fn of(window: &Window) -> Self {
        Self {
            messages: None,
            prompt: None,
            completion: None,
            chosen: None,
            rejected: None,
            label: None,
            tools: tools(window.tools.as_ref()),
        }
    }
}

fn write<'a>(said: &'a [Said], report: &mut Report) -> Option<Vec<Chat<'a>>> {
    Some(chat(said, Dialect::Trl, report))
}

pub(super) fn supervised(
    window: &Window,
    verdicts: &Verdicts,
    report: &mut Report,
) -> Vec<Example> {
    let said = mended(&window.said, verdicts, &RULES, report);
    if said.is_empty() {
        return Vec::new();
    }
    let line = Line { messages: write(&said, report), ..Line::of(window) };
    example(&line, &said).into_iter().collect()
}

/// An example a turn: all of its answers, tools included, after what was said before.
pub(super) fn completions(
    window: &Window,
    verdicts: &Verdicts,
    report: &mut Report,
) -> Vec<Example> {
    let said = mended(&window.said, verdicts, &RULES, report);
    let system = said.first().filter(|said| said.role == Role::System).cloned();
    let mut before: Vec<Vec<Said>> = Vec::new();
    let mut made = Vec::new();
    for turn in turns(said) {
        let asked = turn.iter().take_while(|said| said.role == Role::User).count();
        let (question, answer) = turn.split_at(asked);
        let answers = answer.iter().any(|said| said.role == Role::Assistant);
        if asked > 0 && answers {
            let mut prompt: Vec<Said> = system.iter().cloned().collect();
            prompt.extend(recent(&before));
            prompt.extend(question.iter().cloned());
            let line = Line {
                prompt: write(&prompt, report),
                completion: write(answer, report),
                ..Line::of(window)
            };
            made.extend(example(&line, prompt.iter().chain(answer)));
        } else {
            let spoken = turn.iter().filter(|said| said.role != Role::System);
            report.leave(LeftOut::AnswerFirst, spoken.map(|said| said.ids.len()).sum());
        }
        if asked > 0 {
            before.push(turn);
        }
    }
    made
}

/// Whole turns of the latest messages.
fn recent(before: &[Vec<Said>]) -> Vec<Said> {
    let mut room = LOOKBACK;
    let mut first = before.len();
    for (at, turn) in before.iter().enumerate().rev() {
        let Some(left) = room.checked_sub(turn.len()) else { break };
        (room, first) = (left, at);
    }
    before.iter().skip(first).flatten().cloned().collect()
}

pub(super) fn preferences(
    window: &Window,
    verdicts: &Verdicts,
    report: &mut Report,
) -> Vec<Example> {
    let mut made = Vec::new();
    for pair in pairs(window, verdicts, &RULES, report) {
        let line = Line {
            prompt: write(&pair.prompt, report),
            chosen: write(std::slice::from_ref(&pair.chosen), report),
            rejected: write(std::slice::from_ref(&pair.rejected), report),
            ..Line::of(window)
        };
        let all = pair.prompt.iter().chain([&pair.chosen, &pair.rejected]);
        made.extend(example(&line, all));
    }
    made
}

pub(super) fn labels(window: &Window, verdicts: &Verdicts, report: &mut Report) -> Vec<Example> {
    let mut made = Vec::new();
    for label in rated_labels(window, verdicts, &RULES, report) {
        let line = Line {
            prompt: write(&label.prompt, report),
            completion: write(std::slice::from_ref(&label.completion), report),
            label: Some(label.good),
            ..Line::of(window)
        };
        made.extend(example(&line, label.prompt.iter().chain([&label.completion])));
    }
    made
}
