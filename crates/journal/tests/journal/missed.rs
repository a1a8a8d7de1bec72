//! What an erase misses, because a clock that had been set ahead named it later than the erase reaches: it goes all the same,
//! and the receipt is not final before.

use crate::compacting::eager;
use crate::erasing::{begin, everything, message, step, write_all};
use crate::world::{DAY, MINUTE, NOW, World, draft, ids, ledger, scope, writer};
use futures::executor::block_on;
use holdfast_core::Hlc;
use holdfast_core::erase::Receipt;
use holdfast_core::record::{Header, Record, Stamp, VERSION, WalObject};
use holdfast_core::token::Frontier;
use holdfast_journal::{
    CLOCK_UNCERTAINTY, Next, Pen, Rules, SECOND_SWEEP, Written, erase, erasure,
};
use std::cell::Cell;

const CANARY: &str = "canary-text";
const AHEAD: u64 = 6 * 60 * MINUTE;

/// An object of one message, dated `at`, under a name of the time `named`.
async fn dated(world: &World, at: u64, named: u64) -> String {
    let drafted = message("s", "ahead", CANARY);
    let stamp = Stamp { at: Hlc::at(at), by: writer() };
    let record = Record::new(drafted.kind, &drafted.id, &drafted.session, &stamp, drafted.body);
    let header = Header { v: VERSION, prev: Vec::new(), head: None };
    let text = WalObject { header, records: vec![record] }.encode().unwrap();
    let key = world.raw(named, std::str::from_utf8(&text).unwrap()).await;
    key.as_str().to_owned()
}

/// As [`dated`], under a name that is hours ahead.
async fn named_ahead(world: &World, at: u64) -> String {
    dated(world, at, at + AHEAD).await
}

/// The last receipt, after all that can be swept now is.
async fn swept(world: &World) -> Receipt {
    while step(world).await.unwrap() == Next::More {}
    erasure(world, &ledger(), &scope()).await.unwrap().unwrap().receipt.unwrap()
}

async fn collected(world: &World) {
    while world.collect(&Rules::default()).await.unwrap().next == Next::More {}
}

#[test]
fn what_was_named_ahead_is_sealed_at_once_without_what_is_hidden_and_the_receipt_waits_for_it() {
    block_on(async {
        let world = World::new();
        world.pass(0);
        let ahead = named_ahead(&world, NOW).await;
        begin(&world).await.unwrap();
        assert!(!swept(&world).await.last);
        // Whoever met it names it: it may not be gone while nothing says what became of it.
        let known = Frontier { keys: vec![ahead.clone()], ..Frontier::default() };
        write_all(&world, &known, vec![draft("new")]).await;
        world.pass(SECOND_SWEEP);
        assert!(!swept(&world).await.last, "it is there still");
        assert!(everything(&world).await.contains(CANARY));
        let step = world.compact(&Rules::default()).await.unwrap();
        assert!(step.sealed > 0 && step.next == Next::More, "{step:?}");
        assert_eq!(world.compact(&Rules::default()).await.unwrap().sealed, 0);
        assert_eq!(ids(&world.read().await.unwrap().0), ["new"]);
        assert!(!swept(&world).await.last, "it is sealed, and still there");
        world.pass(8 * DAY);
        collected(&world).await;
        assert!(!world.memory.keys().contains(&ahead));
        assert!(!everything(&world).await.contains(CANARY));
        assert!(swept(&world).await.last);
        let (journal, _) = world.read().await.unwrap();
        assert!(ids(&journal) == ["new"] && !journal.owes());
    });
}

#[test]
fn a_segment_that_was_named_ahead_is_sealed_anew_and_the_receipt_waits_for_it() {
    block_on(async {
        let world = World::new();
        write_all(&world, &Frontier::default(), vec![message("s", "m", CANARY)]).await;
        world.pass(MINUTE);
        world.now.set(NOW + AHEAD);
        assert_eq!(world.compact(&eager()).await.unwrap().sealed, 1);
        world.now.set(NOW + 2 * MINUTE);
        world.pass(0);
        begin(&world).await.unwrap();
        swept(&world).await;
        assert_eq!(world.keys_of("seg").len(), 1);
        world.pass(SECOND_SWEEP);
        assert!(!swept(&world).await.last);
        world.compact_all(&Rules::default()).await;
        world.pass(8 * DAY);
        collected(&world).await;
        assert!(swept(&world).await.last);
        assert!(!everything(&world).await.contains(CANARY));
        assert!(ids(&world.read().await.unwrap().0).is_empty());
    });
}

#[test]
fn what_was_named_ahead_and_is_not_hidden_holds_no_receipt_and_nothing_is_sealed_early_without_an_erase()
 {
    block_on(async {
        let world = World::new();
        world.pass(0);
        named_ahead(&world, NOW).await;
        world.pass(DAY);
        assert_eq!(world.compact(&Rules::default()).await.unwrap().sealed, 0);

        let world = World::new();
        world.pass(0);
        begin(&world).await.unwrap();
        world.pass(MINUTE);
        named_ahead(&world, world.now.get()).await;
        assert!(!swept(&world).await.last);
        world.pass(SECOND_SWEEP);
        assert!(swept(&world).await.last);
        assert_eq!(ids(&world.read().await.unwrap().0), ["ahead"]);
    });
}

#[test]
fn whoever_sweeps_for_another_writes_no_receipt_before_the_erase_has_passed() {
    block_on(async {
        let world = World::new();
        world.pass(0);
        write_all(&world, &Frontier::default(), vec![draft("before")]).await;
        let (known, swept_amid) = (Frontier::default(), Cell::new(None));
        let pen = Pen { scope: &scope(), by: writer(), known: &known, offset: 0 };
        let amid = async |_: &Written| {
            swept_amid.set(Some(step(&world).await.unwrap()));
            // Somebody who has not heard of it.
            dated(&world, NOW + 1, NOW + 1).await;
        };
        let (begun, _) = erase(&world.outside(), &ledger(), pen, amid).await.unwrap();
        assert_eq!(swept_amid.get(), Some(Next::More), "it looks again when the time has passed");
        let receipt = swept(&world).await;
        assert!(receipt.written > begun.at.milliseconds() + CLOCK_UNCERTAINTY);
        assert!(!everything(&world).await.contains(CANARY), "its bytes are there");
    });
}
