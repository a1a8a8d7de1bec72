//! Decoders and damaged bytes: whatever lies in the bucket or comes with a request, decoding answers, says `corrupt` or
//! `invalid`, and takes no more memory than a frame may.
//!
//! The corpus is what is written rightly: the golden files, and what is made here of each kind. It is changed as fuzzers do
//! (bits, runs, numbers, pieces of other files), below the compression too. `PROPTEST_CASES=1000000` runs longer; what fails is kept in
//! `hostile.proptest-regressions` and runs first from then on.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use holdfast_core::access::ApiKey;
use holdfast_core::arrival::Told;
use holdfast_core::attachment::Attachment;
use holdfast_core::cover::{Cover, Frame};
use holdfast_core::dirty::{Dirty, Swept};
use holdfast_core::erase::{Marker, Receipt, Sweep};
use holdfast_core::fold::View;
use holdfast_core::graves::Of;
use holdfast_core::key::{self, hash32};
use holdfast_core::manifest::Manifest;
use holdfast_core::memory::Memory;
use holdfast_core::message::MessageBody;
use holdfast_core::record::{Record, WalObject};
use holdfast_core::retention::UserFields;
use holdfast_core::seal::{NONCE, Sealed, SealingKey};
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
use std::sync::{LazyLock, Mutex, PoisonError};

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
fn stored<T>(decode: impl FnOnce() -> Result<T>) -> Option<T> {
    answered(Case::Corrupt, decode)
}

/// What a caller sends and cannot be read is the caller's to change.
fn sent<T>(decode: impl FnOnce() -> Result<T>) -> Option<T> {
    answered(Case::Invalid, decode)
}

fn answered<T>(case: Case, decode: impl FnOnce() -> Result<T>) -> Option<T> {
    let (answer, took) = measured(decode);
    assert!(took < MOST, "{took} bytes of memory");
    match answer {
        Ok(read) => Some(read),
        Err(error) => {
            assert_eq!(error.case, case, "{error}");
            None
        }
    }
}

/// An answer, and the memory that it took: of the whole process, so one is measured at a time.
fn measured<T>(decode: impl FnOnce() -> T) -> (T, usize) {
    static ALONE: Mutex<()> = Mutex::new(());
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    MEMORY.reset_peak_usage();
    let before = MEMORY.current_usage();
    let answer = decode();
    (answer, MEMORY.peak_usage().saturating_sub(before))
}

fn scope() -> Scope {
    Scope { tenant: TenantId::parse("acme").unwrap(), user: UserId::parse("ann").unwrap() }
}

fn bodies(record: &Record) {
    let Some(body) = &record.body else { return };
    stored(|| MessageBody::decode(body));
    stored(|| SessionFields::decode(body));
    if let Some(body) = stored(|| ThingBody::decode(body)) {
        thing(&body.text);
    }
    stored(|| Of::decode(body));
    stored(|| UserFields::decode(body.get()));
}

fn thing(text: &str) {
    stored(|| Memory::read(text));
    let Some(attachment) = stored(|| Attachment::read(text)) else { return };
    let pieces = |from, to| stored(|| attachment.pieces(&scope(), from, to));
    if let Some(all) = pieces(0, attachment.size) {
        assert_eq!(all.iter().map(|piece| piece.length).sum::<u64>(), attachment.size);
    }
    pieces(attachment.size / 2, u64::MAX);
}

/// The things of the golden records, each as it stands in its record.
fn things() -> Vec<Vec<u8>> {
    let all = [files("things-v1"), files("attachment-v1")].concat();
    let all = all.iter().flat_map(|bytes| WalObject::decode(bytes).unwrap().records);
    let all = all.filter_map(|record| ThingBody::decode(record.body.as_ref()?).ok());
    let all: Vec<Vec<u8>> = all.map(|body| body.text.as_bytes().to_vec()).collect();
    let read = |text: &[u8]| std::str::from_utf8(text).unwrap().to_owned();
    assert!(all.iter().any(|text| Memory::read(&read(text)).is_ok()));
    assert!(all.iter().any(|text| Attachment::read(&read(text)).is_ok()));
    all
}

/// What the first of some bytes is followed by, with more between them.
fn after(bytes: &[u8], first: &str, more: &str) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(bytes).unwrap();
    let at = text.find(first)? + first.len();
    Some([&text[..at], more, &text[at..]].concat().into_bytes())
}

/// A Zstandard frame of zeros in runs, in a window of 128 KiB: its head does not say how many they are.
fn bomb(bytes: u64) -> Vec<u8> {
    const RUN: u64 = 64 << 10;
    let mut frame = vec![0x28, 0xb5, 0x2f, 0xfd, 0x00, 7 << 3];
    for left in (0..bytes / RUN).rev() {
        let head = RUN << 3 | 1 << 1 | u64::from(left == 0);
        frame.extend_from_slice(&head.to_le_bytes()[..3]);
        frame.push(0);
    }
    frame
}

#[test]
fn a_frame_of_more_than_a_frame_may_hold_is_refused_before_it_is_unpacked() {
    assert!(unpacked(&bomb(1 << 20)) == vec![0; 1 << 20], "it is a frame like another");
    let segment = &files("segment-v1")[0];
    for bytes in [65 << 20, 2 << 30] {
        let bomb = bomb(bytes);
        let refused = |what: &str, answer: &dyn Fn() -> Result<()>| {
            let (answer, took) = measured(answer);
            assert_eq!(answer.unwrap_err().case, Case::Corrupt, "{what}");
            assert!(took < 512 << 20, "{what}: {took} bytes of memory for {bytes}");
        };
        refused("a cover", &|| Cover::decode(&bomb).map(drop));
        let length = (bomb.len() as u64).to_le_bytes();
        let tail = [&bomb[..], &length, b"hfseg01\n"].concat();
        refused("a cover in a segment", &|| cover_within(&tail).map(drop));
        let (at, bytes) = (segment.len() as u64, bomb.len() as u64);
        let frame = || Frame { at, bytes, hash: hash32(&bomb) };
        let long = [&segment[..], &bomb].concat();
        let mut cover = cover_within(segment).unwrap();
        cover.sessions.truncate(1);
        cover.sessions[0].vectors = Some(frame());
        refused("vectors", &|| open(&long, &cover).map(drop));
        cover.sessions[0].texts = frame();
        refused("texts", &|| open(&long, &cover).map(drop));
    }
}

#[test]
fn json_of_any_depth_is_read_or_refused() {
    for depth in [100, 200, 100_000] {
        let deep = format!("\"deep\":{}{},", "[".repeat(depth), "]".repeat(depth));
        let maps = format!("\"deep\":{}1{},", "{\"a\":".repeat(depth), "}".repeat(depth));
        for more in [&deep, &maps] {
            let within = |named: &str, first: &str| -> Vec<Vec<u8>> {
                files(named).iter().filter_map(|bytes| after(bytes, first, more)).collect()
            };
            for first in
                ["{", "\"body\":{", "\"thing\":{", "\"kind\":\"message\",", "\"vectors\":[{"]
            {
                for bytes in within(".jsonl", first) {
                    let Some(object) = stored(|| WalObject::decode(&bytes)) else { continue };
                    object.records.iter().for_each(bodies);
                }
            }
            for bytes in within("manifest-v1", "{") {
                stored(|| Manifest::decode(&bytes));
            }
            for bytes in within(".json", "{") {
                stored(|| Marker::decode(&bytes));
                stored(|| Sweep::decode(&bytes));
                stored(|| Receipt::decode(&bytes));
                stored(|| Dirty::decode(&bytes));
                stored(|| Swept::decode(&bytes));
            }
            let cover = after(&unpacked(&files("cover-v1")[0]), "{", more).unwrap();
            stored(|| Cover::decode(&packed(&cover)));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases.max(4_000), ..ProptestConfig::default() })]

    #[test]
    fn a_damaged_object_of_records_is_read_or_refused(bytes in of(files(".jsonl"))) {
        let Some(object) = stored(|| WalObject::decode(&bytes)) else { return Ok(()) };
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
        let within = stored(|| cover_within(&bytes));
        let cover = cover_within(&files("segment-v1")[0]).unwrap();
        stored(|| open(&bytes, &cover));
        if let Some(cover) = within {
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
        if let Some(cover) = stored(|| Cover::decode(&packed(&json))) {
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
            sent(|| holdfast_core::clock::parse_rfc3339(text));
            if let Some(order) = sent(|| Order::parse(text)) {
                prop_assert_eq!(order.to_string(), text);
            }
            if let Some(user) = sent(|| UserId::parse(text)) {
                prop_assert_eq!(user.as_str(), text);
            }
            // None of the corpus was made with this secret.
            let key = answered(Case::Denied, || ApiKey::parse(text, b"root secret"));
            prop_assert!(key.is_none(), "{text}");
            if let Some(key) = ApiKey::parse_unchecked(text) {
                prop_assert_eq!(key.reveal(), text);
            }
            if let Some(key) = holdfast_core::Key::below(&key::user(&scope()), text) {
                let _ = (key.part(), key.hash(), key::name(&scope(), &key).len());
            }
        }
    }

    #[test]
    fn a_damaged_memory_or_attachment_is_read_or_refused(bytes in of(things())) {
        thing(&String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn a_damaged_sealed_value_is_refused(changes in changes()) {
        let key = SealingKey::parse(&"5a".repeat(32)).unwrap().unwrap();
        let right = key.seal(&scope(), "pin", [7; NONCE], "1234").unwrap();
        prop_assert_eq!(key.open(&scope(), "pin", &right).unwrap(), "1234");
        let json = changed(serde_json::to_vec(&right).unwrap(), &changes);
        let Ok(sealed) = serde_json::from_slice::<Sealed>(&json) else { return Ok(()) };
        // One that names another key waits for that.
        let case = if sealed.key == right.key { Case::Corrupt } else { Case::Unavailable };
        let opened = answered(case, || key.open(&scope(), "pin", &sealed));
        prop_assert_eq!(opened.is_some(), sealed == right);
    }
}
