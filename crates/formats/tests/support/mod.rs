//! What the tests of formats share: storing a message as its record's bytes, and random JSON text.
#![allow(dead_code, reason = "each test file uses its part")]
#![allow(clippy::unwrap_used, reason = "tests")]

use holdfast_core::message::{Message, MessageBody};
use holdfast_core::record::{Header, Kind, Record, Stamp, VERSION, WalObject, Writer, WriterKind};
use holdfast_core::{Hlc, Order, SessionId};
use holdfast_formats::{Batch, NewMessage, Problem, Stored};
use proptest::prelude::*;

/// The messages as a reader gets them after they were written to an object and read again.
pub fn stored(messages: Vec<NewMessage>) -> Vec<Message> {
    let session = SessionId::parse("s").unwrap();
    let by = Writer { kind: WriterKind::Service, key: "k".to_owned() };
    let record = |(at, new): (u64, NewMessage)| {
        let stamp = Stamp { at: Hlc::at(1_774_000_000_000 + at), by: by.clone() };
        let body = MessageBody::new(new.message, Vec::new()).unwrap().encode().unwrap();
        Record::new(Kind::Message, &format!("m{at}"), &session, &stamp, body)
    };
    let header = Header { v: VERSION, ..Header::default() };
    let records = (0..).zip(messages).map(record).collect();
    let bytes = WalObject { header, records }.encode().unwrap();
    let read = WalObject::decode(&bytes).unwrap().records;
    read.iter().map(|r| MessageBody::decode(r.body.as_ref().unwrap()).unwrap().message).collect()
}

/// The messages with ids `m1`, `m2`, … in this order.
pub fn listed<'a>(ids: &'a [String], messages: &'a [Message]) -> Vec<Stored<'a>> {
    let order = |at: usize| Order {
        hlc: Hlc::at(1_774_000_000_000),
        ulid: ulid::Ulid(7),
        position: u32::try_from(at).unwrap(),
    };
    let stored = |(at, (id, message)): (usize, (&'a String, &'a Message))| Stored {
        id,
        conflict_of: None,
        index: u32::try_from(at + 1).unwrap(),
        order: order(at),
        restored_from: None,
        message,
    };
    ids.iter().zip(messages).enumerate().map(stored).collect()
}

/// Ids `m1`, `m2`, ….
pub fn ids(count: usize) -> Vec<String> {
    (1..=count).map(|n| format!("m{n}")).collect()
}

/// All that is wrong with a batch.
pub fn problems(batch: Batch) -> Vec<Problem> {
    batch.all().unwrap_err().0
}

/// Pointers and codes of all that is wrong with a batch.
pub fn places(batch: Batch) -> Vec<(String, &'static str)> {
    problems(batch).into_iter().map(|p| (p.pointer, p.code)).collect()
}

/// White space as JSON allows it.
pub fn space() -> impl Strategy<Value = String> {
    prop_oneof![4 => Just(String::new()), 1 => "[ \t\n\r]{1,3}"]
}

/// JSON text of a string, with escapes that nobody needs.
pub fn string() -> impl Strategy<Value = String> {
    let units = |c: char| {
        let mut units = [0; 2];
        c.encode_utf16(&mut units).iter().map(|u| format!("\\u{u:04X}")).collect::<String>()
    };
    let plain = |c: char| {
        let quoted = serde_json::to_string(&c).unwrap();
        quoted[1..quoted.len() - 1].to_owned()
    };
    let piece = prop_oneof![
        4 => "[a-z 0-9]{1,4}",
        2 => any::<char>().prop_map(plain),
        2 => any::<char>().prop_map(units),
        1 => prop::sample::select(vec!["\\/", "\\b", "\\f", "\\n", "\\\"", "\\\\", "😀", "é", "{{", "]"])
            .prop_map(str::to_owned),
    ];
    prop::collection::vec(piece, 0..6).prop_map(|pieces| format!("\"{}\"", pieces.concat()))
}

/// JSON text of any value that is not too deep.
pub fn value() -> impl Strategy<Value = String> {
    let number = "-?(0|[1-9][0-9]{0,20})(\\.[0-9]{1,8})?([eE][+-]?[0-9]{1,3})?";
    let leaf = prop_oneof![
        Just("null".to_owned()),
        Just("true".to_owned()),
        number.prop_map(|n| n),
        string(),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        let items = prop::collection::vec(inner.clone(), 0..4);
        prop_oneof![
            (items, space())
                .prop_map(|(items, s)| format!("[{s}{}{s}]", items.join(&format!("{s},")))),
            object_of(prop::collection::vec((string(), inner), 0..4)),
        ]
    })
}

/// JSON text of an object with these fields (names as JSON text), spaced at random.
pub fn object_of(
    fields: impl Strategy<Value = Vec<(String, String)>>,
) -> impl Strategy<Value = String> {
    (fields, space(), space(), space()).prop_map(|(fields, a, b, c)| {
        let fields: Vec<String> =
            fields.into_iter().map(|(name, value)| format!("{a}{name}{b}:{c}{value}{a}")).collect();
        format!("{{{b}{}{c}}}", fields.join(","))
    })
}

/// JSON text of any object.
pub fn object() -> impl Strategy<Value = String> {
    object_of(prop::collection::vec((string(), value()), 0..4))
}

/// JSON text of a content: text or blocks.
pub fn content() -> impl Strategy<Value = String> {
    let block = prop_oneof![
        string(),
        object(),
        string().prop_map(|text| format!("{{\"type\":\"text\",\"text\":{text}}}")),
    ];
    let blocks = (prop::collection::vec(block, 0..4), space())
        .prop_map(|(blocks, s)| format!("[{s}{}]", blocks.join(&format!("{s},{s}"))));
    prop_oneof![string(), blocks]
}
