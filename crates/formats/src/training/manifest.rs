//! `_MANIFEST.json`: what an export is, written last; an export without it is not whole.

use super::Format;
use super::report::Report;
use super::split::{Shares, Split};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What an export is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// Version of this form: 1.
    pub v: u32,
    /// Id of the export.
    pub export: String,
    /// What its files hold.
    pub format: Format,
    /// When it was begun: RFC 3339.
    pub created_at: String,
    /// It holds what had been written by then: RFC 3339.
    pub as_of: String,
    /// Seed of the split.
    pub seed: u64,
    /// Shares of the split.
    pub shares: Shares,
    /// Personal data was replaced.
    pub anonymized: bool,
    /// Every file, by name, this one excepted.
    pub files: Vec<FileEntry>,
    /// Examples by split.
    pub splits: BTreeMap<Split, u64>,
    /// What was read, left out and changed.
    #[serde(flatten)]
    pub report: Report,
    /// What was replaced, by kind.
    #[serde(default)]
    pub replaced: BTreeMap<String, u64>,
}

/// One file of an export.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileEntry {
    /// Name below the export.
    pub name: String,
    /// Its bytes.
    pub bytes: u64,
    /// SHA-256 of them, 64 hex digits.
    pub sha256: String,
    /// Examples in it; 0 for files beside them.
    pub examples: u64,
}
