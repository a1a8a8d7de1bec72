//! Restoring: what a user's sessions were at a time, as new records. What was deleted comes back under new ids.

use holdfast_core::clock::parse_rfc3339;
use holdfast_core::message::{Message, MessageBody};
use holdfast_core::record::Kind;
use holdfast_core::session::SessionFields;
use holdfast_core::token::Frontier;
use holdfast_core::{Error, Hlc, Result, Scope, SessionId};
use holdfast_journal::Draft;
use holdfast_kit::State;
use holdfast_kit::index::{self, Difference, Knowledge};
use holdfast_kit::read::latest;
use holdfast_kit::write::{Author, Begun, derived_id, known};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// Differences that one step looks at, at most.
const STEP: u32 = 500;
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
    /// `session` or `message`.
    pub kind: &'static str,
    /// Its session.
    pub session: String,
    /// The session's id, or the message's new one.
    pub id: String,
    /// Order of the record that it is made of.
    pub restored_from: Option<String>,
    /// The id that the message had.
    pub deleted_id: Option<String>,
    /// `restored` or `there`.
    pub status: Option<&'static str>,
    /// What is set of a session: a JSON object.
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
    let (mut restored, mut left_out, mut drafts) = (Vec::new(), Vec::new(), Vec::new());
    for one in found.items {
        match draft(scope, &names, &one)? {
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
        false => begun.record(state, seen, drafts).await?.frontier,
    };
    Ok(Step { restored, left_out, next_cursor, frontier })
}

enum Made {
    Restored(Item, Box<Draft>),
    There(Item),
    LeftOut(Item),
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
        return Ok(Made::Restored(Item { fields, ..item }, Box::new(draft)));
    };
    let mut message: Message = serde_json::from_str(&found.body)
        .map_err(|e| Error::corrupt("a deleted message cannot be read").caused_by(e))?;
    if let Some(parent) = message.parent_id.clone().filter(|_| one.parent_lost) {
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
    if names.has(&one.session, &id, &body) {
        return Ok(Made::There(Item { status: Some("there"), ..item }));
    }
    let draft = Draft { kind: Kind::Message, id, session, body: body.encode()? };
    Ok(Made::Restored(item, Box::new(draft)))
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
    for (name, value) in
        [("name", &fields.name), ("type", &fields.kind), ("status", &fields.status)]
    {
        shown.extend(value.as_ref().map(|value| (name.to_owned(), json!(value))));
    }
    let metadata = fields.metadata.as_ref().and_then(|json| serde_json::from_str(json).ok());
    shown.extend(metadata.map(|metadata: Value| ("metadata".to_owned(), metadata)));
    shown.extend(fields.cleared.iter().map(|name| (name.clone(), Value::Null)));
    Value::Object(shown).to_string()
}

/// The new names of deleted messages: each made of the one before, so that whoever restores makes the same.
fn names(scope: &Scope, session: &str, id: &str) -> Vec<String> {
    let next = |id: &String| Some(derived_id(scope, &["restored", session, id.as_str()]));
    std::iter::successors(next(&id.to_owned()), next).take(LIVES).collect()
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
        let deleted = self.0.get(session).map(|known| &known.deleted);
        let gone = |name: &String| deleted.is_some_and(|deleted| deleted.contains(name));
        names(scope, session, id).into_iter().find(|name| !gone(name))
    }

    /// Is this very message there?
    fn has(&self, session: &str, id: &str, body: &MessageBody) -> bool {
        let digest: String = body.digest.iter().map(|byte| format!("{byte:02x}")).collect();
        let present = self.0.get(session).into_iter().flat_map(|known| &known.present);
        present.into_iter().any(|present| present.id == id && present.digest == digest)
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
        put("session_id", Some(json!(self.session)));
        put("id", Some(json!(self.id)));
        put("restored_from", self.restored_from.as_ref().map(|order| json!(order)));
        put("deleted_id", self.deleted_id.as_ref().map(|id| json!(id)));
        put("status", self.status.map(|status| json!(status)));
        put("reason", self.reason.as_ref().map(|reason| json!(reason)));
        put("fields", self.fields.as_ref().and_then(|json| serde_json::from_str(json).ok()));
        Value::Object(json)
    }
}
