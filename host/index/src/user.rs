//! One user's state: journal, search side, and what is still owed to them.

use crate::doc::Space;
use crate::flight::Flight;
use crate::settings::Settings;
use crate::shelf::Shelf;
use holdfast_core::erase::Erased;
use holdfast_core::fold::Applied;
use holdfast_core::token::Frontier;
use holdfast_core::{Key, Prefix, Result, Scope, key};
use holdfast_journal::Journal;
use std::cell::{Cell, RefCell};
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
    /// The journal's renewals that the shelf has followed.
    renewals: Cell<u64>,
    graph_from: usize,
    asked: Cell<Instant>,
    poll_at: Cell<Instant>,
    pause: Cell<Duration>,
}

impl User {
    pub(crate) fn new(scope: Scope, settings: &Settings) -> Self {
        let now = Instant::now();
        Self {
            prefix: key::user(&scope),
            journal: RefCell::new(journal(&scope, settings)),
            shelf: RefCell::new(Shelf::new(settings.graph_from)),
            flight: Flight::default(),
            loaded: Cell::new(false),
            list_once: Cell::new(false),
            listed: Cell::new(0),
            used: Cell::new(0),
            bytes: Cell::new(Some(0)),
            renewals: Cell::new(0),
            graph_from: settings.graph_from,
            asked: Cell::new(now),
            poll_at: Cell::new(now),
            pause: Cell::new(settings.poll_first),
            scope,
        }
    }

    /// Takes an object in; repeating is safe. One that cannot be read stays owed: the view is known to lack it.
    pub(crate) fn absorb(&self, key: &Key, bytes: &[u8], space: &Space) -> Result<()> {
        let mut journal = self.journal.borrow_mut();
        let absorbed = journal.absorb(key, bytes)?;
        self.keep_step(&journal);
        self.shelf.borrow_mut().follow(journal.view(), absorbed.applied, space)
    }

    /// The search side takes in what the view took in.
    pub(crate) fn follow(&self, applied: Vec<Applied>, space: &Space) -> Result<()> {
        let journal = self.journal.borrow();
        self.keep_step(&journal);
        self.shelf.borrow_mut().follow(journal.view(), applied, space)
    }

    /// A journal that was renewed has a search side that is empty too.
    fn keep_step(&self, journal: &Journal) {
        if self.renewals.replace(journal.renewals()) != journal.renewals() {
            self.shelf.replace(Shelf::new(self.graph_from));
        }
    }

    /// The journal learned of an erase by itself: everything is dropped, and to be loaded anew.
    pub(crate) fn renew_stale(&self) -> bool {
        let mut journal = self.journal.borrow_mut();
        let renewed = journal.renew_stale();
        if renewed {
            self.dropped(&journal);
        }
        renewed
    }

    /// Drops everything because of an erase that the bucket tells of.
    pub(crate) fn renew(&self, erased: Erased) {
        let mut journal = self.journal.borrow_mut();
        journal.renew(erased);
        self.dropped(&journal);
    }

    fn dropped(&self, journal: &Journal) {
        self.keep_step(journal);
        self.loaded.set(false);
    }

    /// Keys that a list, another object or a writer named.
    pub(crate) fn owe(&self, keys: impl IntoIterator<Item = Key>) {
        self.journal.borrow_mut().owe(keys);
    }

    /// The view is known to lack something.
    pub(crate) fn owes(&self) -> bool {
        self.journal.borrow().owes()
    }

    /// How far the view has seen, as of `now`: what a writer with a wild clock left in the future raises nothing.
    pub(crate) fn frontier(&self, now: u64) -> Frontier {
        self.journal.borrow().frontier_at(now)
    }

    /// Bytes held, about.
    pub(crate) fn weight(&self) -> usize {
        let journal = self.journal.borrow();
        self.keep_step(&journal);
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

/// An empty journal that looks for the user's erases.
pub(crate) fn journal(scope: &Scope, settings: &Settings) -> Journal {
    let journal = Journal::new(scope.clone());
    match &settings.ledger {
        Some(ledger) => journal.with_ledger(ledger),
        None => journal,
    }
}
