//! The fold of a user's journal: sessions and messages as all readers agree on them, whatever the order of arrival.
//!
//! * Messages: same session, id and digest are one message, of two copies the lower order stands. Same id, other digest:
//!   both stay, the later in order as `<id>~<8 hex of its digest>`.
//! * Sessions: of each field the record with the highest order stands. A message alone makes a session.
//! * A tool's answer never sorts before its call, a child never before its parent: such a late parent takes its children
//!   along ([`Place`]).

use crate::message::{Digest, MessageBody, MessageVectors};
use crate::record::{Kind, Record, Writer};
use crate::session::SessionFields;
use crate::{Hlc, Order, Result, SessionId};
use std::collections::{BTreeSet, HashMap, HashSet};
use std::rc::Rc;

/// Handle of a message in its view: given out in the order of arrival, never moved or used again.
pub type Number = u32;

/// What a record changed.
#[derive(Debug)]
pub enum Applied {
    /// A message that was not known.
    Message {
        /// Its handle.
        number: Number,
        /// Its decoded body.
        body: Box<MessageBody>,
    },
    /// A message that was known; its order may be lower now, and its vectors may be new.
    Again {
        /// Its handle.
        number: Number,
        /// Its order went down.
        moved: bool,
        /// Vectors that came with this copy.
        vectors: Vec<MessageVectors>,
    },
    /// A session's fields.
    Session,
    /// A kind that this program does not know.
    Unknown,
}

/// One message of the view.
#[derive(Debug)]
pub struct Entry {
    /// Its session.
    pub session: Rc<str>,
    /// The id that it was stored with.
    pub id: Box<str>,
    /// Its identity, with the id.
    pub digest: Digest,
    /// Its own order.
    pub order: Order,
    /// Who wrote it.
    pub by: Writer,
    /// The caller's part of its record, as its bytes are.
    pub text: Box<str>,
    place: Place,
    parents: Box<[Parent]>,
}

/// Where a message sorts: at its own order, or right after a parent that has a higher one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    anchor: Order,
    level: u32,
    own: Order,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Parent {
    Message(Box<str>),
    Call(Box<str>),
}

/// A message as a reader sees it.
#[derive(Debug, Clone)]
pub struct Found<'a> {
    /// Its handle.
    pub number: Number,
    /// The message.
    pub entry: &'a Entry,
    /// Its id in this view.
    pub id: String,
    /// The id that it was stored with, when another message has it.
    pub conflict_of: Option<&'a str>,
    /// Its place in its session, from 1.
    pub rank: u32,
}

/// A session as a reader sees it.
#[derive(Debug, Clone)]
pub struct FoundSession<'a> {
    /// Its id.
    pub id: &'a str,
    /// Its fields.
    pub fields: &'a SessionFields,
    /// Order of the last record that set fields.
    pub fields_order: Option<Order>,
    /// Hybrid time of its first record.
    pub created_at: Hlc,
    /// Order of its last record.
    pub last: Order,
    /// Messages.
    pub messages: u32,
}

#[derive(Debug, Default)]
struct Session {
    fields: SessionFields,
    history: Vec<(Order, SessionFields)>,
    first: Option<Order>,
    last: Option<Order>,
    places: Vec<Number>,
    ids: HashMap<Box<str>, Vec<Number>>,
    calls: HashMap<Box<str>, Number>,
    awaited: HashSet<Parent>,
    unsettled: bool,
}

/// The fold so far.
#[derive(Debug, Default)]
pub struct View {
    entries: Vec<Entry>,
    sessions: HashMap<Rc<str>, Session>,
    by_activity: BTreeSet<(Order, Rc<str>)>,
    unsettled: Vec<Rc<str>>,
    highest: Hlc,
    newest: Option<Order>,
}

impl View {
    /// Folds records in, each with its order; repeating is safe. Says what each changed.
    ///
    /// # Errors
    /// `corrupt` when a record of a known kind cannot be read; the ones before it are folded.
    pub fn apply<'r>(
        &mut self,
        records: impl IntoIterator<Item = (&'r Record, Order)>,
    ) -> Result<Vec<Applied>> {
        let applied = records.into_iter().map(|(record, order)| self.fold(record, order)).collect();
        self.settle();
        applied
    }

    /// Highest hybrid time that was folded.
    pub fn highest(&self) -> Hlc {
        self.highest
    }

    /// Order of the newest message.
    pub fn newest(&self) -> Option<Order> {
        self.newest
    }

    /// Messages.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// There is no message.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    fn fold(&mut self, record: &Record, order: Order) -> Result<Applied> {
        self.highest = self.highest.max(record.at);
        let (Some(session), Some(body)) = (&record.session, &record.body) else {
            return Ok(Applied::Unknown);
        };
        match record.kind {
            Kind::Session => {
                let fields = SessionFields::decode(body)?;
                let key = self.touch(session, order);
                if let Some(session) = self.sessions.get_mut(&key) {
                    session.set(order, fields);
                }
                Ok(Applied::Session)
            }
            Kind::Message => {
                let body = MessageBody::decode(body)?;
                let key = self.touch(session, order);
                self.newest = self.newest.max(Some(order));
                Ok(self.message(key, record, order, body))
            }
            Kind::Other(_) => Ok(Applied::Unknown),
        }
    }

    fn touch(&mut self, id: &SessionId, order: Order) -> Rc<str> {
        let key: Rc<str> = match self.sessions.get_key_value(id.as_str()) {
            Some((key, _)) => key.clone(),
            None => id.as_str().into(),
        };
        let session = self.sessions.entry(key.clone()).or_default();
        session.first = Some(session.first.map_or(order, |first| first.min(order)));
        if session.last.is_none_or(|last| last < order) {
            if let Some(last) = session.last.replace(order) {
                self.by_activity.remove(&(last, key.clone()));
            }
            self.by_activity.insert((order, key.clone()));
        }
        key
    }

    fn message(
        &mut self,
        key: Rc<str>,
        record: &Record,
        order: Order,
        body: MessageBody,
    ) -> Applied {
        let Some(session) = self.sessions.get_mut(&key) else { return Applied::Unknown };
        let numbers = session.ids.entry(record.id.as_str().into()).or_default();
        let known = numbers.iter().copied().find(|number| {
            self.entries.get(*number as usize).is_some_and(|entry| entry.digest == body.digest)
        });
        if let Some(number) = known {
            let moved = self.lower(number, order, &key);
            return Applied::Again { number, moved, vectors: body.vectors };
        }
        let number = Number::try_from(self.entries.len()).unwrap_or(Number::MAX);
        numbers.push(number);
        let calls = body.message.tool_call_ids();
        for call in &calls {
            session.calls.entry(call.as_str().into()).or_insert(number);
        }
        let entry = Entry {
            session: key.clone(),
            id: record.id.as_str().into(),
            digest: body.digest,
            order,
            by: record.by.clone(),
            text: body.text.clone(),
            place: Place { anchor: order, level: 0, own: order },
            parents: parents(&body),
        };
        let appends = session.appends(&self.entries, &entry, &calls);
        session.places.push(number);
        if !appends {
            session.unsettled = true;
            self.unsettled.push(key);
        }
        self.entries.push(entry);
        Applied::Message { number, body: Box::new(body) }
    }

    fn lower(&mut self, number: Number, order: Order, key: &Rc<str>) -> bool {
        let Some(entry) = self.entries.get_mut(number as usize).filter(|e| order < e.order) else {
            return false;
        };
        entry.order = order;
        entry.place = Place { anchor: order, level: 0, own: order };
        if let Some(session) = self.sessions.get_mut(key) {
            session.unsettled = true;
            self.unsettled.push(key.clone());
        }
        true
    }

    fn settle(&mut self) {
        for key in std::mem::take(&mut self.unsettled) {
            if let Some(session) = self.sessions.get_mut(&key).filter(|session| session.unsettled) {
                session.settle(&mut self.entries);
            }
        }
    }

    /// The message with this id in this view.
    pub fn find(&self, session: &str, id: &str) -> Option<Found<'_>> {
        let found = self.sessions.get(session)?;
        let number = match found.ids.get(id) {
            Some(numbers) => *found.lowest(numbers, &self.entries)?,
            None => {
                let (base, _) = id.rsplit_once('~')?;
                let numbers = found.ids.get(base)?;
                *numbers.iter().find(|number| self.found(**number).is_some_and(|f| f.id == id))?
            }
        };
        self.found(number)
    }

    /// A message by its handle.
    pub fn found(&self, number: Number) -> Option<Found<'_>> {
        let entry = self.entries.get(number as usize)?;
        let session = self.sessions.get(&entry.session)?;
        let rank = session.rank(&self.entries, entry)?;
        let first = session.ids.get(&entry.id).and_then(|all| session.lowest(all, &self.entries));
        let conflict = first.is_some_and(|first| *first != number);
        let id = if conflict {
            format!("{}~{}", entry.id, hex::encode(&entry.digest[..4]))
        } else {
            entry.id.to_string()
        };
        Some(Found { number, entry, id, conflict_of: conflict.then_some(&*entry.id), rank })
    }

    /// Messages of a session that come after `after` in the direction asked for, at most `limit`, and whether more follow.
    pub fn page(
        &self,
        session: &str,
        after: Option<Order>,
        limit: usize,
        descending: bool,
    ) -> (Vec<Found<'_>>, bool) {
        let Some(found) = self.sessions.get(session) else { return (Vec::new(), false) };
        let places = &found.places;
        let found_at = |number: &Number| self.found(*number);
        match (after.map(|after| found.position(&self.entries, after)), descending) {
            (at, false) => {
                let start = at.map_or(0, |(at, hit)| at + usize::from(hit));
                let rest = places.get(start..).unwrap_or_default();
                (rest.iter().take(limit).filter_map(found_at).collect(), rest.len() > limit)
            }
            (at, true) => {
                let end = at.map_or(places.len(), |(at, _)| at);
                let rest = places.get(..end).unwrap_or_default();
                (rest.iter().rev().take(limit).filter_map(found_at).collect(), rest.len() > limit)
            }
        }
    }

    /// A session.
    pub fn session(&self, id: &str) -> Option<FoundSession<'_>> {
        let (key, session) = self.sessions.get_key_value(id)?;
        Some(FoundSession {
            id: key,
            fields: &session.fields,
            fields_order: session.history.last().map(|(order, _)| *order),
            created_at: session.first?.hlc,
            last: session.last?,
            messages: u32::try_from(session.places.len()).unwrap_or(u32::MAX),
        })
    }

    /// Sessions by last activity that come after `after` (the `last` of a session) in the direction asked for, at most
    /// `limit`, and whether more follow.
    pub fn sessions(
        &self,
        after: Option<Order>,
        limit: usize,
        descending: bool,
    ) -> (Vec<FoundSession<'_>>, bool) {
        let past = |(order, _): &&(Order, Rc<str>)| {
            after.is_none_or(|after| if descending { *order < after } else { *order > after })
        };
        let take = |found: Vec<&(Order, Rc<str>)>| {
            let more = found.len() > limit;
            (found.into_iter().take(limit).filter_map(|(_, id)| self.session(id)).collect(), more)
        };
        if descending {
            take(self.by_activity.iter().rev().filter(past).take(limit + 1).collect())
        } else {
            take(self.by_activity.iter().filter(past).take(limit + 1).collect())
        }
    }
}

impl Session {
    fn set(&mut self, order: Order, fields: SessionFields) {
        match self.history.binary_search_by_key(&order, |(order, _)| *order) {
            Ok(_) => return,
            Err(at) => self.history.insert(at, (order, fields)),
        }
        self.fields = self
            .history
            .iter()
            .fold(SessionFields::default(), |fields, (_, newer)| fields.overlaid(newer));
    }

    /// The new entry belongs at the end: all its known parents stand before it, and nobody waits for it.
    fn appends(&mut self, entries: &[Entry], new: &Entry, calls: &[String]) -> bool {
        let last = self.places.last().and_then(|number| entries.get(*number as usize));
        let mut appends = last.is_none_or(|last| last.place < new.place);
        for parent in &new.parents {
            let known =
                self.parent(entries, parent).and_then(|number| entries.get(number as usize));
            match known {
                Some(parent) => appends &= parent.place < new.place,
                None => drop(self.awaited.insert(parent.clone())),
            }
        }
        appends &= !self.awaited.remove(&Parent::Message(new.id.clone()));
        for call in calls {
            appends &= !self.awaited.remove(&Parent::Call(call.as_str().into()));
        }
        appends
    }

    fn parent(&self, entries: &[Entry], parent: &Parent) -> Option<Number> {
        match parent {
            Parent::Message(id) => {
                self.ids.get(id).and_then(|all| self.lowest(all, entries)).copied()
            }
            Parent::Call(id) => self.calls.get(id).copied(),
        }
    }

    fn lowest<'a>(&self, numbers: &'a [Number], entries: &[Entry]) -> Option<&'a Number> {
        numbers.iter().min_by_key(|number| entries.get(**number as usize).map(|entry| entry.order))
    }

    fn rank(&self, entries: &[Entry], entry: &Entry) -> Option<u32> {
        let place = |number: &Number| entries.get(*number as usize).map(|entry| entry.place);
        let at =
            self.places.binary_search_by(|number| place(number).cmp(&Some(entry.place))).ok()?;
        u32::try_from(at + 1).ok()
    }

    /// Where the message of this order stands, or would stand.
    fn position(&self, entries: &[Entry], order: Order) -> (usize, bool) {
        let entry = |number: &Number| entries.get(*number as usize);
        let own = Place { anchor: order, level: 0, own: order };
        match self.places.binary_search_by(|n| entry(n).map(|e| e.place).cmp(&Some(own))) {
            Ok(at) => (at, true),
            Err(at) => {
                let moved =
                    self.places.iter().position(|n| entry(n).is_some_and(|e| e.order == order));
                moved.map_or((at, false), |at| (at, true))
            }
        }
    }

    fn settle(&mut self, entries: &mut [Entry]) {
        let mut numbers = std::mem::take(&mut self.places);
        let order = |entries: &[Entry], n: &Number| entries.get(*n as usize).map(|e| e.order);
        numbers.sort_unstable_by_key(|number| order(entries, number));
        let mut placed: HashMap<Number, Place> = HashMap::new();
        for number in &numbers {
            self.place(entries, *number, &mut placed, 0);
        }
        for (number, place) in placed {
            if let Some(entry) = entries.get_mut(number as usize) {
                entry.place = place;
            }
        }
        numbers.sort_unstable_by_key(|number| entries.get(*number as usize).map(|e| e.place));
        self.places = numbers;
        self.unsettled = false;
    }

    fn place(
        &self,
        entries: &[Entry],
        number: Number,
        placed: &mut HashMap<Number, Place>,
        depth: u32,
    ) -> Option<Place> {
        if let Some(place) = placed.get(&number) {
            return Some(*place);
        }
        let entry = entries.get(number as usize)?;
        let own = Place { anchor: entry.order, level: 0, own: entry.order };
        // Put down first, so that a circle of parents ends here.
        placed.insert(number, own);
        let parents = entry.parents.iter().filter(|_| depth < 64);
        let highest = parents
            .filter_map(|parent| self.parent(entries, parent))
            .filter(|parent| *parent != number)
            .filter_map(|parent| self.place(entries, parent, placed, depth + 1))
            .max();
        let place = match highest {
            Some(parent) if parent > own => {
                Place { anchor: parent.anchor, level: parent.level + 1, own: entry.order }
            }
            _ => own,
        };
        placed.insert(number, place);
        Some(place)
    }
}

fn parents(body: &MessageBody) -> Box<[Parent]> {
    let message = &body.message;
    let parent = message.parent_id.as_deref().map(|id| Parent::Message(id.into()));
    let call = message.tool_call_id.as_deref().map(|id| Parent::Call(id.into()));
    parent.into_iter().chain(call).collect()
}
