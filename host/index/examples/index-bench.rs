//! Measures the native index over a bucket in memory: load, search, memory, and what a write costs.
//!
//! `cargo run -p holdfast-index --example index-bench -- 10000 100000`
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a measurement")]

use bytes::Bytes;
use cpu_time::ProcessTime;
use half::f16;
use holdfast_core::clock::Skew;
use holdfast_core::message::{Message, MessageBody, MessageVectors, Role};
use holdfast_core::ports::{Clock, Ids, Objects, Outside, Page};
use holdfast_core::record::{Kind, Writer, WriterKind};
use holdfast_core::token::Frontier;
use holdfast_core::{Key, Prefix, Result, Scope, SessionId, TenantId, UserId};
use holdfast_index::{Bucket, Consistency, Index, Question, Reading, Settings};
use holdfast_journal::{Draft, Pen, Written, write};
use holdfast_objects::Memory;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::time::{Duration, Instant, SystemTime};

const SPACE: &str = "bench/f32/384/cos";
const DIMENSIONS: usize = 384;
const BATCH: usize = 100;
const QUERIES: usize = 200;

#[derive(Clone)]
struct Store(Arc<Memory>);

struct Now;

#[derive(Default)]
struct Names(AtomicU64);

#[tokio::main(flavor = "current_thread")]
async fn main() {
    for messages in std::env::args().skip(1).filter_map(|arg| arg.parse::<usize>().ok()) {
        measure(messages).await;
    }
}

async fn measure(messages: usize) {
    let (store, mut talk) = (Store(Arc::new(Memory::new())), Talk::new());
    for start in (0..messages).step_by(BATCH) {
        talk.write(&store, start, BATCH.min(messages - start)).await;
    }
    let clone = store.clone();
    let settings = Settings { load_deadline: Duration::from_secs(600), ..Settings::new(SPACE) };
    let index = Index::start(settings, Now, move || clone.clone()).unwrap();
    let (before, begun, worked) = (resident(), Instant::now(), ProcessTime::now());
    index.participants(scope()).await.unwrap();
    let (loaded, worked) = (begun.elapsed(), worked.elapsed());
    println!(
        "{messages} messages: loaded in {:.0} ms, {:.0} ms of CPU",
        loaded.as_secs_f64() * 1e3,
        worked.as_secs_f64() * 1e3
    );
    let questions: Vec<Question> = (0..QUERIES).map(|_| talk.question()).collect();
    let times = ask(&index, &questions).await;
    let grown = resident().saturating_sub(before) as f64 / 1_048_576.0;
    let counted = index.status().await.unwrap().bytes as f64 / 1_048_576.0;
    report("search, local, warm", times);
    println!(
        "  memory: {grown:.0} MiB grown, {counted:.0} MiB by its own count, {:.1} MiB per 10,000",
        grown * 10_000.0 / messages as f64
    );
    let latest = |question: &Question| {
        let reading = Reading { consistency: Consistency::Latest, after: None, as_of: None };
        Question { reading, ..question.clone() }
    };
    report(
        "search, latest, warm",
        ask(&index, &questions.iter().map(latest).collect::<Vec<_>>()).await,
    );
    let scoped = |question: &Question| {
        let filter = Some("{\"role\":{\"eq\":\"assistant\"}}".to_owned());
        Question { filter, ..question.clone() }
    };
    report(
        "search, by role, warm",
        ask(&index, &questions.iter().map(scoped).collect::<Vec<_>>()).await,
    );
    let (mut upserts, mut worked) = (Vec::new(), Duration::ZERO);
    for number in 0..QUERIES {
        let written = talk.write(&store, messages + number, 1).await;
        let (begun, cpu) = (Instant::now(), ProcessTime::now());
        let object = vec![(written.key.as_str().to_owned(), written.bytes)];
        index.upsert(scope(), object).await.unwrap();
        upserts.push(begun.elapsed());
        worked += cpu.elapsed();
    }
    report("upsert of one message", (upserts, worked));
    index.shutdown().await;
}

async fn ask(index: &Index, questions: &[Question]) -> (Vec<Duration>, Duration) {
    let (mut times, worked) = (Vec::new(), ProcessTime::now());
    for question in questions {
        let begun = Instant::now();
        let recall = index.search(scope(), question.clone()).await.unwrap();
        times.push(begun.elapsed());
        assert_eq!(recall.hits.len(), 10);
    }
    (times, worked.elapsed())
}

fn report(what: &str, (mut times, worked): (Vec<Duration>, Duration)) {
    times.sort_unstable();
    let at =
        |share: usize| times[(times.len() * share / 100).min(times.len() - 1)].as_secs_f64() * 1e3;
    let cpu = worked.as_secs_f64() * 1e3 / times.len() as f64;
    println!("  {what}: p50 {:.2} ms, p95 {:.2} ms, CPU {cpu:.2} ms", at(50), at(95));
}

fn resident() -> usize {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    text.split(' ')
        .nth(1)
        .and_then(|pages| pages.parse().ok())
        .map_or(0, |pages: usize| pages * 4096)
}

fn scope() -> Scope {
    Scope { tenant: TenantId::parse("t").unwrap(), user: UserId::parse("u").unwrap() }
}

/// Seeded talk of four people: 30 words a message, frequent words often, vectors in clusters.
struct Talk {
    random: StdRng,
    centres: Vec<Vec<f32>>,
    names: Names,
}

impl Talk {
    fn new() -> Self {
        let mut random = StdRng::seed_from_u64(5);
        let centre = |_| (0..DIMENSIONS).map(|_| random.random_range(-1.0..1.0)).collect();
        let centres = (0..300).map(centre).collect();
        Self { random, centres, names: Names::default() }
    }

    fn text(&mut self, words: usize) -> String {
        let word = |_| {
            let rank = (40.0 / self.random.random_range(0.00005..1.0f64)) as u64;
            format!("{}{}", ["ka", "lo", "mi", "ter"][(rank % 4) as usize], rank * 7919 % 20_011)
        };
        (0..words).map(word).collect::<Vec<_>>().join(" ")
    }

    fn vector(&mut self) -> Vec<f32> {
        let at = self.random.random_range(0..self.centres.len());
        self.centres[at].iter().map(|c| c + self.random.random_range(-0.8..0.8)).collect()
    }

    async fn write(&mut self, store: &Store, start: usize, count: usize) -> Written {
        let drafts = (start..start + count).map(|number| self.draft(number)).collect();
        let by = Writer { kind: WriterKind::Service, key: "k".to_owned() };
        let outside = Outside { objects: store, clock: &Now, ids: &self.names };
        let (scope, known) = (scope(), Frontier::default());
        let pen = Pen { scope: &scope, by, known: &known, offset: 0 };
        write(&outside, pen, drafts).await.unwrap()
    }

    fn draft(&mut self, number: usize) -> Draft {
        let text = self.text(30);
        let message = Message {
            role: if number.is_multiple_of(2) { Role::User } else { Role::Assistant },
            content: Some(text.clone()),
            blocks: None,
            name: Some(["Ada", "Boris", "Chen", "Dana"][number % 4].to_owned()),
            parent_id: None,
            event_time: None,
            metadata: Some(format!("{{\"topic\":\"t{}\"}}", number % 9)),
            extra: None,
            tool_calls: None,
            tool_call_id: None,
            external_id: None,
            original: None,
        };
        let values = self.vector().into_iter().map(f16::from_f32).collect();
        let chunks = vec![(0, text.len() as u32)];
        let vectors = vec![MessageVectors { space: SPACE.to_owned(), chunks, values }];
        let body = MessageBody::new(message, vectors).unwrap().encode().unwrap();
        let session = SessionId::parse(&format!("s{}", number / 200)).unwrap();
        Draft { kind: Kind::Message, id: format!("message-{number}"), session, body }
    }

    fn question(&mut self) -> Question {
        let text = format!("What did Ada say about {}?", self.text(6));
        let reading = Reading { consistency: Consistency::Local, after: None, as_of: None };
        let vector = Some(self.vector());
        Question {
            text,
            vector,
            space: Some(SPACE.to_owned()),
            limit: 10,
            reading,
            ..Question::default()
        }
    }
}

impl Clock for Now {
    fn now(&self) -> u64 {
        let since = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
        u64::try_from(since.as_millis()).unwrap_or(0)
    }

    async fn sleep(&self, milliseconds: u64) {
        tokio::time::sleep(Duration::from_millis(milliseconds)).await;
    }
}

impl Ids for Names {
    fn random(&self) -> [u8; 10] {
        let mut name = [0; 10];
        name[2..].copy_from_slice(&self.0.fetch_add(1, SeqCst).to_be_bytes());
        name
    }
}

impl Bucket for Store {}

impl Objects for Store {
    async fn put(&self, key: &Key, bytes: Bytes) -> Result<()> {
        self.0.put(key, bytes).await
    }

    async fn get(&self, key: &Key) -> Result<Option<Bytes>> {
        self.0.get(key).await
    }

    async fn get_range(&self, key: &Key, start: u64, length: u64) -> Result<Option<Bytes>> {
        self.0.get_range(key, start, length).await
    }

    async fn list(&self, prefix: &Prefix, after: Option<&str>) -> Result<Page> {
        self.0.list(prefix, after).await
    }

    async fn delete(&self, key: &Key) -> Result<()> {
        self.0.delete(key).await
    }

    fn skew(&self) -> Skew {
        Skew::default()
    }
}
