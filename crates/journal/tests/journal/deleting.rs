//! Deletes: dated ahead, acknowledged late, and never undone by whoever writes.

use crate::erasing::begin;
use crate::world::{NOW, World, draft, ids, scope, session, writer};
use futures::executor::block_on;
use holdfast_core::clock::Skew;
use holdfast_core::graves::Of;
use holdfast_core::order::MAX_AHEAD;
use holdfast_core::record::Kind;
use holdfast_core::token::Frontier;
use holdfast_core::{Hlc, Result};
use holdfast_journal::{CLOCK_UNCERTAINTY, Draft, MAX_WRITE, Pen, Written, delete, pass};
use holdfast_objects::{Calls, Outcome};
use std::cell::Cell;

fn tombstone(of: Of, id: &str) -> Draft {
    let body = of.encode().unwrap();
    Draft { kind: Kind::Tombstone, id: id.to_owned(), session: session(), body }
}

/// Deletes; says also when the object was durable.
async fn bury(world: &World, known: &Frontier, of: Of, id: &str) -> Result<(Written, u64)> {
    let durable = Cell::new(0);
    let scope = scope();
    let pen = Pen { scope: &scope, by: writer(), known, offset: 0 };
    let then = async |_: &Written| durable.set(world.now.get());
    let written = delete(&world.outside(), pen, vec![tombstone(of, id)], then).await?;
    Ok((written, durable.get()))
}

#[test]
fn a_delete_is_one_put_told_at_once_and_acknowledged_when_its_moment_has_passed() {
    block_on(async {
        let world = World::new();
        let known = Frontier::default();
        let (written, durable) = bury(&world, &known, Of::Session, "s").await.unwrap();
        assert_eq!(written.orders[0].hlc, Hlc::at(NOW + CLOCK_UNCERTAINTY));
        assert_eq!((durable, world.now.get()), (NOW, NOW + 2 * CLOCK_UNCERTAINTY + 1));
        assert_eq!(world.memory.calls(), Calls { puts: 1, ..Calls::default() });
        assert_eq!(written.frontier.hlc, written.orders[0].hlc);
    });
}

#[test]
fn a_delete_lies_above_all_that_its_writer_saw_and_waits_for_it() {
    block_on(async {
        let world = World::new();
        let seen = Hlc(Hlc::at(NOW + MAX_AHEAD - 1).0 + 7);
        let known = Frontier { hlc: seen, ..Frontier::default() };
        let (written, _) = bury(&world, &known, Of::Session, "s").await.unwrap();
        assert_eq!(written.orders[0].hlc, Hlc(seen.0 + 1));
        assert_eq!(world.now.get(), NOW + MAX_AHEAD + CLOCK_UNCERTAINTY);
    });
}

#[test]
fn what_was_stored_before_a_delete_is_gone_and_what_is_stored_after_it_is_there() {
    block_on(async {
        let world = World::new();
        // Writers that know nothing of each other, the first with a clock that is nearly a second ahead.
        world.now.set(NOW + CLOCK_UNCERTAINTY - 1);
        world.store(&Frontier::default(), &["a", "b"]).await.unwrap();
        world.now.set(NOW);
        bury(&world, &Frontier::default(), Of::Session, "s").await.unwrap();
        // The next one with a clock that is nearly a second behind.
        world.now.set(world.now.get() - CLOCK_UNCERTAINTY + 1);
        world.store(&Frontier::default(), &["b", "c"]).await.unwrap();
        assert_eq!(ids(&world.load().await), ["b", "c"]);
        bury(&world, &Frontier::default(), Of::Message, "b").await.unwrap();
        world.store(&Frontier::default(), &["b", "d"]).await.unwrap();
        assert_eq!(ids(&world.load().await), ["c", "d"]);
    });
}

#[test]
fn a_delete_of_a_message_holds_for_ever_and_waits_for_nothing() {
    block_on(async {
        let world = World::new();
        bury(&world, &Frontier::default(), Of::Message, "a").await.unwrap();
        assert_eq!(world.now.get(), NOW);
        world.now.set(NOW + CLOCK_UNCERTAINTY);
        world.store(&Frontier::default(), &["a", "b"]).await.unwrap();
        assert_eq!(ids(&world.load().await), ["b"]);
    });
}

#[test]
fn a_delete_that_is_slow_is_written_again_before_it_is_acknowledged() {
    block_on(async {
        let world = World::new();
        world.delays.borrow_mut().extend([MAX_WRITE + 1, 5]);
        let (written, _) = bury(&world, &Frontier::default(), Of::Session, "s").await.unwrap();
        let puts = world.puts.borrow();
        assert_eq!(puts.len(), 2);
        assert_eq!((&puts[0].1, &puts[1].0), (&puts[1].1, &written.key));
        assert_eq!(written.orders[0].hlc, Hlc::at(NOW + CLOCK_UNCERTAINTY));
    });
}

#[test]
fn a_delete_whose_index_is_slow_is_written_again_too() {
    block_on(async {
        let world = World::new();
        let scope = scope();
        let known = Frontier::default();
        let pen = Pen { scope: &scope, by: writer(), known: &known, offset: 0 };
        let slow = async |_: &Written| world.now.set(world.now.get() + MAX_WRITE + 1);
        let tombstones = vec![tombstone(Of::Session, "s")];
        let written = delete(&world.outside(), pen, tombstones, slow).await.unwrap();
        assert_eq!(world.puts.borrow().len(), 2);
        assert_eq!(world.puts.borrow()[1].0, written.key);
    });
}

#[test]
fn a_delete_whose_outcome_is_unknown_is_an_error_at_once() {
    block_on(async {
        let world = World::new();
        world.memory.next_puts([Outcome::LostAnswer]);
        let error = bury(&world, &Frontier::default(), Of::Session, "s").await.unwrap_err();
        assert_eq!((error.reason, world.now.get()), ("outcome_unknown", NOW));
    });
}

#[test]
fn waiting_for_what_has_passed_takes_no_time() {
    block_on(async {
        let world = World::new();
        pass(&world, 0, Hlc::at(NOW - CLOCK_UNCERTAINTY - 1)).await;
        assert_eq!(world.now.get(), NOW);
        pass(&world, -50, Hlc::at(NOW - CLOCK_UNCERTAINTY)).await;
        assert_eq!(world.now.get(), NOW + 51);
    });
}

#[test]
fn a_draft_of_a_message_and_its_tombstone_may_share_an_object() {
    block_on(async {
        let world = World::new();
        let scope = scope();
        let known = Frontier::default();
        let pen = Pen { scope: &scope, by: writer(), known: &known, offset: 0 };
        let drafts = vec![draft("a"), tombstone(Of::Message, "a"), draft("b")];
        delete(&world.outside(), pen, drafts, async |_: &Written| ()).await.unwrap();
        assert_eq!(ids(&world.load().await), ["b"]);
    });
}

#[test]
fn an_erase_by_a_clock_that_was_set_ahead_since_the_last_answer_is_dated_by_the_next() {
    block_on(async {
        let (world, hours) = (World::new(), 2 * 3_600_000);
        world.now.set(NOW + hours);
        // The ledger's answer says that it is two hours less.
        let mut skew = Skew::default();
        skew.observe(NOW + hours, NOW + hours, NOW);
        world.skew.set(skew);
        let (erasure, frontier) = begin(&world).await.unwrap();
        let most = NOW + 2 * CLOCK_UNCERTAINTY;
        assert!((NOW..=most).contains(&erasure.at.milliseconds()), "{:?}", erasure.at);
        // Who stores right after it, by a clock that is right, is seen.
        world.now.set(world.now.get() - hours);
        world.store(&frontier, &["after"]).await.unwrap();
        assert_eq!(ids(&world.load().await), ["after"]);
    });
}
