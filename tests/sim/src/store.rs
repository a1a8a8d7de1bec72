//! The model of the object store: a LIST that leaves out any key of any age, overwrites and deletes that show late,
//! bodies that rot. What it leaves out it remembers, so that the checker knows what nobody could have seen.

use crate::plan::Plan;
use crate::random::Random;
use bytes::Bytes;
use holdfast_core::ports::{Listed, Page};
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::ops::Bound;

/// The bucket.
pub struct Store {
    plan: Plan,
    random: Random,
    quiet: Cell<bool>,
    objects: RefCell<BTreeMap<String, Object>>,
}

struct Object {
    bytes: Bytes,
    modified: u64,
    hidden_until: u64,
    omitted: bool,
    rotten: bool,
    /// Bytes that an overwrite replaced, shown now and then until this time.
    stale: Option<(Bytes, u64)>,
    /// Deleted; shown now and then until this time.
    gone: Option<u64>,
}

impl Store {
    /// An empty bucket.
    pub fn new(plan: Plan, random: Random) -> Self {
        Self { plan, random, quiet: Cell::new(false), objects: RefCell::default() }
    }

    /// From now on every list is complete, and nothing rots.
    pub fn calm(&self) {
        self.quiet.set(true);
    }

    /// Lists are complete.
    pub fn is_calm(&self) -> bool {
        self.quiet.get()
    }

    /// Stores bytes at `now`.
    pub fn apply(&self, key: &str, bytes: &Bytes, now: u64) {
        let mut objects = self.objects.borrow_mut();
        let stale = match objects.get(key) {
            Some(known) if known.bytes == *bytes && known.gone.is_none() => return,
            Some(known) if known.gone.is_none() => {
                Some((known.bytes.clone(), now + self.plan.linger))
            }
            _ => None,
        };
        let hide = !self.quiet.get() && self.random.chance(self.plan.hidden);
        let hidden_until = if hide { now + self.random.skewed(self.plan.hidden_for) } else { 0 };
        let rotten = !self.quiet.get() && self.random.chance(self.plan.rot);
        let bytes = if rotten { damaged(bytes) } else { bytes.clone() };
        let object = Object {
            bytes,
            modified: now,
            hidden_until,
            omitted: false,
            rotten,
            stale,
            gone: None,
        };
        objects.insert(key.to_owned(), object);
    }

    /// The bytes under `key`.
    pub fn read(&self, key: &str, now: u64) -> Option<Bytes> {
        let objects = self.objects.borrow();
        let object = objects.get(key).filter(|object| self.shown(object, now))?;
        match &object.stale {
            Some((old, until)) if now < *until && self.random.chance(500_000) => Some(old.clone()),
            _ => Some(object.bytes.clone()),
        }
    }

    /// Deletes it.
    pub fn remove(&self, key: &str, now: u64) {
        if let Some(object) = self.objects.borrow_mut().get_mut(key) {
            object.gone.get_or_insert(now + self.random.skewed(self.plan.linger));
        }
    }

    /// A page of a list.
    pub fn list(&self, prefix: &str, after: Option<&str>, now: u64) -> Page {
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
                continue;
            }
            let size = u64::try_from(object.bytes.len()).unwrap_or(0);
            page.objects.push(Listed { key: key.clone(), size, modified: object.modified });
        }
        page
    }

    /// A list left it out once.
    pub fn was_omitted(&self, key: &str) -> bool {
        self.objects.borrow().get(key).is_none_or(|object| object.omitted)
    }

    /// It can be read no more.
    pub fn is_rotten(&self, key: &str) -> bool {
        self.objects.borrow().get(key).is_some_and(|object| object.rotten)
    }

    /// Something rotted.
    pub fn rots(&self) -> bool {
        self.objects.borrow().values().any(|object| object.rotten)
    }

    /// Objects below `prefix` that are there.
    pub fn count(&self, prefix: &str) -> usize {
        let objects = self.objects.borrow();
        objects.iter().filter(|(key, o)| key.starts_with(prefix) && o.gone.is_none()).count()
    }

    fn shown(&self, object: &Object, now: u64) -> bool {
        object.gone.is_none_or(|until| now < until && self.random.chance(500_000))
    }

    fn hides(&self, object: &Object, now: u64) -> bool {
        !self.quiet.get() && (object.hidden_until > now || self.random.chance(self.plan.flicker))
    }
}

fn damaged(bytes: &Bytes) -> Bytes {
    let mut damaged = bytes.to_vec();
    if let Some(byte) = damaged.last_mut() {
        *byte ^= 4;
    }
    damaged.into()
}
