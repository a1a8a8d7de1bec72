//! The door `summaries` of the component that sums up sessions, asked by the host itself.

use super::COMPONENT;
use crate::pool::{Apart, Pool, Ticket};
use generated::holdfast::memory::types;
use holdfast_core::error::reason;
use holdfast_core::{Case, Error, Result, Scope};
use std::sync::Arc;

pub(super) use generated::exports::holdfast::memory::summaries::Tended;

#[allow(missing_docs, clippy::all, reason = "generated from WIT")]
mod generated {
    wasmtime::component::bindgen!({
        inline: "
            package holdfast:host@0.1.0;
            world summarizing { export holdfast:memory/summaries@0.1.0; }
        ",
        path: ["../wit/models", "../wit/index", "../wit/memory"],
        world: "holdfast:host/summarizing",
    });
}

/// Sums up idle sessions of a user in which something was said after `since` (Unix milliseconds), for about ten seconds.
///
/// # Errors
/// What the component answers; `unavailable` when it is busy, or late; `internal` when it breaks.
pub(super) async fn tend(pool: &Arc<Pool>, scope: &Scope, since: Option<u64>) -> Result<Tended> {
    // Its own ten seconds, and those of the summary that it has begun then.
    let patience = pool.limits.deadline * 2;
    let ticket = Arc::new(Ticket::new("summarizing".to_owned(), patience));
    let work = async {
        let apart = pool.apart(ticket).await.map_err(|failure| failure.error(COMPONENT, false))?;
        called(apart, scope, since).await.map_err(|e| {
            Error::internal("the component that sums up sessions broke").caused_by(format!("{e:#}"))
        })?
    };
    tokio::time::timeout(patience, work)
        .await
        .map_err(|_| Error::unavailable("the component that sums up sessions is late"))?
}

async fn called(
    apart: Apart,
    scope: &Scope,
    since: Option<u64>,
) -> wasmtime::Result<Result<Tended>> {
    let Apart { mut store, pre, permit } = apart;
    let door = generated::SummarizingPre::new(pre)?.instantiate_async(&mut store).await?;
    let scope = types::Scope { tenant: scope.tenant.to_string(), user: scope.user.to_string() };
    let called = store
        .run_concurrent(async |accessor| {
            door.holdfast_memory_summaries().call_tend(accessor, scope, since).await
        })
        .await??;
    drop((store, permit));
    Ok(called.map_err(error))
}

fn error(error: types::Error) -> Error {
    let (case, problem) = match error {
        types::Error::Invalid(problem) => (Case::Invalid, problem),
        types::Error::Denied(problem) => (Case::Denied, problem),
        types::Error::NotFound(problem) => (Case::NotFound, problem),
        types::Error::Conflict(problem) => (Case::Conflict, problem),
        types::Error::Exhausted(problem) => (Case::Exhausted, problem),
        types::Error::Unavailable(problem) => (Case::Unavailable, problem),
        types::Error::Corrupt(problem) => (Case::Corrupt, problem),
        types::Error::Internal(problem) => (Case::Internal, problem),
    };
    Error::because(case, reason(case, &problem.reason), problem.detail)
}
