//! What passes with time, and what was otherwise: the fold under a horizon, and what a restore may bring back.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use holdfast_core::clock::rfc3339;
use holdfast_core::fold::{Applied, Difference, View, Wanted, Within, differences};
use holdfast_core::graves::Of;
use holdfast_core::memory::{Event, Memory};
use holdfast_core::message::{Message, MessageBody, Role};
use holdfast_core::record::{Kind, Record, Stamp, Writer, WriterKind};
use holdfast_core::retention::UserFields;
use holdfast_core::session::SessionFields;
use holdfast_core::thing::{Source, ThingBody, ThingKind};
use holdfast_core::{Hlc, Order, SessionId};
use proptest::prelude::*;
use ulid::Ulid;

type Placed = (Record, Order);

fn stamp(at: u64) -> Stamp {
    Stamp { at: Hlc::at(at), by: Writer { kind: WriterKind::Service, key: "k".into() } }
}

fn placed(record: Record, at: u64) -> Placed {
    let order = Order { hlc: record.at, ulid: Ulid::from_parts(at, 1), position: 0 };
    (record, order)
}

fn session() -> SessionId {
    SessionId::parse("s").unwrap()
}

fn message(id: &str, at: u64) -> Placed {
    let body = MessageBody::new(Message::saying(Role::User, id), Vec::new()).unwrap();
    let body = body.encode().unwrap();
    placed(Record::new(Kind::Message, id, &session(), &stamp(at), body), at)
}

fn named(name: &str, at: u64) -> Placed {
    let fields = SessionFields { name: Some(name.into()), ..SessionFields::default() };
    let body = fields.encode().unwrap();
    placed(Record::new(Kind::Session, "s", &session(), &stamp(at), body), at)
}

fn tombstone(of: Of, id: &str, at: u64) -> Placed {
    let body = of.encode().unwrap();
    placed(Record::new(Kind::Tombstone, id, &session(), &stamp(at), body), at)
}

fn passed(until: u64, at: u64) -> Placed {
    let body = Of::encode_until(Hlc::at(until)).unwrap();
    placed(Record::of_user(Kind::Tombstone, "x", &stamp(at), body), at)
}

fn fold(view: &mut View, records: &[Placed]) -> Vec<Applied> {
    view.apply(records.iter().map(|(record, order)| (record, *order))).unwrap()
}

fn shown(view: &View) -> Vec<(String, u32)> {
    let (page, _) = view.page("s", None, usize::MAX, false);
    page.into_iter().map(|found| (found.id, found.rank)).collect()
}

#[test]
fn what_has_passed_leaves_no_place_and_fields_stay() {
    let mut view = View::default();
    fold(&mut view, &[named("Trip", 1), message("a", 2), message("b", 5), message("c", 9)]);
    let Applied::Hidden { numbers, moved } = view.let_pass(Hlc::at(5)) else { unreachable!() };
    assert_eq!((numbers.len(), moved), (2, true));
    let at = |ms| Some(Hlc::at(ms));
    assert_eq!(view.unsaid(at(9)), Some((Hlc::at(5), 2)));
    // By the store's time less has passed, or it has told none.
    assert_eq!(view.unsaid(at(4)), Some((Hlc::at(4), 1)));
    assert_eq!((view.unsaid(at(1)), view.unsaid(None)), (None, None));
    assert_eq!(shown(&view), [("c".to_owned(), 1)]);
    assert_eq!(view.session("s").unwrap().fields.name.as_deref(), Some("Trip"));
    // What comes late and is older is not shown either.
    fold(&mut view, &[message("d", 4)]);
    assert_eq!(shown(&view).len(), 1);
    // Stored again, it is there again.
    fold(&mut view, &[message("a", 20)]);
    assert_eq!(shown(&view).len(), 2);
    fold(&mut view, &[passed(5, 21)]);
    assert_eq!((view.unsaid(at(9)), view.graves().passed()), (None, at(5)));
    let Applied::Hidden { numbers, .. } = view.let_pass(Hlc::at(5)) else { unreachable!() };
    assert!(numbers.is_empty());
}

#[test]
fn the_last_word_on_a_user_counts_until_an_erase() {
    let said = |days, at| {
        let fields = UserFields { retention_days: Some(days), ..UserFields::default() };
        placed(Record::of_user(Kind::User, "u", &stamp(at), fields.encode().unwrap()), at)
    };
    let mut view = View::default();
    fold(&mut view, &[said(7, 3), said(3, 2)]);
    assert_eq!(view.user().unwrap().1.retention_days, Some(7));
    view.erase(Hlc::at(4));
    assert!(view.user().is_none());
}

proptest! {
    #[test]
    fn a_horizon_that_was_written_down_hides_the_same_in_whatever_order_things_come(
        times in prop::collection::vec((0_u64..6, 1_u64..40), 0..12),
        until in 1_u64..40,
        deleted in prop::option::of((0_u64..6, 1_u64..40)),
        shuffle in any::<u64>(),
    ) {
        let mut all: Vec<Placed> =
            times.iter().map(|(id, at)| message(&format!("m{id}"), *at)).collect();
        all.extend(deleted.map(|(id, at)| tombstone(Of::Message, &format!("m{id}"), at)));
        all.push(named("Trip", 1));
        all.push(passed(until, 50));
        for (position, (_, order)) in (0..).zip(&mut all) {
            order.position = position;
        }
        let mut one = View::default();
        fold(&mut one, &all);
        let mut mixed = all.clone();
        mixed.sort_by_key(|(_, order)| (order.ulid.0 ^ u128::from(shuffle)).wrapping_mul(0x9e37_79b9));
        let mut other = View::default();
        for record in mixed {
            fold(&mut other, &[record]);
        }
        prop_assert_eq!(shown(&one), shown(&other));
        // And the same as a horizon that is set.
        let mut third = View::default();
        fold(&mut third, &all[..all.len() - 1]);
        third.let_pass(Hlc::at(until));
        prop_assert_eq!(shown(&one), shown(&third));
    }
}

fn then(records: &[Placed], until: u64) -> View {
    let mut view = View::within(Within { until: Some(Hlc::at(until)), ..Within::default() });
    fold(&mut view, records);
    view
}

#[test]
fn what_was_otherwise_is_fields_and_what_was_deleted_since() {
    let all = [
        named("Trip", 1),
        message("a", 2),
        message("b", 3),
        named("Voyage", 6),
        tombstone(Of::Message, "a", 7),
        message("c", 8),
    ];
    let mut now = View::default();
    fold(&mut now, &all);
    let wanted = Wanted { until: Hlc::at(5), session: None, deleted: true };
    assert!(now.deleted_since(&wanted));
    let past = then(&all, 5);
    let found = differences(&now, Some(&past), &wanted, 100);
    assert_eq!(found.len(), 2, "{found:?}");
    let Difference::Fields { then, now: present, .. } = &found[0] else { unreachable!() };
    let back = present.as_ref().unwrap().back_to(then).unwrap();
    assert_eq!(back.name.as_deref(), Some("Trip"));
    let Difference::Message { found: message, .. } = &found[1] else { unreachable!() };
    assert_eq!(&*message.entry.id, "a");
    // Not asked for, they are left out.
    let wanted = Wanted { deleted: false, ..wanted };
    let found = differences(&now, None, &wanted, 100);
    assert!(
        matches!(
            found[..],
            [Difference::Fields { .. }, Difference::LeftOut { id: Some("a"), why: "deleted", .. },]
        ),
        "{found:?}"
    );
}

#[test]
fn what_has_passed_or_is_newer_is_left_out() {
    let all = [message("a", 2), tombstone(Of::Message, "a", 7)];
    let mut now = View::default();
    fold(&mut now, &all);
    now.let_pass(Hlc::at(3));
    let wanted = Wanted { until: Hlc::at(5), session: None, deleted: true };
    let past = then(&all, 5);
    let found = differences(&now, Some(&past), &wanted, 100);
    assert!(matches!(found[..], [Difference::LeftOut { why: "expired", .. }]), "{found:?}");
    let mut young = View::default();
    fold(&mut young, &[message("b", 9)]);
    let found = differences(&young, None, &wanted, 100);
    assert!(matches!(found[..], [Difference::LeftOut { why: "newer", id: None, .. }]), "{found:?}");
}

#[test]
fn fields_that_were_not_set_then_are_taken_away_again() {
    let now = SessionFields { name: Some("n".into()), ..SessionFields::default() };
    let back = now.back_to(&SessionFields::default()).unwrap();
    assert_eq!(back.cleared, ["name"]);
    assert_eq!(now.overlaid(&back).name, None);
    let json = back.encode_restored("o").unwrap();
    assert_eq!(SessionFields::decode(&json).unwrap(), back);
    assert_eq!(now.back_to(&now), None);
}

fn saved(id: &str, text: &str, at: u64, sources: &[Source], ends: Option<u64>) -> Placed {
    let memory = Memory {
        text: text.to_owned(),
        category: None,
        importance: "0.5".to_owned(),
        metadata: None,
        expires_at: ends.map(rfc3339),
        event: Event::Saved,
    };
    let body = ThingBody::new(&memory, sources.to_vec()).unwrap();
    placed(Record::thing(ThingKind::Memory, (None, id), &stamp(at), &body).unwrap(), at)
}

fn of(message: &str, at: u64) -> Source {
    let (session, message) = (session(), Some(message.to_owned()));
    let order = Order { hlc: Hlc::at(at), ulid: Ulid::from_parts(at, 1), position: 0 };
    Source { session, message, order, start: None, end: None }
}

fn forgotten(id: &str, at: u64) -> Placed {
    let tombstone = Record::tombstone(Of::Thing(ThingKind::Memory), (None, id), &stamp(at));
    placed(tombstone.unwrap(), at)
}

fn has(view: &View, id: &str) -> bool {
    view.thing(ThingKind::Memory, "", id).is_some()
}

#[test]
fn a_memory_passes_with_the_oldest_message_that_it_was_made_of_and_stays_without_one() {
    let all = [
        message("a", 2),
        message("b", 8),
        saved("both", "x", 9, &[of("a", 2), of("b", 8)], None),
        saved("new", "y", 9, &[of("b", 8)], None),
        saved("alone", "z", 1, &[], None),
    ];
    let mut view = View::default();
    fold(&mut view, &all);
    view.let_pass(Hlc::at(1));
    assert!(has(&view, "both"));
    view.let_pass(Hlc::at(2));
    assert_eq!((has(&view, "both"), has(&view, "new"), has(&view, "alone")), (false, true, true));
    // Its message passed before any other could: the memory alone is looked at.
    view.let_pass(Hlc::at(8));
    assert_eq!((has(&view, "new"), has(&view, "alone")), (false, true));
    // One that comes late is not shown, and written down it is so for whoever reads.
    fold(&mut view, &[saved("late", "l", 10, &[of("a", 2)], None)]);
    assert!(!has(&view, "late"));
    let mut other = View::default();
    fold(&mut other, &[passed(2, 20)]);
    fold(&mut other, &all);
    assert_eq!((has(&other, "both"), has(&other, "new")), (false, true));
    let (record, order) = &all[2];
    assert!(other.graves().hides(record, *order));
}

#[test]
fn a_memory_alone_passes_where_its_message_is_not_there() {
    let mut view = View::default();
    fold(&mut view, &[saved("m", "x", 9, &[of("a", 2)], None)]);
    view.let_pass(Hlc::at(5));
    assert!(!has(&view, "m"));
}

#[test]
fn things_that_were_otherwise_are_told_after_all_messages() {
    let all = [
        message("a", 1),
        saved("edited", "before", 2, &[], None),
        saved("gone", "g", 2, &[of("a", 1)], None),
        saved("same", "s", 2, &[], None),
        saved("ended", "e", 2, &[], Some(50)),
        saved("edited", "after", 6, &[], None),
        forgotten("gone", 7),
        forgotten("ended", 8),
        tombstone(Of::Message, "a", 8),
        saved("young", "y", 9, &[], None),
    ];
    let mut now = View::default();
    fold(&mut now, &all);
    let wanted = Wanted { until: Hlc::at(5), session: None, deleted: true };
    let told = |found: &Difference<'_>| match found {
        Difference::Thing { found, lost, .. } => format!("{} {lost}", found.id),
        Difference::LeftOut { id, why, .. } => format!("{} {why}", id.unwrap_or("-")),
        Difference::Message { found, .. } => format!("message {}", found.id),
        Difference::Fields { .. } => "fields".to_owned(),
    };
    let past = then(&all, 5);
    let found = differences(&now, Some(&past), &wanted, 100);
    let texts: Vec<String> = found.iter().map(told).collect();
    assert_eq!(
        texts,
        ["message a", "edited false", "gone true", "ended expired", "young newer"],
        "those that ended by now stay away"
    );
    let Difference::Thing { last, .. } = &found[1] else { unreachable!() };
    assert_eq!(Memory::read(&last.text).unwrap().text, "before");
    // One that has not ended yet comes back.
    let found = differences(&now, Some(&past), &wanted, 40);
    assert!(found.iter().any(|one| told(one) == "ended false"));
    let wanted = Wanted { deleted: false, ..wanted };
    let texts: Vec<String> = differences(&now, None, &wanted, 100).iter().map(told).collect();
    let expected = ["a deleted", "edited false", "gone deleted", "ended deleted", "young newer"];
    assert_eq!(texts, expected);
    // What was taken up again as it was is no difference, whatever it is called.
    let mut again = View::default();
    fold(&mut again, &all[1..2]);
    fold(&mut again, &[saved("edited", "after", 6, &[], None)]);
    let (mut record, order) = saved("edited", "before", 9, &[], None);
    let body = record.body.as_ref().unwrap().get().replace("saved", "restored");
    record.body = Some(serde_json::value::RawValue::from_string(body).unwrap());
    fold(&mut again, &[(record, order)]);
    assert!(differences(&again, None, &wanted, 100).is_empty());
}
