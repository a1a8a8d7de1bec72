//! The fold: one view for every order of arrival and any duplication, with ranks, pages and conflicts that agree.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod support;

use holdfast_core::fold::{Applied, Found, FoundSession, View};
use holdfast_core::graves::{Graves, Of};
use holdfast_core::message::{Message, Role};
use holdfast_core::record::{Kind, Record, WriterKind};
use holdfast_core::session::SessionFields;
use holdfast_core::{Hlc, Order};
use proptest::prelude::*;
use std::collections::{BTreeMap, HashMap};
use support::{at, by, fields, order, record, saying, tombstone};

const SESSIONS: [&str; 2] = ["s", "t"];

/// Everything that readers of a view can see.
#[derive(Debug, PartialEq)]
struct Seen {
    messages: Vec<String>,
    sessions: Vec<String>,
    newest: Option<Order>,
    highest: u64,
    within: Vec<u64>,
    len: (usize, usize),
}

fn seen(view: &View) -> Seen {
    let mut messages = Vec::new();
    for session in SESSIONS {
        for found in view.page(session, None, usize::MAX, false).0 {
            let (order, by) = (found.entry.order, &found.entry.by);
            messages.push(format!(
                "{session} {} {} {:?} {order} {by:?} {}",
                found.rank, found.id, found.conflict_of, found.entry.text
            ));
        }
    }
    let sessions = view.sessions(None, usize::MAX, true).0.into_iter();
    let sessions = sessions.map(|session| format!("{session:?}")).collect();
    let within = (0..30).map(|tick| view.highest_within(at(tick)).0).collect();
    let (newest, highest) = (view.newest(), view.highest().0);
    let len = (view.len(), view.text_bytes());
    Seen { messages, sessions, newest, highest, within, len }
}

fn folded(records: &[(Record, Order)]) -> View {
    let mut view = View::default();
    view.apply(records.iter().map(|(record, order)| (record, *order))).unwrap();
    view
}

type Records = Vec<(Record, Order)>;

/// A step of a history, before it is stamped.
#[derive(Debug, Clone)]
enum Step {
    Message {
        session: usize,
        id: u8,
        text: u8,
        parent: Option<u8>,
        call: Option<u8>,
        answers: Option<u8>,
    },
    Fields {
        session: usize,
        name: Option<u8>,
        status: Option<u8>,
        metadata: Option<u8>,
    },
    Delete {
        session: usize,
        id: Option<u8>,
    },
}

fn step() -> impl Strategy<Value = Step> {
    let some = |max: u8| prop::option::weighted(0.4, 0..max);
    let session = 0..SESSIONS.len();
    let message = (session.clone(), 0..12_u8, 0..2_u8, some(14), some(4), some(5)).prop_map(
        |(session, id, text, parent, call, answers)| Step::Message {
            session,
            id,
            text,
            parent,
            call,
            answers,
        },
    );
    let fields =
        (session, some(3), some(3), some(3)).prop_map(|(session, name, status, metadata)| {
            Step::Fields { session, name, status, metadata }
        });
    // Few enough to be written again as they were.
    let plain = (0..SESSIONS.len(), 0..4_u8).prop_map(|(session, id)| Step::Message {
        session,
        id,
        text: 0,
        parent: None,
        call: None,
        answers: None,
    });
    prop_oneof![6 => message, 2 => plain, 1 => fields]
}

fn delete() -> impl Strategy<Value = Step> {
    let id = prop::option::weighted(0.6, 0..12_u8);
    (0..SESSIONS.len(), id).prop_map(|(session, id)| Step::Delete { session, id })
}

fn stamped(steps: &[Step]) -> Records {
    let text = |n: Option<u8>, what: &str| n.map(|n| format!("{what}{n}"));
    let one = |(tick, step): (u64, &Step)| {
        let mut record = match step {
            Step::Message { session, id, text: said, parent, call, answers } => {
                let message = Message {
                    parent_id: text(*parent, "m"),
                    tool_calls: call.map(|call| format!("[{{\"id\":\"c{call}\"}}]")),
                    tool_call_id: text(*answers, "c"),
                    ..saying(Role::Assistant, &said.to_string())
                };
                record(SESSIONS[*session], &format!("m{id}"), tick, message)
            }
            Step::Fields { session, name, status, metadata } => {
                let set = SessionFields {
                    name: text(*name, "n"),
                    kind: None,
                    status: text(*status, "s"),
                    metadata: text(*metadata, "m"),
                    ..Default::default()
                };
                fields(SESSIONS[*session], tick, &set)
            }
            Step::Delete { session, id: None } => {
                tombstone(Of::Session, SESSIONS[*session], SESSIONS[*session], tick)
            }
            Step::Delete { session, id: Some(id) } => {
                tombstone(Of::Message, SESSIONS[*session], &format!("m{id}"), tick)
            }
        };
        if tick % 5 == 0 && record.kind != Kind::Tombstone {
            record.from = Some(order(tick / 2, 1).to_string());
        }
        // Copies by another key must not depend on who came first either.
        record.by = by(WriterKind::Service, if tick % 3 == 0 { "k" } else { "l" });
        (record, order(tick, u128::from(tick)))
    };
    (1..).zip(steps).map(one).collect()
}

/// Records in any order, some of them twice, some again in a later object, in batches of any size.
fn arrivals() -> impl Strategy<Value = (Records, Records, usize)> {
    arriving(step().boxed())
}

/// As [`arrivals`], with deletes among them.
fn deletes() -> impl Strategy<Value = (Records, Records, usize)> {
    arriving(prop_oneof![5 => step(), 1 => delete()].boxed())
}

fn arriving(step: BoxedStrategy<Step>) -> impl Strategy<Value = (Records, Records, usize)> {
    prop::collection::vec(step, 1..24).prop_flat_map(|steps| {
        let records = stamped(&steps);
        let copies = prop::collection::vec((any::<prop::sample::Index>(), any::<bool>()), 0..8);
        let all = copies.prop_map({
            let records = records.clone();
            move |copies| {
                let mut all = records.clone();
                for (at, later) in copies {
                    let (record, order) = at.get(&records).clone();
                    let ulid = ulid::Ulid(order.ulid.0 + if later { 1_000 } else { 0 });
                    all.push((record, Order { ulid, ..order }));
                }
                all
            }
        });
        (Just(records), all.prop_shuffle(), 1..5_usize)
    })
}

fn arrived(records: &[(Record, Order)], batch: usize) -> View {
    let mut view = View::default();
    for batch in records.chunks(batch) {
        view.apply(batch.iter().map(|(record, order)| (record, *order))).unwrap();
    }
    view
}

fn paged(view: &View, session: &str, limit: usize, descending: bool) -> Vec<Order> {
    let (mut orders, mut after) = (Vec::new(), None);
    loop {
        let (page, more) = view.page(session, after, limit, descending);
        assert!(page.len() == limit || !more);
        orders.extend(page.iter().map(|found| found.entry.order));
        after = orders.last().copied();
        if !more {
            return orders;
        }
    }
}

/// Messages that reach themselves by parents and calls: no order can please them.
fn circular(links: &HashMap<String, Vec<String>>, from: &str) -> bool {
    let (mut open, mut met) = (vec![from.to_owned()], Vec::new());
    while let Some(id) = open.pop() {
        for parent in links.get(&id).into_iter().flatten() {
            if parent == from {
                return true;
            }
            if !met.contains(parent) {
                met.push(parent.clone());
                open.push(parent.clone());
            }
        }
    }
    false
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_view_is_the_same_for_every_arrival((records, arrivals, batch) in deletes()) {
        let expected = seen(&folded(&records));
        prop_assert_eq!(&seen(&arrived(&arrivals, batch)), &expected);
        let backward: Vec<_> = arrivals.iter().rev().cloned().collect();
        prop_assert_eq!(&seen(&arrived(&backward, 1)), &expected);
    }

    #[test]
    fn a_view_shows_what_deletes_leave_in_the_places_that_it_had((records, arrivals, batch) in deletes()) {
        let mut graves = Graves::default();
        for (record, order) in &records {
            graves.add(record, *order).unwrap();
        }
        let buried = |record: &Record| graves.has_message(record.session.as_ref().unwrap().as_str(), &record.id);
        let left = |(record, order): &&(Record, Order)| {
            record.kind != Kind::Tombstone && (buried(record) && record.kind == Kind::Message && {
                let mut alone = record.clone();
                alone.id = "nobody deleted this".to_owned();
                !graves.hides(&alone, *order)
            } || !graves.hides(record, *order))
        };
        // With the messages that keep their place, and none that is gone.
        let whole = folded(&records.iter().filter(left).cloned().collect::<Vec<_>>());
        let view = arrived(&arrivals, batch);
        for session in SESSIONS {
            let shown = |view: &View| {
                let found = view.page(session, None, usize::MAX, false).0.into_iter();
                found.filter(|f| !graves.has_message(session, &f.entry.id))
                    .map(|f| (f.rank, f.id.clone(), f.entry.order, f.entry.text.clone())).collect::<Vec<_>>()
            };
            let all = shown(&view);
            prop_assert_eq!(&all, &shown(&whole));
            prop_assert_eq!(all.len(), view.page(session, None, usize::MAX, false).0.len());
            let alive: Vec<&(Record, Order)> = records.iter()
                .filter(|(r, o)| r.session.as_ref().unwrap().as_str() == session && r.kind != Kind::Tombstone && !graves.hides(r, *o))
                .collect();
            prop_assert_eq!(view.session(session).map(|found| found.messages as usize), (!alive.is_empty()).then_some(all.len()));
            prop_assert_eq!(view.session(session).map(|found| found.created_at), alive.iter().map(|(r, _)| r.at).min());
        }
    }

    #[test]
    fn pages_pass_over_what_is_deleted_and_go_on_after_it((_, arrivals, batch) in deletes(), limit in 1..4_usize) {
        let mut view = arrived(&arrivals, batch);
        for session in SESSIONS {
            let all = |view: &View| view.page(session, None, usize::MAX, false).0.iter().map(|f| f.entry.order).collect::<Vec<_>>();
            let mut orders = all(&view);
            prop_assert_eq!(&paged(&view, session, limit, false), &orders);
            let (page, more) = view.page(session, None, limit, false);
            let Some(last) = page.last().filter(|_| more) else { continue };
            let (order, rank, id) = (last.entry.order, last.rank, last.entry.id.to_string());
            view.apply([(&tombstone(Of::Message, session, &id, 99), support::order(99, 99))]).unwrap();
            let left = all(&view);
            orders.retain(|order| left.contains(order));
            let rest: Vec<Order> = view.page(session, Some(order), usize::MAX, false).0.iter().map(|f| f.entry.order).collect();
            prop_assert!(orders.ends_with(&rest) && orders.len() - rest.len() < limit);
            prop_assert!(view.late(session, order, rank).is_empty());
        }
    }

    #[test]
    fn ranks_are_1_to_n_and_pages_make_the_whole((_, arrivals, batch) in arrivals(), limit in 1..7_usize) {
        let view = arrived(&arrivals, batch);
        for session in SESSIONS {
            let (all, more) = view.page(session, None, usize::MAX, false);
            prop_assert!(!more);
            let ranks: Vec<u32> = all.iter().map(|found| found.rank).collect();
            prop_assert_eq!(ranks, (1..=u32::try_from(all.len()).unwrap()).collect::<Vec<_>>());
            let mut orders: Vec<Order> = all.iter().map(|found| found.entry.order).collect();
            prop_assert_eq!(&paged(&view, session, limit, false), &orders);
            orders.reverse();
            prop_assert_eq!(&paged(&view, session, limit, true), &orders);
        }
    }

    #[test]
    fn a_past_view_is_the_fold_of_what_was_written_by_then_and_of_the_deletes_of_today((records, arrivals, batch) in deletes(), share in 0..100_usize) {
        let view = arrived(&arrivals, batch);
        let until = records.get(records.len() * share / 100).map_or(Hlc::default(), |(_, order)| order.hlc);
        let then: Records = records.iter().filter(|(r, o)| o.hlc <= until || r.kind == Kind::Tombstone).cloned().collect();
        let (then, past) = (folded(&then), view.as_of(until));
        let of = |(found, more): (Vec<Found<'_>>, bool)| (found.iter().map(|f| (f.rank, f.id.clone(), f.entry.order)).collect::<Vec<_>>(), more);
        for session in SESSIONS {
            for (limit, descending) in [(usize::MAX, false), (usize::MAX, true), (2, false), (2, true)] {
                let wanted = of(then.page(session, None, limit, descending));
                prop_assert_eq!(&of(past.page(session, None, limit, descending)), &wanted);
                let after = wanted.0.last().map(|(_, _, order)| *order);
                prop_assert_eq!(of(past.page(session, after, limit, descending)), of(then.page(session, after, limit, descending)));
            }
            let shown = |session: Option<FoundSession<'_>>| session.map(|s| format!("{s:?}"));
            prop_assert_eq!(shown(past.session(session)), shown(then.session(session)));
            for found in past.page(session, None, usize::MAX, false).0 {
                prop_assert_eq!(past.find(session, &found.id).unwrap().number, found.number);
            }
        }
        let listed = |(found, more): (Vec<FoundSession<'_>>, bool)| (format!("{found:?}"), more);
        prop_assert_eq!(listed(past.sessions(None, 1, true)), listed(then.sessions(None, 1, true)));
    }

    #[test]
    fn every_id_of_a_view_names_its_message((_, arrivals, batch) in deletes()) {
        let view = arrived(&arrivals, batch);
        for session in SESSIONS {
            let mut ids = BTreeMap::new();
            for found in view.page(session, None, usize::MAX, false).0 {
                prop_assert_eq!(view.find(session, &found.id).unwrap().number, found.number);
                prop_assert_eq!(view.found(found.number).unwrap().id, found.id.clone());
                let by_digest = format!("{}~{}", found.entry.id, hex::encode(&found.entry.digest[..4]));
                prop_assert_eq!(view.find(session, &by_digest).unwrap().number, found.number);
                prop_assert_eq!(found.conflict_of.is_some(), found.id == by_digest);
                prop_assert!(ids.insert(found.id.clone(), ()).is_none());
            }
        }
    }

    #[test]
    fn children_come_after_their_parents_and_answers_after_their_calls((_, arrivals, batch) in arrivals()) {
        let view = arrived(&arrivals, batch);
        for session in SESSIONS {
            let all = view.page(session, None, usize::MAX, false).0;
            let decoded = |text: &str| serde_json::from_str::<Message>(text).unwrap();
            let mut callers: HashMap<String, (Order, String)> = HashMap::new();
            for found in &all {
                for call in decoded(&found.entry.text).tool_call_ids() {
                    let this = (found.entry.order, found.id.clone());
                    let lowest = callers.entry(call).or_insert_with(|| this.clone());
                    *lowest = lowest.clone().min(this);
                }
            }
            let ranks: HashMap<&str, u32> = all.iter().map(|f| (f.id.as_str(), f.rank)).collect();
            let mut links: HashMap<String, Vec<String>> = HashMap::new();
            for found in &all {
                let message = decoded(&found.entry.text);
                let caller = message.tool_call_id.and_then(|call| callers.get(&call)).map(|c| c.1.clone());
                let parents = message.parent_id.into_iter().chain(caller);
                let known = parents.filter(|parent| ranks.contains_key(parent.as_str()) && *parent != found.id);
                links.insert(found.id.clone(), known.collect());
            }
            for (child, parents) in &links {
                for parent in parents {
                    let circle = circular(&links, child) || circular(&links, parent);
                    prop_assert!(circle || ranks[parent.as_str()] < ranks[child.as_str()], "{child} before {parent}");
                }
            }
        }
    }

    #[test]
    fn of_each_field_of_a_session_the_newest_record_stands((records, arrivals, batch) in deletes()) {
        let view = arrived(&arrivals, batch);
        let mut graves = Graves::default();
        for (record, order) in &records {
            graves.add(record, *order).unwrap();
        }
        for session in SESSIONS {
            let mut expected = SessionFields::default();
            for (record, order) in &records {
                if record.kind == Kind::Session && record.id == session && !graves.hides(record, *order) {
                    let set = SessionFields::decode(record.body.as_ref().unwrap()).unwrap();
                    expected = expected.overlaid(&set);
                }
            }
            if let Some(found) = view.session(session) {
                prop_assert_eq!(found.fields.as_ref(), &expected);
            }
        }
    }

    #[test]
    fn sessions_page_by_their_last_activity((_, arrivals, batch) in deletes(), descending: bool) {
        let view = arrived(&arrivals, batch);
        let ids = |page: Vec<holdfast_core::fold::FoundSession<'_>>| {
            page.into_iter().map(|s| (s.last, s.id.to_owned())).collect::<Vec<_>>()
        };
        let all = ids(view.sessions(None, usize::MAX, descending).0);
        let (mut found, mut after) = (Vec::new(), None);
        loop {
            let (page, more) = view.sessions(after, 1, descending);
            found.extend(ids(page));
            after = found.last().map(|(last, _)| *last);
            if !more { break; }
        }
        prop_assert_eq!(&found, &all);
        let orders: Vec<Order> = all.iter().map(|(last, _)| *last).collect();
        let sorted = if descending { orders.is_sorted_by(|a, b| a > b) } else { orders.is_sorted() };
        prop_assert!(sorted);
    }
}

fn chain(length: u64) -> Records {
    // Each message is the child of one that is stamped later: the worst case of late parents.
    let one = |tick: u64| {
        let parent = (tick < length).then(|| format!("m{}", tick + 1));
        let message = Message { parent_id: parent, ..saying(Role::User, "x") };
        (record("s", &format!("m{tick}"), tick, message), order(tick, u128::from(tick)))
    };
    (1..=length).map(one).collect()
}

#[test]
fn a_long_chain_of_late_parents_is_turned_round() {
    let view = folded(&chain(5_000));
    let found = view.page("s", None, usize::MAX, false).0;
    let ids: Vec<String> = found.into_iter().map(|found| found.id).collect();
    assert_eq!(ids, (1..=5_000).rev().map(|n| format!("m{n}")).collect::<Vec<_>>());
}

#[test]
fn a_copy_in_a_later_object_is_no_activity_and_one_in_an_earlier_takes_its_place() {
    let message = record("s", "m", 5, saying(Role::User, "x"));
    let mut view = View::default();
    view.apply([(&message, order(5, 9))]).unwrap();
    let applied = view.apply([(&message, order(5, 10))]).unwrap();
    assert!(matches!(&applied[0], Applied::Again { moved: false, .. }));
    assert_eq!(view.session("s").unwrap().last, order(5, 9));
    let applied = view.apply([(&message, order(5, 8))]).unwrap();
    assert!(matches!(&applied[0], Applied::Again { moved: true, .. }));
    assert_eq!(view.session("s").unwrap().last, order(5, 8));
    assert_eq!((view.newest(), view.len()), (Some(order(5, 8)), 1));
    assert_eq!(view.sessions(None, 9, true).0.len(), 1);
}

#[test]
fn a_copy_of_an_old_edit_does_not_undo_a_newer_one() {
    let named = |name: &str| SessionFields { name: Some(name.to_owned()), ..Default::default() };
    let (old, new) = (fields("s", 5, &named("old")), fields("s", 5, &named("new")));
    let view = folded(&[(old.clone(), order(5, 1)), (new, order(5, 2)), (old, order(5, 3))]);
    assert_eq!(view.session("s").unwrap().fields.name.as_deref(), Some("new"));
    assert_eq!(view.session("s").unwrap().fields_order, Some(order(5, 2)));
}

#[test]
fn a_cursor_goes_on_where_its_message_moved_to() {
    let child = Message { parent_id: Some("p".to_owned()), ..saying(Role::User, "child") };
    let mut view = folded(&[
        (record("s", "c", 1, child), order(1, 1)),
        (record("s", "x", 2, saying(Role::User, "x")), order(2, 2)),
    ]);
    let late = record("s", "p", 3, saying(Role::User, "p"));
    view.apply([(&late, order(3, 3))]).unwrap();
    let ids = |page: Vec<holdfast_core::fold::Found<'_>>| {
        page.into_iter().map(|f| f.id).collect::<Vec<_>>()
    };
    assert_eq!(ids(view.page("s", None, 9, false).0), ["x", "p", "c"]);
    assert_eq!(ids(view.page("s", Some(order(3, 3)), 9, false).0), ["c"]);
    assert!(view.page("s", Some(order(1, 1)), 9, false).0.is_empty());
    assert_eq!(ids(view.page("s", Some(order(1, 1)), 9, true).0), ["p", "x"]);
}

#[test]
fn records_before_one_that_cannot_be_read_are_folded() {
    let mut bad = record("s", "bad", 2, saying(Role::User, "x"));
    bad.body = Some(serde_json::value::RawValue::from_string("{}".to_owned()).unwrap());
    let good = record("s", "good", 1, saying(Role::User, "x"));
    let mut view = View::default();
    let error = view.apply([(&good, order(1, 1)), (&bad, order(2, 2))]).unwrap_err();
    assert_eq!(error.status(), 500);
    assert_eq!(view.find("s", "good").unwrap().rank, 1);
    assert!(view.find("s", "bad").is_none() && view.find("t", "good").is_none());
    assert_eq!(view.highest(), at(2));
}
