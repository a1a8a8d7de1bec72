//! Golden files of records: read, understood, and written again with the same bytes.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod support;

use half::f16;
use holdfast_core::attachment::Attachment;
use holdfast_core::fold::{Applied, View};
use holdfast_core::graves::Of;
use holdfast_core::message::{Message, MessageBody, MessageVectors, Original, Role};
use holdfast_core::purge::Purge;
use holdfast_core::record::{Header, Kind, Record, Stamp, WalObject, Writer, WriterKind};
use holdfast_core::retention::UserFields;
use holdfast_core::session::SessionFields;
use holdfast_core::thing::{ThingBody, ThingKind};
use holdfast_core::{Case, Hlc, Scope, SessionId, TenantId, UserId};
use support::{by, order, saying};

fn golden(name: &str) -> Vec<u8> {
    let path = format!("{}/tests/records/{name}.jsonl", env!("CARGO_MANIFEST_DIR"));
    std::fs::read(path).unwrap()
}

/// Reads a golden object and checks that it is written as it was.
fn read(name: &str) -> WalObject {
    let bytes = golden(name);
    let object = WalObject::decode(&bytes).unwrap();
    assert_eq!(String::from_utf8(object.encode().unwrap()), String::from_utf8(bytes));
    object
}

fn message(record: &Record) -> Message {
    MessageBody::decode(record.body.as_ref().unwrap()).unwrap().message
}

fn stamped(kind: Kind, id: &str, by: Writer, body: Box<serde_json::value::RawValue>) -> Record {
    let stamp = Stamp { at: Hlc(0x019d_0aa3_cc00_0000), by };
    Record::new(kind, id, &SessionId::parse("s/é 1").unwrap(), &stamp, body)
}

/// What this program writes for a message is what the golden file holds at `line`.
fn writes(name: &str, line: usize, id: &str, message: Message, vectors: Vec<MessageVectors>) {
    let body = MessageBody::new(message, vectors).unwrap().encode().unwrap();
    let record = stamped(Kind::Message, id, by(WriterKind::Service, "k1"), body);
    let object = WalObject { header: Header::default(), records: vec![record] };
    let written = String::from_utf8(object.encode().unwrap()).unwrap();
    let golden = String::from_utf8(golden(name)).unwrap();
    assert_eq!(written.lines().nth(1), golden.lines().nth(line));
}

#[test]
fn every_golden_file_of_this_version_is_written_as_it_was_read() {
    let folder = format!("{}/tests/records", env!("CARGO_MANIFEST_DIR"));
    let names = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
    let names: Vec<String> = names.map(|name| name.into_string().unwrap()).collect();
    let current = names.iter().filter_map(|name| name.strip_suffix("-v1.jsonl"));
    assert_eq!(current.map(|name| read(&format!("{name}-v1"))).count(), 17);
}

#[test]
fn an_attachment_names_the_objects_that_hold_its_bytes() {
    let object = read("attachment-v1");
    let scope = Scope { tenant: TenantId::parse("t").unwrap(), user: UserId::parse("u").unwrap() };
    for (record, sizes) in object.records.iter().zip([&[4_194_304, 3][..], &[]]) {
        assert_eq!(record.kind, Kind::Thing(ThingKind::Attachment));
        let body = ThingBody::decode(record.body.as_ref().unwrap()).unwrap();
        let attachment = Attachment::read(&body.text).unwrap();
        let pieces = attachment.pieces(&scope, 0, attachment.size).unwrap();
        assert_eq!(pieces.iter().map(|piece| piece.length).collect::<Vec<_>>(), sizes);
        let again = ThingBody::new(&attachment, Vec::new()).unwrap();
        assert_eq!(again.encode().unwrap().get(), record.body.as_ref().unwrap().get());
    }
    assert!(Purge::of(&object.records[2]).is_some());
}

#[test]
fn an_erase_is_of_no_session_and_says_all_by_its_time() {
    let object = read("erase-v1");
    let id = "01KM5DVDW0000000000000000E";
    let stamp = Stamp { at: Hlc(0x019d_0aa3_cc00_0000), by: by(WriterKind::Service, "k1") };
    let written = WalObject { header: Header::default(), records: vec![Record::erase(id, &stamp)] };
    assert_eq!(written.encode().unwrap(), golden("erase-v1"));
    let mut view = View::default();
    view.apply([(&object.records[0], order(1, 1))]).unwrap();
    assert_eq!(view.graves().erased(), Some(order(1, 1).hlc));
}

#[test]
fn a_session_keeps_its_fields() {
    let object = read("session-v1");
    assert_eq!(object.records[0].kind, Kind::Session);
    let fields = SessionFields::decode(object.records[0].body.as_ref().unwrap()).unwrap();
    assert_eq!(fields.name.as_deref(), Some("Trip"));
    assert_eq!(fields.status.as_deref(), Some("archived"));
    assert_eq!(fields.metadata.as_deref(), Some("{\"a\" : 1}"));
    assert_eq!(object.records[1].by, by(WriterKind::User, "k2"));
    let record =
        stamped(Kind::Session, "s/é 1", by(WriterKind::Service, "k1"), fields.encode().unwrap());
    let again = WalObject { header: Header::default(), records: vec![record] }.encode().unwrap();
    assert!(golden("session-v1").starts_with(&again));
}

#[test]
fn a_message_keeps_its_text() {
    let object = read("message-text-v1");
    let expected = saying(Role::User, "naïve \"quote\"\n\t😀 \u{1}");
    assert_eq!(message(&object.records[0]), expected);
    writes("message-text-v1", 1, "m1", expected, Vec::new());
}

#[test]
fn a_message_keeps_the_json_text_of_its_free_parts() {
    let object = read("message-blocks-v1");
    let expected = Message {
        content: None,
        blocks: Some(
            "[ {\"type\":\"text\",\"text\":\"one\"},\n\"two\", {\"type\":\"image_url\"}]"
                .to_owned(),
        ),
        name: Some("Ann".to_owned()),
        parent_id: Some("m1".to_owned()),
        event_time: Some("2026-01-31T12:00:00+01:00".to_owned()),
        metadata: Some(r#"{"topic": "caf\u00e9", "n":1.50}"#.to_owned()),
        extra: Some("{}".to_owned()),
        tool_calls: Some(r#"[{"id":"c1","name":"f","args":{}}]"#.to_owned()),
        ..saying(Role::Assistant, "")
    };
    assert_eq!(message(&object.records[0]), expected);
    assert_eq!(expected.text(), "one\ntwo");
    assert_eq!(expected.speaker(), "Ann");
    assert_eq!(expected.tool_call_ids(), ["c1"]);
    writes("message-blocks-v1", 1, "m2", expected, Vec::new());
    let answer = Message { tool_call_id: Some("c1".to_owned()), ..saying(Role::Tool, "42") };
    writes("message-blocks-v1", 2, "m3", answer, Vec::new());
}

#[test]
fn a_message_keeps_its_vectors_and_they_are_no_part_of_its_identity() {
    let object = read("message-vectors-v1");
    let body = MessageBody::decode(object.records[0].body.as_ref().unwrap()).unwrap();
    let vectors = vec![MessageVectors {
        space: "minilm-l6-v2/f32/384/cos/t256/spk1".to_owned(),
        chunks: vec![(0, 1), (1, 2)],
        values: [1.0, -0.5, 0.0, 0.25].map(f16::from_f32).to_vec(),
    }];
    assert_eq!(body.vectors, vectors);
    assert_eq!(MessageBody::new(body.message.clone(), Vec::new()).unwrap().digest, body.digest);
    writes("message-vectors-v1", 1, "m4", body.message, vectors);
}

#[test]
fn a_message_keeps_the_item_that_it_came_as() {
    let object = read("message-original-v1");
    let original = Original {
        format: "langchain".to_owned(),
        before: "{\"type\":\"human\",\n \"data\":{\"content\":".to_owned(),
        after: Some(",\"id\":\"h1\"}}".to_owned()),
    };
    let expected = Message {
        external_id: Some("h1".to_owned()),
        original: Some(original),
        ..saying(Role::User, "hi")
    };
    assert_eq!(message(&object.records[0]), expected);
    writes("message-original-v1", 1, "m5", expected, Vec::new());
    let whole = message(&object.records[1]).original.unwrap();
    assert_eq!(
        (whole.before.as_str(), whole.after),
        (r#"{"role":"system","content":"\u00e9"}"#, None)
    );
}

#[test]
fn a_tombstone_says_what_it_deletes() {
    let object = read("tombstone-v1");
    let of = |record: &Record| Of::decode(record.body.as_ref().unwrap()).unwrap();
    let all: Vec<_> = object.records.iter().map(of).collect();
    assert_eq!(all, [Some(Of::Message), Some(Of::Session), None]);
    assert!(object.records.iter().all(|record| record.kind == Kind::Tombstone));
    let by = by(WriterKind::Service, "k1");
    let record = stamped(Kind::Tombstone, "m1", by, Of::Message.encode().unwrap());
    let again = WalObject { header: Header::default(), records: vec![record] }.encode().unwrap();
    assert!(golden("tombstone-v1").starts_with(&again));
}

#[test]
fn what_is_left_of_a_message_keeps_its_place_and_what_hangs_on_it() {
    let object = read("gone-v1");
    let mut view = View::default();
    let records = object.records.iter().enumerate();
    let records = records.map(|(at, record)| (record, WalObject::order(record, ulid::Ulid(1), at)));
    let applied = view.apply(records).unwrap();
    assert!(applied.iter().all(|a| matches!(a, Applied::Hidden { .. })));
    let body = MessageBody::new(saying(Role::User, "x"), Vec::new()).unwrap();
    let later = stamped(Kind::Message, "m1", by(WriterKind::Service, "k1"), body.encode().unwrap());
    // The same message, whoever writes it again, stays hidden; another is the third.
    view.apply([(&later, WalObject::order(&later, ulid::Ulid(9), 0))]).unwrap();
    assert!(view.is_empty());
    let body = MessageBody::new(saying(Role::User, "y"), Vec::new()).unwrap();
    let mut other =
        stamped(Kind::Message, "m3", by(WriterKind::Service, "k1"), body.encode().unwrap());
    other.at = Hlc(other.at.0 + 2);
    view.apply([(&other, WalObject::order(&other, ulid::Ulid(9), 1))]).unwrap();
    assert_eq!(view.find("s/é 1", "m3").unwrap().rank, 3);
}

#[test]
fn a_user_is_of_no_session_and_is_said_anew_whole() {
    let object = read("user-v1");
    let said = |record: &Record| UserFields::decode(record.body.as_ref().unwrap().get()).unwrap();
    let first = UserFields {
        retention_days: Some(30),
        no_train: true,
        names: vec!["Ann".to_owned(), "Anna".to_owned()],
    };
    assert_eq!(said(&object.records[0]), first);
    assert_eq!(said(&object.records[1]), UserFields::default());
    let stamp = Stamp { at: Hlc(0x019d_0aa3_cc00_0000), by: by(WriterKind::Service, "k1") };
    let record = Record::of_user(Kind::User, "ann", &stamp, first.encode().unwrap());
    let again = WalObject { header: Header::default(), records: vec![record] }.encode().unwrap();
    assert!(golden("user-v1").starts_with(&again));
}

#[test]
fn tombstones_say_whether_bytes_go_and_up_to_when_messages_passed() {
    let object = read("tombstone-modes-v1");
    let purges: Vec<_> = object.records.iter().filter_map(Purge::of).collect();
    let session = SessionId::parse("s/é 1").unwrap();
    let at = |low: u64| Hlc(0x019d_0aa3_cc00_0000 + low);
    assert_eq!(
        purges,
        [
            Purge {
                session: Some(session.clone()),
                id: Some("m1".to_owned()),
                at: at(0),
                kind: None
            },
            Purge { session: Some(session), id: None, at: at(1), kind: None },
            Purge { session: None, id: None, at: Hlc(0x019d_0aa3_0000_0000), kind: None },
            Purge {
                session: None,
                id: Some("mem 1".to_owned()),
                at: at(3),
                kind: Some(ThingKind::Memory),
            },
        ]
    );
    let record = |of: Of, id| {
        stamped(Kind::Tombstone, id, by(WriterKind::Service, "k1"), of.encode_as(true).unwrap())
    };
    let object = WalObject { header: Header::default(), records: vec![record(Of::Message, "m1")] };
    assert!(golden("tombstone-modes-v1").starts_with(&object.encode().unwrap()));
    assert!(read("tombstone-v1").records.iter().all(|record| Purge::of(record).is_none()));
}

#[test]
fn what_was_restored_says_from_what() {
    let object = read("restored-v1");
    let body = MessageBody::decode(object.records[0].body.as_ref().unwrap()).unwrap();
    assert!(body.restored_from.as_deref().unwrap().ends_with("-000000"));
    let plain = MessageBody::new(saying(Role::User, "x"), Vec::new()).unwrap();
    assert_eq!(body.digest, plain.digest, "it is no part of the identity");
    let fields = SessionFields::decode(object.records[1].body.as_ref().unwrap()).unwrap();
    assert_eq!(fields.cleared, ["name"]);
    let from = "019d0aa300000000-01KM5DVDW00000000000000007-000001";
    let written = fields.encode_restored(from).unwrap();
    assert_eq!(written.get(), object.records[1].body.as_ref().unwrap().get());
}

#[test]
fn unknown_kinds_are_carried_and_change_nothing_but_the_clock() {
    let object = read("unknown-kind-v1");
    assert_eq!(object.records[0].kind, Kind::Other("hologram".to_owned()));
    let mut view = View::default();
    let records =
        object.records.iter().map(|record| (record, WalObject::order(record, ulid::Ulid(1), 0)));
    let applied = view.apply(records).unwrap();
    assert!(applied.iter().all(|a| matches!(a, Applied::Unknown)));
    assert!(view.is_empty() && view.session("s/é 1").is_none());
    assert_eq!(view.highest(), Hlc(0x019d_0aa3_cc00_0002));
}

#[test]
fn unknown_fields_of_a_record_its_body_and_its_message_are_carried() {
    let object = read("unknown-fields-v1");
    assert_eq!(message(&object.records[0]), saying(Role::User, "x"));
    // What the caller gave is the identity, fields that we do not know included.
    let plain = MessageBody::new(saying(Role::User, "x"), Vec::new()).unwrap();
    let body = MessageBody::decode(object.records[0].body.as_ref().unwrap()).unwrap();
    assert_ne!(body.digest, plain.digest);
    assert!(body.text.contains(r#""mood":{"a" : 1}"#));
}

#[test]
fn a_sealed_record_is_carried_and_not_taken_for_empty() {
    let object = read("sealed-v1");
    assert!(object.records[0].body.is_none());
    assert!(object.records[0].sealed.as_ref().unwrap().get().contains("nonce"));
    let mut view = View::default();
    let applied = view.apply([(&object.records[0], order(0, 1))]).unwrap();
    assert!(matches!(applied[0], Applied::Unknown));
}

#[test]
fn a_header_names_what_its_writer_knew() {
    let object = read("header-v1");
    assert_eq!(object.header.prev.len(), 2);
    assert!(object.header.head.unwrap().contains("/man/"));
    assert!(object.records.is_empty());
}

#[test]
fn a_newer_version_is_refused_and_says_to_upgrade() {
    for name in ["newer-record-v2", "newer-fields-v2", "newer-header-v2"] {
        let error = WalObject::decode(&golden(name)).unwrap_err();
        assert_eq!((error.case, error.reason), (Case::Corrupt, "newer_format"), "{name}");
        assert!(error.detail.contains("upgrade"), "{name}");
    }
}

#[test]
fn what_is_no_object_is_corrupt() {
    let good = String::from_utf8(golden("message-text-v1")).unwrap();
    let twice = good.replace("\"id\":\"m1\"", "\"id\":\"m1\",\"id\":\"m2\"");
    for bad in [
        "",
        "\n",
        "{}\n",
        "{\"v\":1}",
        good.trim_end(),
        &good[..good.len() / 2],
        &good.replace("\"role\"", "\"role"),
        &good.replace("\"id\":\"m1\",", ""),
        &good.replace("019d0aa3cc000000", "+19d0aa3cc000000"),
        &good.replace("019d0aa3cc000000", "019D0AA3CC000000"),
        &good.replace("service/k1", "robot/k1"),
        &format!("{good}\n"),
        &twice,
    ] {
        let error = WalObject::decode(bad.as_bytes()).unwrap_err();
        assert_eq!((error.case, error.reason), (Case::Corrupt, "corrupt"), "{bad:?}");
    }
    assert_eq!(WalObject::decode(b"{\"v\":1}\n\xff\n").unwrap_err().case, Case::Corrupt);
}

#[test]
fn json_of_several_lines_never_breaks_a_line() {
    let body = serde_json::value::RawValue::from_string("{\n}".to_owned()).unwrap();
    let kind = Kind::Other("hologram".to_owned());
    let record = stamped(kind, "h", by(WriterKind::Service, "k1"), body);
    let object = WalObject { header: Header::default(), records: vec![record] };
    assert_eq!(object.encode().unwrap_err().case, Case::Internal);
}
