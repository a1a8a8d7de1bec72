//! What is embedded of a message. Stored vectors depend on these functions: a change is a new embedding space.

use half::f16;
use holdfast_core::message::{Message, MessageVectors, Role};
use std::ops::Range;
use unicode_segmentation::UnicodeSegmentation;

/// Longest chunk in bytes: about what the model reads before it truncates.
pub const MAX_CHUNK: usize = 900;

/// The text that is embedded for a chunk: `<speaker>: <text>`; the role serves as speaker where there is no name.
pub fn dense_text(speaker: &str, chunk: &str) -> String {
    format!("{speaker}: {chunk}")
}

/// Byte ranges of the chunks of `text`, in order: they rejoin exactly, none is longer than [`MAX_CHUNK`], and none
/// ends inside a character. Ends are paragraph ends where possible, then sentence ends, then word ends. One chunk for a short
/// text, none for a blank one.
pub fn chunks(text: &str) -> Vec<Range<usize>> {
    let mut chunks = Vec::new();
    if text.trim().is_empty() {
        return chunks;
    }
    let mut start = 0;
    while text.len() - start > MAX_CHUNK {
        let end = start + cut(text.get(start..).unwrap_or_default());
        chunks.push(start..end);
        start = end;
    }
    chunks.push(start..text.len());
    chunks
}

/// What is embedded of one message, chunk by chunk.
#[derive(Debug, Clone)]
pub struct Passages {
    /// Byte ranges of the chunks in the message's text.
    pub ranges: Vec<Range<usize>>,
    /// The text that is embedded for each.
    pub texts: Vec<String>,
}

impl Passages {
    /// Of this message.
    pub fn of(message: &Message) -> Self {
        let text = message.text();
        let ranges = chunks(&text);
        let chunk = |range: &Range<usize>| text.get(range.clone()).unwrap_or_default();
        let texts = ranges.iter().map(|range| dense_text(message.speaker(), chunk(range)));
        Self { texts: texts.collect(), ranges }
    }

    /// Of a memory: a statement is embedded as the user's own words would be.
    pub fn of_memory(text: &str) -> Self {
        Self::of(&Message::saying(Role::User, text))
    }

    /// The message's vectors: `values` holds one vector a chunk, one after the other.
    pub fn vectors(&self, space: String, values: impl IntoIterator<Item = f32>) -> MessageVectors {
        let bound = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
        let chunks = self.ranges.iter().map(|range| (bound(range.start), bound(range.end)));
        let values = values.into_iter().map(f16::from_f32).collect();
        MessageVectors { space, chunks: chunks.collect(), values }
    }
}

/// Where the first chunk of `text`, which is too long, ends.
fn cut(text: &str) -> usize {
    let window = text.get(..text.floor_char_boundary(MAX_CHUNK)).unwrap_or(text);
    let least = MAX_CHUNK / 3;
    let paragraph = window.rfind("\n\n").map(|at| at + 2);
    let line = || window.rfind('\n').map(|at| at + 1);
    let sentence = || window.split_sentence_bound_indices().map(|(at, _)| at).last();
    let space = || {
        let last = window.char_indices().rfind(|(_, c)| c.is_whitespace());
        last.map(|(at, c)| at + c.len_utf8())
    };
    let word = || window.split_word_bound_indices().map(|(at, _)| at).next_back();
    paragraph
        .filter(|at| *at >= least)
        .or_else(|| line().filter(|at| *at >= least))
        .or_else(|| sentence().filter(|at| *at >= least))
        .or_else(|| space().filter(|at| *at >= least))
        .or_else(|| word().filter(|at| *at >= least))
        .unwrap_or(window.len())
}
