//! What it costs a runtime to begin: the first answer with nothing compiled, the same with compiled components kept, and the memory
//! that one more instance with a portable index and models takes.

use crate::memory;
use crate::runtimes::standin;
use crate::spread::Spread;
use crate::start::first_answer;
use crate::table::{Figure, Table};
use futures::future::join_all;
use holdfast_core::access::ApiKey;
use holdfast_faults::{Api, Installation};
use holdfast_servers::{Host, HostSettings};
use serde_json::json;
use std::path::Path;
use std::time::Duration;
use tempfile::TempDir;

const STARTS: usize = 5;
const INSTANCES: usize = 16;
/// The component whose instances are counted: with `flat-index` and `portable-models` in it.
const COMPONENT: &str = "retrieve-context";

/// Measures all three runtimes on the installation's bucket.
pub async fn measure(installation: &Installation, table: &mut Table) {
    let (settings, mut used) = (installation.settings(), None);
    for (name, portable) in [("native", false), ("portable", true)] {
        let settings = HostSettings { portable, ..settings.clone() };
        let begin = async |data: &Path| {
            let host = Host::start(data, &settings);
            first_answer(&Api::of(&host)).await;
            host
        };
        used = Some(first(name, begin, Host::kill, table).await);
    }
    if let Some(data) = used {
        of_an_instance(installation, data.path(), table).await;
    }
    let key = settings.key.as_deref().filter(|key| ApiKey::parse_unchecked(key).is_some());
    let key = key.expect("a key");
    let begin = async |cache: &Path| {
        let running = standin(installation, cache);
        first_answer(&Api::new(&format!("http://{}", running.address), key)).await;
        running
    };
    first("stand-in", begin, drop, table).await;
}

/// The first answer of a runtime in an empty folder, and in one that it has used; gives that one.
async fn first<T>(
    name: &str,
    begin: impl AsyncFn(&Path) -> T,
    end: impl Fn(T),
    table: &mut Table,
) -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let (mut nothing, mut kept) = (Spread::default(), Spread::default());
    end(nothing.time(begin(folder.path())).await);
    for _ in 0..STARTS {
        end(kept.time(begin(folder.path())).await);
    }
    let what = format!("{name}: start to the first answer, nothing compiled");
    table.add(Figure::plain(what, nothing.p50(), "ms"));
    let what = format!("{name}: start to the first answer, compiled components kept, p50");
    table.add(Figure::plain(what, kept.p50(), "ms"));
    folder
}

/// Memory that each of many instances takes which nobody else uses: what it wrote, and what it copied of its component's data.
async fn of_an_instance(installation: &Installation, data: &Path, table: &mut Table) {
    let settings = HostSettings { portable: true, ..installation.settings().clone() };
    let settings = settings.with("instances", INSTANCES.to_string());
    let host = Host::start(data, &settings);
    let api = Api::of(&host);
    search(&api, 0).await;
    let (before, few) = (memory::private(host.id()), made(&api).await);
    // So many at once that each needs an instance of its own; a busy machine may need several rounds.
    for _ in 0..20 {
        join_all((0..INSTANCES * 2).map(|n| search(&api, n))).await;
        if made(&api).await >= INSTANCES {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let (after, many) = (memory::private(host.id()), made(&api).await);
    let each = (after - before) / many.saturating_sub(few).max(1) as f64;
    let what = format!("portable: memory of one more instance of {COMPONENT}, of {many}");
    table.add(Figure::plain(what, each, "MiB"));
}

/// A search by meaning of a user who has nothing: every part of the instance is used.
async fn search(api: &Api, n: usize) {
    let query = format!("which journey did she plan, the one number {n}?");
    let _ = api.post_for(200, "/v1/search", &json!({"user_id": "nobody", "query": query})).await;
}

/// Instances of the component that were made.
async fn made(api: &Api) -> usize {
    let answer = api.get("/metrics", None).await.expect(200);
    let text = String::from_utf8_lossy(&answer.body).into_owned();
    let line = format!("holdfast_instances_made_total{{component=\"{COMPONENT}\"}} ");
    let count = text.lines().find_map(|text| text.strip_prefix(&line)?.trim().parse().ok());
    count.unwrap_or(0)
}
