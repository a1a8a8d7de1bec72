//! `kill -9` of the host that compacts, after each of its writes: what is read stays the same, and the next one ends it.

use crate::verify::{files, store, verify};
use holdfast_faults::{Api, Installation, history, seed};
use holdfast_servers::{Fault, Host, Rclone, Weather};
use serde_json::{Value, json};
use std::time::Duration;

/// Enough to be sealed.
const MANY: usize = 66;
/// With one segment more they are merged.
const SEGMENTS: usize = 7;
/// A segment, its cover and a manifest; once to seal, once to merge.
const WRITES: usize = 6;

async fn compact(api: &Api) -> Option<Value> {
    let answer = api.post("/v1/upkeep/compact", &json!({}), None).await.ok()?;
    Some(answer.expect(200).json())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_compactor_that_dies_after_any_of_its_writes_changes_nothing_that_is_read() {
    let mut installation = Installation::behind_proxy(Rclone::start(), seed())
        .with("compact_interval_ms", "0")
        .with("upkeep_interval_ms", "0")
        .with("cache_mib", "0")
        .with("single_host", "true");
    let folder = installation.server().expect("a server").folder().to_owned();
    let host = installation.start();
    for segment in 0..SEGMENTS {
        store(&Api::of(&host), segment * MANY..(segment + 1) * MANY).await;
        assert_eq!(compact(&Api::of(&host)).await.expect("an answer")["sealed"], MANY);
    }
    store(&Api::of(&host), SEGMENTS * MANY..(SEGMENTS + 1) * MANY).await;
    let before = history(&Api::of(&host), "ann", "s", None, "latest").await;
    assert_eq!(before.0.len(), (SEGMENTS + 1) * MANY);
    host.kill();
    let (mut kills, mut writes) = (0, 1);
    loop {
        let manifests = files(&folder, "/man/").len();
        if !dies(&installation, writes).await {
            break;
        }
        kills += 1;
        let published = files(&folder, "/man/").len() > manifests;
        writes = if published { 1 } else { writes + 1 };
        installation.lose_local_directory();
        let host = installation.start();
        assert!(history(&Api::of(&host), "ann", "s", None, "latest").await == before, "{kills}");
        host.kill();
    }
    assert_eq!(kills, WRITES);
    assert!(history(&Api::of(&installation.start()), "ann", "s", None, "latest").await == before);
    let (code, whole) = verify(&installation, &[]);
    assert_eq!((code, &whole["whole"]), (Some(0), &json!(true)), "{whole}");
    println!("{kills} kills of a compactor, one after each write; {} messages", before.0.len());
}

/// A host that compacts and is killed when so many writes are done; false when it needed fewer.
async fn dies(installation: &Installation, writes: u32) -> bool {
    let host: Host = installation.start();
    let api = Api::of(&host);
    let proxy = installation.proxy();
    let lost = || proxy.struck().get(&Fault::LostAnswer).copied().unwrap_or(0);
    let earlier = lost();
    proxy.set(Weather::Ends(writes));
    let ended = async {
        while lost() == earlier {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let died = tokio::select! {
        () = ended => true,
        done = compact(&api) => {
            assert_eq!(done.expect("an answer")["corrupt"], json!([]));
            false
        }
    };
    host.kill();
    proxy.set(Weather::Calm);
    died
}
