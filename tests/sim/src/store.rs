//! The model of the object store: a LIST that leaves out any key of any age, overwrites and deletes that show late,
//! bodies that rot. What it leaves out it remembers, so that the checker knows what nobody could have seen.

use crate::plan::Plan;
use crate::random::Random;
use bytes::Bytes;
use holdfast_core::ports::{Listed, Page};
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;

/// The bucket.
pub struct Store {
    plan: Plan,
    random: Random,
    quiet: Cell<bool>,
    objects: RefCell<BTreeMap<String, Object>>,
    /// When a list of manifests last left one out, by who asked and what for.
    blind: RefCell<HashMap<(usize, String), u64>>,
    /// What it did to those who rely on it.
    pub faults: Faults,
}

/// How often a store did what no reader may be misled by.
#[derive(Debug, Default)]
pub struct Faults {
    /// Left an object out of a list.
    pub omitted: Cell<u64>,
    /// Gave bytes that are not what was written.
    pub damaged: Cell<u64>,
    /// Showed what had been deleted.
    pub lingering: Cell<u64>,
    /// Took the same bytes again, later than once.
    pub renewed: Cell<u64>,
}

impl Faults {
    fn count(one: &Cell<u64>) {
        one.set(one.get() + 1);
    }
}

/// An object as it lies there.
pub struct Stored {
    /// Its key.
    pub key: String,
    /// Its bytes.
    pub bytes: Bytes,
    /// When they came.
    pub modified: u64,
}

struct Object {
    bytes: Bytes,
    modified: u64,
    hidden_until: u64,
    omitted: bool,
    /// It loses a bit at this time.
    rots_at: Option<u64>,
    /// Bytes that an overwrite replaced, shown now and then until this time.
    stale: Option<(Bytes, u64)>,
    /// Deleted; shown now and then until this time.
    gone: Option<u64>,
}

impl Store {
    /// An empty bucket.
    pub fn new(plan: Plan, random: Random) -> Self {
        let (quiet, objects, blind) = (Cell::new(false), RefCell::default(), RefCell::default());
        Self { plan, random, quiet, objects, blind, faults: Faults::default() }
    }

    /// From now on every list is complete, and nothing rots.
    pub fn calm(&self, now: u64) {
        self.quiet.set(true);
        for object in self.objects.borrow_mut().values_mut() {
            object.rots_at = object.rots_at.filter(|at| *at <= now);
        }
    }

    /// Lists are complete.
    pub fn is_calm(&self) -> bool {
        self.quiet.get()
    }

    /// Stores bytes at `now`.
    pub fn apply(&self, key: &str, bytes: &Bytes, now: u64) {
        let mut objects = self.objects.borrow_mut();
        let stale = match objects.get_mut(key) {
            // The same bytes again are a new object to the store: only its time differs.
            Some(known) if known.bytes == *bytes && known.gone.is_none() => {
                known.modified = now;
                Faults::count(&self.faults.renewed);
                return;
            }
            Some(known) if known.gone.is_none() => {
                Some((known.bytes.clone(), now + self.plan.linger))
            }
            _ => None,
        };
        let hide = !self.quiet.get() && self.random.chance(self.plan.hidden);
        let hidden_until = if hide { now + self.random.skewed(self.plan.hidden_for) } else { 0 };
        let rots = !self.quiet.get() && self.random.chance(self.plan.rot);
        let rots_at = rots.then(|| now + self.random.skewed(self.plan.rots_after));
        let omitted = objects.get(key).is_some_and(|known| known.omitted);
        let object = Object {
            bytes: bytes.clone(),
            modified: now,
            hidden_until,
            omitted,
            rots_at,
            stale,
            gone: None,
        };
        objects.insert(key.to_owned(), object);
    }

    /// The bytes under `key`.
    pub fn read(&self, key: &str, now: u64) -> Option<Bytes> {
        let objects = self.objects.borrow();
        let object = objects.get(key).filter(|object| self.shown(object, now))?;
        object.gone.is_some().then(|| Faults::count(&self.faults.lingering));
        object.is_rotten(now).then(|| Faults::count(&self.faults.damaged));
        match &object.stale {
            Some((old, until)) if now < *until && self.random.chance(500_000) => Some(old.clone()),
            _ if object.is_rotten(now) => Some(damaged(&object.bytes)),
            _ => Some(object.bytes.clone()),
        }
    }

    /// Deletes it.
    pub fn remove(&self, key: &str, now: u64) {
        if let Some(object) = self.objects.borrow_mut().get_mut(key) {
            object.gone.get_or_insert(now + self.random.skewed(self.plan.linger));
        }
    }

    /// A page of a list that `reader` asks for.
    pub fn list(&self, prefix: &str, after: Option<&str>, now: u64, reader: usize) -> Page {
        let mut objects = self.objects.borrow_mut();
        let start = match after.filter(|after| *after >= prefix) {
            Some(after) => Bound::Excluded(after),
            None => Bound::Included(prefix),
        };
        let mut page = Page::default();
        let most = if self.quiet.get() { 1000 } else { self.plan.page };
        for (key, object) in objects.range_mut::<str, _>((start, Bound::Unbounded)) {
            if !key.starts_with(prefix) {
                return page;
            }
            if page.objects.len() >= most {
                page.next = page.objects.last().map(|last| last.key.clone());
                return page;
            }
            if !self.shown(object, now) {
                continue;
            }
            if self.hides(object, now) {
                object.omitted = true;
                Faults::count(&self.faults.omitted);
                if key.contains("/man/") {
                    self.blind.borrow_mut().insert((reader, prefix.to_owned()), now);
                }
                continue;
            }
            let size = u64::try_from(object.bytes.len()).unwrap_or(0);
            page.objects.push(Listed { key: key.clone(), size, modified: object.modified });
        }
        page
    }

    /// A list left it out once.
    pub fn was_omitted(&self, key: &str) -> bool {
        self.objects.borrow().get(key).is_some_and(|object| object.omitted)
    }

    /// It is there.
    pub fn is_there(&self, key: &str) -> bool {
        self.objects.borrow().get(key).is_some_and(|object| object.gone.is_none())
    }

    /// It was there, and somebody removed it.
    pub fn was_removed(&self, key: &str) -> bool {
        self.objects.borrow().get(key).is_some_and(|object| object.gone.is_some())
    }

    /// When a list of these manifests last left one out for this reader.
    pub fn was_blind(&self, reader: usize, manifests: &str) -> Option<u64> {
        self.blind.borrow().get(&(reader, manifests.to_owned())).copied()
    }

    /// Something rotted.
    pub fn rots(&self, now: u64) -> bool {
        self.objects.borrow().values().any(|object| object.is_rotten(now))
    }

    /// Everything that is there below `prefix`.
    pub fn all(&self, prefix: &str) -> Vec<Stored> {
        let objects = self.objects.borrow();
        let there = objects.iter().filter(|(key, o)| key.starts_with(prefix) && o.gone.is_none());
        let stored = |(key, object): (&String, &Object)| Stored {
            key: key.clone(),
            bytes: object.bytes.clone(),
            modified: object.modified,
        };
        there.map(stored).collect()
    }

    fn shown(&self, object: &Object, now: u64) -> bool {
        object.gone.is_none_or(|until| now < until && self.random.chance(500_000))
    }

    fn hides(&self, object: &Object, now: u64) -> bool {
        !self.quiet.get() && (object.hidden_until > now || self.random.chance(self.plan.flicker))
    }
}

impl Object {
    fn is_rotten(&self, now: u64) -> bool {
        self.rots_at.is_some_and(|at| at <= now)
    }
}

fn damaged(bytes: &Bytes) -> Bytes {
    let mut damaged = bytes.to_vec();
    let middle = damaged.len() / 2;
    if let Some(byte) = damaged.get_mut(middle) {
        *byte ^= 4;
    }
    damaged.into()
}
