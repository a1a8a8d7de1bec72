//! Things: what a journal holds beside messages and sessions, each under a key; of each the newest record stands, and its
//! history stays.
//!
//! The body of a thing's record is `{"thing": {…}, "sources"?: […], "vectors"?: […]}`. `thing` is a whole snapshot: a later
//! record takes the place of all of it. `sources` are what it was made of: when one of them is deleted, the record is gone
//! with it. A member `expires_at` of `thing` (RFC 3339) ends it at read time.

use crate::clock::parse_rfc3339;
use crate::message::{MessageVectors, json_of_vectors, vectors_of_json};
use crate::{Error, Order, Result, SessionId};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident $name:literal $in_session:literal;)*) => {
        /// Kinds of things: the one table. A kind of a session is gone with it.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(rename_all = "lowercase")]
        pub enum ThingKind { $($(#[$doc])* $kind),* }

        impl ThingKind {
            /// All kinds.
            pub const ALL: &[ThingKind] = &[$(ThingKind::$kind),*];

            /// Name as records spell it.
            pub fn name(self) -> &'static str {
                match self { $(ThingKind::$kind => $name),* }
            }

            /// Does it belong to a session?
            pub fn in_session(self) -> bool {
                match self { $(ThingKind::$kind => $in_session),* }
            }
        }
    };
}

kinds! {
    /// A curated statement about the user: see [`crate::memory`].
    Memory "memory" false;
    /// A preference of the user, by its key.
    Preference "preference" false;
    /// A context entry of a session, by `<type>/<key>`.
    Context "context" true;
    /// A relationship of a session to another, by `<type>/<session>`.
    Relationship "relationship" true;
    /// What somebody thinks of a message.
    Feedback "feedback" true;
    /// A part of a session in short: see [`crate::summary`].
    Summary "summary" true;
    /// Bytes of any kind that lie beside the journal, by their name: see [`crate::attachment`].
    Attachment "attachment" true;
}

impl ThingKind {
    /// The kind spelled `name`.
    ///
    /// # Errors
    /// `invalid` when there is none.
    pub fn parse(name: &str) -> Result<Self> {
        let kind = Self::ALL.iter().copied().find(|kind| kind.name() == name);
        kind.ok_or_else(|| Error::invalid(format!("there is no kind of thing {name}")).at("kind"))
    }
}

/// What a thing was made of: a message or a part of it, or a whole session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// The session.
    pub session: SessionId,
    /// Id that the message was stored with; none for the session as such.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// Order of the message, or of the session's last record, when the thing was made.
    pub order: Order,
    /// First byte of the part in the message's text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start: Option<u32>,
    /// End (exclusive) of the part.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<u32>,
}

/// Body of a thing's record, decoded.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ThingBody {
    /// JSON text of the thing: an object.
    pub text: Box<str>,
    /// What it was made of.
    pub sources: Vec<Source>,
    /// Its vectors, where it is searched.
    pub vectors: Vec<MessageVectors>,
}

#[derive(Serialize, Deserialize)]
struct AtRest {
    thing: Box<RawValue>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    sources: Vec<Source>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    vectors: Option<Box<RawValue>>,
}

impl ThingBody {
    /// The body of `thing`.
    ///
    /// # Errors
    /// `internal` when it cannot be written as JSON.
    pub fn new(thing: &impl Serialize, sources: Vec<Source>) -> Result<Self> {
        let text = serde_json::to_string(thing).map_err(encoding)?.into();
        Ok(Self { text, sources, vectors: Vec::new() })
    }

    /// The JSON of the record's body.
    ///
    /// # Errors
    /// `internal` when it cannot be written as JSON.
    pub fn encode(&self) -> Result<Box<RawValue>> {
        let raw = |text: String| RawValue::from_string(text).map_err(encoding);
        let vectors = match self.vectors.as_slice() {
            [] => None,
            vectors => Some(raw(json_of_vectors(vectors)?)?),
        };
        let (thing, sources) = (raw(self.text.to_string())?, self.sources.clone());
        serde_json::value::to_raw_value(&AtRest { thing, sources, vectors }).map_err(encoding)
    }

    /// Reads the JSON of a record's body.
    ///
    /// # Errors
    /// `corrupt` when it is not the body of a thing.
    pub fn decode(body: &RawValue) -> Result<Self> {
        let AtRest { thing, sources, vectors } =
            serde_json::from_str(body.get()).map_err(broken)?;
        let vectors = vectors.map(|json| vectors_of_json(json.get())).transpose()?;
        Ok(Self { text: thing.get().into(), sources, vectors: vectors.unwrap_or_default() })
    }

    /// When it ends, in Unix milliseconds.
    ///
    /// # Errors
    /// `corrupt` when it is no thing that this program could have written.
    pub fn expires_at(&self) -> Result<Option<u64>> {
        #[derive(Deserialize)]
        struct Known {
            #[serde(default)]
            expires_at: Option<String>,
        }
        let known: Known = serde_json::from_str(&self.text).map_err(broken)?;
        known.expires_at.map(|time| parse_rfc3339(&time).map_err(broken)).transpose()
    }

    /// Highest order of its sources, as `from` of its record.
    pub fn from(&self) -> Option<Order> {
        self.sources.iter().map(|source| source.order).max()
    }
}

fn encoding(e: serde_json::Error) -> Error {
    Error::internal("a thing cannot be encoded").caused_by(e)
}

fn broken(e: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::corrupt("a thing's record cannot be read").caused_by(e)
}
