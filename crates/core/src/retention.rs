//! How long things are kept: a user's own word on it, and what has passed.
//!
//! What has passed is everything up to a hybrid time, the horizon: messages by their own time, what is derived from them by
//! that of its newest source, things (memories) with the oldest message that they were made of. It is gone as what a deleted session held is gone; what else a user has (fields of sessions,
//! the user's own) stays. A horizon that was written down, as a tombstone of no session with the body
//! `{"of":"messages","until":…}`, holds for ever; until then it is what the retention says now.

use crate::graves::{EMBEDDING, Of};
use crate::record::{Kind, Record, Stamp};
use crate::thing::{Source, ThingKind};
use crate::{Error, Hlc, Result, SessionId};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// Milliseconds of a day.
const DAY: u64 = 86_400_000;

/// The body of a record of kind `user`: each takes the place of the one before it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserFields {
    /// Messages are kept for so many days; 0 or none is as long as the tenant's are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retention_days: Option<u32>,
    /// Nothing of this user goes into training sets.
    #[serde(default)]
    pub no_train: bool,
    /// Names of the user.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<String>,
}

impl UserFields {
    /// The JSON of the record's body.
    ///
    /// # Errors
    /// `internal` when it cannot be written as JSON.
    pub fn encode(&self) -> Result<Box<RawValue>> {
        serde_json::value::to_raw_value(self)
            .map_err(|e| Error::internal("a user cannot be encoded").caused_by(e))
    }

    /// Reads the JSON of a record's body.
    ///
    /// # Errors
    /// `corrupt` when it is not the body of a user.
    pub fn decode(body: &str) -> Result<Self> {
        serde_json::from_str(body)
            .map_err(|e| Error::corrupt("a user's record cannot be read").caused_by(e))
    }
}

/// For how many days a user's messages are kept: the shorter of the tenant's and the user's own; 0 is for ever.
pub fn days(tenant: u32, user: Option<&UserFields>) -> u32 {
    let own = user.and_then(|user| user.retention_days).unwrap_or(0);
    match (tenant, own) {
        (0, days) | (days, 0) => days,
        (tenant, own) => tenant.min(own),
    }
}

/// Everything up to it has passed: none when things are kept for ever. `now` is Unix milliseconds.
pub fn horizon(days: u32, now: u64) -> Option<Hlc> {
    let kept = u64::from(days).saturating_mul(DAY);
    // Of its whole millisecond.
    (days > 0).then(|| Hlc(Hlc::at(now.saturating_sub(kept)).0.saturating_sub(1)))
}

/// A thing that has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// Its kind.
    pub kind: ThingKind,
    /// Its session, where it has one.
    pub session: Option<SessionId>,
    /// Its id.
    pub id: String,
    /// Hybrid time of the record that ended.
    pub at: Hlc,
}

/// The records that say for ever what has passed: the horizon, where there is one, and physical deletes of what has ended.
/// Each of those is dated by what ended, so that what is written later stays.
///
/// # Errors
/// `internal` when a body cannot be written as JSON.
pub fn written_down(horizon: Option<Hlc>, ended: &[Ended], stamp: &Stamp) -> Result<Vec<Record>> {
    let passed = horizon.map(|until| {
        let body = Of::encode_until(until)?;
        Ok(Record::of_user(Kind::Tombstone, &until.to_string(), stamp, body))
    });
    let buried = ended.iter().map(|one| {
        let (body, stamp) =
            (Of::Thing(one.kind).encode_as(true)?, Stamp { at: one.at, by: stamp.by.clone() });
        Ok(Record::buried(body, (one.session.as_ref(), &one.id), &stamp))
    });
    passed.into_iter().chain(buried).collect()
}

/// Does a record pass by its own time, or that of its newest source? Messages do, and what is derived. Things pass by
/// [`passes_at`].
pub fn passes(record: &Record) -> bool {
    match &record.kind {
        Kind::Message | Kind::Gone => true,
        Kind::Other(kind) => record.from.is_some() || kind == EMBEDDING,
        _ => false,
    }
}

/// When a thing passes that was made of these: with the oldest message among them, as it is gone with any of them that is
/// deleted. What was made of a session as such does not, but a memory or summary, which is made of what was said there.
pub fn passes_at(kind: ThingKind, sources: &[Source]) -> Option<Hlc> {
    let made = matches!(kind, ThingKind::Memory | ThingKind::Summary);
    let said = |source: &&Source| source.message.is_some() || made;
    sources.iter().filter(said).map(|source| source.order.hlc).min()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shorter_of_both_counts_and_none_is_for_ever() {
        let own = |days| UserFields { retention_days: Some(days), ..UserFields::default() };
        assert_eq!((days(0, None), days(30, None), days(0, Some(&own(7)))), (0, 30, 7));
        assert_eq!(
            (days(30, Some(&own(7))), days(7, Some(&own(30))), days(7, Some(&own(0)))),
            (7, 7, 7)
        );
        assert_eq!(horizon(0, 9 * DAY), None);
        let horizon = horizon(2, 9 * DAY).unwrap();
        assert!(horizon < Hlc::at(7 * DAY) && horizon >= Hlc::at(7 * DAY - 1));
    }
}
