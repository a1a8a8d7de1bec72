//! A session's fields as its records hold them: each record says what it sets, the newest of a field stands.

use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// Type of a session that names none.
pub const DEFAULT_TYPE: &str = "conversation";
/// Status of a session that names none.
pub const DEFAULT_STATUS: &str = "active";
/// Relevance of a session that names none.
pub const DEFAULT_RELEVANCE: &str = "0.0";

/// What one record sets; what is none stays as it was.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionFields {
    /// Display name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Type; [`DEFAULT_TYPE`] when none was ever set.
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// `active` or `archived`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// JSON text of an object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<String>,
    /// What came before, in the caller's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context_summary: Option<String>,
    /// A number, as the caller wrote it; [`DEFAULT_RELEVANCE`] when none was ever set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub relevance_score: Option<String>,
}

impl SessionFields {
    /// The JSON of the record's body.
    ///
    /// # Errors
    /// `internal` when it cannot be written as JSON.
    pub fn encode(&self) -> Result<Box<RawValue>> {
        serde_json::value::to_raw_value(self)
            .map_err(|e| Error::internal("a session cannot be encoded").caused_by(e))
    }

    /// Reads the JSON of a record's body.
    ///
    /// # Errors
    /// `corrupt` when it is not the body of a session.
    pub fn decode(body: &RawValue) -> Result<Self> {
        serde_json::from_str(body.get())
            .map_err(|e| Error::corrupt("a session's record cannot be read").caused_by(e))
    }

    /// What stands after `newer` was set over this.
    #[must_use]
    pub fn overlaid(&self, newer: &Self) -> Self {
        let pick = |new: &Option<String>, old: &Option<String>| new.clone().or_else(|| old.clone());
        Self {
            name: pick(&newer.name, &self.name),
            kind: pick(&newer.kind, &self.kind),
            status: pick(&newer.status, &self.status),
            metadata: pick(&newer.metadata, &self.metadata),
            context_summary: pick(&newer.context_summary, &self.context_summary),
            relevance_score: pick(&newer.relevance_score, &self.relevance_score),
        }
    }
}
