//! Passwords, keys and tokens: by well-known beginnings, by what stands before them, and by how random they look.

use super::{Find, Personal};
use std::collections::HashMap;

/// Beginnings that vendors gave their keys, and how long the rest is at least.
const BEGINNINGS: &[(&str, usize)] = &[
    ("sk-", 16),
    ("sk_live_", 16),
    ("sk_test_", 16),
    ("rk_live_", 16),
    ("rk_test_", 16),
    ("pk_live_", 16),
    ("whsec_", 16),
    ("ghp_", 30),
    ("gho_", 30),
    ("ghu_", 30),
    ("ghs_", 30),
    ("ghr_", 30),
    ("github_pat_", 30),
    ("glpat-", 16),
    ("gldt-", 16),
    ("xoxb-", 16),
    ("xoxp-", 16),
    ("xoxa-", 16),
    ("xoxr-", 16),
    ("xoxs-", 16),
    ("xapp-", 16),
    ("AKIA", 16),
    ("ASIA", 16),
    ("AIza", 30),
    ("ya29.", 20),
    ("hf_", 20),
    ("npm_", 30),
    ("pypi-", 30),
    ("dop_v1_", 30),
    ("SG.", 30),
    ("shpat_", 24),
    ("sq0atp-", 16),
    ("EAACEdEose0cBA", 8),
    ("AGE-SECRET-KEY-1", 30),
    ("dckr_pat_", 20),
    ("tskey-", 16),
    ("lin_api_", 20),
    ("gsk_", 20),
    ("r8_", 30),
    ("pplx-", 30),
    ("xai-", 30),
    ("sntrys_", 20),
    ("rubygems_", 30),
    ("eyJ", 30),
];

/// Words before `:` or `=` that say what comes.
const WORDS: &[&str] = &[
    "password",
    "passwd",
    "passphrase",
    "pwd",
    "secret",
    "token",
    "api_key",
    "apikey",
    "api-key",
    "access_key",
    "secret_key",
    "client_secret",
    "private_key",
    "auth_token",
    "access_token",
];

/// All of them.
pub(super) fn find(text: &str) -> Vec<Find> {
    let mut finds = pem(text);
    finds.extend(credentials(text));
    finds.extend(tokens(text));
    finds
}

fn secret(text: &str, start: usize, end: usize) -> Option<Find> {
    let same = text.get(start..end)?.to_owned();
    Some(Find { start, end, kind: Personal::Secret, same })
}

/// Private keys in PEM, to their end or the text's.
fn pem(text: &str) -> Vec<Find> {
    let mut finds = Vec::new();
    let mut at = 0;
    while let Some(begin) = text.get(at..).and_then(|rest| rest.find("-----BEGIN ")) {
        let start = at + begin;
        let rest = text.get(start..).unwrap_or_default();
        let label =
            rest.get(11..).and_then(|rest| rest.split_once("-----")).map(|(label, _)| label);
        if !label.is_some_and(|label| label.ends_with("PRIVATE KEY") && label.len() < 40) {
            at = start + 11;
            continue;
        }
        let end = rest.find("-----END ").and_then(|end| {
            let after = end + 9;
            rest.get(after..)?.find("-----").map(|dashes| after + dashes + 5)
        });
        at = start + end.unwrap_or(rest.len());
        finds.extend(secret(text, start, at));
    }
    finds
}

/// `user:password` of a URL.
fn credentials(text: &str) -> Vec<Find> {
    let found = text.match_indices("://").filter_map(|(at, _)| {
        let rest = text.get(at + 3..)?;
        let host = rest.find(|c: char| c.is_whitespace() || "/?#\"'<>".contains(c));
        let authority = rest.get(..host.unwrap_or(rest.len()))?;
        let (user, _) = authority.rsplit_once('@')?;
        user.contains(':').then(|| secret(text, at + 3, at + 3 + user.len()))?
    });
    found.collect()
}

/// Runs of what keys are made of.
fn tokens(text: &str) -> Vec<Find> {
    let part = |c: char| c.is_ascii_alphanumeric() || "_-+/=.".contains(c);
    let mut finds = Vec::new();
    let mut at = 0;
    while let Some(begin) = text.get(at..).and_then(|rest| rest.find(part)) {
        let start = at + begin;
        let rest = text.get(start..).unwrap_or_default();
        let length = rest.len() - rest.trim_start_matches(part).len();
        at = start + length;
        finds.extend(in_token(text, start, at));
    }
    finds
}

fn in_token(text: &str, start: usize, end: usize) -> Option<Find> {
    let token = text.get(start..end)?.trim_end_matches('.');
    let end = start + token.len();
    // `key=value`, and `key: value` where the word stands before.
    let value =
        token.split_once('=').filter(|(word, _)| is_word(word)).map_or(0, |(w, _)| w.len() + 1);
    let named = value > 0 || is_word_before(text.get(..start)?);
    let body = token.get(value..)?.trim_start_matches(['=', '.', '-', '/']);
    let from = end - body.len();
    let said = named && body.len() >= 6 && body.bytes().any(|b| b.is_ascii_digit());
    if said || has_known_beginning(body) || looks_random(body) {
        return secret(text, from, end);
    }
    // The last part of a path or an assignment may be one by itself.
    let cut = body.rfind(['/', '=']).map(|at| at + 1)?;
    let tail = body.get(cut..)?;
    (has_known_beginning(tail) || looks_random(tail)).then(|| secret(text, from + cut, end))?
}

fn is_word(word: &str) -> bool {
    let lower = word.to_ascii_lowercase();
    WORDS.iter().any(|known| lower.ends_with(known))
}

/// Does a word of these, or `Bearer`, stand right before?
fn is_word_before(before: &str) -> bool {
    let before = before.trim_end_matches([' ', '"', '\'', '`']);
    if before.len() > 6
        && before.get(before.len() - 6..).is_some_and(|b| b.eq_ignore_ascii_case("bearer"))
    {
        return true;
    }
    let Some(word) = before.strip_suffix([':', '=']) else { return false };
    let word = word.trim_end_matches([' ', '"', '\'', '`']);
    // Enough of it for the longest word.
    let tail: String = word.chars().rev().take(16).collect::<Vec<_>>().into_iter().rev().collect();
    is_word(&tail)
}

fn has_known_beginning(token: &str) -> bool {
    BEGINNINGS.iter().any(|(beginning, least)| {
        token
            .strip_prefix(beginning)
            .is_some_and(|rest| rest.len() >= *least && rest.bytes().any(|b| b.is_ascii_digit()))
    })
}

/// Long, of mixed letters and digits, and none of them often: 32 hexadecimal digits, or 24 of base 64.
fn looks_random(token: &str) -> bool {
    let token = token.trim_end_matches('=');
    let has = |test: fn(&u8) -> bool| token.as_bytes().iter().any(test);
    if !has(u8::is_ascii_digit) {
        return false;
    }
    if token.len() >= 32 && token.bytes().all(|b| b.is_ascii_hexdigit()) {
        return has(u8::is_ascii_alphabetic) && entropy(token) >= 3.0;
    }
    if !has(u8::is_ascii_lowercase) || !has(u8::is_ascii_uppercase) || token.contains('.') {
        return false;
    }
    // Paths have slashes as well: what has them must be as long and as random as an AWS secret.
    let slashes = token.contains('/');
    if slashes {
        token.len() >= 40 && entropy(token) >= 4.5
    } else {
        token.len() >= 24 && entropy(token) >= 3.8
    }
}

/// Bits a character (Shannon).
fn entropy(token: &str) -> f64 {
    let mut counts: HashMap<u8, f64> = HashMap::new();
    for byte in token.bytes() {
        *counts.entry(byte).or_default() += 1.0;
    }
    #[expect(clippy::cast_precision_loss, reason = "tokens are short")]
    let all = token.len() as f64;
    counts.values().map(|count| -(count / all) * (count / all).log2()).sum()
}
