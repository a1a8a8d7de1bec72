//! The native index: a memory of the bucket, by user, that can be thrown away at any moment.
//!
//! It is the door `holdfast:index` without WebAssembly. How it runs ports that are not `Send` on many threads:
//! `docs/decisions/0001-ports-without-send.md`.

mod bucket;
mod changes;
mod differences;
mod doc;
mod flight;
mod index;
mod load;
mod near;
mod passing;
mod read;
mod remember;
mod room;
mod settings;
mod shard;
mod shared;
mod shelf;
mod status;
mod types;
mod user;
mod write;

pub use holdfast_core::fold::Wanted;
pub use holdfast_objects::Bucket;
pub use holdfast_search::{Boosts, Mode, Stage};
pub use index::Index;
pub use near::{Near, NearView};
pub use settings::Settings;
pub use status::{Loaded, Status};
pub use types::{
    Change, ChangePage, Consistency, Difference, DifferencePage, Found, Hit, Knowledge, Message,
    MessagePage, Page, Part, Pending, Present, Question, Reading, Recall, Session, SessionPage,
    UserFound,
};
