//! `kill -9` of the host again and again, at any moment, under clients that repeat with the same ids what was not acknowledged.

use crate::verify::files;
use futures::future::{join_all, join3};
use holdfast_faults::{
    Acknowledged, Api, Call, Crowd, Expected, Installation, Oracle, Plan, Tally, insist, long, seed,
};
use holdfast_servers::{Host, Rclone, Weather};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// New calls in the life of one host.
const EACH: usize = 12;
/// Requests of each client of the crowd in such a life, and after the last kill, at most.
const CROWD: usize = 12;

#[tokio::test(flavor = "multi_thread")]
async fn a_host_on_the_embedded_store_that_dies_again_and_again_loses_and_doubles_nothing() {
    let crowd = Crowd::new(seed() + 120);
    dies_again_and_again(&Installation::embedded(), seed() + 120, 300, crowd).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_dies_again_and_again_behind_a_bad_network_loses_and_doubles_nothing() {
    let mut server = Rclone::start();
    let crowd = Crowd::before(&mut server, seed() + 121);
    let installation = Installation::behind_proxy(server, seed() + 121);
    let installation = installation.with("s3_deadline_ms", "2000");
    installation.proxy().set(Weather::Faults(0.05));
    dies_again_and_again(&installation, seed() + 121, 300, crowd).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_dies_again_and_again_amid_upkeep_loses_and_doubles_nothing() {
    let mut server = Rclone::start();
    let crowd = Crowd::before(&mut server, seed() + 122);
    let installation = Installation::behind_proxy(server, seed() + 122)
        .with("compact_interval_ms", "50")
        .with("upkeep_interval_ms", "200")
        .with("compact_objects", "2");
    dies_again_and_again(&installation, seed() + 122, 1_500, crowd).await;
    let segments = files(&installation.bucket_folder(), "/seg/").len();
    println!("{segments} segments were made between the kills and after the last");
    assert!(segments > 0, "no host lived long enough to seal anything");
}

/// Kills hosts up to `within` milliseconds after they are up.
async fn dies_again_and_again(
    installation: &Installation,
    seed: u64,
    within: u64,
    mut crowd: Crowd,
) {
    let kills = if long() { 150 } else { 10 };
    let plan = Plan::new(seed, kills * EACH);
    let mut rng = StdRng::seed_from_u64(seed);
    let (mut open, mut stored): (Vec<Call>, Vec<Acknowledged>) = (Vec::new(), Vec::new());
    let mut cut = 0;
    for calls in plan.calls.chunks(EACH) {
        open.extend_from_slice(calls);
        let after = Duration::from_millis(rng.random_range(0..within));
        let done = life(installation.start(), &open, after, &mut crowd).await;
        open =
            open.into_iter().zip(&done).filter(|(_, one)| one.is_none()).map(|(c, _)| c).collect();
        cut += open.len();
        stored.extend(done.into_iter().flatten());
    }
    println!(
        "{kills} kills, {cut} calls cut off, {} of {} acknowledged meanwhile",
        stored.len(),
        plan.calls.len()
    );
    let host = installation.start();
    let (api, door) = (Api::of(&host), crowd.door(&host));
    for call in &open {
        // One that an earlier host did without saying so is at that place: not sent once, as far as orders go.
        let one = insist(&api, call).await.expect("the host lives");
        stored.push(Acknowledged { tries: one.tries + 1, ..one });
    }
    crowd.expect(Expected { damage: true, deaths: false });
    crowd.live(std::slice::from_ref(&door), &AtomicBool::new(false), CROWD).await;
    if let Some(proxy) = installation.proxy_if_any() {
        proxy.set(Weather::Calm);
        proxy.settled().await;
    }
    Tally::take(&api, &plan.calls, &stored).await.holds("after the last kill");
    let mut oracle = Oracle::hear(installation, &host, &plan.calls, &stored).await;
    oracle.judge(&api).await.expect("promises are kept");
    let judged = crowd.judge(installation, &host, &[door]).await.expect("promises are kept");
    assert!(judged.messages > 0 && judged.elsewhere > 0 && judged.walks > 0, "{judged}");
}

/// A host that is killed `after` so long; what of `calls` it acknowledged.
async fn life(
    host: Host,
    calls: &[Call],
    after: Duration,
    crowd: &mut Crowd,
) -> Vec<Option<Acknowledged>> {
    let (api, door, ended) = (Api::of(&host), crowd.door(&host), AtomicBool::new(false));
    crowd.expect(Expected { damage: true, deaths: true });
    let asking = calls.iter().map(|call| insist(&api, call));
    let dying = async {
        tokio::time::sleep(after).await;
        host.kill();
        ended.store(true, Ordering::SeqCst);
    };
    let living = crowd.live(std::slice::from_ref(&door), &ended, CROWD);
    let (done, (), ()) = join3(join_all(asking), dying, living).await;
    // Sent in an earlier life as well, perhaps: earlier places are as good.
    done.into_iter()
        .map(|one| one.map(|one| Acknowledged { tries: one.tries + 1, ..one }))
        .collect()
}
