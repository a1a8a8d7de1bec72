//! Answers about things: what a user has beside messages and sessions, and all of it in one timeline.

mod content;
mod memories;
mod read;
mod types;

pub(crate) use content::Contents;
pub(crate) use memories::Memories;
pub use types::{
    FoundThing, Moment, Selection, Thing, ThingHit, ThingPage, ThingRecall, Timeline, Version,
};
