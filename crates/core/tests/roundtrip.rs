//! Whatever is written is read again: messages, sessions, vectors and whole objects.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod support;

use half::f16;
use holdfast_core::message::{Message, MessageBody, MessageVectors, Original, Role};
use holdfast_core::record::{Header, Kind, Record, Stamp, WalObject, WriterKind};
use holdfast_core::session::SessionFields;
use holdfast_core::{Hlc, MessageId, Order, SessionId};
use proptest::option::of;
use proptest::prelude::*;
use support::by;

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        "[ -~\n\r\t]{0,12}",
        prop::collection::vec(any::<char>(), 0..8).prop_map(String::from_iter)
    ]
}

fn message() -> impl Strategy<Value = Message> {
    let original = (text(), text(), of(text())).prop_map(|(format, before, after)| Original {
        format,
        before,
        after,
    });
    let role = prop::sample::select(Role::ALL.to_vec());
    let one = (role, of(text()), of(text()), of(text()), of(text()), of(text()));
    let other = (of(text()), of(text()), of(text()), of(text()), of(text()), of(original));
    (one, other).prop_map(|(one, other)| Message {
        role: one.0,
        content: one.1,
        blocks: one.2,
        name: one.3,
        parent_id: one.4,
        event_time: one.5,
        metadata: other.0,
        extra: other.1,
        tool_calls: other.2,
        tool_call_id: other.3,
        external_id: other.4,
        original: other.5,
    })
}

fn vectors() -> impl Strategy<Value = MessageVectors> {
    (text(), 1..4_usize, 1..5_usize).prop_flat_map(|(space, chunks, dimensions)| {
        let bits = prop::collection::vec(any::<u16>(), chunks * dimensions);
        let chunks = prop::collection::vec(any::<(u32, u32)>(), chunks);
        (Just(space), chunks, bits).prop_map(|(space, chunks, bits)| MessageVectors {
            space,
            chunks,
            values: bits.into_iter().map(f16::from_bits).collect(),
        })
    })
}

fn bits(vectors: &[MessageVectors]) -> String {
    let bits = |v: &MessageVectors| v.values.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
    let each = vectors.iter().map(|v| format!("{} {:?} {:?}", v.space, v.chunks, bits(v)));
    each.collect::<Vec<_>>().join(
        "
",
    )
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn an_object_of_messages_is_read_as_it_was_written(
        messages in prop::collection::vec((message(), prop::collection::vec(vectors(), 0..3), any::<u64>()), 0..5),
        prev in prop::collection::vec(text(), 0..9), head in of(text()),
    ) {
        let session = SessionId::parse("s").unwrap();
        let records = messages.iter().map(|(message, vectors, at)| {
            let stamp = Stamp { at: Hlc(*at), by: by(WriterKind::User, "k/1") };
            let body = MessageBody::new(message.clone(), vectors.clone()).unwrap().encode().unwrap();
            Record::new(Kind::Message, "m", &session, &stamp, body)
        });
        let object = WalObject { header: Header { v: 1, prev, head }, records: records.collect() };
        let bytes = object.encode().unwrap();
        let read = WalObject::decode(&bytes).unwrap();
        prop_assert_eq!(&read.header, &object.header);
        prop_assert_eq!(read.encode().unwrap(), bytes);
        for (record, (message, vectors, at)) in read.records.iter().zip(&messages) {
            prop_assert_eq!(record.at, Hlc(*at));
            prop_assert_eq!(&record.by, &by(WriterKind::User, "k/1"));
            let body = MessageBody::decode(record.body.as_ref().unwrap()).unwrap();
            prop_assert_eq!(&body.message, message);
            prop_assert_eq!(body.digest, MessageBody::new(message.clone(), Vec::new()).unwrap().digest);
            prop_assert_eq!(bits(&body.vectors), bits(vectors));
        }
    }

    #[test]
    fn a_session_is_read_as_it_was_written(name in of(text()), kind in of(text()), status in of(text()), metadata in of(text())) {
        let fields = SessionFields { name, kind, status, metadata, ..Default::default() };
        prop_assert_eq!(SessionFields::decode(&fields.encode().unwrap()).unwrap(), fields);
    }

    #[test]
    fn different_messages_have_different_digests(one in message(), other in message()) {
        let digest = |m: &Message| MessageBody::new(m.clone(), Vec::new()).unwrap().digest;
        prop_assert_eq!(digest(&one) == digest(&other), one == other);
    }

    #[test]
    fn whatever_the_bytes_decoding_answers(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
        let _ = WalObject::decode(&bytes);
    }

    #[test]
    fn orders_and_ids_round_trip(hlc: u64, ulid: u128, position in 0..0x00ff_ffff_u32, id in text()) {
        let order = Order { hlc: Hlc(hlc), ulid: ulid::Ulid(ulid), position };
        prop_assert_eq!(Order::parse(&order.to_string()).unwrap(), order);
        if let Ok(id) = MessageId::parse(&id) {
            let json = serde_json::to_string(&id).unwrap();
            prop_assert_eq!(serde_json::from_str::<MessageId>(&json).unwrap(), id);
        }
    }
}

#[test]
fn vectors_that_do_not_fit_their_chunks_are_not_written() {
    let message = || support::saying(Role::User, "x");
    for (chunks, components) in [(0, 0), (0, 4), (1, 0), (2, 3)] {
        let values = vec![f16::ONE; components];
        let vectors =
            MessageVectors { space: "s".to_owned(), chunks: vec![(0, 1); chunks], values };
        assert!(MessageBody::new(message(), vec![vectors]).is_err(), "{chunks} {components}");
    }
}

#[test]
fn one_odd_block_or_call_does_not_hide_the_others() {
    let blocks =
        r#"["a",{"type":"x","n":1e999},{"text":7},{"text":"b","k":"\ud800"},7,{"text":"c"}]"#;
    let calls = r#"[{"id":7},7,{"id":"c1"},{"name":"f"},{"id":null},{"id":"c2","x":1e999}]"#;
    let message = Message {
        content: None,
        blocks: Some(blocks.to_owned()),
        tool_calls: Some(calls.to_owned()),
        ..support::saying(Role::Assistant, "")
    };
    assert_eq!(message.text(), "a\nb\nc");
    assert_eq!(message.tool_call_ids(), ["c1", "c2"]);
}
