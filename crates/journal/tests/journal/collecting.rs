//! Collecting: what goes, and each condition that keeps the rest.

use crate::compacting::{eager, filled, two_segments};
use crate::world::{DAY, MINUTE, World, scope};
use futures::executor::block_on;
use holdfast_core::Part;
use holdfast_core::ports::Objects;
use holdfast_core::token::Frontier;
use holdfast_journal::{Journal, Next, Rules, look_again, poll};
use std::cell::RefCell;

/// Sealed a while ago.
async fn sealed(days: u64) -> World {
    let world = World::new();
    filled(&world, 4).await;
    world.compact(&eager()).await.unwrap();
    world.pass(days * DAY + 21 * MINUTE);
    world
}

/// Compacts by a clock that is so many milliseconds ahead.
async fn compact_at(world: &World, rules: &Rules, ahead: i64) {
    world.now.set(world.now.get().saturating_add_signed(ahead));
    world.compact(rules).await.unwrap();
    world.now.set(world.now.get().saturating_add_signed(-ahead));
}

#[test]
fn covered_objects_go_after_the_grace_and_not_before() {
    block_on(async {
        let world = sealed(6).await;
        let before = world.read().await.unwrap().1;
        assert_eq!(world.collect(&eager()).await.unwrap().removed, 0);
        world.pass(DAY);
        let collected = world.collect(&eager()).await.unwrap();
        assert_eq!((collected.removed, world.keys_of("wal").len()), (4, 0));
        assert!(collected.bytes > 400);
        assert_eq!(world.read().await.unwrap().1, before);
        assert_eq!(world.collect(&eager()).await.unwrap().removed, 0);
    });
}

#[test]
fn without_a_manifest_nothing_goes() {
    block_on(async {
        let world = World::new();
        filled(&world, 4).await;
        world.pass(99 * DAY);
        assert_eq!(world.collect(&eager()).await.unwrap().removed, 0);
        assert_eq!(world.memory.calls().deletes, 0);
    });
}

#[test]
fn an_object_that_only_a_young_manifest_covers_stays() {
    block_on(async {
        let world = sealed(8).await;
        filled(&world, 3).await;
        world.pass(10 * DAY);
        world.compact(&eager()).await.unwrap();
        // The older manifest covers four, the young one three more, which are old too.
        world.collect(&eager()).await.unwrap();
        assert_eq!(world.keys_of("wal").len(), 3);
        world.pass(8 * DAY);
        world.collect(&eager()).await.unwrap();
        assert_eq!(world.keys_of("wal").len(), 0);
    });
}

#[test]
fn a_covered_object_that_appeared_lately_stays_for_the_grace() {
    block_on(async {
        let world = sealed(8).await;
        // The same bytes under the same key, by a retry that came through late.
        let key = world.keys_of("wal")[0].clone();
        let bytes = world.memory.get(&key).await.unwrap().unwrap();
        world.memory.put(&key, bytes).await.unwrap();
        assert_eq!(world.collect(&eager()).await.unwrap().removed, 3);
        assert_eq!(world.keys_of("wal"), [key]);
    });
}

#[test]
fn nothing_goes_while_a_segment_does_not_hold_what_it_held() {
    block_on(async {
        for part in ["seg", "cov"] {
            let world = sealed(8).await;
            let before = world.read().await.unwrap().1;
            let damaged = world.keys_of(part)[0].clone();
            world.memory.damage(damaged.as_str());
            let collected = world.collect(&eager()).await.unwrap();
            assert_eq!((collected.removed, collected.corrupt), (0, vec![damaged]));
            assert_eq!(world.read().await.unwrap().1, before);
        }
    });
}

#[test]
fn nothing_goes_while_any_segment_of_any_head_cannot_be_read() {
    block_on(async {
        let world = sealed(8).await;
        filled(&world, 2).await;
        world.compact(&eager()).await.unwrap();
        let newest = world.keys_of("seg").pop().unwrap();
        world.memory.damage(newest.as_str());
        let collected = world.collect(&eager()).await.unwrap();
        assert_eq!((collected.removed, collected.corrupt), (0, vec![newest]));
    });
}

#[test]
fn merged_segments_go_a_grace_after_the_merge_and_manifests_with_them() {
    block_on(async {
        let rules = Rules { tier: 2, ..eager() };
        let world = World::new();
        two_segments(&world, &rules).await;
        world.pass(20 * DAY);
        world.compact_all(&rules).await;
        let before = world.read().await.unwrap().1;
        // The merge is young: the segments that it took are named by a young head's parent only.
        world.collect(&rules).await.unwrap();
        assert_eq!((world.keys_of("seg").len(), world.keys_of("wal").len()), (3, 0));
        assert_eq!(world.read().await.unwrap().1, before);
        world.pass(8 * DAY);
        world.collect(&rules).await.unwrap();
        assert_eq!(world.keys_of("seg").len(), 1);
        // Their covers stay until no manifest names them.
        assert_eq!(world.keys_of("cov").len(), 3);
        assert_eq!(world.read().await.unwrap().1, before);
        // The head, and its parent, which stands in for it.
        assert_eq!(world.keys_of("man").len(), 2);
    });
}

#[test]
fn a_segment_by_a_clock_that_is_ahead_of_the_merge_that_took_it_goes_too() {
    block_on(async {
        let rules = Rules { tier: 2, ..eager() };
        let world = World::new();
        filled(&world, 2).await;
        world.compact(&rules).await.unwrap();
        filled(&world, 2).await;
        compact_at(&world, &rules, 5_000).await;
        world.compact_all(&rules).await;
        assert_eq!(world.keys_of("seg").len(), 3);
        world.pass(20 * DAY);
        world.collect(&rules).await.unwrap();
        assert_eq!(world.keys_of("seg").len(), 1);
    });
}

#[test]
fn a_segment_by_a_clock_that_is_behind_stays_while_no_list_shows_the_manifest_that_names_it() {
    block_on(async {
        let rules = Rules { tier: 99, ..eager() };
        let world = World::new();
        filled(&world, 2).await;
        world.compact(&rules).await.unwrap();
        filled(&world, 2).await;
        // By its name it is older than the manifest that never saw it.
        compact_at(&world, &rules, -5_000).await;
        let before = world.read().await.unwrap().1;
        let made = world.puts.borrow().iter().rev().map(|(key, _)| key.clone()).collect::<Vec<_>>();
        let segment = made.iter().find(|key| key.part() == Part::Segment).unwrap();
        let newest = made.iter().find(|key| key.part() == Part::Manifest).unwrap();
        assert!(*segment < *world.keys_of("seg").last().unwrap(), "the clock was behind");
        world.memory.hide(newest.as_str());
        world.pass(8 * DAY);
        world.collect(&rules).await.unwrap();
        assert!(world.keys_of("seg").contains(segment));
        world.memory.unhide_all();
        assert_eq!(world.read().await.unwrap().1, before);
    });
}

#[test]
fn a_segment_that_a_young_manifest_names_stays() {
    block_on(async {
        let rules = Rules { tier: 2, ..eager() };
        let world = World::new();
        two_segments(&world, &rules).await;
        let old_head = world.keys_of("man").pop().unwrap();
        world.compact_all(&rules).await;
        let merged = world.keys_of("man").pop().unwrap();
        world.pass(8 * DAY);
        // A compactor that does not see the merge carries the old segments on.
        world.memory.hide(merged.as_str());
        filled(&world, 1).await;
        world.compact(&Rules { tier: 99, ..rules }).await.unwrap();
        world.memory.unhide_all();
        let before = world.read().await.unwrap().1;
        world.collect(&rules).await.unwrap();
        assert!(world.keys_of("seg").len() >= 4);
        assert!(world.keys_of("man").contains(&old_head));
        assert_eq!(world.read().await.unwrap().1, before);
    });
}

#[test]
fn what_was_never_published_goes_after_twice_the_grace() {
    block_on(async {
        let world = World::new();
        filled(&world, 3).await;
        // A compactor dies before its manifest.
        world.last_is_done.set(true);
        world.dies_after.set(Some(8));
        world.compact(&eager()).await.unwrap_err();
        world.dies_after.set(None);
        assert_eq!((world.keys_of("seg").len(), world.keys_of("man").len()), (1, 0));
        let orphan = world.keys_of("seg")[0].clone();
        world.pass(MINUTE);
        world.compact(&eager()).await.unwrap();
        world.pass(8 * DAY);
        world.collect(&eager()).await.unwrap();
        // Its like may still be published, for all that is known.
        world.pass(7 * DAY);
        world.collect(&eager()).await.unwrap();
        assert!(!world.keys_of("seg").contains(&orphan));
        assert_eq!(world.keys_of("seg").len(), 1);
        world.collect(&eager()).await.unwrap();
        assert_eq!(world.keys_of("cov").len(), 1);
        assert!(world.read().await.is_ok());
    });
}

#[test]
fn an_orphan_that_alone_holds_what_it_covers_stays() {
    block_on(async {
        let world = sealed(8).await;
        // A manifest is lost: its segment is an orphan.
        filled(&world, 2).await;
        let step = world.compact(&eager()).await.unwrap();
        world.memory.delete(&step.manifest.unwrap()).await.unwrap();
        world.pass(30 * DAY);
        world.memory.damage(world.keys_of("wal").last().unwrap().as_str());
        world.collect(&eager()).await.unwrap();
        assert_eq!(world.keys_of("seg").len(), 2);
    });
}

#[test]
fn an_orphan_goes_while_what_it_covers_is_there_and_not_sealed_elsewhere() {
    block_on(async {
        let world = sealed(8).await;
        filled(&world, 2).await;
        let step = world.compact(&eager()).await.unwrap();
        world.memory.delete(&step.manifest.unwrap()).await.unwrap();
        let before = world.read().await.unwrap().1;
        world.pass(30 * DAY);
        for _ in 0..2 {
            world.collect(&eager()).await.unwrap();
        }
        let left = ["seg", "cov", "wal"].map(|part| world.keys_of(part).len());
        assert_eq!(left, [1, 1, 2]);
        assert_eq!(world.read().await.unwrap().1, before);
    });
}

#[test]
fn a_void_manifest_is_no_ones_word_and_goes_as_an_orphan() {
    block_on(async {
        let world = World::new();
        filled(&world, 3).await;
        world.memory.set_now(world.now.get() + 61 * MINUTE);
        world.compact(&eager()).await.unwrap();
        world.pass(8 * DAY);
        assert_eq!(world.collect(&eager()).await.unwrap().removed, 0);
        world.compact(&eager()).await.unwrap();
        world.pass(8 * DAY);
        world.collect(&eager()).await.unwrap();
        assert_eq!((world.keys_of("wal").len(), world.keys_of("man").len()), (0, 1));
        let (journal, _) = world.read().await.unwrap();
        assert_eq!(journal.objects(), 3);
    });
}

#[test]
fn a_collection_removes_no_more_than_a_step_at_once() {
    block_on(async {
        let world = sealed(8).await;
        let rules = Rules { step_objects: 3, ..eager() };
        let one = world.collect(&rules).await.unwrap();
        let other = world.collect(&rules).await.unwrap();
        assert_eq!((one.removed, other.removed), (3, 1));
    });
}

#[test]
fn garbage_shrinks_to_little_more_than_what_is_there() {
    block_on(async {
        let world = World::new();
        let mut known = Frontier::default();
        for day in 0..60 {
            for at in 0..5 {
                let text = format!("d{day} m{at}");
                known = world.store(&known, &[&text]).await.unwrap().frontier;
                world.pass(1);
            }
            world.compact_all(&eager()).await;
            world.collect(&eager()).await.unwrap();
            world.pass(DAY);
        }
        let (journal, seen) = world.read().await.unwrap();
        assert_eq!((seen.messages.len(), journal.objects()), (300, 300));
        assert!(world.keys_of("wal").len() <= 45, "{}", world.keys_of("wal").len());
        assert!(world.keys_of("seg").len() <= 30, "{}", world.keys_of("seg").len());
        assert!(world.keys_of("man").len() <= 25, "{}", world.keys_of("man").len());
    });
}

#[test]
fn a_writer_that_read_its_manifest_weeks_ago_makes_nobody_wait_for_it() {
    block_on(async {
        let world = sealed(1).await;
        let ancient = world.read().await.unwrap().0.frontier();
        for _ in 0..4 {
            filled(&world, 2).await;
            world.compact(&eager()).await.unwrap();
            world.pass(8 * DAY);
            world.collect(&eager()).await.unwrap();
        }
        let head = ancient.head.clone().unwrap();
        assert!(!world.memory.keys().contains(&head));
        world.store(&ancient, &["new"]).await.unwrap();
        let before = world.read().await.unwrap().1;
        assert_eq!(before.messages.len(), 13);
        world.compact(&eager()).await.unwrap();
        world.lists.borrow_mut().clear();
        assert_eq!(world.read().await.unwrap().1, before);
        assert_eq!(world.lists.borrow().len(), 3, "its cover names it no more");
    });
}

#[test]
fn a_reader_that_slept_longer_than_the_grace_finds_what_was_sealed_and_removed_meanwhile() {
    block_on(async {
        let world = World::new();
        filled(&world, 1).await;
        let journal = RefCell::new(world.read().await.unwrap().0);
        let listed = world.now.get();
        world.pass(DAY);
        filled(&world, 2).await;
        world.compact_all(&eager()).await;
        world.pass(9 * DAY);
        world.collect(&eager()).await.unwrap();
        assert!(world.keys_of("wal").is_empty());
        let now = world.now.get();
        let found = poll(&world, &journal, listed, now).await.unwrap();
        journal.borrow_mut().owe(found);
        assert_eq!(world.settle(&journal).await.unwrap().messages.len(), 3);
    });
}

#[test]
fn what_no_list_shows_a_reader_is_found_in_its_segment_though_polls_never_rest() {
    block_on(async {
        // Polls a day apart look at the manifests before the grace is over, polls a minute apart once in a cycle.
        for (pause, polls) in [(DAY, 4), (MINUTE, 33)] {
            let world = World::new();
            filled(&world, 1).await;
            let journal = RefCell::new(world.read().await.unwrap().0);
            filled(&world, 2).await;
            world.compact_all(&eager()).await;
            world.keys_of("wal").iter().for_each(|key| world.memory.hide(key.as_str()));
            for _ in 0..polls {
                let last = world.now.get();
                world.pass(pause);
                let found = poll(&world, &journal, last, world.now.get()).await.unwrap();
                journal.borrow_mut().owe(found);
            }
            assert_eq!(world.settle(&journal).await.unwrap().messages.len(), 3, "{pause}");
        }
    });
}

#[test]
fn a_load_that_slept_longer_than_the_grace_does_not_wait_for_what_was_replaced_meanwhile() {
    block_on(async {
        let world = World::new();
        let rules = Rules { tier: 2, ..eager() };
        filled(&world, 2).await;
        world.compact(&rules).await.unwrap();
        let journal = RefCell::new(Journal::new(scope()));
        look_again(&world, &journal, world.now.get()).await.unwrap();
        assert!(journal.borrow().owes());
        for _ in 0..3 {
            world.pass(MINUTE);
            filled(&world, 2).await;
            world.compact_all(&rules).await;
            world.pass(9 * DAY);
            while world.collect(&rules).await.unwrap().next == Next::More {}
        }
        assert_eq!(world.settle(&journal).await.unwrap().messages.len(), 8);
    });
}
