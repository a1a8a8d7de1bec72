//! The portable index gives the native one's answers from the same bucket, however often its instance vanishes.

use crate::equality::lively;
use crate::world::*;
use holdfast_core::{Error, Result, Scope};
use holdfast_index::{Hit, Index, Mode, Page, Question, Reading};
use holdfast_view::{Limits, Portable};

/// Scores of both may differ so much: both are sums of the same numbers, by other instructions.
const TOLERANCE: f32 = 1e-5;

type Instance = Portable<World, Jumping>;

fn questions() -> Vec<Question> {
    let mut all = Vec::new();
    for number in 0..20 {
        let text = format!("word{number} word{}", number + 11);
        let filters = [None, Some("{\"id\":{\"in\":[\"m0\",\"m6\",\"m12\",\"m101\"]}}".to_owned())];
        for filter in filters {
            for mode in [Mode::Hybrid, Mode::Vector, Mode::Keyword] {
                let reading = latest();
                all.push(Question {
                    filter: filter.clone(),
                    mode,
                    limit: 15,
                    reading,
                    ..ask(&text)
                });
            }
        }
    }
    all
}

fn same(native: &[Hit], portable: &[Hit]) {
    let order = |hits: &[Hit]| hits.iter().map(|h| h.message.clone()).collect::<Vec<_>>();
    assert_eq!(order(native), order(portable));
    for (one, other) in native.iter().zip(portable) {
        assert!((one.score - other.score).abs() <= TOLERANCE, "{one:?} {other:?}");
        let names = |hit: &Hit| hit.stages.iter().map(|stage| stage.name).collect::<Vec<_>>();
        assert_eq!(names(one), names(other));
        for (stage, also) in one.stages.iter().zip(&other.stages) {
            assert!((stage.value - also.value).abs() <= TOLERANCE, "{stage:?} {also:?}");
        }
    }
}

async fn alike(native: &Index, instance: &Instance, user: &Scope) {
    for question in questions() {
        let one = native.search(user.clone(), question.clone()).await.unwrap();
        let other = instance.search(user, question).await.unwrap();
        same(&one.hits, &other.hits);
        assert_eq!(
            (one.pending, one.indexed_through, one.frontier),
            (other.pending, other.indexed_through, other.frontier)
        );
    }
    let names = native.participants(user.clone()).await.unwrap();
    assert_eq!(names, instance.participants(user).await.unwrap());
    for descending in [false, true] {
        let page = Page { limit: 7, descending, ..Page::default() };
        for session in ["s", "other", "none"] {
            let one = native.history(user.clone(), session.into(), page.clone(), latest()).await;
            let other = instance.history(user, session, &page, &latest()).await;
            let (one, other) = (one.unwrap(), other.unwrap());
            assert_eq!((one.items, one.more), (other.items, other.more));
        }
        let one = native.list_sessions(user.clone(), page.clone(), latest()).await.unwrap();
        let other = instance.list_sessions(user, &page, &latest()).await.unwrap();
        assert_eq!((one.items, one.next), (other.items, other.next));
    }
    for id in ["m0", "m103", "m121", "none"] {
        let one = native.find_message(user.clone(), "s".into(), id.into(), latest()).await.unwrap();
        let other = instance.find_message(user, "s", id, &latest()).await.unwrap();
        assert_eq!(one.item, other.item);
        let ids = vec![id.to_owned()];
        let one = native.known(user.clone(), "s".into(), ids.clone()).await.unwrap();
        let other = instance.known(user, "s", &ids);
        assert_eq!((one.present, one.deleted), (other.present, other.deleted));
    }
    let one = native.find_session(user.clone(), "s".into(), latest()).await.unwrap();
    assert_eq!(one.item, instance.find_session(user, "s", &latest()).await.unwrap().item);
}

#[tokio::test]
async fn every_answer_is_the_native_ones() {
    let world = World::new();
    lively(&world, "u").await;
    alike(&world.host(|_| {}), &world.instance(Limits::default()), &scope("u")).await;
}

#[tokio::test]
async fn every_answer_is_the_native_ones_after_the_journal_was_sealed_and_removed() {
    let world = World::new();
    lively(&world, "u").await;
    world.seal("u").await;
    world.remove_wal().await;
    world.say("u", "late", "word3 word14 after the seal").await;
    alike(&world.host(|_| {}), &world.instance(Limits::default()), &scope("u")).await;
}

#[tokio::test]
async fn what_is_upserted_is_in_the_next_answer_and_what_others_write_too() {
    let world = World::new();
    let instance = world.instance(Limits::default());
    let user = scope("u");
    let written = world.say("u", "a", "the harbour").await;
    instance.upsert(&user, &object(&written)).unwrap();
    assert_eq!(instance.known(&user, "s", &["a".into()]).frontier.hlc, written.frontier.hlc);
    let found = async |reading: Reading| -> Result<usize> {
        let page = page(100);
        Ok(instance.history(&user, "s", &page, &reading).await?.items.len())
    };
    assert_eq!(found(local()).await.unwrap(), 1);
    let written = world.say("u", "b", "the lighthouse").await;
    instance.upsert(&user, &object(&written)).unwrap();
    assert_eq!(found(local()).await.unwrap(), 2);
    let other = world.say("u", "c", "somebody else's").await;
    let after = Reading { after: Some(other.frontier), ..local() };
    assert_eq!(found(after).await.unwrap(), 3);
    world.say("u", "d", "somebody else's").await;
    assert_eq!(found(latest()).await.unwrap(), 4);
}

#[tokio::test]
async fn a_load_that_passes_its_deadline_says_so_and_goes_on_with_the_next_question() {
    let world = World::new();
    lively(&world, "u").await;
    world.seal("u").await;
    world.say("u", "late", "word3 word14 after the seal").await;
    let slow = Slow { world: world.clone(), each: 400 };
    let limits = Limits { deadline: 1_000, ..Limits::default() };
    let instance = slow.instance(limits);
    let mut refused = 0;
    let answer = loop {
        match instance.search(&scope("u"), ask("word3 word14")).await {
            Ok(recall) => break recall,
            Err(Error { reason: "index_loading", retry_after: Some(_), .. }) => refused += 1,
            Err(error) => panic!("{error:?}"),
        }
        assert!(refused < 100, "it never came to its end");
    };
    assert!(refused > 0, "nothing was slow");
    let whole = world.host(|_| {}).search(scope("u"), ask("word3 word14")).await.unwrap();
    same(&whole.hits, &answer.hits);
}

#[tokio::test]
async fn an_instance_holds_few_users_and_answers_for_all() {
    let world = World::new();
    let instance = world.instance(Limits { users: 2, ..Limits::default() });
    for round in 0..2 {
        for user in ["a", "b", "c", "d"] {
            let written = world.say(user, &format!("m{round}"), "a word").await;
            instance.upsert(&scope(user), &object(&written)).unwrap();
            let known = instance.known(&scope(user), "s", &[]);
            assert!(known.frontier.hlc >= written.frontier.hlc, "{user} {round}");
        }
        for user in ["a", "b", "c", "d"] {
            let found = instance.history(&scope(user), "s", &page(9), &local()).await.unwrap();
            assert_eq!(found.items.len(), round + 1, "{user}");
        }
    }
}

#[tokio::test]
async fn an_erase_elsewhere_hides_everything_from_the_next_latest_reading() {
    let world = World::new();
    let instance = world.instance(Limits::default());
    world.say("u", "a", "a secret").await;
    let count = async |reading: Reading| {
        instance.history(&scope("u"), "s", &page(9), &reading).await.unwrap().items.len()
    };
    assert_eq!(count(latest()).await, 1);
    let seen = world.erase("u", async |_| {}).await;
    world.sweep("u").await;
    assert_eq!(count(Reading { after: Some(seen), ..latest() }).await, 0);
}

#[tokio::test]
async fn an_erase_that_is_upserted_hides_everything_at_once() {
    let world = World::new();
    let instance = world.instance(Limits::default());
    world.say("u", "a", "a secret").await;
    let count =
        async || instance.history(&scope("u"), "s", &page(9), &local()).await.unwrap().items.len();
    assert_eq!(count().await, 1);
    world.erase("u", async |told| instance.upsert(&scope("u"), &told).unwrap()).await;
    assert_eq!(count().await, 0);
}
