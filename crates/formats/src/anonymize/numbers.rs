//! What is made of digits: payment cards (Luhn), telephone numbers, IP addresses.

use super::{Find, Personal, begins, ends};
// Addresses are only read here: nothing is connected to.
use core::net::{Ipv4Addr, Ipv6Addr};

/// All of them.
pub(super) fn find(text: &str) -> Vec<Find> {
    let mut finds = addresses(text);
    let mut at = 0;
    while let Some(groups) = next_groups(text, at) {
        at = groups.last().map_or(text.len(), |group| group.end);
        finds.extend(in_groups(text, &groups));
    }
    finds
}

/// Digits without anything between them.
#[derive(Clone, Copy)]
struct Group {
    start: usize,
    end: usize,
}

/// The next run of digits with at most two separators between them.
fn next_groups(text: &str, from: usize) -> Option<Vec<Group>> {
    let bytes = text.as_bytes();
    let digit = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_digit);
    let mut at = from + bytes.get(from..)?.iter().position(u8::is_ascii_digit)?;
    let mut groups = Vec::new();
    loop {
        let start = at;
        while digit(at) {
            at += 1;
        }
        groups.push(Group { start, end: at });
        let rest = text.get(at..)?;
        let separators = rest.trim_start_matches(is_separator);
        let between = rest.len() - separators.len();
        let count = rest.get(..between)?.chars().count();
        if count == 0 || count > 3 || !digit(at + between) {
            return Some(groups);
        }
        at += between;
    }
}

fn is_separator(c: char) -> bool {
    matches!(c, ' ' | '-' | '.' | '(' | ')' | '/' | '\u{a0}' | '\u{2010}' | '\u{2011}' | '\u{202f}')
}

/// Cards and phones: from each group on the longest that is one.
fn in_groups(text: &str, groups: &[Group]) -> Vec<Find> {
    let mut finds = Vec::new();
    let mut first = 0;
    while let Some(rest) = groups.get(first..).filter(|rest| !rest.is_empty()) {
        // No card and no phone has more than 19 digits.
        let most = rest.len().min(19);
        let found =
            (1..=most).rev().find_map(|count| one(text, rest.get(..count)?).map(|f| (f, count)));
        first += found.as_ref().map_or(1, |(_, count)| *count);
        finds.extend(found.map(|(find, _)| find));
    }
    finds
}

fn one(text: &str, groups: &[Group]) -> Option<Find> {
    let (first, last) = (groups.first()?, groups.last()?);
    let digits: String =
        groups.iter().filter_map(|group| text.get(group.start..group.end)).collect();
    let end = last.end;
    if !ends(text, end) || !begins(text, first.start) {
        return None;
    }
    if is_card(text, groups, &digits) {
        return Some(Find { start: first.start, end, kind: Personal::Card, same: digits });
    }
    let (start, international) = opening(text, first.start, end);
    let phone = if international {
        (8..=15).contains(&digits.len())
    } else {
        is_national(text, groups, &digits)
    };
    phone.then_some(Find { start, end, kind: Personal::Phone, same: digits })
}

/// Where a number with its `+` and its parenthesis, if that closes within, begins, and whether it has the `+`.
fn opening(text: &str, start: usize, end: usize) -> (usize, bool) {
    let before = text.get(..start).unwrap_or_default();
    let closes = text.get(start..end).is_some_and(|number| number.contains(')'));
    let bare = before.strip_suffix('(').filter(|_| closes).unwrap_or(before);
    match bare.strip_suffix('+') {
        Some(rest) => (rest.len(), true),
        None => (bare.len(), false),
    }
}

fn is_card(text: &str, groups: &[Group], digits: &str) -> bool {
    let between = groups.windows(2).all(|pair| match pair {
        [one, next] => matches!(text.get(one.end..next.start), Some(" " | "-" | "\u{a0}")),
        _ => true,
    });
    let grouped = groups.iter().all(|group| group.end - group.start >= 3);
    let same = digits.bytes().all(|b| digits.bytes().next() == Some(b));
    between && grouped && !same && (13..=19).contains(&digits.len()) && luhn(digits)
}

/// The check of ISO/IEC 7812.
fn luhn(digits: &str) -> bool {
    let sum: u32 = digits
        .bytes()
        .rev()
        .enumerate()
        .map(|(at, byte)| {
            let value = u32::from(byte - b'0') * if at % 2 == 1 { 2 } else { 1 };
            if value > 9 { value - 9 } else { value }
        })
        .sum();
    sum.is_multiple_of(10)
}

/// Without a `+`: `00` and a country, a national prefix 0, or the North American plan.
fn is_national(text: &str, groups: &[Group], digits: &str) -> bool {
    let lengths: Vec<usize> = groups.iter().map(|group| group.end - group.start).collect();
    let dotted = groups.windows(2).any(|pair| match pair {
        [one, next] => text.get(one.end..next.start).is_some_and(|between| between.contains('.')),
        _ => false,
    });
    match lengths.as_slice() {
        [2, 2, 2, 2, 2] => digits.starts_with('0'),
        [3, 3, 4] | [1, 3, 3, 4] | [10] => north_american(digits),
        _ if dotted => false,
        [first, ..] if digits.starts_with("00") => *first >= 3 && (10..=17).contains(&digits.len()),
        [first, ..] => {
            *first >= 3
                && lengths.len() <= 5
                && digits.starts_with('0')
                && (9..=12).contains(&digits.len())
        }
        [] => false,
    }
}

fn north_american(digits: &str) -> bool {
    let ten = if digits.len() == 11 { digits.strip_prefix('1') } else { Some(digits) };
    let Some(ten) = ten.map(str::as_bytes) else { return false };
    let two_to_nine = |at: usize| ten.get(at).is_some_and(|b| (b'2'..=b'9').contains(b));
    ten.len() == 10 && two_to_nine(0) && two_to_nine(3)
}

fn addresses(text: &str) -> Vec<Find> {
    let part = |c: char| c.is_ascii_hexdigit() || c == ':' || c == '.';
    let mut finds = Vec::new();
    let mut at = 0;
    while let Some(begin) = text.get(at..).and_then(|rest| rest.find(part)) {
        let start = at + begin;
        let rest = text.get(start..).unwrap_or_default();
        let length = rest.len() - rest.trim_start_matches(part).len();
        at = start + length;
        let token = rest.get(..length).unwrap_or_default();
        let lead = token.len() - token.trim_start_matches('.').len();
        let token = token.trim_matches('.');
        // A colon after an address ends a clause, or begins a port.
        let token = token.strip_suffix(':').filter(|t| !t.ends_with(':')).unwrap_or(token);
        let (start, whole) = (start + lead, begins(text, start));
        if whole
            && let Some((length, same)) = address(token)
            && ends(text, start + length)
        {
            finds.push(Find { start, end: start + length, kind: Personal::Ip, same });
        }
    }
    finds
}

fn address(token: &str) -> Option<(usize, String)> {
    let host = token.split(':').next().unwrap_or_default();
    let port = token.get(host.len()..).is_none_or(|port| {
        port.is_empty() || port.strip_prefix(':').is_some_and(|p| p.parse::<u16>().is_ok())
    });
    if port && let Ok(address) = host.parse::<Ipv4Addr>() {
        return Some((host.len(), address.to_string()));
    }
    let colons = token.matches(':').count();
    let digits = token.bytes().any(|b| b.is_ascii_digit());
    let long = token.split(':').next().is_some_and(|first| first.len() == 4);
    if colons < 2 || !digits || (colons < 3 && !long) {
        return None;
    }
    token.parse::<Ipv6Addr>().ok().map(|address| (token.len(), address.to_string()))
}
