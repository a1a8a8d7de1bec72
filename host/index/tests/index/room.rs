//! Users leave when the index is full, and come back equal.

use crate::world::*;

#[tokio::test]
async fn the_least_recently_used_user_leaves_and_comes_back_equal() {
    let world = World::new();
    for user in ["a", "b", "c", "d"] {
        for number in 0..100 {
            world.say(user, &format!("m{number}"), &format!("word{} of {user}", number % 9)).await;
        }
    }
    let one = world.host(|_| {});
    ids(&one, "a", local()).await.unwrap();
    let memory = one.status().await.unwrap().bytes * 5 / 2;
    let index = world.host(|settings| settings.memory = memory);
    let before = index.search(scope("a"), ask("word3")).await.unwrap().hits;
    for user in ["b", "c", "d"] {
        assert_eq!(ids(&index, user, local()).await.unwrap().len(), 100);
    }
    until(async || {
        let status = index.status().await.unwrap();
        status.evictions > 0 && status.bytes <= memory
    })
    .await;
    let loads = index.status().await.unwrap().loads;
    assert_eq!(index.search(scope("a"), ask("word3")).await.unwrap().hits, before);
    assert_eq!(index.status().await.unwrap().loads, loads + 1, "it had left");
}

#[tokio::test]
async fn what_a_user_who_left_had_seen_is_read_by_name_when_it_comes_back() {
    let world = World::new();
    let index = world.host(|settings| settings.memory = 1);
    let written = world.say("a", "m", "one").await;
    assert_eq!(ids(&index, "a", local()).await.unwrap(), ["m"]);
    let known = index.known(scope("a"), "s".into(), vec![]).await.unwrap().frontier;
    ids(&index, "b", local()).await.unwrap();
    until(async || index.status().await.unwrap().users == 1).await;
    world.memory.hide(written.key.as_str());
    let later = index.known(scope("a"), "s".into(), vec![]).await.unwrap().frontier;
    assert_eq!(later, known);
    assert_eq!(ids(&index, "a", local()).await.unwrap(), ["m"]);
}

#[tokio::test]
async fn one_user_larger_than_the_memory_is_answered() {
    let world = World::new();
    world.say("a", "m", "one").await;
    let index = world.host(|settings| settings.memory = 1);
    for _ in 0..3 {
        assert_eq!(ids(&index, "a", local()).await.unwrap(), ["m"]);
    }
    assert_eq!(index.status().await.unwrap().loads, 1);
}
