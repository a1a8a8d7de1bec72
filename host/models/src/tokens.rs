//! How many tokens of a large language model a text is: what `max_tokens` counts.

use std::str::FromStr;

use bpe_openai::Tokenizer;

/// A vocabulary that can count; both are inside the program, nothing is fetched.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Vocabulary {
    /// `o200k_base`: GPT-4o and later.
    #[default]
    O200kBase,
    /// `cl100k_base`: GPT-3.5 and GPT-4.
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

    fn tokenizer(self) -> &'static Tokenizer {
        match self {
            Self::O200kBase => bpe_openai::o200k_base(),
            Self::Cl100kBase => bpe_openai::cl100k_base(),
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

/// Counts tokens, in time linear in the text; the vocabulary is unpacked at the first count of the process. To have it
/// ready, count the empty text.
#[derive(Clone, Copy, Default)]
pub struct TokenCounter {
    vocabulary: Vocabulary,
}

impl TokenCounter {
    /// A counter for one vocabulary.
    pub fn new(vocabulary: Vocabulary) -> Self {
        Self { vocabulary }
    }

    /// The vocabulary that counts.
    pub fn vocabulary(&self) -> Vocabulary {
        self.vocabulary
    }

    /// The number of tokens of a text; 0 for the empty one. Names of special tokens count as the text they are.
    pub fn count(&self, text: &str) -> usize {
        self.vocabulary.tokenizer().count(text)
    }
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

    /// Texts of everything that the splitters tell apart.
    fn texts() -> Vec<String> {
        const PARTS: [&str; 24] = [
            "The quick",
            " brown",
            "fox",
            "'s",
            "'LL",
            " 42",
            "1234567",
            "…",
            "?!",
            " //",
            "/",
            "\n",
            "\r\n",
            "\n\n/",
            " ",
            "   ",
            "\t",
            "é",
            "ÀB",
            "お誕生日",
            "\u{3000}",
            "🙂",
            "<|endoftext|>",
            "</message 7f>",
        ];
        let mut seed = 7_u64;
        let mut next = move || {
            seed = seed
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            usize::try_from(seed >> 33).unwrap()
        };
        (0..3_000)
            .map(|_| (0..next() % 30).map(|_| PARTS[next() % PARTS.len()]).collect())
            .collect()
    }

    #[test]
    fn counts_are_those_of_the_reference() {
        let reference = [tiktoken_rs::o200k_base().unwrap(), tiktoken_rs::cl100k_base().unwrap()];
        for (vocabulary, reference) in
            [Vocabulary::O200kBase, Vocabulary::Cl100kBase].into_iter().zip(reference)
        {
            let counter = TokenCounter::new(vocabulary);
            for text in texts() {
                assert_eq!(
                    counter.count(&text),
                    reference.encode_ordinary(&text).len(),
                    "{text:?}"
                );
            }
        }
    }

    #[test]
    fn counts_of_quoted_blocks_add_up_to_the_count_of_the_whole() {
        for vocabulary in [Vocabulary::O200kBase, Vocabulary::Cl100kBase] {
            let counter = TokenCounter::new(vocabulary);
            for texts in texts().chunks(5) {
                let blocks: Vec<String> = texts
                    .iter()
                    .map(|text| format!("<message 7f user>\n{text}\n</message 7f>\n"))
                    .collect();
                let whole = format!("# Earlier\n{}", blocks.concat());
                let parts: usize = blocks.iter().map(|block| counter.count(block)).sum();
                assert_eq!(
                    counter.count(&whole),
                    counter.count("# Earlier\n") + parts,
                    "{whole:?}"
                );
            }
        }
    }

    #[test]
    fn an_unknown_tokenizer_is_refused_with_the_known_ones() {
        assert_eq!("cl100k_base".parse(), Ok(Vocabulary::Cl100kBase));
        assert!(
            "gpt2".parse::<Vocabulary>().unwrap_err().contains("use o200k_base or cl100k_base")
        );
    }
}
