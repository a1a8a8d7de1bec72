//! Dying in the middle: after every call to the store that a compaction or a collection makes, nothing is lost.

use crate::compacting::{eager, filled};
use crate::world::{DAY, Seen, World};
use futures::executor::block_on;
use holdfast_journal::{Next, Rules};

/// A world with several tiers, a fork, and what may be collected.
async fn busy() -> World {
    let world = World::new();
    let rules = Rules { tier: 2, ..eager() };
    for _ in 0..3 {
        filled(&world, 2).await;
        world.compact(&rules).await.unwrap();
    }
    world.compact(&rules).await.unwrap();
    world.pass(9 * DAY);
    filled(&world, 2).await;
    world
}

async fn seen(world: &World) -> Seen {
    world.dies_after.set(None);
    world.read().await.unwrap().1
}

#[test]
fn a_compaction_that_dies_after_any_call_loses_nothing() {
    block_on(async {
        let rules = Rules { tier: 2, ..eager() };
        for last_is_done in [false, true] {
            for calls in 1.. {
                let world = busy().await;
                let before = seen(&world).await;
                world.last_is_done.set(last_is_done);
                world.dies_after.set(Some(calls));
                let (one, other) = (world.compact(&rules).await, world.compact(&rules).await);
                let survived = world.dies_after.get() != Some(0);
                assert_eq!(seen(&world).await, before, "after {calls} calls: {one:?} {other:?}");
                // Whoever comes next ends it.
                world.compact_all(&rules).await;
                assert_eq!(seen(&world).await, before);
                if survived {
                    assert!(calls > 10);
                    break;
                }
            }
        }
    });
}

#[test]
fn a_collection_that_dies_after_any_call_loses_nothing() {
    block_on(async {
        let rules = Rules { tier: 2, ..eager() };
        for last_is_done in [false, true] {
            for calls in 1.. {
                let world = busy().await;
                world.compact_all(&rules).await;
                let before = seen(&world).await;
                world.last_is_done.set(last_is_done);
                world.dies_after.set(Some(calls));
                let died = world.collect(&rules).await.is_err();
                assert_eq!(seen(&world).await, before, "after {calls} calls");
                while world.collect(&rules).await.unwrap().next == Next::More {}
                assert_eq!(seen(&world).await, before);
                if !died {
                    assert!(calls > 10 && world.keys_of("wal").len() == 2);
                    break;
                }
            }
        }
    });
}
