//! Tombstones in the fold: a message that is hidden keeps its place and loses its text, one of a deleted session is gone.

use super::session::{Activity, Session};
use super::{Applied, Number, Place, View};
use crate::graves::{Graves, Of};
use crate::record::{Kind, Record};
use crate::{Hlc, Order, Result};
use std::rc::Rc;

impl View {
    /// What was deleted.
    pub fn graves(&self) -> &Graves {
        &self.graves
    }

    pub(super) fn bury(&mut self, record: &Record, order: Order) -> Result<Applied> {
        self.note_time(order.hlc);
        let new = self.graves.add(record, order)?;
        let session = record.session.as_ref().map_or("", |session| session.as_str());
        if new == Some(Of::Messages) {
            return Ok(self.pass_for_ever());
        }
        if new.is_some() {
            self.bury_things(Some(session));
        }
        let key = self.sessions.get_key_value(session).map(|(key, _)| key.clone());
        let (numbers, moved) = match (new, key) {
            (Some(Of::Message), Some(key)) => (self.hide_message(&key, &record.id), false),
            (Some(Of::Session), Some(key)) => self.hide_session(&key, order.hlc, true),
            _ => (Vec::new(), false),
        };
        Ok(Applied::Hidden { numbers, moved })
    }

    /// Takes an erase of the user in, as its record would. Says which messages nothing shows any more.
    pub fn erase(&mut self, at: Hlc) -> Applied {
        self.highest = self.highest.max(at);
        let applied = self.bury_all(at);
        self.settle();
        applied
    }

    pub(super) fn bury_all(&mut self, at: Hlc) -> Applied {
        self.note_time(at);
        let (mut numbers, mut moved) = (Vec::new(), false);
        if self.graves.erase(at) {
            let keys: Vec<Rc<str>> = self.sessions.keys().cloned().collect();
            for key in keys {
                let (gone, others) = self.hide_session(&key, at, true);
                numbers.extend(gone);
                moved |= others;
            }
            self.bury_things(None);
        }
        Applied::Hidden { numbers, moved }
    }

    /// Hides all messages of an id where they stand.
    fn hide_message(&mut self, key: &Rc<str>, id: &str) -> Vec<Number> {
        let known = self.sessions.get(key).and_then(|session| session.ids.get(id));
        let numbers = known.cloned().unwrap_or_default();
        // What is left of a purged message is hidden already.
        let shown = numbers.iter().filter(|number| self.is_shown(**number)).count();
        let Some(session) = self.sessions.get_mut(key) else { return Vec::new() };
        session.hidden += shown;
        let ends = [session.first, session.last];
        let orders: Vec<Order> = numbers.iter().filter_map(|number| self.hide(*number)).collect();
        if orders.iter().any(|order| ends.contains(&Some(*order))) {
            self.active(key, Activity::Fewer);
        }
        self.renew_newest(orders);
        numbers
    }

    /// Takes a session's records up to `until` out, its fields too where those are meant: the messages that were shown, and
    /// whether others moved.
    pub(super) fn hide_session(
        &mut self,
        key: &Rc<str>,
        until: Hlc,
        fields: bool,
    ) -> (Vec<Number>, bool) {
        let Some(mut session) = self.sessions.remove(key) else { return (Vec::new(), false) };
        let edits = if fields { session.drop_edits(until) } else { Vec::new() };
        for edit in edits {
            self.note_time(edit.standing.order.hlc);
            self.conceal(Kind::Session, key, key, edit.standing.order);
        }
        let (mut stay, mut gone, mut orders) = (Vec::new(), Vec::new(), Vec::new());
        for number in std::mem::take(&mut session.places) {
            if self.outlives(&session, number, until, &mut orders) {
                stay.push(number);
            } else if let Some(order) = self.hide(number) {
                gone.push(number);
                orders.push(order);
            }
        }
        let parted = !orders.is_empty() || session.has_copy_until(until);
        let moved = parted && stay.iter().any(|number| self.is_shown(*number));
        session.leave(stay, until, &self.entries);
        let bare = session.is_bare();
        self.unsettled.push(key.clone());
        self.sessions.insert(key.clone(), session);
        self.active(key, Activity::Fewer);
        if bare {
            self.sessions.remove(key);
        }
        self.renew_newest(orders);
        (gone, moved)
    }

    /// Does the message, or a copy of it, come after `until`? The copy stands then, and the order before goes to `moved`.
    fn outlives(
        &mut self,
        session: &Session,
        number: Number,
        until: Hlc,
        moved: &mut Vec<Order>,
    ) -> bool {
        let Some(entry) = self.entries.get_mut(number as usize) else { return false };
        if entry.judged > until {
            return true;
        }
        let Some(copy) = session.survivor(number, until) else { return false };
        let before = std::mem::replace(&mut entry.order, copy.order);
        (entry.by, entry.judged, entry.place) = (copy.by, copy.judged, Place::own(copy.order));
        if !entry.hidden {
            self.newest = self.newest.max(Some(copy.order));
        }
        moved.push(before);
        self.note_time(before.hlc);
        true
    }

    /// Nothing shows the message from now on, and its text is freed. Its order, when it was shown.
    fn hide(&mut self, number: Number) -> Option<Order> {
        let entry = self.entries.get_mut(number as usize).filter(|entry| !entry.hidden)?;
        self.shown -= 1;
        self.text_bytes -= entry.bytes();
        entry.hidden = true;
        entry.text = Box::default();
        Some(entry.order)
    }

    /// Is the message shown?
    pub fn is_shown(&self, number: Number) -> bool {
        self.entries.get(number as usize).is_some_and(|entry| !entry.hidden)
    }
}
