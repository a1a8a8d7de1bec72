//! Lists of users whom a host wrote: what upkeep works through, so that it need not look at everybody.

use crate::record::{VERSION, read_versioned};
use crate::{Error, Result, UserId};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// One list: `dirty/<hour>/<ulid>.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dirty {
    v: u32,
    users: Vec<String>,
}

/// That all users of a tenant were tended: `op/swept/<ulid>.json`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Swept {
    v: u32,
    /// When that began: Unix milliseconds.
    pub begun: u64,
}

impl Dirty {
    /// A list of these.
    pub fn new<'u>(users: impl IntoIterator<Item = &'u UserId>) -> Self {
        Self { v: VERSION, users: users.into_iter().map(|user| user.as_str().to_owned()).collect() }
    }

    /// Whom it names; what is no user's id is left out.
    pub fn users(&self) -> BTreeSet<UserId> {
        self.users.iter().filter_map(|user| UserId::parse(user).ok()).collect()
    }

    /// Reads a list's bytes.
    ///
    /// # Errors
    /// `corrupt` when they are none, with reason `newer_format` when a newer program wrote them.
    pub fn decode(bytes: &[u8]) -> Result<Self> {
        read_versioned(bytes, |dirty: &Self| dirty.v, "a list of users to tend")
    }
}

impl Swept {
    /// One that began then.
    pub fn new(begun: u64) -> Self {
        Self { v: VERSION, begun }
    }

    /// Reads its bytes.
    ///
    /// # Errors
    /// As [`Dirty::decode`].
    pub fn decode(bytes: &[u8]) -> Result<Self> {
        read_versioned(bytes, |swept: &Self| swept.v, "the record of a sweep")
    }
}

/// The JSON of one of these.
///
/// # Errors
/// `internal` when it cannot be written.
pub fn encode(thing: &impl Serialize) -> Result<Vec<u8>> {
    serde_json::to_vec(thing)
        .map_err(|e| Error::internal("a list of users cannot be encoded").caused_by(e))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_read_as_it_was_written_and_as_it_was_written_before() {
        let users: BTreeSet<UserId> =
            ["ann", "é/b"].into_iter().map(|user| UserId::parse(user).unwrap()).collect();
        let golden = "{\"v\":1,\"users\":[\"ann\",\"é/b\"]}";
        assert_eq!(encode(&Dirty::new(&users)).unwrap(), golden.as_bytes());
        assert_eq!(Dirty::decode(golden.as_bytes()).unwrap().users(), users);
        let swept = "{\"v\":1,\"begun\":7}";
        assert_eq!(encode(&Swept::new(7)).unwrap(), swept.as_bytes());
        assert_eq!(Swept::decode(swept.as_bytes()).unwrap().begun, 7);
    }

    #[test]
    fn what_is_newer_or_no_list_is_refused_and_a_name_that_is_no_id_left_out() {
        for (bytes, reason) in [("{\"v\":9,\"users\":[]}", "newer_format"), ("{}", "corrupt")] {
            assert_eq!(Dirty::decode(bytes.as_bytes()).unwrap_err().reason, reason);
        }
        let odd = Dirty::decode(b"{\"v\":1,\"users\":[\"\",\"a\\u0000\",\"ann\"]}").unwrap();
        assert_eq!(odd.users().len(), 1);
    }
}
