//! Search and context over one user's messages, warm, beyond embedding the query; and loading that user.

use crate::Sizes;
use crate::fill::{User, text};
use crate::spread::{Spread, milliseconds};
use crate::table::{Figure, Table};
use holdfast_faults::Api;
use rand::SeedableRng;
use rand::rngs::StdRng;
use serde_json::{Value, json};
use std::time::Instant;

const WARM: usize = 20;

/// Limits, in milliseconds.
#[derive(Clone, Copy)]
pub struct Limits {
    /// First read of the user.
    pub rehydrate: Option<f64>,
    /// A search or context beyond embedding.
    pub retrieve: f64,
}

/// The first read of a user after a start; a load that takes longer than the host lets a request wait is asked again.
pub async fn rehydrate(api: &Api, user: User, limits: Limits, table: &mut Table) {
    let path = format!("/v1/sessions/{}/messages?user_id={}&limit=1", user.session(), user.name);
    let begun = Instant::now();
    loop {
        let answer = api.get(&path, None).await;
        if answer.status != 503 {
            let _ = answer.expect(200);
            break;
        }
    }
    let User { messages, batch, .. } = user;
    let what = format!("load of {messages} messages, stored in batches of {batch}");
    let took = milliseconds(begun);
    table.add(match limits.rehydrate {
        Some(limit) => Figure::limit(what, took, "ms", limit),
        None => Figure::plain(what, took, "ms"),
    });
}

/// Each question is put to the user and, at once after, to a user with one message. Both calls embed it: their
/// difference is what the messages cost, and the second's time by words alone is all that the call costs besides.
pub async fn measure(api: &Api, user: User, limits: Limits, sizes: Sizes, table: &mut Table) {
    let one = json!({"user_id": "one", "role": "user", "content": "the only message"});
    let _ = api.post_for(201, "/v1/sessions/one/messages", &one).await;
    let mut rng = StdRng::seed_from_u64(3);
    let mut times = Times::default();
    for n in 0..WARM + sizes.calls {
        if n == WARM {
            times = Times::default();
        }
        times.ask(api, user, &text(&mut rng, 6)).await;
    }
    times.report(user, limits, table);
}

#[derive(Default)]
struct Times {
    keyword: Spread,
    keyword_of_one: Spread,
    hybrid_of_one: Spread,
    hybrid: Spread,
    search: Spread,
    context: Spread,
}

impl Times {
    async fn ask(&mut self, api: &Api, user: User, query: &str) {
        let by = |user: &str, mode: &str| json!({"user_id": user, "query": query, "mode": mode});
        self.keyword.time(search(api, &by(user.name, "keyword"))).await;
        self.keyword_of_one.time(search(api, &by("one", "keyword"))).await;
        self.hybrid.time(search(api, &by(user.name, "hybrid"))).await;
        self.hybrid_of_one.time(search(api, &by("one", "hybrid"))).await;
        self.search.add(self.hybrid.last() - self.hybrid_of_one.last());
        let session = user.session();
        let need = json!({"user_id": user.name, "session_id": session, "query": query, "max_tokens": 2000});
        let mut whole = Spread::default();
        let _ = whole.time(api.post_for(200, "/v1/context", &need)).await;
        self.context.add(whole.last() - self.hybrid_of_one.last());
    }

    fn report(&self, user: User, limits: Limits, table: &mut Table) {
        let (n, fixed) = (user.messages, self.keyword_of_one.p50());
        let embed = self.hybrid_of_one.p50() - fixed;
        if user.name == "few" {
            table.add(Figure::plain("embedding of a 6-word query, p50", embed, "ms"));
        }
        let limit = limits.retrieve;
        let mut line = |what: &str, seen: f64| {
            table.add(Figure::limit(format!("{what} at {n} messages, p50"), seen, "ms", limit));
        };
        line("search by words", self.keyword.p50());
        line("search, beyond embedding the query,", self.search.p50() + fixed);
        line("context, beyond embedding the query,", self.context.p50() + fixed);
        let what = format!("search by words at {n} messages, p95");
        table.add(Figure::plain(what, self.keyword.p95(), "ms"));
    }
}

async fn search(api: &Api, body: &Value) {
    let _ = api.post_for(200, "/v1/search", body).await;
}
