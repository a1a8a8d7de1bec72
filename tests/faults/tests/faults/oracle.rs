//! The judge of the other tests is one: it lets pass what is right, and tells of what is missing or was never sent.

use holdfast_faults::{Api, Call, Installation, Oracle, Plan, copy, insist, seed};

#[tokio::test(flavor = "multi_thread")]
async fn the_checker_of_the_simulation_judges_a_real_bucket() {
    let mut installation =
        Installation::rclone().with("compact_interval_ms", "0").with("cache_mib", "0");
    let host = installation.start();
    let (api, plan) = (Api::of(&host), Plan::new(seed() + 130, 20));
    let late = ("late".to_owned(), "what comes after the rest".to_owned());
    let last = Call { messages: vec![late], ..plan.calls[0].clone() };
    let mut promised = Vec::new();
    for call in &plan.calls {
        promised.push(insist(&api, call).await.expect("the host lives"));
    }
    let mut oracle = Oracle::hear(&installation, &host, &plan.calls, &promised).await;
    oracle.judge(&api).await.expect("all is well");

    let kept = tempfile::tempdir().expect("a folder");
    let backup = kept.path().join("bucket");
    copy(&installation.bucket_folder(), &backup);
    let more = insist(&api, &last).await.expect("the host lives");
    let broken = oracle.judge(&api).await.expect_err("nobody is known to have sent the last one");
    assert!(broken.starts_with("P1") && broken.contains("late"), "{broken}");
    promised.push(more);

    let all = [&plan.calls[..], &[last]].concat();
    let mut oracle = Oracle::hear(&installation, &host, &all, &promised).await;
    host.kill();
    installation.restore(&backup);
    let host = installation.start();
    let broken = oracle.judge(&Api::of(&host)).await.expect_err("the last one is lost");
    assert!(broken.starts_with("P1: message late"), "{broken}");
    assert!(broken.ends_with("was acknowledged"), "{broken}");
}
