//! One user's state: journal, search side, and what is still owed to them.

use crate::doc::Space;
use crate::flight::Flight;
use crate::settings::Settings;
use crate::shelf::Shelf;
use holdfast_core::token::Frontier;
use holdfast_core::{Key, Prefix, Result, Scope, key};
use holdfast_journal::Journal;
use std::cell::{Cell, RefCell};
use std::collections::{BTreeSet, HashSet};
use std::time::{Duration, Instant};

/// Bytes of a user without messages, about.
const BASE: usize = 2_000;

/// A user whom somebody asked about. No borrow is held across an await.
pub(crate) struct User {
    pub(crate) scope: Scope,
    pub(crate) prefix: Prefix,
    pub(crate) journal: RefCell<Journal>,
    pub(crate) shelf: RefCell<Shelf>,
    pub(crate) flight: Flight,
    /// The whole journal was read once.
    pub(crate) loaded: Cell<bool>,
    /// The next run lists, whatever the settings say.
    pub(crate) list_once: Cell<bool>,
    /// When the last list began that was read to its end: Unix milliseconds.
    pub(crate) listed: Cell<u64>,
    /// Place among all users by use: the lowest leaves first.
    pub(crate) used: Cell<u64>,
    /// Bytes that are counted for it; none once it has left.
    pub(crate) bytes: Cell<Option<usize>>,
    asked: Cell<Instant>,
    poll_at: Cell<Instant>,
    pause: Cell<Duration>,
    owed: RefCell<BTreeSet<Key>>,
}

impl User {
    pub(crate) fn new(scope: Scope, settings: &Settings) -> Self {
        let now = Instant::now();
        Self {
            prefix: key::wal(&scope),
            journal: RefCell::new(Journal::new(scope.clone())),
            shelf: RefCell::new(Shelf::new(settings.graph_from)),
            flight: Flight::default(),
            loaded: Cell::new(false),
            list_once: Cell::new(false),
            listed: Cell::new(0),
            used: Cell::new(0),
            bytes: Cell::new(Some(0)),
            asked: Cell::new(now),
            poll_at: Cell::new(now),
            pause: Cell::new(settings.poll_first),
            owed: RefCell::new(BTreeSet::new()),
            scope,
        }
    }

    /// Takes an object in; repeating is safe. One that cannot be read stays owed: the view is known to lack it.
    pub(crate) fn absorb(&self, key: &Key, bytes: &[u8], space: &Space) -> Result<()> {
        let mut journal = self.journal.borrow_mut();
        let absorbed = match journal.absorb(key, bytes) {
            Ok(absorbed) => absorbed,
            Err(error) => {
                self.owed.borrow_mut().insert(key.clone());
                return Err(error);
            }
        };
        let mut owed = self.owed.borrow_mut();
        owed.remove(key);
        owed.extend(absorbed.wanted);
        self.shelf.borrow_mut().follow(journal.view(), absorbed.applied, space)
    }

    /// Keys that a list, another object or a writer named.
    pub(crate) fn owe(&self, keys: impl IntoIterator<Item = Key>) {
        let missing = self.journal.borrow().missing(keys);
        self.owed.borrow_mut().extend(missing);
    }

    /// The view is known to lack something.
    pub(crate) fn owes(&self) -> bool {
        !self.owed.borrow().is_empty()
    }

    /// Some of what is owed and was not `tried`, oldest first.
    pub(crate) fn wanted(&self, tried: &HashSet<Key>, most: usize) -> Vec<Key> {
        let owed = self.owed.borrow();
        owed.iter().filter(|key| !tried.contains(key)).take(most).cloned().collect()
    }

    /// How far the view has seen, as of `now`: what a writer with a wild clock left in the future raises nothing.
    pub(crate) fn frontier(&self, now: u64) -> Frontier {
        self.journal.borrow().frontier_at(now)
    }

    /// Bytes held, about.
    pub(crate) fn weight(&self) -> usize {
        let journal = self.journal.borrow();
        BASE + self.shelf.borrow_mut().bytes(journal.view()) + journal.objects() * 24
    }

    /// Somebody asks.
    pub(crate) fn asked(&self) {
        self.asked.set(Instant::now());
    }

    /// A run ended: the next poll is soon when something was `found`, later each time otherwise.
    pub(crate) fn polled(&self, found: bool, settings: &Settings) {
        let pause = if found { settings.poll_first } else { self.pause.get() * 2 };
        self.pause.set(pause.min(settings.poll_last));
        self.poll_at.set(Instant::now() + self.pause.get());
    }

    /// Nobody asked for so long that the tail was not polled: the view may be old.
    pub(crate) fn stale(&self, settings: &Settings) -> bool {
        !settings.single_host && self.poll_at.get() + settings.poll_last < Instant::now()
    }

    /// It is time for a poll in the background.
    pub(crate) fn due(&self, now: Instant, settings: &Settings) -> bool {
        self.loaded.get()
            && !self.flight.running()
            && self.poll_at.get() <= now
            && now.saturating_duration_since(self.asked.get()) < settings.idle
    }
}
