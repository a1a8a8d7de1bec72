//! Loads: once for all who wait, never longer than allowed, and never shorter in silence.

use crate::world::*;
use bytes::Bytes;
use holdfast_core::key;
use holdfast_core::ports::Objects;
use holdfast_core::token::Frontier;
use holdfast_core::{Case, Key, Scope, TenantId};
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

#[tokio::test]
async fn all_who_touch_a_user_first_wait_for_one_load() {
    let world = World::new();
    for number in 0..40 {
        world.say("u", &format!("m{number}"), "text").await;
    }
    let index = world.host(|_| {});
    let reads = (0..50).map(|_| ids(&index, "u", local()));
    let all = futures::future::try_join_all(reads).await.unwrap();
    assert!(all.iter().all(|ids| ids.len() == 40));
    assert_eq!((world.lists(), world.gets.load(SeqCst)), (1, 40));
}

#[tokio::test]
async fn reads_of_the_latest_share_polls_that_began_after_they_came() {
    let world = World::new();
    world.say("u", "m0", "text").await;
    let index = world.host(|settings| settings.shards = 1);
    ids(&index, "u", local()).await.unwrap();
    let before = index.status().await.unwrap().polls;
    let reads = (0..100).map(|_| ids(&index, "u", latest()));
    futures::future::try_join_all(reads).await.unwrap();
    let polls = index.status().await.unwrap().polls - before;
    assert!((1..=10).contains(&polls), "{polls} polls for 100 reads");
}

#[tokio::test]
async fn a_load_past_the_deadline_is_index_loading_and_goes_on() {
    let world = World::new();
    world.say("u", "m", "one").await;
    let index = world.host(|settings| settings.load_deadline = Duration::from_millis(20));
    let closed = world.gate.clone().acquire_many_owned(1_000).await.unwrap();
    let error = ids(&index, "u", local()).await.unwrap_err();
    assert_eq!((error.case, error.reason), (Case::Unavailable, "index_loading"));
    assert!(error.retry_after.is_some());
    let written = world.say("u", "m2", "two").await;
    index.upsert(scope("u"), object(&written)).await.unwrap();
    drop(closed);
    until(async || index.status().await.unwrap().loaded_users == 1).await;
    assert_eq!(ids(&index, "u", local()).await.unwrap(), ["m", "m2"]);
    assert_eq!(index.status().await.unwrap().loads, 1);
}

#[tokio::test]
async fn a_load_that_failed_is_tried_again_at_the_next_touch() {
    let world = World::new();
    world.say("u", "m", "one").await;
    let index = world.host(|_| {});
    world.memory.set_unreachable(true);
    let error = ids(&index, "u", local()).await.unwrap_err();
    assert_eq!(error.reason, "store_unavailable");
    world.memory.set_unreachable(false);
    assert_eq!(ids(&index, "u", local()).await.unwrap(), ["m"]);
    let status = index.status().await.unwrap();
    assert_eq!((status.loads, status.failed_loads), (2, 1));
    assert!(status.last_error.unwrap().starts_with("store_unavailable"));
}

#[tokio::test]
async fn a_corrupt_object_is_named_and_holds_up_nobody_else() {
    let world = World::new();
    let bad = world.say("u", "m1", "one").await;
    world.say("u", "m2", "two").await;
    world.say("v", "m", "other").await;
    world.memory.damage(bad.key.as_str());
    let index = world.host(|_| {});
    for _ in 0..2 {
        let error = ids(&index, "u", local()).await.unwrap_err();
        assert_eq!(error.case, Case::Corrupt);
        assert!(error.detail.contains(bad.key.as_str()), "{}", error.detail);
    }
    assert_eq!(ids(&index, "v", local()).await.unwrap(), ["m"]);
    world.memory.damage(bad.key.as_str());
    assert_eq!(ids(&index, "u", local()).await.unwrap(), ["m1", "m2"], "repaired, it is read");
}

#[tokio::test]
async fn a_record_of_a_newer_version_is_refused_by_its_own_error() {
    let world = World::new();
    let bytes = Bytes::from_static(b"{\"v\":9}\n");
    let ulid = ulid::Ulid::from_parts(1_774_000_000_000, 1);
    let key = key::wal_object(&scope("u"), ulid, &bytes);
    world.put(&key, bytes).await.unwrap();
    let error = ids(&world.host(|_| {}), "u", local()).await.unwrap_err();
    assert_eq!(error.reason, "newer_format");
}

#[tokio::test]
async fn an_object_that_can_be_read_only_in_part_stays_owed() {
    let world = World::new();
    let drafts = vec![draft("s", "m1", "the harbour"), draft("s", "m2", "the lighthouse")];
    let whole = world.write("u", drafts, &Frontier::default()).await;
    let text = String::from_utf8(whole.bytes.to_vec()).unwrap();
    let (good, bad) =
        ("\"role\":\"user\",\"content\":\"the li", "\"role\":\"x\",\"content\":\"the li");
    let broken = Bytes::from(text.replace(good, bad));
    assert_ne!(broken, whole.bytes);
    let ulid = ulid::Ulid::from_parts(1_774_000_000_000, 1);
    let key = key::wal_object(&scope("v"), ulid, &broken);
    let index = world.host(|_| {});
    ids(&index, "v", local()).await.unwrap();
    let object = vec![(key.as_str().to_owned(), broken.clone())];
    assert_eq!(index.upsert(scope("v"), object).await.unwrap_err().case, Case::Corrupt);
    world.put(&key, broken).await.unwrap();
    let error = index.search(scope("v"), ask("harbour")).await.unwrap_err();
    assert_eq!(error.case, Case::Corrupt, "never shorter in silence");
}

#[tokio::test]
async fn what_was_written_here_before_the_load_is_found_though_no_list_shows_it() {
    let world = World::new();
    let index = world.host(|_| {});
    let mut known = Frontier::default();
    for number in 0..12 {
        let drafts = vec![draft("s", &format!("m{number}"), "text")];
        let written = world.write("u", drafts, &known).await;
        world.memory.hide(written.key.as_str());
        index.upsert(scope("u"), object(&written)).await.unwrap();
        known = index.known(scope("u"), "s".into(), vec![]).await.unwrap().frontier;
    }
    assert_eq!(ids(&index, "u", local()).await.unwrap().len(), 12);
}

#[tokio::test]
async fn a_named_object_that_is_gone_makes_the_answer_an_error_not_a_shorter_one() {
    let world = World::new();
    let first = world.say("u", "m1", "one").await;
    world.write("u", vec![draft("s", "m2", "two")], &first.frontier).await;
    world.memory.delete(&Key::raw(first.key.as_str())).await.unwrap();
    let index = world.host(|_| {});
    let error = ids(&index, "u", local()).await.unwrap_err();
    assert_eq!(error.reason, "not_yet_visible");
    world.put(&first.key, first.bytes.clone()).await.unwrap();
    assert_eq!(ids(&index, "u", local()).await.unwrap(), ["m1", "m2"]);
}

#[tokio::test]
async fn a_tenant_has_so_many_loads_at_once_and_another_is_not_held_up() {
    let world = World::new();
    for user in ["a", "b", "c"] {
        world.say(user, "m", "text").await;
    }
    let index = world.host(|settings| settings.tenant_loads = 2);
    let gate = world.gate.clone().acquire_many_owned(1_000).await.unwrap();
    let load = |user: &'static str| {
        let index = index.clone();
        tokio::spawn(async move { ids(&index, user, local()).await })
    };
    let first = [load("a"), load("b")];
    until(async || index.status().await.unwrap().loads == 2).await;
    let error = load("c").await.unwrap().unwrap_err();
    assert_eq!((error.case, error.retry_after), (Case::Exhausted, Some(1)));
    let other = Scope { tenant: TenantId::parse("other").unwrap(), ..scope("c") };
    let page = index.history(other, "s".into(), page(1), local()).await.unwrap();
    assert!(page.items.is_empty());
    drop(gate);
    for load in first {
        assert_eq!(load.await.unwrap().unwrap().len(), 1);
    }
    assert_eq!(load("c").await.unwrap().unwrap().len(), 1);
}
