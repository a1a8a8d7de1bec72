//! How many tokens of `o200k_base` a text has at most: a count that never falls short, without the vocabulary's 32 MB.
//!
//! A word between spaces and marks that the vocabulary has whole (`words.txt`: its 42,000 commonest of ASCII letters) is one token,
//! three digits are one. Of all else the bytes are cut into as many pieces as byte pair encoding could leave: where two bytes
//! that are surely in one pretoken are a token (`pairs.bin`), they do not both stay alone. `host/models/tests/static.rs`
//! holds both files and the count to the vocabulary itself.

const WORDS: &[u8] = include_bytes!("words.txt");
const PAIRS: &[u8] = include_bytes!("pairs.bin");

/// Tokens of `text`, or some more; none of the empty text. Counts of texts that each begin with `<` or `#` and end with a line
/// feed add up.
pub fn count(text: &str) -> usize {
    let bytes = text.as_bytes();
    let (mut at, mut tokens) = (0, 0);
    while at < bytes.len() {
        let (end, count) = unit(bytes, at);
        tokens += count;
        at = end;
    }
    tokens
}

fn byte(bytes: &[u8], at: usize) -> Option<u8> {
    bytes.get(at).copied()
}

/// The unit that begins at `at`: its end, and its tokens at most.
fn unit(bytes: &[u8], at: usize) -> (usize, usize) {
    if let Some(end) = word(bytes, at) {
        return (end, 1);
    }
    let run = |is: fn(&u8) -> bool, from: usize| {
        from + bytes.get(from..).unwrap_or_default().iter().take_while(|byte| is(byte)).count()
    };
    let digits = run(u8::is_ascii_digit, at);
    if digits > at {
        let alone = |beside: Option<u8>| beside.is_none_or(|byte| byte.is_ascii());
        let before = at.checked_sub(1).and_then(|at| byte(bytes, at));
        let whole = alone(before) && alone(byte(bytes, digits));
        let count = digits - at;
        return (digits, if whole { count.div_ceil(3) } else { count });
    }
    let letters = run(u8::is_ascii_lowercase, at);
    if letters > at {
        return (letters, most(bytes, at, letters));
    }
    let lead = byte(bytes, at).unwrap_or_default();
    if lead.is_ascii() {
        return (at + 1, 1);
    }
    let end = run(|byte| (0x80..0xc0).contains(byte), at + 1);
    (end, most(bytes, at, end))
}

/// The end of a known word, with the space before it, that is surely a pretoken of its own.
fn word(bytes: &[u8], at: usize) -> Option<usize> {
    let before = at.checked_sub(1).and_then(|at| byte(bytes, at));
    let spaced = byte(bytes, at) == Some(b' ');
    // A space belongs to the word after it; without one, a mark before the word may.
    let free = if spaced { true } else { matches!(before, None | Some(b'\n')) };
    let start = at + usize::from(spaced);
    let first = byte(bytes, start).filter(u8::is_ascii_alphabetic)?;
    let rest = bytes.get(start + 1..)?.iter().take_while(|byte| byte.is_ascii_lowercase());
    let end = start + 1 + rest.count();
    let after = byte(bytes, end);
    let ends = after.is_none_or(|c| c.is_ascii() && !c.is_ascii_alphabetic() && c != b'\'');
    let long = first.is_ascii_lowercase() || end > start + 1;
    (free && ends && long && known(bytes.get(at..end)?)).then_some(end)
}

/// Is it a line of the list? The list is sorted.
fn known(word: &[u8]) -> bool {
    let (mut low, mut high) = (0, WORDS.len());
    while low < high {
        let middle = usize::midpoint(low, high);
        let before = WORDS.get(low..middle).unwrap_or_default();
        let start = before.iter().rposition(|byte| *byte == b'\n').map_or(low, |at| low + at + 1);
        let line = WORDS.get(start..).unwrap_or_default();
        let line = line.split(|byte| *byte == b'\n').next().unwrap_or_default();
        match line.cmp(word) {
            std::cmp::Ordering::Equal => return true,
            std::cmp::Ordering::Less => low = start + line.len() + 1,
            std::cmp::Ordering::Greater => high = start,
        }
    }
    false
}

/// The most pieces into which `bytes[start..end]` may be cut so that no two single bytes stand together that would have been
/// merged.
fn most(bytes: &[u8], start: usize, end: usize) -> usize {
    // A contraction (`'s`, `'ll`) may end a pretoken among letters.
    let reach = start.saturating_sub(1)..start;
    let contracted = bytes.get(reach).is_some_and(|before| before == b"'");
    let sure = |at: usize| !(contracted && at < start + 2) && pair(bytes, at);
    // Best counts of what ends here: with a single byte, and with a longer piece.
    let (mut single, mut longer) = (0, 0);
    let mut before = 0;
    for at in start..end {
        let best = single.max(longer);
        let alone = if at > start && sure(at - 1) { longer } else { best } + 1;
        let joined = if at > start { before + 1 } else { 0 };
        before = best;
        (single, longer) = (alone, joined);
    }
    single.max(longer).max(1)
}

fn pair(bytes: &[u8], at: usize) -> bool {
    let Some(pair) = bytes.get(at..at + 2) else { return false };
    PAIRS.as_chunks::<2>().0.binary_search_by(|known| known.as_slice().cmp(pair)).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_words_and_numbers_are_one_token_each() {
        assert_eq!(count(""), 0);
        assert_eq!(count("The quick brown fox"), 4);
        assert_eq!(count(" 1234567"), 4);
        assert_eq!(count("hello world"), 2);
    }

    #[test]
    fn both_lists_are_sorted_as_the_searches_need() {
        let lines: Vec<&[u8]> =
            WORDS.split(|byte| *byte == b'\n').filter(|l| !l.is_empty()).collect();
        assert!(lines.len() > 40_000 && lines.is_sorted());
        assert!(lines.iter().all(|line| known(line)));
        assert!(!known(b"") && !known(b"zzzzz") && !known(b" qqqqqqqq"));
        assert!(PAIRS.as_chunks::<2>().0.is_sorted());
    }

    #[test]
    fn counts_of_blocks_add_up() {
        let blocks = ["# Earlier\n", "<message 7f user>\nIt's 42 o'clock, né?\n</message 7f>\n"];
        assert_eq!(count(&blocks.concat()), blocks.iter().map(|block| count(block)).sum());
    }
}
