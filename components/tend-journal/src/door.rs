//! The typed door `upkeep`: one step for one user.

use crate::bindings::Door;
use crate::bindings::exports::holdfast::memory::upkeep::{
    Collection, Compaction, Erasure, Expiry, Guest, KeptVersions, Restoration, Restored, Restoring,
};
use crate::erase::{self, Shown};
use crate::expire::expire;
use crate::http::kept;
use crate::restore::{self, Item, Wanted};
use crate::tend::{Done, Work, step};
use holdfast_core::Result;
use holdfast_core::clock::rfc3339;
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

    async fn expire(scope: memory::Scope) -> Result<Expiry, memory::Error> {
        Ok(expired(scope).await?)
    }

    async fn restore(
        scope: memory::Scope,
        restoring: Restoring,
        seen: Option<String>,
    ) -> Result<Restoration, memory::Error> {
        Ok(restored(scope, restoring, seen).await?)
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

async fn expired(scope: memory::Scope) -> Result<Expiry> {
    let done = expire(state().await?, &scope.try_into()?).await?;
    let until = done.until.map(|until| rfc3339(until.milliseconds()));
    Ok(Expiry { expired: done.messages, until, ended: done.ended })
}

async fn restored(
    scope: memory::Scope,
    asked: Restoring,
    seen: Option<String>,
) -> Result<Restoration> {
    let (state, scope) = (state().await?, scope.try_into()?);
    let Restoring { at, deleted, session, dry_run, cursor } = asked;
    let wanted = Wanted { at, deleted, session, dry_run, cursor };
    let author = Author::inside(state, &scope, seen.as_deref())?;
    let step = restore::restore(state, &scope, &wanted, author).await?;
    let all = |items: Vec<Item>| items.into_iter().map(Restored::from).collect();
    Ok(Restoration {
        restored: all(step.restored),
        left_out: all(step.left_out),
        next_cursor: step.next_cursor,
        after: state.signer(&scope).after(&step.frontier),
    })
}

impl From<Item> for Restored {
    fn from(item: Item) -> Self {
        Self {
            kind: item.kind.to_owned(),
            session: item.session,
            id: item.id,
            restored_from: item.restored_from,
            deleted_id: item.deleted_id,
            status: item.status.map(str::to_owned),
            fields: item.fields,
            reason: item.reason,
        }
    }
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
