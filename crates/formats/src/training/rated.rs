//! Feedback as training takes it: which answers are good, which are not, and what should have been said.

use super::mend::{Rules, mended};
use super::report::{LeftOut, Report};
use super::said::Said;
use super::window::Window;
use holdfast_core::message::Role;
use std::collections::HashMap;

/// What people said of a message.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Verdict {
    /// Rated good or bad; none when only corrected.
    pub good: Option<bool>,
    /// What it should have said.
    pub correction: Option<String>,
}

/// Verdicts by message id.
pub type Verdicts = HashMap<String, Verdict>;

/// Of two answers to one prompt the better and the worse.
pub(super) struct Pair {
    pub prompt: Vec<Said>,
    pub chosen: Said,
    pub rejected: Said,
}

/// One answer to a prompt, good or bad.
pub(super) struct Label {
    pub prompt: Vec<Said>,
    pub completion: Said,
    pub good: bool,
}

/// Was the message rated bad, or is there something better to say?
pub(super) fn is_bad(said: &Said, verdicts: &Verdicts) -> bool {
    let bad = |verdict: &Verdict| verdict.good == Some(false) || verdict.correction.is_some();
    said.ids.iter().filter_map(|id| verdicts.get(id)).any(bad)
}

/// Was the message rated good?
pub(super) fn is_good(said: &Said, verdicts: &Verdicts) -> bool {
    !is_bad(said, verdicts)
        && said.ids.iter().filter_map(|id| verdicts.get(id)).any(|v| v.good == Some(true))
}

/// The window's answers with their verdicts, each with its place.
fn rated<'w>(
    window: &'w Window,
    verdicts: &'w Verdicts,
) -> impl Iterator<Item = (usize, &'w Said, &'w Verdict)> {
    let answers = window.said.iter().enumerate();
    answers.filter_map(|(at, said)| {
        let verdict = said.ids.first().and_then(|id| verdicts.get(id))?;
        (said.role == Role::Assistant).then_some((at, said, verdict))
    })
}

/// Pairs: a corrected answer and its correction, and of answers with one parent a good and a bad one.
pub(super) fn pairs(
    window: &Window,
    verdicts: &Verdicts,
    rules: &Rules,
    report: &mut Report,
) -> Vec<Pair> {
    let mut pairs = Vec::new();
    for (at, said, verdict) in rated(window, verdicts) {
        let better = match &verdict.correction {
            Some(text) if !text.trim().is_empty() => Some(corrected(said, text)),
            _ if verdict.good == Some(false) => sibling(window, said, verdicts),
            // A good one is compared with by the bad one.
            _ => continue,
        };
        let pair = better.zip(plain(said)).and_then(|(chosen, rejected)| {
            let prompt = prompt(window, at, verdicts, rules, report)?;
            (chosen.text != rejected.text).then_some(Pair { prompt, chosen, rejected })
        });
        match pair {
            Some(pair) => pairs.push(pair),
            None => report.leave(LeftOut::NoPair, 1),
        }
    }
    pairs
}

/// Labels: every rated answer, and a correction as a good one.
pub(super) fn labels(
    window: &Window,
    verdicts: &Verdicts,
    rules: &Rules,
    report: &mut Report,
) -> Vec<Label> {
    let mut labels = Vec::new();
    for (at, said, verdict) in rated(window, verdicts) {
        let correction = verdict.correction.as_deref().filter(|text| !text.trim().is_empty());
        let good = verdict.good.unwrap_or(false) && correction.is_none();
        let made = plain(said)
            .filter(|_| verdict.good.is_some() || correction.is_some())
            .and_then(|said| Some((prompt(window, at, verdicts, rules, report)?, said)));
        let Some((prompt, completion)) = made else {
            report.leave(LeftOut::NoPair, 1);
            continue;
        };
        if let Some(text) = correction {
            let completion = corrected(&completion, text);
            labels.push(Label { prompt: prompt.clone(), completion, good: true });
        }
        labels.push(Label { prompt, completion, good });
    }
    labels
}

/// An answer of text alone: what is compared holds no calls.
fn plain(said: &Said) -> Option<Said> {
    (said.calls.is_empty() && !said.text.trim().is_empty()).then(|| said.clone())
}

fn corrected(said: &Said, text: &str) -> Said {
    Said { text: text.to_owned(), calls: Vec::new(), ..said.clone() }
}

/// A good answer with the same parent.
fn sibling(window: &Window, bad: &Said, verdicts: &Verdicts) -> Option<Said> {
    bad.parent.as_ref()?;
    let good = |said: &&Said| {
        said.role == Role::Assistant && said.parent == bad.parent && is_good(said, verdicts)
    };
    window.said.iter().find(good).and_then(plain)
}

/// What was said before the answer, up to what it answers; none when nobody asked.
fn prompt(
    window: &Window,
    at: usize,
    verdicts: &Verdicts,
    rules: &Rules,
    report: &mut Report,
) -> Option<Vec<Said>> {
    let parent = window.said.get(at)?.parent.as_ref();
    let before = window.said.get(..at)?;
    let asked = parent.and_then(|id| before.iter().rposition(|said| said.ids.contains(id)));
    let before = asked.and_then(|at| before.get(..=at)).unwrap_or(before);
    let rules = Rules { trailing: true, ..*rules };
    let prompt = mended(before, verdicts, &rules, report);
    let asks = |said: &Said| matches!(said.role, Role::User | Role::Tool);
    prompt.last().is_some_and(asks).then_some(prompt)
}
