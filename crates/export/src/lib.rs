//! Exports: a long operation that writes a training set into the bucket, step by bounded step.
//!
//! An export lives below `exp/<ulid>/`. While it runs, `_work/` holds what was asked, where it stands, and parts that
//! were gathered; the last object of `_work/` that says where it stands is where it goes on, whoever died. Then the files
//! are written, each after another look at the sessions in it, and `_MANIFEST.json` at the very end: an export without it
//! is not whole. A step may be stopped anywhere and repeated; two at once do the same work twice and no harm.

mod asked;
mod gather;
mod operation;
mod progress;
mod publish;
mod read;
mod source;

pub use asked::{Asked, Rated, Selection};
pub use operation::{Listed, Shown, Status, advance, cancel, list, running, show, start};
pub use read::{Placed, name_told, until};
pub use source::{
    Feed, FeedPage, Feedback, Source, SourceSession, SourceSessions, database_of, user_trains,
};

/// The manifest's name below an export.
pub const MANIFEST: &str = holdfast_core::key::EXPORT_MANIFEST;
