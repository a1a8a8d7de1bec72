//! A bucket, a clock, and writers that fill it as any host would.

use bytes::Bytes;
use half::f16;
use holdfast_core::clock::Skew;
use holdfast_core::erase::Ledger;
use holdfast_core::graves::Of;
use holdfast_core::message::{Message, MessageBody, MessageVectors, Role};
use holdfast_core::ports::{Clock, Ids, Objects, Outside, Page};
use holdfast_core::record::{Kind, Record, Stamp, Writer, WriterKind};
use holdfast_core::token::Frontier;
use holdfast_core::{Hlc, Key, Prefix, Result, Scope, SessionId, TenantId, UserId};
use holdfast_index::{Boosts, Bucket, Consistency, Index, Question, Reading, Settings};
use holdfast_journal::{
    Draft, Next, Pen, Rules, Step, Written, compact, erase, sweep, write, write_as,
};
use holdfast_objects::Memory;
use holdfast_view::{Limits, Portable};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::time::Duration;
use tokio::sync::Semaphore;

pub const SPACE: &str = "test/f32/8/cos";
const NOW: u64 = 1_774_000_000_000;

/// A store that several hosts share, which counts and may hold back.
#[derive(Clone)]
pub struct World {
    pub memory: Arc<Memory>,
    pub journal_lists: Arc<AtomicU64>,
    pub gets: Arc<AtomicU64>,
    others: Arc<AtomicU64>,
    bytes: Arc<AtomicU64>,
    pub gate: Arc<Semaphore>,
    ticks: Arc<AtomicU64>,
}

pub struct Time(Arc<AtomicU64>);

impl Clock for Time {
    fn now(&self) -> u64 {
        NOW + self.0.load(SeqCst)
    }

    async fn sleep(&self, milliseconds: u64) {
        tokio::time::sleep(Duration::from_millis(milliseconds)).await;
    }
}

/// Time that passes when somebody waits.
pub struct Jumping(Arc<AtomicU64>);

impl Clock for Jumping {
    fn now(&self) -> u64 {
        NOW + self.0.load(SeqCst)
    }

    async fn sleep(&self, milliseconds: u64) {
        self.0.fetch_add(milliseconds, SeqCst);
    }
}

pub struct Names(Arc<AtomicU64>);

impl Ids for Names {
    fn random(&self) -> [u8; 10] {
        let mut name = [0; 10];
        name[2..].copy_from_slice(&self.0.fetch_add(1, SeqCst).to_be_bytes());
        name
    }
}

impl Objects for World {
    async fn put(&self, key: &Key, bytes: Bytes) -> Result<()> {
        self.memory.put(key, bytes).await
    }

    async fn get(&self, key: &Key) -> Result<Option<Bytes>> {
        self.gets.fetch_add(1, SeqCst);
        let _open = self.gate.acquire().await.unwrap();
        self.counted(self.memory.get(key).await)
    }

    async fn get_range(&self, key: &Key, start: u64, length: u64) -> Result<Option<Bytes>> {
        self.others.fetch_add(1, SeqCst);
        self.counted(self.memory.get_range(key, start, length).await)
    }

    async fn list(&self, prefix: &Prefix, after: Option<&str>) -> Result<Page> {
        self.others.fetch_add(1, SeqCst);
        self.journal_lists.fetch_add(u64::from(prefix.as_str().contains("/wal/")), SeqCst);
        self.memory.list(prefix, after).await
    }

    async fn delete(&self, key: &Key) -> Result<()> {
        self.memory.delete(key).await
    }

    fn skew(&self) -> Skew {
        let mut skew = Skew::default();
        let now = NOW + self.ticks.load(SeqCst);
        skew.observe(now, now + 1, now);
        skew
    }
}

impl Bucket for World {}

impl World {
    pub fn new() -> Self {
        Self {
            memory: Arc::new(Memory::new()),
            journal_lists: Arc::default(),
            gets: Arc::default(),
            others: Arc::default(),
            bytes: Arc::default(),
            gate: Arc::new(Semaphore::new(1_000)),
            ticks: Arc::default(),
        }
    }

    /// A host over this store; nothing is polled in the background unless `change` says so.
    pub fn host(&self, change: impl FnOnce(&mut Settings)) -> Index {
        let hour = Duration::from_secs(3600);
        let mut settings = Settings { shards: 2, poll_first: hour, ..Settings::new(SPACE) };
        settings.poll_last = hour;
        settings.ledger = Some(ledger());
        settings.load_deadline = Duration::from_secs(60);
        change(&mut settings);
        let world = self.clone();
        Index::start(settings, Time(self.ticks.clone()), move || world.clone()).unwrap()
    }

    fn counted(&self, got: Result<Option<Bytes>>) -> Result<Option<Bytes>> {
        let bytes = got.as_ref().ok().and_then(Option::as_ref).map_or(0, Bytes::len);
        self.bytes.fetch_add(bytes as u64, SeqCst);
        got
    }

    /// Reads and lists so far, and the bytes that the reads gave.
    pub fn requests(&self) -> (u64, u64) {
        (self.gets.load(SeqCst) + self.others.load(SeqCst), self.bytes.load(SeqCst))
    }

    /// Writes one object of messages, as a host that knows `known`.
    pub async fn write(&self, user: &str, drafts: Vec<Draft>, known: &Frontier) -> Written {
        let by = Writer { kind: WriterKind::Service, key: "k1".to_owned() };
        self.ticks.fetch_add(10, SeqCst);
        let (clock, ids) = (Time(self.ticks.clone()), Names(self.ticks.clone()));
        let outside = Outside { objects: self, clock: &clock, ids: &ids };
        let scope = scope(user);
        let pen = Pen { scope: &scope, by, known, offset: 0 };
        write(&outside, pen, drafts).await.unwrap()
    }

    /// Writes what `records` makes of the moment, as a host that knows `known`.
    pub async fn write_as(
        &self,
        user: &str,
        records: impl FnOnce(&Stamp) -> Result<Vec<Record>>,
        known: &Frontier,
    ) -> Written {
        let by = Writer { kind: WriterKind::Service, key: "k1".to_owned() };
        self.ticks.fetch_add(10, SeqCst);
        let (clock, ids) = (Time(self.ticks.clone()), Names(self.ticks.clone()));
        let outside = Outside { objects: self, clock: &clock, ids: &ids };
        let scope = scope(user);
        let pen = Pen { scope: &scope, by, known, offset: 0 };
        write_as(&outside, pen, records).await.unwrap()
    }

    /// Time passes.
    pub fn pass(&self, milliseconds: u64) {
        self.ticks.fetch_add(milliseconds, SeqCst);
    }

    /// Writes one message with its vector, knowing nothing.
    pub async fn say(&self, user: &str, id: &str, text: &str) -> Written {
        self.write(user, vec![draft("s", id, text)], &Frontier::default()).await
    }

    /// Seals all that a user has.
    pub async fn seal(&self, user: &str) -> Step {
        let (clock, ids) = (Time(self.ticks.clone()), Names(self.ticks.clone()));
        let outside = Outside { objects: self, clock: &clock, ids: &ids };
        let rules = Rules { least_objects: 1, ..Rules::default() };
        self.memory.set_now(clock.now());
        compact(&outside, &scope(user), &ledger(), &rules).await.unwrap()
    }

    /// Erases the user; `told` gets the object as the index does. Gives what a reader has seen who has seen it.
    pub async fn erase(
        &self,
        user: &str,
        told: impl AsyncFnOnce(Vec<(String, Bytes)>),
    ) -> Frontier {
        let (clock, ids) = (Jumping(self.ticks.clone()), Names(self.ticks.clone()));
        let outside = Outside { objects: self, clock: &clock, ids: &ids };
        let by = Writer { kind: WriterKind::Service, key: "k1".to_owned() };
        let (scope, known) = (scope(user), Frontier::default());
        let pen = Pen { scope: &scope, by, known: &known, offset: 0 };
        let durable = async |written: &Written| told(object(written)).await;
        let erased = erase(&outside, &ledger(), pen, durable).await.unwrap();
        self.memory.set_now(clock.now());
        erased.1
    }

    /// Removes what was erased.
    pub async fn sweep(&self, user: &str) {
        let (clock, ids) = (Time(self.ticks.clone()), Names(self.ticks.clone()));
        let outside = Outside { objects: self, clock: &clock, ids: &ids };
        let by = Writer { kind: WriterKind::Service, key: "k1".to_owned() };
        while sweep(&outside, &ledger(), &scope(user), &by, &Rules::default()).await.unwrap()
            == Next::More
        {}
    }

    /// Removes what was sealed, as a collection would later.
    pub async fn remove_wal(&self) {
        for key in self.memory.keys().into_iter().filter(|key| key.contains("/wal/")) {
            self.memory.delete(&Key::raw(key)).await.unwrap();
        }
    }

    /// A clock of this world's time.
    pub fn clock(&self) -> Jumping {
        Jumping(self.ticks.clone())
    }

    /// The first hybrid time of this moment.
    pub fn now(&self) -> Hlc {
        Hlc::at(self.clock().now())
    }

    /// The portable index over this store, as an instance holds it.
    pub fn instance(&self, limits: Limits) -> Portable<World, Jumping> {
        Portable::new(self.clone(), Jumping(self.ticks.clone()), ledger(), SPACE, limits)
    }

    pub fn lists(&self) -> u64 {
        self.journal_lists.load(SeqCst)
    }
}

pub fn scope(user: &str) -> Scope {
    Scope { tenant: TenantId::parse("t").unwrap(), user: UserId::parse(user).unwrap() }
}

/// Where erases are recorded.
pub fn ledger() -> Ledger {
    Ledger::new("a secret of the installation")
}

pub fn said(text: &str) -> Message {
    Message { name: Some("Ada".to_owned()), ..Message::saying(Role::User, text) }
}

pub fn draft(session: &str, id: &str, text: &str) -> Draft {
    draft_of(session, id, said(text), vec![vectors(text, 0)])
}

pub fn draft_of(session: &str, id: &str, message: Message, vectors: Vec<MessageVectors>) -> Draft {
    let body = MessageBody::new(message, vectors).unwrap().encode().unwrap();
    let session = SessionId::parse(session).unwrap();
    Draft { kind: Kind::Message, id: id.to_owned(), session, body }
}

/// A tombstone of a message of the session, or of the session.
pub fn tombstone(of: Of, session: &str, id: &str) -> Draft {
    let body = of.encode().unwrap();
    let session = SessionId::parse(session).unwrap();
    Draft { kind: Kind::Tombstone, id: id.to_owned(), session, body }
}

/// A vector that depends on the words, and on `salt` as one model run differs from another.
pub fn vectors(text: &str, salt: u32) -> MessageVectors {
    let values: Vec<f16> =
        embed(text).iter().map(|v| f16::from_f32(v + salt as f32 / 64.0)).collect();
    MessageVectors { space: SPACE.to_owned(), chunks: vec![(0, text.len() as u32)], values }
}

pub fn embed(text: &str) -> Vec<f32> {
    let mut values = vec![0.1; 8];
    for word in text.split_whitespace() {
        let at =
            word.bytes().fold(7usize, |at, byte| at.wrapping_mul(31).wrapping_add(byte.into())) % 8;
        values[at] += 1.0;
    }
    values
}

pub fn ask(text: &str) -> Question {
    Question {
        text: text.to_owned(),
        vector: Some(embed(text)),
        space: Some(SPACE.to_owned()),
        boosts: Boosts::default(),
        limit: 10,
        reading: local(),
        ..Question::default()
    }
}

pub fn local() -> Reading {
    Reading { consistency: Consistency::Local, after: None, as_of: None }
}

pub fn latest() -> Reading {
    Reading { consistency: Consistency::Latest, after: None, as_of: None }
}

pub fn page(limit: u32) -> holdfast_index::Page {
    holdfast_index::Page { after: None, rank: None, limit, descending: false }
}

/// The object as a writer hands it to the index.
pub fn object(written: &Written) -> Vec<(String, Bytes)> {
    vec![(written.key.as_str().to_owned(), written.bytes.clone())]
}

/// Ids of a session's messages in order.
pub async fn ids(index: &Index, user: &str, reading: Reading) -> Result<Vec<String>> {
    let page = index.history(scope(user), "s".to_owned(), page(1_000), reading).await?;
    Ok(page.items.into_iter().map(|message| message.id).collect())
}

/// Waits, turn by turn, until `done`.
pub async fn until(mut done: impl AsyncFnMut() -> bool) {
    let wait = async {
        while !done().await {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), wait).await.expect("it never came to pass");
}

/// A world in which each object takes its time.
#[derive(Clone)]
pub struct Slow {
    pub world: World,
    pub each: u64,
}

impl Slow {
    /// The portable index over this store.
    pub fn instance(&self, limits: Limits) -> Portable<Slow, Jumping> {
        let clock = Jumping(self.world.ticks.clone());
        Portable::new(self.clone(), clock, ledger(), SPACE, limits)
    }
}

impl Objects for Slow {
    async fn put(&self, key: &Key, bytes: Bytes) -> Result<()> {
        self.world.put(key, bytes).await
    }

    async fn get(&self, key: &Key) -> Result<Option<Bytes>> {
        self.world.ticks.fetch_add(self.each, SeqCst);
        self.world.get(key).await
    }

    async fn get_range(&self, key: &Key, start: u64, length: u64) -> Result<Option<Bytes>> {
        self.world.get_range(key, start, length).await
    }

    async fn list(&self, prefix: &Prefix, after: Option<&str>) -> Result<Page> {
        self.world.list(prefix, after).await
    }

    async fn delete(&self, key: &Key) -> Result<()> {
        self.world.delete(key).await
    }

    fn skew(&self) -> Skew {
        self.world.skew()
    }
}
