//! Which bytes go: what a physical delete, or what has passed, leaves of the records that it hides.
//!
//! A tombstone whose body says `"mode":"physical"`, and one of all messages up to a time, are *purges*: compactions seal what
//! they hide without its content, and the covers of the segments that hold them name them, so that every later
//! compaction knows. Of a message that was deleted by itself a record of kind `gone` stays, because its place counts: its id,
//! time, writer, digest and what others hang on. Of everything else nothing stays; a thing (a memory) goes with any of the messages
//! that it was made of.

use crate::cover::Cover;
use crate::graves::{EMBEDDING, Of, judged};
use crate::key::hash32;
use crate::message::{Digest, Message, MessageBody, Role};
use crate::record::{Kind, Line, Record};
use crate::retention::{passes, passes_at};
use crate::thing::{ThingBody, ThingKind};
use crate::{Error, Hlc, Result, SessionId};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// One purge, as covers name it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Purge {
    /// In which session, or which session; none of all messages of the user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<SessionId>,
    /// The message, or the thing; none of the whole session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Of a message when it was deleted, else up to when everything goes.
    pub at: Hlc,
    /// The kind of the thing; none of messages and sessions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<ThingKind>,
}

impl Purge {
    /// The purge that a record is; none when it is none, or cannot be read.
    pub fn of(record: &Record) -> Option<Self> {
        let body = record.body.as_ref().filter(|_| record.kind == Kind::Tombstone)?;
        let (of, session, at) = (Of::decode(body).ok()??, record.session.clone(), record.at);
        if of == Of::Messages && session.is_none() {
            return Some(Self { session, id: None, at: Of::until(body)?, kind: None });
        }
        let id = Some(record.id.clone());
        let purge = match (of, &session) {
            (Of::Message, Some(_)) => Self { session, id, at, kind: None },
            (Of::Session, Some(_)) => Self { session, id: None, at, kind: None },
            (Of::Thing(kind), _) => Self { session, id, at, kind: Some(kind) },
            _ => return None,
        };
        Of::is_physical(body).then_some(purge)
    }

    /// The purges among these records.
    pub fn among<'l>(lines: impl IntoIterator<Item = &'l Line>) -> Vec<Self> {
        let tombstones = lines.into_iter().filter(|line| line.text.contains("\"tombstone\""));
        let mut all: Vec<Self> =
            tombstones.filter_map(|line| Self::of(&line.record().ok()?)).collect();
        all.sort_unstable();
        all.dedup();
        all
    }
}

/// All purges of a user.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Purges {
    horizon: Option<Hlc>,
    sessions: BTreeMap<SessionId, OfSession>,
    /// By session, none for things of no session; kind and id.
    things: BTreeMap<Option<SessionId>, BTreeMap<(ThingKind, String), Hlc>>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct OfSession {
    until: Option<Hlc>,
    messages: BTreeMap<String, Hlc>,
}

/// What becomes of a record.
enum Fate {
    Stays,
    /// Its place stays.
    Gone,
    Goes,
}

impl Purges {
    /// Adds these; those up to an erase of the user are void, as the tombstones that they are.
    pub fn add<'p>(&mut self, purges: impl IntoIterator<Item = &'p Purge>, erased: Option<Hlc>) {
        for purge in purges.into_iter().filter(|purge| Some(purge.at) > erased) {
            if let (Some(kind), Some(id)) = (purge.kind, &purge.id) {
                let of = self.things.entry(purge.session.clone()).or_default();
                let at = of.entry((kind, id.clone())).or_default();
                *at = purge.at.max(*at);
                continue;
            }
            let Some(session) = &purge.session else {
                self.horizon = self.horizon.max(Some(purge.at));
                continue;
            };
            let of = self.sessions.entry(session.clone()).or_default();
            match &purge.id {
                None => of.until = of.until.max(Some(purge.at)),
                Some(id) => {
                    let at = of.messages.entry(id.clone()).or_default();
                    *at = purge.at.max(*at);
                }
            }
        }
    }

    /// There are none.
    pub fn is_empty(&self) -> bool {
        self.horizon.is_none() && self.sessions.is_empty() && self.things.is_empty()
    }

    /// Takes the content of what is purged out of these records. Says whether anything changed; what cannot be read stays.
    ///
    /// # Errors
    /// `internal` when what is left of a message cannot be written.
    pub fn apply(&self, lines: &mut Vec<Line>) -> Result<bool> {
        if self.is_empty() {
            return Ok(false);
        }
        let (mut changed, mut kept) = (false, Vec::with_capacity(lines.len()));
        for line in lines.drain(..) {
            let record = line.record().ok();
            let fate = record.as_ref().map_or(Fate::Stays, |record| self.fate(record, &line));
            match (fate, record) {
                (Fate::Stays, _) | (_, None) => kept.push(line),
                (Fate::Goes, Some(_)) => changed = true,
                (Fate::Gone, Some(record)) => match gone(&record)? {
                    Some(text) => {
                        kept.push(Line { text: text.into(), ..line });
                        changed = true;
                    }
                    None => kept.push(line),
                },
            }
        }
        *lines = kept;
        Ok(changed)
    }

    fn fate(&self, record: &Record, line: &Line) -> Fate {
        if matches!(record.kind, Kind::Tombstone | Kind::Erase | Kind::User) {
            return Fate::Stays;
        }
        let judged = judged(record, line.order);
        if passes(record) && self.horizon >= Some(judged) {
            return Fate::Goes;
        }
        if let Kind::Thing(kind) = record.kind {
            return match self.takes_thing(kind, record, line, judged) {
                true => Fate::Goes,
                false => Fate::Stays,
            };
        }
        let of = record.session.as_ref().and_then(|session| self.sessions.get(session));
        let Some(of) = of else { return Fate::Stays };
        if of.until >= Some(judged) {
            return Fate::Goes;
        }
        match &record.kind {
            Kind::Message if of.messages.contains_key(&record.id) => Fate::Gone,
            Kind::Other(kind) if kind == EMBEDDING && of.messages.contains_key(&record.id) => {
                Fate::Goes
            }
            _ => Fate::Stays,
        }
    }

    /// A thing goes when it is purged itself, with its session, and with any of the messages and sessions that it was made
    /// of.
    fn takes_thing(&self, kind: ThingKind, record: &Record, line: &Line, judged: Hlc) -> bool {
        let own = self.things.get(&record.session);
        let own = own.and_then(|of| of.get(&(kind, record.id.clone())));
        if own.is_some_and(|at| *at >= line.order.hlc) {
            return true;
        }
        let of = record.session.as_ref().and_then(|session| self.sessions.get(session));
        if of.is_some_and(|of| of.until >= Some(judged)) {
            return true;
        }
        let body = record.body.as_ref().and_then(|body| ThingBody::decode(body).ok());
        let sources = body.map(|body| body.sources).unwrap_or_default();
        passes_at(kind, &sources).is_some_and(|at| self.horizon >= Some(at))
            || sources.iter().any(|source| {
                self.sessions.get(&source.session).is_some_and(|of| {
                    of.until >= Some(source.order.hlc)
                        || source.message.as_ref().is_some_and(|id| of.messages.contains_key(id))
                })
            })
    }

    /// What of it concerns a segment: equal as long as nothing new does. None when nothing does.
    pub fn digest(&self, cover: &Cover) -> Option<String> {
        let mut all = Vec::new();
        for frames in &cover.sessions {
            let oldest = frames.oldest.unwrap_or(frames.first.hlc).min(frames.first.hlc);
            let horizon = self.horizon.filter(|horizon| oldest <= *horizon);
            // Beyond its end the horizon may move as it likes.
            let horizon = horizon.map(|horizon| horizon.min(frames.last.hlc));
            let sessions = frames.session.iter().chain(&frames.made_of);
            let sessions = sessions.filter_map(|id| self.sessions.get(id).map(|of| (id, of)));
            let sessions: Vec<String> = sessions
                .map(|(id, of)| format!("{id:?} {:?} {:?}", of.until, of.messages))
                .collect();
            let things = self.things.get(&frames.session);
            if horizon.is_some() || !sessions.is_empty() || things.is_some() {
                all.push(format!("{:?} {horizon:?} {sessions:?} {things:?}", frames.session));
            }
        }
        (!all.is_empty()).then(|| hash32(all.join("\n").as_bytes()))
    }
}

#[derive(Serialize, Deserialize)]
struct Body {
    digest: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    parent_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tool_call_id: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    calls: Vec<String>,
}

/// The text of the record that stays in a message's place; none when that cannot be read.
fn gone(record: &Record) -> Result<Option<String>> {
    let body = record.body.as_ref().map(|body| MessageBody::decode(body));
    let (Some(Ok(body)), Some(session)) = (body, &record.session) else { return Ok(None) };
    let encoding = |e| Error::internal("what is left of a message cannot be encoded").caused_by(e);
    let calls = body.message.tool_call_ids();
    let Message { parent_id, tool_call_id, .. } = body.message;
    let left = Body { digest: hex::encode(body.digest), parent_id, tool_call_id, calls };
    let left = serde_json::value::to_raw_value(&left).map_err(encoding)?;
    let stamp = crate::record::Stamp { at: record.at, by: record.by.clone() };
    let mut stub = Record::new(Kind::Gone, &record.id, session, &stamp, left);
    stub.from.clone_from(&record.from);
    serde_json::to_string(&stub).map(Some).map_err(encoding)
}

/// A message of whom nothing is left, as far as its place needs it.
///
/// # Errors
/// `corrupt` when it is not the body of a `gone`.
pub(crate) fn left(body: &serde_json::value::RawValue) -> Result<MessageBody> {
    let wrong = || Error::corrupt("the record of a purged message cannot be read");
    let read: Body = serde_json::from_str(body.get()).map_err(|e| wrong().caused_by(e))?;
    let mut digest = Digest::default();
    hex::decode_to_slice(&read.digest, &mut digest).map_err(|e| wrong().caused_by(e))?;
    let calls: Vec<_> = read.calls.iter().map(|id| serde_json::json!({"id": id})).collect();
    let tool_calls = (!calls.is_empty()).then(|| serde_json::Value::from(calls).to_string());
    let Body { parent_id, tool_call_id, .. } = read;
    let message =
        Message { parent_id, tool_call_id, tool_calls, ..Message::saying(Role::User, "") };
    let (text, restored_from, vectors) = (Box::default(), None, Vec::new());
    Ok(MessageBody { text, message, digest, restored_from, vectors })
}
