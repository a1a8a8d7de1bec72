//! Writing: one PUT, no read, and what the writer knew.

use crate::world::{MINUTE, NOW, World, body, draft, ids, scope, session, writer};
use futures::executor::block_on;
use holdfast_core::clock::Skew;
use holdfast_core::message::MessageVectors;
use holdfast_core::order::MAX_AHEAD;
use holdfast_core::record::{Kind, Record, Stamp, WalObject};
use holdfast_core::token::Frontier;
use holdfast_core::{Hlc, Key};
use holdfast_journal::{Journal, MAX_WRITE, Pen, list, rewrite, write};
use holdfast_objects::{Calls, Outcome};
use std::collections::HashSet;

fn seen(hlc: Hlc) -> Frontier {
    Frontier { hlc, ..Frontier::default() }
}

#[test]
fn a_write_is_one_put_and_reads_nothing() {
    block_on(async {
        let world = World::new();
        world.store(&Frontier::default(), &["a", "b", "c"]).await.unwrap();
        assert_eq!(world.memory.calls(), Calls { puts: 1, ..Calls::default() });
    });
}

#[test]
fn what_was_written_is_listed_and_folds_back_in_order() {
    block_on(async {
        let world = World::new();
        world.memory.set_page(2);
        let texts = ["a", " b\u{a0}", "\"c\\\n", "d", "e", "é\u{301}\u{2028}"];
        let mut known = Frontier::default();
        for text in texts {
            known = world.store(&known, &[text]).await.unwrap().frontier;
        }
        let journal = world.load().await;
        assert_eq!((journal.objects(), ids(&journal)), (6, texts.map(str::to_owned).to_vec()));
        for text in texts {
            let found = journal.view().find("s", text).unwrap();
            assert_eq!(*found.entry.text, *body(text).text);
        }
    });
}

#[test]
fn a_write_answers_with_the_orders_that_readers_see() {
    block_on(async {
        let world = World::new();
        let written = world.store(&Frontier::default(), &["a", "b"]).await.unwrap();
        let journal = world.load().await;
        let found = journal.view().page("s", None, 9, false).0;
        let orders: Vec<_> = found.iter().map(|found| found.entry.order).collect();
        assert_eq!(written.orders, orders);
        assert_eq!(written.frontier, journal.frontier());
    });
}

#[test]
fn a_write_names_8_of_the_keys_that_its_writer_knew_and_its_token_the_rest() {
    block_on(async {
        let world = World::new();
        let mut keys = Vec::new();
        for _ in 0..10 {
            keys.push(world.empty(NOW, &[]).await.to_string());
        }
        let known = Frontier { hlc: Hlc(0), head: Some("m".to_owned()), keys: keys.clone() };
        let written = world.store(&known, &["a"]).await.unwrap();
        let header = WalObject::decode(&written.bytes).unwrap().header;
        assert_eq!((header.prev.as_slice(), header.head.as_deref()), (&keys[..8], Some("m")));
        // The token of the answer names the rest.
        let own = written.key.to_string();
        assert_eq!(written.frontier.keys, [own, keys[8].clone(), keys[9].clone()]);
    });
}

#[test]
fn orders_lie_above_everything_that_was_seen() {
    block_on(async {
        let world = World::new();
        let mut known = seen(Hlc(Hlc::at(NOW + MAX_AHEAD - 1).0 + 7));
        let mut last = known.hlc;
        // The clock stands still, and what was seen is ahead of it.
        for text in ["a", "b", "c"] {
            let written = world.store(&known, &[text]).await.unwrap();
            assert!(written.orders[0].hlc > last);
            assert_eq!(written.frontier.hlc, written.orders[0].hlc);
            (last, known) = (written.orders[0].hlc, written.frontier);
        }
    });
}

#[test]
fn a_time_far_ahead_raises_nothing_and_is_promised_to_nobody() {
    block_on(async {
        let world = World::new();
        for far in [Hlc(Hlc::at(NOW + MAX_AHEAD).0 + 1), Hlc::at(NOW * 2), Hlc(u64::MAX)] {
            let written = world.store(&seen(far), &["a"]).await.unwrap();
            assert_eq!(written.orders[0].hlc, Hlc::at(NOW));
            assert_eq!(written.frontier.hlc, Hlc::at(NOW));
        }
    });
}

#[test]
fn the_stores_clock_is_followed_by_the_offset() {
    block_on(async {
        let world = World::new();
        let pen =
            Pen { scope: &scope(), by: writer(), known: &Frontier::default(), offset: -50_000 };
        let written = write(&world.outside(), pen, vec![draft("a")]).await.unwrap();
        assert_eq!(written.orders[0].hlc, Hlc::at(NOW - 50_000));
        assert_eq!(written.orders[0].ulid.timestamp_ms(), NOW - 50_000);
    });
}

#[test]
fn an_error_of_the_store_is_passed_on_and_no_second_key_is_minted() {
    block_on(async {
        let outcomes = [
            (Outcome::LostAnswer, "outcome_unknown", 1),
            (Outcome::LostRequest, "outcome_unknown", 0),
            (Outcome::Refused, "store_unavailable", 0),
        ];
        for (outcome, reason, stored) in outcomes {
            let world = World::new();
            world.memory.next_puts([outcome]);
            let error = world.store(&Frontier::default(), &["a"]).await.unwrap_err();
            assert_eq!(error.reason, reason);
            assert_eq!(world.puts.borrow().len(), 1);
            assert_eq!(world.memory.keys().len(), stored);
        }
    });
}

#[test]
fn what_the_store_acknowledged_too_late_is_written_again_under_a_fresh_name_and_is_one_message() {
    block_on(async {
        let world = World::new();
        world.delays.borrow_mut().extend([MAX_WRITE + 1, MAX_WRITE]);
        let written = world.store(&Frontier::default(), &["a"]).await.unwrap();
        let puts = world.puts.borrow().clone();
        assert_eq!((puts.len(), &puts[0].1), (2, &puts[1].1));
        assert_eq!((&written.key, written.bytes.clone()), (&puts[1].0, puts[1].1.clone()));
        assert_eq!(written.orders[0].ulid.timestamp_ms(), NOW + MAX_WRITE + 1);
        assert_eq!(written.orders[0].hlc, Hlc::at(NOW));
        let journal = world.load().await;
        assert_eq!((journal.objects(), ids(&journal)), (2, vec!["a".to_owned()]));
    });
}

#[test]
fn the_outcome_of_a_store_that_stays_too_slow_is_unknown() {
    block_on(async {
        let world = World::new();
        world.delays.borrow_mut().extend([MAX_WRITE + 1; 9]);
        let error = world.store(&Frontier::default(), &["a"]).await.unwrap_err();
        assert_eq!(error.reason, "outcome_unknown");
        let puts = world.puts.borrow();
        assert_eq!(puts.iter().map(|(key, _)| key).collect::<HashSet<_>>().len(), 3);
        assert!(puts.iter().all(|(_, bytes)| *bytes == puts[0].1));
    });
}

#[test]
fn an_error_after_a_copy_that_came_too_late_is_an_unknown_outcome() {
    block_on(async {
        let world = World::new();
        world.delays.borrow_mut().push_back(MAX_WRITE + 1);
        world.memory.next_puts([Outcome::Done, Outcome::Refused]);
        let error = world.store(&Frontier::default(), &["a"]).await.unwrap_err();
        assert_eq!(error.reason, "outcome_unknown");
        assert_eq!(ids(&world.load().await), ["a"]);
    });
}

#[test]
fn writing_again_keeps_time_writer_and_identity_and_brings_vectors() {
    block_on(async {
        let world = World::new();
        let first = world.store(&Frontier::default(), &["a"]).await.unwrap();
        let mut journal = world.load().await;
        world.now.set(NOW + 99_000);
        let stamp = Stamp { at: first.orders[0].hlc, by: writer() };
        let mut with_vectors = body("a");
        let values = vec![half(1.0), half(-0.5)];
        let chunks = vec![(0, 1)];
        with_vectors.vectors = vec![MessageVectors { space: "x".to_owned(), chunks, values }];
        let encoded = with_vectors.encode().unwrap();
        let record = Record::new(Kind::Message, "a", &session(), &stamp, encoded);
        let known = journal.frontier();
        let again = rewrite(&world.outside(), &scope(), &known, 0, vec![record]).await.unwrap();
        assert_eq!(again.orders[0].hlc, first.orders[0].hlc);
        assert!(again.orders[0] > first.orders[0]);
        assert!(world.absorb(&mut journal, &again.key).await.is_empty());
        for journal in [journal, world.load().await] {
            assert_eq!((journal.objects(), ids(&journal)), (2, vec!["a".to_owned()]));
            assert_eq!(journal.view().find("s", "a").unwrap().entry.order, first.orders[0]);
            assert_eq!(journal.frontier().keys, [again.key.to_string()]);
        }
    });
}

#[test]
fn who_writes_again_by_a_clock_that_is_behind_moves_nothing() {
    block_on(async {
        let world = World::new();
        let first = world.store(&Frontier::default(), &["a", "b"]).await.unwrap();
        let object = holdfast_core::record::WalObject::decode(&first.bytes).unwrap();
        let second = object.records.into_iter().skip(1).collect();
        world.now.set(NOW - 900);
        let known = world.load().await.frontier();
        let again = rewrite(&world.outside(), &scope(), &known, 0, second).await.unwrap();
        assert!(again.orders[0] > first.orders[1]);
        assert_eq!(ids(&world.load().await), ["a", "b"]);
    });
}

fn half(value: f32) -> half::f16 {
    half::f16::from_f32(value)
}

#[test]
fn two_writers_who_know_nothing_of_each_other_are_both_read() {
    block_on(async {
        let world = World::new();
        let one = world.store(&Frontier::default(), &["a"]).await.unwrap();
        let other = world.store(&Frontier::default(), &["b"]).await.unwrap();
        assert_ne!(one.key, other.key);
        let listed: Vec<Key> = list(&world, &scope()).await.unwrap();
        assert_eq!(Journal::new(scope()).missing(listed).len(), 2);
        assert_eq!(world.load().await.frontier().keys.len(), 2);
    });
}

#[test]
fn what_was_named_by_a_clock_that_was_set_ahead_meanwhile_is_not_acknowledged() {
    block_on(async {
        let (world, ahead) = (World::new(), 3 * 60 * MINUTE);
        let told = |ahead: u64| {
            let mut skew = Skew::default();
            skew.observe(NOW + ahead, NOW + ahead, NOW);
            skew
        };
        world.skew.set(told(0));
        // An answer of three hours tells nothing; the next one tells that they were none.
        world.delays.borrow_mut().push_back(ahead);
        world.skews.borrow_mut().extend([told(0), told(ahead)]);
        let error = world.store(&Frontier::default(), &["a"]).await.unwrap_err();
        assert_eq!((error.reason, world.puts.borrow().len()), ("outcome_unknown", 2));
        // By what the answers say it is named well, also where the clock that is asked goes by them.
        for (corrected, offset) in [(NOW + ahead, told(ahead).offset().unwrap()), (NOW, 0)] {
            world.now.set(corrected);
            let (scope, known) = (scope(), Frontier::default());
            let pen = Pen { scope: &scope, by: writer(), known: &known, offset };
            let written = write(&world.outside(), pen, vec![draft("a")]).await.unwrap();
            assert!(written.orders[0].ulid.timestamp_ms().abs_diff(NOW) < MINUTE);
        }
    });
}
