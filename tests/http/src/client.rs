//! A client of one host with one key.

use crate::{Answer, Running};
use reqwest::Method;
use serde_json::Value;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// A client.
#[derive(Clone)]
pub struct Client {
    /// The host.
    pub running: Arc<Running>,
    /// What it sends as its key.
    pub key: Option<String>,
    /// What it sends as `Holdfast-User`.
    pub user: Option<String>,
    /// How it sends.
    pub http: reqwest::blocking::Client,
}

/// A name that no other test uses.
pub fn fresh(what: &str) -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    format!("{what} {}", COUNT.fetch_add(1, Ordering::Relaxed))
}

/// A client that follows nothing and waits for long.
pub fn plain() -> reqwest::blocking::Client {
    // Fails when it was done before.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::blocking::Client::builder()
        .timeout(Duration::from_secs(60))
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .expect("a client")
}

impl Client {
    /// A client with the installation's first key, for a user of its own.
    pub fn new(running: Arc<Running>) -> Self {
        let key = Some(running.host.key.clone());
        Self { running, key, user: Some(fresh("user")), http: plain() }
    }

    /// The same for another user.
    #[must_use]
    pub fn acting_for(&self, user: &str) -> Self {
        Self { user: Some(user.to_owned()), ..self.clone() }
    }

    /// The same with another key, which names no user by itself.
    #[must_use]
    pub fn with_key(&self, key: &str) -> Self {
        Self { key: Some(key.to_owned()), user: None, ..self.clone() }
    }

    /// A key made with this client's: its text.
    pub fn make_key(&self, wanted: &Value) -> String {
        let made = self.post("/v1/keys", &wanted.to_string()).expect_status(201).json();
        made["key"].as_str().expect("the key's text").to_owned()
    }

    /// GET.
    pub fn get(&self, path: &str) -> Answer {
        self.send("GET", path, &[], None)
    }

    /// POST of JSON text.
    pub fn post(&self, path: &str, body: &str) -> Answer {
        self.send("POST", path, &[], Some(body.as_bytes()))
    }

    /// POST of JSON text with one more header.
    pub fn post_with(&self, path: &str, header: (&str, &str), body: &str) -> Answer {
        self.send("POST", path, &[header], Some(body.as_bytes()))
    }

    /// Any request; a body is said to be JSON unless a header says otherwise.
    pub fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<&[u8]>,
    ) -> Answer {
        let method = Method::from_bytes(method.as_bytes()).expect("a method");
        let mut request = self.http.request(method, format!("{}{path}", self.running.host.url));
        if let Some(key) = &self.key {
            request = request.header("Authorization", format!("Bearer {key}"));
        }
        if let Some(user) = &self.user {
            request = request.header("Holdfast-User", user);
        }
        if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-type"))
            && body.is_some()
        {
            request = request.header("Content-Type", "application/json");
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(body) = body {
            request = request.body(body.to_vec());
        }
        Answer::of(request.send().unwrap_or_else(|e| panic!("{path}: no answer: {e:?}")))
    }

    /// Stores messages in a session: their ids.
    pub fn store(&self, session: &str, messages: &Value) -> Vec<String> {
        let body = serde_json::json!({"messages": messages}).to_string();
        let answer = self.post(&messages_of(session), &body).expect_status(201).json();
        let placed = answer["messages"].as_array().expect("messages").iter();
        placed.map(|message| message["id"].as_str().expect("an id").to_owned()).collect()
    }

    /// All messages of a session, in one page.
    pub fn messages(&self, session: &str) -> Vec<Value> {
        self.get(&format!("{}?limit=1000", messages_of(session))).expect_status(200).data()
    }
}

/// Path of a session's messages.
pub fn messages_of(session: &str) -> String {
    format!("/v1/sessions/{}/messages", session.replace(' ', "%20"))
}
