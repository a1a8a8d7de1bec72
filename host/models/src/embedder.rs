//! Sentence vectors by all-MiniLM-L6-v2: texts in, unit vectors of 384 numbers out.

use std::path::Path;

use tokenizers::{Tokenizer, TruncationParams};

use crate::bert::{Bert, WIDTH};
use crate::error::ModelError;
use crate::files::{TOKENIZER, read_verified};

/// The name of the whole recipe: model, weights, dimensions, metric, truncation, input template.
///
/// The template (`spk1`: speaker, colon, text) is the caller's to apply.
pub const SPACE: &str = "minilm-l6-v2/f32/384/cos/t256/spk1";

/// The model reads at most this many tokens of a text, its two marks included.
pub const MAX_TOKENS: usize = 256;

/// A loaded model. Calls block and use one core each; several threads may share it.
pub struct Embedder {
    tokenizer: Tokenizer,
    bert: Bert,
}

impl Embedder {
    /// Loads the model from its folder; the SHA-256 of both files is checked first.
    pub fn load(dir: &Path) -> Result<Self, ModelError> {
        let tokenizer =
            tokenizer(&read_verified(dir, &TOKENIZER)?).map_err(ModelError::Tokenizer)?;
        Ok(Self { tokenizer, bert: Bert::load(dir)? })
    }

    /// The embedding space of the vectors.
    pub fn space(&self) -> &'static str {
        SPACE
    }

    /// The length of a vector.
    pub fn dimensions(&self) -> usize {
        WIDTH
    }

    /// A unit vector for each text, in the texts' order; no texts, no vectors.
    ///
    /// A text's vector depends on the text alone, to the bit: not on its company, not on the call. What a text has beyond
    /// [`MAX_TOKENS`] or 64 KiB does not count, so the caller cuts long ones into chunks. The empty text has a vector too.
    pub fn embed(&self, texts: &[String]) -> Result<Vec<Vec<f32>>, ModelError> {
        texts.iter().map(|text| self.embed_one(text)).collect()
    }

    /// The number of the model's tokens in a text, its two marks included, at most [`MAX_TOKENS`].
    pub fn tokens(&self, text: &str) -> Result<usize, ModelError> {
        Ok(self.ids(text)?.len())
    }

    fn embed_one(&self, text: &str) -> Result<Vec<f32>, ModelError> {
        self.bert.embed(&self.ids(text)?)
    }

    fn ids(&self, text: &str) -> Result<Vec<u32>, ModelError> {
        let encoding =
            self.tokenizer.encode_fast(head(text), true).map_err(ModelError::Tokenizer)?;
        Ok(encoding.get_ids().to_vec())
    }
}

/// The file's own settings cut and pad at 128 tokens; the model's limit is 256, and nothing here is padded.
fn tokenizer(json: &[u8]) -> Result<Tokenizer, tokenizers::Error> {
    let mut tokenizer = Tokenizer::from_bytes(json)?;
    tokenizer.with_padding(None);
    tokenizer
        .with_truncation(Some(TruncationParams { max_length: MAX_TOKENS, ..Default::default() }))?;
    Ok(tokenizer)
}

/// Only the first 64 KiB of a text are tokenized, so that a huge one costs no more than a long one.
fn head(text: &str) -> &str {
    text.get(..text.floor_char_boundary(64 * 1024)).unwrap_or(text)
}
