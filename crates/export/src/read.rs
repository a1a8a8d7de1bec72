//! Records as an index gives them, read as a source's nouns.

use crate::source::{Feed, Feedback, SourceSession};
use holdfast_core::session::SessionFields;
use holdfast_core::{Error, Hlc, Order, Result};
use serde::Deserialize;
use serde_json::{Map, Value};

/// Keys of preferences that hold a name of the user.
const NAMES: &[&str] =
    &["name", "full_name", "first_name", "last_name", "nickname", "display_name", "preferred_name"];

/// The hybrid time up to which an export reads: the end of that millisecond.
pub fn until(as_of: u64) -> Hlc {
    Hlc(Hlc::at(as_of + 1).0 - 1)
}

impl SourceSession {
    /// Reads the fields of a session's record.
    ///
    /// # Errors
    /// `corrupt` when they cannot be read.
    pub fn read(id: &str, body: &str, messages: u32) -> Result<Self> {
        let wrong = |e| Error::corrupt(format!("session {id} cannot be read")).caused_by(e);
        let fields: SessionFields = serde_json::from_str(body).map_err(wrong)?;
        let metadata = match fields.metadata.as_deref().map(serde_json::from_str) {
            None => Map::new(),
            Some(Ok(Value::Object(metadata))) => metadata,
            Some(Ok(_)) => return Err(Error::corrupt(format!("session {id} has odd metadata"))),
            Some(Err(e)) => return Err(wrong(e)),
        };
        Ok(Self { id: id.to_owned(), metadata, messages })
    }
}

/// What an index says of a message beside its record.
#[derive(Debug, Clone)]
pub struct Placed {
    /// Its id in this view.
    pub id: String,
    /// The id that it took, when another message has it.
    pub conflict_of: Option<String>,
    /// Its place in its session.
    pub index: u32,
    /// A service key wrote it.
    pub trusted: bool,
}

impl Feed {
    /// Reads a message's record.
    ///
    /// # Errors
    /// `corrupt` when it cannot be read.
    pub fn read(placed: Placed, order: &str, body: &str) -> Result<Self> {
        let Placed { id, conflict_of, index, trusted } = placed;
        let order = Order::parse(order)
            .map_err(|e| Error::corrupt(format!("message {id} has no order")).caused_by(e))?;
        let message = serde_json::from_str(body)
            .map_err(|e| Error::corrupt(format!("message {id} cannot be read")).caused_by(e))?;
        Ok(Self { id, conflict_of, index, order, trusted, message })
    }
}

impl Feedback {
    /// Reads the record of somebody's feedback.
    ///
    /// # Errors
    /// `corrupt` when it cannot be read.
    pub fn read(body: &str, trusted: bool) -> Result<Self> {
        #[derive(Deserialize)]
        struct Held {
            message: String,
            rating: Option<String>,
            better_answer: Option<String>,
        }
        let Held { message, rating, better_answer } = serde_json::from_str(body)
            .map_err(|e| Error::corrupt("feedback cannot be read").caused_by(e))?;
        let good = rating.map(|rating| rating == "up");
        Ok(Self { message, good, better_answer, trusted })
    }
}

/// The name that a preference tells, where its key says that it is one and it is not sealed.
pub fn name_told(key: &str, body: &str) -> Option<String> {
    let held: Value = serde_json::from_str(body).ok().filter(|_| NAMES.contains(&key))?;
    serde_json::from_str(held.get("value")?.as_str()?).ok()
}
