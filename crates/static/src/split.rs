//! A text as the words that WordPiece cuts: BERT's own rules (clean, lower case, no accents, marks and ideographs alone).

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// Calls `word` for each word of `text`, in order.
pub fn split(text: &str, mut word: impl FnMut(&str)) {
    let mut held = String::new();
    let mut end = |held: &mut String| {
        if !held.is_empty() {
            word(held.as_str());
            held.clear();
        }
    };
    let lowered = text.chars().filter(|c| !is_removed(*c)).flat_map(char::to_lowercase);
    for c in lowered.nfd().filter(|c| !is_combining_mark(*c)) {
        if is_space(c) {
            end(&mut held);
        } else if is_ideograph(c) || is_mark(c) {
            end(&mut held);
            held.push(c);
            end(&mut held);
        } else {
            held.push(c);
        }
    }
    end(&mut held);
}

fn is_removed(c: char) -> bool {
    c == '\u{0}' || c == '\u{fffd}' || (c.is_control() && !is_space(c)) || is_format(c)
}

fn is_space(c: char) -> bool {
    c.is_whitespace()
}

/// Characters of the category Cf that texts hold.
fn is_format(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{600}'..='\u{605}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}'
        | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
        | '\u{e0001}'..='\u{e007f}')
}

fn is_ideograph(c: char) -> bool {
    matches!(c,
        '\u{4e00}'..='\u{9fff}' | '\u{3400}'..='\u{4dbf}' | '\u{20000}'..='\u{2a6df}'
        | '\u{2a700}'..='\u{2ceaf}' | '\u{f900}'..='\u{faff}' | '\u{2f800}'..='\u{2fa1f}')
}

/// ASCII that is neither letter nor digit, and other punctuation that texts hold.
fn is_mark(c: char) -> bool {
    if c.is_ascii() {
        return c.is_ascii_punctuation();
    }
    matches!(c,
        '\u{a1}' | '\u{a7}' | '\u{ab}' | '\u{b6}' | '\u{b7}' | '\u{bb}' | '\u{bf}' | '\u{37e}'
        | '\u{387}' | '\u{589}' | '\u{5be}' | '\u{5c0}' | '\u{5c3}' | '\u{5f3}' | '\u{5f4}'
        | '\u{60c}' | '\u{60d}' | '\u{61b}' | '\u{61e}' | '\u{61f}' | '\u{66a}'..='\u{66d}'
        | '\u{6d4}' | '\u{964}' | '\u{965}' | '\u{e4f}' | '\u{e5a}' | '\u{e5b}'
        | '\u{2010}'..='\u{2027}' | '\u{2030}'..='\u{2043}' | '\u{2045}'..='\u{2051}'
        | '\u{2053}'..='\u{205e}' | '\u{207d}' | '\u{207e}' | '\u{208d}' | '\u{208e}'
        | '\u{2308}'..='\u{230b}' | '\u{2329}' | '\u{232a}' | '\u{2768}'..='\u{2775}'
        | '\u{3001}'..='\u{3003}' | '\u{3008}'..='\u{3011}' | '\u{3014}'..='\u{301f}' | '\u{3030}'
        | '\u{303d}' | '\u{30a0}' | '\u{30fb}' | '\u{fe10}'..='\u{fe19}' | '\u{fe30}'..='\u{fe52}'
        | '\u{fe54}'..='\u{fe61}' | '\u{fe63}' | '\u{fe68}' | '\u{fe6a}' | '\u{fe6b}'
        | '\u{ff01}'..='\u{ff03}' | '\u{ff05}'..='\u{ff0a}' | '\u{ff0c}'..='\u{ff0f}' | '\u{ff1a}'
        | '\u{ff1b}' | '\u{ff1f}' | '\u{ff20}' | '\u{ff3b}'..='\u{ff3d}' | '\u{ff3f}' | '\u{ff5b}'
        | '\u{ff5d}' | '\u{ff5f}'..='\u{ff65}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        let mut words = Vec::new();
        split(text, |word| words.push(word.to_owned()));
        words
    }

    #[test]
    fn words_are_lower_case_without_accents_and_marks_stand_alone() {
        assert_eq!(
            words("Zoë's CAFÉ, no. 7!"),
            ["zoe", "'", "s", "cafe", ",", "no", ".", "7", "!"]
        );
    }

    #[test]
    fn ideographs_stand_alone_and_kana_do_not() {
        assert_eq!(words("日本語です"), ["日", "本", "語", "てす"]);
    }

    #[test]
    fn what_cannot_be_seen_is_no_part_of_a_word() {
        assert_eq!(words("a\u{200b}b\u{0}c\u{7} d\u{a0}e"), ["abc", "d", "e"]);
        assert!(words(" \n\t").is_empty());
    }
}
