//! Verifying says what is wrong and what of it matters; mending puts right what can be.

use crate::compacting::{eager, filled};
use crate::erasing::{begin, marked, message, swept, write_all};
use crate::world::{DAY, NOW, World, ledger, scope};
use futures::executor::block_on;
use holdfast_core::Key;
use holdfast_core::ports::Objects;
use holdfast_core::token::Frontier;
use holdfast_journal::{Rules, Step, Verified, erased, mend, verify};

pub async fn verified(world: &World) -> Verified {
    verify(&world.outside(), &scope(), &Rules::default()).await.unwrap()
}

async fn mended(world: &World) -> Step {
    mend(&world.outside(), &scope(), &ledger(), &Rules::default()).await.unwrap()
}

/// A journal of segments in two tiers and a tail.
async fn grown() -> World {
    let world = World::new();
    for _ in 0..9 {
        filled(&world, 2).await;
        world.compact(&eager()).await.unwrap();
    }
    world.compact_all(&eager()).await;
    filled(&world, 3).await;
    world
}

fn bytes_of(world: &World) -> (u64, u64) {
    let keys = world.memory.keys();
    let sizes = keys.iter().map(|key| block_on(world.memory.get(&Key::raw(key))).unwrap().unwrap());
    (keys.len() as u64, sizes.map(|bytes| bytes.len() as u64).sum())
}

#[test]
fn a_journal_in_order_is_whole_and_each_of_its_objects_is_read_once() {
    let world = block_on(grown());
    let before = world.memory.keys();
    world.gets.borrow_mut().clear();
    let verified = block_on(verified(&world));
    assert!(verified.is_whole() && verified.replaced.is_empty(), "{verified:?}");
    assert_eq!((verified.objects, verified.bytes), bytes_of(&world));
    let mut gets: Vec<String> = world.gets.borrow().iter().map(Key::to_string).collect();
    gets.sort();
    assert_eq!(gets, before);
    assert_eq!(world.memory.keys(), before);
}

#[test]
fn a_user_without_a_journal_is_whole() {
    let verified = block_on(verified(&World::new()));
    assert!(verified.is_whole());
    assert_eq!(verified.objects, 0);
}

#[test]
fn a_journal_that_was_collected_lacks_nothing() {
    block_on(async {
        let world = grown().await;
        let (journal, _) = world.read().await.unwrap();
        world.store(&journal.frontier(), &["after"]).await.unwrap();
        for _ in 0..4 {
            world.pass(8 * DAY);
            filled(&world, 1).await;
            world.compact_all(&eager()).await;
            world.collect(&Rules::default()).await.unwrap();
        }
        assert!(world.keys_of("wal").len() < 5);
        let verified = verified(&world).await;
        assert!(verified.is_whole() && verified.replaced.is_empty(), "{verified:?}");
    });
}

#[test]
fn every_kind_of_object_is_noticed_when_it_is_damaged_and_only_what_is_needed_counts() {
    block_on(async {
        let count = grown().await.memory.keys().len();
        for at in 0..count {
            let world = grown().await;
            let key = Key::raw(world.memory.keys()[at].clone());
            world.memory.damage(key.as_str());
            let verified = verified(&world).await;
            let found = [&verified.corrupt[..], &verified.replaced[..]].concat();
            assert_eq!(found, vec![key.clone()], "{verified:?}");
            assert!(verified.missing.is_empty() && verified.newer.is_empty(), "{key}");
            // Nobody lacks anything exactly when a reader says so.
            assert_eq!(verified.unreadable.is_some(), world.read().await.is_err(), "{key}");
            if verified.unreadable.is_some() {
                assert_eq!(verified.corrupt, vec![key]);
            }
        }
    });
}

#[test]
fn what_is_named_and_gone_is_missing() {
    block_on(async {
        let world = World::new();
        filled(&world, 2).await;
        world.compact(&eager()).await.unwrap();
        let (journal, _) = world.read().await.unwrap();
        let first = world.store(&journal.frontier(), &["first"]).await.unwrap();
        world.store(&first.frontier, &["second"]).await.unwrap();
        world.memory.delete(&first.key).await.unwrap();
        let verified = verified(&world).await;
        assert_eq!(verified.missing, vec![first.key]);
        assert_eq!(verified.unreadable.unwrap().reason, "not_yet_visible");
    });
}

#[test]
fn a_segment_that_is_gone_is_missing_and_one_that_nobody_names_is_not() {
    block_on(async {
        let world = grown().await;
        let last = world.keys_of("seg").pop().unwrap();
        world.memory.delete(&last).await.unwrap();
        // Merged away: its records are in the last one.
        let merged = world.keys_of("seg")[0].clone();
        world.memory.delete(&merged).await.unwrap();
        let verified = verified(&world).await;
        assert_eq!(verified.missing, vec![last]);
        assert!(verified.unreadable.is_none());
    });
}

#[test]
fn an_object_of_a_newer_program_is_named_as_such() {
    block_on(async {
        let world = World::new();
        filled(&world, 2).await;
        let newer = world.raw(NOW + 99, "{\"v\":9}\n").await;
        let verified = verified(&world).await;
        assert_eq!((verified.newer.clone(), verified.corrupt.len()), (vec![newer], 0));
        assert!(!verified.is_whole());
    });
}

#[test]
fn a_store_that_cannot_be_reached_is_an_error_and_no_verdict() {
    block_on(async {
        let world = grown().await;
        world.memory.set_unreachable(true);
        let error = verify(&world.outside(), &scope(), &Rules::default()).await.unwrap_err();
        assert_eq!(error.reason, "store_unavailable");
    });
}

#[test]
fn a_segment_or_its_cover_is_mended_while_what_it_was_made_of_is_there() {
    block_on(async {
        for part in ["seg", "cov"] {
            for gone in [false, true] {
                let world = grown().await;
                let before = world.read().await.unwrap().1;
                let last = world.keys_of(part).pop().unwrap();
                if gone {
                    world.memory.delete(&last).await.unwrap();
                } else {
                    world.memory.damage(last.as_str());
                }
                assert!(!verified(&world).await.is_whole());
                let step = mended(&world).await;
                assert_eq!((step.merged, step.corrupt), (1, vec![last.clone()]));
                let verified = verified(&world).await;
                assert!(verified.is_whole(), "{part} gone {gone}: {verified:?}");
                assert_eq!(verified.replaced.len(), usize::from(!gone));
                assert_eq!(world.read().await.unwrap().1, before);
                assert_eq!(mended(&world).await.manifest, None);
            }
        }
    });
}

#[test]
fn what_cannot_be_mended_stays_as_it_is_and_is_named() {
    block_on(async {
        let world = World::new();
        filled(&world, 2).await;
        world.compact(&eager()).await.unwrap();
        let seg = world.keys_of("seg")[0].clone();
        world.memory.damage(seg.as_str());
        world.memory.delete(&world.keys_of("wal")[0]).await.unwrap();
        let before = world.memory.keys();
        let step = mended(&world).await;
        assert_eq!((step.merged, step.manifest, step.corrupt), (0, None, vec![seg.clone()]));
        assert_eq!(world.memory.keys(), before);
        let verified = verified(&world).await;
        assert_eq!(verified.corrupt, vec![seg]);
        assert!(verified.unreadable.is_some());
    });
}

#[test]
fn mending_what_is_whole_writes_nothing() {
    block_on(async {
        let world = grown().await;
        world.puts.borrow_mut().clear();
        let step = mended(&world).await;
        assert_eq!((step.merged, step.manifest, step.corrupt.len()), (0, None, 0));
        assert!(world.puts.borrow().is_empty());
        world.store(&Frontier::default(), &["more"]).await.unwrap();
    });
}

#[test]
fn a_verification_misses_nothing_that_an_erase_removed_whenever_it_looks() {
    block_on(async {
        let world = marked().await;
        begin(&world).await.unwrap();
        let gone = erased(&world, &ledger(), &scope()).await.unwrap();
        let mut doomed: Vec<Key> =
            ["wal", "seg", "cov", "man"].into_iter().flat_map(|part| world.keys_of(part)).collect();
        doomed.retain(|key| gone.settles(key));
        assert!(doomed.len() > 8, "{doomed:?}");
        // A sweep that dies after any object of any part.
        for key in &doomed {
            world.memory.delete(key).await.unwrap();
            let verified = verified(&world).await;
            assert!(verified.is_whole() && verified.replaced.is_empty(), "{key}: {verified:?}");
        }
        swept(&world).await;
        let after = write_all(&world, &Frontier::default(), vec![message("s", "n", "anew")]).await;
        let whole = verified(&world).await;
        assert!(whole.is_whole() && whole.objects == 2, "{whole:?}");
        world.memory.damage(after.key.as_str());
        assert_eq!(verified(&world).await.corrupt, [after.key], "what is stored after it counts");
    });
}
