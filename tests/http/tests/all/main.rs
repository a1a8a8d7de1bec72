//! Everything that a user of the HTTP interface relies on, asked of the real program on its embedded store.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

#[allow(dead_code, reason = "the stand-in asks more of it")]
#[path = "../../../standin/tests/api/mod.rs"]
mod api;
mod around;
mod attachments;
mod canaries;
mod changes;
mod command_line;
mod composing;
mod context;
mod deleting;
mod doors;
mod erasing;
mod exports;
mod idempotency;
mod keys;
mod limits;
mod malformed;
mod mcp;
mod memories;
mod messages;
mod openapi;
mod outside;
mod paging;
mod past;
mod plugin;
mod refused;
mod restoring;
mod rooms;
mod scope;
mod search;
mod session_file;
mod sessions;
mod spin;
mod summaries;
mod transcripts;
mod upkeep;
mod users;
mod wild;
