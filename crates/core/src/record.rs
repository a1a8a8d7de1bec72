//! Records and the objects of the write-ahead log: the bytes at rest.
//!
//! A WAL object is JSON lines. The first line names what its writer knew: `{"v":1,"prev":[…],"head":…}`; then a record a
//! line: `{"v":1,"kind","id","at","by","session"?,"from"?,"body"}`, or `sealed` in place of `body` (reserved for
//! encryption). A reader takes every version up to [`VERSION`] and refuses a newer one; it keeps unknown kinds and fields.

use crate::thing::{ThingBody, ThingKind};
use crate::{Error, Hlc, Order, Result, SessionId};
use serde::de::{Deserializer, Error as _, MapAccess, Visitor};
use serde::ser::Serializer;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::fmt;
use ulid::Ulid;

/// Version of records and WAL objects that this program writes, and the newest that it reads.
pub const VERSION: u32 = 1;

/// At most so many keys in `prev`.
pub const MAX_FRONTIER: usize = 8;

/// First line of a WAL object: what its writer knew.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// Version of the object.
    pub v: u32,
    /// Keys of WAL objects that the writer had read or written, at most [`MAX_FRONTIER`]; readers fetch them by name.
    #[serde(default)]
    pub prev: Vec<String>,
    /// Newest manifest that the writer had read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub head: Option<String>,
}

impl Default for Header {
    fn default() -> Self {
        Self { v: VERSION, prev: Vec::new(), head: None }
    }
}

/// What a record is about. Unknown kinds of newer writers are kept as they are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A session's fields: see [`crate::session`].
    Session,
    /// A message: see [`crate::message`].
    Message,
    /// What is left of a message whose bytes went: see [`crate::purge`].
    Gone,
    /// What a delete left: see [`crate::graves`].
    Tombstone,
    /// The user was erased at the record's time: see [`crate::erase`]. It is of no session and has no body.
    Erase,
    /// What is said of the user as a whole: see [`crate::retention`]. It is of no session.
    User,
    /// A thing under a key: see [`crate::thing`].
    #[serde(untagged)]
    Thing(ThingKind),
    /// A kind that this program does not know.
    #[serde(untagged)]
    Other(String),
}

/// Who wrote a record: the kind of the key and its id, as `<kind>/<key id>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Writer {
    /// Kind of the key.
    pub kind: WriterKind,
    /// Id of the key.
    pub key: String,
}

/// Kind of the key that wrote a record: stored role is privilege.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum WriterKind {
    /// May act for any user of its tenant.
    Service,
    /// Bound to one user.
    User,
    /// Operator.
    Admin,
}

impl WriterKind {
    /// Name as records and keys spell it.
    pub fn name(self) -> &'static str {
        match self {
            WriterKind::Service => "service",
            WriterKind::User => "user",
            WriterKind::Admin => "admin",
        }
    }

    /// The kind spelled `name`.
    pub fn parse(name: &str) -> Option<Self> {
        [WriterKind::Service, WriterKind::User, WriterKind::Admin]
            .into_iter()
            .find(|kind| kind.name() == name)
    }
}

impl Writer {
    /// The writer spelled `<kind>/<key id>`.
    pub fn parse(text: &str) -> Option<Self> {
        let (kind, key) = text.split_once('/')?;
        Some(Self { kind: WriterKind::parse(kind)?, key: key.to_owned() })
    }
}

impl Serialize for Writer {
    fn serialize<S: serde::Serializer>(&self, to: S) -> std::result::Result<S::Ok, S::Error> {
        to.collect_str(&format_args!("{}/{}", self.kind.name(), self.key))
    }
}

impl<'de> Deserialize<'de> for Writer {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> std::result::Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(from)?;
        Self::parse(&text).ok_or_else(|| serde::de::Error::custom("by"))
    }
}

/// One record.
#[derive(Debug, Clone, Serialize)]
pub struct Record {
    /// Version of the record.
    pub v: u32,
    /// What it is about.
    pub kind: Kind,
    /// Id of the thing; of a message its message id, of a session its session id, of a tombstone what it deletes.
    pub id: String,
    /// Hybrid time.
    pub at: Hlc,
    /// Who wrote it.
    pub by: Writer,
    /// The session that it belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session: Option<SessionId>,
    /// Highest order of its sources, for derived records: deletes are compared with it, not with `at`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// What it says; the kind knows its form.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body: Option<Box<RawValue>>,
    /// Reserved for encryption: `{key, nonce, bytes}` in place of `body`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sealed: Option<Box<RawValue>>,
    /// Fields of newer writers, carried as they are, after the others.
    #[serde(flatten)]
    unknown: Unknown,
}

/// Fields that this program does not know, in their order, each with its JSON text.
#[derive(Debug, Clone, Default)]
struct Unknown(Vec<(String, Box<RawValue>)>);

impl Serialize for Unknown {
    fn serialize<S: Serializer>(&self, to: S) -> std::result::Result<S::Ok, S::Error> {
        to.collect_map(self.0.iter().map(|(name, value)| (name, value)))
    }
}

impl<'de> Deserialize<'de> for Record {
    fn deserialize<D: Deserializer<'de>>(from: D) -> std::result::Result<Self, D::Error> {
        from.deserialize_map(Fields)
    }
}

struct Fields;

impl<'de> Visitor<'de> for Fields {
    type Value = Record;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a record")
    }

    // By hand, because serde's `flatten` cannot keep the text of the fields that it collects.
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> std::result::Result<Record, A::Error> {
        let (mut v, mut kind, mut id, mut at, mut by) = (None, None, None, None, None);
        let (mut session, mut from, mut body, mut sealed) = (None, None, None, None);
        let mut unknown = Unknown::default();
        while let Some(name) = map.next_key::<String>()? {
            match name.as_str() {
                "v" => once(&mut v, "v", &mut map)?,
                "kind" => once(&mut kind, "kind", &mut map)?,
                "id" => once(&mut id, "id", &mut map)?,
                "at" => once(&mut at, "at", &mut map)?,
                "by" => once(&mut by, "by", &mut map)?,
                "session" => once(&mut session, "session", &mut map)?,
                "from" => once(&mut from, "from", &mut map)?,
                "body" => once(&mut body, "body", &mut map)?,
                "sealed" => once(&mut sealed, "sealed", &mut map)?,
                _ => unknown.0.push((name, map.next_value()?)),
            }
        }
        Ok(Record {
            v: v.ok_or_else(|| A::Error::missing_field("v"))?,
            kind: kind.ok_or_else(|| A::Error::missing_field("kind"))?,
            id: id.ok_or_else(|| A::Error::missing_field("id"))?,
            at: at.ok_or_else(|| A::Error::missing_field("at"))?,
            by: by.ok_or_else(|| A::Error::missing_field("by"))?,
            session,
            from,
            body,
            sealed,
            unknown,
        })
    }
}

fn once<'de, A: MapAccess<'de>, T: Deserialize<'de>>(
    field: &mut Option<T>,
    name: &'static str,
    map: &mut A,
) -> std::result::Result<(), A::Error> {
    match field.replace(map.next_value()?) {
        None => Ok(()),
        Some(_) => Err(A::Error::duplicate_field(name)),
    }
}

impl Record {
    /// A record of `kind` about the thing `id` in `session`.
    pub fn new(
        kind: Kind,
        id: &str,
        session: &SessionId,
        stamp: &Stamp,
        body: Box<RawValue>,
    ) -> Self {
        Self {
            v: VERSION,
            kind,
            id: id.to_owned(),
            at: stamp.at,
            by: stamp.by.clone(),
            session: Some(session.clone()),
            from: None,
            body: Some(body),
            sealed: None,
            unknown: Unknown::default(),
        }
    }
}

impl Record {
    /// The record of a thing; its `from` is the highest order of its sources, but for a thing of a session: that one is
    /// gone with its session by its own time.
    ///
    /// # Errors
    /// `internal` when its body cannot be written as JSON.
    pub fn thing(
        kind: ThingKind,
        (session, id): (Option<&SessionId>, &str),
        stamp: &Stamp,
        body: &ThingBody,
    ) -> Result<Self> {
        let from = body.from().filter(|_| !kind.in_session()).map(|from| from.to_string());
        let (body, kind) = (Some(body.encode()?), Kind::Thing(kind));
        Ok(Self { kind, session: session.cloned(), from, body, ..Self::erase(id, stamp) })
    }

    /// The tombstone of a thing, or of a message or session when there is one of these.
    ///
    /// # Errors
    /// `internal` when its body cannot be written as JSON.
    pub fn tombstone(
        of: crate::graves::Of,
        (session, id): (Option<&SessionId>, &str),
        stamp: &Stamp,
    ) -> Result<Self> {
        Ok(Self::buried(of.encode()?, (session, id), stamp))
    }

    /// A tombstone with this body, of a session or of none.
    pub fn buried(
        body: Box<RawValue>,
        (session, id): (Option<&SessionId>, &str),
        stamp: &Stamp,
    ) -> Self {
        Self { session: session.cloned(), ..Self::of_user(Kind::Tombstone, id, stamp, body) }
    }

    /// The record of an erase of the user, at the stamp's time; `id` is the erase's.
    pub fn erase(id: &str, stamp: &Stamp) -> Self {
        Self {
            v: VERSION,
            kind: Kind::Erase,
            id: id.to_owned(),
            at: stamp.at,
            by: stamp.by.clone(),
            session: None,
            from: None,
            body: None,
            sealed: None,
            unknown: Unknown::default(),
        }
    }

    /// A record of no session.
    pub fn of_user(kind: Kind, id: &str, stamp: &Stamp, body: Box<RawValue>) -> Self {
        Self { kind, body: Some(body), ..Self::erase(id, stamp) }
    }

    /// Reads the text of a record.
    ///
    /// # Errors
    /// `corrupt` when it is none, with reason `newer_format` when a newer program wrote it.
    pub fn read(text: &str) -> Result<Self> {
        parse(text, |record: &Record| record.v)
    }
}

/// When and by whom a record is written.
#[derive(Debug, Clone)]
pub struct Stamp {
    /// Hybrid time.
    pub at: Hlc,
    /// Who writes.
    pub by: Writer,
}

/// A WAL object, decoded.
#[derive(Debug, Clone)]
pub struct WalObject {
    /// What its writer knew.
    pub header: Header,
    /// Its records, in place.
    pub records: Vec<Record>,
}

impl WalObject {
    /// The bytes of an object. Equal input gives equal bytes.
    ///
    /// # Errors
    /// `internal` when a record cannot be written as JSON.
    pub fn encode(&self) -> Result<Vec<u8>> {
        let mut out = Vec::new();
        line(&self.header, &mut out)?;
        for record in &self.records {
            line(record, &mut out)?;
        }
        Ok(out)
    }

    /// Reads an object's bytes.
    ///
    /// # Errors
    /// `corrupt` when they are not such an object, with reason `newer_format` when a newer program wrote them.
    pub fn decode(bytes: &[u8]) -> Result<Self> {
        let text = std::str::from_utf8(bytes)
            .map_err(|e| Error::corrupt("a journal object is not UTF-8").caused_by(e))?;
        let body = text
            .strip_suffix('\n')
            .ok_or_else(|| Error::corrupt("a journal object does not end with a line"))?;
        let mut lines = body.split('\n');
        let header = parse(lines.next().unwrap_or_default(), |header: &Header| header.v)?;
        let record = |line| parse(line, |record: &Record| record.v);
        let records = lines.map(record).collect::<Result<_>>()?;
        Ok(Self { header, records })
    }

    /// Reads an object's bytes as [`decode`](Self::decode) does, and keeps each record's own text.
    ///
    /// # Errors
    /// As [`decode`](Self::decode).
    pub fn lines(ulid: Ulid, bytes: &[u8]) -> Result<(Header, Vec<Line>)> {
        let Self { header, records } = Self::decode(bytes)?;
        let text = std::str::from_utf8(bytes).unwrap_or_default();
        let texts = text.split('\n').skip(1).zip(records).enumerate();
        let line = |(at, (text, record)): (usize, (&str, Record))| Line {
            order: Self::order(&record, ulid, at),
            session: record.session,
            text: text.trim_ascii().into(),
        };
        Ok((header, texts.map(line).collect()))
    }

    /// Order of the record at `position` in the object named by `ulid`.
    pub fn order(record: &Record, ulid: Ulid, position: usize) -> Order {
        Order { hlc: record.at, ulid, position: u32::try_from(position).unwrap_or(u32::MAX) }
    }
}

/// A record as its text, with its order: what segments hold.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Line {
    /// Its order, which also says where it was first written.
    pub order: Order,
    /// The session that it belongs to.
    pub session: Option<SessionId>,
    /// Its JSON text, as it was written.
    pub text: Box<str>,
}

impl Line {
    /// Reads the text of a record that stood at `position` in the object named by `ulid`.
    ///
    /// # Errors
    /// `corrupt` when it is none, with reason `newer_format` when a newer program wrote it.
    pub fn read(ulid: Ulid, position: u32, text: &str) -> Result<Self> {
        let record = Record::read(text)?;
        let order = Order { hlc: record.at, ulid, position };
        Ok(Self { order, session: record.session, text: text.into() })
    }

    /// The record.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn record(&self) -> Result<Record> {
        Record::read(&self.text)
    }
}

/// Writes a thing as one line. JSON text that others shaped must not break it.
fn line(thing: &impl Serialize, out: &mut Vec<u8>) -> Result<()> {
    let start = out.len();
    serde_json::to_writer(&mut *out, thing)
        .map_err(|e| Error::internal("a record cannot be encoded").caused_by(e))?;
    if out.get(start..).is_some_and(|line| line.contains(&b'\n')) {
        return Err(Error::internal("a record holds JSON text of several lines"));
    }
    out.push(b'\n');
    Ok(())
}

fn parse<'a, T: Deserialize<'a>>(line: &'a str, version: impl Fn(&T) -> u32) -> Result<T> {
    versioned(line, version, "a line of a journal object")
}

/// Reads the bytes of JSON that has a version `v`, as [`versioned`] does.
pub(crate) fn read_versioned<T: for<'a> Deserialize<'a>>(
    bytes: &[u8],
    version: impl Fn(&T) -> u32,
    what: &str,
) -> Result<T> {
    let text = std::str::from_utf8(bytes)
        .map_err(|e| Error::corrupt(format!("{what} is not UTF-8")).caused_by(e))?;
    versioned(text, version, what)
}

/// Reads JSON that has a version `v`, and refuses a newer one.
pub(crate) fn versioned<'a, T: Deserialize<'a>>(
    json: &'a str,
    version: impl Fn(&T) -> u32,
    what: &str,
) -> Result<T> {
    #[derive(Deserialize)]
    struct Version {
        v: u32,
    }
    let parsed = serde_json::from_str::<T>(json);
    // A newer form need not have the fields of ours: then only its version is read.
    let v = match &parsed {
        Ok(thing) => Some(version(thing)),
        Err(_) => serde_json::from_str(json).ok().map(|Version { v }| v),
    };
    if let Some(v) = v.filter(|v| *v > VERSION) {
        return Err(newer(what, v));
    }
    parsed.map_err(|e| Error::corrupt(format!("{what} cannot be read")).caused_by(e))
}

/// A newer program wrote it.
pub(crate) fn newer(what: &str, v: u32) -> Error {
    let detail = format!("{what} has version {v}, this program reads up to {VERSION}: upgrade");
    Error::because(crate::Case::Corrupt, "newer_format", detail)
}
