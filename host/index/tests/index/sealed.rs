//! Users whose journal was sealed into segments: nobody can tell by the answers.

use crate::world::*;
use holdfast_core::graves::Of;
use holdfast_core::token::Frontier;
use holdfast_index::Reading;
use std::sync::atomic::Ordering::SeqCst;

#[tokio::test]
async fn a_sealed_user_answers_as_before() {
    let world = World::new();
    for number in 0..40 {
        world.say("u", &format!("m{number}"), &format!("the harbour at {number}")).await;
    }
    let before = world.host(|_| {});
    let expected = before.search(scope("u"), ask("harbour at 7")).await.unwrap();
    let history = before.history(scope("u"), "s".into(), page(1_000), local()).await.unwrap();
    world.seal("u").await;
    world.remove_wal().await;
    let gets = world.gets.load(SeqCst);
    let after = world.host(|_| {});
    let found = after.search(scope("u"), ask("harbour at 7")).await.unwrap();
    assert_eq!(format!("{:?}", found.hits), format!("{:?}", expected.hits));
    let again = after.history(scope("u"), "s".into(), page(1_000), local()).await.unwrap();
    assert_eq!(format!("{:?}", again.items), format!("{:?}", history.items));
    assert_eq!(world.gets.load(SeqCst) - gets, 3, "a manifest, a cover and a segment");
}

#[tokio::test]
async fn a_message_that_came_twice_and_was_deleted_is_no_error_once_it_is_sealed() {
    let world = World::new();
    for draft in [
        draft("s", "m1", "one"),
        draft("s", "m1", "one"),
        tombstone(Of::Message, "s", "m1"),
        draft("s", "m2", "two"),
    ] {
        world.write("u", vec![draft], &Frontier::default()).await;
    }
    world.seal("u").await;
    world.remove_wal().await;
    assert_eq!(ids(&world.host(|_| {}), "u", local()).await.unwrap(), ["m2"]);
}

#[tokio::test]
async fn a_loaded_user_follows_its_journal_through_a_compaction() {
    let world = World::new();
    let index = world.host(|_| {});
    world.say("u", "m1", "one").await;
    assert_eq!(ids(&index, "u", local()).await.unwrap(), ["m1"]);
    world.say("u", "m2", "two").await;
    world.seal("u").await;
    let other = world.host(|_| {});
    assert_eq!(ids(&other, "u", local()).await.unwrap(), ["m1", "m2"]);
    let known = other.known(scope("u"), "s".into(), vec![]).await.unwrap().frontier;
    assert!(known.head.is_some());
    world.remove_wal().await;
    // What a writer that read the segment stores leads the others to it.
    let written = world.write("u", vec![draft("s", "m3", "three")], &known).await;
    other.upsert(scope("u"), object(&written)).await.unwrap();
    assert_eq!(ids(&index, "u", latest()).await.unwrap(), ["m1", "m2", "m3"]);
}

#[tokio::test]
async fn a_token_of_a_sealed_view_is_honoured_where_its_objects_are_gone() {
    let world = World::new();
    let index = world.host(|_| {});
    world.say("u", "m1", "one").await;
    ids(&index, "u", local()).await.unwrap();
    let written = world.say("u", "m2", "two").await;
    world.seal("u").await;
    world.remove_wal().await;
    // By the key of an object that is sealed by now, and by the manifest alone.
    let by_key = Reading { after: Some(written.frontier.clone()), ..local() };
    assert_eq!(ids(&index, "u", by_key).await.unwrap(), ["m1", "m2"]);
    let fresh = world.host(|_| {});
    ids(&fresh, "u", local()).await.unwrap();
    let known = fresh.known(scope("u"), "s".into(), vec![]).await.unwrap().frontier;
    let by_head = Frontier { head: known.head, ..Frontier::default() };
    let by_head = Reading { after: Some(by_head), ..local() };
    assert_eq!(ids(&index, "u", by_head).await.unwrap(), ["m1", "m2"]);
}

#[tokio::test]
async fn a_sealed_user_that_lacks_its_segment_is_an_error_and_not_a_shorter_answer() {
    let world = World::new();
    world.say("u", "m1", "one").await;
    world.seal("u").await;
    world.remove_wal().await;
    let segment = world.memory.keys().into_iter().find(|key| key.contains("/seg/")).unwrap();
    world.memory.damage(&segment);
    let error = ids(&world.host(|_| {}), "u", local()).await.unwrap_err();
    assert!(["corrupt", "not_yet_visible"].contains(&error.reason), "{error:?}");
}
