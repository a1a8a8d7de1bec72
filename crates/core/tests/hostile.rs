//! Decoders and damaged bytes: whatever lies in the bucket or comes with a request, decoding answers, says `corrupt` or
//! `invalid`, and takes no more memory than a frame may.
//!
//! The corpus is what is written rightly: the golden files, and what is made here of each kind. It is changed as fuzzers do
//! (bits, runs, numbers, pieces of other files), below the compression too. `PROPTEST_CASES=1000000` runs longer; what fails is kept in
//! `hostile.proptest-regressions` and runs first from then on.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use holdfast_core::access::ApiKey;
use holdfast_core::arrival::Told;
use holdfast_core::cover::{Cover, Frame};
use holdfast_core::dirty::{Dirty, Swept};
use holdfast_core::erase::{Marker, Receipt, Sweep};
use holdfast_core::fold::View;
use holdfast_core::graves::Of;
use holdfast_core::key::{self, hash32};
use holdfast_core::manifest::Manifest;
use holdfast_core::message::MessageBody;
use holdfast_core::record::{Record, WalObject};
use holdfast_core::retention::UserFields;
use holdfast_core::segment::{cover_within, open};
use holdfast_core::session::SessionFields;
use holdfast_core::thing::ThingBody;
use holdfast_core::token::Signer;
use holdfast_core::{Case, Hlc, Order, Result, Scope, TenantId, UserId};
use peak_alloc::PeakAlloc;
use proptest::prelude::*;
use ruzstd::decoding::StreamingDecoder;
use ruzstd::encoding::{CompressionLevel, compress_to_vec};
use std::io::Read;
use std::sync::LazyLock;

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// A frame may unpack to 64 MiB, which grow by doubling and are read as text once more.
const MOST: usize = 192 << 20;
const NOW: u64 = 1_774_000_000_000;

/// Everything that is written rightly, each file under its name.
static CORPUS: LazyLock<Vec<(String, Vec<u8>)>> = LazyLock::new(|| {
    let mut files = Vec::new();
    for folder in ["records", "sealed", "hostile"] {
        let folder = format!("{}/tests/{folder}", env!("CARGO_MANIFEST_DIR"));
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if name != "README.md" {
                files.push((name, std::fs::read(path).unwrap()));
            }
        }
    }
    files.sort();
    files
});

fn files(named: &str) -> Vec<Vec<u8>> {
    let found = CORPUS.iter().filter(|(name, _)| name.contains(named));
    let found: Vec<Vec<u8>> = found.map(|(_, bytes)| bytes.clone()).collect();
    assert!(!found.is_empty(), "no file of the corpus is called {named}");
    found
}

/// One change of some bytes.
#[derive(Debug, Clone)]
enum Change {
    Flip(usize, u8),
    Cut(usize, usize),
    Repeat(usize, usize, usize),
    Insert(usize, Vec<u8>),
    /// Digits from here on become these.
    Number(usize, &'static str),
    /// A piece of another file.
    Splice(usize, usize, usize, usize),
}

fn change() -> impl Strategy<Value = Change> {
    let place = || any::<usize>();
    let words = [
        &b"{\"v\":1,"[..],
        b"\"v\":2",
        b"null",
        b"[[[[[[[[",
        b"{\"a\":{\"a\":{\"a\":",
        b"\n",
        b"\0",
        b"\\u0000",
        b"\\ud800",
        b"\xff\xfe",
        b"../",
        b"-1",
        b"1e999",
    ];
    let words = words.map(<[u8]>::to_vec);
    let numbers = [
        "0",
        "-1",
        "4294967295",
        "4294967296",
        "9223372036854775808",
        "18446744073709551615",
        "1e400",
    ];
    prop_oneof![
        4 => (place(), any::<u8>()).prop_map(|(at, with)| Change::Flip(at, with)),
        2 => (place(), 1..64_usize).prop_map(|(at, length)| Change::Cut(at, length)),
        1 => (place(), place()).prop_map(|(at, length)| Change::Cut(at, length)),
        1 => (place(), 1..64_usize, 2..40_usize).prop_map(|(at, length, times)| Change::Repeat(at, length, times)),
        3 => (place(), prop::sample::select(words.to_vec())).prop_map(|(at, with)| Change::Insert(at, with)),
        2 => (place(), prop::sample::select(numbers.to_vec())).prop_map(|(at, with)| Change::Number(at, with)),
        2 => (place(), place(), place(), 1..400_usize).prop_map(|(at, file, from, length)| Change::Splice(at, file, from, length)),
    ]
}

fn changes() -> impl Strategy<Value = Vec<Change>> {
    prop::collection::vec(change(), 0..6)
}

fn changed(mut bytes: Vec<u8>, changes: &[Change]) -> Vec<u8> {
    for change in changes {
        let length = bytes.len();
        let place = |at: usize| at % (length + 1);
        match change {
            Change::Flip(at, with) if length > 0 => bytes[at % length] = *with,
            Change::Flip(..) => {}
            Change::Cut(at, cut) => {
                let at = place(*at);
                bytes.drain(at..at.saturating_add(*cut).min(length));
            }
            Change::Repeat(at, run, times) => {
                let at = place(*at);
                let run = bytes[at..(at + run).min(length)].repeat(*times);
                bytes.splice(at..at, run);
            }
            Change::Insert(at, with) => {
                let at = place(*at);
                bytes.splice(at..at, with.iter().copied());
            }
            Change::Number(at, with) => {
                let from = bytes[place(*at)..].iter().position(u8::is_ascii_digit);
                let Some(from) = from.map(|from| place(*at) + from) else { continue };
                let digits = bytes[from..].iter().take_while(|byte| byte.is_ascii_digit()).count();
                bytes.splice(from..from + digits, with.bytes());
            }
            Change::Splice(at, file, from, piece) => {
                let at = place(*at);
                let file = &CORPUS[file % CORPUS.len()].1;
                let from = from % (file.len() + 1);
                bytes.splice(at..at, file[from..(from + piece).min(file.len())].iter().copied());
            }
        }
    }
    bytes
}

/// Right bytes of these, changed.
fn of(corpus: Vec<Vec<u8>>) -> impl Strategy<Value = Vec<u8>> {
    (prop::sample::select(corpus), changes()).prop_map(|(bytes, changes)| changed(bytes, &changes))
}

/// Right bytes of these, changed below the compression.
fn within(corpus: Vec<Vec<u8>>) -> impl Strategy<Value = Vec<u8>> {
    of(corpus.iter().map(|bytes| unpacked(bytes)).collect()).prop_map(|bytes| packed(&bytes))
}

fn packed(bytes: &[u8]) -> Vec<u8> {
    compress_to_vec(bytes, CompressionLevel::Fastest)
}

fn unpacked(frame: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    StreamingDecoder::new(frame).unwrap().read_to_end(&mut bytes).unwrap();
    bytes
}

/// What is stored and cannot be read is `corrupt`, and never needs more memory than a frame may.
fn stored<T>(decode: impl FnOnce() -> Result<T>) {
    answered(Case::Corrupt, decode);
}

/// What a caller sends and cannot be read is the caller's to change.
fn sent<T>(decode: impl FnOnce() -> Result<T>) {
    answered(Case::Invalid, decode);
}

fn answered<T>(case: Case, decode: impl FnOnce() -> Result<T>) {
    MEMORY.reset_peak_usage();
    let before = MEMORY.current_usage();
    let answer = decode();
    let took = MEMORY.peak_usage().saturating_sub(before);
    assert!(took < MOST, "{took} bytes of memory");
    if let Err(error) = answer {
        assert_eq!(error.case, case, "{error}");
    }
}

fn scope() -> Scope {
    Scope { tenant: TenantId::parse("acme").unwrap(), user: UserId::parse("ann").unwrap() }
}

fn bodies(record: &Record) {
    let Some(body) = &record.body else { return };
    stored(|| MessageBody::decode(body));
    stored(|| SessionFields::decode(body));
    stored(|| ThingBody::decode(body));
    stored(|| Of::decode(body));
    stored(|| UserFields::decode(body.get()));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases.max(4_000), ..ProptestConfig::default() })]

    #[test]
    fn a_damaged_object_of_records_is_read_or_refused(bytes in of(files(".jsonl"))) {
        stored(|| WalObject::decode(&bytes));
        let Ok(object) = WalObject::decode(&bytes) else { return Ok(()) };
        object.records.iter().for_each(bodies);
        let order = |(position, record)| (record, WalObject::order(record, ulid::Ulid(7), position));
        stored(|| View::default().apply((0..).zip(&object.records).map(order)));
        if let Ok(again) = object.encode() {
            prop_assert_eq!(WalObject::decode(&again).unwrap().records.len(), object.records.len());
        }
    }

    #[test]
    fn a_damaged_cover_is_read_or_refused(bytes in prop_oneof![of(files("cover-v1")), within(files("cover-v1"))]) {
        stored(|| Cover::decode(&bytes));
    }

    #[test]
    fn a_damaged_segment_is_read_or_refused(bytes in of(files("segment-v1"))) {
        stored(|| cover_within(&bytes));
        let cover = cover_within(&files("segment-v1")[0]).unwrap();
        stored(|| open(&bytes, &cover));
        if let Ok(cover) = cover_within(&bytes) {
            stored(|| open(&bytes, &cover));
        }
    }

    /// Frames whose hashes are right, and whose content is not.
    #[test]
    fn a_segment_of_damaged_frames_is_read_or_refused(texts in changes(), vectors in changes(), head in changes()) {
        let segment = &files("segment-v1")[0];
        let mut cover = cover_within(segment).unwrap();
        let mut damaged = Vec::new();
        let mut put = |frame: &mut Frame, changes: &[Change]| {
            let (from, length) = (frame.at as usize, frame.bytes as usize);
            let content = changed(unpacked(&segment[from..from + length]), changes);
            let bytes = packed(&content);
            *frame = Frame { at: damaged.len() as u64, bytes: bytes.len() as u64, hash: hash32(&bytes) };
            damaged.extend(bytes);
        };
        for session in &mut cover.sessions {
            put(&mut session.texts, &texts);
            if let Some(frame) = &mut session.vectors {
                put(frame, &vectors);
            }
        }
        stored(|| open(&damaged, &cover));
        let json = changed(serde_json::to_vec(&cover).unwrap(), &head);
        if let Ok(cover) = Cover::decode(&packed(&json)) {
            stored(|| open(&damaged, &cover));
        }
    }

    #[test]
    fn a_damaged_manifest_is_read_or_refused(bytes in of(files("manifest-v1"))) {
        stored(|| Manifest::decode(&bytes));
    }

    #[test]
    fn a_damaged_mark_receipt_or_list_is_read_or_refused(
        bytes in of([files("marker"), files("sweep"), files("receipt"), files("dirty"), files("swept")].concat())
    ) {
        stored(|| Marker::decode(&bytes));
        stored(|| Sweep::decode(&bytes));
        stored(|| Receipt::decode(&bytes));
        stored(|| Dirty::decode(&bytes).map(|dirty| dirty.users()));
        stored(|| Swept::decode(&bytes));
    }

    #[test]
    fn a_damaged_token_or_cursor_is_refused(changes in changes(), hlc: u64, rank: u32) {
        let (scope, order) = (scope(), Order::parse("019d0aa3cc000000-01KM5EGVGQB9798ZFAA40HCXA8-000000").unwrap());
        let signer = Signer::new(b"root secret", &scope);
        let prefix = key::user(&scope);
        let frontier = holdfast_core::token::Frontier {
            hlc: Hlc(hlc),
            head: Some(format!("{}man/x.json", prefix.as_str())),
            keys: vec![format!("{}wal/20260320/1.jsonl", prefix.as_str())],
        };
        let damage = |text: &str| String::from_utf8_lossy(&changed(text.as_bytes().to_vec(), &changes)).into_owned();
        let (token, cursor) = (signer.after(&frontier), signer.cursor("q", order, rank));
        for (right, text) in [(&token, damage(&token)), (&cursor, damage(&cursor))] {
            let known = *right == text;
            prop_assert!(known || signer.read_after(&text, NOW).is_err() && signer.read_cursor("q", &text).is_err());
            sent(|| signer.read_after(&text, NOW));
            sent(|| signer.read_cursor("q", &text));
            sent(|| signer.read_place("changes", &text));
        }
    }

    #[test]
    fn a_damaged_place_order_or_key_is_read_or_refused(bytes in of(files("texts"))) {
        let text = String::from_utf8_lossy(&bytes);
        for text in text.lines() {
            sent(|| Told::parse(text));
            let _ = (Order::parse(text), ApiKey::parse(text, b"root secret"), ApiKey::parse_unchecked(text));
            let _ = (UserId::parse(text), holdfast_core::clock::parse_rfc3339(text));
            if let Some(key) = holdfast_core::Key::below(&key::user(&scope()), text) {
                let _ = (key.part(), key.hash(), key::name(&scope(), &key).len());
            }
        }
    }
}
