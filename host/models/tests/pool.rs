//! Who waits for whom in front of the embedder. The real model works behind it.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

mod support;

use std::sync::Arc;
use std::time::{Duration, Instant};

use holdfast_models::{Embedder, EmbedderPool, ModelError, PoolSettings, Purpose};
use support::{model_dir, words};
use tokio::task::{JoinHandle, yield_now};

type Vectors = Result<Vec<Vec<f32>>, ModelError>;

fn pool(settings: PoolSettings) -> Option<Arc<EmbedderPool>> {
    let embedder = Embedder::load(&model_dir()?).unwrap();
    Some(Arc::new(EmbedderPool::start(embedder, settings).unwrap()))
}

fn passages(count: usize) -> Vec<String> {
    (0..count).map(|n| words(150, n)).collect()
}

/// Submits a job and lets it take its place in the line before anything else happens.
async fn submit(
    pool: &Arc<EmbedderPool>,
    tenant: &'static str,
    purpose: Purpose,
    texts: Vec<String>,
) -> JoinHandle<Vectors> {
    let pool = Arc::clone(pool);
    let job = tokio::spawn(async move { pool.embed(tenant, purpose, texts).await });
    yield_now().await;
    job
}

#[tokio::test]
async fn a_query_overtakes_a_big_passage_job_that_has_begun() {
    let Some(pool) = pool(PoolSettings::default()) else { return };
    let big = submit(&pool, "a", Purpose::Passage, passages(100)).await;
    let answer = pool.embed("a", Purpose::Query, vec!["where is the horse".into()]).await.unwrap();
    assert_eq!(answer.len(), 1);
    assert!(!big.is_finished(), "a hundred passages were done before one query");
    big.abort();
}

#[tokio::test]
async fn a_small_tenant_does_not_wait_for_all_of_a_big_one() {
    let Some(pool) = pool(PoolSettings::default()) else { return };
    let first = submit(&pool, "big", Purpose::Passage, passages(60)).await;
    let second = submit(&pool, "big", Purpose::Passage, passages(60)).await;
    pool.embed("small", Purpose::Passage, passages(2)).await.unwrap();
    assert!(!first.is_finished() && !second.is_finished(), "the small tenant came last");
    first.abort();
    second.abort();
}

#[tokio::test]
async fn a_sliced_job_gives_the_vectors_of_its_texts_in_their_order() {
    let Some(pool) = pool(PoolSettings { threads: 2, ..PoolSettings::default() }) else { return };
    let texts: Vec<String> = [90, 3, 250, 1, 40, 200, 12].iter().map(|n| words(*n, *n)).collect();
    let other = submit(&pool, "b", Purpose::Passage, passages(3)).await;
    let vectors = pool.embed("a", Purpose::Passage, texts.clone()).await.unwrap();
    assert_eq!(vectors, pool.embedder().embed(&texts).unwrap());
    assert_eq!(other.await.unwrap().unwrap(), pool.embedder().embed(&passages(3)).unwrap());
    assert!(pool.embed("a", Purpose::Query, Vec::new()).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_full_line_says_busy_at_once_and_has_room_again_later() {
    let Some(pool) = pool(PoolSettings { threads: 1, room: 2 }) else { return };
    let mut jobs = Vec::new();
    for _ in 0..4 {
        jobs.push(submit(&pool, "a", Purpose::Passage, passages(4)).await);
    }
    let mut busy = 0;
    for job in jobs {
        match job.await.unwrap() {
            Ok(vectors) => assert_eq!(vectors.len(), 4),
            Err(ModelError::Busy) => busy += 1,
            Err(other) => panic!("{other}"),
        }
    }
    assert!((2..=3).contains(&busy), "{busy} of 4 were refused where one works and one waits");
    pool.embed("a", Purpose::Passage, passages(1)).await.unwrap();
}

#[tokio::test]
async fn a_deadline_ends_the_wait_and_frees_the_line() {
    let Some(pool) = pool(PoolSettings::default()) else { return };
    let past = pool.embed_until(Instant::now(), "a", Purpose::Query, passages(1)).await;
    assert!(matches!(past, Err(ModelError::Deadline)));
    let soon = Instant::now() + Duration::from_millis(30);
    let late = pool.embed_until(soon, "a", Purpose::Passage, passages(1000)).await;
    assert!(matches!(late, Err(ModelError::Deadline)));
    // A thousand passages take a minute; the next one only gets its turn because they were given up.
    let begin = Instant::now();
    pool.embed("a", Purpose::Passage, passages(1)).await.unwrap();
    assert!(begin.elapsed() < Duration::from_secs(20));
    let enough = Instant::now() + Duration::from_secs(600);
    let vectors = pool.embed_until(enough, "a", Purpose::Query, passages(1)).await.unwrap();
    assert_eq!(vectors, pool.embedder().embed(&passages(1)).unwrap());
}

#[tokio::test]
async fn a_caller_that_goes_away_takes_its_job_out_of_the_line() {
    let Some(pool) = pool(PoolSettings::default()) else { return };
    let big = submit(&pool, "a", Purpose::Passage, passages(1000)).await;
    big.abort();
    let begin = Instant::now();
    pool.embed("a", Purpose::Passage, passages(1)).await.unwrap();
    assert!(begin.elapsed() < Duration::from_secs(20));
}
