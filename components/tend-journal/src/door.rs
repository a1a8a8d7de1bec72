//! The typed door `upkeep`: one step for one user.

use crate::bindings::Door;
use crate::bindings::exports::holdfast::memory::upkeep::{
    Collection, Compaction, Erasure, Guest, KeptVersions,
};
use crate::erase::{self, Shown};
use crate::http::kept;
use crate::tend::{Done, Work, step};
use holdfast_core::Result;
use holdfast_kit::write::Author;
use holdfast_kit::{memory, state};

impl Guest for Door {
    async fn compact(scope: memory::Scope) -> Result<Compaction, memory::Error> {
        let Done { more, sealed, merged, written, corrupt, .. } = one(scope, Work::Compact).await?;
        Ok(Compaction { more, sealed, merged, written, corrupt })
    }

    async fn collect(scope: memory::Scope) -> Result<Collection, memory::Error> {
        let Done { more, removed, bytes, corrupt, .. } = one(scope, Work::Collect).await?;
        Ok(Collection { more, removed, bytes, corrupt })
    }

    async fn erase(
        scope: memory::Scope,
        id: Option<String>,
        seen: Option<String>,
    ) -> Result<Erasure, memory::Error> {
        Ok(erased(scope, id, seen).await?)
    }

    async fn erase_status(scope: memory::Scope) -> Result<Erasure, memory::Error> {
        Ok(last(scope).await?)
    }
}

async fn erased(scope: memory::Scope, id: Option<String>, seen: Option<String>) -> Result<Erasure> {
    let (state, scope) = (state().await?, scope.try_into()?);
    let author = Author::inside(state, &scope, seen.as_deref())?;
    let (shown, frontier) = erase::erase(state, &scope, id.as_deref(), author).await?;
    let after = frontier.map(|frontier| state.signer(&scope).after(&frontier));
    Ok(Erasure { after, ..shown.into() })
}

async fn last(scope: memory::Scope) -> Result<Erasure> {
    Ok(erase::last(state().await?, &scope.try_into()?).await?.into())
}

impl From<Shown> for Erasure {
    fn from(shown: Shown) -> Self {
        Self {
            id: shown.id,
            erased_at: shown.erased_at,
            more: shown.more,
            final_after: shown.final_after,
            final_: shown.last,
            removed: shown.removed.into_iter().collect(),
            names_sha256: shown.names_sha256,
            kept: kept(shown.versions).map(|(count, until)| KeptVersions { count, until }),
            after: None,
        }
    }
}

async fn one(scope: memory::Scope, work: Work) -> Result<Done> {
    step(state().await?, &scope.try_into()?, work).await
}
