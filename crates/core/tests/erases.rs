//! Erases in the fold: everything up to them is hidden, tombstones too, and what comes later opens the user anew.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

mod support;

use holdfast_core::erase::{
    Erased, LEAD, Ledger, Marker, REACH, Receipt, Sweep, Versions, encode, moment,
};
use holdfast_core::fold::{Applied, View};
use holdfast_core::graves::{Graves, Of};
use holdfast_core::message::Role;
use holdfast_core::record::{Kind, Record, Stamp, WalObject, WriterKind};
use holdfast_core::session::SessionFields;
use holdfast_core::{Hlc, Key, Order, Scope, TenantId, UserId, key};
use support::{NOW, at, by, fields, order, record, saying, tombstone};
use ulid::Ulid;

fn say(session: &str, id: &str, tick: u64) -> (Record, Order) {
    (record(session, id, tick, saying(Role::User, id)), order(tick, u128::from(tick)))
}

fn erase(tick: u64) -> (Record, Order) {
    let stamp = Stamp { at: at(tick), by: by(WriterKind::Service, "k") };
    (Record::erase("e", &stamp), order(tick, u128::from(tick)))
}

fn delete(of: Of, id: &str, tick: u64) -> (Record, Order) {
    (tombstone(of, "s", id, tick), order(tick, u128::from(tick)))
}

fn folded(records: &[(Record, Order)], turns: impl IntoIterator<Item = usize>) -> View {
    let mut view = View::default();
    for turn in turns {
        let (record, order) = &records[turn];
        view.apply([(record, *order)]).unwrap();
    }
    view
}

fn seen(view: &View) -> Vec<String> {
    let sessions = view.sessions(None, usize::MAX, false).0;
    let page = |id: &str| {
        let page = view.page(id, None, usize::MAX, false).0;
        page.into_iter().map(|found| format!("{} {}", found.rank, found.id)).collect::<Vec<_>>()
    };
    sessions.iter().map(|session| format!("{session:?} {:?}", page(session.id))).collect()
}

fn scope(user: &str) -> Scope {
    Scope { tenant: TenantId::parse("t").unwrap(), user: UserId::parse(user).unwrap() }
}

#[test]
fn an_erase_hides_all_sessions_and_messages_up_to_it() {
    let named = SessionFields { name: Some("a trip".to_owned()), ..SessionFields::default() };
    let mut view = View::default();
    let records = [say("s", "a", 1), say("s", "b", 2), say("t", "c", 3)];
    view.apply(records.iter().map(|(record, order)| (record, *order))).unwrap();
    view.apply([(&fields("x", 4, &named), order(4, 4))]).unwrap();
    let (record, order) = erase(5);
    let applied = view.apply([(&record, order)]).unwrap();
    let Applied::Hidden { numbers, .. } = &applied[0] else { panic!("{applied:?}") };
    assert_eq!(numbers.len(), 3);
    assert!(view.is_empty() && seen(&view).is_empty() && view.text_bytes() == 0);
    assert_eq!((view.highest(), view.newest()), (at(5), None));
    assert_eq!((view.graves().erased(), view.graves().until("any")), (Some(at(5)), Some(at(5))));
    assert!(!view.graves().has_session("s"));
}

#[test]
fn whatever_comes_first_the_same_is_left() {
    let named = |name: &str| SessionFields { name: Some(name.into()), ..SessionFields::default() };
    let records = [
        say("s", "a", 1),
        (fields("s", 2, &named("before")), order(2, 2)),
        delete(Of::Session, "s", 3),
        erase(5),
        say("s", "a", 7),
        (fields("s", 8, &named("after")), order(8, 8)),
    ];
    let wanted = seen(&folded(&records, 0..records.len()));
    assert_eq!(wanted.len(), 1);
    assert!(wanted[0].contains("after") && wanted[0].contains("1 a"));
    let mut turns: Vec<usize> = (0..records.len()).collect();
    for _ in 0..720 {
        // All orders, one after the other.
        let Some(at) = (1..turns.len()).rev().find(|at| turns[at - 1] < turns[*at]) else { break };
        let with = (at..turns.len()).rev().find(|with| turns[*with] > turns[at - 1]).unwrap();
        turns.swap(at - 1, with);
        turns[at..].reverse();
        assert_eq!(seen(&folded(&records, turns.clone())), wanted, "{turns:?}");
    }
    assert_eq!(turns, [5, 4, 3, 2, 1, 0]);
}

#[test]
fn an_erase_takes_the_tombstones_before_it_and_those_after_it_hide_on() {
    let records = [delete(Of::Message, "a", 1), erase(5), say("s", "a", 6), say("s", "b", 7)];
    let view = folded(&records, [1, 0, 2, 3]);
    assert_eq!(view.len(), 2);
    let view = folded(&records, [0, 1, 2, 3]);
    assert_eq!(view.len(), 2);
    let later = [erase(5), say("s", "a", 6), delete(Of::Message, "a", 7), erase(5)];
    assert!(folded(&later, 0..4).is_empty());
}

#[test]
fn of_erases_the_newest_counts_and_only_that_stays() {
    let mut graves = Graves::default();
    assert!(graves.erase(at(5)) && !graves.erase(at(5)) && !graves.erase(at(4)));
    let hides = |graves: &Graves, (record, order): (Record, Order)| graves.hides(&record, order);
    assert!(hides(&graves, erase(4)) && !hides(&graves, erase(5)) && !hides(&graves, erase(6)));
    assert!(hides(&graves, delete(Of::Session, "s", 5)) && hides(&graves, say("s", "a", 5)));
    assert!(!hides(&graves, delete(Of::Session, "s", 6)) && !hides(&graves, say("s", "a", 6)));
    let (mut derived, order) = say("s", "a", 9);
    derived.from = Some(support::order(5, 5).to_string());
    assert!(graves.hides(&derived, order), "its sources are gone");
}

#[test]
fn the_record_of_an_erase_is_read_as_it_was_written() {
    let object = WalObject { header: Default::default(), records: vec![erase(5).0] };
    let bytes = object.encode().unwrap();
    let text = String::from_utf8(bytes.clone()).unwrap();
    assert!(text.ends_with("\"by\":\"service/k\"}\n"), "{text}");
    let read = WalObject::decode(&bytes).unwrap().records.remove(0);
    assert_eq!((read.kind, read.at, read.session, read.id), (Kind::Erase, at(5), None, "e".into()));
}

#[test]
fn the_ledger_says_nothing_of_who_was_erased() {
    let ledger = Ledger::new("a secret");
    let prefix = ledger.of(&scope("bob"));
    assert!(prefix.as_str().starts_with("v1/t/t/erased/") && !prefix.as_str().contains("bob"));
    assert_eq!(prefix, ledger.of(&scope("bob")));
    assert_ne!(prefix, ledger.of(&scope("ann")));
    assert_ne!(prefix, Ledger::new("another").of(&scope("bob")));
    assert_eq!(format!("{ledger:?}"), "Ledger");
    let erase = Ulid::from_parts(NOW, 1);
    let key = key::erase_sweep(&prefix, erase, Ulid::from_parts(NOW, 2));
    assert_eq!((key.ulid(), key.hash()), (Some(erase.to_string().as_str()), None));
}

#[test]
fn an_erase_settles_what_was_named_before_it_and_a_little_after() {
    let (erased, user) = (Erased::by(Hlc::at(NOW)), scope("u"));
    let wal = |at| key::wal_object(&user, Ulid::from_parts(at, 1), b"x");
    let seg = |at| key::segment_object(&user, Ulid::from_parts(at, 1), b"x");
    assert!(erased.settles(&wal(NOW - LEAD - 1)) && !erased.settles(&wal(NOW - LEAD)));
    assert!(erased.may_lack(&wal(NOW + REACH - 1)) && !erased.may_lack(&wal(NOW + REACH)));
    assert!(erased.settles(&seg(NOW + REACH - 1)) && !erased.settles(&seg(NOW + REACH)));
    assert!(!Erased::default().settles(&seg(1)) && !Erased::default().may_lack(&wal(1)));
    assert!(erased > Erased::default() && erased < Erased::by(Hlc::at(NOW + 1)));
    assert_eq!(moment(&wal(NOW)), Some(NOW));
    let tree = format!("v1/t/t/u/u/exp/{}/part.jsonl", Ulid::from_parts(NOW, 1));
    assert_eq!(moment(&Key::raw(tree)), Some(NOW));
    assert_eq!(moment(&Key::raw("v1/t/t/u/u/att/none")), None);
}

#[test]
fn a_receipt_counts_each_key_once_whatever_was_swept_again() {
    let user = scope("u");
    let keys: Vec<Key> =
        (1..4).map(|n| key::wal_object(&user, Ulid::from_parts(NOW, n), b"x")).collect();
    let seg = key::segment_object(&user, Ulid::from_parts(NOW, 9), b"x");
    let all = Sweep::new(&user, keys.iter().chain([&seg]));
    let (one, two) =
        (Sweep::new(&user, &keys[..2]), Sweep::new(&user, keys[1..].iter().chain([&seg])));
    let whole = Receipt::new(at(1), NOW, false, &[all], Versions::None);
    assert_eq!(
        whole,
        Receipt::new(at(1), NOW, false, &[two.clone(), one, two.clone()], Versions::None)
    );
    let counts: Vec<(&str, u64)> = whole.removed.iter().map(|(k, n)| (k.as_str(), *n)).collect();
    assert_eq!((counts, whole.sha256.len()), (vec![("seg", 1), ("wal", 3)], 64));
    assert_ne!(
        whole.sha256,
        Receipt::new(at(1), NOW, false, std::slice::from_ref(&two), Versions::None).sha256
    );
    let bytes = encode(&whole).unwrap();
    assert_eq!(Receipt::decode(&bytes).unwrap(), whole);
    assert_eq!(Sweep::decode(&encode(&two).unwrap()).unwrap(), two);
    assert!(!String::from_utf8(bytes).unwrap().contains("u/u"));
    let marker = encode(&Marker::new(at(1))).unwrap();
    assert_eq!(Marker::decode(&marker).unwrap().at, at(1));
    assert_eq!(Marker::decode(b"{\"v\":2}").unwrap_err().reason, "newer_format");
    assert_eq!(Marker::decode(b"{}").unwrap_err().reason, "corrupt");
}

#[test]
fn kept_versions_of_two_places_are_told_together() {
    let kept = |count, until| Versions::Kept { count, until };
    assert_eq!(Versions::None.and(kept(2, None)), kept(2, None));
    assert_eq!(kept(2, Some(7)).and(kept(3, Some(9))), kept(5, Some(9)));
    assert_eq!(kept(2, None).and(Versions::Unknown), Versions::Unknown);
    assert_eq!(Versions::None.and(Versions::None), Versions::None);
}
