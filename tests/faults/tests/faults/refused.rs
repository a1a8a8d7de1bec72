//! The store refuses the credentials, or locks them out: it is said at once, nothing storms, and all goes on afterwards; and what
//! a store that only ever says to slow down is asked.

use holdfast_core::key;
use holdfast_core::ports::Objects;
use holdfast_faults::{Acknowledged, Answer, Api, Call, Installation, Tally, insist, seed};
use holdfast_objects::{Policy, Settings};
use holdfast_ports::bucket;
use holdfast_servers::{Fault, Proxy, Rclone, Weather};
use std::time::{Duration, Instant};

const USERS: usize = 20;
const WRITES: usize = 40;
const READS: usize = 10;
/// A write is one PUT; a write of a host that has to look whom it knows or what time it is asks once more.
const A_WRITE: u64 = 2;
/// A poll lists at most two days, one older day, the marks of erases, and the manifests. A read of the latest is a poll.
const A_POLL: u64 = 5;
/// The index asks this often whether it is still refused.
const QUESTIONS: Duration = Duration::from_secs(3);
/// Without a pause every loaded user would be polled within this time: after a refusal 2, 4, 8 s apart.
const QUIET: Duration = Duration::from_secs(10);

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_does_not_know_the_key_is_hardly_asked_and_used_again_when_it_does() {
    refused(Fault::UnknownKey).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_refuses_the_signature_is_hardly_asked_and_used_again_when_it_does_not() {
    refused(Fault::BadSignature).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_locks_the_key_out_is_asked_nothing_by_that_host_and_used_by_the_next() {
    refused(Fault::Lockout).await;
}

async fn refused(fault: Fault) {
    // Nothing in the background but polls.
    let intervals = [
        "compact_interval_ms",
        "upkeep_interval_ms",
        "export_interval_ms",
        "summarize_interval_ms",
    ];
    let installation = intervals
        .into_iter()
        .fold(Installation::behind_proxy(Rclone::start(), seed()), |all, name| all.with(name, "0"));
    let mut host = installation.start();
    let (mut api, proxy) = (Api::of(&host), installation.proxy());
    let calls: Vec<Call> = (0..USERS + WRITES).map(call).collect();
    let (before, during) = calls.split_at(USERS);
    let mut stored = store(&api, before).await;
    for call in before {
        let _ = api.get(&latest(call), None).await.expect(200);
    }
    let _ = api.get("/readyz", None).await.expect(200);

    proxy.set(Weather::Refuses(fault));
    let (start, began) = (proxy.requests(), Instant::now());
    until_ready_is(&api, 503).await;
    let noticed = proxy.requests() - start;
    let most = USERS as u64 * A_POLL + questions(began);
    assert!(noticed <= most, "{noticed} requests until it was noticed");

    // The first call of a component is the one by which the host learns that it is locked out.
    refuses(write(&api, &during[0]).await, fault);
    let (start, began) = (proxy.requests(), Instant::now());
    for call in &during[1..] {
        refuses(write(&api, call).await, fault);
    }
    for call in before.iter().take(READS) {
        refuses(at_once(api.get(&latest(call), None)).await, fault);
    }
    let asked = proxy.requests() - start;
    let most = WRITES as u64 * A_WRITE + READS as u64 * A_POLL + questions(began);
    assert!(asked <= if fault == Fault::Lockout { 0 } else { most }, "{asked} requests by calls");

    let (start, began) = (proxy.requests(), Instant::now());
    tokio::time::sleep(QUIET).await;
    let asked = proxy.requests() - start;
    let most = if fault == Fault::Lockout { 0 } else { questions(began) };
    assert!(asked <= most, "{asked} requests while nobody called");
    let answer = api.get("/readyz", None).await.expect(503);
    assert!(!answer.body.is_empty(), "no reason");
    println!("{fault:?}: {:?}", proxy.struck());

    proxy.set(Weather::Calm);
    if fault == Fault::Lockout {
        let start = proxy.requests();
        refuses(write(&api, &during[0]).await, fault);
        assert_eq!(proxy.requests(), start, "it does not wait for the end of the lockout");
        host.kill();
        host = installation.start();
        api = Api::of(&host);
    }
    until_ready_is(&api, 200).await;
    stored.extend(store(&api, during).await);
    Tally::take(&api, &calls, &stored).await.holds("after the refusal");
    let (other, _kept) = installation.start_beside();
    Tally::take(&Api::of(&other), &calls, &stored).await.holds("a host that comes after it");
}

/// Questions of the index since then, at most.
fn questions(since: Instant) -> u64 {
    since.elapsed().as_secs() / QUESTIONS.as_secs() + 2
}

/// One message of one of the users.
fn call(n: usize) -> Call {
    let (user, session) = (format!("user-{}", n % USERS), "session".to_owned());
    Call { user, session, messages: vec![(format!("m-{n}"), format!("number {n} of the refused"))] }
}

fn latest(call: &Call) -> String {
    format!("{}?user_id={}&consistency=latest", call.path(), call.user)
}

async fn store(api: &Api, calls: &[Call]) -> Vec<Acknowledged> {
    let mut stored = Vec::new();
    for call in calls {
        stored.push(insist(api, call).await.expect("the host lives"));
    }
    stored
}

async fn write(api: &Api, call: &Call) -> Answer {
    let (path, body) = (call.path(), call.body());
    at_once(async { api.post(&path, &body, None).await.expect("an answer") }).await
}

/// The answer, which comes long before the deadline of an operation on the store, by which one that tries again would.
async fn at_once(answer: impl Future<Output = Answer>) -> Answer {
    let answer = tokio::time::timeout(Duration::from_secs(5), answer).await;
    answer.expect("an answer at once")
}

fn refuses(answer: Answer, fault: Fault) {
    let answer = answer.expect(503);
    assert_eq!(answer.json()["code"], "store_refused", "{answer:?}");
    if fault == Fault::Lockout {
        let seconds = answer.retry_after.expect("the end of the lockout");
        assert!((1..=300).contains(&seconds), "{answer:?}");
    }
}

async fn until_ready_is(api: &Api, status: u16) {
    let waiting = async {
        while api.get("/readyz", None).await.status != status {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    let waited = tokio::time::timeout(Duration::from_secs(30), waiting).await;
    waited.unwrap_or_else(|_| panic!("/readyz is not {status}"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_always_says_slow_down_gets_a_burst_of_retries_and_then_one_in_ten_calls() {
    const CALLS: u64 = 300;
    let server = Rclone::start();
    let proxy = Proxy::before(&server, seed());
    // Short pauses: the burst may go in one call.
    let policy = Policy { base: 1, cap: 2, ..Policy::default() };
    let settings = Settings { endpoint: proxy.endpoint.clone(), policy, ..server.settings() };
    proxy.set(Weather::Refuses(Fault::SlowDown));
    for _ in 0..CALLS {
        // As the host does: another store each time, in the same process.
        let store = bucket(settings.clone()).unwrap();
        let error = store.list(&key::formats(), None).await.unwrap_err();
        assert_eq!(error.reason, "store_unavailable");
    }
    let (requests, burst) = (proxy.requests(), u64::from(policy.burst));
    println!("{requests} requests of {CALLS} calls");
    assert!(requests <= CALLS + CALLS / 10 + burst, "{requests} requests");
    assert!(requests >= CALLS + burst, "{requests} requests: no retries at all");
    proxy.set(Weather::Calm);
    let page = bucket(settings).unwrap().list(&key::formats(), None).await;
    assert!(page.is_ok(), "{page:?}");
    assert_eq!(proxy.requests(), requests + 1);
}
