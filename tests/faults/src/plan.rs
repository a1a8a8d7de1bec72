//! Seeded conversations: unique ids, several users and sessions, texts of every size and script.

use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use serde_json::{Value, json};

const WORDS: &[&str] = &[
    "anchor", "autumn", "bakery", "balcony", "bicycle", "blanket", "bridge", "candle", "carpet",
    "cello", "chess", "cinema", "coffee", "compass", "concert", "copper", "cottage", "dentist",
    "desert", "dinner", "dolphin", "engine", "falcon", "ferry", "festival", "flight", "forest",
    "garden", "ginger", "glacier", "guitar", "hammer", "harbour", "hockey", "hotel", "invoice",
    "island", "jacket", "kitchen", "ladder", "lantern", "lemon", "library", "lisbon", "market",
    "meadow", "medicine", "mirror", "museum", "nephew", "novel", "orchard", "oyster", "painter",
    "passport", "pepper", "piano", "planet", "pottery", "railway", "rescue", "ribbon", "river",
    "rocket", "saddle", "salmon", "school", "season", "shelter", "silver", "sister", "spider",
    "station", "stone", "summer", "surgeon", "teacher", "temple", "tennis", "theatre", "ticket",
    "tomato", "tunnel", "uncle", "valley", "violin", "volcano", "walnut", "weather", "window",
];
const ODD: &[&str] = &[
    "naïve — “quoted”",
    "日本語の文",
    "😀👩‍👩‍👧",
    "line\nbreak\ttab",
    "a\u{301} \u{2028} \\\"",
    "\u{0}nul",
];

/// The seed of this run: `HOLDFAST_TEST_SEED`, else always the same.
pub fn seed() -> u64 {
    let given = std::env::var("HOLDFAST_TEST_SEED").ok();
    let seed = given.and_then(|text| text.parse().ok()).unwrap_or(20_260_501);
    println!("HOLDFAST_TEST_SEED={seed}");
    seed
}

/// The long form is asked for: `HOLDFAST_FAULTS_LONG=1`, as `cargo xtask faults` sets it.
pub fn long() -> bool {
    std::env::var_os("HOLDFAST_FAULTS_LONG").is_some_and(|value| value == "1")
}

/// `count` words.
pub fn words(rng: &mut StdRng, count: usize) -> String {
    let words = (0..count).map(|_| *WORDS.choose(rng).expect("words"));
    words.collect::<Vec<_>>().join(" ")
}

/// One request that stores messages.
#[derive(Debug, Clone)]
pub struct Call {
    /// Whose they are.
    pub user: String,
    /// Their session.
    pub session: String,
    /// Ids and texts, in order.
    pub messages: Vec<(String, String)>,
}

impl Call {
    /// The path that it is sent to.
    pub fn path(&self) -> String {
        format!("/v1/sessions/{}/messages", self.session)
    }

    /// Its body.
    pub fn body(&self) -> Value {
        let messages = self.messages.iter().zip(["user", "assistant"].iter().cycle());
        let messages = messages
            .map(|((id, text), role)| json!({"id": id, "role": role, "content": text}))
            .collect::<Vec<_>>();
        json!({"user_id": self.user, "messages": messages})
    }
}

/// Calls of one run, and the moment of the kill.
pub struct Plan {
    /// What is stored.
    pub calls: Vec<Call>,
    /// The kill comes after so many acknowledgements.
    pub kill_after: usize,
    /// Questions to ask.
    pub questions: Vec<String>,
}

impl Plan {
    /// `count` calls of 4 users with 3 sessions each; every fifth is a batch of 3 messages.
    pub fn new(seed: u64, count: usize) -> Self {
        let mut rng = StdRng::seed_from_u64(seed);
        let calls: Vec<_> = (0..count).map(|n| call(&mut rng, n)).collect();
        let kill_after = rng.random_range(count / 8..count / 2);
        let questions = (0..4).map(|_| words(&mut rng, 4)).collect();
        Self { calls, kill_after, questions }
    }

    /// Every user and session, once.
    pub fn sessions(&self) -> Vec<(String, String)> {
        let mut all: Vec<_> =
            self.calls.iter().map(|c| (c.user.clone(), c.session.clone())).collect();
        all.sort();
        all.dedup();
        all
    }

    /// Every user, once.
    pub fn users(&self) -> Vec<String> {
        let mut users: Vec<_> = self.calls.iter().map(|call| call.user.clone()).collect();
        users.sort();
        users.dedup();
        users
    }
}

fn call(rng: &mut StdRng, n: usize) -> Call {
    let size = if n.is_multiple_of(5) { 3 } else { 1 };
    Call {
        user: format!("user-{}", rng.random_range(0..4)),
        session: format!("session-{}", rng.random_range(0..3)),
        messages: (0..size).map(|part| (format!("m-{n}-{part}"), text(rng, n))).collect(),
    }
}

fn text(rng: &mut StdRng, n: usize) -> String {
    let count = if n % 40 == 7 { 500 } else { rng.random_range(4..14) };
    let odd = if n % 3 == 1 { *ODD.choose(rng).expect("odd texts") } else { "" };
    format!("{} number{n} {odd}", words(rng, count))
}
