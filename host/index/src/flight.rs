//! Work that many wait for and one does: at most one run at a time, and a run that began after a caller came.

use holdfast_core::{Error, Result};
use std::cell::RefCell;
use tokio::sync::Notify;

/// The runs of one user's loads and polls.
#[derive(Debug)]
pub(crate) struct Flight {
    state: RefCell<State>,
    landed: Notify,
}

#[derive(Debug)]
struct State {
    running: bool,
    started: u64,
    finished: u64,
    wanted: u64,
    outcome: Result<()>,
}

/// A place in a run.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ticket(u64);

impl Default for Flight {
    fn default() -> Self {
        let state = State { running: false, started: 0, finished: 0, wanted: 0, outcome: Ok(()) };
        Self { state: RefCell::new(state), landed: Notify::new() }
    }
}

impl Flight {
    /// A place in a run. With `fresh` it is one that has not begun; else one under way will do.
    ///
    /// `true`: the caller has to [`begin`](Self::begin) it.
    pub(crate) fn board(&self, fresh: bool) -> (Ticket, bool) {
        let mut state = self.state.borrow_mut();
        let number = if state.running && !fresh { state.started } else { state.started + 1 };
        state.wanted = state.wanted.max(number);
        let begin = !state.running;
        state.running = true;
        (Ticket(number), begin)
    }

    /// A run is under way.
    pub(crate) fn running(&self) -> bool {
        self.state.borrow().running
    }

    /// Runs until nobody waits for another run.
    pub(crate) async fn begin(&self, mut run: impl AsyncFnMut() -> Result<()>) {
        loop {
            self.state.borrow_mut().started += 1;
            let outcome = run().await;
            let mut state = self.state.borrow_mut();
            state.outcome = outcome;
            state.finished = state.started;
            state.running = state.wanted > state.finished;
            self.landed.notify_waiters();
            if !state.running {
                return;
            }
        }
    }

    /// Waits for a run to end; its outcome, or that of a later one.
    pub(crate) async fn land(&self, Ticket(number): Ticket) -> Result<()> {
        loop {
            let landed = self.landed.notified();
            {
                let state = self.state.borrow();
                if state.finished >= number {
                    return state.outcome.as_ref().copied().map_err(copy);
                }
            }
            landed.await;
        }
    }
}

/// The same error for one more caller; its cause stays with the first.
pub(crate) fn copy(error: &Error) -> Error {
    let mut copied = Error::because(error.case, error.reason, error.detail.clone());
    copied.field.clone_from(&error.field);
    copied.retry_after = error.retry_after;
    copied
}
