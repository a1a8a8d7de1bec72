//! What the index asks of a store beside its objects.

use crate::{Store, Transport};
use holdfast_core::clock::Skew;
use holdfast_core::ports::{Clock, Ids, Objects};

/// An object store that knows what its answers say about our clock.
pub trait Bucket: Objects {
    /// What they say.
    fn skew(&self) -> Skew;
}

impl<T: Transport, C: Clock, I: Ids> Bucket for Store<T, C, I> {
    fn skew(&self) -> Skew {
        Self::skew(self)
    }
}
