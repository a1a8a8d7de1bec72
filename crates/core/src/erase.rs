//! Erases of users: where they are recorded, which of a user's objects they settle, and what is left of them.
//!
//! An erase is dated by a hybrid time. What a user's records say up to it is hidden for ever, and the objects go: all of
//! those named up to [`REACH`] after it, but WAL objects of about that time that hold something newer.

use crate::order::MAX_AHEAD;
use crate::record::{VERSION, read_versioned};
use crate::{Error, Hlc, Key, Part, Prefix, Result, Scope, key, token};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use ulid::Ulid;

/// Objects named up to so long after an erase, in milliseconds, are of writers who may not have known of it.
pub const REACH: u64 = 120_000;

/// No record is dated further ahead of its object's ULID, in milliseconds: how far a writer follows another's clock, and as
/// much again.
pub const LEAD: u64 = 2 * MAX_AHEAD;

/// Says where a user's erases are recorded, without saying who it is.
#[derive(Clone)]
pub struct Ledger {
    secret: [u8; 16],
}

impl std::fmt::Debug for Ledger {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Ledger")
    }
}

impl Ledger {
    /// The ledger of an installation.
    pub fn new(root_secret: &str) -> Self {
        Self { secret: token::mac(root_secret.as_bytes(), &[b"erased"]) }
    }

    /// Where this user's erases are recorded.
    pub fn of(&self, scope: &Scope) -> Prefix {
        key::erasures(&scope.tenant, &self.name(scope))
    }

    /// What stands for this user where nobody is to read who it is.
    pub fn name(&self, scope: &Scope) -> String {
        let (tenant, user) = (scope.tenant.as_str(), scope.user.as_str());
        hex::encode(token::mac(&self.secret, &[tenant.as_bytes(), user.as_bytes()]))
    }
}

/// The newest erase of a user, if there was one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Erased(Option<Hlc>);

impl Erased {
    /// One at this time.
    pub fn by(at: Hlc) -> Self {
        Self(Some(at))
    }

    /// When it was.
    pub fn at(self) -> Option<Hlc> {
        self.0
    }

    fn end(self) -> u64 {
        self.0.map_or(0, |at| at.milliseconds().saturating_add(REACH))
    }

    /// An object that was named then may be one that the erase takes.
    pub fn reaches(self, moment: u64) -> bool {
        moment < self.end()
    }

    /// The first moment from `now` on (Unix milliseconds) whose names the erase does not take.
    pub fn clear(self, now: u64) -> u64 {
        now.max(self.end())
    }

    /// Nothing in the object counts any more, whatever it is: nobody reads it, and nobody misses it.
    pub fn settles(self, key: &Key) -> bool {
        let Some((at, moment)) = self.0.zip(moment(key)) else { return false };
        match key.part() {
            Part::Wal => moment.saturating_add(LEAD) < at.milliseconds(),
            _ => self.reaches(moment),
        }
    }

    /// The object was there while the erase reached what is named then (`modified`: Unix milliseconds of the store's), and has
    /// a later name, by a clock that had been set ahead: no sweep takes it, whatever it holds.
    pub fn misses(self, key: &Key, modified: u64) -> bool {
        self.reaches(modified) && moment(key).is_some_and(|named| !self.reaches(named))
    }

    /// The object may be gone because of the erase.
    pub fn may_lack(self, key: &Key) -> bool {
        moment(key).is_some_and(|moment| self.reaches(moment))
    }
}

/// When an object was named, by the first ULID in its key: Unix milliseconds.
pub fn moment(key: &Key) -> Option<u64> {
    let names = key.as_str().split('/').skip(5);
    let ulid = |name: &str| Ulid::from_string(name.get(..26)?).ok();
    let mut ulids = names.filter_map(ulid);
    ulids.next().map(|ulid| ulid.timestamp_ms())
}

/// What says that a user was erased, in the ledger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Marker {
    v: u32,
    /// When.
    pub at: Hlc,
}

/// What one step of an erase is about to remove: hashes of keys, by the part of the journal that they are of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sweep {
    v: u32,
    /// Part, as `wal`, to the first 32 hex digits of the SHA-256 of each key.
    pub removed: BTreeMap<String, Vec<String>>,
}

/// Old versions that a store keeps of objects that were removed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Versions {
    /// None.
    #[default]
    None,
    /// The store does not say whether there are any.
    Unknown,
    /// So many, which it refuses to remove (Object Lock).
    Kept {
        /// How many.
        count: u64,
        /// Until when the last of them stays, where the store says: Unix milliseconds.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<u64>,
    },
}

impl Versions {
    /// These and others.
    pub fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::None, one) | (one, Self::None) => one,
            (Self::Unknown, _) | (_, Self::Unknown) => Self::Unknown,
            (Self::Kept { count, until }, Self::Kept { count: more, until: later }) => {
                Self::Kept { count: count.saturating_add(more), until: until.max(later) }
            }
        }
    }

    fn is_none(&self) -> bool {
        *self == Self::None
    }
}

/// What an erase has removed. Holds nothing of the user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    v: u32,
    /// When the erase was.
    pub at: Hlc,
    /// When the receipt was written: Unix milliseconds.
    pub written: u64,
    /// Nothing of before the erase can come any more: the second sweep is done.
    #[serde(rename = "final")]
    pub last: bool,
    /// Part, as `wal`, to the number of keys that were removed.
    pub removed: BTreeMap<String, u64>,
    /// SHA-256 (hex) over the sorted first 32 hex digits of the SHA-256 of each key, a line each.
    pub sha256: String,
    /// What the store keeps all the same.
    #[serde(default, skip_serializing_if = "Versions::is_none")]
    pub versions: Versions,
}

impl Marker {
    /// One of this time.
    pub fn new(at: Hlc) -> Self {
        Self { v: VERSION, at }
    }

    /// Reads a marker's bytes.
    ///
    /// # Errors
    /// `corrupt` when they are none, with reason `newer_format` when a newer program wrote them.
    pub fn decode(bytes: &[u8]) -> Result<Self> {
        read_versioned(bytes, |marker: &Self| marker.v, "an erase")
    }
}

impl Sweep {
    /// Of these keys.
    pub fn new<'k>(scope: &Scope, keys: impl IntoIterator<Item = &'k Key>) -> Self {
        let mut removed: BTreeMap<String, Vec<String>> = BTreeMap::new();
        let (own, exports) = (key::user(scope), key::exports(&scope.tenant));
        for key in keys {
            let below = |prefix: &Prefix| key.as_str().strip_prefix(prefix.as_str());
            let part = match below(&exports) {
                Some(_) => "exp",
                None => below(&own).and_then(|name| name.split('/').next()).unwrap_or_default(),
            };
            removed.entry(part.to_owned()).or_default().push(key::hash32(key.as_str().as_bytes()));
        }
        Self { v: VERSION, removed }
    }

    /// Reads a sweep's bytes.
    ///
    /// # Errors
    /// As [`Marker::decode`].
    pub fn decode(bytes: &[u8]) -> Result<Self> {
        read_versioned(bytes, |sweep: &Self| sweep.v, "a sweep of an erase")
    }
}

impl Receipt {
    /// Over all sweeps of an erase; what several of them name counts once.
    pub fn new(at: Hlc, written: u64, last: bool, sweeps: &[Sweep], versions: Versions) -> Self {
        let all = sweeps.iter().flat_map(|sweep| &sweep.removed);
        let all = all.flat_map(|(part, hashes)| hashes.iter().map(move |hash| (hash, part)));
        let all: BTreeMap<&String, &String> = all.collect();
        let (mut removed, mut digest) = (BTreeMap::new(), Sha256::new());
        for (hash, part) in all {
            *removed.entry(part.clone()).or_insert(0) += 1;
            digest.update(hash.as_bytes());
            digest.update(b"\n");
        }
        let sha256 = hex::encode(digest.finalize());
        Self { v: VERSION, at, written, last, removed, sha256, versions }
    }

    /// Reads a receipt's bytes.
    ///
    /// # Errors
    /// As [`Marker::decode`].
    pub fn decode(bytes: &[u8]) -> Result<Self> {
        read_versioned(bytes, |receipt: &Self| receipt.v, "the receipt of an erase")
    }
}

/// The JSON of one of these.
///
/// # Errors
/// `internal` when it cannot be written.
pub fn encode(thing: &impl Serialize) -> Result<Vec<u8>> {
    serde_json::to_vec(thing)
        .map_err(|e| Error::internal("an object of an erase cannot be encoded").caused_by(e))
}
