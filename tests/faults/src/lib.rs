//! What tests of crashes share with the bench: a client, an installation that can be killed, seeded conversations.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "only tests and measurements use this"
)]

mod api;
mod client;
mod crowd;
mod erased;
mod history;
mod installation;
mod many;
mod oracle;
mod plan;
mod recorder;
mod replay;
mod snapshot;
mod tally;
mod tape;
mod wal;

pub use api::{Answer, Api};
pub use client::{Client, Door, Expected, Walk};
pub use crowd::Crowd;
pub use erased::judge_erase;
pub use history::{Item, Page, history};
pub use installation::{ACCESS_KEY, Installation, SECRET_KEY, copy, model_is_there};
pub use many::many_sessions;
pub use oracle::Oracle;
pub use plan::{Call, Plan, long, seed, words};
pub use recorder::Recorder;
pub use replay::{Counts, Replay};
pub use snapshot::{Snapshot, until_embedded};
pub use tally::{Acknowledged, Tally, insist};
pub use tape::{Asked, Event, Page as Walked, Shown, Tape};
