//! The fold of a user's journal: sessions and messages as all readers agree on them, whatever the order of arrival.
//!
//! * Messages: same session, id and digest are one message, of two copies the lower order stands. Same id, other digest:
//!   both stay, the later in order as `<id>~<8 hex of its digest>`.
//! * Sessions: of each field the record with the highest order stands. A message alone makes a session.
//! * Things: of each the record with the highest order stands, the others are its history.
//! * A copy (the same record in another object) changes nothing but that the lower order, and its writer, stand.
//! * A tool's answer never sorts before its call, a child never before its parent: such a late parent takes its children
//!   along (its place).
//! * Tombstones hide what [`Graves`] says, whenever they are seen. What a message's hides keeps its place, so that the
//!   others keep their rank; what a session's hides is gone. An erase takes all sessions, as their tombstones would, and
//!   the tombstones too; a message that was stored after it under an id that was deleted before it is only shown by a fold
//!   that met the erase first.

mod changes;
mod copies;
mod delete;
mod passing;
mod past;
mod saved;
mod session;
mod then;
mod things;
mod timeline;

use crate::graves::{Graves, judged};
use crate::message::{Digest, MessageBody, MessageVectors};
use crate::record::{Kind, Record, Writer};
use crate::session::SessionFields;
use crate::{Hlc, Order, Result, SessionId, purge};
use changes::Concealed;
pub use changes::{Change, What};
use passing::Passing;
pub use past::Past;
pub use saved::SavedView;
use session::{Activity, Edit, Parent, Place, Session, Standing, lowest, parents};
use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::ops::Bound::{Excluded, Unbounded};
use std::rc::Rc;
pub use then::{Difference, DifferenceAt, Wanted, Within, differences};
pub use things::{FoundThing, Version};
pub use timeline::{At, Moment};

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
        /// Which copy it is, of those that [`View::sources`] names.
        source: Hlc,
        /// Vectors that came with this copy.
        vectors: Vec<MessageVectors>,
    },
    /// A session's fields.
    Session,
    /// A record of a thing.
    Thing,
    /// Something that is deleted, or the tombstone that deletes it.
    Hidden {
        /// Handles of the messages that nothing shows any more, or never will: each is named once.
        numbers: Vec<Number>,
        /// Messages that stay may have another order, id or vectors now.
        moved: bool,
    },
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
    /// Order of the deleted record that it brings back.
    pub restored_from: Option<Box<str>>,
    judged: Hlc,
    hidden: bool,
    /// A copy with a lower order came later: it stood further back once.
    moved: bool,
    place: Place,
    parents: Box<[Parent]>,
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
    /// Its place in its session, from 1; deleted messages keep theirs.
    pub rank: u32,
}

/// A session as a reader sees it.
#[derive(Debug, Clone)]
pub struct FoundSession<'a> {
    /// Its id.
    pub id: &'a str,
    /// Its fields.
    pub fields: Cow<'a, SessionFields>,
    /// Order of the last record that set fields.
    pub fields_order: Option<Order>,
    /// Hybrid time of its first record.
    pub created_at: Hlc,
    /// Order of its last record.
    pub last: Order,
    /// Messages.
    pub messages: u32,
}

/// The fold so far.
#[derive(Debug, Default)]
pub struct View {
    entries: Vec<Entry>,
    sessions: HashMap<Rc<str>, Session>,
    by_activity: BTreeMap<Order, Rc<str>>,
    unsettled: Vec<Rc<str>>,
    graves: Graves,
    things: things::Things,
    shown: usize,
    text_bytes: usize,
    highest: Hlc,
    /// Times of records that are neither messages nor fields, or that were hidden.
    others: Vec<Hlc>,
    /// Places of records that nothing shows and that are no entries.
    concealed: Vec<Concealed>,
    within: Within,
    passing: Passing,
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

    /// Highest hybrid time that was folded and is not above `limit`. Quick unless something lies above it.
    pub fn highest_within(&self, limit: Hlc) -> Hlc {
        if self.highest <= limit {
            return self.highest;
        }
        let messages = self.entries.iter().map(|entry| entry.order.hlc);
        let edits = self.sessions.values().flat_map(|session| &session.history);
        let all = messages.chain(edits.map(|edit| edit.standing.order.hlc));
        let all = all.chain(self.others.iter().copied());
        all.filter(|hlc| *hlc <= limit).max().unwrap_or_default()
    }

    /// Order of the newest message.
    pub fn newest(&self) -> Option<Order> {
        self.newest
    }

    /// Messages that are shown.
    pub fn len(&self) -> usize {
        self.shown
    }

    /// No message is shown.
    pub fn is_empty(&self) -> bool {
        self.shown == 0
    }

    /// Handles that were given out: every handle is below this.
    pub fn numbers(&self) -> Number {
        Number::try_from(self.entries.len()).unwrap_or(Number::MAX)
    }

    /// Bytes of the texts and ids of all messages.
    pub fn text_bytes(&self) -> usize {
        self.text_bytes
    }

    fn fold(&mut self, record: &Record, order: Order) -> Result<Applied> {
        self.highest = self.highest.max(record.at);
        if record.kind == Kind::Erase {
            return Ok(self.bury_all(order.hlc));
        }
        if self.within.leaves_out(record, order) {
            return Ok(Applied::Unknown);
        }
        if let Kind::Thing(kind) = record.kind {
            return self.set_thing(kind, record, order);
        }
        if record.kind == Kind::Tombstone && record.body.is_some() {
            return self.bury(record, order);
        }
        let (Some(session), Some(body)) = (&record.session, &record.body) else {
            return self.of_user(record, order);
        };
        let judged = judged(record, order);
        let closed = match record.kind {
            Kind::Message | Kind::Gone if self.passing.hides(judged) => true,
            _ => self.graves.until(session.as_str()).is_some_and(|until| judged <= until),
        };
        match record.kind {
            Kind::Session | Kind::Message | Kind::Gone if closed => {
                self.note_time(order.hlc);
                self.conceal(record.kind.clone(), session.as_str(), &record.id, order);
                Ok(Applied::Hidden { numbers: Vec::new(), moved: false })
            }
            Kind::Session => {
                let fields = SessionFields::decode(body)?;
                let key = self.key(session);
                let edit = Edit { standing: Standing::new(record, order, judged), fields };
                let activity =
                    self.sessions.get_mut(&key).map_or(Activity::None, |found| found.set(edit));
                self.active(&key, activity);
                Ok(Applied::Session)
            }
            Kind::Message => {
                let body = MessageBody::decode(body)?;
                let key = self.key(session);
                Ok(self.message(key, record, Standing::new(record, order, judged), body))
            }
            Kind::Gone => {
                let (body, key) = (purge::left(body)?, self.key(session));
                Ok(self.message(key, record, Standing::new(record, order, judged), body))
            }
            _ => {
                self.note_time(order.hlc);
                Ok(Applied::Unknown)
            }
        }
    }

    fn key(&mut self, id: &SessionId) -> Rc<str> {
        if let Some((key, _)) = self.sessions.get_key_value(id.as_str()) {
            return key.clone();
        }
        let key: Rc<str> = id.as_str().into();
        self.sessions.insert(key.clone(), Session::default());
        key
    }

    fn note_time(&mut self, hlc: Hlc) {
        if self.others.last() != Some(&hlc) {
            self.others.push(hlc);
        }
    }

    fn active(&mut self, key: &Rc<str>, activity: Activity) {
        let Some(session) = self.sessions.get_mut(key) else { return };
        let before = session.last;
        match activity {
            Activity::None => return,
            Activity::New(order) => {
                session.first = Some(session.first.map_or(order, |first| first.min(order)));
                session.last = session.last.max(Some(order));
            }
            Activity::Fewer | Activity::Lowered => session.recount(&self.entries),
        }
        if before != session.last {
            before.map(|last| self.by_activity.remove(&last));
            session.last.map(|last| self.by_activity.insert(last, key.clone()));
        }
    }

    fn message(
        &mut self,
        key: Rc<str>,
        record: &Record,
        standing: Standing,
        body: MessageBody,
    ) -> Applied {
        let Some(session) = self.sessions.get_mut(&key) else { return Applied::Unknown };
        let numbers = session.ids.entry(record.id.as_str().into()).or_default();
        let known = numbers.iter().copied().find(|number| {
            self.entries.get(*number as usize).is_some_and(|entry| entry.digest == body.digest)
        });
        if let Some(number) = known {
            self.note_restored(number, body.restored_from);
            return self.again(number, standing, &key, body.vectors);
        }
        let number = Number::try_from(self.entries.len()).unwrap_or(Number::MAX);
        numbers.push(number);
        let calls = body.message.tool_call_ids();
        for call in &calls {
            session.calls.entry(call.as_str().into()).or_default().push(number);
        }
        // What went stays hidden, whoever knows why.
        let hidden = record.kind == Kind::Gone || self.graves.has_message(&key, &record.id);
        let Standing { order, judged, by } = standing;
        let entry = Entry {
            session: key.clone(),
            id: record.id.as_str().into(),
            digest: body.digest,
            order,
            by,
            text: if hidden { Box::default() } else { body.text.clone() },
            restored_from: body.restored_from.clone(),
            judged,
            hidden,
            moved: false,
            place: Place::own(order),
            parents: parents(&body),
        };
        session.hidden += usize::from(hidden);
        self.passing.met(judged);
        if let Some(at) = session.free_place(&self.entries, &entry, &calls) {
            session.places.insert(at, number);
        } else {
            session.places.push(number);
            session.unsettled = true;
            self.unsettled.push(key.clone());
        }
        let bytes = entry.bytes();
        self.entries.push(entry);
        if hidden {
            return Applied::Hidden { numbers: vec![number], moved: false };
        }
        self.shown += 1;
        self.text_bytes += bytes;
        self.newest = self.newest.max(Some(order));
        self.active(&key, Activity::New(order));
        Applied::Message { number, body: Box::new(body) }
    }

    /// Finds the newest message again, when it may have been one of these.
    fn renew_newest(&mut self, orders: impl IntoIterator<Item = Order>) {
        if orders.into_iter().any(|order| self.newest == Some(order)) {
            let shown = self.entries.iter().filter(|entry| !entry.hidden);
            self.newest = shown.map(|entry| entry.order).max();
        }
    }

    fn settle(&mut self) {
        for key in std::mem::take(&mut self.unsettled) {
            if let Some(session) = self.sessions.get_mut(&key).filter(|session| session.unsettled) {
                session.settle(&mut self.entries);
            }
        }
    }

    /// The message with this id in this view. `<id>~<8 hex>` names it by its digest too, whether or not another has its
    /// id: an id that was once answered stays good.
    pub fn find(&self, session: &str, id: &str) -> Option<Found<'_>> {
        let found = self.sessions.get(session)?;
        let number = match found.ids.get(id) {
            Some(numbers) => lowest(numbers, &self.entries)?,
            None => {
                let (base, hex) = id.rsplit_once('~')?;
                let numbers = found.ids.get(base)?;
                *numbers
                    .iter()
                    .find(|n| self.entries.get(**n as usize).is_some_and(|e| e.hex() == hex))?
            }
        };
        self.found(number)
    }

    /// A message by its handle; none once it is deleted.
    pub fn found(&self, number: Number) -> Option<Found<'_>> {
        let entry = self.entries.get(number as usize).filter(|entry| !entry.hidden)?;
        let session = self.sessions.get(&entry.session)?;
        let rank = session.rank(&self.entries, entry)?;
        let first = session.ids.get(&entry.id).and_then(|all| lowest(all, &self.entries));
        Some(Found::new(number, entry, first, rank))
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
        match (after.map(|after| found.position(&self.entries, after)), descending) {
            (at, false) => {
                let start = at.map_or(0, |(at, hit)| at + usize::from(hit));
                self.shown_of(places.get(start..).unwrap_or_default().iter(), limit)
            }
            (at, true) => {
                let end = at.map_or(places.len(), |(at, _)| at);
                self.shown_of(places.get(..end).unwrap_or_default().iter().rev(), limit)
            }
        }
    }

    fn shown_of<'n>(
        &self,
        numbers: impl Iterator<Item = &'n Number>,
        limit: usize,
    ) -> (Vec<Found<'_>>, bool) {
        let shown = |n: &&Number| self.entries.get(**n as usize).is_some_and(|e| !e.hidden);
        let mut shown = numbers.filter(shown);
        let page = shown.by_ref().take(limit).filter_map(|number| self.found(*number)).collect();
        (page, shown.next().is_some())
    }

    /// Messages of a session that came to stand at or before `after` since the message there had `rank`: of all that
    /// stand there, the ones that this view met last, and those that a copy ever moved, which may have been read before.
    pub fn late(&self, session: &str, after: Order, rank: u32) -> Vec<Found<'_>> {
        let Some(found) = self.sessions.get(session) else { return Vec::new() };
        let (at, hit) = found.position(&self.entries, after);
        let before = found.places.get(..at + usize::from(hit)).unwrap_or_default();
        let count = before.len().saturating_sub(rank as usize);
        if count == 0 {
            return Vec::new();
        }
        let mut numbers = before.to_vec();
        numbers.sort_unstable_by_key(|number| std::cmp::Reverse(*number));
        let moved = |number: &Number| self.entries.get(*number as usize).is_some_and(|e| e.moved);
        let older = numbers.split_off(count).into_iter().filter(moved);
        numbers.extend(older);
        numbers.sort_unstable();
        numbers.into_iter().filter_map(|number| self.found(number)).collect()
    }

    /// A session.
    pub fn session(&self, id: &str) -> Option<FoundSession<'_>> {
        let (key, session) = self.sessions.get_key_value(id)?;
        Some(FoundSession {
            id: key,
            fields: Cow::Borrowed(&session.fields),
            fields_order: session.history.last().map(|edit| edit.standing.order),
            created_at: session.first?.hlc,
            last: session.last?,
            messages: u32::try_from(session.places.len() - session.hidden).unwrap_or(u32::MAX),
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
        let range = match (after, descending) {
            (None, _) => (Unbounded, Unbounded),
            (Some(after), false) => (Excluded(after), Unbounded),
            (Some(after), true) => (Unbounded, Excluded(after)),
        };
        let ids = self.by_activity.range(range).map(|(_, id)| id);
        if descending { self.listed(ids.rev(), limit) } else { self.listed(ids, limit) }
    }

    fn listed<'v>(
        &'v self,
        mut ids: impl Iterator<Item = &'v Rc<str>>,
        limit: usize,
    ) -> (Vec<FoundSession<'v>>, bool) {
        let page = ids.by_ref().take(limit).filter_map(|id| self.session(id)).collect();
        (page, ids.next().is_some())
    }
}
