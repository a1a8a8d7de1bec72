//! Making of what was said a conversation that a format can carry.

use super::calls::{paired, without_tools};
use super::rated::{Verdicts, is_bad, is_good};
use super::report::{LeftOut, Mended, Report};
use super::said::Said;
use holdfast_core::message::Role;
use std::collections::HashMap;

/// What a format can carry.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Rules {
    /// Turns with a bad answer stay: the format says which they are.
    pub keep_bad: bool,
    /// Instructions may stand anywhere.
    pub system_anywhere: bool,
    /// Messages of one role may follow each other.
    pub repeats: bool,
    /// No tools.
    pub no_tools: bool,
    /// What comes after the last answer stays: it is a prompt.
    pub trailing: bool,
}

/// What is said, as the rules want it: nothing when nobody answers.
pub(super) fn mended(
    said: &[Said],
    verdicts: &Verdicts,
    rules: &Rules,
    report: &mut Report,
) -> Vec<Said> {
    let mut said = one_branch(said.to_vec(), verdicts, report);
    if !rules.keep_bad {
        said = without_bad_turns(said, verdicts, report);
    }
    if !rules.system_anywhere {
        said = system_first(said, report);
    }
    said = if rules.no_tools { without_tools(said, report) } else { paired(said, report) };
    if !rules.repeats {
        said = merged(said, report);
    }
    if !rules.trailing {
        answered(&mut said, report);
    }
    said
}

/// Of answers with one parent one stays: the last good one, else the last that is not bad, else the last.
fn one_branch(said: Vec<Said>, verdicts: &Verdicts, report: &mut Report) -> Vec<Said> {
    let worth = |said: &Said| u8::from(is_good(said, verdicts)) + u8::from(!is_bad(said, verdicts));
    let mut best: HashMap<&str, (u8, usize)> = HashMap::new();
    let parent = |said: &Said| said.role == Role::Assistant && said.calls.is_empty();
    for (at, answer) in said.iter().enumerate().filter(|(_, said)| parent(said)) {
        if let Some(id) = answer.parent.as_deref() {
            let standing = best.entry(id).or_default();
            *standing = (worth(answer), at).max(*standing);
        }
    }
    let stays: Vec<bool> = said
        .iter()
        .enumerate()
        .map(|(at, answer)| {
            let rival =
                answer.parent.as_deref().filter(|_| parent(answer)).and_then(|id| best.get(id));
            rival.is_none_or(|(_, best)| *best == at)
        })
        .collect();
    let before = said.len();
    let left: Vec<Said> =
        said.into_iter().zip(stays).filter_map(|(said, stays)| stays.then_some(said)).collect();
    report.leave(LeftOut::Sibling, before - left.len());
    left
}

/// Leaves out every turn whose answer was rated bad.
fn without_bad_turns(said: Vec<Said>, verdicts: &Verdicts, report: &mut Report) -> Vec<Said> {
    let mut left = Vec::with_capacity(said.len());
    for turn in turns(said) {
        if turn.iter().any(|said| said.role == Role::Assistant && is_bad(said, verdicts)) {
            let (system, rest): (Vec<Said>, Vec<Said>) =
                turn.into_iter().partition(|said| said.role == Role::System);
            report.leave(LeftOut::RatedBad, rest.len());
            left.extend(system);
        } else {
            left.extend(turn);
        }
    }
    left
}

/// Turns: users, one or several after each other, and all until the next of them.
pub(super) fn turns(said: Vec<Said>) -> Vec<Vec<Said>> {
    let mut turns: Vec<Vec<Said>> = Vec::new();
    for said in said {
        let last = turns.last().and_then(|turn| turn.last()).map(|last| last.role);
        let begins = said.role == Role::User && last != Some(Role::User);
        match turns.last_mut() {
            Some(turn) if !begins => turn.push(said),
            _ => turns.push(vec![said]),
        }
    }
    turns
}

/// Instructions of the beginning as one; later ones are left out.
fn system_first(said: Vec<Said>, report: &mut Report) -> Vec<Said> {
    let first = said.iter().take_while(|said| said.role == Role::System).count();
    let mut left: Vec<Said> = Vec::with_capacity(said.len());
    for (at, said) in said.into_iter().enumerate() {
        match left.last_mut() {
            Some(system) if at < first => {
                report.mend(Mended::Merged, 1);
                system.join(said);
            }
            _ if said.role == Role::System && at >= first => {
                report.leave(LeftOut::SystemNotFirst, 1);
            }
            _ => left.push(said),
        }
    }
    left
}

/// Joins users to users and assistants to assistants, unless the first of them calls a tool.
fn merged(said: Vec<Said>, report: &mut Report) -> Vec<Said> {
    let mut left: Vec<Said> = Vec::with_capacity(said.len());
    for said in said {
        let joins = |last: &&mut Said| {
            last.role == said.role
                && last.calls.is_empty()
                && matches!(said.role, Role::User | Role::Assistant)
        };
        match left.last_mut().filter(joins) {
            Some(last) => {
                report.mend(Mended::Merged, 1);
                last.join(said);
            }
            None => left.push(said),
        }
    }
    left
}

/// Cuts what comes after the last answer in words: an example ends with one.
fn answered(said: &mut Vec<Said>, report: &mut Report) {
    let answer =
        said.iter().rposition(|said| said.role == Role::Assistant && said.calls.is_empty());
    let stays = answer.map_or(0, |at| at + 1);
    // Where nobody answers, instructions are no loss.
    let lost = |said: &&Said| stays > 0 || said.role != Role::System;
    let cut = said.iter().skip(stays).filter(lost).map(|said| said.ids.len()).sum();
    report.leave(LeftOut::NoAnswer, cut);
    said.truncate(stays);
}
