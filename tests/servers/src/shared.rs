//! One server for the tests of a binary that run at the same time; the last of them to end ends it.

use crate::process::Server;
use std::sync::{Arc, Mutex, PoisonError, Weak};

/// A place for a server that several tests share, as a `static`.
pub struct Shared(Mutex<Weak<Server>>);

impl Shared {
    /// No server yet.
    #[allow(clippy::new_without_default, reason = "only for statics, which need a const")]
    pub const fn new() -> Self {
        Self(Mutex::new(Weak::new()))
    }

    /// The running server, or a new one. Each test must work below a prefix of its own.
    pub fn get(&self, start: impl FnOnce() -> Server) -> Arc<Server> {
        let mut place = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        place.upgrade().unwrap_or_else(|| {
            let server = Arc::new(start());
            *place = Arc::downgrade(&server);
            server
        })
    }
}
