//! How many tokens of a large language model a text is: what `max_tokens` counts.

use std::str::FromStr;
use std::sync::OnceLock;

use tiktoken_rs::CoreBPE;

/// A vocabulary that can count; both are inside the program, nothing is fetched.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Vocabulary {
    /// `o200k_base`: GPT-4o and later. About 33 MB resident once it has counted.
    #[default]
    O200kBase,
    /// `cl100k_base`: GPT-3.5 and GPT-4. About 20 MB resident once it has counted.
    Cl100kBase,
}

impl Vocabulary {
    /// Its name, as the setting `tokenizer` has it.
    pub fn name(self) -> &'static str {
        match self {
            Self::O200kBase => "o200k_base",
            Self::Cl100kBase => "cl100k_base",
        }
    }

    fn load(self) -> Option<CoreBPE> {
        match self {
            Self::O200kBase => tiktoken_rs::o200k_base().ok(),
            Self::Cl100kBase => tiktoken_rs::cl100k_base().ok(),
        }
    }
}

impl FromStr for Vocabulary {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        [Self::O200kBase, Self::Cl100kBase]
            .into_iter()
            .find(|vocabulary| vocabulary.name() == name)
            .ok_or_else(|| format!("unknown tokenizer {name:?}: use o200k_base or cl100k_base"))
    }
}

/// Counts tokens; the vocabulary is loaded at the first count (about 0.3 s), once. To have it ready, count the empty text.
#[derive(Default)]
pub struct TokenCounter {
    vocabulary: Vocabulary,
    loaded: OnceLock<Option<CoreBPE>>,
}

impl TokenCounter {
    /// A counter for one vocabulary.
    pub fn new(vocabulary: Vocabulary) -> Self {
        Self { vocabulary, loaded: OnceLock::new() }
    }

    /// The vocabulary that counts.
    pub fn vocabulary(&self) -> Vocabulary {
        self.vocabulary
    }

    /// The number of tokens of a text; 0 for the empty one. Names of special tokens count as the text they are.
    pub fn count(&self, text: &str) -> usize {
        match self.loaded.get_or_init(|| self.vocabulary.load()) {
            Some(encoding) => pieces(text).map(|piece| encoding.encode_ordinary(piece).len()).sum(),
            // Not reached with the vocabularies that are compiled in; an estimate is better than no context at all.
            None => text.len().div_ceil(4),
        }
    }
}

/// A long text in pieces, cut before white space where there is any: the splitter's regular expression gives up on very
/// long runs. A cut may add a token, so a count is never too low.
fn pieces(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let (piece, behind) = rest.split_at_checked(cut(rest))?;
        rest = behind;
        (!piece.is_empty()).then_some(piece)
    })
}

fn cut(text: &str) -> usize {
    const BYTES: usize = 16 * 1024;
    if text.len() <= BYTES {
        return text.len();
    }
    let end = text.floor_char_boundary(BYTES);
    let spaces = text.get(..end).and_then(|head| head.rfind(char::is_whitespace));
    spaces.filter(|at| *at > 0).unwrap_or(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_vocabularies_count_as_published() {
        // Counts as the vendor's cookbook prints them for these texts.
        let counts = |vocabulary| {
            let counter = TokenCounter::new(vocabulary);
            ["", "hello world", "tiktoken is great!", "お誕生日おめでとう"]
                .map(|text| counter.count(text))
        };
        assert_eq!(counts(Vocabulary::O200kBase), [0, 2, 6, 8]);
        assert_eq!(counts(Vocabulary::Cl100kBase), [0, 2, 6, 9]);
    }

    #[test]
    fn the_name_of_a_special_token_counts_as_text() {
        assert!(TokenCounter::default().count("<|endoftext|>") > 1);
    }

    #[test]
    fn a_megabyte_of_anything_is_counted() {
        let counter = TokenCounter::default();
        for unit in [" ", "\n", "a", "é", "7", "word ", "\u{3000}x"] {
            let text = unit.repeat(1024 * 1024 / unit.len());
            let (whole, part) = (counter.count(&text), counter.count(&text[..text.len() / 2]));
            assert!(whole > 0 && whole >= part, "{unit:?}");
        }
    }

    #[test]
    fn cutting_a_long_text_changes_its_count_by_a_token_a_cut_at_most() {
        let text = "The quick brown fox, 42 years old, jumps.\n\n  Again! ".repeat(2000);
        let whole = tiktoken_rs::o200k_base().unwrap().encode_ordinary(&text).len();
        let counted = TokenCounter::default().count(&text);
        let cuts = pieces(&text).count();
        assert!(counted >= whole && counted <= whole + cuts, "{whole} {counted} {cuts}");
        assert_eq!(pieces(&text).collect::<String>(), text);
    }

    #[test]
    fn an_unknown_tokenizer_is_refused_with_the_known_ones() {
        assert_eq!("cl100k_base".parse(), Ok(Vocabulary::Cl100kBase));
        assert!(
            "gpt2".parse::<Vocabulary>().unwrap_err().contains("use o200k_base or cl100k_base")
        );
    }
}
