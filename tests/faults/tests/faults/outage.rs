//! The store cannot be reached for a while: writes say so, reads of what is loaded go on, and then all goes on.

use futures::future::{join_all, join3};
use holdfast_faults::{Api, Crowd, Installation, Oracle, Plan, Tally, insist, long, seed};
use holdfast_servers::{Rclone, Weather};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Requests of each client of the crowd before the outage and after it.
const CROWD: usize = 15;

#[tokio::test(flavor = "multi_thread")]
async fn an_outage_of_the_store_is_said_and_everything_goes_on_after_it() {
    let plan = Plan::new(seed() + 110, 60);
    let mut server = Rclone::start();
    let mut crowd = Crowd::before(&mut server, seed() + 110);
    let installation = Installation::behind_proxy(server, seed()).with("s3_deadline_ms", "800");
    let host = installation.start();
    let (api, mut doors) = (Api::of(&host), vec![crowd.door(&host)]);
    crowd.live(&doors, &AtomicBool::new(false), CROWD).await;
    let (before, during) = plan.calls.split_at(30);
    let mut stored = Vec::new();
    for call in before {
        stored.push(insist(&api, call).await.expect("the host lives"));
    }

    installation.proxy().set(Weather::Outage);
    let down = Instant::now();
    for call in during.iter().take(4) {
        let begun = Instant::now();
        let answer = api.post(&call.path(), &call.body(), None).await.expect("an answer");
        let answer = answer.expect(503).json();
        let code = answer["code"].as_str().unwrap_or_default().to_owned();
        assert!(["store_unavailable", "outcome_unknown"].contains(&code.as_str()), "{answer}");
        assert!(begun.elapsed() < Duration::from_secs(5), "an answer came late");
    }
    let call = &before[0];
    let path = format!("{}?user_id={}&consistency=local", call.path(), call.user);
    let _ = api.get(&path, None).await.expect(200);
    let _ = api.get("/healthz", None).await.expect(200);

    // Clients go on asking; the store comes back.
    let ended = AtomicBool::new(false);
    let asking = during.iter().map(|call| insist(&api, call));
    let coming_back = async {
        let outage = Duration::from_secs(if long() { 60 } else { 4 });
        tokio::time::sleep(outage.saturating_sub(down.elapsed())).await;
        installation.proxy().set(Weather::Calm);
        ended.store(true, Ordering::SeqCst);
        Instant::now()
    };
    let living = crowd.live(&doors, &ended, usize::MAX);
    let (after, back, ()) = join3(join_all(asking), coming_back, living).await;
    stored.extend(after.into_iter().map(|one| one.expect("the host lives")));
    println!("all stored {:?} after the store came back", back.elapsed());
    Tally::take(&api, &plan.calls, &stored).await.holds("after the outage");
    let (other, _kept) = installation.start_beside();
    Tally::take(&Api::of(&other), &plan.calls, &stored).await.holds("a host that comes after it");
    let mut oracle = Oracle::hear(&installation, &host, &plan.calls, &stored).await;
    for host in [&host, &other] {
        oracle.judge(&Api::of(host)).await.expect("promises are kept");
    }
    doors.push(crowd.door(&other));
    crowd.live(&doors, &AtomicBool::new(false), CROWD).await;
    let judged = crowd.judge(&installation, &host, &doors).await.expect("promises are kept");
    assert!(judged.messages > 0 && judged.elsewhere > 0 && judged.walks > 0, "{judged}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_starts_before_its_store_answers_is_up_when_that_does_and_ends_at_its_deadline()
{
    let installation = Installation::behind_proxy(Rclone::start(), seed());
    installation.proxy().set(Weather::Outage);
    let installation = installation.with("s3_deadline_ms", "300").with("start_deadline_ms", "0");
    assert!(installation.try_start().is_none(), "it is up without a store");
    let installation = installation.with("start_deadline_ms", "60000");
    let refused = installation.proxy().requests();
    let host = std::thread::scope(|scope| {
        let starting = scope.spawn(|| installation.try_start());
        while installation.proxy().requests() < refused + 5 && !starting.is_finished() {
            std::thread::sleep(Duration::from_millis(20));
        }
        installation.proxy().set(Weather::Calm);
        starting.join().unwrap().expect("a host that waited for its store")
    });
    let _ = Api::of(&host).get("/readyz", None).await.expect(200);
}
