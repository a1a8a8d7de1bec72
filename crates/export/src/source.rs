//! Where an export reads conversations.
#![allow(async_fn_in_trait, reason = "ports are not Send by design: see core's ports")]

use holdfast_core::attachment::Attachment;
use holdfast_core::message::Message;
use holdfast_core::retention::UserFields;
use holdfast_core::{Order, Result, Scope};
use serde_json::{Map, Value};

/// A session as an export looks at it.
#[derive(Debug, Clone, PartialEq)]
pub struct SourceSession {
    /// Its id.
    pub id: String,
    /// Its metadata; empty when there are none.
    pub metadata: Map<String, Value>,
    /// Messages in it.
    pub messages: u32,
}

impl SourceSession {
    /// May it be learned from? `no_train` in its metadata says no.
    pub fn trains(&self) -> bool {
        self.metadata
            .get("no_train")
            .is_none_or(|mark| matches!(mark, Value::Bool(false) | Value::Null))
    }

    /// JSON text of the assistant's tools: `tools` in its metadata.
    pub fn tools(&self) -> Option<String> {
        self.metadata.get("tools").filter(|tools| tools.is_array()).map(Value::to_string)
    }
}

/// A page of sessions.
#[derive(Debug, Clone, Default)]
pub struct SourceSessions {
    /// In an order that stays.
    pub items: Vec<SourceSession>,
    /// Where the next page goes on.
    pub next: Option<String>,
}

/// A message with what is known of it.
#[derive(Debug, Clone)]
pub struct Feed {
    /// Its id in this view.
    pub id: String,
    /// The id that it took, when another message has it.
    pub conflict_of: Option<String>,
    /// Its place in its session.
    pub index: u32,
    /// Its order.
    pub order: Order,
    /// A service key wrote it.
    pub trusted: bool,
    /// What was said.
    pub message: Message,
}

/// A page of messages.
#[derive(Debug, Clone, Default)]
pub struct FeedPage {
    /// In order.
    pub items: Vec<Feed>,
    /// Where the next page goes on.
    pub next: Option<String>,
}

/// What somebody said of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Feedback {
    /// The message's id in this view.
    pub message: String,
    /// Good or bad; none when it says neither.
    pub good: Option<bool>,
    /// What the message should have said.
    pub better_answer: Option<String>,
    /// A service key wrote it.
    pub trusted: bool,
}

/// The name of the attachment that is a session's database, in LangChain's tree.
pub fn database_of(session: &str) -> String {
    format!("{session}.db")
}

/// May a user be learned from? `body` is the record that says something of the user as a whole, where there is one.
///
/// # Errors
/// `corrupt` when it cannot be read.
pub fn user_trains(body: Option<&str>) -> Result<bool> {
    let said = body.map(UserFields::decode).transpose()?;
    Ok(!said.is_some_and(|said| said.no_train))
}

/// Reads conversations. With `as_of` (Unix milliseconds) as they were then, with the deletes of today.
///
/// [`trains`](Source::trains) looks at what the bucket holds now. All else may rest on what that look saw of the user: it is
/// asked before, for each user in each step.
pub trait Source {
    /// The first user after `place`, whom the walk names, and the place after; none at the end.
    async fn next_user(&self, place: Option<&str>) -> Result<Option<(Option<Scope>, String)>>;

    /// May the user be learned from, as of now? Brings what is known of the user up to now.
    async fn trains(&self, scope: &Scope) -> Result<bool>;

    /// A page of the user's sessions.
    async fn sessions(
        &self,
        scope: &Scope,
        after: Option<&str>,
        as_of: u64,
    ) -> Result<SourceSessions>;

    /// A session as it is now; none when it was deleted, or its user erased.
    async fn session(&self, scope: &Scope, id: &str) -> Result<Option<SourceSession>>;

    /// How many messages a session had.
    async fn count(&self, scope: &Scope, session: &str, as_of: u64) -> Result<u32>;

    /// Those of these messages of a session that are there now. It may name fewer than there are, and never more.
    async fn present(&self, scope: &Scope, session: &str, ids: &[String]) -> Result<Vec<String>>;

    /// Is this message there now?
    async fn has(&self, scope: &Scope, session: &str, id: &str) -> Result<bool>;

    /// A page of a session's messages.
    async fn messages(
        &self,
        scope: &Scope,
        session: &str,
        after: Option<&str>,
        as_of: u64,
    ) -> Result<FeedPage>;

    /// What people said of the session's messages, oldest first.
    async fn feedback(&self, scope: &Scope, session: &str, as_of: u64) -> Result<Vec<Feedback>>;

    /// The database that was attached to the session: [`database_of`] it.
    async fn database(
        &self,
        scope: &Scope,
        session: &str,
        as_of: u64,
    ) -> Result<Option<Attachment>>;

    /// Names that the user's profile knows.
    async fn names(&self, scope: &Scope) -> Result<Vec<String>>;
}
