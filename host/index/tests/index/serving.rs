//! Reading and writing on one host.

use crate::world::*;
use holdfast_core::token::Frontier;
use holdfast_core::{Case, Key};
use holdfast_index::{Mode, Page};
use std::collections::BTreeSet;

#[tokio::test]
async fn the_very_next_search_after_an_upsert_finds_the_message() {
    let world = World::new();
    let index = world.host(|_| {});
    world.say("u", "m0", "nothing of note").await;
    assert!(index.search(scope("u"), ask("harbour")).await.unwrap().hits.len() == 1);
    for number in 1..20 {
        let text = format!("the harbour of isle{number} froze");
        let written = world.say("u", &format!("m{number}"), &text).await;
        index.upsert(scope("u"), object(&written)).await.unwrap();
        let recall = index.search(scope("u"), ask(&format!("isle{number}"))).await.unwrap();
        assert_eq!(recall.hits[0].message.id, format!("m{number}"));
        assert_eq!(recall.indexed_through, written.orders[0].to_string());
        assert!(recall.hits[0].message.body.contains(&text));
    }
    assert_eq!(world.lists(), 1, "local reads list once, at the load");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_concurrent_stores_and_searches_lose_nothing() {
    let world = World::new();
    let index = world.host(|_| {});
    let tasks = (0..200).map(|number| {
        let (world, index) = (world.clone(), index.clone());
        tokio::spawn(async move {
            let user = format!("u{}", number % 3);
            let written = world.say(&user, &format!("m{number}"), &format!("word{number}")).await;
            index.upsert(scope(&user), object(&written)).await.unwrap();
            let recall = index.search(scope(&user), ask(&format!("word{number}"))).await.unwrap();
            assert!(recall.hits.iter().any(|hit| hit.message.id == format!("m{number}")));
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        task.await.unwrap();
    }
    for user in 0..3 {
        let found = ids(&index, &format!("u{user}"), local()).await.unwrap();
        let wanted = (0..200).filter(|n| n % 3 == user).map(|n| format!("m{n}"));
        assert_eq!(found.into_iter().collect::<BTreeSet<_>>(), wanted.collect());
    }
    let status = index.status().await.unwrap();
    assert_eq!((status.loaded_users, status.messages, status.loads), (3, 200, 3));
}

#[tokio::test]
async fn known_lists_every_digest_of_an_id_and_loads_nothing() {
    let world = World::new();
    let index = world.host(|_| {});
    let first = world.say("u", "m", "one").await;
    let second = world.say("u", "m", "other").await;
    let known = index.known(scope("u"), "s".into(), vec!["m".into()]).await.unwrap();
    assert!(known.present.is_empty() && known.frontier == Frontier::default());
    assert_eq!(world.lists(), 0);
    ids(&index, "u", local()).await.unwrap();
    let asked = vec!["m".into(), "x".into()];
    let known = index.known(scope("u"), "s".into(), asked).await.unwrap();
    let orders: Vec<_> = known.present.iter().map(|p| p.order.clone()).collect();
    assert_eq!(orders, [first.orders[0].to_string(), second.orders[0].to_string()]);
    assert_ne!(known.present[0].digest, known.present[1].digest);
    assert_eq!(known.present[0].digest.len(), 64);
    assert_eq!(known.clock_offset, Some(0));
    assert_eq!(known.frontier.hlc, second.frontier.hlc);
    assert_eq!(known.frontier.keys, [second.key.as_str(), first.key.as_str()]);
    let elsewhere = index.known(scope("u"), "z".into(), vec!["m".into()]).await.unwrap();
    assert!(elsewhere.present.is_empty());
}

#[tokio::test]
async fn a_user_who_is_only_written_to_is_known_at_once_and_loaded() {
    let world = World::new();
    let index = world.host(|_| {});
    world.say("u", "m0", "by another host").await;
    let written = world.say("u", "m1", "one").await;
    let gate = world.gate.clone().acquire_many_owned(1_000).await.unwrap();
    index.upsert(scope("u"), object(&written)).await.unwrap();
    let asked = || vec!["m0".into(), "m1".into()];
    let known = index.known(scope("u"), "s".into(), asked()).await.unwrap();
    assert_eq!(known.frontier, written.frontier);
    assert_eq!(known.present.len(), 1, "what was upserted, while the load cannot read anything");
    drop(gate);
    until(async || index.status().await.unwrap().loaded_users == 1).await;
    let known = index.known(scope("u"), "s".into(), asked()).await.unwrap();
    assert_eq!(known.present.len(), 2);
    assert_eq!(index.status().await.unwrap().loads, 1);
}

#[tokio::test]
async fn a_page_names_what_came_late_into_the_pages_before_it() {
    let world = World::new();
    let index = world.host(|_| {});
    world.say("u", "m1", "one").await;
    let late = world.say("u", "m2", "late").await;
    world.memory.hide(late.key.as_str());
    for id in ["m3", "m4"] {
        world.say("u", id, "on time").await;
    }
    let first = index.history(scope("u"), "s".into(), page(2), local()).await.unwrap();
    let last = first.items.last().unwrap();
    assert_eq!((last.id.as_str(), last.rank, first.late.len()), ("m3", 2, 0));
    let next = Page { after: Some(last.order.clone()), rank: Some(last.rank), ..page(2) };
    let rest = async || index.history(scope("u"), "s".into(), next.clone(), local()).await.unwrap();
    let ids = |items: &[holdfast_index::Message]| -> Vec<String> {
        items.iter().map(|message| message.id.clone()).collect()
    };
    assert!(rest().await.late.is_empty(), "nothing came yet");
    index.upsert(scope("u"), object(&late)).await.unwrap();
    let rest = rest().await;
    assert_eq!((ids(&rest.items), ids(&rest.late)), (vec!["m4".into()], vec!["m2".into()]));
    let back = Page { descending: true, ..next };
    let back = index.history(scope("u"), "s".into(), back, local()).await.unwrap();
    assert_eq!((ids(&back.items), back.late.len()), (vec!["m2".into(), "m1".into()], 0));
}

#[tokio::test]
async fn history_pages_both_ways_and_names_conflicts() {
    let world = World::new();
    let index = world.host(|_| {});
    let drafts = (0..5).map(|n| draft("s", &format!("m{n}"), &format!("text {n}"))).collect();
    world.write("u", drafts, &Frontier::default()).await;
    world.say("u", "m1", "another text").await;
    let first = index.history(scope("u"), "s".into(), page(2), local()).await.unwrap();
    assert!(first.more);
    assert_eq!(first.items[1].rank, 2);
    let rest = Page { after: Some(first.items[1].order.clone()), ..page(10) };
    let rest = index.history(scope("u"), "s".into(), rest, local()).await.unwrap();
    assert!(!rest.more && rest.items.len() == 4);
    let last = &rest.items[3];
    assert_eq!(last.conflict_of.as_deref(), Some("m1"));
    let found = index.find_message(scope("u"), "s".into(), last.id.clone(), local()).await.unwrap();
    assert_eq!(found.item.as_ref(), Some(last));
    let newest = Page { descending: true, ..page(1) };
    let newest = index.history(scope("u"), "s".into(), newest, local()).await.unwrap();
    assert_eq!(newest.items[0], *last);
    let nowhere = Page { after: Some("x".into()), ..page(1) };
    let error = index.history(scope("u"), "s".into(), nowhere, local()).await.unwrap_err();
    assert_eq!(error.case, Case::Invalid);
}

#[tokio::test]
async fn sessions_come_by_last_activity_and_page() {
    let world = World::new();
    let index = world.host(|_| {});
    for session in ["a", "b", "c"] {
        world.write("u", vec![draft(session, "m", "text")], &Frontier::default()).await;
    }
    world.write("u", vec![draft("a", "m2", "text")], &Frontier::default()).await;
    let newest = Page { descending: true, ..page(2) };
    let first = index.list_sessions(scope("u"), newest.clone(), local()).await.unwrap();
    let names: Vec<_> = first.items.iter().map(|s| (s.id.as_str(), s.messages)).collect();
    assert_eq!(names, [("a", 2), ("c", 1)]);
    let rest = Page { after: first.next, ..newest };
    let rest = index.list_sessions(scope("u"), rest, local()).await.unwrap();
    assert_eq!((rest.items[0].id.as_str(), rest.next), ("b", None));
    assert_eq!(
        index.find_session(scope("u"), "b".into(), local()).await.unwrap().item,
        Some(rest.items[0].clone())
    );
    assert_eq!(index.find_session(scope("u"), "x".into(), local()).await.unwrap().item, None);
}

#[tokio::test]
async fn a_user_without_messages_has_empty_answers() {
    let index = World::new().host(|_| {});
    assert!(index.search(scope("u"), ask("x")).await.unwrap().hits.is_empty());
    assert!(index.participants(scope("u")).await.unwrap().is_empty());
    assert!(ids(&index, "u", latest()).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_pending_message_is_found_by_words_until_a_copy_brings_its_vector() {
    let world = World::new();
    let index = world.host(|_| {});
    let text = "the lighthouse keeper left";
    world.write("u", vec![draft_of("s", "m", said(text), vec![])], &Frontier::default()).await;
    let recall = index.search(scope("u"), ask("lighthouse")).await.unwrap();
    assert_eq!((recall.hits.len(), recall.pending), (1, 1));
    assert!(recall.hits[0].stages.iter().any(|stage| stage.name == "pending"));
    let pending = index.pending(10).await.unwrap();
    assert_eq!((pending.len(), pending[0].1.id.as_str()), (1, "m"));
    assert_eq!(pending[0].0, scope("u"));
    let copy = world.say("u", "m", text).await;
    index.upsert(scope("u"), object(&copy)).await.unwrap();
    let recall = index.search(scope("u"), ask("lighthouse")).await.unwrap();
    assert_eq!((recall.hits.len(), recall.pending), (1, 0));
    assert!(recall.hits[0].stages.iter().any(|stage| stage.name == "cosine"));
    assert!(index.pending(10).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_vector_of_another_space_is_left_aside() {
    let world = World::new();
    let index = world.host(|_| {});
    world.say("u", "m", "the lighthouse").await;
    let question =
        holdfast_index::Question { space: Some("other/f32/8/cos".into()), ..ask("lighthouse") };
    let recall = index.search(scope("u"), question.clone()).await.unwrap();
    assert!(recall.hits[0].stages.iter().all(|stage| stage.name != "cosine"));
    let question = holdfast_index::Question { mode: Mode::Vector, ..question };
    let error = index.search(scope("u"), question).await.unwrap_err();
    assert_eq!(error.reason, "model_unavailable");
}

#[tokio::test]
async fn a_vector_that_does_not_fit_its_space_leaves_the_message_to_words() {
    let world = World::new();
    let index = world.host(|_| {});
    let mut short = vectors("the lighthouse", 0);
    short.values.truncate(4);
    let odd = draft_of("s", "odd", said("the lighthouse"), vec![short]);
    world.write("u", vec![odd], &Frontier::default()).await;
    world.say("u", "m", "the harbour").await;
    let recall = index.search(scope("u"), ask("lighthouse")).await.unwrap();
    assert_eq!((recall.hits.len(), recall.pending), (2, 1));
}

#[tokio::test]
async fn what_is_not_of_this_user_or_not_what_was_written_is_refused() {
    let world = World::new();
    let index = world.host(|_| {});
    let written = world.say("u", "m", "one").await;
    let error = index.upsert(scope("v"), object(&written)).await.unwrap_err();
    assert_eq!(error.case, Case::Invalid);
    let other = vec![(written.key.as_str().to_owned(), "x".into())];
    let error = index.upsert(scope("u"), other).await.unwrap_err();
    assert_eq!(error.case, Case::Corrupt);
    let filter = holdfast_index::Question { filter: Some("{\"colour\":1}".into()), ..ask("x") };
    let error = index.search(scope("u"), filter).await.unwrap_err();
    assert_eq!(error.case, Case::Invalid);
    assert!(Key::below(&holdfast_core::key::wal(&scope("u")), written.key.as_str()).is_some());
}

#[tokio::test]
async fn an_index_that_has_ended_says_so_and_ready_needs_an_answer_of_the_store() {
    let world = World::new();
    let index = world.host(|_| {});
    until(async || index.ready()).await;
    assert_eq!(index.clock_offset(), Some(0));
    index.shutdown().await;
    index.shutdown().await;
    let error = index.participants(scope("u")).await.unwrap_err();
    assert_eq!(error.case, Case::Unavailable);
    world.memory.set_unreachable(true);
    let index = world.host(|_| {});
    let error = index.participants(scope("u")).await.unwrap_err();
    assert_eq!(error.reason, "store_unavailable");
    assert!(!index.ready());
}
