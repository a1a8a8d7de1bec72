//! From a text to its terms: Unicode words, lower case, stop words out, stems; bigrams where words have no spaces.

use crate::Language;
use std::borrow::Cow;
use unicode_normalization::UnicodeNormalization;
use unicode_segmentation::UnicodeSegmentation;

/// Longest term in bytes; what is beyond is cut, so that a blob costs no more than a word.
const MAX_TERM: usize = 64;

/// Calls `emit` with every term of `text`, in order; the language that was applied, `fallback` where none is
/// detected.
pub fn terms(text: &str, fallback: Language, mut emit: impl FnMut(&str)) -> Language {
    let text = normalize(text);
    let words: Vec<(usize, &str)> = text.unicode_word_indices().collect();
    let language = Language::detect(words.iter().map(|(_, word)| *word)).unwrap_or(fallback);
    each_word(&words, |word| {
        if let Some(word) = content(word, language) {
            emit(&language.of_word(word).stem(word));
        }
    });
    language
}

/// The words of a question that tell something, each as the set of stems that it may have in an index whose texts are
/// in `languages`.
pub(crate) fn question_terms(text: &str, fallback: Language, languages: u32) -> Vec<Vec<String>> {
    let text = normalize(text);
    let words: Vec<(usize, &str)> = text.unicode_word_indices().collect();
    let language = Language::detect(words.iter().map(|(_, word)| *word)).unwrap_or(fallback);
    let mut groups: Vec<Vec<String>> = Vec::new();
    each_word(&words, |word| {
        let Some(word) = content(word, language) else { return };
        let mut stems: Vec<String> = Language::of_mask(languages | language.bit())
            .map(|language| language.of_word(word).stem(word).into_owned())
            .collect();
        stems.sort_unstable();
        stems.dedup();
        if !groups.contains(&stems) {
            groups.push(stems);
        }
    });
    groups
}

/// Lower case; compatibility forms and typographic apostrophes made plain.
pub(crate) fn normalize(text: &str) -> Cow<'_, str> {
    if text.is_ascii() {
        return Cow::Owned(text.to_ascii_lowercase());
    }
    let plain = text.nfkc().map(|c| if c == '’' { '\'' } else { c });
    Cow::Owned(plain.flat_map(char::to_lowercase).collect())
}

/// The part of a word that is looked up; `None` for a stop word.
fn content(word: &str, language: Language) -> Option<&str> {
    if language.is_stop(word) {
        return None;
    }
    let whole = match language {
        Language::French | Language::Italian => without_elision(word),
        _ => return Some(cut(word)),
    };
    (!language.is_stop(whole)).then(|| cut(whole))
}

/// `l'heure` is looked up as `heure`.
fn without_elision(word: &str) -> &str {
    match word.split_once('\'') {
        Some((head, rest)) if head.chars().count() <= 6 && !rest.is_empty() => rest,
        _ => word,
    }
}

fn cut(word: &str) -> &str {
    word.get(..word.floor_char_boundary(MAX_TERM)).unwrap_or(word)
}

/// Words as they are; runs of a script without spaces as overlapping pairs of characters.
fn each_word(words: &[(usize, &str)], mut emit: impl FnMut(&str)) {
    let mut run = String::new();
    let mut run_end = 0;
    for &(at, word) in words {
        let spaceless = word.chars().all(is_spaceless);
        if !run.is_empty() && (!spaceless || at != run_end) {
            bigrams(&run, &mut emit);
            run.clear();
        }
        if spaceless {
            run.push_str(word);
            run_end = at + word.len();
        } else {
            emit(word);
        }
    }
    if !run.is_empty() {
        bigrams(&run, &mut emit);
    }
}

fn bigrams(run: &str, emit: &mut impl FnMut(&str)) {
    let starts: Vec<usize> = run.char_indices().map(|(at, _)| at).chain([run.len()]).collect();
    if starts.len() <= 2 {
        return emit(run);
    }
    for window in starts.windows(3) {
        if let [start, _, end] = window {
            emit(run.get(*start..*end).unwrap_or_default());
        }
    }
}

/// Han, kana, Hangul, Thai, Lao, Burmese, Khmer: scripts whose words spaces do not show, or whose particles stick.
pub(crate) fn is_spaceless(c: char) -> bool {
    matches!(c,
        '\u{0e00}'..='\u{0eff}' | '\u{1000}'..='\u{109f}' | '\u{1100}'..='\u{11ff}' | '\u{1780}'..='\u{17ff}'
        | '\u{3005}' | '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}'
        | '\u{ac00}'..='\u{d7af}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3ffff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Vec<String> {
        let mut all = Vec::new();
        terms(text, Language::English, |term| all.push(term.to_owned()));
        all
    }

    #[test]
    fn english_words_are_stemmed_and_stop_words_left_out() {
        assert_eq!(of("She was running to Mara's kilns"), ["run", "mara", "kiln"]);
    }

    #[test]
    fn german_is_detected_by_its_stop_words() {
        assert_eq!(
            of("Das Fahrrad ist mir gestohlen worden und die Katzen"),
            ["fahrrad", "gestohl", "word", "katz"]
        );
    }

    #[test]
    fn french_elisions_are_looked_up_by_the_noun() {
        assert_eq!(of("c’est l’heure pour les chevaux"), ["heur", "cheval"]);
    }

    #[test]
    fn scripts_without_spaces_become_pairs() {
        assert_eq!(of("東京都に 猫"), ["東京", "京都", "都に", "猫"]);
    }

    #[test]
    fn full_width_and_decomposed_letters_are_the_plain_ones() {
        assert_eq!(of("ＡＢＣ cafe\u{301}"), of("abc café"));
    }

    #[test]
    fn a_question_finds_the_stems_of_every_language_of_the_index() {
        let mask = Language::English.bit() | Language::German.bit();
        let groups = question_terms("Wann wurde das Fahrrad gestohlen?", Language::English, mask);
        assert_eq!(groups.last().unwrap(), &["gestohl", "gestohlen"]);
    }
}
