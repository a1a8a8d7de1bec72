//! IBANs (ISO 13616): a country's length, and check digits that are right (ISO 7064, mod 97).

use super::{Find, Personal, begins, ends};

/// Lengths by country, from the IBAN registry.
const LENGTHS: &[(&str, usize)] = &[
    ("AD", 24),
    ("AE", 23),
    ("AL", 28),
    ("AT", 20),
    ("AZ", 28),
    ("BA", 20),
    ("BE", 16),
    ("BG", 22),
    ("BH", 22),
    ("BI", 27),
    ("BR", 29),
    ("BY", 28),
    ("CH", 21),
    ("CR", 22),
    ("CY", 28),
    ("CZ", 24),
    ("DE", 22),
    ("DJ", 27),
    ("DK", 18),
    ("DO", 28),
    ("EE", 20),
    ("EG", 29),
    ("ES", 24),
    ("FI", 18),
    ("FK", 18),
    ("FO", 18),
    ("FR", 27),
    ("GB", 22),
    ("GE", 22),
    ("GI", 23),
    ("GL", 18),
    ("GR", 27),
    ("GT", 28),
    ("HN", 28),
    ("HR", 21),
    ("HU", 28),
    ("IE", 22),
    ("IL", 23),
    ("IQ", 23),
    ("IS", 26),
    ("IT", 27),
    ("JO", 30),
    ("KW", 30),
    ("KZ", 20),
    ("LB", 28),
    ("LC", 32),
    ("LI", 21),
    ("LT", 20),
    ("LU", 20),
    ("LV", 21),
    ("LY", 25),
    ("MC", 27),
    ("MD", 24),
    ("ME", 22),
    ("MK", 19),
    ("MN", 20),
    ("MR", 27),
    ("MT", 31),
    ("MU", 30),
    ("NI", 28),
    ("NL", 18),
    ("NO", 15),
    ("OM", 23),
    ("PK", 24),
    ("PL", 28),
    ("PS", 29),
    ("PT", 25),
    ("QA", 29),
    ("RO", 24),
    ("RS", 22),
    ("RU", 33),
    ("SA", 24),
    ("SC", 31),
    ("SD", 18),
    ("SE", 24),
    ("SI", 19),
    ("SK", 24),
    ("SM", 27),
    ("SO", 23),
    ("ST", 25),
    ("SV", 28),
    ("TL", 23),
    ("TN", 24),
    ("TR", 26),
    ("UA", 29),
    ("VA", 22),
    ("VG", 24),
    ("XK", 20),
    ("YE", 30),
];

/// All of them, in groups or not.
pub(super) fn find(text: &str) -> Vec<Find> {
    let starts = text.as_bytes().windows(4).enumerate();
    starts.filter(|(_, first)| shape(first)).filter_map(|(at, _)| account(text, at)).collect()
}

fn shape(first: &[u8]) -> bool {
    matches!(first, [a, b, c, d] if a.is_ascii_alphabetic() && b.is_ascii_alphabetic()
        && c.is_ascii_digit() && d.is_ascii_digit())
}

fn account(text: &str, start: usize) -> Option<Find> {
    let country = text.get(start..start + 2)?.to_ascii_uppercase();
    let (_, length) = LENGTHS.iter().find(|(code, _)| *code == country)?;
    let mut same = String::with_capacity(*length);
    let mut end = start;
    let mut blank = false;
    for (at, c) in text.get(start..)?.char_indices() {
        if same.len() == *length {
            break;
        }
        match c {
            c if c.is_ascii_alphanumeric() => same.push(c.to_ascii_uppercase()),
            ' ' | '-' | '\u{a0}' if !blank => {}
            _ => return None,
        }
        blank = !c.is_ascii_alphanumeric();
        end = start + at + c.len_utf8();
    }
    let whole = same.len() == *length && begins(text, start) && ends(text, end);
    (whole && checks(&same)).then_some(Find { start, end, kind: Personal::Iban, same })
}

/// The account first, then country and check digits, as one number: 1 modulo 97.
fn checks(iban: &str) -> bool {
    let Some((first, rest)) = iban.split_at_checked(4) else { return false };
    let digits = rest.chars().chain(first.chars()).filter_map(|c| c.to_digit(36));
    let rest = digits.fold(0, |rest, value| {
        let shifted = if value < 10 { rest * 10 } else { rest * 100 };
        (shifted + value) % 97
    });
    rest == 1
}
