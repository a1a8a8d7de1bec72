//! What must survive a crash of the host and hold between hosts, on each store that Holdfast is held against.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod bootstrap;
mod compactor;
mod deletes;
mod doctor;
mod erasing;
mod hosts;
mod judged;
mod kill;
mod kills;
mod mirror;
mod oracle;
mod outage;
mod passing;
mod proxy;
mod refused;
mod restored;
mod rounds;
mod sealed;
mod storm;
mod tending;
mod unknown;
mod upkeep;
mod verify;
