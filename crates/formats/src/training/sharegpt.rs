//! ShareGPT as LLaMA-Factory reads it: after an optional system text, {human, observation} and {gpt, function_call}
//! alternate strictly and their count is even; its converter skips all else in silence, so it is mended and counted here.
//! (LLaMA-Factory, `src/llamafactory/data/converter.py`, `SharegptDatasetConverter`)

use super::mend::{Rules, mended};
use super::rated::Verdicts;
use super::report::{LeftOut, Mended, Report};
use super::said::{Call, Said};
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

#[derive(Serialize)]
struct Line<'a> {
    conversations: Vec<Value<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    system: Option<&'a str>,
    /// A JSON *string*, as LLaMA-Factory wants it.
    #[serde(skip_serializing_if = "Option::is_none")]
    tools: Option<&'a str>,
}

#[derive(Serialize)]
struct Value<'a> {
    from: &'static str,
    value: &'a str,
}

#[derive(Serialize)]
struct FunctionCall<'a> {
    name: &'a str,
    arguments: Option<Box<RawValue>>,
}

impl<'a> FunctionCall<'a> {
    fn of(call: &'a Call) -> Self {
        let arguments = RawValue::from_string(call.arguments.clone()).ok();
        Self { name: &call.name, arguments }
    }
}

/// Who has a turn.
#[derive(Clone, Copy, PartialEq, Eq)]
enum From {
    Human,
    Observation,
    Gpt,
    FunctionCall,
}

impl From {
    fn name(self) -> &'static str {
        match self {
            From::Human => "human",
            From::Observation => "observation",
            From::Gpt => "gpt",
            From::FunctionCall => "function_call",
        }
    }

    fn asks(self) -> bool {
        matches!(self, From::Human | From::Observation)
    }
}

struct Step {
    from: From,
    said: Said,
}

impl<'a> Value<'a> {
    fn of(step: &'a Step) -> Self {
        Self { from: step.from.name(), value: &step.said.text }
    }
}

pub(super) fn conversations(
    window: &Window,
    verdicts: &Verdicts,
    report: &mut Report,
) -> Vec<Example> {
    let mut said = mended(&window.said, verdicts, &RULES, report);
    let system = said.first().is_some_and(|said| said.role == Role::System);
    let system = system.then(|| said.remove(0));
    let steps = alternating(said, report);
    if steps.is_empty() {
        return Vec::new();
    }
    let names = steps.iter().filter(|step| step.from.asks() && step.said.name.is_some()).count();
    report.leave(LeftOut::Name, names);
    let line = Line {
        conversations: steps.iter().map(Value::of).collect(),
        system: system.as_ref().map(|said| said.text.as_str()),
        tools: window.tools.as_deref(),
    };
    let all = system.iter().chain(steps.iter().map(|step| &step.said));
    example(&line, all).into_iter().collect()
}

/// Turns that alternate, beginning with one that asks and ending with one that answers.
fn alternating(said: Vec<Said>, report: &mut Report) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::with_capacity(said.len());
    for said in said {
        let mut next = step(said, report);
        // Only a user who speaks instead of the assistant after a tool takes more than one round.
        loop {
            match (steps.last_mut(), next.from) {
                (None, from) if !from.asks() => {
                    report.leave(LeftOut::AnswerFirst, next.said.ids.len());
                    break;
                }
                (Some(last), from) if last.from == from => {
                    report.mend(Mended::Merged, 1);
                    last.said.join(next.said);
                    break;
                }
                (Some(last), from) if last.from.asks() == from.asks() => {
                    let Some(step) = reconciled(&mut steps, next, report) else { break };
                    next = step;
                }
                _ => {
                    steps.push(next);
                    break;
                }
            }
        }
    }
    if steps.len() % 2 == 1 {
        let cut = steps.pop().map_or(0, |step| step.said.ids.len());
        report.leave(LeftOut::NoAnswer, cut);
    }
    steps
}

/// Two of one side that cannot be joined: the earlier goes, and with a tool's answer its call.
fn reconciled(steps: &mut Vec<Step>, next: Step, report: &mut Report) -> Option<Step> {
    let last = steps.pop()?;
    if last.from == From::Observation {
        let call = steps.pop().map_or(0, |step| step.said.ids.len());
        report.leave(LeftOut::NoAnswer, last.said.ids.len() + call);
    } else {
        report.leave(LeftOut::TextBeforeCall, last.said.ids.len());
    }
    Some(next)
}

fn step(mut said: Said, report: &mut Report) -> Step {
    let from = match said.role {
        Role::User | Role::System => From::Human,
        Role::Tool => From::Observation,
        Role::Assistant if said.calls.is_empty() => From::Gpt,
        Role::Assistant => From::FunctionCall,
    };
    if from == From::FunctionCall {
        report.leave(LeftOut::TextBesideCall, usize::from(!said.text.trim().is_empty()));
        said.text = calls(&said.calls);
    }
    Step { from, said }
}

/// One call as an object, several as an array.
fn calls(calls: &[Call]) -> String {
    let all: Vec<_> = calls.iter().map(FunctionCall::of).collect();
    let text = match all.as_slice() {
        [one] => serde_json::to_string(one),
        all => serde_json::to_string(all),
    };
    text.unwrap_or_default()
}
