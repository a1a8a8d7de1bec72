//! Chunks: what vectors are made of.
#![allow(clippy::indexing_slicing, reason = "tests")]

use holdfast_search::{MAX_CHUNK, chunks, dense_text};
use proptest::prelude::*;
use std::ops::Range;

proptest! {
    #[test]
    fn chunks_rejoin_byte_exactly(text in r"([a-z]{1,12}[ .!\n]{1,3}|\PC{0,30}|é{0,900}|\n\n){0,80}") {
        let ranges = chunks(&text);
        let joined: String = ranges.iter().map(|range| &text[range.clone()]).collect();
        prop_assert!(joined == text || text.trim().is_empty());
        prop_assert!(ranges.iter().all(|range| !range.is_empty() && range.len() <= MAX_CHUNK));
    }
}

#[test]
fn a_short_text_is_one_chunk_and_a_blank_one_none() {
    assert_eq!(chunks("hello"), vec![Range { start: 0, end: 5 }]);
    assert_eq!(chunks(" \n "), []);
}

#[test]
fn chunks_end_at_paragraphs_before_sentences_before_words() {
    let sentence = "The kiln was opened at noon. ".repeat(20);
    let text = format!("{sentence}\n\n{sentence}");
    assert_eq!(chunks(&text)[0].end, sentence.len() + 2);
    let text = "The kiln was opened at noon. ".repeat(60);
    assert!(chunks(&text).iter().all(|range| text[range.clone()].starts_with("The kiln")));
    let text = "kiln ".repeat(400);
    assert!(chunks(&text).iter().all(|range| text[range.clone()].starts_with("kiln")));
}

#[test]
fn the_speaker_stands_before_the_text_that_is_embedded() {
    assert_eq!(dense_text("Mara", "freezing"), "Mara: freezing");
}
