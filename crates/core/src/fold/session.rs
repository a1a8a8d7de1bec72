//! One session of the fold: its fields, and the order of its messages.

use super::{Entry, Number};
use crate::message::MessageBody;
use crate::record::{Record, Writer};
use crate::session::SessionFields;
use crate::{Hlc, Order};
use std::collections::{HashMap, HashSet};

/// Where a message sorts: at its own order, or right after a parent that has a higher one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub anchor: Order,
    pub level: u32,
    pub own: Order,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Parent {
    Message(Box<str>),
    Call(Box<str>),
}

#[derive(Debug, Default)]
pub(super) struct Session {
    pub fields: SessionFields,
    pub history: Vec<Edit>,
    pub first: Option<Order>,
    pub last: Option<Order>,
    pub places: Vec<Number>,
    /// Of these, deleted ones: they keep their place and nothing shows them.
    pub hidden: usize,
    pub ids: HashMap<Box<str>, Vec<Number>>,
    pub calls: HashMap<Box<str>, Vec<Number>>,
    pub awaited: HashSet<Parent>,
    /// Copies of messages that do not stand, where a delete may hide the one that does and not them.
    pub copies: HashMap<Number, Vec<Standing>>,
    pub unsettled: bool,
}

/// One record of a thing that may have several.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Standing {
    pub order: Order,
    /// What a session's tombstone is compared with.
    pub judged: Hlc,
    pub by: Writer,
}

/// One record of a session's fields.
#[derive(Debug)]
pub(super) struct Edit {
    pub standing: Standing,
    pub fields: SessionFields,
}

/// What a record changed of a session's activity.
pub(super) enum Activity {
    /// A record that was not known.
    New(Order),
    /// A known record whose order is lower now.
    Lowered,
    /// Records that are hidden now.
    Fewer,
    /// A copy that changes nothing.
    None,
}

impl Place {
    pub fn own(order: Order) -> Self {
        Self { anchor: order, level: 0, own: order }
    }
}

impl Standing {
    pub fn new(record: &Record, order: Order, judged: Hlc) -> Self {
        Self { order, judged, by: record.by.clone() }
    }
}

impl Session {
    pub fn set(&mut self, edit: Edit) -> Activity {
        let new = &edit.standing;
        let same = |known: &Edit| {
            let Standing { order, judged, by } = &known.standing;
            (order.hlc, *judged, by) == (new.order.hlc, new.judged, &new.by)
                && known.fields == edit.fields
        };
        let order = new.order;
        let activity = match self.history.iter().position(same) {
            Some(at) if self.history.get(at).is_some_and(|known| known.standing.order <= order) => {
                return Activity::None;
            }
            Some(at) => {
                self.history.remove(at);
                Activity::Lowered
            }
            None => Activity::New(order),
        };
        let at = self.history.partition_point(|known| known.standing.order < order);
        self.history.insert(at, edit);
        self.overlay();
        activity
    }

    fn overlay(&mut self) {
        self.fields = overlaid(&self.history);
    }

    pub fn recount(&mut self, entries: &[Entry]) {
        let messages = self.places.iter().filter_map(|n| entries.get(*n as usize));
        let messages = messages.filter(|entry| !entry.hidden).map(|entry| entry.order);
        let orders = messages.chain(self.history.iter().map(|edit| edit.standing.order));
        (self.first, self.last) = ends(orders);
    }

    /// Is there no trace of the session, deleted messages that keep their place included?
    pub fn is_bare(&self) -> bool {
        self.places.is_empty() && self.history.is_empty()
    }

    /// Keeps a copy that does not stand: of those that a delete judges alike, the lowest.
    pub fn keep(&mut self, number: Number, copy: &Standing) {
        let copies = self.copies.entry(number).or_default();
        match copies.iter_mut().find(|known| known.judged == copy.judged) {
            Some(known) if known.order <= copy.order => {}
            Some(known) => *known = copy.clone(),
            None => copies.push(copy.clone()),
        }
    }

    /// The copies of a message that do not stand.
    pub fn copies(&self, number: Number) -> &[Standing] {
        self.copies.get(&number).map_or(&[], Vec::as_slice)
    }

    /// All copies that do not stand, with their messages.
    pub fn all_copies(&self) -> impl Iterator<Item = (Number, &Standing)> {
        self.copies.iter().flat_map(|(number, all)| all.iter().map(|copy| (*number, copy)))
    }

    /// Is there a copy that does not stand and that a delete up to `until` hides?
    pub fn has_copy_until(&self, until: Hlc) -> bool {
        self.copies.values().flatten().any(|copy| copy.judged <= until)
    }

    /// Forgets the copy that a delete judges like the one that stands now.
    pub fn drop_copy(&mut self, number: Number, judged: Hlc) {
        if let Some(copies) = self.copies.get_mut(&number) {
            copies.retain(|copy| copy.judged != judged);
        }
    }

    /// The copy that stands when all up to `until` are hidden.
    pub fn survivor(&self, number: Number, until: Hlc) -> Option<Standing> {
        let left = self.copies(number).iter().filter(|copy| copy.judged > until);
        left.min_by_key(|copy| copy.order).cloned()
    }

    /// Leaves the edits after `until`; gives the others.
    pub fn drop_edits(&mut self, until: Hlc) -> Vec<Edit> {
        let all = std::mem::take(&mut self.history).into_iter();
        let (stay, gone) = all.partition(|edit| edit.standing.judged > until);
        self.history = stay;
        self.overlay();
        gone
    }

    /// Leaves these messages, of which the copies after `until`; they have to be settled anew.
    pub fn leave(&mut self, stay: Vec<Number>, until: Hlc, entries: &[Entry]) {
        let kept: HashSet<Number> = stay.iter().copied().collect();
        for numbers in [&mut self.ids, &mut self.calls] {
            numbers.retain(|_, all| {
                all.retain(|number| kept.contains(number));
                !all.is_empty()
            });
        }
        let standing = |n: &Number| entries.get(*n as usize).map(|entry| entry.judged);
        self.copies.retain(|number, all| {
            all.retain(|copy| copy.judged > until && Some(copy.judged) != standing(number));
            kept.contains(number) && !all.is_empty()
        });
        let left = || stay.iter().filter_map(|number| entries.get(*number as usize));
        self.hidden = left().filter(|entry| entry.hidden).count();
        let parents = left().flat_map(|entry| entry.parents.iter());
        self.awaited = parents.filter(|p| self.parent(entries, p).is_none()).cloned().collect();
        self.places = stay;
        self.unsettled = true;
    }

    /// Where the new entry belongs, when nothing else moves for it: its known parents stand before it, nobody waits for
    /// it, and no child could hang on it rather than on another of its id. Loads bring objects a little out of order.
    pub fn free_place(
        &mut self,
        entries: &[Entry],
        new: &Entry,
        calls: &[String],
    ) -> Option<usize> {
        let before = |n: &Number| entries.get(*n as usize).is_some_and(|e| e.place < new.place);
        let mut free = !self.unsettled;
        for parent in &new.parents {
            match self.parent(entries, parent) {
                Some(known) => free &= before(&known),
                None => {
                    self.awaited.insert(parent.clone());
                }
            }
        }
        free &= !self.awaited.remove(&Parent::Message(new.id.clone()));
        for call in calls {
            free &= !self.awaited.remove(&Parent::Call(call.as_str().into()));
        }
        let at = self.places.partition_point(before);
        let alone = |all: Option<&Vec<Number>>| all.is_none_or(|all| all.len() == 1);
        let alone = alone(self.ids.get(&new.id))
            && calls.iter().all(|call| alone(self.calls.get(call.as_str())));
        (free && (alone || at == self.places.len())).then_some(at)
    }

    fn parent(&self, entries: &[Entry], parent: &Parent) -> Option<Number> {
        self.parent_by(entries, parent, Hlc(u64::MAX))
    }

    fn parent_by(&self, entries: &[Entry], parent: &Parent, until: Hlc) -> Option<Number> {
        let all = match parent {
            Parent::Message(id) => self.ids.get(id),
            Parent::Call(id) => self.calls.get(id),
        };
        lowest_by(all?, entries, until)
    }

    pub fn rank(&self, entries: &[Entry], entry: &Entry) -> Option<u32> {
        let place = |number: &Number| entries.get(*number as usize).map(|entry| entry.place);
        let at =
            self.places.binary_search_by(|number| place(number).cmp(&Some(entry.place))).ok()?;
        u32::try_from(at + 1).ok()
    }

    /// Where the message of this order stands, or would stand.
    pub fn position(&self, entries: &[Entry], order: Order) -> (usize, bool) {
        let entry = |number: &Number| entries.get(*number as usize);
        let own = Place::own(order);
        match self.places.binary_search_by(|n| entry(n).map(|e| e.place).cmp(&Some(own))) {
            Ok(at) => (at, true),
            Err(at) => {
                let moved =
                    self.places.iter().position(|n| entry(n).is_some_and(|e| e.order == order));
                moved.map_or((at, false), |at| (at, true))
            }
        }
    }

    pub fn settle(&mut self, entries: &mut [Entry]) {
        let numbers = std::mem::take(&mut self.places);
        let placed = self.placed(entries, numbers, Hlc(u64::MAX));
        for (number, place) in &placed {
            if let Some(entry) = entries.get_mut(*number as usize) {
                entry.place = *place;
            }
        }
        self.places = placed.into_iter().map(|(number, _)| number).collect();
        self.unsettled = false;
    }

    /// These messages with their places, in order, when nothing after `until` is known.
    pub fn placed(
        &self,
        entries: &[Entry],
        mut numbers: Vec<Number>,
        until: Hlc,
    ) -> Vec<(Number, Place)> {
        numbers.sort_unstable_by_key(|number| entries.get(*number as usize).map(|e| e.order));
        let mut met: HashMap<Number, Settling> = HashMap::new();
        for number in &numbers {
            self.place(entries, *number, until, &mut met);
        }
        let place = |number| Some((number, met.get(&number)?.place));
        let mut placed: Vec<_> = numbers.into_iter().filter_map(place).collect();
        placed.sort_unstable_by_key(|(_, place)| *place);
        placed
    }

    /// Places a message after its parents, which are placed first, however long the chain is.
    fn place(
        &self,
        entries: &[Entry],
        root: Number,
        until: Hlc,
        placed: &mut HashMap<Number, Settling>,
    ) {
        let mut open = vec![root];
        while let Some(number) = open.last().copied() {
            let met = placed.get(&number).copied();
            let entry = entries.get(number as usize).filter(|_| met.is_none_or(|met| !met.done));
            let Some(entry) = entry else {
                open.pop();
                continue;
            };
            let own = Place::own(entry.order);
            let parents = || {
                let known = entry.parents.iter().filter_map(|p| self.parent_by(entries, p, until));
                known.filter(|parent| *parent != number)
            };
            if met.is_none() {
                // Put down first, so that a circle of parents ends here.
                placed.insert(number, Settling { place: own, done: false });
                open.extend(parents().filter(|parent| !placed.contains_key(parent)));
                continue;
            }
            let highest = parents().filter_map(|p| placed.get(&p)).map(|p| p.place).max();
            let place = match highest {
                Some(parent) if parent > own => {
                    Place { anchor: parent.anchor, level: parent.level + 1, own: entry.order }
                }
                _ => own,
            };
            placed.insert(number, Settling { place, done: true });
            open.pop();
        }
    }
}

/// A place that is being worked out.
#[derive(Clone, Copy)]
struct Settling {
    place: Place,
    done: bool,
}

/// What stands after these edits, in their order.
pub(super) fn overlaid<'e>(edits: impl IntoIterator<Item = &'e Edit>) -> SessionFields {
    let edits = edits.into_iter();
    edits.fold(SessionFields::default(), |old, new| old.overlaid(&new.fields))
}

/// The lowest and the highest.
pub(super) fn ends(orders: impl Iterator<Item = Order>) -> (Option<Order>, Option<Order>) {
    orders.fold((None, None), |(first, last), order| {
        (Some(first.map_or(order, |first: Order| first.min(order))), last.max(Some(order)))
    })
}

pub(super) fn lowest(numbers: &[Number], entries: &[Entry]) -> Option<Number> {
    lowest_by(numbers, entries, Hlc(u64::MAX))
}

/// The lowest of those that were written by `until`.
pub(super) fn lowest_by(numbers: &[Number], entries: &[Entry], until: Hlc) -> Option<Number> {
    let known = numbers.iter().filter_map(|n| Some((entries.get(*n as usize)?.order, *n)));
    known.filter(|(order, _)| order.hlc <= until).min().map(|(_, number)| number)
}

pub(super) fn parents(body: &MessageBody) -> Box<[Parent]> {
    let message = &body.message;
    let parent = message.parent_id.as_deref().map(|id| Parent::Message(id.into()));
    let call = message.tool_call_id.as_deref().map(|id| Parent::Call(id.into()));
    parent.into_iter().chain(call).collect()
}
