//! A store, a clock and fresh names in one: the store counts and records, and may be slow by the clock.

use bytes::Bytes;
use holdfast_core::message::{Message, MessageBody, Role};
use holdfast_core::ports::{Clock, Ids, Objects, Outside, Page};
use holdfast_core::record::{Kind, Writer, WriterKind};
use holdfast_core::token::Frontier;
use holdfast_core::{Key, Prefix, Result, Scope, SessionId, TenantId, UserId, key};
use holdfast_journal::{Draft, Journal, Pen, Written, list, write};
use holdfast_objects::Memory;
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use ulid::Ulid;

/// 2026-03-20T09:46:40Z in Unix milliseconds.
pub const NOW: u64 = 1_774_000_000_000;
pub const MINUTE: u64 = 60_000;
pub const DAY: u64 = 86_400_000;

/// Everything outside.
pub struct World {
    pub memory: Memory,
    pub now: Cell<u64>,
    /// Milliseconds that the next PUTs take.
    pub delays: RefCell<VecDeque<u64>>,
    /// Every PUT's key and bytes.
    pub puts: RefCell<Vec<(Key, Bytes)>>,
    /// Prefix and start of every LIST.
    pub lists: RefCell<Vec<(String, Option<String>)>>,
    names: Cell<u64>,
}

impl World {
    pub fn new() -> Self {
        Self {
            memory: Memory::new(),
            now: Cell::new(NOW),
            delays: RefCell::default(),
            puts: RefCell::default(),
            lists: RefCell::default(),
            names: Cell::new(0),
        }
    }

    pub fn outside(&self) -> Outside<'_, Self, Self, Self> {
        Outside { objects: self, clock: self, ids: self }
    }

    /// Writes messages as one object, each with its text for id.
    pub async fn store(&self, known: &Frontier, texts: &[&str]) -> Result<Written> {
        let pen = Pen { scope: &scope(), by: writer(), known, offset: 0 };
        write(&self.outside(), pen, texts.iter().map(|text| draft(text)).collect()).await
    }

    /// Puts an object of this time that names `prev` and holds no record, as another writer might.
    pub async fn empty(&self, at: u64, prev: &[&str]) -> Key {
        let prev = serde_json::to_string(prev).unwrap();
        self.raw(at, &format!("{{\"v\":1,\"prev\":{prev}}}\n")).await
    }

    /// Puts an object of these bytes under a name that fits.
    pub async fn raw(&self, at: u64, text: &str) -> Key {
        let bytes = Bytes::from(text.to_owned());
        self.names.set(self.names.get() + 1);
        let ulid = Ulid::from_parts(at, u128::from(self.names.get()));
        let key = key::wal_object(&scope(), ulid, &bytes);
        self.memory.put(&key, bytes).await.unwrap();
        key
    }

    /// Takes an object in; says what it wants.
    pub async fn absorb(&self, journal: &mut Journal, key: &Key) -> Vec<Key> {
        let bytes = self.memory.get(key).await.unwrap().unwrap();
        journal.absorb(key, &bytes).unwrap().wanted
    }

    /// A journal of all that a full list shows and that this names.
    pub async fn load(&self) -> Journal {
        let mut journal = Journal::new(scope());
        let mut wanted = list(self, &scope()).await.unwrap();
        while let Some(key) = wanted.pop() {
            wanted.extend(self.absorb(&mut journal, &key).await);
        }
        journal
    }
}

impl Objects for World {
    async fn put(&self, key: &Key, bytes: Bytes) -> Result<()> {
        self.puts.borrow_mut().push((key.clone(), bytes.clone()));
        self.now.set(self.now.get() + self.delays.borrow_mut().pop_front().unwrap_or(0));
        self.memory.put(key, bytes).await
    }

    async fn get(&self, key: &Key) -> Result<Option<Bytes>> {
        self.memory.get(key).await
    }

    async fn get_range(&self, key: &Key, start: u64, length: u64) -> Result<Option<Bytes>> {
        self.memory.get_range(key, start, length).await
    }

    async fn list(&self, prefix: &Prefix, after: Option<&str>) -> Result<Page> {
        self.lists.borrow_mut().push((prefix.as_str().to_owned(), after.map(str::to_owned)));
        self.memory.list(prefix, after).await
    }

    async fn delete(&self, key: &Key) -> Result<()> {
        self.memory.delete(key).await
    }
}

impl Clock for World {
    fn now(&self) -> u64 {
        self.now.get()
    }

    async fn sleep(&self, milliseconds: u64) {
        self.now.set(self.now.get() + milliseconds);
    }
}

impl Ids for World {
    fn random(&self) -> [u8; 10] {
        self.names.set(self.names.get() + 1);
        let mut random = [0; 10];
        random[2..].copy_from_slice(&self.names.get().to_be_bytes());
        random
    }
}

pub fn scope() -> Scope {
    Scope { tenant: TenantId::parse("t").unwrap(), user: UserId::parse("u").unwrap() }
}

pub fn session() -> SessionId {
    SessionId::parse("s").unwrap()
}

pub fn writer() -> Writer {
    Writer { kind: WriterKind::Service, key: "k".to_owned() }
}

/// The body of a message of the user that says `text`.
pub fn body(text: &str) -> MessageBody {
    let message = Message {
        role: Role::User,
        content: Some(text.to_owned()),
        blocks: None,
        name: None,
        parent_id: None,
        event_time: None,
        metadata: None,
        extra: None,
        tool_calls: None,
        tool_call_id: None,
        external_id: None,
        original: None,
    };
    MessageBody::new(message, Vec::new()).unwrap()
}

pub fn draft(text: &str) -> Draft {
    let body = body(text).encode().unwrap();
    Draft { kind: Kind::Message, id: text.to_owned(), session: session(), body }
}

/// Ids of all messages of the session, in order.
pub fn ids(journal: &Journal) -> Vec<String> {
    let (page, more) = journal.view().page("s", None, usize::MAX, false);
    assert!(!more);
    page.into_iter().map(|found| found.id).collect()
}
