//! What one user's index is made of: words, vectors, filters, and the fusion that ranks messages for a question.
//!
//! Portable: no clock, no threads, no I/O. The recipe and what each step of it is worth: `docs/retrieval.md`.

mod analyze;
mod bm25;
mod calendar;
mod calibrate;
mod dates;
mod dense;
mod doc;
mod filter;
mod filter_parse;
mod index;
mod int8;
mod language;
mod names;
mod passage;
mod passing;

mod question;
mod roles;
mod saved;
mod search;
mod sessions;
mod stop;
pub mod summary;
mod vectors;
mod words;

pub use analyze::terms;
pub use dates::{DateSpec, dates};
pub use dense::{Dense, ExactScan, Nearest, NoVectors};
pub use doc::{ChunkVector, Doc, DocNo, Entry};
pub use filter::{ATTRIBUTES, Condition, Field, Filter, Operator};
pub use index::UserIndex;
pub use int8::{Int8Scan, Int8View};
pub use language::Language;
pub use names::{named_participant, participants, without_names};
pub use passage::{MAX_CHUNK, Passages, chunks, dense_text};
pub use passing::Passing;
pub use question::{Boosts, Hit, Mode, Question, Recall, Recipe, Stage};
pub use saved::SavedIndex;
pub use search::{Scratch, search};
pub use vectors::{Span, Vectors};
