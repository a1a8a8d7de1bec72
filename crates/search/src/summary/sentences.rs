//! What is stated: sentences of messages, without questions, greetings, code, and what is too short or too long to quote.

use super::Utterance;
use crate::analyze::terms;
use crate::language::Language;
use unicode_segmentation::UnicodeSegmentation;

/// Fewer words that tell something make no statement.
const FEWEST_TERMS: usize = 3;

/// Longer sentences are lists, logs or blobs.
const LONGEST: usize = 400;

/// How a greeting, thanks or a good-bye begins. With many words after it, it is a statement all the same.
const GREETINGS: &[&str] = &[
    "hi",
    "hello",
    "hey",
    "good morning",
    "good evening",
    "good night",
    "thanks",
    "thank you",
    "bye",
    "goodbye",
    "see you",
    "you're welcome",
    "no problem",
    "sure",
    "ok",
    "okay",
    "great",
    "sounds good",
    "hallo",
    "guten",
    "danke",
    "bonjour",
    "merci",
    "hola",
    "gracias",
    "ciao",
    "grazie",
];

/// Terms below which a greeting is nothing else.
const GREETING_TERMS: usize = 6;

/// One sentence that states something.
pub(super) struct Statement<'a> {
    /// The message.
    pub message: usize,
    /// Which of its sentences.
    pub place: usize,
    /// As it stands there.
    pub text: &'a str,
    /// Its terms, in order.
    pub terms: Vec<String>,
}

/// All statements, in order. What is said twice in the same words is one.
pub(super) fn statements<'a>(said: &[Utterance<'a>]) -> Vec<Statement<'a>> {
    let mut all: Vec<Statement<'a>> = Vec::new();
    let mut known = std::collections::HashSet::new();
    for (message, said) in said.iter().enumerate() {
        let sentences = prose(said.text).flat_map(UnicodeSegmentation::unicode_sentences);
        for (place, text) in sentences.map(str::trim).enumerate() {
            let Some(terms) = stated(text) else { continue };
            if known.insert(terms.clone()) {
                all.push(Statement { message, place, text, terms });
            }
        }
    }
    all
}

/// Lines outside fences.
fn prose(text: &str) -> impl Iterator<Item = &str> {
    let mut code = false;
    text.lines().filter(move |line| {
        let fence = line.trim_start().starts_with("```");
        code ^= fence;
        !code && !fence
    })
}

/// The terms of a sentence that states something.
fn stated(text: &str) -> Option<Vec<String>> {
    let bare = text.trim_end_matches(['"', '\'', ')', '”', '»', ' ']);
    if bare.ends_with(['?', '？', '؟', ';']) || text.len() > LONGEST {
        return None;
    }
    let mut all = Vec::new();
    terms(text, Language::Other, |term| all.push(term.to_owned()));
    let least = if is_greeting(text) { GREETING_TERMS } else { FEWEST_TERMS };
    (all.len() >= least).then_some(all)
}

fn is_greeting(text: &str) -> bool {
    let lower = text.to_lowercase();
    GREETINGS.iter().any(|greeting| {
        let rest = lower.strip_prefix(greeting);
        rest.is_some_and(|rest| !rest.starts_with(|c: char| c.is_alphanumeric() || c == '\''))
    })
}
