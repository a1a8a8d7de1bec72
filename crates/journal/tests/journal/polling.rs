//! Following: what is listed at a poll, and what is found by it.

use crate::world::{DAY, MINUTE, NOW, World, scope};
use futures::executor::block_on;
use holdfast_core::{Key, clock, key};
use holdfast_journal::{Journal, look_again, poll};
use std::cell::RefCell;
use std::collections::HashMap;
use ulid::Ulid;

/// Polls in which all that is older is listed once, for a journal of few days.
const CYCLE: usize = 32;

fn day(at: u64) -> String {
    key::wal_day(&scope(), &clock::day(at)).as_str().to_owned()
}

/// A journal that has looked at the manifests and knows one object of each of these times.
async fn journal(world: &World, times: &[u64]) -> RefCell<Journal> {
    let journal = RefCell::new(Journal::new(scope()));
    look_again(world, &journal, NOW).await.unwrap();
    let mut journal = journal.into_inner();
    for at in times {
        let key = world.empty(*at, &[]).await;
        world.absorb(&mut journal, &key).await;
    }
    RefCell::new(journal)
}

async fn polled(world: &World, journal: &RefCell<Journal>, last: u64, now: u64) -> Vec<Key> {
    world.lists.borrow_mut().clear();
    poll(world, journal, last, now).await.unwrap()
}

#[test]
fn a_poll_lists_from_20_minutes_before_the_last_list_began() {
    block_on(async {
        let world = World::new();
        let journal = journal(&world, &[NOW]).await;
        polled(&world, &journal, NOW, NOW + MINUTE).await;
        let start = format!("{}{}", day(NOW), Ulid::from_parts(NOW - 20 * MINUTE, 0));
        assert_eq!(world.lists.borrow()[0], (day(NOW), Some(start)));
    });
}

#[test]
fn an_object_that_appears_19_minutes_late_is_found() {
    block_on(async {
        let world = World::new();
        let journal = journal(&world, &[NOW - DAY]).await;
        polled(&world, &journal, NOW, NOW).await;
        let late = world.empty(NOW - 19 * MINUTE, &[]).await;
        assert_eq!(polled(&world, &journal, NOW, NOW).await, [late]);
    });
}

#[test]
fn what_is_known_is_not_found_again() {
    block_on(async {
        let world = World::new();
        let journal = journal(&world, &[NOW - 1, NOW]).await;
        for _ in 0..2 * CYCLE {
            assert!(polled(&world, &journal, NOW, NOW).await.is_empty());
        }
    });
}

#[test]
fn both_days_are_listed_around_midnight() {
    block_on(async {
        let world = World::new();
        let midnight = NOW.next_multiple_of(DAY);
        let journal = journal(&world, &[midnight - 2 * MINUTE]).await;
        // The margin reaches back, a writer's clock may be ahead.
        for (last, now) in [
            (midnight + 19 * MINUTE, midnight + 20 * MINUTE),
            (midnight - MINUTE, midnight - MINUTE),
        ] {
            polled(&world, &journal, last, now).await;
            let lists: Vec<String> = world.lists.borrow().iter().map(|l| l.0.clone()).collect();
            assert_eq!(lists[..2], [day(midnight - 1), day(midnight)]);
            assert_eq!(world.lists.borrow()[1].1, None);
        }
        let ahead = world.empty(midnight + MINUTE, &[]).await;
        assert_eq!(polled(&world, &journal, midnight - MINUTE, midnight - MINUTE).await, [ahead]);
        let at = midnight + 21 * MINUTE;
        polled(&world, &journal, at, at).await;
        assert_eq!(world.lists.borrow()[0].0, day(midnight));
    });
}

#[test]
fn days_that_passed_between_two_polls_are_all_listed() {
    block_on(async {
        let world = World::new();
        let journal = journal(&world, &[NOW]).await;
        let mut missed = Vec::new();
        for days in 0..4 {
            missed.push(world.empty(NOW + days * DAY + MINUTE, &[]).await);
        }
        assert_eq!(polled(&world, &journal, NOW, NOW + 3 * DAY + 2 * MINUTE).await, missed);
    });
}

#[test]
fn every_older_day_is_listed_whole_once_in_a_cycle_and_the_manifests() {
    block_on(async {
        for days in [0, 1, 5, 50] {
            let world = World::new();
            let journal = journal(&world, &[NOW, NOW - days * DAY]).await;
            let cycle = CYCLE.max(usize::try_from(days).unwrap() + 2);
            let mut whole: HashMap<String, usize> = HashMap::new();
            for _ in 0..cycle {
                polled(&world, &journal, NOW, NOW).await;
                let lists = world.lists.borrow();
                assert!(lists.len() <= 3, "{lists:?}");
                for (prefix, _) in lists.iter().filter(|(_, after)| after.is_none()) {
                    *whole.entry(prefix.clone()).or_default() += 1;
                }
            }
            let mut expected: HashMap<_, _> =
                (0..=days).map(|back| (day(NOW - back * DAY), 1)).collect();
            expected.insert(key::wal(&scope()).as_str().to_owned(), 1);
            expected.insert(key::manifests(&scope()).as_str().to_owned(), 1);
            assert_eq!(whole, expected);
        }
    });
}

#[test]
fn an_object_older_than_all_that_is_known_is_found_within_a_cycle() {
    block_on(async {
        for known in [&[][..], &[NOW, NOW - 2 * DAY][..]] {
            let world = World::new();
            world.memory.set_page(1);
            let journal = journal(&world, known).await;
            let (old, older) = (world.empty(NOW - 3 * DAY, &[]).await, world.empty(1, &[]).await);
            let mut found = Vec::new();
            for _ in 0..CYCLE {
                found.extend(polled(&world, &journal, NOW, NOW).await);
            }
            assert_eq!(found, [older, old]);
        }
    });
}

#[test]
fn the_search_for_older_objects_ends_where_the_known_ones_begin() {
    block_on(async {
        let world = World::new();
        world.memory.set_page(1);
        let times: Vec<u64> = (0..40).map(|at| NOW - 2 * DAY + at).collect();
        let journal = journal(&world, &times).await;
        let wal = key::wal(&scope()).as_str().to_owned();
        for _ in 0..CYCLE {
            polled(&world, &journal, NOW, NOW).await;
            let lists = world.lists.borrow();
            assert!(lists.iter().filter(|(prefix, _)| *prefix == wal).count() <= 1);
        }
    });
}

#[test]
fn a_clock_that_was_set_back_does_not_hide_the_present() {
    block_on(async {
        let world = World::new();
        let journal = journal(&world, &[NOW - 5 * DAY]).await;
        let new = world.empty(NOW + 1, &[]).await;
        for last in [NOW + 60 * MINUTE, NOW + 3 * DAY] {
            assert_eq!(polled(&world, &journal, last, NOW + 2).await, std::slice::from_ref(&new));
        }
    });
}

#[test]
fn a_poll_that_cannot_list_is_an_error() {
    block_on(async {
        let world = World::new();
        let journal = journal(&world, &[NOW]).await;
        world.memory.set_unreachable(true);
        let error = poll(&world, &journal, NOW, NOW).await.unwrap_err();
        assert_eq!(error.reason, "store_unavailable");
    });
}
