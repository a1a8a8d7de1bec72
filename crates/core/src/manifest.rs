//! A manifest: which segments hold a user's journal up to a horizon, and which manifests it takes the place of.
//!
//! At rest it is JSON. Names of objects are without the user's prefix. Members that this program does not know are
//! carried, in a manifest and in its entries.

use crate::record::{VERSION, read_versioned};
use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use ulid::Ulid;

/// A manifest.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// Version of this form.
    pub v: u32,
    /// When its maker began to read, Unix milliseconds: one that appears much later is void.
    pub begun: u64,
    /// Every WAL object with an earlier ULID that its maker's full list showed is in its segments: Unix milliseconds.
    pub from: u64,
    /// The heads that its maker read.
    pub parents: Vec<String>,
    /// Their parents and ancestors that may still be listed.
    pub ancestors: Vec<String>,
    /// Its segments.
    pub segments: Vec<Entry>,
    /// Members of newer writers.
    #[serde(flatten)]
    pub unknown: Map<String, Value>,
}

/// A segment, as a manifest names it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// The segment.
    pub seg: String,
    /// What it covers.
    pub cov: String,
    /// Its index part; reserved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idx: Option<String>,
    /// Bytes of the segment.
    pub bytes: u64,
    /// Its records.
    pub records: u64,
    /// Bytes of their texts.
    pub texts: u64,
    /// How often its records were merged.
    pub tier: u32,
    /// Lowest ULID of the WAL objects that it covers.
    #[serde(with = "ulid_text")]
    pub oldest: Ulid,
    /// Highest ULID of them.
    #[serde(with = "ulid_text")]
    pub newest: Ulid,
    /// Which purges were taken into account when it was looked at: see [`crate::purge`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub purged: Option<String>,
    /// Members of newer writers.
    #[serde(flatten)]
    pub unknown: Map<String, Value>,
}

impl Manifest {
    /// A manifest of a compaction that began at `begun` and took the place of `parents`.
    pub fn new(begun: u64, from: u64, parents: Vec<String>, ancestors: Vec<String>) -> Self {
        let (segments, unknown) = (Vec::new(), Map::new());
        Self { v: VERSION, begun, from, parents, ancestors, segments, unknown }
    }

    /// Its bytes at rest. Equal input gives equal bytes.
    ///
    /// # Errors
    /// `internal` when it cannot be written as JSON.
    pub fn encode(&self) -> Result<Vec<u8>> {
        let mut json = serde_json::to_vec(self)
            .map_err(|e| Error::internal("a manifest cannot be encoded").caused_by(e))?;
        json.push(b'\n');
        Ok(json)
    }

    /// Reads its bytes.
    ///
    /// # Errors
    /// `corrupt` when they are none, with reason `newer_format` when a newer program wrote them.
    pub fn decode(bytes: &[u8]) -> Result<Self> {
        read_versioned(bytes, |manifest: &Self| manifest.v, "a manifest")
    }
}

mod ulid_text {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};
    use std::borrow::Cow;
    use ulid::Ulid;

    pub fn serialize<S: Serializer>(ulid: &Ulid, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(ulid)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Ulid, D::Error> {
        let text = Cow::<str>::deserialize(from)?;
        Ulid::from_string(&text).map_err(|_| D::Error::custom("not a ULID"))
    }
}
