//! Lock step: requests are held until no more come, and then go on together. Each time that they do is one round, so that
//! what waits for an answer before it asks on takes two, however fast store and host are.

use crate::fault::is_list;
use http::Request;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::sleep;

/// Between two looks at whether somebody asks for more. Looks are counted, not time: where the machine is so slow that a
/// look comes late, what was sent meanwhile is seen before the next one.
const LOOK: Duration = Duration::from_millis(12);
/// So many looks in a row that see nothing new mean that nothing more is asked before an answer.
const LOOKS: u32 = 6;
/// So many of them are enough before anybody is waited for.
const FIRST_LOOKS: u32 = 2;

/// One request of a round.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// Its method, or `LIST`.
    pub verb: String,
    /// The object's key, or the prefix of a list.
    pub key: String,
}

impl Asked {
    fn new<B>(request: &Request<B>) -> Self {
        if is_list(request) {
            let query = request.uri().query().unwrap_or_default();
            let prefix = query.split('&').find_map(|pair| pair.strip_prefix("prefix="));
            // Of what keys are made of nothing else is escaped.
            let key = prefix.unwrap_or_default().replace("%2F", "/");
            return Self { verb: "LIST".to_owned(), key };
        }
        let path = request.uri().path().trim_start_matches('/');
        let key = path.split_once('/').map_or("", |(_bucket, key)| key);
        Self { verb: request.method().to_string(), key: key.to_owned() }
    }

    /// The folder that says what it is: `wal` or `seg` of a user, `keys` or `erased` of a tenant, `format` of all.
    pub fn part(&self) -> &str {
        let parts: Vec<&str> = self.key.split('/').collect();
        match parts.as_slice() {
            ["v1", "t", _, "u", _, part, ..] => part,
            ["v1", "t", _, "u", ..] => "u",
            ["v1", "t", _, part, ..] | ["v1", part, ..] => part,
            _ => &self.key,
        }
    }
}

impl fmt::Display for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.verb, self.part())
    }
}

/// What went on together.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Round(pub Vec<Asked>);

impl fmt::Display for Round {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut counts: BTreeMap<String, usize> = BTreeMap::new();
        for asked in &self.0 {
            *counts.entry(asked.to_string()).or_default() += 1;
        }
        let times = |(what, count): (String, usize)| match count {
            1 => what,
            count => format!("{count} × {what}"),
        };
        f.write_str(&counts.into_iter().map(times).collect::<Vec<_>>().join(", "))
    }
}

/// Where requests pass, and are held while somebody counts.
#[derive(Default)]
pub(crate) struct Gate(Mutex<State>);

#[derive(Default)]
struct State {
    holds: bool,
    /// Requests so far: each is known by its number.
    came: u64,
    held: BTreeMap<u64, (Asked, oneshot::Sender<()>)>,
    under_way: BTreeSet<u64>,
    /// Changes with each request and each answer.
    moves: u64,
    rounds: Vec<Round>,
}

/// A request's way through the gate, until it is answered or given up.
pub(crate) struct Passage<'a>(&'a Gate, u64);

impl Drop for Passage<'_> {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.held.remove(&self.1);
        state.under_way.remove(&self.1);
        state.moves += 1;
    }
}

impl Gate {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until the request may go on. It is under way while what this gives lives.
    pub(crate) async fn pass<B>(&self, request: &Request<B>) -> Passage<'_> {
        let (passage, held) = self.come(Asked::new(request));
        if let Some(held) = held {
            // A gate that went away holds nothing.
            let _ = held.await;
        }
        passage
    }

    fn come(&self, asked: Asked) -> (Passage<'_>, Option<oneshot::Receiver<()>>) {
        let mut state = self.state();
        state.came += 1;
        state.moves += 1;
        let number = state.came;
        let held = if state.holds {
            let (release, held) = oneshot::channel();
            state.held.insert(number, (asked, release));
            Some(held)
        } else {
            state.under_way.insert(number);
            None
        };
        (Passage(self, number), held)
    }

    /// Waits until no request is under way and none has come for so many looks.
    async fn still(&self, enough: u32) {
        let (mut seen, mut looks) = (self.state().moves, 0);
        while looks < enough {
            sleep(LOOK).await;
            let state = self.state();
            let still = state.under_way.is_empty() && state.moves == seen;
            (seen, looks) = (state.moves, if still { looks + 1 } else { 0 });
        }
    }

    /// Lets through what is held, round after round.
    async fn step(self: Arc<Self>) {
        loop {
            self.still(LOOKS).await;
            let mut state = self.state();
            let round = state.release();
            state.rounds.extend(round);
        }
    }

    fn open(&self) -> Vec<Round> {
        let mut state = self.state();
        state.holds = false;
        state.release();
        std::mem::take(&mut state.rounds)
    }
}

impl State {
    fn release(&mut self) -> Option<Round> {
        let held = std::mem::take(&mut self.held);
        let mut round = Round::default();
        for (number, (asked, release)) in held {
            if release.send(()).is_ok() {
                self.under_way.insert(number);
                round.0.push(asked);
            }
        }
        (!round.0.is_empty()).then_some(round)
    }
}

/// Requests are held, and go on in rounds, until this ends or is dropped.
pub struct LockStep<'a> {
    gate: &'a Gate,
    stepping: JoinHandle<()>,
}

impl<'a> LockStep<'a> {
    /// From a moment on when no request is under way.
    pub(crate) async fn begin(gate: &'a Arc<Gate>, runtime: &tokio::runtime::Handle) -> Self {
        gate.still(FIRST_LOOKS).await;
        gate.state().holds = true;
        Self { gate, stepping: runtime.spawn(gate.clone().step()) }
    }

    /// The rounds so far. What is held goes on, and is in none of them.
    pub fn end(self) -> Vec<Round> {
        self.gate.open()
    }
}

impl Drop for LockStep<'_> {
    fn drop(&mut self) {
        self.stepping.abort();
        self.gate.open();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::future::{join, join3};
    use futures::poll;
    use tokio::runtime::Handle;
    use tokio::task::yield_now;

    async fn ask(gate: &Gate, key: &str) {
        let request =
            Request::get(format!("/bucket/v1/t/a/u/b/{key}")).body(()).expect("a request");
        drop(gate.pass(&request).await);
    }

    async fn rounds(gate: &Arc<Gate>, work: impl Future) -> Vec<String> {
        let step = LockStep::begin(gate, &Handle::current()).await;
        work.await;
        step.end().iter().map(ToString::to_string).collect()
    }

    #[tokio::test]
    async fn what_is_asked_at_once_is_one_round_and_what_waits_for_an_answer_is_another() {
        let gate = Arc::new(Gate::default());
        let at_once = join3(ask(&gate, "wal/1"), ask(&gate, "man/2"), ask(&gate, "wal/3"));
        assert_eq!(rounds(&gate, at_once).await, ["GET man, 2 × GET wal"]);
        let in_turn = async {
            ask(&gate, "man/1").await;
            join3(ask(&gate, "cov/1"), ask(&gate, "wal/1"), async {
                ask(&gate, "cov/2").await;
                ask(&gate, "seg/2").await;
            })
            .await;
        };
        assert_eq!(rounds(&gate, in_turn).await, ["GET man", "2 × GET cov, GET wal", "GET seg"]);
    }

    #[tokio::test]
    async fn what_follows_a_late_answer_goes_on_with_what_follows_the_others_of_its_round() {
        let gate = Arc::new(Gate::default());
        let late = async {
            let request = Request::get("/bucket/v1/t/a/u/b/cov/1").body(()).expect("a request");
            let answering = gate.pass(&request).await;
            sleep(LOOK * LOOKS * 3).await;
            drop(answering);
            ask(&gate, "seg/1").await;
        };
        let soon = async {
            ask(&gate, "cov/2").await;
            ask(&gate, "seg/2").await;
        };
        assert_eq!(rounds(&gate, join(late, soon)).await, ["2 × GET cov", "2 × GET seg"]);
    }

    #[tokio::test]
    async fn what_was_given_up_is_in_no_round_and_what_is_held_at_the_end_goes_on() {
        let (gate, mut left) = (Arc::new(Gate::default()), None);
        let in_turn = async |gate: Arc<Gate>| {
            ask(&gate, "wal/1").await;
            let mut given_up = Box::pin(ask(&gate, "wal/2"));
            assert!(poll!(&mut given_up).is_pending(), "it is held");
            drop(given_up);
            ask(&gate, "man/1").await;
            ask(&gate, "cov/1").await;
        };
        let held = async {
            left = Some(tokio::spawn(in_turn(gate.clone())));
            while gate.state().rounds.len() < 2 || gate.state().held.is_empty() {
                yield_now().await;
            }
        };
        assert_eq!(rounds(&gate, held).await, ["GET wal", "GET man"]);
        let left = left.expect("a task");
        left.await.expect("what was held goes on");
        assert!(gate.state().under_way.is_empty());
        assert!(rounds(&gate, async {}).await.is_empty());
    }
}
