//! Erasing a user: hidden at once, removed in steps, and what is known of it.

use crate::tend::rules;
use holdfast_core::clock::rfc3339;
use holdfast_core::erase::Versions;
use holdfast_core::ports::Outside;
use holdfast_core::record::Writer;
use holdfast_core::token::Frontier;
use holdfast_core::{Case, Error, Result, Scope};
use holdfast_journal::{Erasure, Next, SECOND_SWEEP, erasure, sweep};
use holdfast_kit::write::{self, Author};
use holdfast_kit::{GuestIds, State};
use std::collections::BTreeMap;

/// One call removes objects for about so many milliseconds.
const SWEEP: u64 = 10_000;

/// What is known of an erase.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    /// Its id.
    pub id: String,
    /// RFC 3339.
    pub erased_at: String,
    /// There is more to remove now.
    pub more: bool,
    /// RFC 3339; none before the first half is done.
    pub final_after: Option<String>,
    /// Nothing of before it can come any more.
    pub last: bool,
    /// Objects that were removed, by part.
    pub removed: BTreeMap<String, u64>,
    /// SHA-256 over the sorted hashes of their names.
    pub names_sha256: Option<String>,
    /// Old versions that the store keeps of them.
    pub versions: Versions,
}

/// Erases the user anew, or goes on with the last erase when `id` names one; removes for a while. A new one says what a
/// reader has seen who has seen it.
///
/// # Errors
/// `not_found` for an id when the user was not erased since; what a write or the store may answer.
pub async fn erase(
    state: &State,
    scope: &Scope,
    id: Option<&str>,
    author: Author,
) -> Result<(Shown, Option<Frontier>)> {
    let by = author.by.clone();
    let frontier = match id {
        None => Some(write::erase(state, scope, author).await?.1),
        Some(id) => {
            // The last one takes all that an earlier one takes.
            let last = known(state, scope).await?.ulid.to_string();
            if last.as_str() < id {
                return Err(unknown());
            }
            None
        }
    };
    let more = remove(state, scope, &by).await? == Next::More;
    Ok((Shown { more, ..last(state, scope).await? }, frontier))
}

/// What is known of the user's last erase.
///
/// # Errors
/// `not_found` when there was none.
pub async fn last(state: &State, scope: &Scope) -> Result<Shown> {
    let Erasure { ulid, at, receipt } = known(state, scope).await?;
    let (id, erased_at) = (ulid.to_string(), rfc3339(at.milliseconds()));
    Ok(match receipt {
        None => Shown {
            id,
            erased_at,
            more: true,
            final_after: None,
            last: false,
            removed: BTreeMap::new(),
            names_sha256: None,
            versions: Versions::None,
        },
        Some(receipt) => {
            let second = receipt.written.saturating_add(SECOND_SWEEP);
            Shown {
                id,
                erased_at,
                more: !receipt.last && state.bucket.now() >= second,
                final_after: Some(rfc3339(if receipt.last { receipt.written } else { second })),
                last: receipt.last,
                removed: receipt.removed,
                names_sha256: Some(receipt.sha256),
                versions: receipt.versions,
            }
        }
    })
}

async fn known(state: &State, scope: &Scope) -> Result<Erasure> {
    erasure(&state.bucket, &state.ledger(), scope).await?.ok_or_else(unknown)
}

fn unknown() -> Error {
    Error::new(Case::NotFound, "this user was never erased, or not by this id")
}

async fn remove(state: &State, scope: &Scope, by: &Writer) -> Result<Next> {
    let clock = state.bucket.clock();
    let outside = Outside { objects: &state.bucket, clock: &clock, ids: &GuestIds };
    let (rules, begun) = (rules(&state.settings), state.bucket.now());
    loop {
        let next = sweep(&outside, &state.ledger(), scope, by, &rules).await?;
        if next == Next::Done || state.bucket.now().saturating_sub(begun) >= SWEEP {
            return Ok(next);
        }
    }
}
