//! Training sets: exact lines, what is counted, what holds for every conversation.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod beside;
mod feedback;
mod lines;
mod shapes;
#[path = "../support/mod.rs"]
mod support;
mod table;
mod world;
