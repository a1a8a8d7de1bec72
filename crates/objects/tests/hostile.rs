//! Damaged answers of a store: XML that is not what a store would say is no list, and nothing outside what was asked for
//! reaches the caller or is removed. `PROPTEST_CASES` runs more of them, `HOLDFAST_TEST_SEED` others.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod support;

use futures::executor::block_on;
use holdfast_core::ports::Objects;
use holdfast_core::{Case, Key, Prefix};
use http::{Method, Response};
use support::{KEY, Step, bench};

const LIST: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>b</Name><Prefix>p/</Prefix>
<IsTruncated>true</IsTruncated><EncodingType>url</EncodingType><NextContinuationToken>t&amp;1</NextContinuationToken>
<Contents><Key>p/a%2Fb+c</Key><LastModified>2026-01-01T00:00:00.000Z</LastModified><Size>7</Size></Contents>
<Contents><Key>p/d</Key><LastModified>2026-01-01T00:00:00Z</LastModified><Size>0</Size></Contents></ListBucketResult>"#;
const VERSIONS: &str = r"<ListVersionsResult><IsTruncated>false</IsTruncated><EncodingType>url</EncodingType>
<DeleteMarker><Key>p/a</Key><VersionId>3</VersionId><IsLatest>true</IsLatest></DeleteMarker>
<Version><Key>p/a</Key><VersionId>2</VersionId><IsLatest>false</IsLatest></Version></ListVersionsResult>";
const ERROR: &str =
    "<Error><Code>NoSuchKey</Code><Message>a &lt; b</Message><Region>eu</Region></Error>";
const PIECES: &[&str] = &[
    "<",
    ">",
    "</",
    "/>",
    "&",
    "&#0;",
    "&#x110000;",
    "&lt;",
    "<![CDATA[",
    "]]>",
    "<!--",
    "<!DOCTYPE a [<!ENTITY b \"c\">]>",
    "<Key>",
    "</Key>",
    "</Contents>",
    "<Size>-1</Size>",
    "<Size>18446744073709551616</Size>",
    "%",
    "%ff",
    "../",
    "\0",
    "é",
    "<Code>SlowDown</Code>",
    "<Code>AuthenticationLockout</Code>",
];

fn number(name: &str, or: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(or)
}

/// Marsaglia's xorshift: enough to choose what to break.
struct Dice(u64);

impl Dice {
    fn below(&mut self, most: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 11).unwrap() % most.max(1)
    }

    fn damaged(&mut self, text: &str) -> Vec<u8> {
        let mut bytes = text.as_bytes().to_vec();
        for _ in 0..=self.below(4) {
            let at = self.below(bytes.len() + 1);
            match self.below(5) {
                0 if at < bytes.len() => bytes[at] ^= 1 << self.below(8),
                1 => drop(bytes.drain(at..(at + self.below(40)).min(bytes.len()))),
                2 => {
                    let run = bytes[at..(at + self.below(60)).min(bytes.len())].repeat(3);
                    drop(bytes.splice(at..at, run));
                }
                3 => bytes.truncate(at),
                _ => drop(bytes.splice(at..at, PIECES[self.below(PIECES.len())].bytes())),
            }
        }
        bytes
    }
}

/// Runs a test with so many damaged copies of an answer; how many of them it took for whole.
fn each(text: &str, mut test: impl FnMut(Step) -> bool) -> (u64, u64) {
    let cases = number("PROPTEST_CASES", 4_000).max(4_000);
    let mut taken = 0;
    for case in 0..cases {
        let seed = number("HOLDFAST_TEST_SEED", 1).wrapping_mul(1 << 32).wrapping_add(case + 1);
        let mut dice = Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        let body = dice.damaged(text);
        taken += u64::from(test(Step::Answer(Response::new(body.into()))));
    }
    (taken, cases - taken)
}

#[test]
fn a_damaged_list_is_no_list_or_holds_only_what_was_asked_for() {
    let (taken, refused) = each(LIST, |answer| {
        let bench = bench([answer]);
        match block_on(bench.store.list(&Prefix::raw("p/"), Some("p/a"))) {
            Ok(page) => {
                let keys: Vec<&str> = page.objects.iter().map(|object| &*object.key).collect();
                assert!(keys.iter().all(|key| key.starts_with("p/") && *key > "p/a"), "{keys:?}");
                assert!(keys.windows(2).all(|pair| pair[0] < pair[1]), "{keys:?}");
                assert!(page.next.is_none() || page.next.as_deref() == keys.last().copied());
                true
            }
            Err(error) => {
                assert_eq!(error.case, Case::Unavailable, "{error}");
                false
            }
        }
    });
    assert!(taken > 0 && refused > 0, "{taken} taken, {refused} refused");
}

#[test]
fn a_damaged_list_of_versions_removes_nothing_outside_the_prefix() {
    let (taken, refused) = each(VERSIONS, |answer| {
        let status = "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>";
        let bench = bench([Step::Answer(Response::new(status.into())), answer]);
        let purged = block_on(bench.store.purge(&Prefix::raw("p/")));
        if let Err(error) = purged {
            assert_eq!(error.case, Case::Unavailable, "{error}");
        }
        let seen = bench.script.seen.lock().unwrap();
        let removals = seen.iter().filter(|request| request.method() == Method::DELETE);
        let mut removed = false;
        for removal in removals {
            assert!(removal.uri().path().starts_with("/the-bucket/p/"), "{}", removal.uri());
            removed = true;
        }
        removed
    });
    assert!(taken > 0 && refused > 0, "{taken} taken, {refused} refused");
}

#[test]
fn a_damaged_error_is_an_error_still() {
    for status in [301_u16, 400, 403, 404, 409, 429, 500, 503] {
        each(ERROR, |answer| {
            let Step::Answer(mut answer) = answer else { return false };
            *answer.status_mut() = status.try_into().unwrap();
            let bench = bench([Step::Answer(answer)]);
            match block_on(bench.store.get(&Key::raw(KEY))) {
                Ok(read) => assert!(read.is_none(), "an error is no object"),
                Err(error) => assert_eq!(error.case, Case::Unavailable, "{error}"),
            }
            true
        });
    }
}
