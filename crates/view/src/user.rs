//! One user's state: journal, search side, and what is still owed to them.

use crate::{Shelf, Space};
use holdfast_core::erase::{Erased, Ledger};
use holdfast_core::fold::Applied;
use holdfast_core::token::Frontier;
use holdfast_core::{Key, Prefix, Result, Scope, key};
use holdfast_journal::Journal;
use holdfast_search::Nearest;
use std::cell::{Cell, RefCell};
use std::rc::Rc;

/// Bytes of a user without messages, about.
const BASE: usize = 2_000;

/// A user whom somebody asked about. No borrow is held across an await.
pub struct UserView<N> {
    /// Whose.
    pub scope: Scope,
    /// What every key of the user begins with.
    pub prefix: Prefix,
    /// What the bucket holds of the user, as far as it was read.
    pub journal: RefCell<Journal>,
    /// The search side.
    pub shelf: RefCell<Shelf<N>>,
    /// The whole journal was read once.
    pub loaded: Cell<bool>,
    /// The next run lists, whatever the settings say.
    pub list_once: Cell<bool>,
    /// When the last list began that was read to its end: Unix milliseconds.
    pub listed: Cell<u64>,
    /// The journal's renewals that the shelf has followed.
    renewals: Cell<u64>,
    space: Rc<Space>,
}

impl<N: Nearest> UserView<N> {
    /// Nothing yet. `ledger` is where erases are recorded; vectors of `space` are searched, by `nearest`.
    pub fn new(scope: Scope, ledger: Option<&Ledger>, space: Rc<Space>, nearest: N) -> Self {
        let journal = Journal::new(scope.clone());
        let journal = match ledger {
            Some(ledger) => journal.with_ledger(ledger),
            None => journal,
        };
        Self {
            prefix: key::user(&scope),
            journal: RefCell::new(journal),
            shelf: RefCell::new(Shelf::new(nearest)),
            loaded: Cell::new(false),
            list_once: Cell::new(false),
            listed: Cell::new(0),
            renewals: Cell::new(0),
            space,
            scope,
        }
    }

    /// Takes an object in; repeating is safe. One that cannot be read stays owed: the view is known to lack it.
    ///
    /// # Errors
    /// `corrupt` when it is not what its name says.
    pub fn absorb(&self, key: &Key, bytes: &[u8]) -> Result<()> {
        let mut journal = self.journal.borrow_mut();
        let absorbed = journal.absorb(key, bytes)?;
        self.keep_step(&journal);
        self.shelf.borrow_mut().follow(journal.view(), absorbed.applied, &self.space)
    }

    /// The search side takes in what the view took in.
    ///
    /// # Errors
    /// `corrupt` when a message cannot be read again.
    pub fn follow(&self, applied: Vec<Applied>) -> Result<()> {
        let journal = self.journal.borrow();
        self.keep_step(&journal);
        self.shelf.borrow_mut().follow(journal.view(), applied, &self.space)
    }

    /// A journal that was renewed has a search side that is empty too.
    fn keep_step(&self, journal: &Journal) {
        if self.renewals.replace(journal.renewals()) != journal.renewals() {
            let anew = self.shelf.borrow().anew();
            self.shelf.replace(anew);
        }
    }

    /// The journal learned of an erase by itself: everything is dropped, and to be loaded anew.
    pub fn renew_stale(&self) -> bool {
        let mut journal = self.journal.borrow_mut();
        let renewed = journal.renew_stale();
        if renewed {
            self.dropped(&journal);
        }
        renewed
    }

    /// Drops everything because of an erase that the bucket tells of.
    pub fn renew(&self, erased: Erased) {
        let mut journal = self.journal.borrow_mut();
        journal.renew(erased);
        self.dropped(&journal);
    }

    fn dropped(&self, journal: &Journal) {
        self.keep_step(journal);
        self.loaded.set(false);
    }

    /// Keys that a list, another object or a writer named.
    pub fn owe(&self, keys: impl IntoIterator<Item = Key>) {
        self.journal.borrow_mut().owe(keys);
    }

    /// The view is known to lack something.
    pub fn owes(&self) -> bool {
        self.journal.borrow().owes()
    }

    /// How far the view has seen, as of `now`: what a writer with a wild clock left in the future raises nothing.
    pub fn frontier(&self, now: u64) -> Frontier {
        self.journal.borrow().frontier_at(now)
    }

    /// Bytes held, about.
    pub fn weight(&self) -> usize {
        let journal = self.journal.borrow();
        self.keep_step(&journal);
        BASE + self.shelf.borrow_mut().bytes(journal.view()) + journal.objects() * 24
    }
}
