//! A host before whose store 1, 10 and 30 % of all requests have a fault, and clients that repeat what is not acknowledged.

use futures::future::join3;
use futures::{StreamExt, stream};
use holdfast_faults::{
    Acknowledged, Api, Call, Crowd, Door, Expected, Installation, Item, Oracle, Page, Plan, Tally,
    insist, long, seed,
};
use holdfast_servers::{Proxy, Rclone, SeaweedFs, Server, Weather};
use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Calls at a time.
const WRITERS: usize = 16;
/// Messages of a page, at most.
const PAGE: usize = 1000;

/// Requests of each client of the crowd under each rate, at most: its users have to fit into a page.
const CROWD: usize = 150;
/// How many of all requests have a fault, one after the other.
const RATES: [f64; 3] = [0.01, 0.1, 0.3];

#[tokio::test(flavor = "multi_thread")]
async fn at_1_10_and_30_per_cent_of_faults_on_rclone_nothing_acknowledged_is_lost_or_doubled() {
    storms(Rclone::start(), seed() + 100).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn at_1_10_and_30_per_cent_of_faults_on_seaweedfs_nothing_acknowledged_is_lost_or_doubled() {
    storms(SeaweedFs::start(), seed() + 101).await;
}

/// What was acknowledged so far, by user and session: ids and texts.
type Promised = Mutex<BTreeMap<(String, String), BTreeMap<String, String>>>;

async fn storms(mut server: Server, seed: u64) {
    let each = if long() { 4000 } else { 200 };
    let plan = Plan::new(seed, RATES.len() * each);
    let mut crowd = Crowd::before(&mut server, seed);
    let installation = Installation::behind_proxy(server, seed)
        .with("s3_deadline_ms", "2000")
        .with("compact_interval_ms", "500")
        .with("compact_objects", "16");
    let host = installation.start();
    let (beside, _kept_beside) = installation.start_beside();
    let mut doors = vec![crowd.door(&host), crowd.door(&beside)];
    crowd.expect(Expected { damage: true, deaths: false });
    let api = Api::of(&host);
    let proxy = installation.proxy();
    let (promised, mut stored) = (Promised::default(), Vec::new());
    for (rate, calls) in RATES.into_iter().zip(plan.calls.chunks(each)) {
        let crowd = (&mut crowd, &doors[..]);
        stored.extend(storm(&api, proxy, rate, &plan, calls, &promised, crowd).await);
    }
    println!("faults: {:?}", proxy.struck());
    proxy.set(Weather::Calm);
    proxy.settled().await;
    until_calm(&api, &plan).await;
    Tally::take(&api, &plan.calls, &stored).await.holds("the host in the storm");
    let (other, _kept) = installation.start_beside();
    Tally::take(&Api::of(&other), &plan.calls, &stored).await.holds("a host that comes after it");
    let mut oracle = Oracle::hear(&installation, &host, &plan.calls, &stored).await;
    for host in [&host, &other] {
        oracle.judge(&Api::of(host)).await.expect("promises are kept");
    }
    doors.push(crowd.door(&other));
    let judged = crowd.judge(&installation, &host, &doors).await.expect("promises are kept");
    assert!(judged.messages > 0 && judged.elsewhere > 0 && judged.walks > 0, "{judged}");
}

/// Stores `calls`, some at a time, while sessions are read and the crowd lives.
async fn storm(
    api: &Api,
    proxy: &Proxy,
    rate: f64,
    plan: &Plan,
    calls: &[Call],
    promised: &Promised,
    (crowd, doors): (&mut Crowd, &[Door]),
) -> Vec<Acknowledged> {
    let count = || (proxy.requests(), proxy.struck().values().sum::<u64>());
    let before = count();
    proxy.set(Weather::Faults(rate));
    let ended = AtomicBool::new(false);
    let writing = async {
        let stored = write(api, calls, promised).await;
        ended.store(true, Ordering::SeqCst);
        stored
    };
    let living = crowd.live(doors, &ended, CROWD);
    let (stored, reads, ()) = join3(writing, read(api, plan, promised, &ended), living).await;
    let (requests, faults) = (count().0 - before.0, count().1 - before.1);
    let repeated = stored.iter().filter(|one| one.tries > 1).count();
    println!(
        "{:.0} %: {faults} faults in {requests} requests; {} calls stored, {repeated} of them sent again; {} reads answered, {} refused",
        rate * 100.0,
        stored.len(),
        reads.answered,
        reads.refused,
    );
    stored
}

async fn write(api: &Api, calls: &[Call], promised: &Promised) -> Vec<Acknowledged> {
    let one = |call: Call| async move {
        let stored = insist(api, &call).await.expect("the host lives");
        let mut promised = promised.lock().unwrap();
        let session = promised.entry((call.user, call.session)).or_default();
        session.extend(call.messages);
        stored
    };
    stream::iter(calls.iter().cloned()).map(one).buffer_unordered(WRITERS).collect().await
}

#[derive(Default)]
struct Reads {
    answered: usize,
    refused: usize,
}

/// Reads one session after the other as long as there is writing: who gets an answer gets all that was acknowledged before
/// the question.
async fn read(api: &Api, plan: &Plan, promised: &Promised, ended: &AtomicBool) -> Reads {
    let mut reads = Reads::default();
    for place in plan.sessions().into_iter().cycle() {
        if ended.load(Ordering::SeqCst) {
            break;
        }
        let before = promised.lock().unwrap().get(&place).cloned().unwrap_or_default();
        match first_page(api, &place).await {
            Some(items) => {
                reads.answered += 1;
                let texts: BTreeMap<_, _> =
                    items.iter().map(|item| (&item.id, &item.content)).collect();
                assert_eq!(texts.len(), items.len(), "{place:?}: a message is there twice");
                assert!(items.is_sorted_by(|one, next| one.order < next.order), "{place:?}");
                if items.len() < PAGE {
                    let there = |(id, text): (&String, &String)| texts.get(id) == Some(&text);
                    assert!(before.iter().all(there), "{place:?} is shorter than was acknowledged");
                }
            }
            None => reads.refused += 1,
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    reads
}

/// The first messages of a session; `None` when they cannot be had now.
async fn first_page(api: &Api, (user, session): &(String, String)) -> Option<Vec<Item>> {
    let path =
        format!("/v1/sessions/{session}/messages?user_id={user}&limit={PAGE}&consistency=latest");
    let answer = api.get(&path, None).await;
    match answer.status {
        404 => return Some(Vec::new()),
        200 => {}
        // A load may meet the same damage three times in a row: that is said as it is, and never a shorter answer.
        500 => {
            assert_eq!(answer.json()["code"], "corrupt", "{answer:?}");
            return None;
        }
        _ => {
            let _ = answer.expect(503);
            return None;
        }
    }
    let page: Page<'_> = serde_json::from_slice(&answer.body).expect("a page");
    Some(serde_json::from_str(page.data.get()).expect("messages"))
}

/// Waits until every session can be read again.
async fn until_calm(api: &Api, plan: &Plan) {
    for place in plan.sessions() {
        let answered = async {
            while first_page(api, &place).await.is_none() {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        };
        let waited = tokio::time::timeout(Duration::from_secs(30), answered).await;
        waited.unwrap_or_else(|_| panic!("{place:?} cannot be read after the storm"));
    }
}
