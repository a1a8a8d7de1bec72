//! What a segment covers: the exact WAL objects that it holds, and where each session's frames lie.
//!
//! At rest it is one Zstandard frame of JSON, beside its segment under the same ULID, and again at the segment's end:
//! `{"v":1,"wal":[…],"names"?:[…],"purges"?:[…],"sessions":[{"session"?,"texts":{…},"vectors"?:{…},"records","first","last","made_of"?:[…],"oldest"?,"attached"?}]}`.
//! Names of objects are without the user's prefix.

use crate::purge::Purge;
use crate::record::{VERSION, read_versioned};
use crate::{Error, Hlc, Order, Result, SessionId, zstd};
use serde::{Deserialize, Serialize};

/// What a segment covers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cover {
    /// Version of this form.
    pub v: u32,
    /// Names of the WAL objects whose records it holds, each wholly, sorted.
    pub wal: Vec<String>,
    /// Names that those objects gave and that are not among them (`prev`, `head`): readers follow them, as they would
    /// have.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<String>,
    /// Purges among its records: see [`crate::purge`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub purges: Vec<Purge>,
    /// Its sessions; records without one come first.
    pub sessions: Vec<Frames>,
}

/// Where one session's records lie in the segment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Frames {
    /// The session; none for records that belong to none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<SessionId>,
    /// The frame of texts.
    pub texts: Frame,
    /// The frame of vectors, when there are any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vectors: Option<Frame>,
    /// Records.
    pub records: u64,
    /// Lowest order.
    pub first: Order,
    /// Highest order.
    pub last: Order,
    /// Other sessions that its things were made of.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub made_of: Vec<SessionId>,
    /// The oldest of what its things were made of, where that is older than all its records.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oldest: Option<Hlc>,
    /// Are attachments among its things? None where a program that knew of none wrote it: there may be some.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attached: Option<bool>,
}

/// A byte range of the segment: one Zstandard frame, which can be read alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Frame {
    /// First byte.
    pub at: u64,
    /// Bytes.
    pub bytes: u64,
    /// First 32 hex digits of their SHA-256.
    pub hash: String,
}

impl Cover {
    /// Its bytes at rest. Equal input gives equal bytes.
    ///
    /// # Errors
    /// `internal` when it cannot be written as JSON, or would not be read again.
    pub fn encode(&self) -> Result<Vec<u8>> {
        let json = serde_json::to_vec(self)
            .map_err(|e| Error::internal("a cover cannot be encoded").caused_by(e))?;
        if json.len() as u64 > zstd::MAX_UNPACKED {
            return Err(Error::internal("a cover is too large: seal fewer objects at once"));
        }
        Ok(zstd::pack(&json))
    }

    /// Reads its bytes.
    ///
    /// # Errors
    /// `corrupt` when they are none, with reason `newer_format` when a newer program wrote them.
    pub fn decode(bytes: &[u8]) -> Result<Self> {
        read_versioned(&zstd::unpack(bytes)?, |cover: &Self| cover.v, "a cover")
    }

    /// A cover of nothing yet.
    pub fn new(wal: Vec<String>, names: Vec<String>) -> Self {
        Self { v: VERSION, wal, names, purges: Vec::new(), sessions: Vec::new() }
    }

    /// Records of all sessions.
    pub fn records(&self) -> u64 {
        self.sessions.iter().map(|frames| frames.records).sum()
    }
}
