//! What was sent to a store and what clients were told, in the order in which it came.

use bytes::Bytes;
use serde_json::Value;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

/// A request that was answered.
#[derive(Debug, Clone)]
pub struct Asked {
    /// Whose.
    pub user: String,
    /// The life of the host that answered: another one after each start.
    pub host: usize,
    /// When it was first sent: Unix milliseconds.
    pub began: u64,
    /// When the answer was there.
    pub ended: u64,
    /// The token that it carried.
    pub brought: Option<String>,
    /// The token of the answer.
    pub token: Option<String>,
}

/// One thing that happened.
#[derive(Debug, Clone)]
pub enum Event {
    /// A WAL object or the mark of an erase is on its way to the store.
    Sent(String, Bytes),
    /// The store has it, since about this time.
    Landed(String, u64),
    /// The store has it no more.
    Removed(String),
    /// Messages of a session were acknowledged, with these orders.
    Stored(Asked, String, Vec<String>),
    /// A message's delete was acknowledged, or where no id is named a session's.
    Deleted(Asked, String, Option<String>),
    /// An erase of the user was acknowledged.
    Erased(Asked),
    /// All that a user has.
    Showed(Asked, Shown),
    /// A page of a walk through a session.
    Paged(Asked, Page),
}

/// All that a user has, as an answer shows it.
#[derive(Debug, Clone)]
pub struct Shown {
    /// The store was asked what is new.
    pub latest: bool,
    /// Nothing is written any more: it is all that will ever be there.
    pub last: bool,
    /// Sessions and messages of them, session by session in order.
    pub items: Vec<(String, Value)>,
    /// How many messages sessions say that they have.
    pub counts: Vec<(String, u32)>,
}

/// A page of a walk, which asks the store what is new.
#[derive(Debug, Clone)]
pub struct Page {
    /// Names the walk.
    pub walk: String,
    /// Through which session.
    pub session: String,
    /// Messages.
    pub items: Vec<Value>,
    /// What came late into the pages before.
    pub late: Vec<Value>,
    /// It goes on.
    pub more: bool,
}

/// All that happened, for one judge.
#[derive(Default)]
pub struct Tape(Mutex<Vec<Event>>);

impl Tape {
    /// It happened now.
    pub fn add(&self, event: Event) {
        self.events().push(event);
    }

    /// All so far.
    pub fn all(&self) -> Vec<Event> {
        self.events().clone()
    }

    fn events(&self) -> MutexGuard<'_, Vec<Event>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Unix milliseconds.
pub(crate) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_millis() as u64
}
