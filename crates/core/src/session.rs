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
    /// Fields that a restore takes away again, by their names here: they are as if they had never been set.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cleared: Vec<String>,
}

impl SessionFields {
    /// The JSON of the body of a record that brings back what an earlier one said: `restored_from` is the order of that.
    ///
    /// # Errors
    /// As [`encode`](Self::encode).
    pub fn encode_restored(&self, restored_from: &str) -> Result<Box<RawValue>> {
        #[derive(Serialize)]
        struct Restored<'a> {
            #[serde(flatten)]
            fields: &'a SessionFields,
            restored_from: &'a str,
        }
        serde_json::value::to_raw_value(&Restored { fields: self, restored_from })
            .map_err(|e| Error::internal("a session cannot be encoded").caused_by(e))
    }

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
        let pick = |name: &str, new: &Option<String>, old: &Option<String>| {
            let kept = old.clone().filter(|_| !newer.cleared.iter().any(|cleared| cleared == name));
            new.clone().or(kept)
        };
        let (summary, relevance) = ("context_summary", "relevance_score");
        Self {
            name: pick("name", &newer.name, &self.name),
            kind: pick("type", &newer.kind, &self.kind),
            status: pick("status", &newer.status, &self.status),
            metadata: pick("metadata", &newer.metadata, &self.metadata),
            context_summary: pick(summary, &newer.context_summary, &self.context_summary),
            relevance_score: pick(relevance, &newer.relevance_score, &self.relevance_score),
            cleared: Vec::new(),
        }
    }

    /// The fields of a session that a record alone sets, with the defaults of those that it leaves out.
    #[must_use]
    pub fn with_defaults(&self) -> Self {
        let defaults = Self {
            kind: Some(DEFAULT_TYPE.to_owned()),
            status: Some(DEFAULT_STATUS.to_owned()),
            relevance_score: Some(DEFAULT_RELEVANCE.to_owned()),
            ..Self::default()
        };
        defaults.overlaid(self)
    }

    /// All fields with their names here.
    fn named(&self) -> [(&'static str, &Option<String>); 6] {
        [
            ("name", &self.name),
            ("type", &self.kind),
            ("status", &self.status),
            ("metadata", &self.metadata),
            ("context_summary", &self.context_summary),
            ("relevance_score", &self.relevance_score),
        ]
    }

    /// What is to be set over this, so that `then` stands; none when it does.
    pub fn back_to(&self, then: &Self) -> Option<Self> {
        let (now, then) = (self.with_defaults(), then.with_defaults());
        let gone = now.named().into_iter().zip(then.named());
        let gone = gone.filter(|((_, now), (_, then))| now.is_some() && then.is_none());
        let cleared = gone.map(|((name, _), _)| name.to_owned()).collect();
        let changed =
            |now: &Option<String>, then: &Option<String>| then.clone().filter(|_| now != then);
        let back = Self {
            name: changed(&now.name, &then.name),
            kind: changed(&now.kind, &then.kind),
            status: changed(&now.status, &then.status),
            metadata: changed(&now.metadata, &then.metadata),
            context_summary: changed(&now.context_summary, &then.context_summary),
            relevance_score: changed(&now.relevance_score, &then.relevance_score),
            cleared,
        };
        (back != Self::default()).then_some(back)
    }
}
