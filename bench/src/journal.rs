//! Journals on a bucket: what is uncompacted beside what is sealed, a cold read, and what a compaction takes.

use crate::Sizes;
use crate::fill::{self, User};
use crate::memory;
use crate::spread::Spread;
use crate::start::first_answer;
use crate::table::{Figure, Table};
use futures::{StreamExt, stream};
use holdfast_faults::{Api, Installation};
use holdfast_servers::{Host, Rclone};
use serde_json::json;
use std::time::{Duration, Instant};

/// Objects of the user who is read uncompacted and sealed.
const OBJECTS: usize = 1000;
/// Milliseconds before each answer of the store.
const DELAYS: [u64; 3] = [0, 30, 100];
const SESSION: &str = "/v1/sessions/s/messages?user_id=ann&limit=1000";

/// All of it, on `rclone serve s3`, each host without anything kept on its disk.
pub async fn measure(sizes: Sizes, table: &mut Table) {
    reads(sizes, table).await;
    compaction(sizes, table).await;
}

/// The first read of a user whose journal is as many objects as messages, and of the same user after a compaction.
async fn reads(sizes: Sizes, table: &mut Table) {
    let installation = Installation::behind_proxy(Rclone::start(), 1)
        .with("compact_interval_ms", "0")
        .with("cache_mib", "0");
    let host = installation.start();
    let api = Api::of(&host);
    let stored = (0..OBJECTS).map(|n| {
        let api = api.clone();
        async move {
            let said = format!("message {n} of a session that is read whole, of about a hundred bytes with its few words");
            let message = json!({"user_id": "ann", "id": format!("m-{n}"), "role": "user", "content": said});
            let _ = api.post_for(201, "/v1/sessions/s/messages", &message).await;
        }
    });
    stream::iter(stored).buffer_unordered(8).collect::<Vec<()>>().await;
    host.kill();
    let loose = Reads::of(&installation, sizes).await;
    let host = installation.start();
    let _ = Api::of(&host).post_for(200, "/v1/upkeep/compact", &json!({"user_id": "ann"})).await;
    host.kill();
    let sealed = Reads::of(&installation, sizes).await;
    for ((delay, loose), (_, sealed)) in loose.spreads.iter().zip(&sealed.spreads) {
        let what = format!(
            "cold read of {OBJECTS} messages, uncompacted, {delay} ms before each answer of the store, p50"
        );
        let figure = Figure::plain(what, loose.p50(), "ms").beside("sealed", sealed.p50());
        // Without a distance it is the server's own time for a thousand requests.
        table.add(if *delay > 0 { figure.at_most(3.0) } else { figure });
    }
    for (what, reads) in [("the uncompacted read", loose), ("the sealed read", sealed)] {
        table.add(Figure::plain(format!("requests of {what}"), reads.requests as f64, "requests"));
    }
}

/// Reads of a session by hosts that have just started.
struct Reads {
    /// Times, by the delay before each answer of the store: milliseconds.
    spreads: Vec<(u64, Spread)>,
    /// To the store, by one read.
    requests: u64,
}

impl Reads {
    async fn of(installation: &Installation, sizes: Sizes) -> Self {
        let (mut spreads, mut requests) = (Vec::new(), 0);
        for delay in DELAYS {
            let mut spread = Spread::default();
            for _ in 0..sizes.starts {
                let host = installation.start();
                let api = Api::of(&host);
                first_answer(&api).await;
                installation.proxy().delay(Duration::from_millis(delay));
                let before = installation.proxy().requests();
                let read = spread.time(api.get(SESSION, None)).await.expect(200).json();
                assert_eq!(read["data"].as_array().expect("messages").len(), OBJECTS);
                requests = installation.proxy().requests() - before;
                installation.proxy().delay(Duration::ZERO);
                host.kill();
            }
            spreads.push((delay, spread));
        }
        Self { spreads, requests }
    }
}

/// A host's walk over a large journal, beside its idling.
async fn compaction(sizes: Sizes, table: &mut Table) {
    let messages = sizes.many.unwrap_or(10_000);
    let installation = Installation::rclone().with("compact_interval_ms", "0");
    let host = installation.start();
    fill::fill(&Api::of(&host), User { name: "large", messages, batch: 100 }).await;
    host.kill();
    let folder = installation.server().expect("a server").folder().to_owned();
    let journal = bytes(&folder, "/wal/");
    let installation = installation.with("upkeep_interval_ms", "1000");
    let (host, _kept) = installation.start_beside();
    first_answer(&Api::of(&host)).await;
    let idle = memory::resident(host.id());
    let begun = Instant::now();
    let seconds = sealed(&host, &folder).await.duration_since(begun).as_secs_f64() - 1.0;
    let peak = memory::peak(host.id()) - idle;
    let what = format!("compaction of a journal of {:.0} MiB, all steps", mib(journal));
    table.add(Figure::plain(what, mib(journal) / seconds.max(0.001), "MiB/s"));
    table.add(Figure::aim(
        "peak memory of that compaction, beyond an idle host",
        peak,
        "MiB",
        64.0,
    ));
}

/// Waits until nothing new is sealed for a while: when the last was.
async fn sealed(host: &Host, folder: &std::path::Path) -> Instant {
    let (mut seen, mut last) = (0, Instant::now());
    let patience = Duration::from_secs(10);
    loop {
        tokio::time::sleep(Duration::from_millis(50)).await;
        let now = bytes(folder, "/man/") + bytes(folder, "/seg/");
        if now != seen {
            (seen, last) = (now, Instant::now());
        } else if seen > 0 && last.elapsed() > patience {
            return last;
        }
        assert!(memory::resident(host.id()) > 0.0, "the host lives");
        assert!(seen > 0 || last.elapsed() < 30 * patience, "nothing is sealed");
    }
}

fn mib(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

/// Bytes of the files whose path contains this.
fn bytes(folder: &std::path::Path, part: &str) -> u64 {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let sizes = entries.map(|entry| match entry.file_type().is_ok_and(|kind| kind.is_dir()) {
        true => bytes(&entry.path(), part),
        false if entry.path().to_string_lossy().contains(part) => {
            entry.metadata().map_or(0, |metadata| metadata.len())
        }
        false => 0,
    });
    sizes.sum()
}
