//! Deletes: what is deleted leaves every answer, on the host that deletes and on every other, now and after a restart.

use crate::world::*;
use holdfast_core::graves::Of;
use holdfast_core::token::Frontier;
use holdfast_index::{Index, Page, Reading};
use holdfast_journal::Written;

async fn bury(world: &World, user: &str, of: Of, id: &str) -> Written {
    world.write(user, vec![tombstone(of, "s", id)], &Frontier::default()).await
}

async fn found(index: &Index, text: &str) -> Vec<String> {
    let recall = index.search(scope("u"), ask(text)).await.unwrap();
    recall.hits.into_iter().map(|hit| hit.message.id).collect()
}

async fn ranks(index: &Index) -> Vec<(String, u32)> {
    let page = index.history(scope("u"), "s".into(), page(99), local()).await.unwrap();
    page.items.into_iter().map(|message| (message.id, message.rank)).collect()
}

fn ranked(all: &[(&str, u32)]) -> Vec<(String, u32)> {
    all.iter().map(|(id, rank)| ((*id).to_owned(), *rank)).collect()
}

/// Three messages; the second has another speaker and no vector.
async fn three(world: &World) {
    world.say("u", "m0", "the harbour froze").await;
    let mut quiet = said("a quiet kiln");
    quiet.name = Some("Tobias".to_owned());
    let draft = draft_of("s", "m1", quiet, Vec::new());
    world.write("u", vec![draft], &Frontier::default()).await;
    world.say("u", "m2", "the ferry left").await;
}

#[tokio::test]
async fn a_deleted_message_leaves_every_answer_and_the_others_keep_their_rank() {
    let world = World::new();
    three(&world).await;
    world.say("v", "m1", "a quiet kiln of another user").await;
    let index = world.host(|_| {});
    assert_eq!(found(&index, "kiln").await[0], "m1");
    assert_eq!(index.participants(scope("u")).await.unwrap(), ["Ada", "Tobias"]);
    let written = bury(&world, "u", Of::Message, "m1").await;
    index.upsert(scope("u"), object(&written)).await.unwrap();
    let other = world.host(|_| {});
    for index in [&index, &other] {
        assert_eq!(ranks(index).await, ranked(&[("m0", 1), ("m2", 3)]));
        let found = found(index, "kiln").await;
        assert!(!found.contains(&"m1".to_owned()) && found.len() == 2);
        assert_eq!(index.participants(scope("u")).await.unwrap(), ["Ada"]);
        let message = index.find_message(scope("u"), "s".into(), "m1".into(), local());
        assert!(message.await.unwrap().item.is_none());
        let session = index.find_session(scope("u"), "s".into(), local()).await.unwrap();
        assert_eq!(session.item.unwrap().messages, 2);
        let status = index.status().await.unwrap();
        assert_eq!((status.messages, status.pending), (2, 0));
        assert!(index.pending(9).await.unwrap().is_empty());
        let asked = vec!["m0".into(), "m1".into(), "m9".into()];
        let known = index.known(scope("u"), "s".into(), asked).await.unwrap();
        assert_eq!((known.present.len(), known.deleted), (1, vec!["m1".to_owned()]));
        assert!(!known.session_deleted);
        assert_eq!(known.frontier.hlc, written.frontier.hlc);
    }
    assert_eq!(ids(&index, "v", local()).await.unwrap(), ["m1"]);
}

#[tokio::test]
async fn a_message_that_is_stored_again_after_its_delete_stays_hidden() {
    let world = World::new();
    three(&world).await;
    let index = world.host(|_| {});
    ids(&index, "u", local()).await.unwrap();
    for written in [
        bury(&world, "u", Of::Message, "m1").await,
        world.say("u", "m1", "a quiet kiln").await,
        world.say("u", "m1", "another kiln").await,
        world.say("u", "m3", "the end").await,
    ] {
        index.upsert(scope("u"), object(&written)).await.unwrap();
    }
    let wanted = ranked(&[("m0", 1), ("m2", 3), ("m3", 6)]);
    let known = index.known(scope("u"), "s".into(), vec!["m1".into()]).await.unwrap();
    assert!(known.present.is_empty() && known.deleted == ["m1"]);
    for index in [&index, &world.host(|_| {})] {
        assert_eq!(ranks(index).await, wanted);
        assert_eq!(found(index, "kiln").await.len(), 3);
    }
}

#[tokio::test]
async fn a_deleted_session_is_gone_and_later_writes_open_it_anew_and_empty() {
    let world = World::new();
    three(&world).await;
    let index = world.host(|_| {});
    ids(&index, "u", local()).await.unwrap();
    let written = bury(&world, "u", Of::Session, "s").await;
    index.upsert(scope("u"), object(&written)).await.unwrap();
    for index in [&index, &world.host(|_| {})] {
        assert!(ranks(index).await.is_empty() && found(index, "harbour").await.is_empty());
        assert!(index.participants(scope("u")).await.unwrap().is_empty());
        let sessions = index.list_sessions(scope("u"), page(9), local()).await.unwrap();
        assert!(sessions.items.is_empty());
        let found = index.find_session(scope("u"), "s".into(), local()).await.unwrap();
        assert!(found.item.is_none());
        let known = index.known(scope("u"), "s".into(), vec!["m0".into()]).await.unwrap();
        assert!(known.present.is_empty() && known.deleted.is_empty() && known.session_deleted);
    }
    for (id, text) in [("m2", "the ferry left"), ("m0", "other words")] {
        let written = world.say("u", id, text).await;
        index.upsert(scope("u"), object(&written)).await.unwrap();
    }
    for index in [&index, &world.host(|_| {})] {
        assert_eq!(ranks(index).await, ranked(&[("m2", 1), ("m0", 2)]));
        assert_eq!(found(index, "ferry").await[0], "m2");
        let known = index.known(scope("u"), "s".into(), vec!["m0".into()]).await.unwrap();
        assert_eq!((known.present.len(), known.session_deleted), (1, true));
        assert_eq!(index.status().await.unwrap().messages, 2);
    }
}

#[tokio::test]
async fn another_host_sees_a_delete_with_its_token_and_when_it_asks_for_the_latest() {
    let world = World::new();
    three(&world).await;
    let (one, two) = (world.host(|_| {}), world.host(|_| {}));
    for index in [&one, &two] {
        ids(index, "u", local()).await.unwrap();
    }
    let written = bury(&world, "u", Of::Message, "m0").await;
    world.memory.hide(written.key.as_str());
    assert_eq!(ids(&one, "u", latest()).await.unwrap().len(), 3, "no list shows it yet");
    let after = Reading { after: Some(written.frontier.clone()), ..local() };
    assert_eq!(ids(&one, "u", after).await.unwrap(), ["m1", "m2"]);
    world.memory.unhide_all();
    assert_eq!(ids(&two, "u", latest()).await.unwrap(), ["m1", "m2"]);
}

#[tokio::test]
async fn a_page_goes_on_after_a_message_that_was_deleted() {
    let world = World::new();
    three(&world).await;
    let index = world.host(|_| {});
    let first = index.history(scope("u"), "s".into(), page(2), local()).await.unwrap();
    let last = first.items.last().unwrap();
    assert_eq!((last.id.as_str(), first.more), ("m1", true));
    let written = bury(&world, "u", Of::Message, "m1").await;
    index.upsert(scope("u"), object(&written)).await.unwrap();
    let next = Page { after: Some(last.order.clone()), rank: Some(last.rank), ..page(2) };
    let rest = index.history(scope("u"), "s".into(), next, local()).await.unwrap();
    let ids: Vec<&str> = rest.items.iter().map(|message| message.id.as_str()).collect();
    assert_eq!((ids, rest.late.len(), rest.more), (vec!["m2"], 0, false));
}

#[tokio::test]
async fn a_message_and_its_tombstone_in_one_object_leave_numbers_in_step() {
    let world = World::new();
    let drafts = vec![
        draft("s", "a", "the harbour froze"),
        tombstone(Of::Message, "s", "a"),
        draft("s", "b", "a quiet kiln"),
    ];
    world.write("u", drafts, &Frontier::default()).await;
    let index = world.host(|_| {});
    assert_eq!(found(&index, "kiln").await, ["b"]);
    assert_eq!(ranks(&index).await, ranked(&[("b", 2)]));
}
