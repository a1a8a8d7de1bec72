//! Whose messages a file of an export holds, without saying who they are: so that an erase finds it.

use crate::erase::Ledger;
use crate::record::{VERSION, read_versioned};
use crate::{Error, Result, Scope};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// One list: `exp/<export>/_work/users-<n>.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exported {
    v: u32,
    /// The names that the [`Ledger`] has for them.
    users: BTreeSet<String>,
}

impl Exported {
    /// A list of these.
    pub fn new<'s>(ledger: &Ledger, users: impl IntoIterator<Item = &'s Scope>) -> Self {
        let users = users.into_iter().map(|scope| ledger.name(scope)).collect();
        Self { v: VERSION, users }
    }

    /// Is this user among them?
    pub fn holds(&self, ledger: &Ledger, scope: &Scope) -> bool {
        self.users.contains(&ledger.name(scope))
    }

    /// Its bytes.
    ///
    /// # Errors
    /// `internal` when it cannot be written as JSON.
    pub fn encode(&self) -> Result<Vec<u8>> {
        serde_json::to_vec(self)
            .map_err(|e| Error::internal("a list of users cannot be encoded").caused_by(e))
    }

    /// Reads its bytes.
    ///
    /// # Errors
    /// `corrupt` when they are none, with reason `newer_format` when a newer program wrote them.
    pub fn decode(bytes: &[u8]) -> Result<Self> {
        read_versioned(bytes, |list: &Self| list.v, "a list of an export's users")
    }
}
