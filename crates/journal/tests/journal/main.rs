//! The journal over a store in memory: writing, reading, following, and the keys beside it.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod authority;
mod deleting;
mod keys;
mod polling;
mod reading;
mod world;
mod writing;
