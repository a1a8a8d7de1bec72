//! What cannot be read: never covered, named, and taken from elsewhere where it can be.

use crate::compacting::{eager, filled, manifest, two_segments};
use crate::world::{DAY, MINUTE, NOW, Seen, World, ledger, scope};
use futures::executor::block_on;
use holdfast_core::ports::Objects;
use holdfast_journal::{Next, Rules, mend};

#[test]
fn a_corrupt_object_is_never_covered_and_named() {
    block_on(async {
        let world = World::new();
        filled(&world, 3).await;
        let damaged = world.keys_of("wal")[1].clone();
        world.memory.damage(damaged.as_str());
        let newer = world.raw(NOW + 99, "{\"v\":9}\n").await;
        let step = world.compact(&eager()).await.unwrap();
        assert_eq!((step.sealed, step.corrupt), (2, vec![damaged.clone(), newer.clone()]));
        let step = world.compact(&eager()).await.unwrap();
        assert_eq!((step.next, step.corrupt.len()), (Next::Done, 2));
        let error = world.read().await.unwrap_err();
        assert!(error.reason == "corrupt" || error.reason == "newer_format");
        // Mended, all is there.
        world.memory.damage(damaged.as_str());
        world.memory.delete(&newer).await.unwrap();
        assert_eq!(world.read().await.unwrap().1, world.read_wal().await);
    });
}

#[test]
fn a_segment_that_cannot_be_read_is_set_aside_for_what_it_was_made_of() {
    block_on(async {
        for part in ["seg", "cov"] {
            for gone in [false, true] {
                let world = World::new();
                filled(&world, 4).await;
                world.compact(&eager()).await.unwrap();
                let before = world.read().await.unwrap().1;
                for key in world.keys_of(part) {
                    if gone {
                        world.memory.delete(&key).await.unwrap();
                    } else {
                        world.memory.damage(key.as_str());
                    }
                }
                assert_eq!(world.read().await.unwrap().1, before, "{part} gone: {gone}");
            }
        }
    });
}

#[test]
fn a_merged_segment_that_cannot_be_read_is_set_aside_for_the_segments_before() {
    block_on(async {
        let world = World::new();
        for _ in 0..8 {
            filled(&world, 2).await;
            world.compact(&eager()).await.unwrap();
        }
        let before = world.read().await.unwrap().1;
        world.compact_all(&eager()).await;
        for key in world.keys_of("wal") {
            world.memory.delete(&key).await.unwrap();
        }
        assert_eq!(world.read().await.unwrap().1, before);
        let last = world.keys_of("seg").pop().unwrap();
        world.memory.damage(last.as_str());
        assert_eq!(world.read().await.unwrap().1, before);
        // When those are gone too, it is an error.
        for key in world.keys_of("seg") {
            world.memory.delete(&key).await.unwrap();
        }
        assert_eq!(world.read().await.unwrap_err().reason, "not_yet_visible");
    });
}

#[test]
fn a_segment_without_its_cover_and_itself_is_an_error_and_never_a_shorter_view() {
    block_on(async {
        let world = World::new();
        filled(&world, 4).await;
        world.compact(&eager()).await.unwrap();
        for part in ["seg", "cov"] {
            world.memory.damage(world.keys_of(part)[0].as_str());
        }
        assert_eq!(world.read().await.unwrap_err().reason, "corrupt");
        // And a later compaction does not forget it.
        filled(&world, 4).await;
        let step = world.compact(&eager()).await.unwrap();
        assert_eq!(step.corrupt.len(), 2);
        assert_eq!(world.read().await.unwrap_err().reason, "corrupt");
    });
}

#[test]
fn a_merge_mends_a_segment_from_the_wal() {
    block_on(async {
        let world = World::new();
        for _ in 0..7 {
            filled(&world, 2).await;
            world.compact(&eager()).await.unwrap();
        }
        let damaged = world.keys_of("seg")[3].clone();
        world.memory.damage(damaged.as_str());
        filled(&world, 2).await;
        world.compact(&eager()).await.unwrap();
        let step = world.compact(&eager()).await.unwrap();
        assert_eq!((step.merged, step.corrupt), (8, vec![damaged]));
        world.gets.borrow_mut().clear();
        assert_eq!(world.read().await.unwrap().1, world.read_wal().await);
    });
}

#[test]
fn a_segment_that_is_gone_and_that_others_hold_all_of_is_left_out() {
    block_on(async {
        let world = World::new();
        filled(&world, 2).await;
        let first = world.compact(&eager()).await.unwrap().manifest.unwrap();
        let lost = world.keys_of("seg").pop().unwrap();
        // Another compactor, which does not see the first, seals the same.
        world.memory.hide(first.as_str());
        world.pass(1);
        world.compact(&eager()).await.unwrap();
        world.memory.unhide_all();
        let before = world.read().await.unwrap().1;
        for key in world.keys_of("wal").iter().chain([&lost]) {
            world.memory.delete(key).await.unwrap();
        }
        let step = mend(&world.outside(), &scope(), &ledger(), &eager()).await.unwrap();
        assert_eq!((step.merged, step.written), (1, 0));
        let step = mend(&world.outside(), &scope(), &ledger(), &eager()).await.unwrap();
        assert_eq!((step.merged, step.manifest), (0, None));
        assert_eq!(world.read().await.unwrap().1, before);
    });
}

/// Two segments of the same objects, sealed apart because a list hid the manifest of the first. The newest manifest names the
/// second alone, and a collection that was shown only the manifest of the first took that for an orphan.
async fn sealed_apart(collections: usize) -> (World, Seen) {
    let world = World::new();
    filled(&world, 3).await;
    let first = world.compact(&eager()).await.unwrap().manifest.unwrap();
    world.memory.hide(first.as_str());
    world.pass(MINUTE);
    let second = world.compact(&eager()).await.unwrap().manifest.unwrap();
    world.memory.unhide_all();
    world.pass(MINUTE);
    let joined = world.compact(&eager()).await.unwrap().manifest.unwrap();
    assert_eq!(
        (world.keys_of("seg").len(), manifest(&world, &joined).await.segments.len()),
        (2, 1)
    );
    let before = world.read().await.unwrap().1;
    world.memory.hide(second.as_str());
    world.memory.hide(joined.as_str());
    world.pass(15 * DAY);
    for _ in 0..collections {
        world.collect(&eager()).await.unwrap();
    }
    world.memory.unhide_all();
    (world, before)
}

#[test]
fn what_a_lost_segment_held_is_taken_from_manifests_behind_the_heads() {
    block_on(async {
        let (world, before) = sealed_apart(1).await;
        assert_eq!((world.keys_of("seg").len(), world.keys_of("wal").len()), (1, 0));
        assert_eq!(world.collect(&eager()).await.unwrap().corrupt.len(), 1);
        assert_eq!(world.read().await.unwrap().1, before);
        let step = mend(&world.outside(), &scope(), &ledger(), &eager()).await.unwrap();
        assert_eq!((step.merged, world.keys_of("seg").len()), (1, 2));
        let step = mend(&world.outside(), &scope(), &ledger(), &eager()).await.unwrap();
        assert_eq!((step.merged, step.manifest), (0, None));
        assert_eq!(world.read().await.unwrap().1, before);
        // What is garbage now goes.
        world.pass(15 * DAY);
        let collected = world.collect(&eager()).await.unwrap();
        assert_eq!((collected.corrupt, world.keys_of("seg").len()), (vec![], 1));
        assert_eq!(world.read().await.unwrap().1, before);
    });
}

#[test]
fn what_a_lost_segment_held_is_taken_in_parts_from_behind_and_from_the_wal() {
    block_on(async {
        let rules = Rules { tier: 2, ..eager() };
        let world = World::new();
        two_segments(&world, &rules).await;
        world.compact_all(&rules).await;
        let before = world.read().await.unwrap().1;
        let [_, second, merged] = &world.keys_of("seg")[..] else { panic!("three segments") };
        for key in world.keys_of("wal")[..2].iter().chain([second, merged]) {
            world.memory.delete(key).await.unwrap();
        }
        let step = mend(&world.outside(), &scope(), &ledger(), &rules).await.unwrap();
        let segments = manifest(&world, &step.manifest.unwrap()).await.segments;
        assert_eq!((step.merged, segments.len(), segments[0].records), (1, 1, 4));
        assert_eq!(world.read().await.unwrap().1, before);
    });
}

#[test]
fn what_nothing_holds_stays_corrupt() {
    block_on(async {
        let (world, _) = sealed_apart(1).await;
        world.memory.delete(&world.keys_of("seg")[0]).await.unwrap();
        let step = mend(&world.outside(), &scope(), &ledger(), &eager()).await.unwrap();
        assert_eq!((step.manifest, step.corrupt.len()), (None, 1));
        let (world, _) = sealed_apart(2).await;
        world.memory.delete(&world.keys_of("seg")[0]).await.unwrap();
        let error = mend(&world.outside(), &scope(), &ledger(), &eager()).await.unwrap_err();
        assert_eq!(error.reason, "not_yet_visible");
    });
}

#[test]
fn what_is_gone_with_its_cover_is_told_by_what_lies_behind_and_how_much_it_is() {
    block_on(async {
        let (world, before) = sealed_apart(2).await;
        assert_eq!((world.keys_of("seg").len(), world.keys_of("cov").len()), (1, 1));
        assert_eq!(world.read().await.unwrap_err().reason, "not_yet_visible");
        let step = mend(&world.outside(), &scope(), &ledger(), &eager()).await.unwrap();
        assert_eq!((step.merged, world.keys_of("seg").len()), (1, 2));
        assert_eq!(world.read().await.unwrap().1, before);
        assert_eq!(world.compact(&eager()).await.unwrap().next, Next::Done);
        world.pass(15 * DAY);
        assert_eq!(world.collect(&eager()).await.unwrap().corrupt, []);
        assert_eq!(world.keys_of("seg").len(), 1);
        assert_eq!(world.read().await.unwrap().1, before);
    });
}

/// Sealed under a manifest that no list showed, so that a collection took the segment for an orphan: its WAL objects are there.
async fn unsealed() -> (World, Seen) {
    let world = World::new();
    two_segments(&world, &eager()).await;
    let before = world.read().await.unwrap().1;
    world.memory.hide(world.keys_of("man")[1].as_str());
    world.pass(15 * DAY);
    for _ in 0..2 {
        world.collect(&eager()).await.unwrap();
    }
    world.memory.unhide_all();
    let left = ["seg", "cov", "wal"].map(|part| world.keys_of(part).len());
    assert_eq!(left, [1, 1, 2]);
    (world, before)
}

#[test]
fn what_is_gone_with_its_cover_and_there_as_it_was_written_is_sealed_again() {
    block_on(async {
        let (world, before) = unsealed().await;
        assert_eq!(world.read().await.unwrap_err().reason, "not_yet_visible");
        let step = mend(&world.outside(), &scope(), &ledger(), &eager()).await.unwrap();
        assert_eq!((step.merged, step.written), (1, 0));
        assert_eq!(world.read().await.unwrap().1, before);
        assert_eq!(world.compact(&eager()).await.unwrap().sealed, 2);
        assert_eq!(world.read().await.unwrap().1, before);
    });
}

#[test]
fn what_is_gone_with_its_cover_is_not_left_out_while_any_of_it_is_missing() {
    block_on(async {
        let (world, _) = unsealed().await;
        world.memory.delete(&world.keys_of("wal")[1]).await.unwrap();
        let error = mend(&world.outside(), &scope(), &ledger(), &eager()).await.unwrap_err();
        assert_eq!(error.reason, "not_yet_visible");
    });
}
