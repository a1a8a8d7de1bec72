//! Physical deletes: the bytes go after the grace, and not before; readers see what a plain delete would have left.

use crate::compacting::eager;
use crate::erasing::everything;
use crate::world::{DAY, MINUTE, NOW, Seen, World, body, scope, session, writer};
use futures::executor::block_on;
use half::f16;
use holdfast_core::graves::Of;
use holdfast_core::key::is_purging;
use holdfast_core::message::MessageVectors;
use holdfast_core::record::{Kind, Record, Stamp};
use holdfast_core::retention::{Ended, written_down};
use holdfast_core::session::SessionFields;
use holdfast_core::thing::{Source, ThingBody, ThingKind};
use holdfast_core::token::Frontier;
use holdfast_core::{Hlc, Order, SessionId};
use holdfast_journal::{Draft, Next, Pen, Rules, delete, rewrite, verify, write};
use std::cell::RefCell;

const CANARIES: [&str; 3] = ["canary-message", "canary-session", "PAA8ADwAPAA8"];

fn named(session: &str) -> SessionId {
    SessionId::parse(session).unwrap()
}

fn message(session: &str, id: &str, text: &str, parent: Option<&str>) -> Draft {
    let mut message = body(text).message;
    message.parent_id = parent.map(str::to_owned);
    let values = vec![f16::from_f32(if text.contains("canary") { 1.0 } else { 0.5 }); 6];
    let vectors = vec![MessageVectors { space: "a".into(), chunks: vec![(0, 1)], values }];
    let body = holdfast_core::message::MessageBody::new(message, vectors).unwrap();
    let body = body.encode().unwrap();
    Draft { kind: Kind::Message, id: id.to_owned(), session: named(session), body }
}

fn fields(session: &str, name: &str) -> Draft {
    let fields = SessionFields { name: Some(name.to_owned()), ..SessionFields::default() };
    let (kind, id) = (Kind::Session, session.to_owned());
    Draft { kind, id, session: named(session), body: fields.encode().unwrap() }
}

async fn put(world: &World, drafts: Vec<Draft>) {
    let pen = Pen { scope: &scope(), by: writer(), known: &Frontier::default(), offset: 0 };
    write(&world.outside(), pen, drafts).await.unwrap();
    world.pass(1);
}

pub async fn bury(world: &World, of: Of, session: &str, id: &str, physical: bool) {
    let body = of.encode_as(physical).unwrap();
    let (kind, id) = (Kind::Tombstone, id.to_owned());
    let tombstone = Draft { kind, id, session: named(session), body };
    let pen = Pen { scope: &scope(), by: writer(), known: &Frontier::default(), offset: 0 };
    delete(&world.outside(), pen, vec![tombstone], async |_| {}).await.unwrap();
    world.pass(1);
}

/// Two sessions in segments of two tiers and a tail; a message of the one and all of the other are deleted.
async fn deleted(physical: bool) -> World {
    let (world, rules) = (World::new(), Rules { tier: 2, ..eager() });
    put(&world, vec![message("s", "m1", "one", None), message("s", "m2", "canary-message", None)])
        .await;
    put(
        &world,
        vec![message("gone", "g1", "canary-session", None), fields("gone", "canary-session")],
    )
    .await;
    world.compact_all(&rules).await;
    put(&world, vec![message("s", "m3", "three", Some("m2"))]).await;
    world.compact_all(&rules).await;
    put(&world, vec![message("gone", "g2", "canary-session too", None)]).await;
    // In the tail, beside the tombstones.
    put(&world, vec![message("s", "m4", "four", None)]).await;
    world.pass(MINUTE);
    bury(&world, Of::Message, "s", "m2", physical).await;
    bury(&world, Of::Session, "gone", "gone", physical).await;
    put(&world, vec![message("gone", "g3", "anew", None)]).await;
    world.memory.set_now(world.now.get());
    world
}

async fn canaries(world: &World) -> Vec<&'static str> {
    let all = everything(world).await;
    CANARIES.into_iter().filter(|canary| all.contains(canary)).collect()
}

/// What readers see but vectors: what a delete hides need not have brought them.
async fn seen(world: &World) -> Seen {
    world.dies_after.set(None);
    Seen { vectors: Vec::new(), ..world.read().await.unwrap().1 }
}

async fn collect_all(world: &World) {
    while world.collect(&eager()).await.unwrap().next == Next::More {}
}

#[test]
fn after_the_grace_no_byte_is_left_and_before_it_all_are_there() {
    block_on(async {
        let world = deleted(true).await;
        let before = seen(&world).await;
        assert_eq!(before, seen(&deleted(false).await).await, "as a plain delete");
        world.pass(61 * MINUTE);
        let steps = world.compact_all(&Rules { tier: 2, ..Rules::default() }).await;
        assert!(steps.iter().any(|step| step.purged > 0), "{steps:?}");
        assert_eq!(seen(&world).await, before);
        // The newest segments are without them, what they replaced is not.
        assert_eq!(canaries(&world).await, CANARIES);
        world.pass(6 * DAY);
        collect_all(&world).await;
        assert_eq!(canaries(&world).await, CANARIES);
        world.pass(2 * DAY);
        collect_all(&world).await;
        assert_eq!(canaries(&world).await, [""; 0]);
        assert_eq!(seen(&world).await, before);
        assert!(verify(&world.outside(), &scope(), &Rules::default()).await.unwrap().is_whole());
    });
}

#[test]
fn a_plain_delete_leaves_the_bytes() {
    block_on(async {
        let world = deleted(false).await;
        world.compact_all(&eager()).await;
        world.pass(9 * DAY);
        collect_all(&world).await;
        assert_eq!(canaries(&world).await, CANARIES);
        assert!(world.keys_of("wal").iter().all(|key| !is_purging(key.as_str())));
    });
}

#[test]
fn a_purge_does_not_wait_for_others_and_is_done_once() {
    block_on(async {
        let world = deleted(true).await;
        let rules = Rules { tier: 99, ..Rules::default() };
        assert_eq!(world.compact(&rules).await.unwrap().sealed, 0, "too little, and too young");
        world.pass(60 * MINUTE);
        assert!(world.compact(&rules).await.unwrap().sealed > 0);
        assert!(world.compact_all(&rules).await.iter().any(|step| step.purged > 0));
        let keys = world.memory.keys();
        world.gets.borrow_mut().clear();
        let idle = world.compact(&rules).await.unwrap();
        assert_eq!((idle.next, idle.purged, idle.manifest), (Next::Done, 0, None));
        assert_eq!(world.memory.keys(), keys);
        assert!(world.gets.borrow().iter().all(|key| !key.as_str().contains("/seg/")));
    });
}

#[test]
fn a_message_that_went_keeps_its_place_and_what_hangs_on_it() {
    block_on(async {
        let world = deleted(true).await;
        world.compact_all(&eager()).await;
        world.pass(9 * DAY);
        collect_all(&world).await;
        let (journal, _) = world.read().await.unwrap();
        let (page, _) = journal.view().page("s", None, 10, false);
        let placed: Vec<(&str, u32)> = page.iter().map(|m| (m.id.as_str(), m.rank)).collect();
        assert_eq!(placed, [("m1", 1), ("m3", 3), ("m4", 4)]);
        // A copy that somebody writes again stays hidden, and goes when it is sealed.
        let stamp = Stamp { at: Hlc::at(NOW), by: writer() };
        let body = body("canary-message").encode().unwrap();
        let again = Record::new(Kind::Message, "m2", &session(), &stamp, body);
        let known = Frontier::default();
        rewrite(&world.outside(), &scope(), &known, 0, vec![again]).await.unwrap();
        world.pass(1);
        assert_eq!(seen(&world).await.messages.len(), 4);
        world.compact_all(&eager()).await;
        world.pass(9 * DAY);
        collect_all(&world).await;
        assert_eq!(canaries(&world).await, [""; 0]);
    });
}

#[test]
fn a_compaction_that_purges_and_dies_after_any_call_loses_and_resurrects_nothing() {
    block_on(async {
        let rules = Rules { tier: 2, ..eager() };
        let before = seen(&deleted(false).await).await;
        for last_is_done in [false, true] {
            for calls in 1.. {
                let world = deleted(true).await;
                world.last_is_done.set(last_is_done);
                world.dies_after.set(Some(calls));
                for _ in 0..4 {
                    let _ = world.compact(&rules).await;
                }
                let survived = world.dies_after.get() != Some(0);
                assert_eq!(seen(&world).await, before, "after {calls} calls");
                world.compact_all(&rules).await;
                assert_eq!(seen(&world).await, before);
                world.pass(9 * DAY);
                collect_all(&world).await;
                world.pass(9 * DAY);
                collect_all(&world).await;
                assert_eq!(seen(&world).await, before);
                // What nothing ever named goes after twice the grace.
                world.pass(9 * DAY);
                collect_all(&world).await;
                collect_all(&world).await;
                assert_eq!(canaries(&world).await, [""; 0], "after {calls} calls");
                if survived {
                    assert!(calls > 20);
                    break;
                }
            }
        }
    });
}

#[test]
fn a_reader_that_was_loaded_before_stays_right_while_all_that_it_knew_goes() {
    block_on(async {
        let world = deleted(true).await;
        let journal = RefCell::new(world.read().await.unwrap().0);
        world.compact_all(&eager()).await;
        world.pass(9 * DAY);
        collect_all(&world).await;
        put(&world, vec![message("s", "m5", "five", None)]).await;
        let now = world.now.get();
        let found = holdfast_journal::poll(&world, &journal, NOW, now).await.unwrap();
        journal.borrow_mut().owe(found);
        let loaded = world.settle(&journal).await.unwrap();
        let fresh = seen(&world).await;
        assert_eq!((loaded.messages, loaded.sessions), (fresh.messages, fresh.sessions));
    });
}

#[test]
fn two_compactors_at_once_leave_nothing_either() {
    block_on(async {
        let world = deleted(true).await;
        let before = seen(&world).await;
        world.compact(&eager()).await.unwrap();
        // The second sees nothing of what the first published from here on.
        world.compact(&eager()).await.unwrap();
        let hidden = world.keys_of("man").pop().unwrap();
        world.memory.hide(hidden.as_str());
        world.compact_all(&Rules { tier: 2, ..eager() }).await;
        world.memory.unhide_all();
        assert_eq!(seen(&world).await, before);
        world.compact_all(&eager()).await;
        for _ in 0..3 {
            world.pass(9 * DAY);
            collect_all(&world).await;
        }
        assert_eq!((seen(&world).await, canaries(&world).await), (before, vec![]));
    });
}

#[test]
fn what_has_passed_goes_whole_and_what_has_not_stays() {
    block_on(async {
        let world = World::new();
        put(&world, vec![message("s", "old", "canary-message", None), fields("s", "Trip")]).await;
        world.compact_all(&eager()).await;
        let until = Hlc::at(world.now.get());
        world.pass(DAY);
        put(&world, vec![message("s", "new", "new", None)]).await;
        let stamp = Stamp { at: Hlc::at(world.now.get()), by: writer() };
        let body = Of::encode_until(until).unwrap();
        let passed = Record::of_user(Kind::Tombstone, &until.to_string(), &stamp, body);
        let known = Frontier::default();
        rewrite(&world.outside(), &scope(), &known, 0, vec![passed]).await.unwrap();
        world.pass(MINUTE);
        let before = seen(&world).await;
        assert_eq!((before.messages.len(), before.sessions.len()), (1, 1));
        assert!(before.sessions[0].contains("Trip") && before.messages[0].contains("new"));
        world.compact_all(&eager()).await;
        world.pass(9 * DAY);
        collect_all(&world).await;
        assert_eq!(canaries(&world).await, [""; 0]);
        assert_eq!(seen(&world).await, before);
    });
}

/// The record of a memory that was made of these messages.
fn memory(id: &str, text: &str, sources: &[(&str, &str)]) -> impl Fn(&Stamp) -> Record {
    let made_of = |(session, message): &(&str, &str)| Source {
        session: named(session),
        message: Some((*message).to_owned()),
        order: Order { hlc: Hlc::at(NOW), ulid: ulid::Ulid(1), position: 0 },
        start: None,
        end: None,
    };
    let sources = sources.iter().map(made_of).collect();
    let thing = serde_json::json!({"text": text, "importance": "0.5", "event": "saved"});
    let mut body = ThingBody::new(&thing, sources).unwrap();
    let values = vec![f16::from_f32(if text.contains("canary") { 1.0 } else { 0.5 }); 6];
    body.vectors = vec![MessageVectors { space: "a".into(), chunks: vec![(0, 1)], values }];
    let id = id.to_owned();
    move |stamp| Record::thing(ThingKind::Memory, (None, &id), stamp, &body).unwrap()
}

async fn save(world: &World, record: impl Fn(&Stamp) -> Record) {
    let pen = Pen { scope: &scope(), by: writer(), known: &Frontier::default(), offset: 0 };
    let records = |stamp: &Stamp| Ok(vec![record(stamp)]);
    holdfast_journal::write_as(&world.outside(), pen, records).await.unwrap();
    world.pass(1);
}

async fn forget(world: &World, id: &str, physical: bool) {
    let pen = Pen { scope: &scope(), by: writer(), known: &Frontier::default(), offset: 0 };
    let of = Of::Thing(ThingKind::Memory);
    let body = of.encode_as(physical).unwrap();
    let record =
        move |stamp: &Stamp| Ok(vec![Record::of_user(Kind::Tombstone, id, stamp, body.clone())]);
    holdfast_journal::delete_as(&world.outside(), pen, record, async |_| {}).await.unwrap();
    world.pass(1);
}

async fn memories(world: &World) -> Vec<String> {
    world.dies_after.set(None);
    let (journal, _) = world.read().await.unwrap();
    let all = journal.view().things(ThingKind::Memory, "");
    all.map(|found| found.id.to_owned()).collect()
}

/// Memories of a message, of a session and of none, that are all deleted, each in its way; and one that stays. In segments
/// of their own, which no purge of a message names.
async fn forgotten(physical: bool) -> World {
    let world = World::new();
    put(&world, vec![message("s", "m1", "one", None), message("gone", "g1", "two", None)]).await;
    world.compact_all(&eager()).await;
    save(&world, memory("of-message", "canary-message", &[("s", "m1")])).await;
    save(&world, memory("of-session", "canary-session", &[("gone", "g1")])).await;
    world.compact_all(&Rules { tier: 99, ..eager() }).await;
    save(&world, memory("itself", "canary-message too", &[])).await;
    save(&world, memory("stays", "stays", &[("s", "m0")])).await;
    world.compact_all(&Rules { tier: 99, ..eager() }).await;
    world.pass(MINUTE);
    bury(&world, Of::Message, "s", "m1", physical).await;
    bury(&world, Of::Session, "gone", "gone", physical).await;
    forget(&world, "itself", physical).await;
    world.memory.set_now(world.now.get());
    world
}

#[test]
fn a_memory_goes_byte_by_byte_with_what_it_was_made_of_and_by_itself() {
    block_on(async {
        for physical in [true, false] {
            let world = forgotten(physical).await;
            assert_eq!(memories(&world).await, ["stays"]);
            world.compact_all(&Rules { tier: 99, ..eager() }).await;
            world.pass(9 * DAY);
            collect_all(&world).await;
            let left: &[&str] = if physical { &[] } else { &CANARIES };
            assert_eq!(canaries(&world).await, left, "physical: {physical}");
            assert_eq!(memories(&world).await, ["stays"]);
        }
    });
}

#[test]
fn a_memory_that_is_written_anew_under_a_purged_id_stays() {
    block_on(async {
        let world = forgotten(true).await;
        save(&world, memory("itself", "anew", &[])).await;
        world.compact_all(&eager()).await;
        world.pass(9 * DAY);
        collect_all(&world).await;
        assert_eq!(memories(&world).await, ["itself", "stays"]);
        assert_eq!(canaries(&world).await, [""; 0]);
    });
}

#[test]
fn memories_that_were_looked_at_are_not_looked_at_again() {
    block_on(async {
        let world = forgotten(true).await;
        let rules = Rules { tier: 99, ..eager() };
        world.compact_all(&rules).await;
        world.gets.borrow_mut().clear();
        // A purge of a session that no memory was made of concerns none of their segments.
        put(&world, vec![message("other", "o1", "three", None)]).await;
        bury(&world, Of::Message, "other", "o1", true).await;
        let steps = world.compact_all(&rules).await;
        assert_eq!(steps.iter().map(|step| step.purged).sum::<usize>(), 0, "{steps:?}");
    });
}

#[test]
fn a_memory_that_is_younger_than_the_messages_that_passed_goes_with_them() {
    block_on(async {
        let world = World::new();
        put(&world, vec![message("s", "m1", "one", None)]).await;
        let until = Hlc::at(world.now.get());
        world.pass(DAY);
        save(&world, memory("of-message", "canary-message", &[("s", "m1")])).await;
        save(&world, memory("stays", "stays", &[])).await;
        world.compact_all(&eager()).await;
        world.pass(1);
        let stamp = Stamp { at: Hlc::at(world.now.get()), by: writer() };
        let body = Of::encode_until(until).unwrap();
        let passed = Record::of_user(Kind::Tombstone, &until.to_string(), &stamp, body);
        assert_eq!(memories(&world).await, ["of-message", "stays"]);
        rewrite(&world.outside(), &scope(), &Frontier::default(), 0, vec![passed]).await.unwrap();
        assert_eq!(memories(&world).await, ["stays"]);
        world.compact_all(&Rules { tier: 99, ..eager() }).await;
        world.pass(9 * DAY);
        collect_all(&world).await;
        assert_eq!(canaries(&world).await, [""; 0]);
        assert_eq!(memories(&world).await, ["stays"]);
    });
}

#[test]
fn a_memory_that_ended_goes_byte_by_byte_and_one_that_was_prolonged_stays() {
    block_on(async {
        for written in [true, false] {
            let world = World::new();
            save(&world, memory("ends", "canary-message", &[])).await;
            save(&world, memory("longer", "canary-session", &[])).await;
            world.compact_all(&eager()).await;
            let (journal, _) = world.read().await.unwrap();
            let ended = journal.view().all_things().map(|found| Ended {
                kind: found.kind,
                session: None,
                id: found.id.to_owned(),
                at: found.last().unwrap().order.hlc,
            });
            let ended: Vec<Ended> = ended.collect();
            // Somebody changes the one before what has ended is written down.
            save(&world, memory("longer", "stays", &[])).await;
            let stamp = Stamp { at: Hlc::at(world.now.get()), by: writer() };
            let records = written_down(None, &ended, &stamp).unwrap();
            if written {
                rewrite(&world.outside(), &scope(), &Frontier::default(), 0, records)
                    .await
                    .unwrap();
                assert_eq!(memories(&world).await, ["longer"]);
            }
            world.compact_all(&eager()).await;
            world.pass(9 * DAY);
            collect_all(&world).await;
            let left: &[&str] = if written { &[] } else { &CANARIES };
            assert_eq!(canaries(&world).await, left, "written down: {written}");
            let (journal, _) = world.read().await.unwrap();
            let standing = journal.view().thing(ThingKind::Memory, "", "longer").unwrap();
            assert!(standing.last().unwrap().text.contains("stays"));
        }
    });
}
