//! Futures in virtual time on one thread: the seed picks who goes next, and owners can be killed and paused.

use crate::random::Random;
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, HashMap};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

type Work = Pin<Box<dyn Future<Output = ()>>>;

/// Whose a task is: killing and pausing take all tasks of one owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Owner {
    /// The world outside: clients, the store, the network. Never killed.
    Outside,
    /// A host, by its number.
    Host(usize),
}

/// Runs tasks; one seed, one run.
pub struct Executor {
    /// Decides who goes next.
    pub random: Random,
    now: Cell<u64>,
    polls: Cell<u64>,
    state: RefCell<State>,
    woken: Arc<Mutex<Vec<u64>>>,
}

#[derive(Default)]
struct State {
    tasks: HashMap<u64, Task>,
    named: u64,
    armed: u64,
    ready: Vec<u64>,
    timers: BTreeMap<(u64, u64), Waker>,
    paused: HashMap<Owner, u64>,
}

struct Task {
    work: Option<Work>,
    owner: Owner,
    queued: bool,
    waker: Waker,
}

struct Alarm {
    task: u64,
    woken: Arc<Mutex<Vec<u64>>>,
}

impl Wake for Alarm {
    fn wake(self: Arc<Self>) {
        self.woken.lock().unwrap_or_else(PoisonError::into_inner).push(self.task);
    }
}

impl Executor {
    /// An executor whose clock stands at `now` (Unix milliseconds).
    pub fn new(random: Random, now: u64) -> Rc<Self> {
        Rc::new(Self {
            random,
            now: Cell::new(now),
            polls: Cell::new(0),
            state: RefCell::default(),
            woken: Arc::default(),
        })
    }

    /// True time, in Unix milliseconds.
    pub fn now(&self) -> u64 {
        self.now.get()
    }

    /// Steps so far.
    pub fn polls(&self) -> u64 {
        self.polls.get()
    }

    /// Adds a task.
    pub fn spawn(&self, owner: Owner, work: impl Future<Output = ()> + 'static) {
        let mut state = self.state.borrow_mut();
        state.named += 1;
        let task = state.named;
        let waker = Waker::from(Arc::new(Alarm { task, woken: self.woken.clone() }));
        state.tasks.insert(task, Task { work: Some(Box::pin(work)), owner, queued: true, waker });
        state.ready.push(task);
    }

    /// Drops every task of `owner`, also the one that runs now, at its next wait.
    pub fn kill(&self, owner: Owner) {
        let mut state = self.state.borrow_mut();
        state.paused.remove(&owner);
        let mut doomed: Vec<u64> =
            state.tasks.iter().filter(|(_, task)| task.owner == owner).map(|(id, _)| *id).collect();
        doomed.sort_unstable();
        let dropped: Vec<Task> = doomed.iter().filter_map(|id| state.tasks.remove(id)).collect();
        drop(state);
        drop(dropped);
    }

    /// No task of `owner` goes on before `until`.
    pub fn pause(&self, owner: Owner, until: u64) {
        self.state.borrow_mut().paused.insert(owner, until);
    }

    /// Ends all pauses.
    pub fn resume_all(&self) {
        let mut state = self.state.borrow_mut();
        state.paused.clear();
        let mut all: Vec<u64> = state.tasks.keys().copied().collect();
        all.sort_unstable();
        drop(state);
        self.woken.lock().unwrap_or_else(PoisonError::into_inner).extend(all);
    }

    /// Waits in virtual time.
    pub fn sleep(self: &Rc<Self>, milliseconds: u64) -> Sleep {
        Sleep { executor: self.clone(), until: self.now() + milliseconds, armed: false }
    }

    /// Runs until `done`, or nothing is left to do, or `limit` more steps were made: then it is false.
    pub fn run(&self, limit: u64, done: impl Fn() -> bool) -> bool {
        let last = self.polls.get() + limit;
        while !done() {
            if self.polls.get() >= last {
                return false;
            }
            self.queue_woken();
            if !self.step() && !self.tick() {
                return true;
            }
        }
        true
    }

    fn queue_woken(&self) {
        let woken = std::mem::take(&mut *self.woken.lock().unwrap_or_else(PoisonError::into_inner));
        let mut state = self.state.borrow_mut();
        for id in woken {
            if let Some(task) = state.tasks.get_mut(&id).filter(|task| !task.queued) {
                task.queued = true;
                state.ready.push(id);
            }
        }
    }

    /// Polls one task that is ready; false when there is none.
    fn step(&self) -> bool {
        let mut state = self.state.borrow_mut();
        if state.ready.is_empty() {
            return false;
        }
        let at = self.random.index(state.ready.len());
        let id = state.ready.swap_remove(at);
        let State { tasks, paused, timers, armed, .. } = &mut *state;
        let Some(task) = tasks.get_mut(&id) else { return true };
        task.queued = false;
        if let Some(until) = paused.get(&task.owner).copied() {
            if until > self.now() {
                *armed += 1;
                timers.insert((until, *armed), task.waker.clone());
                return true;
            }
            paused.remove(&task.owner);
        }
        let Some(mut work) = task.work.take() else { return true };
        let waker = task.waker.clone();
        drop(state);
        self.polls.set(self.polls.get() + 1);
        let outcome = work.as_mut().poll(&mut Context::from_waker(&waker));
        let mut state = self.state.borrow_mut();
        match (outcome, state.tasks.get_mut(&id)) {
            (Poll::Pending, Some(task)) => task.work = Some(work),
            (Poll::Ready(()), Some(_)) => drop(state.tasks.remove(&id)),
            // Killed while it ran: dropped without the borrow, as its end may wake others.
            (_, None) => {
                drop(state);
                drop(work);
            }
        }
        true
    }

    /// Moves the clock to the next timer; false when there is none.
    fn tick(&self) -> bool {
        let mut state = self.state.borrow_mut();
        let Some(((at, _), waker)) = state.timers.pop_first() else { return false };
        self.now.set(self.now().max(at));
        waker.wake();
        while let Some(entry) = state.timers.first_entry() {
            if entry.key().0 > at {
                break;
            }
            entry.remove().wake();
        }
        true
    }

    fn arm(&self, until: u64, waker: Waker) {
        let mut state = self.state.borrow_mut();
        state.armed += 1;
        let armed = state.armed;
        state.timers.insert((until, armed), waker);
    }
}

/// A wait in virtual time.
pub struct Sleep {
    executor: Rc<Executor>,
    until: u64,
    armed: bool,
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if self.executor.now() >= self.until {
            return Poll::Ready(());
        }
        if !self.armed {
            self.executor.arm(self.until, context.waker().clone());
            self.armed = true;
        }
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
    use super::*;

    fn runs(seed: u64) -> Vec<(u64, u64)> {
        let executor = Executor::new(Random::new(seed), 0);
        let log = Rc::new(RefCell::new(Vec::new()));
        for name in 0..5 {
            let (executor_, log) = (executor.clone(), log.clone());
            executor.spawn(Owner::Outside, async move {
                for _ in 0..3 {
                    executor_.sleep(10).await;
                    log.borrow_mut().push((executor_.now(), name));
                }
            });
        }
        assert!(executor.run(1_000, || false));
        log.take()
    }

    #[test]
    fn one_seed_is_one_run_and_another_seed_another() {
        assert_eq!(runs(7), runs(7));
        assert_ne!(runs(7), runs(8));
        assert!(runs(7).is_sorted_by_key(|(at, _)| *at));
    }

    #[test]
    fn the_killed_never_go_on_and_the_paused_go_on_later() {
        let executor = Executor::new(Random::new(1), 0);
        let log = Rc::new(RefCell::new(Vec::new()));
        for host in 0..3 {
            let (executor_, log) = (executor.clone(), log.clone());
            executor.spawn(Owner::Host(host), async move {
                executor_.sleep(10).await;
                log.borrow_mut().push((executor_.now(), host));
            });
        }
        executor.kill(Owner::Host(0));
        executor.pause(Owner::Host(1), 500);
        executor.run(1_000, || false);
        assert_eq!(log.take(), [(10, 2), (510, 1)]);
    }
}
