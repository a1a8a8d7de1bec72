//! One user's view: the fold of a journal, the search side that follows it, and whole answers from both.
//!
//! What every index is made of: the native one (`host/index`) adds threads, room and background polls, the portable one
//! (`components/flat-index`) lives in an instance that may vanish.

mod answer;
mod changes;
mod differences;
mod doc;
mod follow;
mod glance;
mod part;
mod passing;
mod portable;
mod remember;
mod shelf;
mod things;
mod types;
mod user;
mod wit;
mod write;

pub use answer::{place, understand};
pub use changes::changes_from;
pub use doc::Space;
pub use follow::{Source, unreached};
pub use glance::{Glance, Wish};
pub use holdfast_core::Hlc;
pub use holdfast_core::fold::Wanted;
pub use holdfast_core::retention::Ended;
pub use holdfast_core::token::Frontier;
pub use holdfast_search::{Boosts, Mode, Stage};
pub use part::{pack, unpack};
pub use portable::{Limits, Portable};
pub use remember::Memory;
pub use shelf::Shelf;
pub use things::{
    FoundThing, Moment, Selection, Thing, ThingHit, ThingPage, ThingRecall, Timeline, Version,
};
pub use types::{
    Change, ChangePage, Consistency, Difference, DifferencePage, Found, Hit, Knowledge, Message,
    MessagePage, Page, Part, Pending, Present, Question, Reading, Recall, Session, SessionPage,
    UserFound,
};
pub use user::UserView;
pub use write::checked;
