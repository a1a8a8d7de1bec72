//! Forks of manifests that lists kept from each other, and clocks that are wrong.

use crate::compacting::{eager, filled, manifest, two_segments};
use crate::world::{DAY, MINUTE, World, scope};
use futures::executor::block_on;
use holdfast_core::key;
use holdfast_journal::Rules;

#[test]
fn a_compaction_that_is_shown_only_what_others_replaced_publishes_nothing_that_is_gone() {
    block_on(async {
        let rules = Rules { tier: 2, ..eager() };
        let world = World::new();
        two_segments(&world, &rules).await;
        let old = world.keys_of("man").pop().unwrap();
        world.pass(DAY);
        world.compact_all(&rules).await;
        let newest = world.keys_of("man").pop().unwrap();
        // No list shows the collector the old manifest, so that all of its segments go, and their covers.
        world.memory.hide(old.as_str());
        world.pass(20 * DAY);
        for _ in 0..2 {
            world.collect(&rules).await.unwrap();
        }
        assert_eq!((world.keys_of("seg").len(), world.keys_of("cov").len()), (1, 1));
        filled(&world, 2).await;
        // And none shows the compactor what took its place.
        world.memory.unhide_all();
        world.memory.hide(newest.as_str());
        let error = world.compact(&rules).await.unwrap_err();
        assert_eq!(error.reason, "not_yet_visible");
        assert!(world.keys_of("man").iter().all(|key| *key <= newest));
        world.memory.unhide_all();
        world.compact_all(&rules).await;
        assert_eq!(world.read().await.unwrap().1.messages.len(), 6);
    });
}

#[test]
fn a_fork_that_no_list_showed_is_joined_without_what_is_gone_when_it_is_older_than_the_grace() {
    block_on(async {
        let rules = Rules { tier: 2, ..eager() };
        let world = World::new();
        for _ in 0..2 {
            filled(&world, 2).await;
            world.compact(&rules).await.unwrap();
            world.pass(DAY);
        }
        world.compact_all(&rules).await;
        let newest = world.keys_of("man").pop().unwrap();
        world.pass(6 * DAY);
        // A compactor that does not see the merge carries on what it took the place of; no list shows what it publishes.
        world.memory.hide(newest.as_str());
        filled(&world, 1).await;
        let fork = world.compact(&Rules { tier: 99, ..rules }).await.unwrap().manifest.unwrap();
        world.memory.unhide_all();
        world.memory.hide(fork.as_str());
        let parent = manifest(&world, &fork).await.parents[0].clone();
        world.memory.hide(&format!("{}{parent}", key::user(&scope()).as_str()));
        world.pass(2 * DAY);
        for _ in 0..2 {
            world.collect(&rules).await.unwrap();
        }
        world.memory.unhide_all();
        // It is young: what it names may still come to be seen.
        let none = world.compact(&rules).await.unwrap();
        assert!(none.manifest.is_none_or(|key| key > fork));
        world.pass(6 * DAY);
        world.compact_all(&rules).await;
        assert_eq!(world.read().await.unwrap().1.messages.len(), 5);
    });
}

#[test]
fn a_compaction_by_a_clock_that_is_hours_ahead_hides_nothing_from_those_who_load() {
    block_on(async {
        let world = World::new();
        world.memory.set_page(2);
        world.pass(1);
        filled(&world, 3).await;
        world.now.set(world.now.get() + 300 * MINUTE);
        world.compact(&eager()).await.unwrap();
        world.now.set(world.now.get() - 300 * MINUTE);
        world.pass(MINUTE);
        filled(&world, 3).await;
        assert_eq!(world.read().await.unwrap().1.messages.len(), 6);
    });
}
