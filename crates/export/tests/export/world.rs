//! Conversations that change while an export runs, a store in memory, and a clock that makes every step short.

use futures::executor::block_on;
use holdfast_core::attachment::{Attachment, Part};
use holdfast_core::message::{Message, Role};
use holdfast_core::ports::{Clock, Ids, Objects, Outside};
use holdfast_core::{Hlc, Key, Order, Result, Scope, TenantId, UserId, key};
use holdfast_export::{
    Asked, Feed, FeedPage, Feedback, Selection, Shown, Source, SourceSession, SourceSessions,
    advance, start,
};
use holdfast_formats::training::{Format, Manifest, Shares};
use holdfast_objects::Memory;
use serde_json::{Map, Value, json};
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

/// The secret of the installation.
pub const SECRET: &str = "a secret of the installation";

/// A clock on which every look takes five seconds: a step takes one session.
pub struct Slow(pub Cell<u64>);

impl Clock for Slow {
    fn now(&self) -> u64 {
        self.0.set(self.0.get() + 5_000);
        self.0.get()
    }

    async fn sleep(&self, _: u64) {}
}

pub struct Counted(pub Cell<u8>);

impl Ids for Counted {
    fn random(&self) -> [u8; 10] {
        self.0.set(self.0.get().wrapping_add(1));
        [self.0.get(); 10]
    }
}

/// One session of the conversations below.
#[derive(Clone)]
pub struct Talk {
    pub metadata: Map<String, Value>,
    pub messages: Vec<Message>,
}

/// Conversations that tests change while an export runs.
#[derive(Default)]
pub struct Talks {
    pub users: RefCell<BTreeMap<String, BTreeMap<String, Talk>>>,
    pub no_train: RefCell<Vec<String>>,
    /// What was said in sessions of this id; one good word of each answer where nothing stands here.
    pub said: RefCell<Vec<(String, Vec<Feedback>)>>,
    pub page: usize,
    /// Messages that were deleted, by user, session and id.
    pub deleted: RefCell<Vec<(String, String, String)>>,
    /// Attached to sessions, by user and session.
    pub databases: RefCell<BTreeMap<(String, String), Attachment>>,
}

impl Talks {
    pub fn with(users: usize, sessions: usize) -> Self {
        let talks = Self { page: 2, ..Self::default() };
        for user in 0..users {
            for session in 0..sessions {
                talks.add(&format!("user{user}"), &format!("s{session}"), json!({}));
            }
        }
        talks
    }

    pub fn add(&self, user: &str, session: &str, metadata: Value) {
        let Value::Object(metadata) = metadata else { unreachable!() };
        let messages = vec![
            Message::saying(
                Role::User,
                format!("question of {user} in {session}, mail {user}@x.example"),
            ),
            Message::saying(Role::Assistant, format!("answer to {user} in {session}")),
        ];
        let mut users = self.users.borrow_mut();
        users
            .entry(user.to_owned())
            .or_default()
            .insert(session.to_owned(), Talk { metadata, messages });
    }

    pub fn mark(&self, user: &str, session: &str) {
        let mut users = self.users.borrow_mut();
        let talk = users.get_mut(user).unwrap().get_mut(session).unwrap();
        talk.metadata.insert("no_train".to_owned(), true.into());
    }

    pub fn remove(&self, user: &str, session: &str) {
        self.users.borrow_mut().get_mut(user).unwrap().remove(session);
    }

    pub fn delete(&self, user: &str, session: &str, id: &str) {
        self.deleted.borrow_mut().push((user.to_owned(), session.to_owned(), id.to_owned()));
    }

    fn is_deleted(&self, user: &str, session: &str, id: &str) -> bool {
        self.deleted
            .borrow()
            .iter()
            .any(|(u, s, i)| (u.as_str(), s.as_str(), i.as_str()) == (user, session, id))
    }

    /// Ids of a session's messages.
    fn ids(&self, user: &str, session: &str) -> Vec<String> {
        let users = self.users.borrow();
        let talk = users.get(user).and_then(|all| all.get(session));
        let ids = (0..talk.map_or(0, |talk| talk.messages.len())).map(|at| format!("m{at}"));
        ids.filter(|id| !self.is_deleted(user, session, id)).collect()
    }

    pub fn erase(&self, user: &str) {
        self.users.borrow_mut().remove(user);
    }
}

fn shown(id: &str, talk: &Talk) -> SourceSession {
    let messages = u32::try_from(talk.messages.len()).unwrap();
    SourceSession { id: id.to_owned(), metadata: talk.metadata.clone(), messages }
}

impl Source for Talks {
    async fn next_user(&self, place: Option<&str>) -> Result<Option<(Option<Scope>, String)>> {
        let users = self.users.borrow();
        let next = users.keys().find(|user| place.is_none_or(|place| user.as_str() > place));
        Ok(next.map(|user| (Some(scope(user)), user.clone())))
    }

    async fn trains(&self, scope: &Scope) -> Result<bool> {
        Ok(!self.no_train.borrow().iter().any(|user| user == scope.user.as_str()))
    }

    async fn sessions(&self, scope: &Scope, after: Option<&str>, _: u64) -> Result<SourceSessions> {
        let users = self.users.borrow();
        let all = users.get(scope.user.as_str()).cloned().unwrap_or_default();
        let mut items: Vec<SourceSession> = all
            .iter()
            .filter(|(id, _)| after.is_none_or(|after| id.as_str() > after))
            .map(|(id, talk)| shown(id, talk))
            .take(self.page + 1)
            .collect();
        let more = items.len() > self.page;
        items.truncate(self.page);
        let next = items.last().filter(|_| more).map(|last| last.id.clone());
        Ok(SourceSessions { items, next })
    }

    async fn session(&self, scope: &Scope, id: &str) -> Result<Option<SourceSession>> {
        let users = self.users.borrow();
        Ok(users.get(scope.user.as_str()).and_then(|all| all.get(id)).map(|talk| shown(id, talk)))
    }

    async fn count(&self, scope: &Scope, session: &str, _: u64) -> Result<u32> {
        Ok(u32::try_from(self.ids(scope.user.as_str(), session).len()).unwrap())
    }

    /// Names the first only, as an index may that has not all at hand.
    async fn present(&self, scope: &Scope, session: &str, _: &[String]) -> Result<Vec<String>> {
        Ok(self.ids(scope.user.as_str(), session).into_iter().take(1).collect())
    }

    async fn has(&self, scope: &Scope, session: &str, id: &str) -> Result<bool> {
        Ok(self.ids(scope.user.as_str(), session).iter().any(|one| one == id))
    }

    async fn messages(
        &self,
        scope: &Scope,
        id: &str,
        after: Option<&str>,
        _: u64,
    ) -> Result<FeedPage> {
        let users = self.users.borrow();
        let talk = users.get(scope.user.as_str()).and_then(|all| all.get(id)).cloned();
        let all = talk.map(|talk| talk.messages).unwrap_or_default();
        let at: usize = after.map_or(0, |after| after.parse().unwrap());
        let feed = |(at, message): (usize, &Message)| Feed {
            id: format!("m{at}"),
            conflict_of: None,
            index: u32::try_from(at + 1).unwrap(),
            order: Order {
                hlc: Hlc::at(1_000),
                ulid: ulid::Ulid(1),
                position: u32::try_from(at).unwrap(),
            },
            trusted: true,
            message: message.clone(),
        };
        let there = |feed: &Feed| !self.is_deleted(scope.user.as_str(), id, &feed.id);
        let items = all.iter().enumerate().skip(at).take(1).map(feed).filter(there).collect();
        Ok(FeedPage { items, next: (at + 1 < all.len()).then(|| (at + 1).to_string()) })
    }

    async fn feedback(&self, _: &Scope, session: &str, _: u64) -> Result<Vec<Feedback>> {
        let said = self.said.borrow().iter().find(|(of, _)| of == session).cloned();
        let good =
            Feedback { message: "m1".into(), good: Some(true), better_answer: None, trusted: true };
        Ok(said.map_or_else(|| vec![good], |(_, said)| said))
    }

    async fn database(&self, scope: &Scope, id: &str, _: u64) -> Result<Option<Attachment>> {
        let name = (scope.user.to_string(), id.to_owned());
        Ok(self.databases.borrow().get(&name).cloned())
    }

    async fn names(&self, scope: &Scope) -> Result<Vec<String>> {
        Ok(vec![scope.user.to_string()])
    }
}

pub fn tenant() -> TenantId {
    TenantId::parse("acme").unwrap()
}

/// A database in the bucket, in parts of so many bytes.
pub fn attached(world: &World, talks: &Talks, user: &str, session: &str, parts: &[&[u8]]) {
    let put = |(at, bytes): (usize, &&[u8])| {
        let key = key::attachment_object(&scope(user), ulid::Ulid(at as u128 + 1), bytes);
        block_on(world.bucket.put(&key, bytes.to_vec().into())).unwrap();
        let name = key::name(&scope(user), &key).to_owned();
        Part { name, bytes: bytes.len() as u64 }
    };
    let (media_type, sha256) = ("application/vnd.sqlite3".to_owned(), String::new());
    let parts: Vec<Part> = parts.iter().enumerate().map(put).collect();
    let size = parts.iter().map(|part| part.bytes).sum();
    let attachment = Attachment { media_type, size, sha256, parts };
    talks.databases.borrow_mut().insert((user.to_owned(), session.to_owned()), attachment);
}

fn scope(user: &str) -> Scope {
    Scope { tenant: tenant(), user: UserId::parse(user).unwrap() }
}

pub fn asked(format: Format) -> Asked {
    Asked {
        v: 1,
        format,
        selection: Selection::default(),
        shares: Shares { validation: 300, test: 0 },
        seed: 7,
        anonymize: false,
        untrusted: false,
        as_of: 1_774_000_000_000,
        created: 1_774_000_000_000,
        by: "k".to_owned(),
        owner: None,
    }
}

/// The bucket and what stands around it.
pub struct World {
    pub bucket: Memory,
    clock: Slow,
    ids: Counted,
}

impl World {
    pub fn new() -> Self {
        let clock = Slow(Cell::new(1_774_000_000_000));
        Self { bucket: Memory::new(), clock, ids: Counted(Cell::new(0)) }
    }

    pub fn outside(&self) -> Outside<'_, Memory, Slow, Counted> {
        Outside { objects: &self.bucket, clock: &self.clock, ids: &self.ids }
    }

    pub fn start(&self, asked: Asked) -> String {
        block_on(start(&self.outside(), &tenant(), asked)).unwrap().id
    }

    pub fn step(&self, talks: &Talks, id: &str) -> Result<Shown> {
        block_on(advance(&self.outside(), talks, &tenant(), id, SECRET))
    }

    /// Steps until it is done, whatever fails on the way.
    pub fn finish(&self, talks: &Talks, id: &str) -> Manifest {
        for _ in 0..500 {
            if let Ok(Shown { manifest: Some(manifest), .. }) = self.step(talks, id) {
                return manifest;
            }
        }
        unreachable!("the export goes on and on");
    }

    /// Everything below the export, by name.
    pub fn files(&self, id: &str) -> BTreeMap<String, Vec<u8>> {
        let prefix = format!("v1/t/acme/exp/{id}/");
        let keys = self.bucket.keys().into_iter();
        let named = keys.filter_map(|key| Some((key.strip_prefix(&prefix)?.to_owned(), key)));
        named
            .map(|(name, key)| {
                (name, block_on(self.bucket.get(&Key::raw(key))).unwrap().unwrap().to_vec())
            })
            .collect()
    }

    pub fn text(&self, id: &str) -> String {
        let files = self.files(id).into_iter();
        files
            .map(|(name, bytes)| format!("{name}\n{}\n", String::from_utf8_lossy(&bytes)))
            .collect()
    }
}
