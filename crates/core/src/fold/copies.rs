//! Copies of one message in the fold: the lowest order stands, as long as no delete hides it.

use super::session::{Activity, Standing};
use super::{Applied, Entry, Found, Number, Place, View};
use crate::Hlc;
use crate::message::MessageVectors;
use std::rc::Rc;

impl View {
    /// All messages that are shown, by number: their sessions, and the ids that they were stored with.
    pub fn shown_ids(&self) -> impl Iterator<Item = (Number, &str, &str)> {
        let shown = (0..).zip(&self.entries).filter(|(_, entry)| !entry.hidden);
        shown.map(|(number, entry)| (number, &*entry.session, &*entry.id))
    }

    /// The copies of a message that deletes left, by the hybrid time that deletes are compared with: the one that stands
    /// first. Those of the same time are one.
    pub fn sources(&self, number: Number) -> Vec<Hlc> {
        let Some(entry) = self.entries.get(number as usize) else { return Vec::new() };
        let copies = self.sessions.get(&entry.session).map(|session| session.copies(number));
        let copies = copies.unwrap_or_default().iter().map(|copy| copy.judged);
        std::iter::once(entry.judged).chain(copies).collect()
    }

    /// Copies that were written by the way need not say what they were restored from.
    pub(super) fn note_restored(&mut self, number: Number, restored_from: Option<Box<str>>) {
        if let Some(entry) = self.entries.get_mut(number as usize) {
            entry.restored_from = entry.restored_from.take().or(restored_from);
        }
    }

    /// A copy of a message that is there: of all copies the lowest order stands, and the others are kept as far as a
    /// delete could leave them.
    pub(super) fn again(
        &mut self,
        number: Number,
        copy: Standing,
        key: &Rc<str>,
        vectors: Vec<MessageVectors>,
    ) -> Applied {
        let session = self.sessions.get_mut(key);
        let Some((entry, session)) = self.entries.get_mut(number as usize).zip(session) else {
            return Applied::Unknown;
        };
        let (hidden, source) = (entry.hidden, copy.judged);
        self.passing.met(source);
        let known = entry.standing();
        let moved = copy.order < known.order;
        if copy.judged != known.judged {
            session.keep(number, if moved { &known } else { &copy });
        }
        let (passed, stands) =
            (copy.order.hlc.max(known.order.hlc), copy.order.hlc.min(known.order.hlc));
        if moved {
            session.drop_copy(number, copy.judged);
            self.stand(number, copy, key);
        }
        if passed != stands {
            self.note_time(passed);
        }
        match hidden {
            true => Applied::Hidden { numbers: Vec::new(), moved: false },
            false => Applied::Again { number, moved, source, vectors },
        }
    }

    /// Another copy of a message stands from now on.
    fn stand(&mut self, number: Number, copy: Standing, key: &Rc<str>) {
        let Some(entry) = self.entries.get_mut(number as usize) else { return };
        let before = std::mem::replace(&mut entry.order, copy.order);
        entry.moved = true;
        (entry.by, entry.judged, entry.place) = (copy.by, copy.judged, Place::own(copy.order));
        let hidden = entry.hidden;
        if let Some(session) = self.sessions.get_mut(key) {
            session.unsettled = true;
            self.unsettled.push(key.clone());
        }
        if !hidden {
            self.renew_newest([before]);
            self.active(key, Activity::Lowered);
        }
    }
}

impl Entry {
    pub(super) fn standing(&self) -> Standing {
        Standing { order: self.order, judged: self.judged, by: self.by.clone() }
    }

    pub(super) fn bytes(&self) -> usize {
        self.text.len() + self.id.len()
    }

    pub(super) fn hex(&self) -> String {
        hex::encode(self.digest.get(..4).unwrap_or_default())
    }
}

impl<'a> Found<'a> {
    /// `first` is the first of those that have the entry's id: it keeps the id as it is.
    pub(super) fn new(number: Number, entry: &'a Entry, first: Option<Number>, rank: u32) -> Self {
        let conflict = first.is_some_and(|first| first != number);
        let id =
            if conflict { format!("{}~{}", entry.id, entry.hex()) } else { entry.id.to_string() };
        Self { number, entry, id, conflict_of: conflict.then_some(&*entry.id), rank }
    }
}
