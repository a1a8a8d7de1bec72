//! Alpaca with system and history: the last question is the instruction, those before it are the history.
//! (LLaMA-Factory, `data/README.md`, "Alpaca Format")

use super::mend::{Rules, mended};
use super::rated::Verdicts;
use super::report::{LeftOut, Report};
use super::said::Said;
use super::window::Window;
use super::{Example, example};
use holdfast_core::message::Role;
use serde::Serialize;

const RULES: Rules = Rules {
    keep_bad: false,
    system_anywhere: false,
    repeats: false,
    no_tools: true,
    trailing: false,
};

#[derive(Serialize)]
struct Line<'a> {
    instruction: &'a str,
    input: &'static str,
    output: &'a str,
    system: &'a str,
    history: Vec<[&'a str; 2]>,
}

pub(super) fn instructions(
    window: &Window,
    verdicts: &Verdicts,
    report: &mut Report,
) -> Vec<Example> {
    let said = mended(&window.said, verdicts, &RULES, report);
    let (system, rest) = match said.split_first() {
        Some((first, rest)) if first.role == Role::System => (Some(first), rest),
        _ => (None, said.as_slice()),
    };
    // A greeting before anybody asked has no place.
    let greeting = rest.iter().take_while(|said| said.role != Role::User).count();
    let greeted = rest.iter().take(greeting).map(|said| said.ids.len()).sum();
    report.leave(LeftOut::AnswerFirst, greeted);
    let rest = rest.get(greeting..).unwrap_or_default();
    let (pairs, _) = rest.as_chunks::<2>();
    let Some(([question, answer], before)) = pairs.split_last() else { return Vec::new() };
    report.leave(LeftOut::Name, rest.iter().filter(|said| said.name.is_some()).count());
    let line = Line {
        instruction: &question.text,
        input: "",
        output: &answer.text,
        system: system.map_or("", |said| said.text.as_str()),
        history: before.iter().map(|[q, a]| [q.text.as_str(), a.text.as_str()]).collect(),
    };
    let all: Vec<&Said> = system.into_iter().chain(rest).collect();
    example(&line, all).into_iter().collect()
}
