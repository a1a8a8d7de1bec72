//! The journal over a store in memory: writing, reading, following, and the keys beside it.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod attaching;
mod authority;
mod budget;
mod collecting;
mod compacting;
mod crashing;
mod deleting;
mod dirty;
mod erasing;
mod exported;
mod following;
mod forking;
mod index_parts;
mod keys;
mod mending;
mod missed;
mod polling;
mod purging;
mod reading;
mod rounds;
mod running;
mod verifying;
mod walking;
mod world;
mod writing;
