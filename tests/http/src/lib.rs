//! What tests over HTTP share: the real program on its embedded store, a client, and what is asked of every answer.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "only tests use this"
)]

mod answer;
mod client;
mod raw;
mod running;
mod transcript;

pub use answer::Answer;
pub use client::{Client, fresh, messages_of, plain};
pub use raw::raw;
pub use running::{Running, by_meaning, by_words, portable, root};
pub use transcript::{Player, transcripts};
