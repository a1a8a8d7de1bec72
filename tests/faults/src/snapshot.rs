//! Everything that can be asked, with the text of its answers: two of them must be equal byte for byte.

use crate::{Api, Plan, history};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

const EMBEDDED: Duration = Duration::from_secs(60);

/// Questions with their answers.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Snapshot(pub Vec<(String, String)>);

#[derive(Deserialize)]
struct Found<'a> {
    #[serde(borrow)]
    data: &'a RawValue,
    indexed_through: &'a str,
    mode: &'a str,
}

impl Snapshot {
    /// Reads every session, and asks every question in every mode, of one session and of all.
    pub async fn take(api: &Api, plan: &Plan, model: bool) -> Self {
        let mut all = Self::default();
        for (user, session) in plan.sessions() {
            let (_, texts) = history(api, &user, &session, None, "latest").await;
            all.0.push((format!("{user} {session}"), texts.join("\n")));
        }
        let modes: &[&str] = if model { &["hybrid", "vector", "keyword"] } else { &["keyword"] };
        for user in plan.users() {
            for question in &plan.questions {
                for mode in modes {
                    all.search(api, &user, question, mode, None).await;
                }
                all.search(api, &user, question, modes[0], Some("session-1")).await;
                all.context(api, &user, question).await;
            }
        }
        all
    }

    async fn search(
        &mut self,
        api: &Api,
        user: &str,
        query: &str,
        mode: &str,
        session: Option<&str>,
    ) {
        let mut body = json!({"user_id": user, "query": query, "mode": mode, "top_k": 20, "explain": true,
            "consistency": "latest"});
        if let Some(session) = session {
            body["session_id"] = json!(session);
        }
        let answer = api.post_for(200, "/v1/search", &body).await;
        let found: Found<'_> = serde_json::from_slice(&answer.body).expect("hits");
        assert_eq!(found.mode, mode, "the model did not answer");
        self.0.push((body.to_string(), format!("{} {}", found.data, found.indexed_through)));
    }

    async fn context(&mut self, api: &Api, user: &str, query: &str) {
        let body =
            json!({"user_id": user, "session_id": "session-0", "query": query, "max_tokens": 600});
        let answer = api.post_for(200, "/v1/context", &body).await;
        self.0.push((body.to_string(), String::from_utf8_lossy(&answer.body).into_owned()));
    }

    /// Fails with the first question that has two answers.
    ///
    /// # Panics
    /// When there is one.
    pub fn assert_same(&self, other: &Self) {
        assert_eq!(self.0.len(), other.0.len());
        for ((question, before), (_, after)) in self.0.iter().zip(&other.0) {
            assert_eq!(before, after, "{question}");
        }
    }

    /// Searches that found something.
    pub fn hits(&self) -> usize {
        let found = |text: &str| text.starts_with("[{");
        self.0.iter().filter(|(question, text)| question.contains("top_k") && found(text)).count()
    }
}

/// Waits until no message of these users waits for its vector.
///
/// # Panics
/// When that takes more than a minute.
pub async fn until_embedded(api: &Api, users: &[String]) {
    let begun = Instant::now();
    let mut look = tokio::time::interval(Duration::from_millis(200));
    for user in users {
        loop {
            let body = json!({"user_id": user, "query": "anything", "mode": "keyword"});
            let answer = api.post_for(200, "/v1/search", &body).await.json();
            let pending = answer.get("pending").and_then(Value::as_u64).expect("pending");
            if pending == 0 {
                break;
            }
            assert!(begun.elapsed() < EMBEDDED, "{user}: {pending} messages are still pending");
            look.tick().await;
        }
    }
}
