//! What the tests of records and folds share: stamps, orders, messages.
#![allow(dead_code, reason = "each test file uses its part")]
#![allow(clippy::unwrap_used, reason = "tests")]

use holdfast_core::graves::Of;
use holdfast_core::message::{Message, MessageBody, Role};
use holdfast_core::record::{Kind, Record, Stamp, Writer, WriterKind};
use holdfast_core::session::SessionFields;
use holdfast_core::{Hlc, Order, SessionId};
use ulid::Ulid;

/// First moment of the tests, Unix milliseconds.
pub const NOW: u64 = 1_774_000_000_000;

/// A moment of the tests.
pub fn at(tick: u64) -> Hlc {
    Hlc(Hlc::at(NOW).0 + tick)
}

/// An order: a record of that moment in that object.
pub fn order(tick: u64, ulid: u128) -> Order {
    Order { hlc: at(tick), ulid: Ulid(ulid), position: 0 }
}

/// A writer.
pub fn by(kind: WriterKind, key: &str) -> Writer {
    Writer { kind, key: key.to_owned() }
}

/// A message that says `content` and nothing else.
pub fn saying(role: Role, content: &str) -> Message {
    Message::saying(role, content)
}

/// A message's record in `session`.
pub fn record(session: &str, id: &str, tick: u64, message: Message) -> Record {
    let stamp = Stamp { at: at(tick), by: by(WriterKind::Service, "k") };
    let body = MessageBody::new(message, Vec::new()).unwrap().encode().unwrap();
    Record::new(Kind::Message, id, &SessionId::parse(session).unwrap(), &stamp, body)
}

/// A record of a session's fields.
pub fn fields(session: &str, tick: u64, fields: &SessionFields) -> Record {
    let stamp = Stamp { at: at(tick), by: by(WriterKind::Service, "k") };
    let id = SessionId::parse(session).unwrap();
    Record::new(Kind::Session, session, &id, &stamp, fields.encode().unwrap())
}

/// A tombstone of the message `id` of `session`, or of the session.
pub fn tombstone(of: Of, session: &str, id: &str, tick: u64) -> Record {
    let stamp = Stamp { at: at(tick), by: by(WriterKind::Service, "k") };
    let session = SessionId::parse(session).unwrap();
    Record::new(Kind::Tombstone, id, &session, &stamp, of.encode().unwrap())
}
