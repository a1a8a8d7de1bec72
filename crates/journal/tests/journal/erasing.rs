//! Erases: hidden at once, gone byte by byte, whoever dies or comes back in between, and never more than that.

use crate::compacting::eager;
use crate::world::{DAY, MINUTE, NOW, World, body, draft, ids, ledger, scope, session, writer};
use bytes::Bytes;
use futures::executor::block_on;
use half::f16;
use holdfast_core::cover::Cover;
use holdfast_core::erase::{REACH, Receipt, Versions};
use holdfast_core::graves::Of;
use holdfast_core::message::MessageVectors;
use holdfast_core::ports::{Objects, Purged};
use holdfast_core::record::{Kind, Record, Stamp};
use holdfast_core::session::SessionFields;
use holdfast_core::token::Frontier;
use holdfast_core::{Hlc, Key, Result, Scope, SessionId, UserId, key, segment};
use holdfast_journal::{
    Draft, Erasure, Journal, Next, Pen, Rules, SECOND_SWEEP, Written, erase, erased, erasure,
    find_erase, look_again, open, poll, rewrite, settle, sweep, write,
};
use std::cell::RefCell;
use ulid::Ulid;

const CANARIES: [&str; 6] =
    ["canary-text", "canary-session", "canary-id", "canary-name", "canary-gone", "PAA8ADwAPAA8"];

pub async fn write_all(world: &World, known: &Frontier, drafts: Vec<Draft>) -> Written {
    let scope = scope();
    let pen = Pen { scope: &scope, by: writer(), known, offset: 0 };
    let written = write(&world.outside(), pen, drafts).await.unwrap();
    world.pass(1);
    written
}

pub fn message(session: &str, id: &str, text: &str) -> Draft {
    let mut body = body(text);
    let values = vec![f16::from_f32(1.0); 6];
    body.vectors = vec![MessageVectors { space: "a".into(), chunks: vec![(0, 1)], values }];
    let session = SessionId::parse(session).unwrap();
    Draft { kind: Kind::Message, id: id.to_owned(), session, body: body.encode().unwrap() }
}

/// A user with segments of two tiers, a tail, a session's fields and tombstones, all of them marked.
pub async fn marked() -> World {
    let world = World::new();
    let none = Frontier::default();
    for round in 0..2 {
        let canary = format!("canary-id-{round}");
        let text = format!("canary-text of {round}");
        write_all(&world, &none, vec![message("canary-session", &canary, &text)]).await;
        let rules = holdfast_journal::Rules { tier: 2, ..eager() };
        world.compact_all(&rules).await;
    }
    let fields = SessionFields { name: Some("canary-name".to_owned()), ..SessionFields::default() };
    let id = SessionId::parse("canary-session").unwrap();
    let fields = fields.encode().unwrap();
    let fields =
        Draft { kind: Kind::Session, id: "canary-session".into(), session: id, body: fields };
    let first = write_all(&world, &none, vec![fields, message("s", "m", "text")]).await;
    let gone = Of::Message.encode().unwrap();
    let gone =
        Draft { kind: Kind::Tombstone, id: "canary-gone".into(), session: session(), body: gone };
    write_all(&world, &first.frontier, vec![gone]).await;
    world.pass(MINUTE);
    world
}

/// Everything that lies in the bucket, packed or not.
pub async fn everything(world: &World) -> String {
    let mut all = String::new();
    for text in world.memory.keys() {
        let key = Key::raw(text);
        let bytes = world.memory.get(&key).await.unwrap().unwrap();
        all.push_str(key.as_str());
        all.push_str(&String::from_utf8_lossy(&bytes));
        if key.as_str().contains("/seg/") {
            let cover = segment::cover_within(&bytes).unwrap();
            let lines = segment::open(&bytes, &cover).unwrap();
            all.push_str(&format!("{cover:?}"));
            lines.iter().for_each(|line| all.push_str(&line.text));
        }
        if key.as_str().contains("/cov/") {
            all.push_str(&format!("{:?}", Cover::decode(&bytes).unwrap()));
        }
        if key.as_str().contains("/idx/") {
            all.push_str(&crate::index_parts::unpacked(&bytes));
        }
    }
    all
}

async fn canaries(world: &World) -> Vec<&'static str> {
    let all = everything(world).await;
    CANARIES.into_iter().filter(|canary| all.contains(canary)).collect()
}

pub async fn begin(world: &World) -> Result<(Erasure, Frontier)> {
    let scope = scope();
    let known = Frontier::default();
    let pen = Pen { scope: &scope, by: writer(), known: &known, offset: 0 };
    let begun = erase(&world.outside(), &ledger(), pen, async |_: &Written| ()).await;
    world.pass(0);
    begun
}

pub async fn step(world: &World) -> Result<Next> {
    sweep(&world.outside(), &ledger(), &scope(), &writer(), &Rules::default()).await
}

/// Sweeps until there is nothing to do now: what is said of it then.
pub async fn swept(world: &World) -> Receipt {
    while step(world).await.unwrap() == Next::More {}
    last(world).await.receipt.unwrap()
}

async fn last(world: &World) -> Erasure {
    erasure(world, &ledger(), &scope()).await.unwrap().unwrap()
}

async fn shown(world: &World) -> Vec<String> {
    let (journal, seen) = world.read().await.unwrap();
    assert_eq!(seen.messages.len(), journal.view().len());
    seen.messages.iter().map(|text| text.split(' ').nth(1).unwrap().to_owned()).collect()
}

#[test]
fn after_an_erase_no_byte_of_the_user_is_left_and_before_it_all_are_found() {
    block_on(async {
        let world = marked().await;
        assert_eq!(canaries(&world).await, CANARIES);
        assert_eq!(shown(&world).await.len(), 3);
        let before = world.memory.keys().len();
        let (erasure, _) = begin(&world).await.unwrap();
        assert!(shown(&world).await.is_empty(), "hidden before anything is removed");
        assert_eq!(world.memory.keys().len(), before + 2);
        let receipt = swept(&world).await;
        assert_eq!(canaries(&world).await, [""; 0]);
        assert_eq!((receipt.at, receipt.last), (erasure.at, false));
        let counted: u64 = receipt.removed.values().sum();
        assert_eq!(counted, before as u64);
        for part in ["wal", "seg", "cov", "man"] {
            assert!(receipt.removed[part] > 0, "{part}: {receipt:?}");
        }
        // The mark in the journal and, in the ledger, the erase, what was swept, and the receipt.
        assert_eq!((world.keys_of("wal").len(), world.memory.keys().len()), (1, 4));
        assert!(shown(&world).await.is_empty());
        let (journal, seen) = world.read().await.unwrap();
        assert!(seen.sessions.is_empty() && journal.frontier().hlc >= erasure.at);
    });
}

#[test]
fn an_erase_is_acknowledged_when_its_moment_has_passed_and_lies_above_what_others_acknowledged() {
    block_on(async {
        let world = World::new();
        world.now.set(NOW + 4_000);
        world.store(&Frontier::default(), &["ahead"]).await.unwrap();
        world.now.set(NOW);
        let (erasure, frontier) = begin(&world).await.unwrap();
        assert!(erasure.at > Hlc::at(NOW + 4_000));
        assert!(world.now.get() > erasure.at.milliseconds());
        assert_eq!(frontier.hlc, erasure.at);
        assert!(shown(&world).await.is_empty());
        let (second, _) = begin(&world).await.unwrap();
        assert!(second.at > erasure.at);
        assert_eq!(last(&world).await, second);
    });
}

#[test]
fn what_is_stored_after_an_erase_opens_the_user_anew_and_stays() {
    block_on(async {
        let world = marked().await;
        let (_, frontier) = begin(&world).await.unwrap();
        // At once, long before the sweep's reach ends; under ids that were there and that were deleted.
        let again = write_all(&world, &frontier, vec![draft("m"), draft("canary-gone")]).await;
        swept(&world).await;
        assert_eq!(shown(&world).await, ["m", "canary-gone"]);
        assert_eq!(world.keys_of("wal").len(), 2);
        assert_eq!(world.compact(&eager()).await.unwrap().sealed, 0, "it would count for nothing");
        world.pass(REACH);
        write_all(&world, &again.frontier, vec![draft("later")]).await;
        assert_eq!(world.compact(&eager()).await.unwrap().sealed, 3);
        assert_eq!(shown(&world).await, ["m", "canary-gone", "later"]);
        world.pass(8 * DAY);
        write_all(&world, &Frontier::default(), vec![draft("end")]).await;
        world.compact_all(&eager()).await;
        world.pass(8 * DAY);
        while world.collect(&eager()).await.unwrap().next == Next::More {}
        assert_eq!(shown(&world).await, ["m", "canary-gone", "later", "end"]);
    });
}

#[test]
fn an_erase_that_dies_after_any_call_is_all_or_nothing_and_can_be_repeated() {
    block_on(async {
        for last_is_done in [false, true] {
            for calls in 1.. {
                let world = marked().await;
                world.last_is_done.set(last_is_done);
                world.dies_after.set(Some(calls));
                let died = begin(&world).await.is_err();
                world.dies_after.set(None);
                let marked = erased(&world, &ledger(), &scope()).await.unwrap().at().is_some();
                let left = if marked { 0 } else { 3 };
                assert_eq!(shown(&world).await.len(), left, "after {calls} calls");
                assert!(died || marked);
                if marked {
                    // Whoever tends the journals ends it.
                    swept(&world).await;
                    assert_eq!(canaries(&world).await, [""; 0], "after {calls} calls");
                    assert_eq!(world.keys_of("wal").len(), 1, "the mark is written where it lacks");
                }
                begin(&world).await.unwrap();
                swept(&world).await;
                assert_eq!(canaries(&world).await, [""; 0], "after {calls} calls");
                assert!(shown(&world).await.is_empty());
                if !died {
                    assert!(calls > 3);
                    break;
                }
            }
        }
    });
}

#[test]
fn a_sweep_that_dies_after_any_call_is_ended_by_the_next_and_its_receipt_is_the_same() {
    block_on(async {
        let whole = marked().await;
        let (_, frontier) = begin(&whole).await.unwrap();
        write_all(&whole, &frontier, vec![draft("after")]).await;
        let wanted = swept(&whole).await;
        for last_is_done in [false, true] {
            for calls in 1.. {
                let world = marked().await;
                let (_, frontier) = begin(&world).await.unwrap();
                write_all(&world, &frontier, vec![draft("after")]).await;
                world.last_is_done.set(last_is_done);
                world.dies_after.set(Some(calls));
                let died = step(&world).await.is_err();
                world.dies_after.set(None);
                assert_eq!(shown(&world).await, ["after"], "after {calls} calls");
                let receipt = swept(&world).await;
                let same = |r: &Receipt| (r.sha256.clone(), r.removed.clone());
                assert_eq!(same(&receipt), same(&wanted), "after {calls} calls");
                assert_eq!(canaries(&world).await, [""; 0]);
                assert_eq!(shown(&world).await, ["after"]);
                if !died {
                    assert!(calls > 10);
                    break;
                }
            }
        }
    });
}

#[test]
fn a_host_that_comes_back_with_old_knowledge_brings_nothing_back() {
    block_on(async {
        let world = marked().await;
        let (old, _) = world.read().await.unwrap();
        begin(&world).await.unwrap();
        swept(&world).await;
        world.pass(10 * MINUTE);
        // It names what is gone, and writes again what it holds, as one that embeds in the background does.
        let known = old.frontier_at(world.now.get());
        assert!(known.head.is_some() && !known.keys.is_empty());
        let written = write_all(&world, &known, vec![draft("new")]).await;
        let stamp = Stamp { at: Hlc::at(NOW), by: writer() };
        let body = message("s", "m", "canary-text").body;
        let stale = vec![Record::new(Kind::Message, "m", &session(), &stamp, body)];
        rewrite(&world.outside(), &scope(), &known, 0, stale).await.unwrap();
        world.pass(1);
        assert_eq!(shown(&world).await, ["new"]);
        // What is hidden is not sealed, and goes with the objects that were.
        assert_eq!(world.compact(&eager()).await.unwrap().sealed, 3);
        assert_eq!(shown(&world).await, ["new"]);
        let sealed = [world.keys_of("seg"), world.keys_of("cov")].concat();
        for key in world.keys_of("wal") {
            world.memory.delete(&key).await.unwrap();
        }
        assert_eq!((sealed.len(), canaries(&world).await), (2, vec![]));
        let (journal, _) = world.read().await.unwrap();
        assert!(ids(&journal) == ["new"] && !journal.owes());
        // A token of before leads nowhere, and is no error.
        let mut journal = journal;
        let keys = known.keys.iter().chain(&known.head).map(Key::raw);
        let missing = journal.missing(keys);
        assert!(missing.iter().all(|key| journal.outlives(key)));
        drop(written);
    });
}

#[test]
fn a_compaction_that_did_not_know_of_the_erase_brings_nothing_back() {
    block_on(async {
        let world = marked().await;
        begin(&world).await.unwrap();
        let markers: Vec<String> =
            world.memory.keys().into_iter().filter(|key| key.contains("/erased/")).collect();
        // Its list does not show the erase yet.
        markers.iter().for_each(|key| world.memory.hide(key));
        world.compact(&eager()).await.unwrap();
        world.memory.unhide_all();
        assert!(shown(&world).await.is_empty());
        swept(&world).await;
        assert_eq!(canaries(&world).await, [""; 0]);
        // One that noticed nothing for so long that its segments are not reached any more.
        let world = marked().await;
        begin(&world).await.unwrap();
        world
            .memory
            .keys()
            .iter()
            .filter(|k| k.contains("/erased/"))
            .for_each(|k| world.memory.hide(k));
        world.pass(REACH);
        world.compact(&eager()).await.unwrap();
        world.memory.unhide_all();
        assert!(shown(&world).await.is_empty());
        swept(&world).await;
        assert!(shown(&world).await.is_empty());
        // The next one seals anew what that one sealed, and what it sealed goes as anything does that was replaced.
        assert_ne!(canaries(&world).await, [""; 0]);
        world.pass(MINUTE);
        world.compact_all(&eager()).await;
        assert!(shown(&world).await.is_empty());
        world.store(&Frontier::default(), &["new"]).await.unwrap();
        world.compact_all(&eager()).await;
        for _ in 0..3 {
            world.pass(8 * DAY);
            world.collect(&eager()).await.unwrap();
        }
        assert_eq!(canaries(&world).await, [""; 0]);
        assert_eq!(world.compact(&eager()).await.unwrap().written, 0, "once is enough");
    });
}

#[test]
fn an_erase_that_only_the_journal_shows_hides_all_the_same() {
    block_on(async {
        let world = marked().await;
        let (_, frontier) = begin(&world).await.unwrap();
        write_all(&world, &frontier, vec![draft("canary-gone")]).await;
        world
            .memory
            .keys()
            .iter()
            .filter(|k| k.contains("/erased/"))
            .for_each(|k| world.memory.hide(k));
        assert_eq!(shown(&world).await, ["canary-gone"]);
        world.memory.unhide_all();
        swept(&world).await;
        world
            .memory
            .keys()
            .iter()
            .filter(|k| k.contains("/erased/"))
            .for_each(|k| world.memory.hide(k));
        assert_eq!(shown(&world).await, ["canary-gone"]);
    });
}

#[test]
fn a_loaded_journal_learns_of_an_erase_when_it_looks_and_begins_anew() {
    block_on(async {
        let world = marked().await;
        let journal = RefCell::new(world.read().await.unwrap().0);
        assert_eq!(find_erase(&world, &journal).await.unwrap(), None);
        let (erasure, frontier) = begin(&world).await.unwrap();
        let written = write_all(&world, &frontier, vec![draft("after")]).await;
        swept(&world).await;
        let found = find_erase(&world, &journal).await.unwrap().unwrap();
        assert_eq!(found.at(), Some(erasure.at));
        // What no list shows yet, and this one has, is not forgotten.
        let bytes = written.bytes.clone();
        journal.borrow_mut().absorb(&written.key, &bytes).unwrap();
        world.memory.hide(written.key.as_str());
        journal.borrow_mut().renew(found);
        assert!(journal.borrow().view().is_empty() && journal.borrow().owes());
        open(&world, &journal, world.now.get()).await.unwrap();
        world.settle(&journal).await.unwrap();
        assert_eq!(ids(&journal.borrow()), ["after"]);
        assert_eq!(find_erase(&world, &journal).await.unwrap(), None);
        assert!(journal.borrow().frontier().hlc >= erasure.at);
    });
}

#[test]
fn a_journal_that_meets_the_mark_hides_at_once_and_is_stale() {
    block_on(async {
        let world = marked().await;
        let mut journal = world.read().await.unwrap().0;
        let (erasure, frontier) = begin(&world).await.unwrap();
        let mark = Key::raw(frontier.keys[0].clone());
        world.absorb(&mut journal, &mark).await;
        assert!(journal.view().is_empty() && journal.is_stale() && !journal.owes());
        let before = journal.renewals();
        assert!(journal.renew_stale() && !journal.renew_stale());
        assert_eq!((journal.renewals(), journal.erased().at()), (before + 1, Some(erasure.at)));
        let last = world.now.get();
        let journal = RefCell::new(journal);
        look_again(&world, &journal, last).await.unwrap();
        let found = poll(&world, &journal, last, last).await.unwrap();
        journal.borrow_mut().owe(found);
        settle(&world, &journal, last, async |_| Ok(())).await.unwrap();
        assert!(journal.borrow().view().is_empty());
    });
}

#[test]
fn a_second_sweep_a_day_later_takes_what_came_late_and_the_receipt_is_final() {
    block_on(async {
        let world = marked().await;
        let (erasure, _) = begin(&world).await.unwrap();
        let first = swept(&world).await;
        // Acknowledged to nobody, and there all the same.
        let line = |at| {
            format!(
                "{{\"v\":1}}\n{{\"v\":1,\"kind\":\"wish\",\"id\":\"canary-id\",\"at\":\"{at}\",\"by\":\"admin/k\"}}\n"
            )
        };
        world.raw(NOW + MINUTE + 30_000, &line(Hlc::at(NOW))).await;
        assert_eq!(canaries(&world).await, ["canary-id"]);
        assert_eq!(step(&world).await.unwrap(), Next::Done);
        assert_eq!(last(&world).await.receipt.unwrap(), first, "not before a day has passed");
        world.pass(SECOND_SWEEP);
        let receipt = swept(&world).await;
        assert!(receipt.last && receipt.at == erasure.at && receipt.written > first.written);
        assert_eq!(receipt.removed["wal"], first.removed["wal"] + 1);
        assert_eq!(canaries(&world).await, [""; 0]);
        assert_eq!(world.keys_of("wal").len(), 1);
        let keys = world.memory.keys();
        world.pass(SECOND_SWEEP);
        assert_eq!((step(&world).await.unwrap(), world.memory.keys()), (Next::Done, keys));
    });
}

#[test]
fn a_large_user_goes_in_steps_and_others_stay() {
    block_on(async {
        let world = World::new();
        world.memory.set_page(300);
        for number in 0..700 {
            let text = format!(
                "{{\"v\":1}}\n{{\"v\":1,\"kind\":\"wish\",\"id\":\"{number}\",\"at\":\"{}\",\"by\":\"admin/k\"}}\n",
                Hlc::at(NOW - MINUTE)
            );
            world.raw(NOW - MINUTE, &text).await;
        }
        let other = Scope { user: UserId::parse("v").unwrap(), ..scope() };
        let bytes = Bytes::from_static(b"{\"v\":1}\n");
        let key = key::wal_object(&other, Ulid::from_parts(NOW - MINUTE, 1), &bytes);
        world.memory.put(&key, bytes).await.unwrap();
        begin(&world).await.unwrap();
        assert_eq!(step(&world).await.unwrap(), Next::More);
        assert!(last(&world).await.receipt.is_none());
        assert_eq!(swept(&world).await.removed["wal"], 700);
        assert!(world.memory.get(&key).await.unwrap().is_some());
        assert!(erasure(&world, &ledger(), &other).await.unwrap().is_none());
        assert_eq!(world.keys_of("wal").len(), 2);
    });
}

#[test]
fn a_user_who_was_never_erased_has_nothing_to_sweep() {
    block_on(async {
        let world = marked().await;
        let keys = world.memory.keys();
        assert_eq!(step(&world).await.unwrap(), Next::Done);
        assert_eq!(world.memory.keys(), keys);
        let nobody = Journal::new(scope());
        assert_eq!(find_erase(&world, &RefCell::new(nobody)).await.unwrap(), None);
    });
}

#[test]
fn a_receipt_waits_for_old_versions_and_says_which_of_them_the_store_keeps() {
    block_on(async {
        let world = marked().await;
        begin(&world).await.unwrap();
        let kept = Versions::Kept { count: 2, until: Some(NOW + DAY) };
        let purged = [true, false].map(|more| Purged { more, versions: kept });
        world.purges.borrow_mut().extend(purged);
        while world.purges.borrow().len() > 1 {
            assert_eq!(step(&world).await.unwrap(), Next::More);
            assert_eq!(last(&world).await.receipt, None);
        }
        assert_eq!(swept(&world).await.versions, kept);
        // The second half looks again.
        world.pass(SECOND_SWEEP);
        let receipt = swept(&world).await;
        assert_eq!((receipt.last, receipt.versions), (true, Versions::None));
    });
}
