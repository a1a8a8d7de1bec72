//! Index parts: copies that go with what they may hold, whoever wrote them and whatever else is the matter.

use crate::compacting::{eager, filled};
use crate::erasing::{begin, everything, marked, swept};
use crate::purging::bury;
use crate::world::{DAY, MINUTE, World, scope};
use bytes::Bytes;
use futures::executor::block_on;
use holdfast_core::erase::REACH;
use holdfast_core::graves::Of;
use holdfast_core::ports::Objects;
use holdfast_core::token::Frontier;
use holdfast_core::{Case, Key, key};
use holdfast_journal::{INDEX_PART_KEPT, Rules, SECOND_SWEEP, verify};
use ruzstd::decoding::StreamingDecoder;
use ruzstd::encoding::{CompressionLevel, compress_to_vec};
use std::io::Read;
use ulid::Ulid;

/// What a part unpacks to.
pub fn unpacked(part: &[u8]) -> String {
    let mut text = Vec::new();
    StreamingDecoder::new(part).unwrap().read_to_end(&mut text).unwrap();
    String::from_utf8_lossy(&text).into_owned()
}

/// Puts a part that holds this text, by a maker whose last list began then.
async fn part(world: &World, made: u64, text: &str) -> Key {
    let text = text.repeat(9);
    let bytes = Bytes::from(compress_to_vec(text.as_bytes(), CompressionLevel::Fastest));
    let key = key::index_part(&scope(), Ulid::from_parts(made, 7), &bytes);
    world.memory.put(&key, bytes).await.unwrap();
    key
}

/// A user with a few objects, of which none was ever sealed.
async fn plain() -> World {
    let world = World::new();
    filled(&world, 3).await;
    world.pass(MINUTE);
    world
}

fn parts(world: &World) -> Vec<Key> {
    world.keys_of("idx")
}

async fn collect(world: &World) -> usize {
    world.collect(&eager()).await.unwrap().removed
}

async fn purge(world: &World) {
    bury(world, Of::Message, "s", "m0", true).await;
}

/// Sealed with a purge, and all that this took the place of is gone.
async fn purged() -> World {
    let world = plain().await;
    purge(&world).await;
    world.compact_all(&eager()).await;
    world.pass(9 * DAY);
    collect(&world).await;
    assert!(world.keys_of("wal").is_empty() && !world.keys_of("seg").is_empty());
    world
}

#[test]
fn the_newest_part_stays_and_older_ones_go_though_nothing_was_ever_sealed() {
    block_on(async {
        let world = plain().await;
        let now = world.now.get();
        let mut made = Vec::new();
        for at in [now - 9, now - 7, now - 8] {
            made.push(part(&world, at, "text").await);
        }
        assert_eq!(collect(&world).await, 2);
        assert_eq!(parts(&world), [made.remove(1)]);
        assert_eq!(collect(&world).await, 0);
        assert_eq!(world.keys_of("wal").len(), 3);
    });
}

#[test]
fn a_part_goes_with_the_first_sweep_of_an_erase_and_is_in_its_receipt() {
    block_on(async {
        let world = marked().await;
        part(&world, world.now.get() - 1, "canary-part").await;
        assert!(everything(&world).await.contains("canary-partcanary-part"), "packed, and found");
        begin(&world).await.unwrap();
        let receipt = swept(&world).await;
        assert_eq!((receipt.removed["idx"], receipt.last), (1, false));
        assert!(parts(&world).is_empty() && !everything(&world).await.contains("canary"));
    });
}

#[test]
fn a_part_that_comes_after_the_first_sweep_waits_for_the_second_which_counts_it() {
    block_on(async {
        let world = marked().await;
        let before = world.now.get() - 1;
        begin(&world).await.unwrap();
        assert!(!swept(&world).await.removed.contains_key("idx"));
        let late = part(&world, before, "canary-part").await;
        world.pass(MINUTE);
        collect(&world).await;
        assert_eq!(parts(&world), [late], "no receipt would tell of it");
        world.pass(SECOND_SWEEP);
        let receipt = swept(&world).await;
        assert_eq!((receipt.removed["idx"], receipt.last), (1, true));
        assert!(parts(&world).is_empty());
    });
}

#[test]
fn after_the_final_receipt_what_was_made_before_the_erase_goes_and_what_was_made_after_it_stays() {
    block_on(async {
        let world = marked().await;
        let before = world.now.get() - 1;
        let (erasure, _) = begin(&world).await.unwrap();
        swept(&world).await;
        world.pass(SECOND_SWEEP);
        assert!(swept(&world).await.last);
        let (at, margin) = (erasure.at.milliseconds(), Rules::default().margin);
        part(&world, before, "canary-part").await;
        collect(&world).await;
        assert!(parts(&world).is_empty(), "it is settled");
        part(&world, at + REACH + MINUTE, "canary-part").await;
        collect(&world).await;
        assert!(parts(&world).is_empty(), "its maker's list may have shown no erase yet");
        let after = part(&world, at + margin + 1, "text").await;
        collect(&world).await;
        assert_eq!(parts(&world), [after]);
    });
}

#[test]
fn a_part_goes_at_once_when_a_purge_was_written_that_it_may_not_know() {
    block_on(async {
        let world = plain().await;
        let before = part(&world, world.now.get(), "canary").await;
        bury(&world, Of::Message, "s", "m0", false).await;
        collect(&world).await;
        assert_eq!(parts(&world), [before], "a plain delete leaves the bytes where they are");
        purge(&world).await;
        let at = world.now.get();
        assert_eq!(collect(&world).await, 1, "long before anything is sealed");
        let margin = Rules::default().margin;
        world.pass(2 * margin);
        part(&world, at + margin - 2, "canary").await;
        assert_eq!(collect(&world).await, 1, "clocks differ, and lists are late");
        let after = part(&world, at + margin + 1, "text").await;
        assert_eq!(collect(&world).await, 0);
        assert_eq!(parts(&world), [after]);
    });
}

#[test]
fn a_part_from_before_a_purge_that_was_sealed_long_ago_goes_when_it_comes() {
    block_on(async {
        let world = purged().await;
        part(&world, world.now.get() - 10 * DAY, "canary").await;
        assert_eq!(collect(&world).await, 1);
        let after = part(&world, world.now.get() - DAY, "text").await;
        assert_eq!(collect(&world).await, 0);
        assert_eq!(parts(&world), [after]);
        // A merge names the purge anew: the copy is made once more.
        let rules = Rules { tier: 2, ..eager() };
        filled(&world, 1).await;
        assert!(world.compact_all(&rules).await.iter().any(|step| step.merged > 0));
        collect(&world).await;
        assert!(parts(&world).is_empty());
    });
}

#[test]
fn parts_of_who_purged_nothing_outlive_what_is_sealed_and_merged() {
    block_on(async {
        let rules = Rules { tier: 2, ..eager() };
        let world = plain().await;
        let made = part(&world, world.now.get(), "text").await;
        for _ in 0..2 {
            filled(&world, 2).await;
            world.compact_all(&rules).await;
            world.pass(9 * DAY);
            collect(&world).await;
        }
        assert_eq!((parts(&world), world.keys_of("wal").len()), (vec![made], 0));
    });
}

#[test]
fn parts_go_while_a_segment_is_not_what_was_written() {
    block_on(async {
        let world = purged().await;
        let damaged = world.keys_of("seg").pop().unwrap();
        world.memory.damage(damaged.as_str());
        filled(&world, 1).await;
        world.compact(&eager()).await.unwrap();
        world.pass(9 * DAY);
        for made in [world.now.get() - 20 * DAY, world.now.get() - 2] {
            part(&world, made, "canary").await;
        }
        let newest = part(&world, world.now.get() - 1, "text").await;
        let collected = world.collect(&eager()).await.unwrap();
        assert_eq!((collected.removed, collected.corrupt), (2, vec![damaged]));
        assert_eq!((parts(&world), world.keys_of("wal").len()), (vec![newest], 1));
    });
}

#[test]
fn a_part_goes_when_nobody_can_say_whether_a_segment_after_it_has_a_purge() {
    block_on(async {
        let world = purged().await;
        for key in [world.keys_of("seg"), world.keys_of("cov")].concat() {
            world.memory.damage(key.as_str());
        }
        let after = part(&world, world.now.get() - DAY, "text").await;
        part(&world, world.now.get() - 10 * DAY, "canary").await;
        assert_eq!(world.collect(&eager()).await.unwrap().removed, 1);
        world.memory.delete(&after).await.unwrap();
        part(&world, world.now.get() - 10 * DAY, "canary").await;
        assert_eq!(world.collect(&eager()).await.unwrap().removed, 1);
    });
}

#[test]
fn parts_go_though_no_manifest_can_be_read() {
    block_on(async {
        let world = purged().await;
        world.keys_of("man").iter().for_each(|key| world.memory.damage(key.as_str()));
        part(&world, world.now.get() - 2, "text").await;
        let newest = part(&world, world.now.get() - 1, "text").await;
        assert_eq!(world.collect(&eager()).await.unwrap_err().case, Case::Corrupt);
        assert_eq!(parts(&world), [newest]);
    });
}

#[test]
fn no_part_grows_old_even_where_nothing_happens_or_the_same_is_put_again() {
    block_on(async {
        let world = plain().await;
        let made = world.now.get();
        let key = part(&world, made, "text").await;
        world.pass(INDEX_PART_KEPT);
        assert_eq!(collect(&world).await, 0, "by the store's clock, which may not be ours");
        assert_eq!(part(&world, made, "text").await, key);
        world.pass(Rules::default().margin);
        assert_eq!(collect(&world).await, 1);
        assert!(parts(&world).is_empty());
    });
}

#[test]
fn a_part_of_a_time_to_come_goes_and_takes_no_others_place() {
    block_on(async {
        let world = plain().await;
        let now = world.now.get();
        let good = part(&world, now, "text").await;
        part(&world, now + 9 * DAY, "canary").await;
        assert_eq!(collect(&world).await, 1);
        assert_eq!(parts(&world), [good]);
    });
}

#[test]
fn a_part_is_nothing_to_a_reader_and_a_damaged_one_is_no_alarm() {
    block_on(async {
        let world = plain().await;
        let before = world.read().await.unwrap().1;
        world.gets.borrow_mut().clear();
        let key = part(&world, world.now.get(), "text").await;
        world.memory.damage(key.as_str());
        assert_eq!(world.read().await.unwrap().1, before);
        world.compact_all(&eager()).await;
        let verified = verify(&world.outside(), &scope(), &eager()).await.unwrap();
        assert!(verified.is_whole() && verified.replaced.is_empty(), "{verified:?}");
        assert_eq!(world.read().await.unwrap().1, before);
        assert!(!world.gets.borrow().contains(&key));
    });
}

#[test]
fn a_collection_that_dies_after_any_call_leaves_the_newest_part_and_the_next_ends_it() {
    block_on(async {
        for last_is_done in [false, true] {
            for calls in 1.. {
                let world = plain().await;
                let now = world.now.get();
                for made in [now - 9, now - 8] {
                    part(&world, made, "text").await;
                }
                let newest = part(&world, now, "text").await;
                world.last_is_done.set(last_is_done);
                world.dies_after.set(Some(calls));
                let died = world.collect(&eager()).await.is_err();
                world.dies_after.set(None);
                assert!(parts(&world).contains(&newest), "after {calls} calls");
                collect(&world).await;
                assert_eq!(parts(&world), [newest], "after {calls} calls");
                if !died {
                    break;
                }
            }
        }
    });
}

#[test]
fn a_collection_lists_a_user_once_beside_the_ledger_and_the_manifests() {
    block_on(async {
        let world = purged().await;
        world.store(&Frontier::default(), &["more"]).await.unwrap();
        part(&world, world.now.get(), "text").await;
        world.lists.borrow_mut().clear();
        collect(&world).await;
        let user = key::user(&scope()).as_str().to_owned();
        let lists = world.lists.take().into_iter().map(|(prefix, _)| prefix);
        let own: Vec<String> = lists.filter(|prefix| prefix.starts_with(&user)).collect();
        assert_eq!(own, [key::manifests(&scope()).as_str(), &user]);
    });
}
