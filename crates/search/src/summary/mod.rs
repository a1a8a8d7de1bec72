//! A conversation in short, of its own sentences: no model, nothing made up.
//!
//! Statements are ranked by how much they share with the others (LexRank, Erkan and Radev 2004) and taken by maximal
//! marginal relevance (Carbonell and Goldstein 1998), over tf-idf; then they stand in their order, with who said them and
//! when. Questions and greetings are dropped. The work is bounded: at most [`MOST`] statements are ranked.

mod rank;
mod sentences;

use holdfast_core::clock::rfc3339;
use rank::{Ranked, ranked};
use sentences::{Statement, statements};

/// Statements that are ranked at most: of more, each stretch of the conversation sends its richest.
pub const MOST: usize = 600;

/// Weight of what a statement tells against what it repeats.
const RELEVANCE: f64 = 0.7;

/// Who made such a summary, as its record says.
pub const BY: &str = "extractive";

/// One message of a conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Utterance<'a> {
    /// Who says it.
    pub speaker: &'a str,
    /// When, in Unix milliseconds.
    pub at: Option<u64>,
    /// What.
    pub text: &'a str,
}

/// A summary.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Summary {
    /// A line a statement, below the days. Empty when nothing was stated, or nothing fits.
    pub text: String,
    /// Which messages its statements are from, in order.
    pub picked: Vec<usize>,
}

/// The conversation in at most `limit`, as `size` measures a text (tokens, or bytes).
pub fn summarize(said: &[Utterance<'_>], limit: usize, size: impl Fn(&str) -> usize) -> Summary {
    let statements = bounded(statements(said));
    let ranked = ranked(&statements);
    let mut taken: Vec<usize> = Vec::new();
    let mut left: Vec<usize> = (0..statements.len()).collect();
    // A line's own size; what headings add is checked on the whole.
    let mut used = 0;
    // How much of each is told by those that are taken.
    let mut told = vec![0.0; statements.len()];
    while let Some(best) = most_relevant(&ranked, &told, &left) {
        left.retain(|one| *one != best);
        let cost = statements.get(best).map_or(0, |one| size(&line(said, one)));
        if used + cost > limit {
            continue;
        }
        taken.push(best);
        used += cost;
        for (one, told) in told.iter_mut().enumerate() {
            *told = f64::max(*told, ranked.alike(one, best));
        }
    }
    loop {
        let summary = written(said, &statements, &taken);
        if size(&summary.text) <= limit {
            return summary;
        }
        // Headings count as well: the last taken told least.
        taken.pop();
    }
}

/// The statement that tells most that is not yet told.
fn most_relevant(ranked: &Ranked, told: &[f64], left: &[usize]) -> Option<usize> {
    let told = |one: usize| told.get(one).copied().unwrap_or_default();
    let worth = |one: usize| RELEVANCE * ranked.score(one) - (1.0 - RELEVANCE) * told(one);
    let mut best: Option<(f64, usize)> = None;
    for one in left {
        let worth = worth(*one);
        if best.is_none_or(|(highest, _)| worth > highest) {
            best = Some((worth, *one));
        }
    }
    best.map(|(_, one)| one)
}

/// Of too many the richest of each stretch of equal length.
fn bounded(statements: Vec<Statement<'_>>) -> Vec<Statement<'_>> {
    if statements.len() <= MOST {
        return statements;
    }
    let stretches = MOST / 4;
    let all = statements.len();
    let mut by_stretch: Vec<Vec<Statement<'_>>> = (0..stretches).map(|_| Vec::new()).collect();
    for (at, statement) in statements.into_iter().enumerate() {
        if let Some(stretch) = by_stretch.get_mut(at * stretches / all) {
            stretch.push(statement);
        }
    }
    for stretch in &mut by_stretch {
        stretch.sort_by_key(|one| (std::cmp::Reverse(one.terms.len()), one.message, one.place));
        stretch.truncate(4);
        stretch.sort_by_key(|one| (one.message, one.place));
    }
    by_stretch.into_iter().flatten().collect()
}

fn written(said: &[Utterance<'_>], statements: &[Statement<'_>], taken: &[usize]) -> Summary {
    let mut order = taken.to_vec();
    order.sort_unstable();
    let mut summary = Summary::default();
    let mut day = None;
    for one in order.iter().filter_map(|at| statements.get(*at)) {
        let today = said.get(one.message).and_then(|said| said.at).map(day_of);
        if today.is_some() && today != day {
            let blank = if summary.text.is_empty() { "" } else { "\n" };
            let heading = today.clone().unwrap_or_default();
            summary.text.push_str(&format!("{blank}{heading}\n"));
            day = today;
        }
        summary.text.push_str(&line(said, one));
        summary.text.push('\n');
        if summary.picked.last() != Some(&one.message) {
            summary.picked.push(one.message);
        }
    }
    summary.text.truncate(summary.text.trim_end().len());
    summary
}

fn line(said: &[Utterance<'_>], statement: &Statement<'_>) -> String {
    let speaker = said.get(statement.message).map_or("", |said| said.speaker);
    format!("{speaker}: {}", statement.text)
}

fn day_of(at: u64) -> String {
    rfc3339(at).chars().take(10).collect()
}
