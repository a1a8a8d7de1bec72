//! Whether the store takes our requests: a refusal of our credentials pauses all that nobody waits for, until an answer ends it.

use holdfast_core::Error;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Between two questions while the store refuses us, or may.
const IN_DOUBT: Duration = Duration::from_secs(3);
/// Between two questions otherwise: a host that nobody reads from learns of a refusal as well.
const IN_GOOD: Duration = Duration::from_secs(60);

/// What the store last said to the index, of all shards together.
#[derive(Debug, Default)]
pub(crate) struct Standing(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    answered: bool,
    refused: Option<String>,
    /// A read was refused, which may be that object's alone: the next question tells.
    doubted: bool,
    asked: Option<Instant>,
}

impl State {
    fn in_doubt(&self) -> bool {
        self.doubted || self.refused.is_some()
    }
}

impl Standing {
    /// Why the store cannot be relied on; none when it can.
    pub(crate) fn reason(&self) -> Option<String> {
        let state = self.state();
        let silent = || "the bucket has not answered yet".to_owned();
        state.refused.clone().or_else(|| (!state.answered).then(silent))
    }

    /// It is refused or may be: nothing is asked that can wait.
    pub(crate) fn paused(&self) -> bool {
        self.state().in_doubt()
    }

    /// Whether to ask now. Who is told so is the one who does; with `first` it has not been answered anything yet.
    pub(crate) fn ask(&self, first: bool, now: Instant) -> bool {
        let mut state = self.state();
        let doubt = state.in_doubt();
        let pause = if doubt { IN_DOUBT } else { IN_GOOD };
        let due = state.asked.is_none_or(|asked| now.saturating_duration_since(asked) >= pause);
        let ask = due || (first && !doubt);
        if ask {
            state.asked = Some(now);
        }
        ask
    }

    /// A question was answered.
    pub(crate) fn answered(&self) {
        let mut state = self.state();
        if state.refused.is_some() {
            tracing::info!("the object store takes our requests again");
        }
        (state.answered, state.refused, state.doubted) = (true, None, false);
    }

    /// A question failed.
    pub(crate) fn failed(&self, error: &Error) {
        let mut state = self.state();
        if error.reason != REFUSED {
            return;
        }
        if state.refused.is_none() {
            tracing::error!(%error, "the object store refuses our requests: this host is not ready");
        }
        state.refused = Some(error.detail.clone());
    }

    /// Something else than a question failed.
    pub(crate) fn doubt(&self, error: &Error) {
        if error.reason == REFUSED {
            self.state().doubted = true;
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

const REFUSED: &str = "store_refused";

#[cfg(test)]
mod tests {
    use super::*;
    use holdfast_core::Case;

    fn refusal() -> Error {
        Error::because(Case::Unavailable, REFUSED, "the object store refuses our request")
    }

    #[test]
    fn a_refusal_is_the_reason_until_a_question_is_answered() {
        let standing = Standing::default();
        assert!(standing.reason().unwrap().contains("not answered"));
        standing.answered();
        assert_eq!(standing.reason(), None);
        standing.failed(&Error::unavailable("away"));
        assert_eq!((standing.reason(), standing.paused()), (None, false));
        standing.failed(&refusal());
        assert!(standing.reason().unwrap().contains("refuses") && standing.paused());
        standing.failed(&Error::unavailable("away"));
        assert!(standing.paused(), "a store that is away does not take us again");
        standing.answered();
        assert_eq!((standing.reason(), standing.paused()), (None, false));
    }

    #[test]
    fn a_refused_read_is_no_reason_and_pauses_until_the_next_question() {
        let standing = Standing::default();
        standing.answered();
        standing.doubt(&Error::unavailable("away"));
        assert!(!standing.paused());
        standing.doubt(&refusal());
        assert_eq!((standing.reason(), standing.paused()), (None, true));
        standing.answered();
        assert!(!standing.paused());
    }

    #[test]
    fn one_of_all_asks_every_few_seconds_in_doubt_and_every_minute_otherwise() {
        let (standing, start) = (Standing::default(), Instant::now());
        let after = |seconds| start + Duration::from_secs(seconds);
        assert!(
            standing.ask(true, start) && standing.ask(true, start),
            "each shard needs an answer"
        );
        standing.answered();
        assert!(!standing.ask(false, after(59)) && standing.ask(false, after(60)));
        standing.doubt(&refusal());
        assert!(!standing.ask(false, after(62)) && standing.ask(false, after(63)));
        standing.failed(&refusal());
        for seconds in [64, 65] {
            assert!(!standing.ask(true, after(seconds)) && !standing.ask(false, after(seconds)));
        }
        assert!(standing.ask(false, after(66)) && !standing.ask(true, after(66)));
    }
}
