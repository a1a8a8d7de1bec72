//! What tending one user's journal keeps in memory, whatever that user's size: every step fits an instance of 64 MiB.
//!
//! The journals are made up, because one of a million objects takes long to write: segments of full size whose covers name
//! many WAL objects, lists of those that are still there, and records as short as people write them. One test, because the memory of the whole process is
//! measured. `HOLDFAST_MEMORY_NAMES=3000000` has more names.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use bytes::Bytes;
use futures::executor::block_on;
use holdfast_core::clock::Skew;
use holdfast_core::erase::Ledger;
use holdfast_core::manifest::{Entry, Manifest};
use holdfast_core::message::{Message, MessageBody, MessageVectors, Role};
use holdfast_core::ports::{Clock, Ids, Listed, Objects, Outside, Page};
use holdfast_core::record::{Header, Kind, Line, Record, Stamp, WalObject, Writer};
use holdfast_core::{Hlc, Key, Prefix, Result, Scope, SessionId, TenantId, UserId, key, segment};
use holdfast_journal::{Compaction, Next, Rules, collect, compact, mend};
use peak_alloc::PeakAlloc;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::fs::File;
use std::ops::Bound;
use std::os::unix::fs::FileExt;
use ulid::Ulid;

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// An instance has 64 MiB; what the component itself takes is less than this of them.
const MOST: usize = 56 << 20;
const DAY: u64 = 86_400_000;
const NOW: u64 = 1_774_000_000_000;
/// WAL objects that one segment of full size covers here.
const OF_ONE: usize = 60_000;

/// A bucket in one file that is only written at its end: its bytes are not in memory.
struct Bucket {
    file: File,
    end: Cell<u64>,
    /// Where each object begins, its bytes and its age.
    objects: RefCell<BTreeMap<String, (u64, u64, u64)>>,
    now: Cell<u64>,
    names: Cell<u64>,
}

impl Bucket {
    fn new() -> Self {
        Self {
            file: tempfile::tempfile().unwrap(),
            end: Cell::new(0),
            objects: RefCell::default(),
            now: Cell::new(NOW),
            names: Cell::new(0),
        }
    }

    fn add(&self, key: &Key, bytes: &[u8], modified: u64) {
        let (at, length) = (self.end.get(), bytes.len() as u64);
        self.file.write_all_at(bytes, at).unwrap();
        self.end.set(at + length);
        self.objects.borrow_mut().insert(key.as_str().to_owned(), (at, length, modified));
    }

    /// Lists an object that nobody reads.
    fn list_only(&self, name: &str, modified: u64) {
        let key = key::named(&scope(), name).unwrap();
        self.objects.borrow_mut().insert(key.as_str().to_owned(), (0, 500, modified));
    }

    fn outside(&self) -> Outside<'_, Self, Self, Self> {
        Outside { objects: self, clock: self, ids: self }
    }

    /// Puts a segment and its cover.
    fn seal(&self, lines: Vec<Line>, wal: Vec<String>, tier: u32, texts: u64) -> Entry {
        let ulid = |name: &String| Ulid::from_string(&name[13..39]).unwrap();
        let (oldest, newest) = (ulid(wal.iter().min().unwrap()), ulid(wal.iter().max().unwrap()));
        let records = lines.len() as u64;
        let sealed = segment::seal(lines, wal, Vec::new()).unwrap();
        let named = self.fresh(newest.timestamp_ms());
        let seg = key::segment_object(&scope(), named, &sealed.segment);
        let cov = key::cover_object(&scope(), named, &sealed.bytes_of_cover);
        self.add(&seg, &sealed.segment, newest.timestamp_ms());
        self.add(&cov, &sealed.bytes_of_cover, newest.timestamp_ms());
        let name = |key: &Key| key::name(&scope(), key).to_owned();
        let bytes = sealed.segment.len() as u64;
        let (seg, cov, idx, purged) = (name(&seg), name(&cov), None, None);
        let unknown = serde_json::Map::new();
        Entry { seg, cov, idx, bytes, records, texts, tier, oldest, newest, purged, unknown }
    }

    fn publish(&self, at: u64, segments: Vec<Entry>) {
        let mut manifest = Manifest::new(at, at, Vec::new(), Vec::new());
        manifest.segments = segments;
        let bytes = manifest.encode().unwrap();
        self.add(&key::manifest_object(&scope(), self.fresh(at), &bytes), &bytes, at);
    }

    /// Puts WAL objects that nothing covers yet.
    fn write(&self, objects: usize) {
        for number in 0..objects as u64 {
            let at = NOW - 20 * 60_000 + number;
            let empty = WalObject { header: Header::default(), records: Vec::new() };
            let text = record(at, number, "s");
            let bytes = [&empty.encode().unwrap(), text.as_bytes(), b"\n"].concat();
            self.add(&key::wal_object(&scope(), self.fresh(at), &bytes), &bytes, at);
        }
    }

    fn fresh(&self, at: u64) -> Ulid {
        self.names.set(self.names.get() + 1);
        Ulid::from_parts(at, u128::from(self.names.get()))
    }
}

impl Objects for Bucket {
    async fn put(&self, key: &Key, bytes: Bytes) -> Result<()> {
        self.add(key, &bytes, self.now());
        Ok(())
    }

    async fn get(&self, key: &Key) -> Result<Option<Bytes>> {
        let found = self.objects.borrow().get(key.as_str()).copied();
        Ok(found.map(|(at, length, _)| {
            let mut bytes = vec![0; length as usize];
            self.file.read_exact_at(&mut bytes, at).unwrap();
            bytes.into()
        }))
    }

    async fn get_range(&self, key: &Key, start: u64, length: u64) -> Result<Option<Bytes>> {
        let whole = self.get(key).await?;
        Ok(whole.map(|bytes| bytes.slice(start as usize..(start + length) as usize)))
    }

    async fn list(&self, prefix: &Prefix, after: Option<&str>) -> Result<Page> {
        let objects = self.objects.borrow();
        let from = match after {
            Some(after) => Bound::Excluded(after.to_owned()),
            None => Bound::Included(prefix.as_str().to_owned()),
        };
        let below = objects.range((from, Bound::Unbounded));
        let below = below.take_while(|(key, _)| key.starts_with(prefix.as_str()));
        let listed = below.take(1_000).map(|(key, (_, size, modified))| {
            let (key, size, modified) = (key.clone(), *size, *modified);
            Listed { key, size, modified }
        });
        let objects: Vec<Listed> = listed.collect();
        let next = objects.get(999).map(|last| last.key.clone());
        Ok(Page { objects, next })
    }

    async fn delete(&self, key: &Key) -> Result<()> {
        self.objects.borrow_mut().remove(key.as_str());
        Ok(())
    }

    fn skew(&self) -> Skew {
        Skew::default()
    }
}

impl Clock for Bucket {
    fn now(&self) -> u64 {
        self.now.get()
    }

    async fn sleep(&self, milliseconds: u64) {
        self.now.set(self.now.get() + milliseconds);
    }
}

impl Ids for Bucket {
    fn random(&self) -> [u8; 10] {
        self.names.set(self.names.get() + 1);
        let mut random = [0xFF; 10];
        random[2..].copy_from_slice(&self.names.get().to_be_bytes());
        random
    }
}

fn scope() -> Scope {
    Scope { tenant: TenantId::parse("t").unwrap(), user: UserId::parse("u").unwrap() }
}

fn ledger() -> Ledger {
    Ledger::new("a secret of the installation")
}

/// The name of the WAL object with this number, of this time.
fn name(at: u64, number: u64) -> String {
    let ulid = Ulid::from_parts(at, u128::from(number) << 40 | 7);
    let key = key::wal_object(&scope(), ulid, &number.to_le_bytes());
    key::name(&scope(), &key).to_owned()
}

/// The record of a short message of the session, as it lies in a WAL object.
fn record(at: u64, number: u64, session: &str) -> String {
    // Words that do not repeat: what a segment packs is not nothing.
    let said = key::hash32(&number.to_le_bytes());
    format!(
        "{{\"v\":1,\"kind\":\"message\",\"id\":\"{number:020}\",\"at\":\"{:016x}\",\"by\":\"service/k\",\"session\":\"{session}\",\
         \"body\":{{\"digest\":\"{said}{said}\",\"message\":{{\"role\":\"user\",\"content\":\"{said}\"}}}}}}",
        at << 16
    )
}

/// Peak of what this takes beyond what was held before, in bytes.
fn peak<T>(what: impl FnOnce() -> T) -> (usize, T) {
    let before = MEMORY.current_usage();
    MEMORY.reset_peak_usage();
    let result = what();
    (MEMORY.peak_usage() - before, result)
}

/// `names` WAL objects that segments of full size cover, `listed` of which are still there, and 2,000 that are not sealed.
fn many_names(names: usize, listed: usize) -> Bucket {
    let bucket = Bucket::new();
    let ages = 400 * DAY;
    let at = |number: usize| NOW - ages + ages * number as u64 / names as u64;
    let mut entries = Vec::new();
    for from in (0..names).step_by(OF_ONE) {
        let until = (from + OF_ONE).min(names);
        let wal: Vec<String> = (from..until).map(|one| name(at(one), one as u64)).collect();
        let text = record(at(from), from as u64, "s");
        let line = Line::read(Ulid::from_string(&wal[0][13..39]).unwrap(), 0, &text).unwrap();
        for (number, name) in (from..until).zip(&wal) {
            if number >= names - listed {
                bucket.list_only(name, at(number));
            }
        }
        entries.push(bucket.seal(vec![line], wal, 5, 28 << 20));
    }
    bucket.publish(NOW - 8 * DAY, entries.clone());
    bucket.publish(NOW - 30 * 60_000, entries);
    bucket.write(2_000);
    bucket
}

/// A backlog of so many objects.
fn unsealed(objects: usize) -> Bucket {
    let bucket = Bucket::new();
    bucket.write(objects);
    bucket
}

/// As many segments as are merged, all of one session, together as large as a segment may be.
fn to_be_merged(record: impl Fn(u64, u64) -> String) -> Bucket {
    let (bucket, rules) = (Bucket::new(), Rules::default());
    let each = rules.segment_bytes / rules.tier as u64;
    let (mut entries, mut number) = (Vec::new(), 0);
    for _ in 0..rules.tier {
        let (mut lines, mut wal, mut texts, mut weight) = (Vec::new(), Vec::new(), 0, 0);
        loop {
            number += 1;
            let at = NOW - 20 * DAY + number;
            let text = record(at, number);
            weight += text.len() as u64 + 256;
            if weight > each {
                break;
            }
            texts += text.len() as u64;
            wal.push(name(at, number));
            let ulid = Ulid::from_string(&wal[wal.len() - 1][13..39]).unwrap();
            lines.push(Line::read(ulid, 0, &text).unwrap());
        }
        entries.push(bucket.seal(lines, wal, 3, texts));
    }
    bucket.publish(NOW - 30 * 60_000, entries);
    bucket
}

/// A message with three vectors of 384 components.
fn with_vectors(at: u64, number: u64) -> String {
    let values = (0..3 * 384).map(|one| half::f16::from_f32((number * 31 + one) as f32 % 7.3));
    let chunks = vec![(0, 100), (100, 200), (200, 300)];
    let vectors = MessageVectors { space: "s".to_owned(), chunks, values: values.collect() };
    let said = key::hash32(&number.to_le_bytes()).repeat(10);
    let body = MessageBody::new(Message::saying(Role::User, &said), vec![vectors]).unwrap();
    let (by, at) = (Writer::parse("service/k").unwrap(), Hlc::at(at));
    let stamp = Stamp { at, by };
    let session = SessionId::parse("s").unwrap();
    let id = number.to_string();
    let record = Record::new(Kind::Message, &id, &session, &stamp, body.encode().unwrap());
    serde_json::to_string(&record).unwrap()
}

#[test]
fn tending_a_journal_of_any_size_fits_an_instance() {
    let names = std::env::var("HOLDFAST_MEMORY_NAMES").ok().map_or(600_000, |n| n.parse().unwrap());
    let (rules, mut all) = (Rules::default(), Vec::new());
    let mib = |bytes: usize| bytes as f64 / f64::from(1 << 20);
    for (names, listed) in [(names / 10, 20_000), (names, 20_000), (names, 100_000)] {
        let bucket = many_names(names, listed);
        let (of_compact, step) =
            peak(|| block_on(compact(&bucket.outside(), &scope(), &ledger(), &rules)).unwrap());
        assert_eq!(step.sealed, 2_000);
        let (of_collect, collected) =
            peak(|| block_on(collect(&bucket.outside(), &scope(), &ledger(), &rules)).unwrap());
        assert!(collected.removed > 0, "{collected:?}");
        println!(
            "{names} names, {listed} listed: compact {:.1} MiB, collect {:.1} MiB",
            mib(of_compact),
            mib(of_collect)
        );
        all.extend([of_compact, of_collect]);
    }
    let short = |at, number| record(at, number, "s");
    for (what, bucket) in
        [("short messages", to_be_merged(short)), ("vectors", to_be_merged(with_vectors))]
    {
        let (of_merge, step) =
            peak(|| block_on(compact(&bucket.outside(), &scope(), &ledger(), &rules)).unwrap());
        assert_eq!((step.merged, step.next), (rules.tier, Next::More));
        let (of_mend, step) =
            peak(|| block_on(mend(&bucket.outside(), &scope(), &ledger(), &rules)).unwrap());
        assert_eq!(step.corrupt, []);
        println!("{what}: merge {:.1} MiB, mend {:.1} MiB", mib(of_merge), mib(of_mend));
        all.extend([of_merge, of_mend]);
    }
    let bucket = unsealed(names / 20);
    let (of_steps, sealed) = peak(|| {
        let (outside, scope, ledger) = (bucket.outside(), scope(), ledger());
        block_on(async {
            let opened = Compaction::open(&outside, &scope, &ledger, &rules).await.unwrap();
            let (mut run, mut sealed) = (opened.unwrap(), 0);
            loop {
                let step = run.step(&outside).await.unwrap();
                sealed += step.sealed;
                if step.next == Next::Done {
                    return sealed;
                }
            }
        })
    });
    assert_eq!(sealed, names / 20);
    println!("{sealed} uncovered: all steps {:.1} MiB", mib(of_steps));
    all.push(of_steps);
    assert!(all.iter().all(|bytes| *bytes <= MOST), "more than {MOST}: {all:?}");
}
