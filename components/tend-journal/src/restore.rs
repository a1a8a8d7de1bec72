//! Restoring: what a user's sessions and things were at a time, as new records. Deleted messages come back under new ids.

use holdfast_core::attachment::Attachment;
use holdfast_core::clock::parse_rfc3339;
use holdfast_core::memory::{Event, Memory};
use holdfast_core::message::{Message, MessageBody};
use holdfast_core::record::{Kind, Record, Stamp};
use holdfast_core::session::SessionFields;
use holdfast_core::thing::{Source, ThingBody, ThingKind};
use holdfast_core::token::Frontier;
use holdfast_core::{Case, Error, Hlc, Order, Result, Scope, SessionId};
use holdfast_journal::Draft;
use holdfast_kit::State;
use holdfast_kit::attach;
use holdfast_kit::index::{self, Difference, Knowledge};
use holdfast_kit::read::latest;
use holdfast_kit::write::{Author, Begun, NewThing, derived_id, known};
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// Differences that one step looks at, at most.
const STEP: u32 = 500;
/// Bytes of attachments that one step copies, at most.
const COPIED: u64 = 64 << 20;
/// How often the same message is brought back under another id, once the last one was deleted too.
const LIVES: usize = 8;

/// What is to be brought back.
pub struct Wanted {
    /// RFC 3339.
    pub at: String,
    /// What was deleted since, too.
    pub deleted: bool,
    /// Only this session.
    pub session: Option<String>,
    /// Write nothing.
    pub dry_run: bool,
    /// The cursor of the step before.
    pub cursor: Option<String>,
}

/// Something that is brought back, or left as it is.
#[derive(Debug, Clone, Default)]
pub struct Item {
    /// `session`, `message`, or the kind of a thing.
    pub kind: &'static str,
    /// Its session; empty for a thing of none.
    pub session: String,
    /// The session's id, the thing's, or the message's new one.
    pub id: String,
    /// Order of the record that it is made of.
    pub restored_from: Option<String>,
    /// The id that the message had.
    pub deleted_id: Option<String>,
    /// `restored` or `there`.
    pub status: Option<&'static str>,
    /// What is set of a session, or the thing: a JSON object.
    pub fields: Option<String>,
    /// Why it is left out.
    pub reason: Option<String>,
}

/// What one step did.
pub struct Step {
    /// What was brought back.
    pub restored: Vec<Item>,
    /// What stays as it is.
    pub left_out: Vec<Item>,
    /// There is more.
    pub next_cursor: Option<String>,
    /// What a reader has seen who has seen it.
    pub frontier: Frontier,
}

/// Does one step.
///
/// # Errors
/// `invalid` for a time that is none; `invalid_cursor`; what a read of the latest and a write may meet.
pub async fn restore(
    state: &State,
    scope: &Scope,
    wanted: &Wanted,
    author: Author,
) -> Result<Step> {
    let until = parse_rfc3339(&wanted.at).map_err(|error| error.at("at"))?;
    let until = Hlc::at(until + 1).0 - 1;
    if let Some(session) = &wanted.session {
        SessionId::parse(session).map_err(|error| error.at("session_id"))?;
    }
    let signer = state.signer(scope);
    let what = format!("restore {} {} {:?}", wanted.at, wanted.deleted, wanted.session);
    let after = wanted.cursor.as_ref().map(|cursor| signer.read_place(&what, cursor));
    let begun = Begun::now(state, scope, &author).await?;
    let (session, reading) = (wanted.session.clone(), latest(&author.after));
    let after = after.transpose()?;
    let found =
        index::differences(scope.into(), until, session, wanted.deleted, after, STEP, reading);
    let found = found.await?;
    let seen: Frontier = found.frontier.into();
    let names = Names::of(scope, &found.items).await;
    let sources = Sources::of(scope, &found.items, &author.after, wanted.dry_run).await?;
    let (mut restored, mut left_out, mut drafts) = (Vec::new(), Vec::new(), Vec::new());
    let mut copies = Copies { dry_run: wanted.dry_run, left: COPIED };
    for one in found.items {
        let made = match one.kind.as_deref().map(ThingKind::parse).transpose()? {
            Some(ThingKind::Attachment) => {
                let made = thing(scope, &sources, ThingKind::Attachment, &one)?;
                copies.made(state, scope, made).await?
            }
            Some(kind) => thing(scope, &sources, kind, &one)?,
            None => draft(scope, &names, &one)?,
        };
        match made {
            Made::Restored(item, draft) => {
                drafts.push(*draft);
                restored.push(item);
            }
            Made::There(item) => restored.push(item),
            Made::LeftOut(item) => left_out.push(item),
        }
    }
    let next_cursor = found.next.map(|next| signer.place(&what, &next));
    let frontier = match drafts.is_empty() || wanted.dry_run {
        true => author.after.joined(&seen),
        false => {
            let records = |stamp: &Stamp| drafts.iter().map(|new| new.record(stamp)).collect();
            begun.record(state, seen, records).await?.frontier
        }
    };
    Ok(Step { restored, left_out, next_cursor, frontier })
}

enum Made {
    Restored(Item, Box<New>),
    There(Item),
    LeftOut(Item),
}

/// What is written.
enum New {
    Draft(Draft),
    Thing(NewThing),
}

impl New {
    fn record(&self, stamp: &Stamp) -> Result<Record> {
        match self {
            Self::Draft(d) => {
                Ok(Record::new(d.kind.clone(), &d.id, &d.session, stamp, d.body.clone()))
            }
            Self::Thing(thing) => thing.record(stamp),
        }
    }
}

fn draft(scope: &Scope, names: &Names, one: &Difference) -> Result<Made> {
    let id = one.id.clone().unwrap_or_else(|| one.session.clone());
    let kind = if one.id.is_some() { "message" } else { "session" };
    let (session, order) = (one.session.clone(), Some(one.order.clone()));
    let item = Item { kind, session, id, ..Item::default() };
    if let Some(reason) = &one.left_out {
        return Ok(Made::LeftOut(Item { reason: Some(reason.clone()), ..item }));
    }
    let session = SessionId::parse(&one.session)?;
    let item = Item { restored_from: order, status: Some("restored"), ..item };
    let Some(found) = &one.message else {
        let fields = set(one)?;
        let body = fields.encode_restored(&one.order)?;
        let fields = Some(shown(&fields));
        let draft = Draft { kind: Kind::Session, id: item.id.clone(), session, body };
        return Ok(Made::Restored(Item { fields, ..item }, Box::new(New::Draft(draft))));
    };
    let mut message: Message = serde_json::from_str(&found.body)
        .map_err(|e| Error::corrupt("a deleted message cannot be read").caused_by(e))?;
    if let Some(parent) = message.parent_id.clone().filter(|_| one.lost) {
        message.parent_id = names.free(scope, &one.session, &parent).or(Some(parent));
    }
    let mut body = MessageBody::new(message, Vec::new())?;
    body.restored_from = Some(one.order.as_str().into());
    let deleted_id = Some(item.id.clone());
    let Some(id) = names.free(scope, &one.session, &item.id) else {
        return Ok(Made::LeftOut(Item {
            reason: Some("deleted".to_owned()),
            status: None,
            ..item
        }));
    };
    let item = Item { id: id.clone(), deleted_id, ..item };
    if names.has(&one.session, &id) {
        return Ok(Made::There(Item { status: Some("there"), ..item }));
    }
    let draft = Draft { kind: Kind::Message, id, session, body: body.encode()? };
    Ok(Made::Restored(item, Box::new(New::Draft(draft))))
}

/// A thing comes back under its own id, and with what it was made of: where that was deleted and restored, its copy.
fn thing(scope: &Scope, sources: &Sources, kind: ThingKind, one: &Difference) -> Result<Made> {
    let (session, id) = (one.session.clone(), one.id.clone().unwrap_or_default());
    let item = Item { kind: kind.name(), session, id: id.clone(), ..Item::default() };
    if let Some(reason) = &one.left_out {
        return Ok(Made::LeftOut(Item { reason: Some(reason.clone()), ..item }));
    }
    let mut body = then(one)?;
    for source in body.sources.iter_mut().filter(|_| one.lost) {
        let Some(found) = sources.standing(scope, source) else {
            return Ok(Made::LeftOut(Item { reason: Some("deleted".to_owned()), ..item }));
        };
        if kind == ThingKind::Feedback {
            body.text = renamed(&body.text, source, &found);
        }
        *source = found;
    }
    if kind == ThingKind::Memory {
        let memory = Memory { event: Event::Restored, ..Memory::read(&body.text)? };
        body = ThingBody::new(&memory, body.sources)?;
    }
    let session = match one.session.as_str() {
        "" => None,
        session => Some(SessionId::parse(session)?),
    };
    let fields = Some(body.text.to_string()).filter(|_| kind != ThingKind::Preference);
    let item =
        Item { restored_from: Some(one.order.clone()), status: Some("restored"), fields, ..item };
    Ok(Made::Restored(item, Box::new(New::Thing(NewThing { kind, session, id, body }))))
}

/// Attachments that come back: each record has objects of its own, so their bytes are copied.
struct Copies {
    dry_run: bool,
    /// Bytes that this step may still copy.
    left: u64,
}

impl Copies {
    async fn made(&mut self, state: &State, scope: &Scope, made: Made) -> Result<Made> {
        let (item, mut thing) = match made {
            Made::Restored(item, new) => match *new {
                New::Thing(thing) => (item, thing),
                other @ New::Draft(_) => return Ok(Made::Restored(item, Box::new(other))),
            },
            other => return Ok(other),
        };
        let attachment = Attachment::read(&thing.body.text)?;
        let without = |item: Item, reason: &str| {
            let (reason, status) = (Some(reason.to_owned()), None);
            Ok(Made::LeftOut(Item { reason, status, fields: None, restored_from: None, ..item }))
        };
        let item = Item { fields: Some(told(&attachment)), ..item };
        let size = attachment.size;
        match self.left.checked_sub(size) {
            None if size > COPIED => return without(item, "too_large"),
            None => return without(item, "later"),
            Some(left) => self.left = left,
        }
        if !self.dry_run {
            match attach::copy(state, scope, &attachment).await {
                Ok(copy) => thing.body = ThingBody::new(&copy, Vec::new())?,
                Err(error) if error.reason == "gone" => return without(item, "gone"),
                Err(error) if error.case == Case::Corrupt => return without(item, "corrupt"),
                Err(error) => return Err(error),
            }
        }
        Ok(Made::Restored(item, Box::new(New::Thing(thing))))
    }
}

/// What is said of an attachment, but where its bytes lie.
fn told(attachment: &Attachment) -> String {
    let Attachment { media_type, size, sha256, .. } = attachment;
    json!({"media_type": media_type, "size": size, "sha256": sha256}).to_string()
}

/// The thing as it was.
fn then(one: &Difference) -> Result<ThingBody> {
    let broken = |e| Error::corrupt("a thing cannot be read").caused_by(e);
    let body = RawValue::from_string(one.then.clone().unwrap_or_default()).map_err(broken)?;
    ThingBody::decode(&body)
}

/// Feedback names its message in its text, too.
fn renamed(text: &str, from: &Source, to: &Source) -> Box<str> {
    let Ok(Value::Object(mut said)) = serde_json::from_str(text) else { return text.into() };
    let message = said.get_mut("message").filter(|named| named.as_str() == from.message.as_deref());
    if let (Some(named), Some(id)) = (message, &to.message) {
        *named = json!(id);
    }
    Value::Object(said).to_string().into()
}

/// What things were made of that was deleted since, as it is there now.
struct Sources {
    known: BTreeMap<SessionId, Knowledge>,
    /// Orders of the last records of sessions.
    sessions: BTreeMap<SessionId, Order>,
    /// Nothing was written that could be found.
    dry_run: bool,
}

impl Sources {
    async fn of(
        scope: &Scope,
        items: &[Difference],
        seen: &Frontier,
        dry_run: bool,
    ) -> Result<Self> {
        let mut ids: BTreeMap<SessionId, Vec<String>> = BTreeMap::new();
        let mut whole: BTreeSet<SessionId> = BTreeSet::new();
        for one in items.iter().filter(|one| one.lost && one.kind.is_some()) {
            for source in then(one)?.sources {
                let Some(id) = source.message else {
                    whole.insert(source.session);
                    continue;
                };
                let all = names(scope, source.session.as_str(), &id);
                ids.entry(source.session).or_default().extend(all.into_iter().chain([id]));
            }
        }
        let (mut all, mut sessions) = (BTreeMap::new(), BTreeMap::new());
        for (session, ids) in ids {
            let known = known(scope, session.as_str(), ids).await;
            all.insert(session, known);
        }
        for session in whole {
            let found =
                index::find_session(scope.into(), session.to_string(), latest(seen)).await?;
            if let Some(found) = found.item {
                sessions.insert(session, Order::parse(&found.order)?);
            }
        }
        Ok(Self { known: all, sessions, dry_run })
    }

    /// The source where nothing deletes it, or the copy of it that a restore brought back.
    fn standing(&self, scope: &Scope, source: &Source) -> Option<Source> {
        if self.dry_run {
            return Some(source.clone());
        }
        let Some(id) = &source.message else {
            let order = *self.sessions.get(&source.session)?;
            return Some(Source { order: order.max(source.order), ..source.clone() });
        };
        let known = self.known.get(&source.session)?;
        let order = |id: &String| {
            let present = known.present.iter().find(|present| present.id == *id)?;
            Order::parse(&present.order).ok().filter(|_| !known.deleted.contains(id))
        };
        if order(id) == Some(source.order) {
            return Some(source.clone());
        }
        let name = free(scope, known, source.session.as_str(), id)?;
        Some(Source { order: order(&name)?, message: Some(name), ..source.clone() })
    }
}

/// The fields to set over those of now.
fn set(one: &Difference) -> Result<SessionFields> {
    let parse = |json: &String| {
        serde_json::from_str::<SessionFields>(json)
            .map_err(|e| Error::corrupt("a session cannot be read").caused_by(e))
    };
    let then = one.then.as_ref().map(parse).transpose()?.unwrap_or_default();
    Ok(match &one.now {
        Some(now) => parse(now)?.back_to(&then).unwrap_or_default(),
        None => then.with_defaults(),
    })
}

/// A session's fields as JSON; what was not set then is null.
fn shown(fields: &SessionFields) -> String {
    let mut shown = Map::new();
    for (name, value) in [
        ("name", &fields.name),
        ("type", &fields.kind),
        ("status", &fields.status),
        ("context_summary", &fields.context_summary),
    ] {
        shown.extend(value.as_ref().map(|value| (name.to_owned(), json!(value))));
    }
    for (name, value) in
        [("metadata", &fields.metadata), ("relevance_score", &fields.relevance_score)]
    {
        let parsed: Option<Value> = value.as_ref().and_then(|json| serde_json::from_str(json).ok());
        shown.extend(parsed.map(|value| (name.to_owned(), value)));
    }
    shown.extend(fields.cleared.iter().map(|name| (name.clone(), Value::Null)));
    Value::Object(shown).to_string()
}

/// The new names of deleted messages: each made of the one before, so that whoever restores makes the same.
fn names(scope: &Scope, session: &str, id: &str) -> Vec<String> {
    let next = |id: &String| Some(derived_id(scope, &["restored", session, id.as_str()]));
    std::iter::successors(next(&id.to_owned()), next).take(LIVES).collect()
}

/// The first of them that was not deleted.
fn free(scope: &Scope, known: &Knowledge, session: &str, id: &str) -> Option<String> {
    names(scope, session, id).into_iter().find(|name| !known.deleted.contains(name))
}

/// What the index knows of those names, by session.
struct Names(BTreeMap<String, Knowledge>);

impl Names {
    async fn of(scope: &Scope, items: &[Difference]) -> Self {
        let mut ids: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for one in items {
            let Some(id) = one.id.as_ref().filter(|_| one.message.is_some()) else { continue };
            ids.entry(one.session.clone()).or_default().extend(names(scope, &one.session, id));
        }
        let mut all = BTreeMap::new();
        for (session, ids) in ids {
            let known = known(scope, &session, ids).await;
            all.insert(session, known);
        }
        Self(all)
    }

    /// The first name that was not deleted.
    fn free(&self, scope: &Scope, session: &str, id: &str) -> Option<String> {
        match self.0.get(session) {
            Some(known) => free(scope, known, session, id),
            None => names(scope, session, id).into_iter().next(),
        }
    }

    /// Is it there under this name? Whatever it answers by now: only restores write under such names.
    fn has(&self, session: &str, id: &str) -> bool {
        let present = self.0.get(session).into_iter().flat_map(|known| &known.present);
        present.into_iter().any(|present| present.id == id)
    }
}

impl Step {
    /// It wrote nothing, because an earlier one had.
    pub fn replayed(&self) -> bool {
        let there = |item: &Item| item.status == Some("there");
        !self.restored.is_empty() && self.restored.iter().all(there)
    }

    /// The answer over HTTP.
    pub fn json(&self, wanted: &Wanted) -> Value {
        let all = |items: &[Item]| items.iter().map(Item::json).collect::<Vec<_>>();
        json!({
            "at": wanted.at,
            "dry_run": wanted.dry_run,
            "restored": all(&self.restored),
            "left_out": all(&self.left_out),
            "has_more": self.next_cursor.is_some(),
            "next_cursor": self.next_cursor,
        })
    }
}

impl Item {
    fn json(&self) -> Value {
        let mut json = Map::new();
        let mut put = |name: &str, value: Option<Value>| {
            json.extend(value.map(|value| (name.to_owned(), value)));
        };
        put("kind", Some(json!(self.kind)));
        put("session_id", Some(&self.session).filter(|id| !id.is_empty()).map(|id| json!(id)));
        put("id", Some(json!(self.id)));
        put("restored_from", self.restored_from.as_ref().map(|order| json!(order)));
        put("deleted_id", self.deleted_id.as_ref().map(|id| json!(id)));
        put("status", self.status.map(|status| json!(status)));
        put("reason", self.reason.as_ref().map(|reason| json!(reason)));
        put("fields", self.fields.as_ref().and_then(|json| serde_json::from_str(json).ok()));
        Value::Object(json)
    }
}
