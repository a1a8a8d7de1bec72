//! Tool calls with their answers: trainers want each answered, right after it.

use super::report::{LeftOut, Report};
use super::said::Said;
use holdfast_core::message::Role;

/// Leaves calls that are answered by what follows them at once, and answers of such calls, each once.
pub(super) fn paired(said: Vec<Said>, report: &mut Report) -> Vec<Said> {
    let mut left: Vec<Said> = Vec::with_capacity(said.len());
    let mut rest = said.into_iter().peekable();
    while let Some(mut caller) = rest.next() {
        if caller.role == Role::Tool {
            report.leave(LeftOut::ToolAnswerUncalled, 1);
            continue;
        }
        let mut answers: Vec<Said> = Vec::new();
        while !caller.calls.is_empty()
            && let Some(answer) = rest.next_if(|next| next.role == Role::Tool)
        {
            let calls = |call: &super::Call| Some(&call.id) == answer.answers.as_ref();
            let known = caller.calls.iter().any(calls);
            if known && answers.iter().all(|other| other.answers != answer.answers) {
                answers.push(answer);
            } else {
                report.leave(LeftOut::ToolAnswerUncalled, 1);
            }
        }
        let before = caller.calls.len();
        let mut seen: Vec<String> = Vec::new();
        caller.calls.retain(|call| {
            let answered = answers.iter().any(|answer| answer.answers.as_ref() == Some(&call.id));
            let stays = answered && !seen.contains(&call.id);
            seen.push(call.id.clone());
            stays
        });
        report.leave(LeftOut::ToolCallUnanswered, before - caller.calls.len());
        if before > 0 && caller.calls.is_empty() && caller.text.trim().is_empty() {
            report.leave(LeftOut::NoText, 1);
            continue;
        }
        left.push(caller);
        left.append(&mut answers);
    }
    left
}

/// Leaves out all that is of tools.
pub(super) fn without_tools(said: Vec<Said>, report: &mut Report) -> Vec<Said> {
    let mut left = Vec::with_capacity(said.len());
    for mut said in said {
        let calls = std::mem::take(&mut said.calls).len();
        report.leave(LeftOut::ToolsNotCarried, calls + usize::from(said.role == Role::Tool));
        if said.role != Role::Tool && !said.text.trim().is_empty() {
            left.push(said);
        }
    }
    left
}
