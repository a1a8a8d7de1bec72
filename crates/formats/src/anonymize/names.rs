//! Names that a profile knows, wherever they stand as words of their own.

use super::{Find, Personal};
use std::collections::HashMap;

/// Names that are also everyday words: only with a capital they are names.
const WORDS: &[&str] = &[
    "april", "art", "august", "bill", "chance", "dawn", "drew", "faith", "frank", "gene", "grace",
    "grant", "hope", "ivy", "jack", "joy", "june", "lily", "mark", "max", "may", "miles", "pat",
    "ray", "rich", "rob", "rose", "sky", "sue", "summer", "will", "winter",
];

/// Names, by their first word.
#[derive(Default)]
pub(super) struct Names {
    /// The rest of each, the longest first.
    by_word: HashMap<String, Vec<Vec<String>>>,
    /// Names in scripts that put no spaces between words.
    unspaced: Vec<String>,
}

struct Word<'t> {
    start: usize,
    end: usize,
    text: &'t str,
    lower: String,
}

impl Names {
    pub fn new<'n>(names: impl IntoIterator<Item = &'n str>) -> Self {
        let mut all = Self::default();
        for name in names {
            if name.chars().any(is_unspaced) {
                all.unspaced.push(name.trim().to_owned());
                continue;
            }
            let mut words = words(name).into_iter().map(|word| word.lower);
            let Some(first) = words.next() else { continue };
            let rest: Vec<String> = words.collect();
            // One letter is no name.
            if !rest.is_empty() || first.chars().count() > 1 {
                all.by_word.entry(first).or_default().push(rest);
            }
        }
        for rests in all.by_word.values_mut() {
            rests.sort_by_key(|rest| std::cmp::Reverse(rest.len()));
        }
        all
    }

    pub fn find(&self, text: &str) -> Vec<Find> {
        let mut finds: Vec<Find> = Vec::new();
        for name in &self.unspaced {
            finds.extend(text.match_indices(name.as_str()).map(|(start, _)| Find {
                start,
                end: start + name.len(),
                kind: Personal::Name,
                same: name.clone(),
            }));
        }
        if self.by_word.is_empty() {
            return finds;
        }
        let words = words(text);
        let mut at = 0;
        while let Some(word) = words.get(at) {
            let after = words.get(at + 1..).unwrap_or_default();
            let rest = self.by_word.get(&word.lower).and_then(|rests| {
                rests.iter().find(|rest| follows(rest, after, word.end)).filter(|rest| {
                    !rest.is_empty()
                        || !WORDS.contains(&word.lower.as_str())
                        || is_capital(word.text)
                })
            });
            let Some(rest) = rest else {
                at += 1;
                continue;
            };
            at += rest.len();
            let end = words.get(at).map_or(word.end, |last| last.end);
            let same = text.get(word.start..end).map(same).unwrap_or_default();
            finds.push(Find { start: word.start, end, kind: Personal::Name, same });
            at += 1;
        }
        finds
    }
}

/// The words after a name's first one are the rest of it, with at most two characters between them.
fn follows(rest: &[String], after: &[Word<'_>], end: usize) -> bool {
    let mut end = end;
    rest.len() <= after.len()
        && rest.iter().zip(after).all(|(wanted, word)| {
            let near = word.start - end <= 2;
            end = word.end;
            near && *wanted == word.lower
        })
}

/// A name whatever way it is written.
pub(super) fn same(name: &str) -> String {
    words(name).into_iter().map(|word| word.lower).collect::<Vec<_>>().join(" ")
}

fn words(text: &str) -> Vec<Word<'_>> {
    // With `_`, or the words of a placeholder could be names.
    let part = |c: char| c.is_alphanumeric() || c == '_';
    let mut words = Vec::new();
    let mut at = 0;
    while let Some(begin) = text.get(at..).and_then(|rest| rest.find(part)) {
        let start = at + begin;
        let rest = text.get(start..).unwrap_or_default();
        let length = rest.len() - rest.trim_start_matches(part).len();
        at = start + length;
        let word = rest.get(..length).unwrap_or_default();
        words.push(Word { start, end: at, text: word, lower: word.to_lowercase() });
    }
    words
}

fn is_capital(word: &str) -> bool {
    word.chars().next().is_some_and(char::is_uppercase)
}

/// Chinese, Japanese, Thai, Lao, Khmer and Burmese letters.
fn is_unspaced(c: char) -> bool {
    matches!(u32::from(c), 0x0e00..=0x0eff | 0x1000..=0x109f | 0x1780..=0x17ff | 0x3040..=0x30ff
        | 0x3400..=0x4dbf | 0x4e00..=0x9fff | 0xf900..=0xfaff | 0x20000..=0x2ffff)
}
