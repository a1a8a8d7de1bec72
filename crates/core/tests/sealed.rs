//! Segments, covers and manifests: what is written is read again, old files stay readable, and no bytes do harm.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use half::f16;
use holdfast_core::cover::Cover;
use holdfast_core::manifest::{Entry, Manifest};
use holdfast_core::message::{Message, MessageBody, MessageVectors, Role};
use holdfast_core::record::{Header, Kind, Line, Record, Stamp, WalObject, Writer, WriterKind};
use holdfast_core::segment::{cover_within, open, open_session, seal};
use holdfast_core::{Case, Hlc, SessionId};
use proptest::prelude::*;
use serde_json::{Map, json};
use ulid::Ulid;

fn golden(name: &str) -> Vec<u8> {
    std::fs::read(format!("{}/tests/sealed/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

fn stays(name: &str, bytes: &[u8]) {
    assert_eq!(golden(name), bytes, "{name}");
}

fn message(id: &str, session: &str, text: &str, vectors: Vec<MessageVectors>) -> Record {
    let message = Message::saying(Role::User, text);
    let body = MessageBody::new(message, vectors).unwrap().encode().unwrap();
    let by = Writer { kind: WriterKind::Service, key: "k1".to_owned() };
    let stamp = Stamp { at: Hlc(0x019d_0aa3_cc00_0000), by };
    Record::new(Kind::Message, id, &SessionId::parse(session).unwrap(), &stamp, body)
}

fn vectors(space: &str, bits: &[u16]) -> MessageVectors {
    let values = bits.iter().map(|bits| f16::from_bits(*bits)).collect();
    MessageVectors { space: space.to_owned(), chunks: vec![(0, 2)], values }
}

fn object(records: Vec<Record>) -> Vec<u8> {
    WalObject { header: Header::default(), records }.encode().unwrap()
}

/// Two WAL objects: messages with and without vectors in two sessions, and what a newer program wrote.
fn lines() -> Vec<Line> {
    let two = vec![vectors("a/2", &[0x3c00, 0xbc01]), vectors("b/1", &[1])];
    let one = object(vec![
        message("m1", "trip", "naïve \"quote\"\n", two),
        message("m2", "other", "no vectors", Vec::new()),
    ]);
    let other = "{\"v\":1}\n{\"v\":1, \"kind\":\"wish\",\"x\" : [1, 2],\"id\":\"w\",\"at\":\"0000000000000007\",\"by\":\"admin/k\"}\n";
    let mut lines = WalObject::lines(Ulid(1 << 80), &one).unwrap().1;
    lines.extend(WalObject::lines(Ulid(2 << 80), other.as_bytes()).unwrap().1);
    lines
}

fn names() -> Vec<String> {
    ["b", "a"].map(|name| format!("wal/20260320/{name}.jsonl")).to_vec()
}

fn manifest() -> Manifest {
    let mut manifest = Manifest::new(
        1_774_000_000_000,
        1_773_999_000_000,
        vec!["man/p".into()],
        vec!["man/a".into()],
    );
    manifest.segments.push(Entry {
        seg: "seg/s".to_owned(),
        cov: "cov/c".to_owned(),
        idx: None,
        bytes: 10,
        records: 2,
        texts: 20,
        tier: 1,
        oldest: Ulid(1 << 80),
        newest: Ulid(2 << 80),
        purged: None,
        unknown: Map::new(),
    });
    manifest
}

#[test]
fn golden_files_are_written_as_they_were() {
    let sealed = seal(lines(), names(), vec!["man/x".into()]).unwrap();
    stays("segment-attached-v1.zst", &sealed.segment);
    stays("cover-attached-v1.zst", &sealed.bytes_of_cover);
    stays("manifest-v1.json", &manifest().encode().unwrap());
}

#[test]
fn golden_files_are_read() {
    // The first says nothing of attachments.
    for (form, attached) in [("v1", None), ("attached-v1", Some(false))] {
        let segment = golden(&format!("segment-{form}.zst"));
        let cover = Cover::decode(&golden(&format!("cover-{form}.zst"))).unwrap();
        assert_eq!(cover_within(&segment).unwrap(), cover);
        assert_eq!((cover.records(), cover.names.as_slice()), (3, &["man/x".to_owned()][..]));
        assert!(cover.sessions.iter().all(|frames| frames.attached == attached));
        let mut expected = lines();
        expected
            .sort_by(|one, other| (&one.session, one.order).cmp(&(&other.session, other.order)));
        assert_eq!(open(&segment, &cover).unwrap(), expected);
    }
    assert_eq!(Manifest::decode(&golden("manifest-v1.json")).unwrap(), manifest());
}

#[test]
fn vectors_lie_in_their_own_frame_and_a_session_is_read_alone() {
    let sealed = seal(lines(), names(), Vec::new()).unwrap();
    let trip = sealed.cover.sessions.last().unwrap();
    assert_eq!(trip.session.as_ref().unwrap().as_str(), "trip");
    assert!(trip.vectors.is_some() && sealed.cover.sessions[0].vectors.is_none());
    // Nothing but its own frames is needed.
    let mut segment = sealed.segment.clone();
    let start = usize::try_from(trip.texts.at).unwrap();
    segment[..start].fill(0);
    let read = open_session(&segment, trip).unwrap();
    assert_eq!(read.len(), 1);
    assert!(read[0].text.contains("\"space\":\"b/1\""));
}

#[test]
fn equal_records_give_equal_bytes_in_whatever_order_and_number_they_come() {
    let one = seal(lines(), names(), Vec::new()).unwrap();
    let twice = lines().into_iter().rev().chain(lines()).collect();
    let other = seal(twice, names().into_iter().rev().chain(names()).collect(), names()).unwrap();
    assert_eq!(one, other);
}

#[test]
fn a_newer_version_is_refused_with_what_to_do() {
    let mut segment = seal(lines(), names(), Vec::new()).unwrap().segment;
    let end = segment.len();
    segment[end - 2] = b'2';
    for error in [cover_within(&segment).unwrap_err(), Manifest::decode(b"{\"v\":2}").unwrap_err()]
    {
        assert_eq!((error.case, error.reason), (Case::Corrupt, "newer_format"));
        assert!(error.detail.contains("upgrade"));
    }
}

#[test]
fn what_a_newer_manifest_says_beyond_ours_is_carried() {
    let text = json!({
        "v": 1, "begun": 1, "from": 2, "parents": [], "ancestors": [], "more": {"a": [1, 2.5]},
        "segments": [{
            "seg": "s", "cov": "c", "idx": "i", "bytes": 1, "records": 1, "texts": 1, "tier": 0,
            "oldest": Ulid(1).to_string(), "newest": Ulid(2).to_string(), "new": true
        }]
    });
    let manifest = Manifest::decode(text.to_string().as_bytes()).unwrap();
    let again: serde_json::Value = serde_json::from_slice(&manifest.encode().unwrap()).unwrap();
    assert_eq!(again, text);
}

#[test]
fn any_flipped_byte_of_a_segment_is_noticed() {
    let sealed = seal(lines(), names(), Vec::new()).unwrap();
    let frames = sealed.cover.sessions.iter().flat_map(|s| [Some(&s.texts), s.vectors.as_ref()]);
    let end = frames.flatten().map(|frame| frame.at + frame.bytes).max().unwrap();
    for at in 0..usize::try_from(end).unwrap() {
        let mut segment = sealed.segment.clone();
        segment[at] ^= 1;
        assert_eq!(open(&segment, &sealed.cover).unwrap_err().reason, "corrupt", "byte {at}");
    }
}

fn some_record() -> impl Strategy<Value = Record> {
    let vectors =
        prop::collection::vec(("[a-z/]{1,4}", prop::collection::vec(any::<u16>(), 1..5)), 0..3);
    (0_u8..9, 0_u8..3, any::<String>(), vectors).prop_map(|(id, session, text, all)| {
        let all = all.iter().map(|(space, bits)| vectors_of(space, bits)).collect();
        message(&format!("m{id}"), &format!("s{session}"), &text, all)
    })
}

fn vectors_of(space: &str, bits: &[u16]) -> MessageVectors {
    vectors(space, bits)
}

proptest! {
    #[test]
    fn records_come_back_to_the_byte(
        objects in prop::collection::vec(prop::collection::vec(some_record(), 1..5), 0..8),
    ) {
        let mut lines = Vec::new();
        for (at, records) in objects.into_iter().enumerate() {
            let ulid = Ulid::from_parts(at as u64 + 1, 7);
            lines.extend(WalObject::lines(ulid, &object(records)).unwrap().1);
        }
        let sealed = seal(lines.clone(), names(), Vec::new()).unwrap();
        let mut read = open(&sealed.segment, &Cover::decode(&sealed.bytes_of_cover).unwrap()).unwrap();
        lines.sort();
        read.sort();
        prop_assert_eq!(read, lines);
    }

    #[test]
    fn foreign_json_in_a_record_comes_back_to_the_byte(
        body in "(\\{\"vectors\":\\[\\]\\}|\\{\"message\":1,\"vectors\":\\[ \\]\\}|\\{\"vectors\":[0-9],\"message\":\\{\\}\\}|\\{\"message\":\\{\"a\" : 1\\},\"vectors\":\\[\\{\"space\":\"a\",\"chunks\":\\[\\[0,1\\]\\],\"f16\":\"ADw=\"\\}\\]\\}| \\[1 \\])",
        spaces in "[ ]{0,2}",
    ) {
        let text = format!("{{\"v\":1,{spaces}\"kind\":\"message\",\"body\":{body},\"id\":\"i\",\"at\":\"0000000000000001\",\"by\":\"user/k\",\"session\":\"s\"{spaces}}}");
        let line = Line::read(Ulid(9), 3, &text).unwrap();
        let sealed = seal(vec![line.clone()], names(), Vec::new()).unwrap();
        prop_assert_eq!(open(&sealed.segment, &sealed.cover).unwrap(), vec![line]);
    }

    #[test]
    fn no_bytes_make_a_decoder_fall_over(
        bytes in prop::collection::vec(any::<u8>(), 0..200),
        at in 0_usize..2_000,
        with: u8,
    ) {
        let sealed = seal(lines(), names(), Vec::new()).unwrap();
        let _ = (Cover::decode(&bytes), Manifest::decode(&bytes), cover_within(&bytes));
        let _ = open(&bytes, &sealed.cover);
        let mut segment = sealed.segment;
        let at = at % segment.len();
        segment[at] = with;
        let _ = (cover_within(&segment), open(&segment, &sealed.cover));
        let mut cover = sealed.bytes_of_cover;
        let at = at % cover.len();
        cover[at] = with;
        let _ = Cover::decode(&cover);
        let mut manifest = manifest().encode().unwrap();
        let at = at % manifest.len();
        manifest[at] = with;
        let _ = Manifest::decode(&manifest);
    }
}
