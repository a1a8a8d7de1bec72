//! What a host knows of its users: as `host/index/src/{user,write,remember}.rs`.

use super::Host;
use super::parts::Parts;
use crate::executor::Owner;
use futures::lock::Mutex;
use holdfast_core::record::WalObject;
use holdfast_core::token::{Frontier, MAX_NAMED};
use holdfast_core::{Error, Hlc, Key, Prefix, Result, key};
use holdfast_journal::{Journal, Written};
use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::rc::Rc;

/// Renewals of one life that are told apart.
const RENEWALS: u64 = 1 << 16;

/// What is known of a user here.
pub(super) struct User {
    pub number: usize,
    pub prefix: Prefix,
    pub journal: RefCell<Journal>,
    pub loaded: Cell<bool>,
    pub list_once: Cell<bool>,
    pub listed: Cell<u64>,
    pub flight: Mutex<()>,
    pub parts: Parts,
    /// True time when it began.
    pub since: u64,
    life: u64,
}

/// What is remembered of a user who left.
#[derive(Default)]
pub(super) struct Trace {
    hlc: Hlc,
    leaves: BTreeSet<String>,
}

impl User {
    /// Names the memory: one that was renewed is another.
    pub fn life(&self) -> u64 {
        self.life + self.journal.borrow().renewals() % RENEWALS
    }

    pub fn owes(&self) -> bool {
        self.journal.borrow().owes()
    }

    pub fn highest(&self) -> Hlc {
        self.journal.borrow().view().highest()
    }

    /// The journal learned of an erase by itself: everything is dropped, and to be loaded anew.
    pub fn renew_stale(&self) -> bool {
        let renewed = self.journal.borrow_mut().renew_stale();
        if renewed {
            self.loaded.set(false);
        }
        renewed
    }

    /// Is somebody loading or polling?
    pub fn running(&self) -> bool {
        self.flight.try_lock().is_none()
    }
}

impl Trace {
    fn keys(&self) -> Vec<String> {
        self.leaves.iter().rev().take(MAX_NAMED).cloned().collect()
    }
}

impl Host {
    /// The user's state; one that is not there begins empty, owing what is remembered of it.
    pub(super) fn user(&self, number: usize) -> Result<Rc<User>> {
        if let Some(user) = self.users.borrow().get(&number) {
            return Ok(user.clone());
        }
        let scope = self.world.users.get(number).ok_or_else(|| Error::not_found("user"))?;
        self.lives.set(self.lives.get() + 1);
        let journal =
            Journal::with_rules(scope.clone(), self.world.mutant.rules(&self.world.plan.rules));
        let user = Rc::new(User {
            number,
            journal: RefCell::new(journal.with_ledger(&self.world.ledger)),
            prefix: key::user(scope),
            loaded: Cell::new(false),
            list_once: Cell::new(false),
            listed: Cell::new(0),
            flight: Mutex::new(()),
            parts: Parts::default(),
            since: self.world.now(),
            life: self.lives.get() * RENEWALS,
        });
        let memory = self.memory.borrow();
        let leaves = memory.get(&number).into_iter().flat_map(|trace| &trace.leaves);
        let owed = leaves.filter_map(|text| Key::below(&user.prefix, text));
        user.journal.borrow_mut().owe(owed);
        self.users.borrow_mut().insert(number, user.clone());
        Ok(user)
    }

    /// The user leaves the memory.
    pub fn evict(&self, user: usize) {
        let Some(gone) = self.users.borrow_mut().remove(&user) else { return };
        self.world.trace(|| format!("host {}: user {user} leaves", self.id));
        let frontier = gone.journal.borrow().frontier_at(self.now());
        let mut memory = self.memory.borrow_mut();
        let trace = memory.entry(user).or_default();
        trace.hlc = trace.hlc.max(frontier.hlc);
        trace.leaves.extend(frontier.keys);
    }

    /// The user is loaded: its view knows all that is remembered. One that has left meanwhile is remembered on.
    pub(super) fn forget(&self, user: &User) {
        let here = self.users.borrow().get(&user.number).is_some_and(|one| one.life == user.life);
        if here {
            self.memory.borrow_mut().remove(&user.number);
        }
    }

    /// What a writer knows.
    pub(super) fn known(&self, user: usize) -> Frontier {
        let memory = self.memory.borrow();
        let remembered = memory.get(&user).map_or_else(Frontier::default, |trace| Frontier {
            hlc: trace.hlc,
            head: None,
            keys: trace.keys(),
        });
        match self.users.borrow().get(&user) {
            Some(user) => user.journal.borrow().frontier_at(self.now()).joined(&remembered),
            None => remembered,
        }
    }

    /// Takes in what was just written: at once, even while the user loads.
    pub(super) fn upsert(self: &Rc<Self>, number: usize, written: &Written) -> Result<()> {
        let present = self.users.borrow().contains_key(&number);
        if !present {
            self.remember(number, written)?;
        }
        let user = self.user(number)?;
        let bytes = self.world.mutant.read_bytes(&written.bytes, &user.journal.borrow());
        user.journal.borrow_mut().absorb(&written.key, &bytes)?;
        let mut checker = self.world.checker.borrow_mut();
        checker.upserted(self.id, user.life(), number, written.key.as_str());
        drop(checker);
        let renewed = user.renew_stale();
        let load = renewed || !user.loaded.get();
        if load || user.owes() && !user.running() {
            let host = self.clone();
            self.world.executor.spawn(Owner::Host(self.id), async move {
                // What fails is tried again by the next reader.
                let _ = match load {
                    true => host.refresh(&user).await,
                    false => host.catch_up(&user).await,
                };
            });
        }
        Ok(())
    }

    fn remember(&self, user: usize, written: &Written) -> Result<()> {
        let object = WalObject::decode(&written.bytes)?;
        let mut memory = self.memory.borrow_mut();
        let trace = memory.entry(user).or_default();
        let highest = object.records.iter().map(|record| record.at).max().unwrap_or_default();
        trace.hlc = trace.hlc.max(highest);
        for named in &object.header.prev {
            trace.leaves.remove(named);
        }
        trace.leaves.insert(written.key.to_string());
        if trace.leaves.len() > MAX_NAMED {
            trace.leaves.pop_first();
        }
        Ok(())
    }
}
