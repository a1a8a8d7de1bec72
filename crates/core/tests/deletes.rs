//! Deletes in the fold: what is hidden, what keeps its place, what opens anew.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

mod support;

use holdfast_core::fold::{Applied, View};
use holdfast_core::graves::Of;
use holdfast_core::message::Role;
use holdfast_core::record::{Kind, Record, Stamp, WriterKind};
use holdfast_core::session::SessionFields;
use holdfast_core::{Order, SessionId};
use serde_json::value::RawValue;
use support::{at, by, fields, order, record, saying, tombstone};

fn say(id: &str, tick: u64) -> (Record, Order) {
    (record("s", id, tick, saying(Role::User, id)), order(tick, u128::from(tick)))
}

fn delete(id: &str, tick: u64) -> (Record, Order) {
    (tombstone(Of::Message, "s", id, tick), order(tick, u128::from(tick)))
}

fn delete_session(tick: u64) -> (Record, Order) {
    (tombstone(Of::Session, "s", "s", tick), order(tick, u128::from(tick)))
}

fn apply(view: &mut View, records: &[(Record, Order)]) -> Vec<Applied> {
    view.apply(records.iter().map(|(record, order)| (record, *order))).unwrap()
}

fn shown(view: &View) -> Vec<(u32, String)> {
    let found = view.page("s", None, usize::MAX, false).0.into_iter();
    found.map(|found| (found.rank, found.id)).collect()
}

fn hidden(applied: &Applied) -> Vec<u32> {
    match applied {
        Applied::Hidden { numbers, .. } => numbers.clone(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_others_keep_their_rank_when_a_message_is_deleted_and_its_text_is_freed() {
    let mut view = View::default();
    apply(&mut view, &[say("a", 1), say("b", 2), say("c", 3)]);
    let bytes = view.text_bytes();
    let applied = apply(&mut view, &[delete("b", 4)]);
    assert_eq!(hidden(&applied[0]), [1]);
    assert_eq!(shown(&view), [(1, "a".to_owned()), (3, "c".to_owned())]);
    assert!(view.find("s", "b").is_none() && view.found(1).is_none());
    assert_eq!((view.len(), view.numbers(), view.session("s").unwrap().messages), (2, 3, 2));
    assert!(view.text_bytes() < bytes);
    assert!(hidden(&apply(&mut view, &[delete("b", 4)])[0]).is_empty());
}

#[test]
fn what_is_left_of_a_purged_message_counts_once_whoever_comes_first() {
    let stamp = Stamp { at: at(2), by: by(WriterKind::Service, "k") };
    let body = format!("{{\"digest\":\"{}\"}}", "ab".repeat(32));
    let body = RawValue::from_string(body).unwrap();
    let left = Record::new(Kind::Gone, "b", &SessionId::parse("s").unwrap(), &stamp, body);
    let left = (left, order(2, 2));
    for mut records in [
        vec![say("a", 1), left.clone(), say("c", 3), delete("b", 4)],
        vec![delete("b", 4), say("a", 1), left.clone(), say("c", 3)],
        vec![say("a", 1), left.clone(), say("c", 3)],
    ] {
        let mut view = View::default();
        for record in records.drain(..) {
            apply(&mut view, &[record]);
        }
        assert_eq!(shown(&view), [(1, "a".to_owned()), (3, "c".to_owned())]);
        assert_eq!((view.len(), view.session("s").unwrap().messages), (2, 2));
    }
}

#[test]
fn a_message_that_comes_after_its_tombstone_is_never_shown() {
    let mut view = View::default();
    apply(&mut view, &[delete("b", 1), say("a", 2)]);
    let again = record("s", "b", 9, saying(Role::User, "other words"));
    let applied = apply(&mut view, &[say("b", 3), (again, order(9, 9)), say("c", 10)]);
    assert_eq!((hidden(&applied[0]), hidden(&applied[1])), (vec![1], vec![2]));
    assert_eq!(shown(&view), [(1, "a".to_owned()), (4, "c".to_owned())]);
    assert!(view.graves().has_message("s", "b") && !view.graves().has_message("s", "a"));
}

#[test]
fn all_that_share_a_deleted_id_are_hidden() {
    let mut view = View::default();
    let other = record("s", "a", 2, saying(Role::User, "other"));
    apply(&mut view, &[say("a", 1), (other, order(2, 2)), say("b", 3)]);
    let twin = view.page("s", None, 9, false).0[1].id.clone();
    assert_eq!(hidden(&apply(&mut view, &[delete("a", 4)])[0]), [0, 1]);
    assert!(view.find("s", "a").is_none() && view.find("s", &twin).is_none());
    assert_eq!(shown(&view), [(3, "b".to_owned())]);
}

#[test]
fn a_session_whose_records_are_all_hidden_does_not_exist() {
    let mut view = View::default();
    let set = fields("s", 1, &SessionFields::default());
    apply(&mut view, &[(set, order(1, 1)), say("a", 2)]);
    assert_eq!(hidden(&apply(&mut view, &[delete_session(3)])[0]), [0]);
    assert!(view.session("s").is_none() && view.sessions(None, 9, true).0.is_empty());
    assert!(view.is_empty() && view.newest().is_none());
    let mut view = View::default();
    apply(&mut view, &[say("a", 2), delete("a", 3)]);
    assert!(view.session("s").is_none() && view.sessions(None, 9, true).0.is_empty());
}

#[test]
fn later_writes_open_a_deleted_session_anew_and_empty() {
    let mut view = View::default();
    let named = SessionFields { name: Some("old".to_owned()), ..SessionFields::default() };
    apply(&mut view, &[(fields("s", 1, &named), order(1, 1)), say("a", 2), say("b", 3)]);
    apply(&mut view, &[delete_session(5)]);
    let applied = apply(&mut view, &[say("a", 6), say("z", 4)]);
    assert!(matches!(applied[0], Applied::Message { number: 2, .. }));
    assert!(hidden(&applied[1]).is_empty());
    assert_eq!(shown(&view), [(1, "a".to_owned())]);
    let session = view.session("s").unwrap();
    assert_eq!((session.messages, session.fields.name.as_deref()), (1, None));
    assert_eq!((session.created_at, session.last), (order(6, 6).hlc, order(6, 6)));
    assert_eq!(view.numbers(), 3);
}

#[test]
fn a_later_copy_of_a_deleted_message_stands_when_the_tombstone_comes_last() {
    let mut view = View::default();
    apply(&mut view, &[say("a", 1), say("b", 2), say("a", 6)]);
    assert_eq!(view.find("s", "a").unwrap().entry.order, order(1, 1));
    let applied = apply(&mut view, &[delete_session(5)]);
    assert!(matches!(&applied[0], Applied::Hidden { numbers, moved: true } if numbers == &[1]));
    assert_eq!(shown(&view), [(1, "a".to_owned())]);
    assert_eq!(view.find("s", "a").unwrap().entry.order, order(6, 6));
    assert_eq!(view.newest(), Some(order(6, 6)));
}

#[test]
fn a_message_deleted_by_itself_stays_so_when_its_session_opens_anew() {
    let mut view = View::default();
    apply(&mut view, &[say("a", 1), delete("a", 2), delete_session(5), say("a", 6), say("b", 7)]);
    assert_eq!(shown(&view), [(2, "b".to_owned())]);
}

#[test]
fn a_page_goes_on_after_a_message_that_was_deleted_or_whose_session_opened_anew() {
    let mut view = View::default();
    apply(&mut view, &[say("a", 1), say("b", 2), say("c", 3)]);
    apply(&mut view, &[delete("b", 4)]);
    let ids = |after| {
        let page = view.page("s", Some(after), 9, false).0;
        page.into_iter().map(|found| found.id).collect::<Vec<_>>()
    };
    assert_eq!(ids(order(2, 2)), ["c"]);
    assert!(view.late("s", order(2, 2), 2).is_empty());
    let mut view = View::default();
    apply(&mut view, &[say("a", 1), say("b", 2), delete_session(4), say("n", 5)]);
    assert_eq!(view.page("s", Some(order(2, 2)), 9, false).0[0].id, "n");
    assert!(view.late("s", order(2, 2), 2).is_empty());
}

#[test]
fn a_message_that_a_copy_moved_before_a_cursor_is_late_like_one_that_came() {
    let mut view = View::default();
    apply(&mut view, &[say("c", 5), say("a", 1), say("b", 2)]);
    let late = |view: &View| {
        let late = view.late("s", order(2, 2), 2);
        late.into_iter().map(|found| found.id).collect::<Vec<_>>()
    };
    assert!(late(&view).is_empty());
    // An older copy of `c`, which the cursor had not reached; the newest that the view met is another.
    let (copy, _) = say("c", 5);
    view.apply([(&copy, order(1, 9))]).unwrap();
    assert!(late(&view).contains(&"c".to_owned()));
}
