//! Which part of a training set a session belongs to: decided by the session and a seed alone, so that it is never split
//! and stays where it is while others come and go.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// A part of a training set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Split {
    /// Learned from.
    Train,
    /// Looked at while learning.
    Validation,
    /// Looked at in the end.
    Test,
}

impl Split {
    /// All parts.
    pub const ALL: [Split; 3] = [Split::Train, Split::Validation, Split::Test];

    /// Name as files and cards spell it.
    pub fn name(self) -> &'static str {
        match self {
            Split::Train => "train",
            Split::Validation => "validation",
            Split::Test => "test",
        }
    }
}

/// How many of a thousand sessions are not learned from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shares {
    /// Of a thousand, so many for validation.
    pub validation: u16,
    /// Of a thousand, so many for the test.
    pub test: u16,
}

impl Shares {
    /// The part that a user's session belongs to.
    pub fn of(&self, seed: u64, user: &str, session: &str) -> Split {
        let mut hash = Sha256::new();
        hash.update(seed.to_le_bytes());
        hash.update((user.len() as u64).to_le_bytes());
        hash.update(user.as_bytes());
        hash.update(session.as_bytes());
        let drawn =
            hash.finalize().first_chunk::<8>().map_or(0, |first| u64::from_le_bytes(*first));
        let place = drawn % 1000;
        let test = u64::from(self.test);
        if place < test {
            Split::Test
        } else if place < test + u64::from(self.validation) {
            Split::Validation
        } else {
            Split::Train
        }
    }
}
