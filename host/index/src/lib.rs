//! The native index: a memory of the bucket, by user, that can be thrown away at any moment.
//!
//! It is the door `holdfast:index` without WebAssembly; what a user's view is and answers: `crates/view`. How it runs ports that are not `Send` on many threads:
//! `docs/decisions/0001-ports-without-send.md`.

mod bucket;
mod flight;
mod glance;
mod index;
mod load;
mod near;
mod read;
mod room;
mod settings;
mod shard;
mod shared;
mod standing;
mod status;
mod things;
mod user;
mod write;

pub use holdfast_objects::Bucket;
pub use holdfast_view::{
    Boosts, Change, ChangePage, Consistency, Difference, DifferencePage, Ended, Found, FoundThing,
    Hit, Knowledge, Message, MessagePage, Mode, Moment, Page, Part, Pending, Present, Question,
    Reading, Recall, Selection, Session, SessionPage, Stage, Thing, ThingHit, ThingPage,
    ThingRecall, Timeline, UserFound, Version, Wanted,
};
pub use index::Index;
pub use near::{Near, NearView};
pub use settings::Settings;
pub use status::{Loaded, Status};
