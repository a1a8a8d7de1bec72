//! A session in short, as its records hold it; and which messages the next one covers.

use crate::{Error, Result};
use serde::{Deserialize, Serialize};

/// A summary. Its record's sources are the messages that it covers, in order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    /// What it says; empty when nothing was stated.
    pub text: String,
    /// Who made it: `extractive`, or a model's name.
    pub by: String,
    /// Tokens that the model read.
    #[serde(default)]
    pub prompt_tokens: u32,
    /// Tokens that the model wrote.
    #[serde(default)]
    pub completion_tokens: u32,
}

impl Summary {
    /// Reads the thing of a summary's record.
    ///
    /// # Errors
    /// `corrupt` when it is none.
    pub fn read(thing: &str) -> Result<Self> {
        serde_json::from_str(thing)
            .map_err(|e| Error::corrupt("a summary cannot be read").caused_by(e))
    }
}

/// A message on the way into a summary.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Weighed {
    /// Its tokens.
    pub tokens: usize,
    /// A summary covers it.
    pub covered: bool,
}

/// When and how much is covered.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Rules {
    /// Only when what is not covered, and the summaries, have more tokens; then about half of it stays.
    pub max_tokens: Option<usize>,
    /// So many of the newest stay.
    pub keep: usize,
    /// A summary covers at most so many messages.
    pub most: usize,
}

/// Why nothing is covered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Idle {
    /// It has no more tokens than it may.
    WithinBudget,
    /// Everything that may be covered is.
    NothingLeft,
}

impl Idle {
    /// Name as REST spells it.
    pub fn name(self) -> &'static str {
        match self {
            Idle::WithinBudget => "within_budget",
            Idle::NothingLeft => "nothing_left",
        }
    }
}

/// The oldest messages without a gap that no summary covers: their places in `messages`. `summaries` is what those that are
/// there have in tokens.
///
/// # Errors
/// Why there are none.
pub fn oldest(
    messages: &[Weighed],
    summaries: usize,
    rules: &Rules,
) -> Result<std::ops::Range<usize>, Idle> {
    let open = messages.iter().filter(|one| !one.covered);
    let total = open.map(|one| one.tokens).sum::<usize>() + summaries;
    let mut end = messages.len().saturating_sub(rules.keep);
    if let Some(most) = rules.max_tokens {
        if total <= most {
            return Err(Idle::WithinBudget);
        }
        let mut kept = 0;
        let stays = |one: &&Weighed| {
            kept += one.tokens;
            kept <= most / 2
        };
        end = end.min(messages.len() - messages.iter().rev().take_while(stays).count());
    }
    let may = messages.get(..end).unwrap_or_default();
    let begin = may.iter().position(|one| !one.covered).ok_or(Idle::NothingLeft)?;
    let run = may.iter().skip(begin).take_while(|one| !one.covered).take(rules.most);
    Ok(begin..begin + run.count())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn messages(covered: &[bool]) -> Vec<Weighed> {
        let weighed = |covered: &bool| Weighed { tokens: 10, covered: *covered };
        covered.iter().map(weighed).collect()
    }

    const ALL: Rules = Rules { max_tokens: None, keep: 0, most: 100 };

    #[test]
    fn the_oldest_gap_is_covered_first_and_nothing_twice() {
        let (o, c) = (false, true);
        assert_eq!(oldest(&messages(&[c, o, o, c, c, o]), 0, &ALL), Ok(1..3));
        assert_eq!(oldest(&messages(&[c, c, o]), 0, &ALL), Ok(2..3));
        assert_eq!(oldest(&messages(&[c, c]), 0, &ALL), Err(Idle::NothingLeft));
        assert_eq!(oldest(&[], 0, &ALL), Err(Idle::NothingLeft));
        assert_eq!(oldest(&messages(&[o; 9]), 0, &Rules { most: 4, ..ALL }), Ok(0..4));
    }

    #[test]
    fn a_budget_is_kept_to_and_half_of_it_stays_verbatim() {
        let nine = messages(&[false; 9]);
        let within = |most| Rules { max_tokens: Some(most), ..ALL };
        assert_eq!(oldest(&nine, 0, &within(90)), Err(Idle::WithinBudget));
        assert_eq!(oldest(&nine, 1, &within(90)), Ok(0..5));
        assert_eq!(oldest(&nine, 0, &Rules { keep: 7, ..within(40) }), Ok(0..2));
        assert_eq!(oldest(&nine, 0, &Rules { keep: 9, ..within(40) }), Err(Idle::NothingLeft));
        // A last message that is too large by itself is covered too: there is no other way.
        assert_eq!(oldest(&nine, 0, &within(1)), Ok(0..9));
    }
}
