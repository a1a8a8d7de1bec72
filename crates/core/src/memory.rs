//! A model memory as its records hold it: a curated statement about the user, in whole snapshots.

use crate::Result;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// Importance of a memory that names none.
pub const DEFAULT_IMPORTANCE: &str = "0.5";

/// How a version came about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Event {
    /// It was saved.
    Saved,
    /// Somebody changed it.
    Edited,
    /// The same was saved again, from other sources.
    Linked,
    /// An earlier version was taken up again.
    Restored,
}

impl Event {
    /// Name as REST and records spell it.
    pub fn name(self) -> &'static str {
        match self {
            Event::Saved => "saved",
            Event::Edited => "edited",
            Event::Linked => "linked",
            Event::Restored => "restored",
        }
    }
}

/// One version of a memory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Memory {
    /// The statement, as it came.
    pub text: String,
    /// What it is about, in the caller's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub category: Option<String>,
    /// From 0 to 1, as the caller wrote the number.
    #[serde(default = "importance")]
    pub importance: String,
    /// JSON text of an object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<String>,
    /// RFC 3339: nothing shows it from then on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<String>,
    /// How this version came about.
    pub event: Event,
}

fn importance() -> String {
    DEFAULT_IMPORTANCE.to_owned()
}

impl Memory {
    /// Reads the JSON text of a memory.
    ///
    /// # Errors
    /// `corrupt` when it is none.
    pub fn read(json: &str) -> Result<Self> {
        serde_json::from_str(json)
            .map_err(|e| crate::Error::corrupt("a memory cannot be read").caused_by(e))
    }

    /// The importance as a number.
    pub fn weight(&self) -> f64 {
        self.importance.parse().unwrap_or(0.5)
    }

    /// SHA-256 of the text, in hex: two memories of one user never share it, as far as their writers could see.
    pub fn content_hash(&self) -> String {
        content_hash(&self.text)
    }
}

/// SHA-256 of a text, in hex.
pub fn content_hash(text: &str) -> String {
    hex::encode(Sha256::digest(text.as_bytes()))
}
