//! Two hosts over one bucket: what one writes, the other must show.

use crate::world::*;
use holdfast_core::token::Frontier;
use holdfast_index::Reading;
use std::time::Duration;

#[tokio::test]
async fn latest_shows_what_another_host_wrote_and_local_does_not() {
    let world = World::new();
    let index = world.host(|_| {});
    world.say("u", "m1", "one").await;
    assert_eq!(ids(&index, "u", local()).await.unwrap(), ["m1"]);
    world.say("u", "m2", "two").await;
    assert_eq!(ids(&index, "u", local()).await.unwrap(), ["m1"]);
    assert_eq!(ids(&index, "u", latest()).await.unwrap(), ["m1", "m2"]);
}

#[tokio::test]
async fn a_single_host_lists_nothing_after_the_load() {
    let world = World::new();
    let index = world.host(|settings| settings.single_host = true);
    world.say("u", "m1", "one").await;
    ids(&index, "u", latest()).await.unwrap();
    let written = world.say("u", "m2", "two").await;
    index.upsert(scope("u"), object(&written)).await.unwrap();
    assert_eq!(ids(&index, "u", latest()).await.unwrap(), ["m1", "m2"]);
    assert_eq!(world.lists(), 1);
}

#[tokio::test]
async fn a_token_shows_what_it_names_even_where_a_list_hides_it() {
    let world = World::new();
    let index = world.host(|_| {});
    world.say("u", "m1", "one").await;
    ids(&index, "u", local()).await.unwrap();
    let written = world.say("u", "m2", "two").await;
    world.memory.hide(written.key.as_str());
    let before = world.lists();
    let after = Reading { after: Some(written.frontier.clone()), ..local() };
    assert_eq!(ids(&index, "u", after).await.unwrap(), ["m1", "m2"]);
    assert_eq!(world.lists(), before, "by name, not by a list");
    assert_eq!(ids(&index, "u", latest()).await.unwrap(), ["m1", "m2"]);
}

#[tokio::test]
async fn what_a_token_promises_and_the_store_does_not_show_is_not_yet_visible() {
    let world = World::new();
    let index = world.host(|_| {});
    let written = world.say("u", "m1", "one").await;
    let other = World::new();
    other.say("u", "m2", "two").await;
    let elsewhere = other.say("u", "m3", "three").await;
    let after = Reading { after: Some(elsewhere.frontier.clone()), ..local() };
    let error = ids(&index, "u", after).await.unwrap_err();
    assert_eq!((error.reason, error.status()), ("not_yet_visible", 503));
    let later =
        Frontier { hlc: holdfast_core::Hlc(written.frontier.hlc.0 + 1), ..Frontier::default() };
    let error = ids(&index, "u", Reading { after: Some(later), ..local() }).await.unwrap_err();
    assert_eq!(error.reason, "not_yet_visible");
    assert_eq!(ids(&index, "u", local()).await.unwrap(), ["m1"], "others are not held up");
}

#[tokio::test]
async fn a_token_of_a_time_alone_makes_a_local_read_list_once() {
    let world = World::new();
    let index = world.host(|settings| settings.single_host = true);
    world.say("u", "m1", "one").await;
    ids(&index, "u", local()).await.unwrap();
    let written = world.say("u", "m2", "two").await;
    let after = Frontier { hlc: written.frontier.hlc, ..Frontier::default() };
    let after = Reading { after: Some(after), ..local() };
    assert_eq!(ids(&index, "u", after).await.unwrap(), ["m1", "m2"]);
}

#[tokio::test]
async fn an_object_that_another_names_is_read_though_no_list_shows_it() {
    let world = World::new();
    let index = world.host(|_| {});
    let first = world.say("u", "m1", "one").await;
    world.memory.hide(first.key.as_str());
    let second = world.write("u", vec![draft("s", "m2", "two")], &first.frontier).await;
    assert_eq!(ids(&index, "u", local()).await.unwrap(), ["m1", "m2"]);
    let third = world.write("u", vec![draft("s", "m3", "three")], &second.frontier).await;
    world.memory.hide(third.key.as_str());
    let fourth = world.write("u", vec![draft("s", "m4", "four")], &third.frontier).await;
    index.upsert(scope("u"), object(&fourth)).await.unwrap();
    assert_eq!(ids(&index, "u", local()).await.unwrap(), ["m1", "m2", "m3", "m4"]);
}

#[tokio::test]
async fn the_background_poll_finds_what_another_host_wrote() {
    let world = World::new();
    let index = world.host(|settings| {
        settings.poll_first = Duration::from_millis(10);
        settings.poll_last = Duration::from_millis(20);
    });
    world.say("u", "m1", "one").await;
    ids(&index, "u", local()).await.unwrap();
    world.say("u", "m2", "two").await;
    until(async || ids(&index, "u", local()).await.unwrap().len() == 2).await;
    assert!(index.status().await.unwrap().polls > 0);
}

#[tokio::test]
async fn a_local_read_of_a_user_whom_nobody_asked_about_for_long_is_not_old() {
    let world = World::new();
    let index = world.host(|settings| {
        settings.idle = Duration::ZERO;
        settings.poll_first = Duration::from_millis(1);
        settings.poll_last = Duration::from_millis(1);
    });
    world.say("u", "m1", "one").await;
    ids(&index, "u", local()).await.unwrap();
    world.say("u", "m2", "two").await;
    until(async || ids(&index, "u", local()).await.unwrap().len() == 2).await;
}

#[tokio::test]
async fn two_hosts_answer_alike() {
    let world = World::new();
    let (one, other) = (world.host(|_| {}), world.host(|_| {}));
    for number in 0..30 {
        let host = if number % 2 == 0 { &one } else { &other };
        let known = host.known(scope("u"), "s".into(), vec![]).await.unwrap().frontier;
        let text = format!("word{} of {number}", number % 7);
        let drafts = vec![draft("s", &format!("m{number}"), &text)];
        let written = world.write("u", drafts, &known).await;
        host.upsert(scope("u"), object(&written)).await.unwrap();
    }
    let question = holdfast_index::Question { reading: latest(), ..ask("word3") };
    let first = one.search(scope("u"), question.clone()).await.unwrap();
    let second = other.search(scope("u"), question).await.unwrap();
    assert_eq!(first.hits, second.hits);
    assert_eq!(first.hits.len(), 10);
}
