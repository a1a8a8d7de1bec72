//! The first sessions of a user of whom much is sealed are read alone: nobody can tell by the page, only by what it cost.

use crate::world::*;
use holdfast_core::SessionId;
use holdfast_core::graves::Of;
use holdfast_core::message::Message;
use holdfast_core::record::Kind;
use holdfast_core::session::SessionFields;
use holdfast_core::token::Frontier;
use holdfast_index::{Index, Page, Reading, SessionPage};
use holdfast_journal::{Draft, Next};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use std::sync::atomic::Ordering::SeqCst;

/// Days that messages are kept where they are not for ever.
const DAY: u64 = 86_400_000;

fn newest(limit: u32) -> Page {
    Page { limit, descending: true, ..Page::default() }
}

async fn listed(index: &Index, limit: u32, reading: Reading) -> SessionPage {
    index.list_sessions(scope("u"), newest(limit), reading).await.unwrap()
}

fn shown(page: &SessionPage) -> String {
    format!("{:?} {:?}", page.items, page.next)
}

/// How many lists a host answered by a glance, and how many loads it began.
async fn counts(index: &Index) -> (u64, u64) {
    let status = index.status().await.unwrap();
    (status.glances, status.loads)
}

fn named(session: &str, name: &str) -> Draft {
    let fields = SessionFields { name: Some(name.to_owned()), ..SessionFields::default() };
    let (id, session) = (session.to_owned(), SessionId::parse(session).unwrap());
    Draft { kind: Kind::Session, id, session, body: fields.encode().unwrap() }
}

async fn seal_all(world: &World) {
    while world.seal("u").await.next == Next::More {}
}

/// Messages, fields and deletes of many sessions, sealed in between as it happens.
async fn lively(world: &World, random: &mut StdRng) {
    let none = Frontier::default();
    for _ in 0..random.random_range(300..600) {
        let (session, id) = (random.random_range(0..200), random.random_range(0..4));
        let (session, id) = (format!("s{session}"), format!("m{id}"));
        let parent = random.random_bool(0.1).then(|| format!("m{}", random.random_range(0..4)));
        let message = Message { parent_id: parent, ..said(&format!("{id} of {session}")) };
        let draft = match random.random_range(0..20) {
            0 => tombstone(Of::Session, &session, &session),
            1 => tombstone(Of::Message, &session, &id),
            2 | 3 => named(&session, &format!("named {id}")),
            _ => draft_of(&session, &id, message, vec![vectors(&session, 0)]),
        };
        world.write("u", vec![draft], &none).await;
        if random.random_bool(0.01) {
            seal_all(world).await;
        }
    }
}

#[tokio::test]
async fn a_glance_shows_the_sessions_that_a_load_shows() {
    let mut glances = 0;
    for seed in 0..20 {
        let (world, mut random) = (World::new(), StdRng::seed_from_u64(seed));
        lively(&world, &mut random).await;
        if random.random_bool(0.3) {
            seal_all(&world).await;
            world.remove_wal().await;
        }
        for limit in [1, 2, 3, 5] {
            let glancing = world.host(|settings| settings.glance_from = 1);
            let loading = world.host(|settings| settings.glance_from = u64::MAX);
            let one = listed(&glancing, limit, latest()).await;
            let other = listed(&loading, limit, latest()).await;
            assert_eq!(shown(&one), shown(&other), "seed {seed}, {limit} sessions");
            let counted = counts(&glancing).await;
            assert_eq!(counted.0 + counted.1, 1, "a glance or a load, not both");
            glances += counted.0;
            // And whoever asks for more has all of it.
            let all = listed(&glancing, 1_000, latest()).await;
            assert_eq!(shown(&all), shown(&listed(&loading, 1_000, latest()).await));
        }
    }
    assert!(glances > 40, "{glances} of 80 were answered by a glance");
}

#[tokio::test]
async fn the_first_page_of_10_000_sealed_sessions_takes_few_requests_and_few_bytes() {
    let world = World::new();
    for object in 0..100 {
        let session = |n: u32| format!("session {}", object * 100 + n);
        let drafts = (0..100).map(|n| {
            let text = format!("{n} of {object}: what was said in a session that nobody reads now");
            draft(&session(n), "m", &text)
        });
        world.write("u", drafts.collect(), &Frontier::default()).await;
    }
    seal_all(&world).await;
    world.remove_wal().await;
    let sealed: usize = world.memory.keys().iter().filter(|key| key.contains("/seg/")).count();
    assert_eq!(sealed, 1);
    let before = world.requests();
    let cold = world.host(|settings| settings.glance_from = 1 << 20);
    let page = listed(&cold, 50, latest()).await;
    assert_eq!((page.items.len(), page.items[0].messages), (50, 1));
    assert!(page.items[0].id.starts_with("session 99") && page.next.is_some());
    assert_eq!(counts(&cold).await, (1, 0));
    let (requests, bytes) = world.requests();
    let (requests, bytes) = (requests - before.0, bytes - before.1);
    // A list each of the ledger, the manifests and the tail; a manifest, a cover; the sessions of the page and a few more.
    assert!(requests <= 5 + 60, "{requests} requests");
    // Another host reads all of it.
    let before = world.requests().1;
    let loading = world.host(|settings| settings.glance_from = u64::MAX);
    let loaded = listed(&loading, 50, latest()).await;
    assert_eq!(shown(&page), shown(&loaded));
    let all = world.requests().1 - before;
    println!("10,000 sessions: {requests} requests, {bytes} bytes of {all}");
    assert!(bytes * 3 < all, "{bytes} bytes of {all}");
}

#[tokio::test]
async fn what_comes_after_a_glance_has_all_of_it() {
    let world = World::new();
    for number in 0..200 {
        let draft = draft(&format!("s{number}"), "m", &format!("the harbour at {number}"));
        world.write("u", vec![draft], &Frontier::default()).await;
    }
    seal_all(&world).await;
    let index = world.host(|settings| settings.glance_from = 1);
    listed(&index, 5, latest()).await;
    assert_eq!(counts(&index).await, (1, 0));
    let loading = world.host(|settings| settings.glance_from = u64::MAX);
    let expected = loading.search(scope("u"), ask("harbour at 7")).await.unwrap();
    let found = index.search(scope("u"), ask("harbour at 7")).await.unwrap();
    assert_eq!(format!("{:?}", found.hits), format!("{:?}", expected.hits));
    assert_eq!(counts(&index).await, (1, 1));
}

#[tokio::test]
async fn who_lists_again_or_writes_is_loaded_in_the_background() {
    let world = World::new();
    for number in 0..200 {
        let draft = draft(&format!("s{number}"), "m", "hello");
        world.write("u", vec![draft], &Frontier::default()).await;
    }
    seal_all(&world).await;
    let loaded = async |index: &Index| index.status().await.unwrap().loaded_users == 1;
    let lists = world.host(|settings| settings.glance_from = 1);
    listed(&lists, 5, latest()).await;
    assert!(!loaded(&lists).await);
    listed(&lists, 5, latest()).await;
    until(async || loaded(&lists).await).await;
    let writes = world.host(|settings| settings.glance_from = 1);
    listed(&writes, 5, latest()).await;
    let written = world.write("u", vec![draft("s7", "n", "again")], &Frontier::default()).await;
    writes.upsert(scope("u"), object(&written)).await.unwrap();
    until(async || loaded(&writes).await).await;
    let first = &listed(&writes, 5, latest()).await.items[0];
    assert_eq!((first.id.as_str(), first.messages), ("s7", 2));
}

#[tokio::test]
async fn a_glance_has_what_a_token_promises() {
    let world = World::new();
    for number in 0..100 {
        let draft = draft(&format!("s{number}"), "m", "hello");
        world.write("u", vec![draft], &Frontier::default()).await;
    }
    seal_all(&world).await;
    let written = world.write("u", vec![draft("s3", "n", "again")], &Frontier::default()).await;
    let index = world.host(|settings| settings.glance_from = 1);
    let after = Reading { after: Some(written.frontier.clone()), ..latest() };
    let page = listed(&index, 5, after).await;
    assert_eq!((page.items[0].id.as_str(), counts(&index).await), ("s3", (1, 0)));
    let index = world.host(|settings| settings.glance_from = 1);
    let ahead = Frontier { hlc: holdfast_core::Hlc(u64::MAX >> 1), ..written.frontier };
    let after = Reading { after: Some(ahead), ..latest() };
    let error = index.list_sessions(scope("u"), newest(5), after).await.unwrap_err();
    assert_eq!(error.reason, "not_yet_visible");
}

#[tokio::test]
async fn what_is_older_than_it_is_kept_is_not_in_a_glance() {
    let world = World::new();
    for number in 0..100 {
        let draft = draft(&format!("old{number}"), "m", "hello");
        world.write("u", vec![draft], &Frontier::default()).await;
    }
    world.pass(10 * DAY);
    for number in 0..20 {
        let draft = draft(&format!("new{number}"), "m", "hello");
        world.write("u", vec![draft], &Frontier::default()).await;
    }
    seal_all(&world).await;
    for limit in [5, 30] {
        let glancing = world.host(|settings| {
            (settings.glance_from, settings.retention_days) = (1, 5);
        });
        let page = listed(&glancing, limit, latest()).await;
        let new = page.items.iter().all(|session| session.id.starts_with("new"));
        assert!(new && page.items.len() == limit.min(20) as usize, "{page:?}");
        assert_eq!(page.next.is_some(), limit < 20);
    }
}

#[tokio::test]
async fn a_user_who_was_erased_has_nothing_in_a_glance() {
    let world = World::new();
    for number in 0..100 {
        let draft = draft(&format!("s{number}"), "m", "hello");
        world.write("u", vec![draft], &Frontier::default()).await;
    }
    seal_all(&world).await;
    world.erase("u", async |_| {}).await;
    let index = world.host(|settings| settings.glance_from = 1);
    assert!(listed(&index, 5, latest()).await.items.is_empty());
}

#[tokio::test]
async fn a_segment_that_is_damaged_is_an_error_where_a_glance_meets_it() {
    let world = World::new();
    for number in 0..100 {
        let draft = draft(&format!("s{number}"), "m", "hello");
        world.write("u", vec![draft], &Frontier::default()).await;
    }
    seal_all(&world).await;
    world.remove_wal().await;
    let segment = world.memory.keys().into_iter().find(|key| key.contains("/seg/")).unwrap();
    world.memory.damage(&segment);
    let gets = world.gets.load(SeqCst);
    let index = world.host(|settings| settings.glance_from = 1);
    match index.list_sessions(scope("u"), newest(100), latest()).await {
        Ok(page) => panic!("{page:?}"),
        Err(error) => assert!(["corrupt", "not_yet_visible"].contains(&error.reason), "{error:?}"),
    }
    assert!(world.gets.load(SeqCst) > gets);
}
