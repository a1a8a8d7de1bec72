//! A user with very many sessions, sealed.

use crate::{Api, Installation};
use futures::{StreamExt, stream};
use holdfast_servers::Rclone;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::json;

/// Stores that are under way at a time.
const AT_ONCE: usize = 16;
/// Words of a message.
const WORDS: usize = 80;

/// An installation on `rclone serve s3` behind a proxy that counts, whose hosts keep nothing on their disks and seal nothing by
/// themselves: `ann` has `count` sealed sessions there, `s-0` the oldest.
///
/// # Panics
/// When one is not stored, or they cannot be sealed.
pub async fn many_sessions(count: usize) -> Installation {
    let installation = Installation::behind_proxy(Rclone::start(), 1)
        .with("compact_interval_ms", "0")
        .with("load_deadline_ms", "60000")
        .with("request_deadline_ms", "120000")
        .with("cache_mib", "0");
    let host = installation.start();
    fill(&Api::of(&host), "ann", count).await;
    host.kill();
    installation
}

/// Stores sessions of two messages each, and seals them.
async fn fill(api: &Api, user: &str, count: usize) {
    let stores = (0..count).map(|n| {
        let (api, mut rng) = (api.clone(), StdRng::seed_from_u64(n as u64));
        let mut words = || {
            let words = (0..WORDS).map(|_| format!("w{}", rng.random_range(0..100_000)));
            words.collect::<Vec<_>>().join(" ")
        };
        let said = json!({"role": "user", "content": words()});
        let answered = json!({"role": "assistant", "content": words()});
        let body = json!({"user_id": user, "messages": [said, answered]});
        async move {
            let _ = api.post_for(201, &format!("/v1/sessions/s-{n}/messages"), &body).await;
        }
    });
    stream::iter(stores).buffered(AT_ONCE).collect::<Vec<()>>().await;
    loop {
        let body = json!({"user_id": user});
        let step = api.post_for(200, "/v1/upkeep/compact", &body).await.json();
        if step["has_more"] != json!(true) {
            return;
        }
    }
}
