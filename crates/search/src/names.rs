//! Who takes part in a user's conversations, and whom a question names.

use crate::analyze::{is_spaceless, normalize};
use crate::{UserIndex, stop};
use std::collections::BTreeSet;
use std::ops::Range;
use unicode_segmentation::UnicodeSegmentation;

/// The display names of everyone who speaks in the index, sorted; roles are not names.
pub fn participants(index: &UserIndex) -> Vec<String> {
    index.speaking().map(str::to_owned).collect::<BTreeSet<_>>().into_iter().collect()
}

/// `text` without the participants' names, in whole or by part, possessive endings included. What names leave behind
/// is what the question is about: its vector finds twice as much. The text itself when nothing else is in it.
pub fn without_names(text: &str, participants: &[String]) -> String {
    let mut rest = String::with_capacity(text.len());
    let mut end = 0;
    for mention in mentions(text, participants) {
        rest.push_str(text.get(end..mention.range.start).unwrap_or_default());
        end = mention.range.end;
    }
    rest.push_str(text.get(end..).unwrap_or_default());
    let rest = rest.split_whitespace().collect::<Vec<_>>().join(" ");
    if rest.unicode_words().next().is_none() { text.to_owned() } else { rest }
}

/// The one participant whom `text` names; `None` when it names nobody, or several.
pub fn named_participant<'a>(text: &str, participants: &'a [String]) -> Option<&'a str> {
    let mut named: BTreeSet<String> = BTreeSet::new();
    let mut who = None;
    for mention in mentions(text, participants) {
        for at in mention.who {
            let name = participants.get(at)?;
            named.insert(normalize(name).into_owned());
            who = Some(name.as_str());
        }
    }
    who.filter(|_| named.len() == 1)
}

/// A name in a text.
struct Mention {
    range: Range<usize>,
    who: Vec<usize>,
}

/// A participant's name as words in lower case.
struct Name {
    words: Vec<String>,
    spaceless: bool,
}

impl Name {
    fn of(name: &str) -> Self {
        let words = normalize(name).unicode_words().map(str::to_owned).collect();
        let mut letters = name.chars().filter(|c| !c.is_whitespace());
        Self { words, spaceless: !name.is_empty() && letters.all(is_spaceless) }
    }

    /// How many of `words` this name takes at their start: all its words, else one that tells.
    fn matches(&self, words: &[Word]) -> usize {
        let all = self.words.len();
        let whole = words.len() >= all && self.words.iter().zip(words).all(|(a, b)| *a == b.base);
        if all > 0 && whole && (all > 1 || words.first().is_some_and(Word::may_be_name)) {
            return all;
        }
        let part = |word: &Word| {
            word.may_be_name() && self.words.iter().any(|own| *own == word.base && tells(own))
        };
        usize::from(words.first().is_some_and(part))
    }
}

/// Initials, particles and titles name nobody alone.
fn tells(part: &str) -> bool {
    const TITLES: &[&str] = &["dr", "mr", "mrs", "ms", "prof", "herr", "frau", "don", "doña"];
    part.chars().count() > 1 && !TITLES.contains(&part) && stop::mask(part) == 0
}

/// A word of the text.
struct Word {
    range: Range<usize>,
    base: String,
    capital: bool,
}

impl Word {
    fn of((at, word): (usize, &str)) -> Self {
        let lower = normalize(word);
        let base = lower.strip_suffix("'s").unwrap_or(&lower).to_owned();
        let capital = word.chars().next().is_some_and(char::is_uppercase);
        Self { range: at..at + word.len(), base, capital }
    }

    /// "will" is a name only when it is written "Will".
    fn may_be_name(&self) -> bool {
        self.capital || stop::mask(&self.base) == 0
    }
}

fn mentions(text: &str, participants: &[String]) -> Vec<Mention> {
    let names: Vec<Name> = participants.iter().map(|name| Name::of(name)).collect();
    let words: Vec<Word> = text.unicode_word_indices().map(Word::of).collect();
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(rest) = words.get(at..).filter(|rest| !rest.is_empty()) {
        let matches: Vec<usize> = names.iter().map(|name| name.matches(rest)).collect();
        let taken = matches.iter().copied().max().unwrap_or(0);
        if let (Some(first), Some(last)) = (rest.first(), rest.get(taken.wrapping_sub(1))) {
            let who = (0..names.len()).filter(|at| matches.get(*at) == Some(&taken)).collect();
            found.push(Mention { range: first.range.start..last.range.end, who });
        }
        at += taken.max(1);
    }
    for (at, name) in participants.iter().enumerate() {
        if names.get(at).is_some_and(|name| name.spaceless) {
            let ranges = text.match_indices(name.as_str()).map(|(at, name)| at..at + name.len());
            found.extend(ranges.map(|range| Mention { range, who: vec![at] }));
        }
    }
    found.sort_by_key(|mention| (mention.range.start, usize::MAX - mention.range.end));
    let mut end = 0;
    found.retain(|mention| {
        let apart = mention.range.start >= end;
        end = end.max(mention.range.end);
        apart
    });
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn people() -> Vec<String> {
        ["Mara Silva", "Tobias", "Will", "田中"].map(str::to_owned).to_vec()
    }

    #[test]
    fn names_go_out_whole_by_part_and_with_possessive_endings() {
        let cases = [
            ("What did Mara Silva buy in Porto?", "What did buy in Porto?"),
            ("where is tobias's bike", "where is bike"),
            ("Mara’s kiln", "kiln"),
            ("will Will come", "will come"),
            ("田中は猫が好き", "は猫が好き"),
            ("Mara?", "Mara?"),
        ];
        for (text, rest) in cases {
            assert_eq!(without_names(text, &people()), rest);
        }
    }

    #[test]
    fn one_named_participant_is_found_and_two_are_nobody() {
        assert_eq!(named_participant("what did mara say", &people()), Some("Mara Silva"));
        assert_eq!(named_participant("did Mara meet Tobias", &people()), None);
        assert_eq!(named_participant("will it rain", &people()), None);
    }

    #[test]
    fn a_first_name_that_two_share_names_neither() {
        let people = ["Mara Silva", "Mara Jones"].map(str::to_owned);
        assert_eq!(named_participant("what did Mara say", &people), None);
        assert_eq!(named_participant("what did Mara Jones say", &people), Some("Mara Jones"));
    }
}
