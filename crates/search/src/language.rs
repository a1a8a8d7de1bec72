//! The language of a text: which stemmer and which stop words apply.

use crate::stop;
use rust_stemmers::{Algorithm, Stemmer};

macro_rules! languages {
    ($($name:ident $code:literal $algorithm:ident;)*) => {
        /// A language that has a stemmer.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
        pub enum Language {
            $(#[doc = $code] $name,)*
            /// Any other: words are compared as they are.
            #[default]
            Other,
        }

        impl Language {
            /// All languages, in the order of their bits in a mask.
            pub const ALL: &[Language] = &[$(Language::$name,)* Language::Other];

            /// The language of an ISO 639-1 code; `Other` where there is no stemmer.
            pub fn of_code(code: &str) -> Self {
                match code { $($code => Self::$name,)* _ => Self::Other }
            }

            /// The stem of a lower-case word.
            pub fn stem(self, word: &str) -> std::borrow::Cow<'_, str> {
                match self {
                    $(Self::$name => Stemmer::create(Algorithm::$algorithm).stem(word),)*
                    Self::Other => word.into(),
                }
            }
        }
    };
}

languages! {
    English "en" English;
    German "de" German;
    French "fr" French;
    Spanish "es" Spanish;
    Italian "it" Italian;
    Portuguese "pt" Portuguese;
    Dutch "nl" Dutch;
    Swedish "sv" Swedish;
    Norwegian "no" Norwegian;
    Danish "da" Danish;
    Finnish "fi" Finnish;
    Hungarian "hu" Hungarian;
    Romanian "ro" Romanian;
    Turkish "tr" Turkish;
    Russian "ru" Russian;
    Greek "el" Greek;
    Arabic "ar" Arabic;
    Tamil "ta" Tamil;
}

impl Language {
    /// The bit of this language in a mask of languages.
    pub fn bit(self) -> u32 {
        1 << self as u32
    }

    /// The languages of a mask.
    pub fn of_mask(mask: u32) -> impl Iterator<Item = Language> {
        Self::ALL.iter().copied().filter(move |language| mask & language.bit() != 0)
    }

    /// The language whose stop words `words` (lower case) use most; `None` when fewer than two tell, or two
    /// languages tell as much.
    pub fn detect<'a>(words: impl Iterator<Item = &'a str>) -> Option<Language> {
        let mut counts = vec![0u32; Self::ALL.len()];
        for word in words.take(200) {
            let mask = stop::mask(word);
            for (at, count) in counts.iter_mut().enumerate() {
                *count += mask >> at & 1;
            }
        }
        let best = *counts.iter().max()?;
        let mut leaders = Self::ALL.iter().zip(&counts).filter(|(_, count)| **count == best);
        let leader = leaders.next().map(|(language, _)| *language);
        leader.filter(|_| best >= 2 && leaders.next().is_none())
    }

    /// The stemmer's language for one word, whatever the text's: its script decides outside Latin.
    pub fn of_word(self, word: &str) -> Language {
        match word.chars().find(|c| c.is_alphabetic()) {
            Some('\u{400}'..='\u{52f}') => Self::Russian,
            Some('\u{370}'..='\u{3ff}' | '\u{1f00}'..='\u{1fff}') => Self::Greek,
            Some('\u{600}'..='\u{6ff}') => Self::Arabic,
            Some('\u{b80}'..='\u{bff}') => Self::Tamil,
            _ => self,
        }
    }

    /// Is the lower-case `word` too common in this language to tell anything?
    pub fn is_stop(self, word: &str) -> bool {
        stop::mask(word) & self.bit() != 0
    }
}
