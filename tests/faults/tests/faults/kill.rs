//! `kill -9` in the middle of 200 concurrent stores, then a start with an empty local directory and the same bucket.

use futures::future::join_all;
use holdfast_faults::{
    Api, Call, Installation, Item, Plan, Snapshot, history, model_is_there, seed, until_embedded,
};
use holdfast_servers::Host;
use std::collections::{BTreeMap, BTreeSet};
use tokio::sync::mpsc;

const CALLS: usize = 200;

/// What became of a call: the orders of its messages, when it was acknowledged.
struct Outcome {
    call: Call,
    orders: Option<Vec<String>>,
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_acknowledged_is_lost_when_the_host_dies_on_the_embedded_store() {
    survives(Installation::embedded(), seed()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_acknowledged_is_lost_when_the_host_dies_on_rclone() {
    survives(Installation::rclone(), seed() + 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_acknowledged_is_lost_when_the_host_dies_on_seaweedfs() {
    survives(Installation::seaweedfs(), seed() + 2).await;
}

async fn survives(installation: Installation, seed: u64) {
    let plan = Plan::new(seed, CALLS);
    let model = model_is_there();
    let mut installation = installation.with_model(model);
    let outcomes = store_and_kill(installation.start(), &plan).await;
    let acknowledged = outcomes.iter().filter(|outcome| outcome.orders.is_some()).count();
    println!("killed after {acknowledged} of {CALLS} acknowledgements");
    assert!(acknowledged >= plan.kill_after && acknowledged < CALLS, "the kill was not amid them");

    installation.lose_local_directory();
    let host = installation.start();
    let api = Api::of(&host);
    everything_acknowledged_is_there_once(&api, &plan, &outcomes).await;
    if model {
        until_embedded(&api, &plan.users()).await;
    }
    let before = Snapshot::take(&api, &plan, model).await;
    assert!(before.hits() > 0, "no search found anything");
    host.kill();

    installation.lose_local_directory();
    let host = installation.start();
    before.assert_same(&Snapshot::take(&Api::of(&host), &plan, model).await);
}

async fn store_and_kill(host: Host, plan: &Plan) -> Vec<Outcome> {
    let api = Api::of(&host);
    let (tell, mut told) = mpsc::unbounded_channel();
    let calls = plan.calls.iter().cloned().map(|call| {
        let (api, tell) = (api.clone(), tell.clone());
        tokio::spawn(async move {
            let outcome = store(&api, call).await;
            let _ = tell.send(outcome.orders.is_some());
            outcome
        })
    });
    let calls: Vec<_> = calls.collect();
    drop(tell);
    let mut acknowledged = 0;
    while acknowledged < plan.kill_after {
        let one = told.recv().await.expect("all calls ended before the kill");
        acknowledged += usize::from(one);
    }
    host.kill();
    join_all(calls).await.into_iter().map(|outcome| outcome.expect("a call")).collect()
}

async fn store(api: &Api, call: Call) -> Outcome {
    let answer = api.post(&call.path(), &call.body(), None).await.ok();
    let stored = answer.filter(|answer| answer.status == 201).map(|answer| {
        let json = answer.json();
        let places = json["messages"].as_array().expect("places");
        let place = |(place, (id, _)): (&serde_json::Value, &(String, String))| {
            assert_eq!(place["id"], id.as_str());
            place["order"].as_str().expect("an order").to_owned()
        };
        assert_eq!(places.len(), call.messages.len());
        places.iter().zip(&call.messages).map(place).collect()
    });
    Outcome { call, orders: stored }
}

async fn everything_acknowledged_is_there_once(api: &Api, plan: &Plan, outcomes: &[Outcome]) {
    for (user, session) in plan.sessions() {
        let (first, texts) = history(api, &user, &session, None, "latest").await;
        let (_, again) = history(api, &user, &session, None, "latest").await;
        assert_eq!(texts, again, "{user} {session}: two reads differ");
        in_order(&first);
        let found: BTreeMap<&str, &Item> =
            first.iter().map(|item| (item.id.as_str(), item)).collect();
        assert_eq!(found.len(), first.len(), "{user} {session}: a message is there twice");
        let mine = || outcomes.iter().filter(|o| o.call.user == user && o.call.session == session);
        mine().for_each(|outcome| is_whole(outcome, &found));
        let sent: BTreeSet<&str> =
            mine().flat_map(|o| &o.call.messages).map(|(id, _)| id.as_str()).collect();
        assert!(found.keys().all(|id| sent.contains(id)), "{user} {session}: nobody sent that");
    }
}

fn in_order(items: &[Item]) {
    for (rank, item) in (1..).zip(items) {
        assert_eq!(item.index, rank, "{item:?}");
    }
    assert!(items.is_sorted_by(|one, next| one.order < next.order), "not by order: {items:?}");
}

/// An acknowledged call is there as it was sent, at the orders that were answered; any other wholly or not at all.
fn is_whole(outcome: &Outcome, found: &BTreeMap<&str, &Item>) {
    let here = outcome.call.messages.iter().filter_map(|(id, text)| {
        let item = found.get(id.as_str())?;
        assert_eq!(&item.content, text, "{id}: other bytes");
        Some(item.order.clone())
    });
    let here: Vec<String> = here.collect();
    match &outcome.orders {
        Some(orders) => assert_eq!(&here, orders, "acknowledged: {:?}", outcome.call),
        None => assert!(
            here.is_empty() || here.len() == outcome.call.messages.len(),
            "half of it is there: {:?}",
            outcome.call
        ),
    }
}
