//! The store at a distance: what LTST promised as ceilings, with a delay before each answer of the object store.

use crate::Sizes;
use crate::fill::{prose, text};
use crate::spread::Spread;
use crate::start::first_answer;
use crate::table::{Figure, Table};
use futures::{StreamExt, stream};
use holdfast_faults::{Api, Installation};
use holdfast_servers::Rclone;
use rand::SeedableRng;
use rand::rngs::StdRng;
use serde_json::{Value, json};
use std::time::Duration;

/// Delays before each answer of the store, in milliseconds; the promises are held at the last.
const DELAYS: [u64; 3] = [0, 30, 100];
/// Messages of the session that is read by a host that has just started.
const MESSAGES: usize = 1000;
/// Words of a message.
const WORDS: usize = 50;
const WRITERS: usize = 8;
const EACH: usize = 25;

/// All of it, on `rclone serve s3` behind a proxy.
pub async fn measure(sizes: Sizes, table: &mut Table) {
    for delay in DELAYS {
        let installation = Installation::behind_proxy(Rclone::start(), 1).with("cache_mib", "0");
        fill(&installation).await;
        installation.proxy().delay(Duration::from_millis(delay));
        let last = delay == DELAYS[DELAYS.len() - 1];
        let mut report = Report { table, delay, last };
        of_a_host(&installation, sizes, &mut report).await;
        rehydrated(&installation, sizes, &mut report).await;
        if last {
            together(&installation, report.table).await;
        }
    }
}

async fn fill(installation: &Installation) {
    let host = installation.start();
    let (api, mut rng) = (Api::of(&host), StdRng::seed_from_u64(7));
    for first in (0..MESSAGES).step_by(100) {
        let message = |n: usize, rng: &mut StdRng| {
            let role = if n.is_multiple_of(2) { "user" } else { "assistant" };
            json!({"id": format!("m-{n}"), "role": role, "content": text(rng, WORDS)})
        };
        let messages: Vec<Value> = (first..first + 100).map(|n| message(n, &mut rng)).collect();
        let body = json!({"user_id": "ann", "messages": messages});
        let _ = api.post_for(201, "/v1/sessions/s/messages", &body).await;
    }
    host.kill();
}

struct Report<'t> {
    table: &'t mut Table,
    delay: u64,
    last: bool,
}

impl Report<'_> {
    /// Two lines; the promise is a ceiling at the largest delay, in milliseconds.
    fn add(&mut self, what: &str, spread: &Spread, promise: f64) {
        let what = format!("{what}, {} ms before each answer of the store", self.delay);
        self.table.add(Figure::plain(format!("{what}, p50"), spread.p50(), "ms"));
        let what = format!("{what}, p95");
        self.table.add(match self.last {
            true => Figure::limit(what, spread.p95(), "ms", promise),
            false => Figure::plain(what, spread.p95(), "ms"),
        });
    }
}

/// Calls of a host that knows the user.
async fn of_a_host(installation: &Installation, sizes: Sizes, report: &mut Report<'_>) {
    let host = installation.start();
    let (api, mut rng) = (Api::of(&host), StdRng::seed_from_u64(8));
    let _ = api.get("/v1/sessions/s/messages?user_id=ann&limit=1", None).await.expect(200);
    let mut times: [Spread; 4] = Default::default();
    let [created, stored, found, packed] = &mut times;
    for n in 0..sizes.calls {
        let new = json!({"user_id": "ann", "id": format!("new-{n}")});
        let _ = created.time(api.post_for(201, "/v1/sessions", &new)).await;
        let message = json!({"user_id": "ann", "role": "user", "content": prose(&mut rng, WORDS)});
        let _ = stored.time(api.post_for(201, "/v1/sessions/t/messages", &message)).await;
        let query = text(&mut rng, 6);
        let search = json!({"user_id": "ann", "query": query, "mode": "keyword"});
        let _ = found.time(api.post_for(200, "/v1/search", &search)).await;
        let context =
            json!({"user_id": "ann", "session_id": "s", "query": query, "max_tokens": 2000});
        let _ = packed.time(api.post_for(200, "/v1/context", &context)).await;
    }
    report.add("session created", created, 500.0);
    report.add("message stored", stored, 200.0);
    report.add("search by words of 1,000 messages and more", found, 2000.0);
    report.add("context of the same", packed, 1000.0);
    host.kill();
}

/// A session of 1,000 messages, read whole by a host that has just started.
async fn rehydrated(installation: &Installation, sizes: Sizes, report: &mut Report<'_>) {
    let mut read = Spread::default();
    for _ in 0..sizes.starts {
        let host = installation.start();
        let api = Api::of(&host);
        first_answer(&api).await;
        let path = format!("/v1/sessions/s/messages?user_id=ann&limit={MESSAGES}");
        let page = read.time(api.get(&path, None)).await.expect(200).json();
        assert_eq!(page["data"].as_array().expect("messages").len(), MESSAGES);
        host.kill();
    }
    report.add("a session of 1,000 messages read whole after a start", &read, 5000.0);
}

/// 8 writers, 25 messages each, on two hosts: all are there, and both hosts agree on their order.
async fn together(installation: &Installation, table: &mut Table) {
    let one = installation.start();
    let (other, _kept) = installation.start_beside();
    let apis = [Api::of(&one), Api::of(&other)];
    let mut stored = Spread::default();
    let writers = (0..WRITERS).map(|writer| {
        let api = apis[writer % 2].clone();
        async move {
            let mut times = Spread::default();
            for n in 0..EACH {
                let message = json!({"user_id": "bob", "role": "user", "content": format!("{writer} says {n}")});
                let _ = times.time(api.post_for(201, "/v1/sessions/s/messages", &message)).await;
            }
            times
        }
    });
    for times in stream::iter(writers).buffer_unordered(WRITERS).collect::<Vec<_>>().await {
        stored.join(times);
    }
    let path =
        format!("/v1/sessions/s/messages?user_id=bob&limit={}&consistency=latest", WRITERS * EACH);
    let mut orders = Vec::new();
    for api in &apis {
        let page = api.get(&path, None).await.expect(200).json();
        let ids = page["data"].as_array().expect("messages").iter().map(|one| one["id"].clone());
        orders.push(ids.collect::<Vec<_>>());
    }
    assert_eq!(orders[0], orders[1], "both hosts show one order");
    let all = (WRITERS * EACH) as f64;
    let what = format!("messages of {WRITERS} writers on two hosts that both show in one order");
    table.add(
        Figure::plain(what, orders[0].len() as f64, "messages").beside("stored", all).at_least(1.0),
    );
    table.add(Figure::plain("a store of theirs, p95", stored.p95(), "ms"));
    one.kill();
    other.kill();
}
