//! Conversions between the core's nouns and the three packages' own, in one file.

use crate::wit::{embedder, index, memory};
use holdfast_core::clock::rfc3339;
use holdfast_core::error::reason;
use holdfast_core::token::Frontier;
use holdfast_core::{Case, Error, Hlc, Scope, TenantId, UserId};

macro_rules! errors {
    ($($package:ident)*) => {$(
        impl From<$package::Error> for Error {
            fn from(error: $package::Error) -> Self {
                use $package::Error as E;
                let (case, problem) = match error {
                    E::Invalid(problem) => (Case::Invalid, problem),
                    E::Denied(problem) => (Case::Denied, problem),
                    E::NotFound(problem) => (Case::NotFound, problem),
                    E::Conflict(problem) => (Case::Conflict, problem),
                    E::Exhausted(problem) => (Case::Exhausted, problem),
                    E::Unavailable(problem) => (Case::Unavailable, problem),
                    E::Corrupt(problem) => (Case::Corrupt, problem),
                    E::Internal(problem) => (Case::Internal, problem),
                };
                let mut error = Error::because(case, reason(case, &problem.reason), problem.detail);
                error.field = problem.field;
                error.retry_after = problem.retry_after;
                error
            }
        }
    )*};
}

errors! { index embedder memory }

holdfast_core::wit_error!(memory);

impl From<&Scope> for index::Scope {
    fn from(scope: &Scope) -> Self {
        Self { tenant: scope.tenant.to_string(), user: scope.user.to_string() }
    }
}

impl TryFrom<memory::Scope> for Scope {
    type Error = Error;

    fn try_from(scope: memory::Scope) -> Result<Self, Error> {
        Ok(Self { tenant: TenantId::parse(&scope.tenant)?, user: UserId::parse(&scope.user)? })
    }
}

impl From<Frontier> for index::Frontier {
    fn from(frontier: Frontier) -> Self {
        Self { hlc: frontier.hlc.0, head: frontier.head, keys: frontier.keys }
    }
}

impl From<index::Frontier> for Frontier {
    fn from(frontier: index::Frontier) -> Self {
        Self { hlc: Hlc(frontier.hlc), head: frontier.head, keys: frontier.keys }
    }
}

/// A message of the index in the types of `holdfast:memory`.
///
/// # Errors
/// `corrupt` when its record cannot be read.
pub fn message(found: &index::Message) -> Result<memory::Message, Error> {
    let noun = crate::read::noun(found)?;
    let content = match (noun.content, noun.blocks) {
        (None, Some(blocks)) => memory::Content::Blocks(blocks),
        (text, _) => memory::Content::Text(text.unwrap_or_default()),
    };
    Ok(memory::Message {
        id: found.id.clone(),
        session: found.session.clone(),
        index: found.rank,
        order: found.order.clone(),
        role: noun.role.name().to_owned(),
        content,
        name: noun.name,
        parent_id: noun.parent_id,
        event_time: noun.event_time,
        stored_at: rfc3339(Hlc(found.at).milliseconds()),
        metadata: noun.metadata,
        extra: noun.extra,
        tool_calls: noun.tool_calls,
        tool_call_id: noun.tool_call_id,
        conflict_of: found.conflict_of.clone(),
        restored_from: found.restored_from.clone(),
    })
}
