//! The typed door `upkeep`: one step for one user.

use crate::bindings::Door;
use crate::bindings::exports::holdfast::memory::upkeep::{Collection, Compaction, Guest};
use crate::tend::{Done, Work, step};
use holdfast_core::Result;
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
}

async fn one(scope: memory::Scope, work: Work) -> Result<Done> {
    step(state().await?, &scope.try_into()?, work).await
}
