//! The same bucket gives the same answers, to the bit, however its objects came.

use crate::world::*;
use holdfast_core::graves::Of;
use holdfast_core::message::Message;
use holdfast_core::token::Frontier;
use holdfast_index::{Hit, Index, Question};
use holdfast_journal::Written;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};

/// Plain messages, and everything that makes a fold hard: copies with lower orders, ids taken twice, children before
/// their parents, vectors that come later and vectors that differ, deletes before and after what they hide.
pub async fn lively(world: &World, user: &str) -> Vec<Written> {
    let mut random = StdRng::seed_from_u64(3);
    let (mut all, mut again) = (Vec::new(), Vec::new());
    for number in 0..60 {
        let words: Vec<String> =
            (0..6).map(|_| format!("word{}", random.random_range(0..40))).collect();
        let text = words.join(" ");
        let id = format!("m{}", if number % 6 == 0 { number % 24 } else { number + 100 });
        let session = if number % 3 == 0 { "s" } else { "other" };
        let parent = (number % 5 == 0).then(|| format!("m{}", number + 101));
        let message = Message { parent_id: parent, ..said(&text) };
        let given = if number % 4 == 0 { vec![] } else { vec![vectors(&text, number % 2)] };
        let draft = draft_of(session, &id, message.clone(), given);
        all.push(world.write(user, vec![draft], &Frontier::default()).await);
        if number % 4 == 0 || number % 7 == 0 {
            let given = vec![vectors(&text, number % 3)];
            again.push(draft_of(session, &id, message, given));
        }
        let deleted = match number {
            25 => Some(tombstone(Of::Message, "s", "m121")),
            35 => Some(tombstone(Of::Session, "other", "other")),
            45 => Some(tombstone(Of::Message, "s", "m103")),
            _ => None,
        };
        if let Some(deleted) = deleted {
            all.push(world.write(user, vec![deleted], &Frontier::default()).await);
        }
    }
    // Long after the first ones, so that a copy that comes first has a place among quite other messages.
    again.shuffle(&mut random);
    for draft in again {
        all.push(world.write(user, vec![draft], &Frontier::default()).await);
    }
    all
}

async fn answers(index: &Index, user: &str) -> Vec<Vec<Hit>> {
    let mut all = Vec::new();
    for number in 0..20 {
        let text = format!("word{number} word{}", number + 11);
        let filters = [None, Some("{\"id\":{\"in\":[\"m0\",\"m6\",\"m12\",\"m101\"]}}".to_owned())];
        for filter in filters {
            let question = Question { filter, limit: 15, ..ask(&text) };
            all.push(index.search(scope(user), question).await.unwrap().hits);
        }
    }
    all
}

#[tokio::test]
async fn a_restart_answers_alike_scores_included() {
    let world = World::new();
    lively(&world, "u").await;
    let first = world.host(|_| {});
    let before = answers(&first, "u").await;
    assert!(before.iter().all(|hits| !hits.is_empty()));
    first.shutdown().await;
    assert_eq!(answers(&world.host(|_| {}), "u").await, before);
}

#[tokio::test]
async fn the_order_of_arrival_changes_no_answer() {
    let world = World::new();
    let mut objects = lively(&world, "u").await;
    let loaded = world.host(|_| {});
    let (wanted, history) =
        (answers(&loaded, "u").await, ids(&loaded, "u", local()).await.unwrap());
    for seed in 0..8 {
        objects.shuffle(&mut StdRng::seed_from_u64(seed));
        let index = World::new().host(|_| {});
        ids(&index, "u", local()).await.unwrap();
        for (number, written) in objects.iter().enumerate() {
            index.upsert(scope("u"), object(written)).await.unwrap();
            if number % 20 == 0 {
                answers(&index, "u").await;
            }
        }
        assert_eq!(ids(&index, "u", local()).await.unwrap(), history, "seed {seed}");
        assert_eq!(answers(&index, "u").await, wanted, "seed {seed}");
        let counts = async |index: &Index| {
            let status = index.status().await.unwrap();
            (status.messages, status.pending)
        };
        assert_eq!(counts(&index).await, counts(&loaded).await, "seed {seed}");
    }
}

#[tokio::test]
async fn upserted_or_loaded_is_the_same() {
    let world = World::new();
    let index = world.host(|_| {});
    ids(&index, "u", local()).await.unwrap();
    for written in lively(&world, "u").await {
        index.upsert(scope("u"), object(&written)).await.unwrap();
    }
    assert_eq!(answers(&index, "u").await, answers(&world.host(|_| {}), "u").await);
}

#[tokio::test]
async fn a_message_gives_its_id_up_to_an_earlier_one_that_comes_late() {
    let world = World::new();
    let first = world.say("u", "m", "the first harbour").await;
    let second = world.say("u", "m", "the second harbour").await;
    let index = World::new().host(|_| {});
    ids(&index, "u", local()).await.unwrap();
    let with_id = async |id: &str| {
        let filter = Some(format!("{{\"id\":{{\"eq\":\"{id}\"}}}}"));
        let question = Question { filter, ..ask("harbour") };
        let hits = index.search(scope("u"), question).await.unwrap().hits;
        hits.into_iter().map(|hit| hit.message.order).collect::<Vec<_>>()
    };
    index.upsert(scope("u"), object(&second)).await.unwrap();
    assert_eq!(with_id("m").await, [second.orders[0].to_string()]);
    index.upsert(scope("u"), object(&first)).await.unwrap();
    assert_eq!(with_id("m").await, [first.orders[0].to_string()]);
    let renamed = ids(&index, "u", local()).await.unwrap().remove(1);
    assert_eq!(with_id(&renamed).await, [second.orders[0].to_string()]);
}
