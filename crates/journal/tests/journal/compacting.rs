//! Compacting: what a reader sees does not change, and what cannot be read is never covered.

use crate::world::{DAY, MINUTE, NOW, Seen, World, body, scope, session, writer};
use futures::executor::block_on;
use half::f16;
use holdfast_core::graves::Of;
use holdfast_core::manifest::Manifest;
use holdfast_core::message::MessageVectors;
use holdfast_core::ports::Objects;
use holdfast_core::record::{Kind, Record, Stamp};
use holdfast_core::token::Frontier;
use holdfast_core::{Hlc, Key, SessionId};
use holdfast_journal::{Draft, Journal, Next, Pen, Rules, look_again, open, poll, rewrite, write};
use proptest::prelude::*;
use std::cell::RefCell;

/// Everything is worth sealing.
pub fn eager() -> Rules {
    Rules { least_objects: 1, ..Rules::default() }
}

/// Objects of one message each.
pub async fn filled(world: &World, objects: usize) {
    for at in 0..objects {
        let text = format!("m{at} of {}", world.now.get());
        world.store(&Frontier::default(), &[&text]).await.unwrap();
        world.pass(1);
    }
}

/// Two segments of two objects each, where the rules seal so little.
pub async fn two_segments(world: &World, rules: &Rules) {
    for _ in 0..2 {
        filled(world, 2).await;
        world.compact(rules).await.unwrap();
    }
}

pub async fn manifest(world: &World, key: &Key) -> Manifest {
    Manifest::decode(&world.memory.get(key).await.unwrap().unwrap()).unwrap()
}

async fn vectors(world: &World, id: &str, space: &str) {
    let mut body = body(id);
    let values = [0x3c00, 0x0001, 0xbc00, 0x7bff].map(f16::from_bits).to_vec();
    body.vectors =
        vec![MessageVectors { space: space.to_owned(), chunks: vec![(0, 1), (1, 2)], values }];
    let stamp = Stamp { at: Hlc::at(world.now.get()), by: writer() };
    let record = Record::new(Kind::Message, id, &session(), &stamp, body.encode().unwrap());
    rewrite(&world.outside(), &scope(), &Frontier::default(), 0, vec![record]).await.unwrap();
}

#[test]
fn what_was_compacted_reads_as_it_did() {
    block_on(async {
        let world = World::new();
        filled(&world, 5).await;
        vectors(&world, "m1", "a").await;
        vectors(&world, "x", "b").await;
        world.raw(NOW, "{\"v\":1,\"more\":true}\n{\"v\":1, \"kind\":\"wish\", \"id\":\"w\",\"x\" : 1,\"at\":\"0000000000000007\",\"by\":\"admin/k\"}\n").await;
        let before = world.read_wal().await;
        let step = world.compact(&eager()).await.unwrap();
        assert_eq!((step.sealed, step.next, step.corrupt.len()), (8, Next::More, 0));
        let (journal, seen) = world.read().await.unwrap();
        assert_eq!((seen, journal.objects()), (before, 8));
        assert!(!journal.owes());
        assert_eq!(world.compact(&eager()).await.unwrap().next, Next::Done);
    });
}

#[test]
fn a_reader_after_a_compaction_reads_no_covered_object() {
    block_on(async {
        let world = World::new();
        filled(&world, 100).await;
        world.compact_all(&eager()).await;
        filled(&world, 3).await;
        world.gets.borrow_mut().clear();
        let (journal, _) = world.read().await.unwrap();
        let parts: Vec<String> =
            world.gets.borrow().iter().map(|key| format!("{:?}", key.part())).collect();
        assert_eq!(parts, ["Manifest", "Cover", "Segment", "Wal", "Wal", "Wal"]);
        assert_eq!(journal.objects(), 103);
    });
}

#[test]
fn a_token_of_a_compacted_view_names_its_manifest_and_a_writer_does_too() {
    block_on(async {
        let world = World::new();
        filled(&world, 3).await;
        let step = world.compact(&eager()).await.unwrap();
        let (journal, _) = world.read().await.unwrap();
        let head = step.manifest.unwrap().to_string();
        let frontier = journal.frontier();
        assert_eq!((frontier.head.as_deref(), frontier.keys.len()), (Some(head.as_str()), 0));
        let written = world.store(&frontier, &["new"]).await.unwrap();
        assert_eq!(written.frontier.head.as_deref(), Some(head.as_str()));
        let header = holdfast_core::record::WalObject::decode(&written.bytes).unwrap().header;
        assert_eq!(header.head, Some(head));
    });
}

#[test]
fn a_manifest_that_no_list_shows_is_read_because_an_object_names_it() {
    block_on(async {
        let world = World::new();
        filled(&world, 3).await;
        world.compact(&eager()).await.unwrap();
        let (journal, _) = world.read().await.unwrap();
        world.store(&journal.frontier(), &["new"]).await.unwrap();
        let before = world.read().await.unwrap().1;
        // All that was sealed is gone, and the list does not show the manifest.
        for key in world.keys_of("wal").iter().take(3) {
            world.memory.delete(key).await.unwrap();
        }
        world.memory.hide(world.keys_of("man")[0].as_str());
        assert_eq!(world.read().await.unwrap().1, before);
    });
}

#[test]
fn a_loaded_reader_lists_no_manifests_while_nothing_is_missing() {
    block_on(async {
        let world = World::new();
        filled(&world, 3).await;
        let journal = RefCell::new(world.read().await.unwrap().0);
        world.compact(&eager()).await.unwrap();
        filled(&world, 1).await;
        world.lists.borrow_mut().clear();
        let found = poll(&world, &journal, NOW, world.now.get()).await.unwrap();
        assert_eq!(found.len(), 1);
        journal.borrow_mut().owe(found);
        world.settle(&journal).await.unwrap();
        assert!(world.lists.borrow().iter().all(|(prefix, _)| prefix.contains("/wal/")));
        assert_eq!(journal.borrow().objects(), 4);
    });
}

#[test]
fn a_loaded_reader_that_misses_what_was_collected_takes_it_from_a_segment() {
    block_on(async {
        let world = World::new();
        filled(&world, 2).await;
        let journal = RefCell::new(world.read().await.unwrap().0);
        let missed = world.store(&Frontier::default(), &["missed"]).await.unwrap();
        world.compact(&eager()).await.unwrap();
        world.memory.delete(&missed.key).await.unwrap();
        journal.borrow_mut().owe([missed.key]);
        world.settle(&journal).await.unwrap();
        assert!(journal.borrow().view().find("s", "missed").is_some());
        assert!(!journal.borrow().owes());
    });
}

#[test]
fn what_is_named_and_nowhere_is_not_yet_visible() {
    block_on(async {
        let world = World::new();
        filled(&world, 2).await;
        world.compact(&eager()).await.unwrap();
        let lost = world.empty(NOW + 5, &[]).await;
        world.empty(NOW + 6, &[lost.as_str()]).await;
        world.memory.delete(&lost).await.unwrap();
        let error = world.read().await.unwrap_err();
        assert_eq!(error.reason, "not_yet_visible");
        // The compactor covers what named it, and passes the name on.
        world.compact_all(&eager()).await;
        assert_eq!(world.read().await.unwrap_err().reason, "not_yet_visible");
    });
}

#[test]
fn an_object_that_no_list_shows_is_sealed_because_another_names_it() {
    block_on(async {
        let world = World::new();
        let first = world.store(&Frontier::default(), &["a"]).await.unwrap();
        world.store(&first.frontier, &["b"]).await.unwrap();
        world.memory.hide(first.key.as_str());
        assert_eq!(world.compact(&eager()).await.unwrap().sealed, 2);
    });
}

#[test]
fn too_little_is_not_sealed_before_a_week() {
    block_on(async {
        let world = World::new();
        filled(&world, 63).await;
        let rules = Rules::default();
        assert_eq!(world.compact(&rules).await.unwrap().manifest, None);
        world.pass(7 * DAY);
        assert_eq!(world.compact(&rules).await.unwrap().sealed, 63);
        filled(&world, 64).await;
        assert_eq!(world.compact(&rules).await.unwrap().sealed, 64);
    });
}

#[test]
fn so_many_bytes_are_worth_sealing_alone_and_one_byte_less_is_not() {
    block_on(async {
        let least = usize::try_from(Rules::default().least_bytes).unwrap();
        assert_eq!(least, 256 << 10);
        for (short, sealed) in [(1, 0), (0, 2)] {
            let world = World::new();
            filled(&world, 1).await;
            let there: usize = world.puts.borrow().iter().map(|(_, bytes)| bytes.len()).sum();
            let begin = r#"{"v":1,"prev":[]"#;
            let blank = " ".repeat(least - short - there - begin.len() - 2);
            world.raw(NOW, &format!("{begin}{blank}}}\n")).await;
            assert_eq!(world.compact(&Rules::default()).await.unwrap().sealed, sealed, "{short}");
        }
    });
}

#[test]
fn eight_segments_of_a_tier_become_one_of_the_next_and_bytes_are_written_once_a_tier() {
    block_on(async {
        let world = World::new();
        let (mut written, mut tiers) = (0, Vec::new());
        for _ in 0..64 {
            filled(&world, 2).await;
            for step in world.compact_all(&eager()).await {
                written += step.written;
                let Some(key) = step.manifest else { continue };
                tiers.extend(manifest(&world, &key).await.segments.iter().map(|s| s.tier));
            }
        }
        assert_eq!(tiers.iter().max(), Some(&2));
        let last = world.keys_of("man").pop().unwrap();
        let segments = manifest(&world, &last).await.segments;
        assert_eq!((segments.len(), segments[0].records), (1, 128));
        // What a segment of one object costs beyond its records weighs heavily here: 3 times and that.
        assert!(written < 3 * 64 * 2 * 700, "{written}");
        assert_eq!(world.read().await.unwrap().1, world.read_wal().await);
    });
}

#[test]
fn a_step_takes_no_more_than_it_may_and_goes_on() {
    block_on(async {
        let world = World::new();
        filled(&world, 25).await;
        let rules = Rules { step_objects: 10, ..eager() };
        let steps = world.compact_all(&rules).await;
        let sealed: Vec<usize> = steps.iter().map(|step| step.sealed).collect();
        assert_eq!(sealed, [10, 10, 5, 0]);
        assert_eq!(world.read().await.unwrap().1, world.read_wal().await);
        let rules = Rules { step_bytes: 1, ..eager() };
        filled(&world, 2).await;
        assert_eq!(world.compact(&rules).await.unwrap().sealed, 1);
    });
}

#[test]
fn a_large_object_stays_as_it_is_and_others_are_split_among_segments() {
    block_on(async {
        let world = World::new();
        let rules = Rules { segment_bytes: 2_000, ..eager() };
        filled(&world, 30).await;
        let large = world.store(&Frontier::default(), &[&"x".repeat(3_000)]).await.unwrap();
        world.compact_all(&rules).await;
        let last = manifest(&world, &world.keys_of("man").pop().unwrap()).await;
        assert!(last.segments.len() > 1 && last.segments.iter().all(|s| s.texts <= 2_000));
        assert!(last.from <= large.orders[0].ulid.timestamp_ms());
        assert_eq!(world.read().await.unwrap().1, world.read_wal().await);
    });
}

#[test]
fn two_compactors_at_once_lose_nothing_and_the_next_joins_them() {
    block_on(async {
        let world = World::new();
        filled(&world, 4).await;
        // The second sees nothing of the first.
        world.compact(&eager()).await.unwrap();
        let hidden = world.keys_of("man")[0].clone();
        world.memory.hide(hidden.as_str());
        filled(&world, 2).await;
        world.compact(&eager()).await.unwrap();
        world.memory.unhide_all();
        let (journal, seen) = world.read().await.unwrap();
        assert_eq!(seen, world.read_wal().await);
        // Its token names both.
        assert!(journal.frontier().keys.contains(&hidden.to_string()));
        let step = world.compact(&eager()).await.unwrap();
        let joined = manifest(&world, &step.manifest.unwrap()).await;
        assert_eq!((joined.parents.len(), joined.segments.len()), (2, 1));
        let (journal, seen) = world.read().await.unwrap();
        assert_eq!((seen, journal.frontier().keys.len()), (world.read_wal().await, 0));
        assert_eq!(world.compact(&eager()).await.unwrap().next, Next::Done);
    });
}

#[test]
fn a_void_manifest_is_nobodys_head() {
    block_on(async {
        let world = World::new();
        filled(&world, 4).await;
        world.memory.set_now(world.now.get() + 61 * MINUTE);
        let step = world.compact(&eager()).await.unwrap();
        world.memory.set_now(world.now.get());
        // It covers more than there is: who believed it would see no tail.
        let (journal, seen) = world.read().await.unwrap();
        assert_eq!((journal.frontier().head, seen), (None, world.read_wal().await));
        let next = world.compact(&eager()).await.unwrap();
        let next = manifest(&world, &next.manifest.unwrap()).await;
        assert!(next.parents.is_empty() && next.ancestors.is_empty());
        assert!(step.manifest.is_some());
    });
}

#[test]
fn a_compactor_that_took_too_long_publishes_nothing() {
    block_on(async {
        let world = World::new();
        filled(&world, 4).await;
        world.delays.borrow_mut().push_back(40 * MINUTE);
        let error = world.compact(&eager()).await.unwrap_err();
        assert_eq!(error.reason, "unavailable");
        assert!(world.keys_of("man").is_empty());
    });
}

#[test]
fn a_young_manifest_that_cannot_be_read_is_passed_over_and_an_old_one_is_an_error() {
    block_on(async {
        let world = World::new();
        filled(&world, 2).await;
        world.compact(&eager()).await.unwrap();
        filled(&world, 2).await;
        world.compact(&eager()).await.unwrap();
        let newest = world.keys_of("man").pop().unwrap();
        world.memory.damage(newest.as_str());
        assert_eq!(world.read().await.unwrap().1, world.read_wal().await);
        world.now.set(world.now.get() + 8 * DAY);
        assert_eq!(world.read().await.unwrap_err().reason, "corrupt");
        world.now.set(world.now.get() - 8 * DAY);
        // A compaction in time takes its place.
        let step = world.compact(&eager()).await.unwrap();
        assert!(step.corrupt.contains(&newest));
        world.pass(8 * DAY);
        assert_eq!(world.read().await.unwrap().1, world.read_wal().await);
    });
}

#[test]
fn what_a_listing_left_out_of_a_manifest_is_found_by_its_margin() {
    block_on(async {
        let world = World::new();
        filled(&world, 3).await;
        let late = world.empty(world.now.get() - 19 * MINUTE, &[]).await;
        world.memory.hide(late.as_str());
        world.compact(&eager()).await.unwrap();
        world.memory.unhide_all();
        world.pass(3 * DAY);
        assert_eq!(world.read().await.unwrap().0.objects(), 4);
    });
}

#[test]
fn a_thousand_objects_are_read_before_and_after_they_are_sealed() {
    block_on(async {
        let world = World::new();
        filled(&world, 1_000).await;
        let before = world.read().await.unwrap().1;
        assert_eq!(before.messages.len(), 1_000);
        world.compact_all(&Rules::default()).await;
        world.gets.borrow_mut().clear();
        assert_eq!(world.read().await.unwrap().1, before);
        assert_eq!(world.gets.borrow().len(), 3);
    });
}

#[test]
fn a_look_at_the_manifests_brings_nothing_that_is_known() {
    block_on(async {
        let world = World::new();
        filled(&world, 3).await;
        let journal = RefCell::new(Journal::new(scope()));
        open(&world, &journal, world.now.get()).await.unwrap();
        world.settle(&journal).await.unwrap();
        world.compact(&eager()).await.unwrap();
        look_again(&world, &journal, world.now.get()).await.unwrap();
        world.gets.borrow_mut().clear();
        world.settle(&journal).await.unwrap();
        // The cover says that all of it is known.
        assert_eq!(world.gets.borrow().len(), 1);
        assert!(journal.borrow().frontier().head.is_some());
    });
}

#[derive(Debug, Clone)]
enum Deed {
    Write { session: u8, id: u8, text: u8, vectors: bool },
    Name { session: u8, name: u8 },
    Delete { session: u8, id: Option<u8> },
    Compact,
    Pass,
}

fn deed() -> impl Strategy<Value = Deed> {
    prop_oneof![
        6 => (0_u8..3, 0_u8..6, 0_u8..2, any::<bool>())
            .prop_map(|(session, id, text, vectors)| Deed::Write { session, id, text, vectors }),
        1 => (0_u8..3, 0_u8..4).prop_map(|(session, name)| Deed::Name { session, name }),
        1 => (0_u8..3, prop::option::of(0_u8..6))
            .prop_map(|(session, id)| Deed::Delete { session, id }),
        2 => Just(Deed::Compact),
        1 => Just(Deed::Pass),
    ]
}

async fn done(world: &World, deed: Deed) {
    let session = |n: u8| SessionId::parse(&format!("s{n}")).unwrap();
    let draft = match deed {
        Deed::Compact => return drop(world.compact(&Rules { tier: 2, ..eager() }).await.unwrap()),
        Deed::Pass => return world.pass(7 * MINUTE),
        Deed::Name { session: s, name } => {
            let fields = holdfast_core::session::SessionFields {
                name: Some(format!("n{name}")),
                ..Default::default()
            };
            let id = session(s).as_str().to_owned();
            Draft { kind: Kind::Session, id, session: session(s), body: fields.encode().unwrap() }
        }
        Deed::Delete { session: s, id } => {
            let of = if id.is_some() { Of::Message } else { Of::Session };
            let id = id.map_or(session(s).as_str().to_owned(), |id| format!("m{id}"));
            Draft { kind: Kind::Tombstone, id, session: session(s), body: of.encode().unwrap() }
        }
        Deed::Write { session: s, id, text, vectors } => {
            let mut body = body(&format!("text {text}"));
            let values = vec![f16::from_bits(u16::from(id) * 77), f16::ONE];
            let one = MessageVectors { space: "x/2".to_owned(), chunks: vec![(0, 4)], values };
            body.vectors.extend(vectors.then_some(one));
            let (id, body) = (format!("m{id}"), body.encode().unwrap());
            Draft { kind: Kind::Message, id, session: session(s), body }
        }
    };
    let pen = Pen { scope: &scope(), by: writer(), known: &Frontier::default(), offset: 0 };
    write(&world.outside(), pen, vec![draft]).await.unwrap();
    world.pass(1);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_compacted_journal_is_read_to_the_byte_as_the_uncompacted_one(
        deeds in prop::collection::vec(deed(), 0..60),
    ) {
        // What a delete hides need not have brought its vectors before.
        let deletes = deeds.iter().any(|deed| matches!(deed, Deed::Delete { .. }));
        let comparable = |seen: Seen| match deletes {
            true => Seen { vectors: Vec::new(), ..seen },
            false => seen,
        };
        let (seen, expected): (Seen, Seen) = block_on(async {
            let world = World::new();
            for deed in deeds {
                done(&world, deed).await;
            }
            let seen = comparable(world.read().await.unwrap().1);
            let expected = comparable(world.read_wal().await);
            // And so is the one that has nothing but segments.
            world.compact_all(&eager()).await;
            for key in world.keys_of("wal") {
                world.memory.delete(&key).await.unwrap();
            }
            assert_eq!(comparable(world.read().await.unwrap().1), expected);
            (seen, expected)
        });
        prop_assert_eq!(seen, expected);
    }
}
