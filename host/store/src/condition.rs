//! What a caller asks to hold before an operation goes on.

use s3s::dto::{ETag, ETagCondition};

use crate::fault::Fault;
use crate::head::Etag;

/// Conditions of a write, as RFC 9110 defines them, checked against what the key holds now.
#[derive(Debug, Clone, Default)]
pub(crate) struct WriteCondition {
    /// The key must hold this.
    pub(crate) if_match: Option<ETagCondition>,
    /// The key must not hold this.
    pub(crate) if_none_match: Option<ETagCondition>,
}

impl WriteCondition {
    /// Whether the key must be free.
    pub(crate) fn must_be_new(&self) -> bool {
        self.if_none_match.as_ref().is_some_and(ETagCondition::is_any)
    }

    /// Fails unless the conditions hold; `If-Match` on a free key is `NoSuchKey`, as on AWS.
    pub(crate) fn check(&self, current: Option<Etag>) -> Result<(), Fault> {
        if let Some(wanted) = &self.if_match {
            let current = current.ok_or(Fault::NoSuchKey)?;
            if !matches_strongly(wanted, current) {
                return Err(Fault::PreconditionFailed);
            }
        }
        match (&self.if_none_match, current) {
            (Some(unwanted), Some(current)) if matches_weakly(unwanted, current) => {
                Err(Fault::PreconditionFailed)
            }
            _ => Ok(()),
        }
    }
}

/// Whether a condition names this ETag, by strong comparison.
pub(crate) fn matches_strongly(condition: &ETagCondition, current: Etag) -> bool {
    match condition {
        ETagCondition::Any => true,
        ETagCondition::ETag(wanted) => ETag::Strong(current.to_string()).strong_cmp(wanted),
    }
}

/// Whether a condition names this ETag, by weak comparison.
pub(crate) fn matches_weakly(condition: &ETagCondition, current: Etag) -> bool {
    match condition {
        ETagCondition::Any => true,
        ETagCondition::ETag(unwanted) => ETag::Strong(current.to_string()).weak_cmp(unwanted),
    }
}
