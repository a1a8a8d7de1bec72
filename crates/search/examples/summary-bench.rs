//! Time of an extractive summary: `cargo run -p holdfast-search --example summary-bench -- [messages]`.

use holdfast_search::summary::{Utterance, summarize};
use std::time::Instant;

/// Words of the texts; some are in many of them.
const WORDS: &[&str] = &[
    "harbour", "oven", "launch", "garden", "invoice", "violin", "bridge", "winter", "recipe",
    "ticket", "doctor", "river", "paint", "engine", "letter", "school", "market", "ladder",
    "candle", "forest", "window", "summer",
];

fn main() {
    let count = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(1_000);
    let word = |n: usize| WORDS.get(n % WORDS.len()).copied().unwrap_or_default();
    let text = |n: usize| {
        let (a, b, c) = (word(n * 7), word(n * 13 + 5), word(n * n + 3));
        format!(
            "The {a} number {n} was moved to the {b} because of the {c}. We paid {n} for it. Is that right?"
        )
    };
    let texts: Vec<String> = (0..count).map(text).collect();
    let said: Vec<Utterance<'_>> =
        texts.iter().map(|text| Utterance { speaker: "Ann", at: None, text }).collect();
    for _ in 0..3 {
        let begun = Instant::now();
        let summary = summarize(&said, 4_000, str::len);
        println!(
            "{count} messages: {} ms, {} bytes from {} messages",
            begun.elapsed().as_millis(),
            summary.text.len(),
            summary.picked.len()
        );
    }
}
