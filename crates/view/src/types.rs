//! The nouns of `holdfast:index` as native types: what goes in and out of an index.

use holdfast_core::Hlc;
use holdfast_core::record::Writer;
use holdfast_core::retention::Ended;
use holdfast_core::token::Frontier;
use holdfast_search::{Boosts, Mode, Stage};

/// How new an answer must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Consistency {
    /// The bucket is listed for this call, unless this host is its only writer.
    #[default]
    Latest,
    /// What the index holds, polled in the background.
    Local,
}

/// What a read must include.
#[derive(Debug, Clone, Default)]
pub struct Reading {
    /// How new.
    pub consistency: Consistency,
    /// Everything up to here is included, or the answer is `not_yet_visible`. Keys are whole.
    pub after: Option<Frontier>,
    /// Only what had been written by this hybrid time: the answer of then, with the deletes of today. Searches refuse it.
    pub as_of: Option<Hlc>,
}

/// A message that a loaded view has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Present {
    /// The id that it was stored with.
    pub id: String,
    /// Its digest: 64 hex digits.
    pub digest: String,
    /// Its place.
    pub order: String,
}

/// What the index knows of a user now, without loading anything.
#[derive(Debug, Clone, Default)]
pub struct Knowledge {
    /// Those of the ids asked for that the view has, one a digest; empty when the user is not loaded.
    pub present: Vec<Present>,
    /// Those of the ids asked for that were deleted, as far as it has seen: nothing stored under them is ever shown.
    pub deleted: Vec<String>,
    /// The session was deleted once, as far as it has seen; it may have been opened anew since.
    pub session_deleted: bool,
    /// How far it has seen.
    pub frontier: Frontier,
    /// Milliseconds to add to this machine's clock, by what the store's answers allow; none before the first.
    pub clock_offset: Option<i64>,
}

/// One message of the fold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// The session.
    pub session: String,
    /// The message's id; `<id>~<8 hex>` for a later one that took an id that was taken.
    pub id: String,
    /// The id that it took, in that case.
    pub conflict_of: Option<String>,
    /// Its place among all records of the user, as sortable text.
    pub order: String,
    /// Its place in its session, from 1, in this view.
    pub rank: u32,
    /// Hybrid time of its record.
    pub at: Hlc,
    /// Key id of its writer.
    pub by: String,
    /// A service key wrote it.
    pub trusted: bool,
    /// The message as the record holds it: a JSON object, the caller's bytes.
    pub body: String,
    /// Order of the deleted record that it brings back.
    pub restored_from: Option<String>,
}

/// One session of the fold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// The session.
    pub id: String,
    /// Its fields after all edits: a JSON object.
    pub body: String,
    /// Order of the last record that changed the fields; empty when only messages made the session.
    pub order: String,
    /// Hybrid time of its first record.
    pub created_at: Hlc,
    /// Hybrid time of its last record, messages included.
    pub last_activity: Hlc,
    /// Messages in this view.
    pub messages: u32,
}

/// A part of an ordered list.
#[derive(Debug, Clone, Default)]
pub struct Page {
    /// Comes after this place (before it, when descending); the beginning when none.
    pub after: Option<String>,
    /// Rank of the message at `after` when that page was read.
    pub rank: Option<u32>,
    /// At most so many items.
    pub limit: u32,
    /// Newest first.
    pub descending: bool,
}

/// Messages in order, and whether more follow.
#[derive(Debug, Clone)]
pub struct MessagePage {
    /// The page.
    pub items: Vec<Message>,
    /// More follow.
    pub more: bool,
    /// What came to stand at or before `after` since that page was read.
    pub late: Vec<Message>,
    /// What the answer saw.
    pub frontier: Frontier,
}

/// Sessions by last activity.
#[derive(Debug, Clone)]
pub struct SessionPage {
    /// The page.
    pub items: Vec<Session>,
    /// `after` of the next page, when more follow.
    pub next: Option<String>,
    /// What the answer saw.
    pub frontier: Frontier,
}

/// One record of a user's journal.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Change {
    /// `message`, `session`, `tombstone` or `erase`.
    pub kind: String,
    /// Its session; none of an erase.
    pub session: Option<String>,
    /// The id that it was stored with; of a tombstone the id of what it deletes.
    pub id: String,
    /// Its place among all records; of an erase its hybrid time.
    pub order: String,
    /// When its object was named: Unix milliseconds.
    pub arrived: u64,
    /// `message` or `session`: what a tombstone deletes.
    pub of: Option<&'static str>,
    /// A delete hides what it says.
    pub hidden: bool,
    /// The message's identity beside its id: 64 hex digits.
    pub digest: Option<String>,
    /// The message as the view has it now.
    pub message: Option<Message>,
    /// What it sets of a session: a JSON object.
    pub fields: Option<String>,
}

/// What is said of a user as a whole, and how long the user's messages are kept.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UserFound {
    /// Order of the record that says it; empty when none does.
    pub order: String,
    /// What it says: a JSON object.
    pub body: Option<String>,
    /// For so many days messages are kept; 0 is for ever.
    pub retention_days: u32,
    /// Messages up to this hybrid time have passed by the store's own time, and no record says so of some of them.
    pub horizon: Option<Hlc>,
    /// So many of them.
    pub unsaid: u32,
    /// Things that have ended by the store's own time and are not deleted yet: the first few.
    pub ended: Vec<Ended>,
    /// What the answer saw.
    pub frontier: Frontier,
}

/// Something that was otherwise at a time.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Difference {
    /// The kind of a thing; none for messages and sessions.
    pub kind: Option<&'static str>,
    /// Its session; empty for a thing of none.
    pub session: String,
    /// A message's id, as it was stored, or a thing's; none for the session.
    pub id: Option<String>,
    /// Order of the record that said what it was.
    pub order: String,
    /// The session's fields then, or the body of the thing's record: a JSON object.
    pub then: Option<String>,
    /// The session's fields now; none when it is not there.
    pub now: Option<String>,
    /// A message that was deleted since.
    pub message: Option<Message>,
    /// The message that it answers, or some of what a thing was made of, was deleted since, too.
    pub lost: bool,
    /// It stays as it is, and why.
    pub left_out: Option<&'static str>,
}

/// What was otherwise, session by session.
#[derive(Debug, Clone)]
pub struct DifferencePage {
    /// The page.
    pub items: Vec<Difference>,
    /// `after` of the next page, when more follow.
    pub next: Option<String>,
    /// What the answer saw.
    pub frontier: Frontier,
}

/// Part of [`DifferencePage`]s.
#[derive(Debug, Clone, Default)]
pub struct Part {
    /// The `next` of the page before.
    pub after: Option<String>,
    /// At most so many items.
    pub limit: u32,
}

/// Records by arrival.
#[derive(Debug, Clone)]
pub struct ChangePage {
    /// The page.
    pub items: Vec<Change>,
    /// Where the next page begins.
    pub place: String,
    /// There are more now.
    pub more: bool,
    /// What the answer saw.
    pub frontier: Frontier,
}

/// One thing, when there is one, and what the answer saw.
#[derive(Debug, Clone)]
pub struct Found<T> {
    /// The thing.
    pub item: Option<T>,
    /// What the answer saw.
    pub frontier: Frontier,
}

/// A whole question.
#[derive(Debug, Clone, Default)]
pub struct Question {
    /// What is asked, as the user put it.
    pub text: String,
    /// Its vector with the participants' names taken out, in `space`.
    pub vector: Option<Vec<f32>>,
    /// Embedding space of `vector`. A vector of another space than the index's is left aside.
    pub space: Option<String>,
    /// Only this session.
    pub session: Option<String>,
    /// The session that is asked from.
    pub from_session: Option<String>,
    /// Only messages that pass this filter: JSON.
    pub filter: Option<String>,
    /// Which signals rank.
    pub mode: Mode,
    /// How they are boosted.
    pub boosts: Boosts,
    /// At most so many hits.
    pub limit: u32,
    /// What it must include.
    pub reading: Reading,
}

/// One answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Hit {
    /// The message, whole.
    pub message: Message,
    /// In [0, 1]; calibrated.
    pub score: f32,
    /// How it got its place, in the order of the stages.
    pub stages: Vec<Stage>,
}

/// The answer to a question.
#[derive(Debug, Clone)]
pub struct Recall {
    /// Best first.
    pub hits: Vec<Hit>,
    /// Messages of the user that have no vector in the index's space yet, and take part by words.
    pub pending: u32,
    /// Order of the newest message that took part; empty when there is none.
    pub indexed_through: String,
    /// What the answer saw.
    pub frontier: Frontier,
}

/// A message of a loaded user that waits for its vectors.
#[derive(Debug, Clone)]
pub struct Pending {
    /// It is a memory: of no session.
    pub memory: bool,
    /// The session.
    pub session: String,
    /// The id that it was stored with.
    pub id: String,
    /// Its place.
    pub order: String,
    /// Hybrid time of its record.
    pub at: Hlc,
    /// Who wrote it.
    pub by: Writer,
    /// The message as the record holds it: the same body with vectors is the same message. Of a memory the whole body.
    pub body: String,
}
