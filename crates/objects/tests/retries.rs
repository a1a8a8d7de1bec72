//! Every row of the retry table, seen from outside: how many requests, and what the caller is told.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod support;

use bytes::Bytes;
use futures::executor::block_on;
use holdfast_core::Key;
use holdfast_core::ports::{Clock, Objects};
use holdfast_objects::{Budget, Reach, Settings, Store};
use http::Response;
use std::sync::Arc;
use support::{
    BYTES, Bench, Dice, KEY, START, Step, StillClock, bench, bench_with, error, object, settings,
    stored,
};

fn put(bench: &Bench) -> holdfast_core::Result<()> {
    block_on(bench.store.put(&Key::raw(KEY), Bytes::from_static(BYTES)))
}

fn get(bench: &Bench) -> holdfast_core::Result<Option<Bytes>> {
    block_on(bench.store.get(&Key::raw(KEY)))
}

#[test]
fn a_passing_fault_is_tried_again_with_the_same_bytes_under_the_same_key() {
    let faults = [
        error(500, "InternalError"),
        error(502, ""),
        error(503, "SlowDown"),
        error(503, "Unavailable"),
        error(429, "TooManyRequests"),
        error(403, "RequestRateLimitExceeded"),
        error(410, "ConnectionClosed"),
        Step::Fails(Reach::NotSent),
        Step::Fails(Reach::Closed),
        Step::Fails(Reach::Unknown),
    ];
    for fault in faults {
        let bench = bench([fault, stored(BYTES)]);
        put(&bench).unwrap();
        let seen = bench.script.seen.lock().unwrap();
        assert_eq!(seen.len(), 2);
        assert_eq!((seen[0].uri(), seen[0].body()), (seen[1].uri(), seen[1].body()));
        assert_eq!(bench.store.stats().retries, 1);
    }
}

#[test]
fn a_refusal_is_told_after_one_request() {
    for (status, code) in [
        (403, "InvalidAccessKeyId"),
        (403, "SignatureDoesNotMatch"),
        (403, "AccessDenied"),
        (400, "ExpiredToken"),
        (501, "NotImplemented"),
        (404, ""),
        (404, "NoSuchBucket"),
        (301, "PermanentRedirect"),
        (307, "TemporaryRedirect"),
    ] {
        let bench = bench([error(status, code)]);
        assert_eq!(get(&bench).unwrap_err().reason, "store_refused", "{status} {code}");
        assert_eq!(bench.requests(), 1, "{status} {code}");
    }
}

#[test]
fn a_bucket_that_is_missing_or_elsewhere_is_named_with_its_place() {
    assert!(get(&bench([error(404, "NoSuchBucket")])).unwrap_err().detail.contains("the-bucket"));
    let redirect = Response::builder().status(301).header("x-amz-bucket-region", "ap-south-1");
    let bench = bench([Step::Answer(redirect.body(Bytes::new()).unwrap())]);
    assert!(get(&bench).unwrap_err().detail.contains("ap-south-1"));
}

#[test]
fn a_lockout_stops_all_requests_for_five_minutes() {
    let bench = bench([error(403, "AuthenticationLockout"), object(BYTES)]);
    assert_eq!(get(&bench).unwrap_err().retry_after, Some(300));
    bench.clock.0.lock().unwrap().0 += 299_000;
    let error = get(&bench).unwrap_err();
    assert_eq!((error.reason, error.retry_after, bench.requests()), ("store_refused", Some(1), 1));
    bench.clock.0.lock().unwrap().0 += 1000;
    assert_eq!(get(&bench).unwrap().unwrap(), BYTES);
}

#[test]
fn a_lockout_that_says_when_it_ends_is_believed_but_never_beyond_five_minutes() {
    for (says, lasts) in [("7", 7), ("0", 1), ("9000", 300), ("tomorrow", 300)] {
        let Step::Answer(mut answer) = error(403, "AuthenticationLockout") else { return };
        answer.headers_mut().insert("retry-after", says.parse().unwrap());
        let bench = bench([Step::Answer(answer), object(BYTES)]);
        assert_eq!(get(&bench).unwrap_err().retry_after, Some(lasts), "{says}");
        bench.clock.0.lock().unwrap().0 += u64::from(lasts) * 1000;
        assert!(get(&bench).is_ok(), "{says}");
    }
}

/// Two stores with one budget, before the same script.
fn pair(burst: u32, steps: impl IntoIterator<Item = Step>) -> [Bench; 2] {
    let (one, budget) = (bench(steps), Budget::new(burst));
    let store = || {
        let (script, clock) = (Arc::clone(&one.script), one.clock.clone());
        let store = Store::sharing(budget.clone(), settings(), script, clock, Dice(0x35));
        Bench { script: Arc::clone(&one.script), clock: one.clock.clone(), store: store.unwrap() }
    };
    [store(), store()]
}

#[test]
fn a_lockout_that_one_store_met_stops_every_store_that_shares_its_budget() {
    let [one, other] = pair(30, [error(403, "AuthenticationLockout"), object(BYTES)]);
    assert_eq!(get(&one).unwrap_err().reason, "store_refused");
    let error = get(&other).unwrap_err();
    assert_eq!(
        (error.reason, error.retry_after, other.requests()),
        ("store_refused", Some(300), 1)
    );
    one.clock.0.lock().unwrap().0 += 300_000;
    assert_eq!(get(&other).unwrap().unwrap(), BYTES);
}

/// A clock under which another call meets a lockout while this one sleeps.
struct Meanwhile(StillClock, Budget);

impl Clock for Meanwhile {
    fn now(&self) -> u64 {
        self.0.now()
    }

    async fn sleep(&self, milliseconds: u64) {
        self.1.lock(START + 300_000);
        self.0.sleep(milliseconds).await;
    }
}

#[test]
fn a_call_that_waits_to_try_again_stops_when_another_met_a_lockout() {
    let (bench, budget) = (bench([error(503, "SlowDown"), object(BYTES)]), Budget::new(30));
    let clock = Meanwhile(bench.clock.clone(), budget.clone());
    let script = Arc::clone(&bench.script);
    let store = Store::sharing(budget, settings(), script, clock, Dice(0x35)).unwrap();
    assert_eq!(block_on(store.get(&Key::raw(KEY))).unwrap_err().reason, "store_unavailable");
    assert_eq!(bench.requests(), 1);
}

#[test]
fn stores_that_share_a_budget_spend_one_burst() {
    let [one, other] = pair(5, []);
    for bench in [&one, &other].into_iter().cycle().take(200) {
        assert_eq!(put(bench).unwrap_err().reason, "store_unavailable");
    }
    let retries = one.store.stats().retries + other.store.stats().retries;
    assert!((20..=25).contains(&retries), "{retries}");
}

#[test]
fn a_skewed_clock_is_corrected_from_the_answer_and_the_request_signed_anew() {
    let Step::Answer(mut answer) = error(403, "RequestTimeTooSkewed") else { return };
    // 2026-03-20T10:46:40Z, an hour after our clock.
    answer.headers_mut().insert("date", "Fri, 20 Mar 2026 10:46:40 GMT".parse().unwrap());
    let bench = bench([Step::Answer(answer), stored(BYTES)]);
    put(&bench).unwrap();
    assert_eq!(bench.header(0, "x-amz-date"), "20260320T094640Z");
    assert_eq!(bench.header(1, "x-amz-date"), "20260320T104640Z");
    assert!(bench.store.now().abs_diff(START + 3_600_000) <= 1000);
    assert!(!bench.store.skew().trusted());
}

#[test]
fn a_clock_that_stays_skewed_is_told_as_the_clock() {
    let skewed = || error(403, "RequestTimeTooSkewed");
    let bench = bench([skewed(), skewed(), skewed()]);
    assert_eq!(put(&bench).unwrap_err().reason, "clock");
    assert_eq!(bench.requests(), 2);
}

#[test]
fn a_bad_digest_is_sent_once_more_and_then_told() {
    let bad = || error(400, "BadDigest");
    let bench = bench([bad(), bad(), stored(BYTES)]);
    assert_eq!(put(&bench).unwrap_err().reason, "store_refused");
    assert_eq!(bench.requests(), 2);
    let bench = support::bench([bad(), stored(BYTES)]);
    put(&bench).unwrap();
}

#[test]
fn a_put_is_durable_only_when_its_etag_is_the_md5_of_its_bytes() {
    let bench = bench([stored(b"other"), stored(BYTES)]);
    put(&bench).unwrap();
    assert_eq!(bench.requests(), 2);
    let bench = support::bench((0..9).map(|_| stored(b"other")));
    let error = put(&bench).unwrap_err();
    assert_eq!((error.reason, bench.requests()), ("outcome_unknown", 3));
    assert!(error.detail.contains("s3_etag_is_not_md5"));
}

#[test]
fn a_put_whose_last_attempt_failed_cleanly_stays_unknown_when_an_earlier_one_may_have_arrived() {
    for fault in [Step::Fails(Reach::Unknown), error(500, "InternalError"), Step::Hangs] {
        let bench = bench([fault, error(403, "AccessDenied")]);
        assert_eq!(put(&bench).unwrap_err().reason, "outcome_unknown");
    }
    let bench = bench([Step::Fails(Reach::NotSent), error(403, "AccessDenied")]);
    assert_eq!(put(&bench).unwrap_err().reason, "store_refused");
}

#[test]
fn a_call_ends_at_its_deadline_even_when_nothing_is_ever_answered() {
    let bench = bench((0..9).map(|_| Step::Hangs));
    assert_eq!(put(&bench).unwrap_err().reason, "outcome_unknown");
    assert_eq!(bench.clock.0.lock().unwrap().0 - START, 20_000);
    assert_eq!(bench.requests(), 2, "one request may take 10 s, a call 20 s");
}

#[test]
fn a_dead_pooled_connection_is_replaced_at_once() {
    let bench = bench([Step::Fails(Reach::Closed), object(BYTES)]);
    assert_eq!(get(&bench).unwrap().unwrap(), BYTES);
    assert!(bench.clock.0.lock().unwrap().1.is_empty());
}

#[test]
fn a_store_that_is_down_gets_at_most_one_retry_in_ten_requests_once_the_burst_is_spent() {
    let mut settings = settings();
    settings.policy.burst = 5;
    let bench = bench_with(settings, []);
    for _ in 0..205 {
        assert_eq!(put(&bench).unwrap_err().reason, "store_unavailable");
    }
    let stats = bench.store.stats();
    assert_eq!(stats.puts - stats.retries, 205);
    assert!((20..=26).contains(&stats.retries), "{stats:?}");
}

#[test]
fn a_get_that_differs_from_its_name_is_read_again_and_then_corrupt() {
    let bench = bench([object(b"wrong"), object(BYTES)]);
    assert_eq!(get(&bench).unwrap().unwrap(), BYTES);
    let bench = support::bench((0..9).map(|_| object(b"wrong")));
    let error = get(&bench).unwrap_err();
    assert_eq!((error.reason, bench.requests()), ("corrupt", 3));
    assert!(error.detail.contains(KEY));
}

#[test]
fn a_body_that_is_cut_off_is_read_again() {
    let cut = Response::builder().header("content-length", "10").body("0123".into()).unwrap();
    let bench = bench([Step::Answer(cut), object(b"0123456789")]);
    let whole = block_on(bench.store.get(&Key::raw("a"))).unwrap().unwrap();
    assert_eq!((&*whole, bench.requests()), (&b"0123456789"[..], 2));
}

#[test]
fn bytes_that_their_key_is_not_named_for_are_never_sent() {
    let bench = bench([]);
    let put = block_on(bench.store.put(&Key::raw(KEY), Bytes::from_static(b"other")));
    assert_eq!((put.unwrap_err().reason, bench.requests()), ("internal", 0));
}

#[test]
fn a_put_carries_its_hashes_and_length_and_no_checksum_that_wasabi_refuses() {
    let bench = bench([stored(BYTES)]);
    put(&bench).unwrap();
    assert_eq!(bench.header(0, "content-md5"), "ndTkYSaMgDT1yFZOFVxnpg==");
    assert_eq!(bench.header(0, "content-length"), "1");
    assert!(bench.header(0, "x-amz-content-sha256").starts_with("2d711642b726b044"));
    assert!(bench.header(0, "authorization").contains("SignedHeaders=content-md5;"));
    let seen = bench.script.seen.lock().unwrap();
    assert!(seen[0].headers().keys().all(|name| !name.as_str().starts_with("x-amz-checksum")));
}

#[test]
fn no_secret_is_in_an_error() {
    let settings = Settings { secret_key: "topsecret".into(), ..settings() };
    let error = get(&bench_with(settings, [error(403, "SignatureDoesNotMatch")])).unwrap_err();
    assert!(!format!("{error:?}").contains("topsecret"));
}
