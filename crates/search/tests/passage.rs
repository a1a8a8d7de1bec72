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

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn chunks_of_code_emoji_and_line_breaks_rejoin_byte_exactly_up_to_1_mb(
        parts in prop::collection::vec(prop_oneof![
            Just("fn main() {\r\n\tlet x = \"é\"; // 日本語\r\n}\r\n".to_owned()),
            Just("👩‍👩‍👧🏽\u{301}".to_owned()),
            Just("\r\n\r\n".to_owned()),
            r"\PC{0,40}",
            r"[\r\n\t \x00]{0,6}",
            r"[a-z]{2000}",
        ], 1..40),
        times in prop::sample::select(vec![1_usize, 7, 400]),
    ) {
        let text = parts.concat().repeat(times);
        let end = (0..=text.len().min(1 << 20)).rev().find(|at| text.is_char_boundary(*at));
        let text = &text[..end.unwrap_or_default()];
        let ranges = chunks(text);
        let joined: String = ranges.iter().map(|range| &text[range.clone()]).collect();
        prop_assert!(joined == text || text.trim().is_empty());
        prop_assert!(ranges.windows(2).all(|two| two[0].end == two[1].start));
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
