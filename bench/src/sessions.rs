//! A user with 10,000 sessions, met by a host that has just started: the first page of them, beside all of them.

use crate::Sizes;
use crate::spread::Spread;
use crate::start::first_answer;
use crate::table::{Figure, Table};
use holdfast_faults::{Api, Installation, many_sessions};
use std::time::Duration;

const SESSIONS: usize = 10_000;
/// Before each answer of the store, in milliseconds.
const DELAY: u64 = 100;
const FIRST: &str = "/v1/sessions?user_id=ann&limit=50";
/// A page so large that all is read for it.
const ALL: &str = "/v1/sessions?user_id=ann&limit=1000";

/// By hosts without anything kept on their disks.
pub async fn measure(sizes: Sizes, table: &mut Table) {
    let installation = many_sessions(SESSIONS).await;
    for delay in [0, DELAY] {
        installation.proxy().delay(Duration::from_millis(delay));
        let first = Cold::reads(&installation, FIRST, sizes).await;
        let all = Cold::reads(&installation, ALL, sizes).await;
        let what = format!(
            "first 50 of {SESSIONS} sealed sessions after a start, {delay} ms before each answer of the store"
        );
        let (beside, p50) = ("all of them", format!("{what}, p50"));
        table.add(Figure::plain(p50, first.time.p50(), "ms").beside(beside, all.time.p50()));
        if delay == 0 {
            let (what, mib) = (format!("{what}: read of the store"), f64::from(1 << 20));
            let figure = Figure::plain(what.clone(), first.requests as f64, "requests");
            table.add(figure.beside(beside, all.requests as f64));
            let figure = Figure::plain(what, first.bytes as f64 / mib, "MiB");
            table.add(figure.beside(beside, all.bytes as f64 / mib));
        }
    }
}

/// What a read by hosts that have just started took.
#[derive(Default)]
struct Cold {
    time: Spread,
    requests: u64,
    bytes: u64,
}

impl Cold {
    async fn reads(installation: &Installation, path: &str, sizes: Sizes) -> Self {
        let mut cold = Self::default();
        for _ in 0..sizes.starts {
            let host = installation.start();
            let api = Api::of(&host);
            first_answer(&api).await;
            let proxy = installation.proxy();
            let before = (proxy.requests(), proxy.bytes());
            let page = cold.time.time(api.get(path, None)).await.expect(200).json();
            assert_eq!(page["has_more"], true, "a page of many");
            (cold.requests, cold.bytes) = (proxy.requests() - before.0, proxy.bytes() - before.1);
            host.kill();
        }
        cold
    }
}
