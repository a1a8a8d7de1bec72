//! What is embedded of a message. Stored vectors depend on these two functions: a change is a new embedding space.

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
