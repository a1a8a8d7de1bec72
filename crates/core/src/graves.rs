//! What was deleted: tombstones, and which records they hide, whoever wrote those and whenever they are seen.
//!
//! A tombstone is a record whose body is `{"of":"message"}` or `{"of":"session"}`; members that are not known are carried.
//! With `"mode":"physical"` the bytes go too: see [`crate::purge`].
//! * A message's hides every message of that session and id for ever, also one that is written later.
//! * A session's hides every record of that session with a hybrid time not above its own. Later writes open it anew.
//! * A thing's (`{"of":"memory"}` and the other kinds of [`crate::thing`]) hides every record of that thing with a hybrid time
//!   not above its own. Later writes open it anew.
//! * A derived record is judged by its sources (`from`), not by when it was written. A thing is gone with any of the
//!   messages or sessions that it was made of.
//! * One of `{"of":"messages","until"}`, of no session, hides every message of the user up to that time, and what is derived
//!   from those.
//! * Tombstones are never hidden, but by an erase.
//!
//! An erase of the user (a record of kind `erase`) hides every record, tombstones included, with a hybrid time not above its
//! own: what they deleted is gone, and what is written later opens the user anew.

use crate::record::{Kind, Record};
use crate::retention::{passes, passes_at};
use crate::thing::{Source, ThingBody, ThingKind};
use crate::{Error, Hlc, Order, Result};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::collections::HashMap;

/// Kind of the records that carry vectors of a message, under its id.
pub(crate) const EMBEDDING: &str = "embedding";

/// What a tombstone deletes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Of {
    /// The message of the record's session and id.
    Message,
    /// The session of the record.
    Session,
    /// Every message of the user up to the body's `until`; the record is of no session. See [`crate::retention`].
    Messages,
    /// The thing of the record's session and id.
    #[serde(untagged)]
    Thing(ThingKind),
}

#[derive(Serialize)]
struct Written {
    of: Of,
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<Hlc>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mode: Option<&'static str>,
}

/// The bytes of what is deleted go too.
const PHYSICAL: &str = "physical";

#[derive(Deserialize)]
struct Read<'a> {
    #[serde(borrow)]
    of: std::borrow::Cow<'a, str>,
    until: Option<Hlc>,
    #[serde(borrow)]
    mode: Option<std::borrow::Cow<'a, str>>,
}

impl Of {
    /// The JSON of a tombstone's body.
    ///
    /// # Errors
    /// `internal` when it cannot be written as JSON.
    pub fn encode(self) -> Result<Box<RawValue>> {
        self.encode_as(false)
    }

    /// The JSON of a tombstone's body; after a `physical` one the bytes of what it hides go: see [`crate::purge`].
    ///
    /// # Errors
    /// As [`encode`](Self::encode).
    pub fn encode_as(self, physical: bool) -> Result<Box<RawValue>> {
        written(&Written { of: self, until: None, mode: physical.then_some(PHYSICAL) })
    }

    /// Are the bytes to go?
    pub(crate) fn is_physical(body: &RawValue) -> bool {
        read(body).is_ok_and(|read| read.mode.as_deref() == Some(PHYSICAL))
    }

    /// Up to when messages have passed.
    pub(crate) fn until(body: &RawValue) -> Option<Hlc> {
        read(body).ok()?.until
    }

    /// The JSON of the body of a tombstone of [`Messages`](Self::Messages).
    ///
    /// # Errors
    /// As [`encode`](Self::encode).
    pub fn encode_until(until: Hlc) -> Result<Box<RawValue>> {
        written(&Written { of: Self::Messages, until: Some(until), mode: None })
    }

    /// Reads the JSON of a tombstone's body; `None` when it deletes a thing that this program does not know.
    ///
    /// # Errors
    /// `corrupt` when it is not the body of a tombstone: what it deletes must not come back in silence.
    pub fn decode(body: &RawValue) -> Result<Option<Self>> {
        let read = read(body)?;
        Ok(match &*read.of {
            "message" => Some(Self::Message),
            "session" => Some(Self::Session),
            "messages" => Some(Self::Messages),
            other => ThingKind::parse(other).ok().map(Self::Thing),
        })
    }

    /// Name as records and answers spell it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Message => "message",
            Self::Session => "session",
            Self::Messages => "messages",
            Self::Thing(kind) => kind.name(),
        }
    }
}

fn written(body: &Written) -> Result<Box<RawValue>> {
    serde_json::value::to_raw_value(body)
        .map_err(|e| Error::internal("a tombstone cannot be encoded").caused_by(e))
}

fn read(body: &RawValue) -> Result<Read<'_>> {
    serde_json::from_str(body.get())
        .map_err(|e| Error::corrupt("a tombstone cannot be read").caused_by(e))
}

/// The tombstones of one user's journal, in whatever order they were seen.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Graves {
    pub(crate) erased: Option<Hlc>,
    /// Of what has passed: up to when, and the record that says so.
    pub(crate) passed: Option<(Hlc, Order)>,
    pub(crate) sessions: HashMap<Box<str>, Deleted>,
    /// Things, by kind, session (empty where there is none) and id.
    pub(crate) things: HashMap<(ThingKind, Box<str>, Box<str>), Order>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Deleted {
    pub until: Option<Order>,
    /// Each with its newest tombstone: an erase above it takes that too.
    pub messages: HashMap<Box<str>, Order>,
}

/// A tombstone that counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tombstone<'g> {
    /// What it deletes.
    pub of: Of,
    /// In which session, or which session.
    pub session: &'g str,
    /// The message's id, or the session's.
    pub id: &'g str,
    /// Its place among all records.
    pub order: Order,
}

impl Graves {
    /// Takes a record's tombstone in; repeating is safe. Says what is deleted that was not: `None` for a record that is no
    /// tombstone, or one that changes nothing.
    ///
    /// # Errors
    /// `corrupt` when it is a tombstone that cannot be read.
    pub fn add(&mut self, record: &Record, order: Order) -> Result<Option<Of>> {
        let (Kind::Tombstone, Some(body)) = (&record.kind, &record.body) else { return Ok(None) };
        let Some(of) = Of::decode(body)? else { return Ok(None) };
        if self.erased >= Some(order.hlc) {
            return Ok(None);
        }
        if let Of::Thing(kind) = of {
            let session = record.session.as_ref().map_or("", |session| session.as_str());
            let name = (kind, session.into(), record.id.as_str().into());
            let known = self.things.get(&name).copied();
            self.things.insert(name, known.map_or(order, |known| known.max(order)));
            return Ok((known.map(|known| known.hlc) < Some(order.hlc)).then_some(of));
        }
        let Some(session) = &record.session else {
            let until = read(body)?.until.filter(|_| of == Of::Messages);
            let new = until.is_some_and(|until| self.passed.is_none_or(|(at, _)| at < until));
            self.passed = self.passed.max(until.map(|until| (until, order)));
            return Ok(new.then_some(of));
        };
        let deleted = self.sessions.entry(session.as_str().into()).or_default();
        let new = match of {
            Of::Message => {
                let known = deleted.messages.get(record.id.as_str()).copied();
                let newest = known.map_or(order, |known| known.max(order));
                deleted.messages.insert(record.id.as_str().into(), newest);
                known.is_none()
            }
            Of::Session => {
                let new = deleted.until.map(|until| until.hlc) < Some(order.hlc);
                deleted.until = deleted.until.max(Some(order));
                new
            }
            // They are of no session, or taken in above.
            Of::Messages | Of::Thing(_) => false,
        };
        Ok(new.then_some(of))
    }

    /// Takes an erase of the user in; repeating is safe. Says whether it hides anything that was not hidden by an erase.
    pub fn erase(&mut self, at: Hlc) -> bool {
        if self.erased >= Some(at) {
            return false;
        }
        self.erased = Some(at);
        self.passed = self.passed.filter(|(_, order)| order.hlc > at);
        self.things.retain(|_, until| until.hlc > at);
        self.sessions.retain(|_, deleted| {
            deleted.until = deleted.until.filter(|until| until.hlc > at);
            deleted.messages.retain(|_, newest| newest.hlc > at);
            deleted.until.is_some() || !deleted.messages.is_empty()
        });
        true
    }

    /// Messages up to then have passed, and it was written down.
    pub fn passed(&self) -> Option<Hlc> {
        self.passed.map(|(until, _)| until)
    }

    /// The record that says so.
    pub fn passed_by(&self) -> Option<Order> {
        self.passed.map(|(_, order)| order)
    }

    /// When the user was last erased.
    pub fn erased(&self) -> Option<Hlc> {
        self.erased
    }

    /// Is the record hidden by the tombstones and erases so far? Works for every kind; a kind without a session is hidden
    /// by erases only. Of erases the newest stays.
    pub fn hides(&self, record: &Record, order: Order) -> bool {
        if record.kind == Kind::Erase {
            return self.erased > Some(order.hlc);
        }
        if self.erased >= Some(judged(record, order)) {
            return true;
        }
        if passes(record) && self.passed() >= Some(judged(record, order)) {
            return true;
        }
        if let (Kind::Thing(kind), Some(body)) = (&record.kind, &record.body) {
            let session = record.session.as_ref().map_or("", |session| session.as_str());
            let sources = ThingBody::decode(body).map(|body| body.sources).unwrap_or_default();
            return self.hides_thing(*kind, (session, &record.id), judged(record, order), order)
                || self.has_any(*kind, &sources);
        }
        let Some(session) = &record.session else { return false };
        if record.kind == Kind::Tombstone {
            return false;
        }
        let of_message = match &record.kind {
            Kind::Message | Kind::Gone => true,
            Kind::Other(kind) => kind == EMBEDDING,
            _ => false,
        };
        self.until(session.as_str()).is_some_and(|until| judged(record, order) <= until)
            || (of_message && self.has_message(session.as_str(), &record.id))
    }

    /// Is a record of the thing `id` of `session` (empty where there is none) hidden, whatever it was made of? `judged` is
    /// what deletes of its session and erases are compared with.
    pub fn hides_thing(
        &self,
        kind: ThingKind,
        (session, id): (&str, &str),
        judged: Hlc,
        order: Order,
    ) -> bool {
        let own = self.thing(kind, session, id) >= Some(order.hlc);
        own || self.until(session).is_some_and(|until| judged <= until)
    }

    /// The thing's records up to this time are hidden; `None` when it was never deleted by itself.
    pub fn thing(&self, kind: ThingKind, session: &str, id: &str) -> Option<Hlc> {
        self.things.get(&(kind, session.into(), id.into())).map(|order| order.hlc)
    }

    /// Is any of these, of which a thing of the kind was made, deleted, or has any passed?
    pub fn has_any(&self, kind: ThingKind, sources: &[Source]) -> bool {
        let passed = passes_at(kind, sources).is_some_and(|at| self.passed() >= Some(at));
        passed
            || sources.iter().any(|source| {
                let session = source.session.as_str();
                self.until(session).is_some_and(|until| source.order.hlc <= until)
                    || source.message.as_ref().is_some_and(|id| self.has_message(session, id))
            })
    }

    /// Every record of the session up to this time is hidden; `None` when neither it nor the user was ever deleted.
    pub fn until(&self, session: &str) -> Option<Hlc> {
        let deleted = self.sessions.get(session).and_then(|deleted| deleted.until);
        deleted.map(|until| until.hlc).max(self.erased)
    }

    /// Things that were deleted by themselves after a hybrid time: kind, session (empty where there is none), id and the
    /// newest tombstone.
    pub fn things_since(&self, after: Hlc) -> impl Iterator<Item = (ThingKind, &str, &str, Order)> {
        let all = self.things.iter().filter(move |(_, order)| order.hlc > after);
        all.map(|((kind, session, id), order)| (*kind, &**session, &**id, *order))
    }

    /// The tombstones of messages and sessions that count: of each the newest.
    pub fn tombstones(&self) -> impl Iterator<Item = Tombstone<'_>> {
        self.sessions.iter().flat_map(|(session, deleted)| {
            let of_session = deleted.until.map(|order| {
                let (of, id) = (Of::Session, &**session);
                Tombstone { of, session, id, order }
            });
            let of_messages = deleted.messages.iter().map(move |(id, order)| Tombstone {
                of: Of::Message,
                session,
                id,
                order: *order,
            });
            of_session.into_iter().chain(of_messages)
        })
    }

    /// Was this session deleted by itself?
    pub fn has_session(&self, session: &str) -> bool {
        self.sessions.get(session).is_some_and(|deleted| deleted.until.is_some())
    }

    /// Was this message deleted by itself? Then nothing of its session and id is ever shown.
    pub fn has_message(&self, session: &str, id: &str) -> bool {
        self.sessions.get(session).is_some_and(|deleted| deleted.messages.contains_key(id))
    }
}

/// The hybrid time that a session's tombstone is compared with: that of the record, or of its newest source. A derived
/// record whose sources cannot be read is as old as can be: it can be made again.
pub fn judged(record: &Record, order: Order) -> Hlc {
    match &record.from {
        None => order.hlc,
        Some(from) => Order::parse(from).map_or(Hlc(0), |from| from.hlc),
    }
}
