//! Things in the fold: the newest record stands in whatever order records come, and goes with what it was made of.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod support;

use half::f16;
use holdfast_core::fold::View;
use holdfast_core::graves::{Graves, Of};
use holdfast_core::memory::{Event, Memory, content_hash};
use holdfast_core::message::{MessageVectors, Role};
use holdfast_core::record::{Kind, Record, Stamp, WalObject, WriterKind};
use holdfast_core::segment;
use holdfast_core::thing::{Source, ThingBody, ThingKind};
use holdfast_core::{Order, SessionId};
use proptest::prelude::*;
use support::{at, by, order, record, saying, tombstone};

fn stamp(tick: u64) -> Stamp {
    Stamp { at: at(tick), by: by(WriterKind::Service, "k") }
}

fn memory(text: &str) -> Memory {
    Memory {
        text: text.to_owned(),
        category: None,
        importance: "0.5".to_owned(),
        metadata: None,
        expires_at: None,
        event: Event::Saved,
    }
}

fn source(session: &str, message: Option<&str>, tick: u64) -> Source {
    let session = SessionId::parse(session).unwrap();
    Source {
        session,
        message: message.map(str::to_owned),
        order: order(tick, 1),
        start: None,
        end: None,
    }
}

fn saved(id: &str, tick: u64, text: &str, sources: &[Source]) -> Record {
    let body = ThingBody::new(&memory(text), sources.to_vec()).unwrap();
    Record::thing(ThingKind::Memory, (None, id), &stamp(tick), &body).unwrap()
}

fn entry(session: &str, id: &str, tick: u64) -> Record {
    let session = SessionId::parse(session).unwrap();
    let body = ThingBody::new(&serde_json::json!({"value": "v"}), Vec::new()).unwrap();
    Record::thing(ThingKind::Context, (Some(&session), id), &stamp(tick), &body).unwrap()
}

fn forgotten(id: &str, tick: u64) -> Record {
    Record::tombstone(Of::Thing(ThingKind::Memory), (None, id), &stamp(tick)).unwrap()
}

fn folded(records: &[(Record, Order)]) -> View {
    let mut view = View::default();
    view.apply(records.iter().map(|(record, order)| (record, *order))).unwrap();
    view
}

fn text(view: &View, id: &str) -> Option<String> {
    let found = view.thing(ThingKind::Memory, "", id)?;
    Some(Memory::read(&found.last()?.text).unwrap().text)
}

#[test]
fn the_newest_record_of_a_thing_stands_and_the_others_are_its_history() {
    let records =
        [(saved("m", 2, "new", &[]), order(2, 2)), (saved("m", 1, "old", &[]), order(1, 1))];
    let view = folded(&records);
    assert_eq!(text(&view, "m").unwrap(), "new");
    let found = view.thing(ThingKind::Memory, "", "m").unwrap();
    let texts = found.versions.iter().map(|v| Memory::read(&v.text).unwrap().text);
    assert_eq!(texts.collect::<Vec<_>>(), ["old", "new"]);
    assert_eq!(found.created(), at(1));
    let then = found.as_of(at(1)).unwrap();
    assert_eq!(Memory::read(&then.last().unwrap().text).unwrap().text, "old");
    assert!(found.as_of(at(0)).is_none());
}

#[test]
fn a_copy_of_a_record_is_no_version_and_brings_its_vectors() {
    let first = saved("m", 1, "x", &[]);
    let mut body = ThingBody::new(&memory("x"), Vec::new()).unwrap();
    let values = vec![f16::from_f32(1.0)];
    body.vectors = vec![MessageVectors { space: "a/b/1".into(), chunks: vec![(0, 1)], values }];
    let again = Record::thing(ThingKind::Memory, (None, "m"), &stamp(1), &body).unwrap();
    for records in [
        [(first.clone(), order(1, 1)), (again.clone(), order(1, 2))],
        [(again, order(1, 2)), (first, order(1, 1))],
    ] {
        let view = folded(&records);
        let found = view.thing(ThingKind::Memory, "", "m").unwrap();
        assert_eq!(found.versions.len(), 1);
        assert_eq!((found.versions[0].order, found.versions[0].vectors.len()), (order(1, 1), 1));
    }
}

#[test]
fn a_deleted_thing_is_gone_and_a_later_record_opens_it_anew() {
    let mut records =
        vec![(saved("m", 1, "old", &[]), order(1, 1)), (forgotten("m", 5), order(5, 2))];
    assert_eq!(text(&folded(&records), "m"), None);
    records.push((saved("m", 4, "late", &[]), order(4, 3)));
    assert_eq!(text(&folded(&records), "m"), None, "written before the delete");
    records.push((saved("m", 6, "anew", &[]), order(6, 4)));
    let view = folded(&records);
    assert_eq!(view.thing(ThingKind::Memory, "", "m").unwrap().versions.len(), 1);
    assert_eq!(text(&view, "m").unwrap(), "anew");
}

#[test]
fn a_thing_goes_with_any_message_that_it_was_made_of_and_with_its_session() {
    let of = |session: &str| [source(session, Some("a"), 1), source(session, Some("b"), 2)];
    let promoted = (saved("m", 3, "x", &of("s")), order(3, 3));
    for (grave, hidden) in [
        (tombstone(Of::Message, "s", "b", 4), true),
        (tombstone(Of::Message, "s", "c", 4), false),
        (tombstone(Of::Message, "t", "b", 4), false),
        (tombstone(Of::Session, "s", "s", 4), true),
        // The session was deleted and opened anew before the messages were stored.
        (tombstone(Of::Session, "s", "s", 0), false),
    ] {
        let grave = (grave.clone(), Order { hlc: grave.at, ..order(4, 4) });
        for records in [[promoted.clone(), grave.clone()], [grave.clone(), promoted.clone()]] {
            assert_eq!(text(&folded(&records), "m").is_none(), hidden, "{grave:?}");
            let mut graves = Graves::default();
            graves.add(&grave.0, grave.1).unwrap();
            assert_eq!(graves.hides(&promoted.0, promoted.1), hidden);
        }
    }
}

#[test]
fn another_record_from_other_sources_stands_when_one_is_gone() {
    let records = [
        (saved("m", 3, "x", &[source("s", Some("a"), 1)]), order(3, 3)),
        (saved("m", 4, "x", &[source("s", Some("b"), 2)]), order(4, 4)),
        (tombstone(Of::Message, "s", "a", 5), order(5, 5)),
    ];
    let view = folded(&records);
    let found = view.thing(ThingKind::Memory, "", "m").unwrap();
    let left: Vec<_> = found.sources().iter().map(|s| s.message.clone().unwrap()).collect();
    assert_eq!(left, ["b"]);
}

#[test]
fn a_thing_of_a_session_goes_with_it() {
    let view = folded(&[
        (entry("s", "project/a", 1), order(1, 1)),
        (entry("t", "project/a", 1), order(1, 2)),
        (tombstone(Of::Session, "s", "s", 2), order(2, 3)),
        (entry("s", "project/b", 3), order(3, 4)),
    ]);
    let ids = |session| view.things(ThingKind::Context, session).map(|t| t.id).collect::<Vec<_>>();
    assert_eq!((ids("s"), ids("t"), ids("")), (vec!["project/b"], vec!["project/a"], vec![]));
}

#[test]
fn an_erase_takes_things_by_their_sources_and_their_tombstones() {
    let erase = Record::erase("e", &stamp(5));
    let view = folded(&[
        (saved("old", 1, "x", &[]), order(1, 1)),
        (saved("derived", 7, "x", &[source("s", Some("a"), 4)]), order(7, 2)),
        (forgotten("again", 3), order(3, 3)),
        (saved("new", 6, "x", &[]), order(6, 4)),
        (erase, order(5, 5)),
    ]);
    let shown: Vec<_> = view.things(ThingKind::Memory, "").map(|t| t.id).collect();
    assert_eq!(shown, ["new"]);
    assert_eq!(view.graves().thing(ThingKind::Memory, "", "again"), None);
    assert_eq!(view.highest(), at(7));
}

#[test]
fn what_ended_is_not_live() {
    let mut ending = memory("x");
    ending.expires_at = Some("2026-01-01T00:00:00Z".to_owned());
    let body = ThingBody::new(&ending, Vec::new()).unwrap();
    let record = Record::thing(ThingKind::Memory, (None, "m"), &stamp(1), &body).unwrap();
    let view = folded(&[(record, order(1, 1))]);
    let found = view.thing(ThingKind::Memory, "", "m").unwrap();
    let end = found.versions[0].expires_at.unwrap();
    assert!(found.is_live(end - 1) && !found.is_live(end));
}

#[test]
fn a_thing_is_no_activity_of_a_session_and_no_message() {
    let view = folded(&[
        (record("s", "a", 1, saying(Role::User, "x")), order(1, 1)),
        (entry("s", "project/a", 2), order(2, 2)),
        (entry("alone", "project/a", 2), order(2, 3)),
    ]);
    assert_eq!(view.session("s").unwrap().last, order(1, 1));
    assert!(view.session("alone").is_none());
    assert_eq!(view.len(), 1);
}

fn golden(name: &str) -> Vec<u8> {
    std::fs::read(format!("{}/tests/records/{name}.jsonl", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

#[test]
fn a_memory_is_written_as_its_golden_file_holds_it() {
    let mut full = memory("likes \"oolong\" tea");
    full.category = Some("taste".to_owned());
    full.importance = "0.90".to_owned();
    full.metadata = Some("{\"a\" : 1}".to_owned());
    full.expires_at = Some("2030-01-01T00:00:00Z".to_owned());
    full.event = Event::Edited;
    let span = Source { start: Some(3), end: Some(9), ..source("s/é 1", Some("m1"), 0) };
    let mut body = ThingBody::new(&full, vec![span]).unwrap();
    let values = vec![f16::from_f32(0.5), f16::from_f32(-1.0)];
    body.vectors =
        vec![MessageVectors { space: "t/f32/2/cos".into(), chunks: vec![(0, 18)], values }];
    let records = vec![
        Record::thing(ThingKind::Memory, (None, "mem 1"), &stamp(7), &body).unwrap(),
        forgotten("mem 1", 9),
        entry("s/é 1", "project/key", 7),
    ];
    let object = WalObject { header: holdfast_core::record::Header::default(), records };
    let bytes = object.encode().unwrap();
    if std::env::var_os("HOLDFAST_WRITE_GOLDEN").is_some() {
        let path = format!("{}/tests/records/things-v1.jsonl", env!("CARGO_MANIFEST_DIR"));
        std::fs::write(path, &bytes).unwrap();
    }
    assert_eq!(String::from_utf8(bytes), String::from_utf8(golden("things-v1")));
    let read = WalObject::decode(&golden("things-v1")).unwrap();
    assert_eq!(read.records[0].kind, Kind::Thing(ThingKind::Memory));
    let again = ThingBody::decode(read.records[0].body.as_ref().unwrap()).unwrap();
    assert_eq!(again, body);
    assert_eq!(Memory::read(&again.text).unwrap(), full);
}

#[test]
fn a_content_hash_is_the_sha256_of_the_text() {
    let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    assert_eq!((memory("abc").content_hash(), content_hash("abc")), (abc.into(), abc.into()));
}

/// Records about few things, so that they meet.
fn any_record() -> impl Strategy<Value = Record> {
    let id = prop_oneof![Just("a"), Just("b")];
    let session = prop_oneof![Just("s"), Just("t")];
    let about = (1..12_u64, id.clone(), session, 0..8_u8, id);
    about.prop_map(|(tick, id, session, what, other)| match what {
        0..=2 => saved(id, tick, other, &[]),
        3 => saved(id, tick, other, &[source(session, Some(other), tick.saturating_sub(3))]),
        4 => forgotten(id, tick),
        5 => tombstone(Of::Message, session, id, tick),
        6 => tombstone(Of::Session, session, session, tick),
        _ => entry(session, id, tick),
    })
}

proptest! {
    #[test]
    fn things_do_not_depend_on_the_order_in_which_records_come(
        records in prop::collection::vec(any_record(), 0..14),
        seed in any::<u64>(),
    ) {
        let mut records: Vec<(Record, Order)> = records.into_iter().zip(1_u128..).map(|(record, ulid)| {
            let order = Order { hlc: record.at, ..order(0, ulid) };
            (record, order)
        }).collect();
        let shown = |view: &View| -> Vec<_> {
            let of = |kind, session| view.things(kind, session).map(|t| (t.id.to_owned(), t.versions.to_vec())).collect::<Vec<_>>();
            vec![of(ThingKind::Memory, ""), of(ThingKind::Context, "s"), of(ThingKind::Context, "t")]
        };
        let one = folded(&records);
        // What stands is what nothing hides, by the rule alone.
        let mut graves = Graves::default();
        for (record, order) in &records {
            graves.add(record, *order).unwrap();
        }
        let left = records.iter().filter(|(r, o)| matches!(r.kind, Kind::Thing(_)) && !graves.hides(r, *o));
        let copies: usize = shown(&one).iter().flatten().map(|(_, versions)| versions.len()).sum();
        let mut names: Vec<_> = left.map(|(r, _)| format!("{r:?}")).collect();
        names.sort();
        names.dedup();
        prop_assert_eq!(copies, names.len());
        let mut state = seed;
        for at in (1..records.len()).rev() {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            records.swap(at, usize::try_from(state >> 33).unwrap() % (at + 1));
        }
        prop_assert_eq!(shown(&folded(&records)), shown(&one));
        let twice: Vec<_> = records.iter().chain(&records).cloned().collect();
        prop_assert_eq!(shown(&folded(&twice)), shown(&one));
    }
}

#[test]
fn a_sealed_memory_is_the_same_text_with_its_vectors_apart() {
    let mut body = ThingBody::new(&memory("x"), Vec::new()).unwrap();
    let values = vec![f16::from_f32(0.5), f16::from_f32(-1.0)];
    body.vectors = vec![MessageVectors { space: "t/f32/2".into(), chunks: vec![(0, 1)], values }];
    let record = Record::thing(ThingKind::Memory, (None, "m"), &stamp(7), &body).unwrap();
    let object =
        WalObject { header: holdfast_core::record::Header::default(), records: vec![record] };
    let (_, lines) = WalObject::lines(order(7, 1).ulid, &object.encode().unwrap()).unwrap();
    let sealed = segment::seal(lines.clone(), vec!["wal/a".into()], Vec::new()).unwrap();
    assert!(sealed.cover.sessions[0].vectors.is_some());
    assert_eq!(segment::open(&sealed.segment, &sealed.cover).unwrap(), lines);
}
