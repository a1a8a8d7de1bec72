//! A store, a clock and fresh names in one: the store counts and records, and may be slow by the clock.

use bytes::Bytes;
use holdfast_core::clock::Skew;
use holdfast_core::erase::Ledger;
use holdfast_core::fold::Applied;
use holdfast_core::message::{Message, MessageBody, MessageVectors, Role};
use holdfast_core::ports::{Clock, Ids, Objects, Outside, Page, Purged};
use holdfast_core::record::{Kind, Writer, WriterKind};
use holdfast_core::token::Frontier;
use holdfast_core::{Case, Error, Key, Prefix, Result, Scope, SessionId, TenantId, UserId, key};
use holdfast_journal::{
    Collected, Draft, Journal, Next, Pen, Rules, Step, Written, collect, compact, list, open,
    settle, write,
};
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
    /// Every GET's key.
    pub gets: RefCell<Vec<Key>>,
    /// What the next purges answer.
    pub purges: RefCell<VecDeque<Purged>>,
    /// Calls until the machine dies; the one that it dies in may still be done.
    pub dies_after: Cell<Option<u64>>,
    /// The call that it dies in is done, though nobody hears of it.
    pub last_is_done: Cell<bool>,
    /// What the store's answers have said of the clock.
    pub skew: Cell<Skew>,
    /// What the answers to the next PUTs say of it.
    pub skews: RefCell<VecDeque<Skew>>,
    names: Cell<u64>,
}

/// All that a reader sees, and the vectors that came with it.
#[derive(Debug, PartialEq, Eq, Default)]
pub struct Seen {
    pub messages: Vec<String>,
    pub sessions: Vec<String>,
    pub vectors: Vec<String>,
}

impl World {
    pub fn new() -> Self {
        Self {
            memory: Memory::new(),
            now: Cell::new(NOW),
            delays: RefCell::default(),
            puts: RefCell::default(),
            lists: RefCell::default(),
            gets: RefCell::default(),
            purges: RefCell::default(),
            dies_after: Cell::new(None),
            last_is_done: Cell::new(false),
            skew: Cell::default(),
            skews: RefCell::default(),
            names: Cell::new(0),
        }
    }

    /// Moves the clock and the store's on.
    pub fn pass(&self, milliseconds: u64) {
        self.now.set(self.now.get() + milliseconds);
        self.memory.set_now(self.now.get());
    }

    /// A fresh reader: through manifests and segments.
    pub async fn read(&self) -> Result<(Journal, Seen)> {
        self.read_by(Rules::default()).await
    }

    pub async fn read_by(&self, rules: Rules) -> Result<(Journal, Seen)> {
        let journal = RefCell::new(Journal::with_rules(scope(), rules).with_ledger(&ledger()));
        loop {
            open(self, &journal, self.now.get()).await?;
            let seen = self.settle(&journal).await;
            if !journal.borrow_mut().renew_stale() {
                return Ok((journal.into_inner(), seen?));
            }
        }
    }

    /// Reads all that a journal owes.
    pub async fn settle(&self, journal: &RefCell<Journal>) -> Result<Seen> {
        let mut vectors = Vec::new();
        let sink = async |applied| {
            note_vectors(&journal.borrow(), applied, &mut vectors);
            Ok(())
        };
        settle(self, journal, self.now.get(), sink).await?;
        Ok(seen(&journal.borrow(), vectors))
    }

    /// What a reader sees that knows nothing of segments.
    pub async fn read_wal(&self) -> Seen {
        let (mut journal, mut vectors) = (Journal::new(scope()), Vec::new());
        for key in list(self, &scope()).await.unwrap() {
            let bytes = self.memory.get(&key).await.unwrap().unwrap();
            let applied = journal.absorb(&key, &bytes).unwrap().applied;
            note_vectors(&journal, applied, &mut vectors);
        }
        seen(&journal, vectors)
    }

    pub async fn compact(&self, rules: &Rules) -> Result<Step> {
        compact(&self.outside(), &scope(), &ledger(), rules).await
    }

    /// Compacts until there is nothing to do.
    pub async fn compact_all(&self, rules: &Rules) -> Vec<Step> {
        let mut steps = Vec::new();
        loop {
            let step = self.compact(rules).await.unwrap();
            let done = step.next == Next::Done;
            steps.push(step);
            if done {
                return steps;
            }
        }
    }

    pub async fn collect(&self, rules: &Rules) -> Result<Collected> {
        collect(&self.outside(), &scope(), &ledger(), rules).await
    }

    /// Keys of a part, as `wal`.
    pub fn keys_of(&self, part: &str) -> Vec<Key> {
        let keys = self.memory.keys().into_iter().map(Key::raw);
        keys.filter(|key| key.as_str().split('/').nth(5) == Some(part)).collect()
    }

    /// Counts a call; an error once the machine is dead. True when this is the call that it dies in and does.
    fn alive(&self) -> Result<bool> {
        let dead = || Error::because(Case::Unavailable, "store_unavailable", "the machine died");
        match self.dies_after.get() {
            None => Ok(false),
            Some(0) => Err(dead()),
            Some(left) => {
                self.dies_after.set(Some(left - 1));
                if left > 1 {
                    return Ok(false);
                }
                if self.last_is_done.get() { Ok(true) } else { Err(dead()) }
            }
        }
    }

    fn answered<T>(&self, dying: bool, answer: Result<T>) -> Result<T> {
        let dead = Error::because(Case::Unavailable, "outcome_unknown", "the machine died");
        if dying { Err(dead) } else { answer }
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
        let dying = self.alive()?;
        self.puts.borrow_mut().push((key.clone(), bytes.clone()));
        self.now.set(self.now.get() + self.delays.borrow_mut().pop_front().unwrap_or(0));
        self.skew.set(self.skews.borrow_mut().pop_front().unwrap_or(self.skew.get()));
        self.answered(dying, self.memory.put(key, bytes).await)
    }

    async fn get(&self, key: &Key) -> Result<Option<Bytes>> {
        self.alive()?;
        self.gets.borrow_mut().push(key.clone());
        self.memory.get(key).await
    }

    async fn get_range(&self, key: &Key, start: u64, length: u64) -> Result<Option<Bytes>> {
        self.memory.get_range(key, start, length).await
    }

    async fn list(&self, prefix: &Prefix, after: Option<&str>) -> Result<Page> {
        self.alive()?;
        self.lists.borrow_mut().push((prefix.as_str().to_owned(), after.map(str::to_owned)));
        self.memory.list(prefix, after).await
    }

    async fn delete(&self, key: &Key) -> Result<()> {
        let dying = self.alive()?;
        self.answered(dying, self.memory.delete(key).await)
    }

    async fn purge(&self, prefix: &Prefix) -> Result<Purged> {
        if *prefix == key::exports(&scope().tenant) {
            return Ok(Purged::default());
        }
        assert_eq!(prefix.as_str(), holdfast_core::key::user(&scope()).as_str());
        Ok(self.purges.borrow_mut().pop_front().unwrap_or_default())
    }

    fn skew(&self) -> Skew {
        self.skew.get()
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

/// Where erases are recorded.
pub fn ledger() -> Ledger {
    Ledger::new("a secret of the installation")
}

pub fn session() -> SessionId {
    SessionId::parse("s").unwrap()
}

pub fn writer() -> Writer {
    Writer { kind: WriterKind::Service, key: "k".to_owned() }
}

/// The body of a message of the user that says `text`.
pub fn body(text: &str) -> MessageBody {
    let message = Message::saying(Role::User, text);
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

fn note_vectors(journal: &Journal, applied: Vec<Applied>, all: &mut Vec<String>) {
    for change in applied {
        let (number, vectors): (u32, Vec<MessageVectors>) = match change {
            Applied::Message { number, body } => (number, body.vectors),
            Applied::Again { number, vectors, .. } => (number, vectors),
            _ => continue,
        };
        let Some(found) = journal.view().found(number) else { continue };
        let entry = found.entry;
        let what = format!("{}/{}/{:?}", entry.session, entry.id, entry.digest);
        all.extend(vectors.iter().map(|vectors| {
            let bits: Vec<u16> = vectors.values.iter().map(|value| value.to_bits()).collect();
            format!("{what} {} {:?} {bits:?}", vectors.space, vectors.chunks)
        }));
    }
}

fn seen(journal: &Journal, mut vectors: Vec<String>) -> Seen {
    let mut seen = Seen::default();
    let (sessions, _) = journal.view().sessions(None, usize::MAX, false);
    for session in sessions {
        seen.sessions.push(format!("{session:?}"));
        for found in journal.view().page(session.id, None, usize::MAX, false).0 {
            let entry = found.entry;
            seen.messages.push(format!(
                "{} {} {} {:?} {} {:?} {}",
                session.id,
                found.id,
                found.rank,
                found.conflict_of,
                entry.order,
                entry.by,
                entry.text
            ));
        }
    }
    vectors.sort();
    vectors.dedup();
    seen.vectors = vectors;
    seen
}
