//! The native index over a real journal: what readers and writers see of it, on one host and on two.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod deleting;
mod equality;
mod erasing;
mod glance;
mod hosts;
mod loading;
mod near;
mod parts;
mod parts_at_rest;
mod portable;
mod room;
mod sealed;
mod serving;
mod things;
mod world;
