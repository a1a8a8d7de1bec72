//! Erases: the host that hears of one drops everything, and so does every other when it looks.

use crate::world::*;
use holdfast_index::{Index, Reading};

async fn found(index: &Index, text: &str) -> Vec<String> {
    let recall = index.search(scope("u"), ask(text)).await.unwrap();
    recall.hits.into_iter().map(|hit| hit.message.id).collect()
}

async fn filled(world: &World) {
    world.say("u", "m0", "the harbour froze").await;
    world.say("u", "m1", "a quiet kiln").await;
    world.seal("u").await;
    world.say("u", "m2", "the ferry left").await;
    world.say("v", "m0", "the harbour of another user").await;
}

async fn is_empty(index: &Index, reading: Reading) {
    assert!(ids(index, "u", reading).await.unwrap().is_empty());
    assert!(found(index, "harbour").await.is_empty());
    assert!(index.participants(scope("u")).await.unwrap().is_empty());
    let sessions = index.list_sessions(scope("u"), page(9), local()).await.unwrap();
    assert!(sessions.items.is_empty());
    let known = index.known(scope("u"), "s".into(), vec!["m0".into()]).await.unwrap();
    assert!(known.present.is_empty() && known.deleted.is_empty() && !known.session_deleted);
    assert_eq!(ids(index, "v", local()).await.unwrap(), ["m0"]);
}

#[tokio::test]
async fn the_host_that_is_told_of_an_erase_shows_nothing_from_then_on() {
    let world = World::new();
    filled(&world).await;
    for single_host in [false, true] {
        let index = world.host(|settings| settings.single_host = single_host);
        assert_eq!(ids(&index, "u", local()).await.unwrap(), ["m0", "m1", "m2"]);
        let told = index.clone();
        let frontier =
            world.erase("u", async |object| told.upsert(scope("u"), object).await.unwrap());
        let frontier = frontier.await;
        is_empty(&index, local()).await;
        world.sweep("u").await;
        is_empty(&index, local()).await;
        let after = Reading { after: Some(frontier), ..local() };
        is_empty(&index, after).await;
        for (id, text) in [("m0", "the harbour froze"), ("m1", "a quiet kiln"), ("m2", "again")] {
            let written = world.say("u", id, text).await;
            index.upsert(scope("u"), object(&written)).await.unwrap();
        }
        assert_eq!(ids(&index, "u", local()).await.unwrap(), ["m0", "m1", "m2"]);
        assert_eq!(found(&index, "kiln").await[0], "m1");
    }
}

#[tokio::test]
async fn another_host_drops_what_it_holds_when_it_looks_and_with_a_token() {
    let world = World::new();
    filled(&world).await;
    let (one, two, cold) = (world.host(|_| {}), world.host(|_| {}), world.host(|_| {}));
    for index in [&one, &two] {
        assert_eq!(ids(index, "u", local()).await.unwrap().len(), 3);
    }
    let old = one.known(scope("u"), "s".into(), vec![]).await.unwrap().frontier;
    let frontier = world.erase("u", async |_| ()).await;
    world.sweep("u").await;
    is_empty(&one, latest()).await;
    is_empty(&two, Reading { after: Some(frontier), ..local() }).await;
    is_empty(&cold, local()).await;
    // Tokens of before, which name what is gone, are still good.
    for index in [&one, &two, &cold] {
        is_empty(index, Reading { after: Some(old.clone()), ..local() }).await;
    }
    let written = world.say("u", "m2", "the ferry came").await;
    for index in [&one, &two, &cold] {
        let after = Reading { after: Some(written.frontier.clone()), ..local() };
        assert_eq!(ids(index, "u", after).await.unwrap(), ["m2"]);
        assert_eq!(found(index, "ferry").await, ["m2"]);
        assert_eq!(index.status().await.unwrap().pending, 0);
    }
}

#[tokio::test]
async fn a_host_with_old_knowledge_writes_and_no_other_sees_what_was_erased() {
    let world = World::new();
    filled(&world).await;
    let old = world.host(|_| {});
    ids(&old, "u", local()).await.unwrap();
    world.erase("u", async |_| ()).await;
    world.sweep("u").await;
    let known = old.known(scope("u"), "s".into(), vec![]).await.unwrap().frontier;
    let written = world.write("u", vec![draft("s", "new", "the tide turned")], &known).await;
    old.upsert(scope("u"), object(&written)).await.unwrap();
    for index in [&world.host(|_| {}), &old] {
        assert_eq!(ids(index, "u", latest()).await.unwrap(), ["new"]);
        assert_eq!(found(index, "harbour kiln ferry tide").await, ["new"]);
    }
}
