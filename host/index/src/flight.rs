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
        let under_way = state.started > state.finished;
        let number = if under_way && !fresh { state.started } else { state.started + 1 };
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
        let mut crash = Crash(Some(self));
        loop {
            self.state.borrow_mut().started += 1;
            let outcome = run().await;
            if !self.end(outcome) {
                crash.0 = None;
                return;
            }
        }
    }

    /// Ends a run; `true` when somebody waits for another one.
    fn end(&self, outcome: Result<()>) -> bool {
        let mut state = self.state.borrow_mut();
        state.outcome = outcome;
        state.finished = state.started;
        state.running = state.wanted > state.finished;
        self.landed.notify_waiters();
        state.running
    }

    /// Waits for a run to end; its outcome, or that of a later one.
    pub(crate) async fn land(&self, Ticket(number): Ticket) -> Result<()> {
        loop {
            let landed = self.landed.notified();
            {
                let state = self.state.borrow();
                if state.finished >= number || !state.running {
                    return state.outcome.as_ref().copied().map_err(copy);
                }
            }
            landed.await;
        }
    }
}

/// A run that does not come to its end, by a bug, must not leave others waiting.
struct Crash<'a>(Option<&'a Flight>);

impl Drop for Crash<'_> {
    fn drop(&mut self) {
        if let Some(flight) = self.0 {
            flight.end(Err(Error::internal("reading a user's journal ended by a bug")));
            flight.state.borrow_mut().running = false;
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;
    use std::rc::Rc;
    use tokio::sync::Semaphore;
    use tokio::task::{LocalSet, spawn_local, yield_now};

    struct Runs {
        flight: Flight,
        count: Cell<u32>,
        gate: Semaphore,
    }

    impl Runs {
        fn new() -> Rc<Self> {
            Rc::new(Self {
                flight: Flight::default(),
                count: Cell::new(0),
                gate: Semaphore::new(0),
            })
        }

        fn board(self: &Rc<Self>, fresh: bool) -> Ticket {
            let (ticket, begin) = self.flight.board(fresh);
            if begin {
                let runs = self.clone();
                let run = async move || {
                    runs.count.set(runs.count.get() + 1);
                    runs.gate.acquire().await.unwrap().forget();
                    if runs.count.get() == 3 { Err(Error::corrupt("third")) } else { Ok(()) }
                };
                let runs = self.clone();
                spawn_local(async move { runs.flight.begin(run).await });
            }
            ticket
        }
    }

    #[tokio::test]
    async fn who_asks_for_the_fresh_rides_a_run_that_began_later() {
        let runs = Runs::new();
        let ride = async {
            let (first, before) = (runs.board(false), runs.board(true));
            while runs.count.get() == 0 {
                yield_now().await;
            }
            let (joined, fresh) = (runs.board(false), runs.board(true));
            runs.gate.add_permits(1);
            for ticket in [first, before, joined] {
                runs.flight.land(ticket).await.unwrap();
            }
            assert!(runs.flight.running());
            runs.gate.add_permits(1);
            runs.flight.land(fresh).await.unwrap();
            assert_eq!((runs.count.get(), runs.flight.running()), (2, false));
        };
        LocalSet::new().run_until(ride).await;
    }

    #[tokio::test]
    async fn all_who_ride_a_run_get_its_error() {
        let runs = Runs::new();
        let ride = async {
            runs.gate.add_permits(3);
            for _ in 0..2 {
                runs.flight.land(runs.board(true)).await.unwrap();
            }
            for ticket in [runs.board(false), runs.board(false)] {
                assert_eq!(runs.flight.land(ticket).await.unwrap_err().detail, "third");
            }
        };
        LocalSet::new().run_until(ride).await;
    }
}
