//! Tombstones: what they hide, of every kind of record and in every order.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod support;

use holdfast_core::Case;
use holdfast_core::graves::{Graves, Of};
use holdfast_core::message::Role;
use holdfast_core::record::{Kind, Record};
use holdfast_core::session::SessionFields;
use serde_json::value::RawValue;
use support::{fields, order, record, saying, tombstone};

fn other(kind: &str, id: &str, session: &str, tick: u64) -> Record {
    let mut other = record(session, id, tick, saying(Role::User, "x"));
    other.kind = Kind::Other(kind.to_owned());
    other
}

fn graves(tombstones: &[(Record, u64)]) -> Graves {
    let mut graves = Graves::default();
    for (tombstone, tick) in tombstones {
        graves.add(tombstone, order(*tick, 1)).unwrap();
    }
    graves
}

#[test]
fn a_message_tombstone_hides_every_copy_of_its_id_for_ever_and_nothing_else() {
    let graves = graves(&[(tombstone(Of::Message, "s", "m", 5), 5)]);
    for tick in [1, 5, 9] {
        let hidden = record("s", "m", tick, saying(Role::User, &tick.to_string()));
        assert!(graves.hides(&hidden, order(tick, 2)), "{tick}");
        assert!(graves.hides(&other("embedding", "m", "s", tick), order(tick, 2)), "{tick}");
    }
    let others = [
        record("s", "n", 1, saying(Role::User, "x")),
        record("t", "m", 1, saying(Role::User, "x")),
        fields("s", 1, &SessionFields::default()),
        other("summary", "m", "s", 1),
    ];
    assert!(others.iter().all(|other| !graves.hides(other, order(1, 2))));
}

#[test]
fn a_session_tombstone_hides_all_kinds_up_to_its_time_and_what_is_later_not() {
    let graves = graves(&[(tombstone(Of::Session, "s", "s", 5), 5)]);
    for (tick, hidden) in [(1, true), (5, true), (6, false)] {
        let all = [
            record("s", "m", tick, saying(Role::User, "x")),
            fields("s", tick, &SessionFields::default()),
            other("summary", "y", "s", tick),
            other("hologram", "h", "s", tick),
        ];
        assert!(all.iter().all(|one| graves.hides(one, order(tick, 2)) == hidden), "{tick}");
        assert!(!graves.hides(&other("summary", "y", "t", tick), order(tick, 2)));
    }
}

#[test]
fn a_derived_record_is_judged_by_its_sources() {
    let graves = graves(&[(tombstone(Of::Session, "s", "s", 5), 5)]);
    for (from, hidden) in [
        (order(5, 1).to_string(), true),
        (order(6, 1).to_string(), false),
        ("nonsense".into(), true),
    ] {
        let mut summary = other("summary", "y", "s", 9);
        summary.from = Some(from);
        assert_eq!(graves.hides(&summary, order(9, 2)), hidden, "{:?}", summary.from);
    }
}

#[test]
fn tombstones_and_what_has_no_session_are_never_hidden() {
    let (message, session) =
        (tombstone(Of::Message, "s", "m", 1), tombstone(Of::Session, "s", "s", 9));
    let graves = graves(&[(message.clone(), 1), (session.clone(), 9)]);
    assert!(!graves.hides(&message, order(1, 1)) && !graves.hides(&session, order(9, 1)));
    let mut free = other("user", "u", "s", 1);
    free.session = None;
    assert!(!graves.hides(&free, order(1, 1)));
}

#[test]
fn the_order_of_tombstones_does_not_matter_and_adding_says_what_is_new() {
    let all = [
        tombstone(Of::Session, "s", "s", 5),
        tombstone(Of::Session, "s", "s", 9),
        tombstone(Of::Message, "s", "m", 7),
    ];
    let (mut one, mut two) = (Graves::default(), Graves::default());
    let add =
        |graves: &mut Graves, at: usize| graves.add(&all[at], order([5, 9, 7][at], 1)).unwrap();
    assert_eq!(
        [0, 1, 2].map(|at| add(&mut one, at)),
        [Of::Session, Of::Session, Of::Message].map(Some)
    );
    assert_eq!([2, 1, 0].map(|at| add(&mut two, at)), [Some(Of::Message), Some(Of::Session), None]);
    assert_eq!(one, two);
    assert_eq!([0, 1, 2].map(|at| add(&mut one, at)), [None; 3]);
}

#[test]
fn a_tombstone_of_a_newer_thing_is_carried_and_one_that_cannot_be_read_is_an_error() {
    let body = |text: &str| Some(RawValue::from_string(text.to_owned()).unwrap());
    let mut newer = tombstone(Of::Message, "s", "m", 5);
    newer.body = body(r#"{"of":"hologram"}"#);
    let mut graves = Graves::default();
    assert_eq!(graves.add(&newer, order(5, 1)).unwrap(), None);
    assert_eq!(graves, Graves::default());
    for bad in ["{}", "7", r#"{"of":7}"#] {
        newer.body = body(bad);
        assert_eq!(graves.add(&newer, order(5, 1)).unwrap_err().case, Case::Corrupt, "{bad}");
    }
    // A message's is of a session.
    newer.body = body(r#"{"of":"message"}"#);
    newer.session = None;
    assert_eq!(graves.add(&newer, order(5, 1)).unwrap(), None);
}
