//! E-mail addresses: something, `@`, and a domain with a dot.

use super::{Find, Personal};

/// All of them.
pub(super) fn find(text: &str) -> Vec<Find> {
    text.match_indices('@').filter_map(|(at, _)| address(text, at)).collect()
}

fn address(text: &str, at: usize) -> Option<Find> {
    let local = |c: char| c.is_alphanumeric() || "._%+-'".contains(c);
    let before = text.get(..at)?;
    let name = before.trim_end_matches(local).len();
    let name = before.get(name..)?.trim_start_matches(|c: char| !c.is_alphanumeric());
    let after = text.get(at + 1..)?;
    let domain = after.trim_start_matches(|c: char| c.is_alphanumeric() || c == '-' || c == '.');
    let domain = after.get(..after.len() - domain.len())?.trim_end_matches(['.', '-']);
    let (_, last) = domain.rsplit_once('.')?;
    let known = last.chars().count() >= 2 && last.chars().all(char::is_alphabetic)
        || last.starts_with("xn--");
    if name.is_empty() || domain.starts_with(['.', '-']) || !known {
        return None;
    }
    let (start, end) = (at - name.len(), at + 1 + domain.len());
    Some(Find { start, end, kind: Personal::Email, same: text.get(start..end)?.to_lowercase() })
}
