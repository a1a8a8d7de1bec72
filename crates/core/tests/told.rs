//! Things in the feed of changes: a mirror that is told them, in whatever order they come to be seen, has what the view has.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod support;

use holdfast_core::fold::{View, What};
use holdfast_core::graves::Of;
use holdfast_core::message::Role;
use holdfast_core::record::{Record, Stamp, WriterKind};
use holdfast_core::retention::passes_at;
use holdfast_core::thing::{Source, ThingBody, ThingKind};
use holdfast_core::{Hlc, Order, SessionId};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use support::{at, by, order, record, saying, tombstone};

type Name = (ThingKind, String, String);

/// What `docs/storage.md` says that a mirror of things keeps.
#[derive(Default)]
struct Mirror {
    things: BTreeMap<Name, BTreeMap<Order, (String, Vec<Source>)>>,
    /// Tombstones of things, of sessions, of messages; and up to when messages have passed.
    buried: BTreeMap<Name, Hlc>,
    sessions: BTreeMap<String, Hlc>,
    messages: BTreeSet<(String, String)>,
    passed: Option<Hlc>,
}

impl Mirror {
    fn follow(&mut self, view: &View, objects: &HashSet<u128>) {
        for change in view.changes(objects) {
            let (session, id, order) =
                (change.session.to_owned(), change.id.to_owned(), change.order);
            match change.what {
                What::Thing(kind, version) => {
                    let said = (version.text.to_string(), version.sources.clone());
                    self.things.entry((kind, session, id)).or_default().insert(order, said);
                }
                What::Tombstone(Of::Thing(kind)) => {
                    let until = self.buried.entry((kind, session, id)).or_default();
                    *until = order.hlc.max(*until);
                }
                What::Tombstone(Of::Session) => {
                    let until = self.sessions.entry(session).or_default();
                    *until = order.hlc.max(*until);
                }
                What::Tombstone(Of::Message) => drop(self.messages.insert((session, id))),
                What::Passed(until) => self.passed = self.passed.max(Some(until)),
                _ => {}
            }
        }
    }

    fn stands(&self, name: &Name, order: &Order, sources: &[Source]) -> bool {
        let gone = |source: &Source| {
            let until = self.sessions.get(source.session.as_str());
            let message = source.message.as_ref();
            until.is_some_and(|until| source.order.hlc <= *until)
                || message.is_some_and(|id| {
                    self.messages.contains(&(source.session.to_string(), id.clone()))
                })
        };
        self.buried.get(name).is_none_or(|until| order.hlc > *until)
            && self.sessions.get(&name.1).is_none_or(|until| order.hlc > *until)
            && !sources.iter().any(gone)
            && passes_at(name.0, sources).is_none_or(|at| Some(at) > self.passed)
    }

    fn all(&self) -> BTreeMap<Name, String> {
        let last = |(name, told): (&Name, &BTreeMap<Order, (String, Vec<Source>)>)| {
            let mut left = told.iter().filter(|(order, said)| self.stands(name, order, &said.1));
            Some((name.clone(), left.next_back()?.1.0.clone()))
        };
        self.things.iter().filter_map(last).collect()
    }
}

fn shown(view: &View) -> BTreeMap<Name, String> {
    let named = |found: holdfast_core::fold::FoundThing<'_>| {
        let name = (found.kind, found.session.unwrap_or_default().to_owned(), found.id.to_owned());
        (name, found.last().unwrap().text.to_string())
    };
    view.all_things().map(named).collect()
}

fn stamp(tick: u64) -> Stamp {
    Stamp { at: at(tick), by: by(WriterKind::Service, "k") }
}

/// A record by small numbers: which kind, which session, which id, made of what.
fn made(tick: u64, (what, session, id, of): (u8, u8, u8, u8)) -> Record {
    let named = |n: u8| SessionId::parse(&format!("s{n}")).unwrap();
    let (session_id, id) = (named(session), format!("i{id}"));
    let source = Source {
        session: named(of % 3),
        message: (of % 2 == 0).then(|| format!("i{}", of % 4)),
        order: order(tick.saturating_sub(u64::from(of)), 1),
        start: None,
        end: None,
    };
    let thing = |kind: ThingKind, sources: Vec<Source>| {
        let body =
            ThingBody::new(&serde_json::json!({"value": tick.to_string()}), sources).unwrap();
        let session = kind.in_session().then_some(&session_id);
        Record::thing(kind, (session, &id), &stamp(tick), &body).unwrap()
    };
    match what {
        0 => thing(ThingKind::Memory, if of < 3 { vec![] } else { vec![source] }),
        1 => thing(ThingKind::Preference, vec![]),
        2 => thing(ThingKind::Context, vec![]),
        3 => thing(ThingKind::Relationship, vec![Source { message: None, ..source }]),
        4 => thing(ThingKind::Feedback, vec![source]),
        5 => thing(ThingKind::Attachment, vec![]),
        6 => thing(ThingKind::Summary, vec![source]),
        7 => record(session_id.as_str(), &id, tick, saying(Role::User, "x")),
        8 => tombstone(Of::Message, session_id.as_str(), &id, tick),
        9 => tombstone(Of::Session, session_id.as_str(), session_id.as_str(), tick),
        _ => {
            let kind = ThingKind::ALL[usize::from(of) % ThingKind::ALL.len()];
            let session = kind.in_session().then_some(&session_id);
            Record::tombstone(Of::Thing(kind), (session, &id), &stamp(tick)).unwrap()
        }
    }
}

proptest! {
    #[test]
    fn a_mirror_of_what_is_told_has_every_thing_that_the_view_has(
        records in proptest::collection::vec((0_u8..12, 0_u8..3, 0_u8..3, 0_u8..8), 1..60),
        places in proptest::collection::vec(any::<u32>(), 60),
        pages in proptest::collection::vec(1_usize..6, 60),
    ) {
        let mut all: Vec<(Record, Order)> = records
            .into_iter()
            .enumerate()
            .map(|(n, one)| {
                let tick = 10 + n as u64 * 3;
                (made(tick, one), order(tick, 100 + n as u128))
            })
            .collect();
        // As they come to be seen.
        let mut seen: Vec<usize> = (0..all.len()).collect();
        seen.sort_by_key(|n| places[*n]);
        let (mut view, mut mirror) = (View::default(), Mirror::default());
        let mut rest = seen.as_slice();
        for page in pages {
            let (now, later) = rest.split_at(page.min(rest.len()));
            rest = later;
            for n in now {
                view.apply([(&all[*n].0, all[*n].1)]).unwrap();
            }
            mirror.follow(&view, &now.iter().map(|n| all[*n].1.ulid.0).collect());
        }
        for n in rest {
            view.apply([(&all[*n].0, all[*n].1)]).unwrap();
        }
        mirror.follow(&view, &rest.iter().map(|n| all[*n].1.ulid.0).collect());
        prop_assert_eq!(mirror.all(), shown(&view));
        // Whoever comes late and is told all at once has the same.
        let mut late = Mirror::default();
        all.drain(..).for_each(drop);
        late.follow(&view, &(100..200).collect());
        prop_assert_eq!(late.all(), shown(&view));
    }
}
