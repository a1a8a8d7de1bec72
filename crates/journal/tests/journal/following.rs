//! Following the feed of changes: a mirror made of nothing else has what readers see, whoever tells it and however late.

use crate::compacting::eager;
use crate::world::{World, body, ledger, scope, session, writer};
use futures::executor::block_on;
use holdfast_core::arrival::Told;
use holdfast_core::fold::{View, What};
use holdfast_core::graves::Of;
use holdfast_core::message::Digest;
use holdfast_core::record::Kind;
use holdfast_core::session::SessionFields;
use holdfast_core::token::Frontier;
use holdfast_core::{Hlc, Order, SessionId};
use holdfast_journal::{Changes, Draft, Journal, Pen, Rules, erase, write};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

type Message = (String, String, Digest);

/// What `docs/storage.md` tells a follower to do, and no more.
#[derive(Default)]
struct Mirror {
    told: Told,
    messages: BTreeMap<Message, (String, BTreeSet<Order>)>,
    edits: BTreeMap<String, BTreeMap<Order, SessionFields>>,
    dead: BTreeSet<(String, String)>,
    until: BTreeMap<String, Hlc>,
}

/// A view, or a mirror, as far as both can say.
#[derive(Debug, PartialEq, Eq, Default)]
struct State {
    messages: BTreeMap<Message, (String, Order)>,
    sessions: BTreeMap<String, SessionFields>,
}

impl Mirror {
    fn take(&mut self, changes: Changes<'_>) {
        if changes.erased.is_some() {
            *self = Self::default();
        }
        for change in &changes.records {
            let (session, id) = (change.session.to_owned(), change.id.to_owned());
            match &change.what {
                What::Message { entry, .. } => {
                    let text = entry.text.to_string();
                    let key = (session, id, entry.digest);
                    self.messages
                        .entry(key)
                        .or_insert((text, BTreeSet::new()))
                        .1
                        .insert(change.order);
                }
                What::Session(fields) => {
                    let edits = self.edits.entry(session).or_default();
                    edits.insert(change.order, (*fields).clone());
                }
                What::Tombstone(Of::Message) => drop(self.dead.insert((session, id))),
                What::Tombstone(Of::Session) => {
                    let until = self.until.entry(session).or_default();
                    *until = change.order.hlc.max(*until);
                }
                What::Tombstone(Of::Messages | Of::Thing(_))
                | What::Hidden(_)
                | What::Passed(_)
                | What::Thing(..)
                | What::User(_) => {}
            }
        }
        self.told = Told::parse(&changes.told.text()).unwrap();
    }

    fn state(&self) -> State {
        let until = |session: &String| self.until.get(session).copied();
        let mut state = State::default();
        for ((session, id, digest), (text, orders)) in &self.messages {
            let left = orders.iter().find(|order| Some(order.hlc) > until(session));
            let dead = self.dead.contains(&(session.clone(), id.clone()));
            if let Some(order) = left.filter(|_| !dead) {
                let key = (session.clone(), id.clone(), *digest);
                state.messages.insert(key, (text.clone(), *order));
                state.sessions.entry(session.clone()).or_default();
            }
        }
        for (session, edits) in &self.edits {
            let left = edits.iter().filter(|(order, _)| Some(order.hlc) > until(session));
            for (_, fields) in left {
                let now = state.sessions.entry(session.clone()).or_default();
                *now = now.overlaid(fields);
            }
        }
        state
    }
}

fn state(view: &View) -> State {
    let mut state = State::default();
    for session in view.sessions(None, usize::MAX, false).0 {
        let id = session.id.to_owned();
        state.sessions.insert(id.clone(), session.fields.into_owned());
        for found in view.page(&id, None, usize::MAX, false).0 {
            let entry = found.entry;
            let key = (id.clone(), entry.id.to_string(), entry.digest);
            state.messages.insert(key, (entry.text.to_string(), entry.order));
        }
    }
    state
}

/// Asks a reader until it has no more.
fn follow(mirror: &mut Mirror, journal: &Journal, limit: usize, now: u64) -> usize {
    let mut told = 0;
    loop {
        let changes = journal.changes(mirror.told.clone(), limit, 1 << 20, now).unwrap();
        let more = changes.more;
        told += changes.records.len();
        mirror.take(changes);
        if !more {
            return told;
        }
    }
}

#[derive(Debug, Clone)]
enum Deed {
    Write {
        session: u8,
        id: u8,
        text: u8,
    },
    Name {
        session: u8,
        name: u8,
    },
    Delete {
        session: u8,
        id: Option<u8>,
    },
    /// What was written last is not listed from now on.
    Hide,
    Unhide,
    Compact,
    Pass {
        minutes: u8,
    },
    Follow {
        limit: u8,
        pages: u8,
    },
}

fn deed() -> impl Strategy<Value = Deed> {
    prop_oneof![
        8 => (0_u8..2, 0_u8..4, 0_u8..2)
            .prop_map(|(session, id, text)| Deed::Write { session, id, text }),
        2 => (0_u8..2, 0_u8..4).prop_map(|(session, name)| Deed::Name { session, name }),
        3 => (0_u8..2, prop::option::of(0_u8..4))
            .prop_map(|(session, id)| Deed::Delete { session, id }),
        3 => Just(Deed::Hide),
        1 => Just(Deed::Unhide),
        1 => Just(Deed::Compact),
        1 => (0_u8..90).prop_map(|minutes| Deed::Pass { minutes }),
        4 => (1_u8..5, 1_u8..4).prop_map(|(limit, pages)| Deed::Follow { limit, pages }),
    ]
}

fn drafted(deed: &Deed) -> Option<Draft> {
    let named = |n: &u8| SessionId::parse(&format!("s{n}")).unwrap();
    Some(match deed {
        Deed::Write { session, id, text } => {
            let body = body(&format!("text {text}")).encode().unwrap();
            Draft { kind: Kind::Message, id: format!("m{id}"), session: named(session), body }
        }
        Deed::Name { session, name } => {
            let fields = match name % 2 {
                0 => SessionFields { name: Some(format!("n{name}")), ..Default::default() },
                _ => SessionFields { kind: Some(format!("k{name}")), ..Default::default() },
            };
            let id = named(session).as_str().to_owned();
            Draft {
                kind: Kind::Session,
                id,
                session: named(session),
                body: fields.encode().unwrap(),
            }
        }
        Deed::Delete { session, id } => {
            let of = if id.is_some() { Of::Message } else { Of::Session };
            let id = id.map_or(named(session).as_str().to_owned(), |id| format!("m{id}"));
            let body = of.encode().unwrap();
            Draft { kind: Kind::Tombstone, id, session: named(session), body }
        }
        _ => return None,
    })
}

async fn put(world: &World, draft: Draft) {
    let pen = Pen { scope: &scope(), by: writer(), known: &Frontier::default(), offset: 0 };
    write(&world.outside(), pen, vec![draft]).await.unwrap();
    world.pass(1);
}

async fn done(world: &World, mirror: &mut Mirror, deed: &Deed) {
    match deed {
        Deed::Hide => {
            if let Some(key) = world.keys_of("wal").pop() {
                world.memory.hide(key.as_str());
            }
        }
        Deed::Unhide => world.memory.unhide_all(),
        Deed::Compact => drop(world.compact(&Rules { tier: 2, ..eager() }).await.unwrap()),
        Deed::Pass { minutes } => world.pass(u64::from(*minutes) * 60_000),
        Deed::Follow { limit, pages } => {
            // A host that knows no more than the list shows now.
            let (journal, _) = world.read().await.unwrap();
            for _ in 0..*pages {
                let told = mirror.told.clone();
                let now = world.now.get();
                mirror.take(journal.changes(told, usize::from(*limit), 1 << 20, now).unwrap());
            }
        }
        write => {
            if let Some(draft) = drafted(write) {
                put(world, draft).await;
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn a_mirror_of_changes_alone_has_what_readers_see(
        deeds in prop::collection::vec(deed(), 0..70),
    ) {
        let (mirrored, expected) = block_on(async {
            let (world, mut mirror) = (World::new(), Mirror::default());
            for deed in &deeds {
                done(&world, &mut mirror, deed).await;
            }
            world.memory.unhide_all();
            let (journal, _) = world.read().await.unwrap();
            follow(&mut mirror, &journal, 3, world.now.get());
            // And then nothing is left to tell, whoever is asked.
            let (journal, _) = world.read().await.unwrap();
            assert_eq!(follow(&mut mirror, &journal, 3, world.now.get()), 0);
            (mirror.state(), state(journal.view()))
        });
        prop_assert_eq!(mirrored, expected);
    }
}

#[test]
fn what_was_stored_together_is_told_together_and_pages_end_by_bytes_too() {
    block_on(async {
        let world = World::new();
        let texts: Vec<String> = (0..6).map(|n| n.to_string().repeat(400)).collect();
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        world.store(&Frontier::default(), &texts[..3]).await.unwrap();
        world.pass(1);
        world.store(&Frontier::default(), &texts[3..]).await.unwrap();
        let (journal, _) = world.read().await.unwrap();
        let first = journal.changes(Told::default(), 1, 1 << 20, world.now.get()).unwrap();
        assert_eq!((first.records.len(), first.more), (3, true));
        let first = journal.changes(Told::default(), 100, 500, world.now.get()).unwrap();
        assert_eq!((first.records.len(), first.more), (3, true));
        let second = journal.changes(first.told, 100, 500, world.now.get()).unwrap();
        assert_eq!((second.records.len(), second.more), (3, false));
    });
}

#[test]
fn what_is_deleted_has_a_place_and_no_text() {
    block_on(async {
        let world = World::new();
        world.store(&Frontier::default(), &["a secret", "b"]).await.unwrap();
        world.pass(5);
        let (of, id) = (Of::Message, "a secret".to_owned());
        let body = of.encode().unwrap();
        put(&world, Draft { kind: Kind::Tombstone, id, session: session(), body }).await;
        let (journal, _) = world.read().await.unwrap();
        let changes = journal.changes(Told::default(), 10, 1 << 20, world.now.get()).unwrap();
        let what: Vec<&What<'_>> = changes.records.iter().map(|change| &change.what).collect();
        assert!(matches!(
            what[..],
            [What::Hidden(Kind::Message), What::Message { .. }, What::Tombstone(Of::Message)]
        ));
    });
}

#[test]
fn an_erase_is_told_before_all_that_came_after_it() {
    block_on(async {
        let (world, mut mirror) = (World::new(), Mirror::default());
        world.store(&Frontier::default(), &["a", "b"]).await.unwrap();
        let (journal, _) = world.read().await.unwrap();
        assert_eq!(follow(&mut mirror, &journal, 10, world.now.get()), 2);
        let pen = Pen { scope: &scope(), by: writer(), known: &journal.frontier(), offset: 0 };
        erase(&world.outside(), &ledger(), pen, async |_| {}).await.unwrap();
        world.pass(10);
        world.store(&Frontier::default(), &["c"]).await.unwrap();
        let (journal, _) = world.read().await.unwrap();
        let changes = journal.changes(mirror.told.clone(), 10, 1 << 20, world.now.get()).unwrap();
        assert!(changes.erased.is_some());
        mirror.take(changes);
        assert_eq!(mirror.state(), state(journal.view()));
        assert_eq!(mirror.state().messages.len(), 1);
        assert!(
            journal
                .changes(mirror.told.clone(), 10, 1 << 20, world.now.get())
                .unwrap()
                .erased
                .is_none()
        );
    });
}
