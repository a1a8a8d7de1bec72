//! Who stands next to whom: the messages of each session in journal order, and the two neighbours on each side.

use crate::{DocNo, Passing};
use std::collections::HashMap;

/// No neighbour.
pub(crate) const NONE: u32 = u32::MAX;

/// Neighbours on each side that count as a message's context.
pub(crate) const REACH: usize = 2;

/// Two before, two after: nearest inside.
pub(crate) type Neighbours = [u32; 2 * REACH];

/// The sessions of an index.
#[derive(Debug, Default)]
pub(crate) struct Sessions {
    numbers: HashMap<Box<str>, u32>,
    names: Vec<Box<str>>,
    docs: Vec<Vec<DocNo>>,
    neighbours: Vec<Neighbours>,
    own: Vec<u32>,
    lengths: Vec<u32>,
    total: u64,
    count: usize,
}

impl Sessions {
    /// These sessions with their messages in journal order, of which `own` has the terms of each.
    pub(crate) fn of(sessions: Vec<(&str, Vec<DocNo>)>, own: Vec<u32>) -> Self {
        let mut new = Self::default();
        own.iter().for_each(|_| new.skip());
        new.own = own;
        for (name, docs) in sessions {
            let (session, length) = (new.intern(name), docs.len());
            new.count += length;
            if let Some(of_session) = new.docs.get_mut(session as usize) {
                *of_session = docs;
            }
            (0..length).for_each(|at| new.look_around(session, at));
        }
        new
    }

    /// All sessions, by their numbers, with their messages in journal order.
    pub(crate) fn all(&self) -> impl Iterator<Item = (&str, &[DocNo])> {
        self.names.iter().zip(&self.docs).map(|(name, docs)| (&**name, &**docs))
    }

    /// The number of a session, a new one if need be.
    pub(crate) fn intern(&mut self, name: &str) -> u32 {
        if let Some(number) = self.numbers.get(name) {
            return *number;
        }
        let number = self.names.len() as u32;
        self.numbers.insert(name.into(), number);
        self.names.push(name.into());
        self.docs.push(Vec::new());
        number
    }

    /// The number of a session that is there.
    pub(crate) fn number(&self, name: &str) -> Option<u32> {
        self.numbers.get(name).copied()
    }

    /// The name of a session.
    pub(crate) fn name(&self, number: u32) -> &str {
        self.names.get(number as usize).map_or("", |name| name)
    }

    /// The messages of a session in journal order.
    pub(crate) fn docs(&self, number: u32) -> &[DocNo] {
        self.docs.get(number as usize).map_or(&[], Vec::as_slice)
    }

    /// Puts the newest message, of `length` terms, into its session; `before` says whether a message of the session
    /// comes before it.
    pub(crate) fn place(&mut self, session: u32, length: u32, before: impl Fn(DocNo) -> bool) {
        let doc = self.own.len() as DocNo;
        self.skip();
        if let Some(own) = self.own.last_mut() {
            *own = length;
        }
        self.count += 1;
        let Some(docs) = self.docs.get_mut(session as usize) else { return };
        let at = match docs.last() {
            Some(last) if !before(*last) => docs.partition_point(|doc| before(*doc)),
            _ => docs.len(),
        };
        docs.insert(at, doc);
        for near in at.saturating_sub(REACH)..(at + REACH + 1).min(docs.len()) {
            self.look_around(session, near);
        }
    }

    /// A number that stands for no message.
    pub(crate) fn skip(&mut self) {
        self.own.push(0);
        self.neighbours.push([NONE; 2 * REACH]);
        self.lengths.push(0);
    }

    /// Takes messages of a session out: the others move together.
    pub(crate) fn remove(&mut self, session: u32, gone: &Passing) {
        let Some(docs) = self.docs.get_mut(session as usize) else { return };
        let (left, out) = std::mem::take(docs).into_iter().partition(|doc| !gone.contains(*doc));
        *docs = left;
        let left = docs.len();
        let out: Vec<DocNo> = out;
        for doc in out {
            let at = doc as usize;
            self.count -= 1;
            if let Some(own) = self.own.get_mut(at) {
                *own = 0;
            }
            if let Some(neighbours) = self.neighbours.get_mut(at) {
                *neighbours = [NONE; 2 * REACH];
            }
            if let Some(length) = self.lengths.get_mut(at) {
                self.total -= u64::from(std::mem::take(length));
            }
        }
        (0..left).for_each(|at| self.look_around(session, at));
    }

    fn look_around(&mut self, session: u32, at: usize) {
        let Some(docs) = self.docs.get(session as usize) else { return };
        let Some(&doc) = docs.get(at) else { return };
        let near = |at: Option<usize>| at.and_then(|at| docs.get(at)).copied().unwrap_or(NONE);
        let around = [
            near(at.checked_sub(2)),
            near(at.checked_sub(1)),
            near(Some(at + 1)),
            near(Some(at + 2)),
        ];
        let own = |doc: u32| self.own.get(doc as usize).copied().unwrap_or(0);
        let length = own(doc) + around.iter().map(|doc| own(*doc)).sum::<u32>();
        if let Some(neighbours) = self.neighbours.get_mut(doc as usize) {
            *neighbours = around;
        }
        if let Some(held) = self.lengths.get_mut(doc as usize) {
            self.total = self.total + u64::from(length) - u64::from(*held);
            *held = length;
        }
    }

    /// Neighbours of each message, by its number.
    pub(crate) fn neighbours(&self) -> &[Neighbours] {
        &self.neighbours
    }

    /// Terms of each message together with its neighbours, by its number.
    pub(crate) fn window_lengths(&self) -> &[u32] {
        &self.lengths
    }

    /// Terms of each message alone, by its number.
    pub(crate) fn own_lengths(&self) -> &[u32] {
        &self.own
    }

    /// Messages of all sessions.
    pub(crate) fn count(&self) -> usize {
        self.count
    }

    /// Sum of all window lengths.
    pub(crate) fn total(&self) -> u64 {
        self.total
    }
}
