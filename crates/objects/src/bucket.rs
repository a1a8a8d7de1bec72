//! What the index asks of a store beside its objects.

use crate::{Store, Transport};
use holdfast_core::Scope;
use holdfast_core::erase::Erased;
use holdfast_core::ports::{Clock, Ids, Objects};

/// An object store of which this machine may keep a part.
#[allow(async_fn_in_trait, reason = "ports are not Send by design: see `holdfast_core::ports`")]
pub trait Bucket: Objects {
    /// Drops what is kept of a user on this machine, because the user was erased, and keeps nothing from now on that the erase
    /// may take. A store that keeps nothing has nothing to do.
    async fn forget(&self, _scope: &Scope, _erased: Erased) {}
}

impl<T: Transport, C: Clock, I: Ids> Bucket for Store<T, C, I> {}
