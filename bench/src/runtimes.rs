//! The same components on three runtimes over one bucket: the native host, the host with the portable components, and a
//! stand-in for a stock runtime that makes an instance for every request.

use crate::fill::{User, fill_in, prose, text};
use crate::spread::{Spread, milliseconds};
use crate::table::{Figure, Table};
use crate::{Sizes, fresh};
use futures::StreamExt;
use futures::future::join_all;
use futures::stream;
use holdfast_core::access::ApiKey;
use holdfast_core::ports::Objects;
use holdfast_core::{Key, Part, Scope, TenantId, UserId, key, space};
use holdfast_faults::{Answer, Api, Installation};
use holdfast_ports::{Bucket, bucket};
use holdfast_standin::{Manifest, Standin};
use rand::SeedableRng;
use rand::rngs::StdRng;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

const FEW: User = User { name: "few", messages: 10_000, batch: 100 };
const TURN: Duration = Duration::from_secs(2);
const CONNECTIONS: usize = 4;

/// Measures all three; says so where their components are not built.
pub async fn measure(sizes: Sizes, table: &mut Table) {
    if !root().join("target/components/flat-index.wasm").is_file() {
        table.note("The portable runtimes were not measured: first run `cargo xtask build`.");
        return;
    }
    let installation = Installation::rclone();
    let (native, _data) = installation.start_beside();
    let (portable, _more) = installation.start_portable();
    let standin = standin(&installation, &root().join("target/tests/standin"));
    let first_key = installation.settings().key.as_deref().expect("a key");
    let runtimes = [
        ("native", Api::of(&native)),
        ("portable", Api::of(&portable)),
        ("stand-in", Api::new(&format!("http://{}", standin.address), first_key)),
    ];
    fill_in(&runtimes[0].1, FEW, space::PORTABLE).await;
    seal(&runtimes[1].1).await;
    for (name, api) in &runtimes {
        calls(name, api, sizes, table).await;
    }
    split(&installation, &runtimes[2].1, &runtimes[1].1, table).await;
    drop(standin);
    native.kill();
    portable.kill();
    fresh::measure(&installation, table).await;
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The stand-in with the variables that the host would give its components.
pub fn standin(installation: &Installation, cache: &Path) -> Standin {
    let settings = installation.settings();
    let mut given: BTreeMap<String, String> = settings.set.iter().cloned().collect();
    let first_key = settings.key.as_deref().and_then(ApiKey::parse_unchecked).expect("a key");
    given.insert("root_key_sha256".into(), first_key.sha256());
    let manifest = Manifest::read(&root().join("spin.toml"), &given).expect("spin.toml");
    // It has a runtime of its own, which cannot begin within this one.
    let start = || Standin::start(&manifest, ([127, 0, 0, 1], 0).into(), cache);
    let started = std::thread::scope(|scope| scope.spawn(start).join());
    started.expect("a thread").expect("a stand-in")
}

/// The journal as it is where a scheduler tends it.
async fn seal(api: &Api) {
    for _ in 0..20 {
        let _ = api.post_for(200, "/v1/upkeep/compact", &json!({"user_id": FEW.name})).await;
    }
}

async fn store(api: &Api, rng: &mut StdRng) {
    let body = json!({"user_id": "ann", "role": "user", "content": prose(rng, 50)});
    let _ = api.post_for(201, "/v1/sessions/bench/messages", &body).await;
}

async fn search(api: &Api, user: &str, rng: &mut StdRng) {
    let _ = search_by(api, user, "keyword", rng).await;
}

async fn search_by(api: &Api, user: &str, mode: &str, rng: &mut StdRng) -> Answer {
    let body: Value = json!({"user_id": user, "query": text(rng, 6), "mode": mode});
    api.post_for(200, "/v1/search", &body).await
}

/// Median of a store and of a search of a user with 10,000 messages, and both under load.
async fn calls(name: &str, api: &Api, sizes: Sizes, table: &mut Table) {
    let mut rng = StdRng::seed_from_u64(5);
    let (mut stores, mut searches) = (Spread::default(), Spread::default());
    let count = if name == "stand-in" { 10 } else { sizes.calls / 4 };
    for n in 0..count + 3 {
        if n == 3 {
            (stores, searches) = (Spread::default(), Spread::default());
        }
        stores.time(store(api, &mut rng)).await;
        searches.time(search(api, FEW.name, &mut rng)).await;
    }
    table.add(Figure::plain(
        format!("{name}: store of a 50-word message, p50"),
        stores.p50(),
        "ms",
    ));
    let what = format!("{name}: search by words of 10000 messages, p50");
    table.add(Figure::plain(what, searches.p50(), "ms"));
    let what = format!("{name}: stores, {CONNECTIONS} connections");
    table.add(Figure::plain(what, rate(async |rng| store(api, rng).await).await, "req/s"));
    let what = format!("{name}: searches of a user of a few messages, {CONNECTIONS} connections");
    table.add(Figure::plain(what, rate(async |rng| search(api, "bea", rng).await).await, "req/s"));
}

async fn rate(call: impl AsyncFn(&mut StdRng)) -> f64 {
    let end = Instant::now() + TURN;
    let ask = async |seed| {
        let (mut rng, mut count) = (StdRng::seed_from_u64(seed), 0);
        while Instant::now() < end {
            call(&mut rng).await;
            count += 1;
        }
        count
    };
    let counts = join_all((0..CONNECTIONS as u64).map(ask)).await;
    counts.into_iter().sum::<u64>() as f64 / TURN.as_secs_f64()
}

/// What a search in a fresh instance takes, and where: an instance that finds nobody, the user's index part read, and the
/// search; beside what the bucket itself takes for the same objects, and beside the first one, which finds no part, reads
/// the journal and leaves one.
async fn split(installation: &Installation, fresh: &Api, warm: &Api, table: &mut Table) {
    let mut rng = StdRng::seed_from_u64(6);
    let (mut nobody, mut read, mut whole) =
        (Spread::default(), Spread::default(), Spread::default());
    let (mut again, mut objects) = (Spread::default(), Spread::default());
    let mut hybrid = Spread::default();
    let mut first = Spread::default();
    let path = format!("/v1/sessions/{}/messages?user_id={}&limit=1", FEW.session(), FEW.name);
    let bucket = raw(installation);
    for _ in 0..5 {
        for key in objects_of(&bucket).await.into_iter().filter(|key| key.part() == Part::Index) {
            bucket.delete(&key).await.expect("no part");
        }
        first.time(search(fresh, FEW.name, &mut rng)).await;
    }
    for _ in 0..7 {
        nobody.time(search(fresh, "nobody", &mut rng)).await;
        let _ = read.time(fresh.get(&path, None)).await.expect(200);
        whole.time(search(fresh, FEW.name, &mut rng)).await;
        let found = hybrid.time(search_by(fresh, FEW.name, "hybrid", &mut rng)).await;
        assert_eq!(found.json()["mode"], "hybrid", "the question was not embedded");
        again.time(search(warm, FEW.name, &mut rng)).await;
        objects.add(reads_alone(&bucket).await);
    }
    let mut line = |what: &str, seen: f64| {
        table.add(Figure::plain(format!("fresh instance, 10000 messages: {what}"), seen, "ms"));
    };
    line("the objects alone, list and reads", objects.p50());
    line("search of a user who has nothing", nobody.p50());
    line("first page of a session", read.p50());
    line("search by words where no index part is there: one is left", first.p50());
    line("search by words in a kept instance", again.p50());
    for (how, seen) in [("words", whole), ("words and meaning", hybrid)] {
        let what = format!("fresh instance, 10000 messages: search by {how}, beyond the bucket");
        table.add(Figure::aim(what, seen.p50() - objects.p50(), "ms", 150.0));
    }
}

fn raw(installation: &Installation) -> Bucket {
    bucket(installation.server().expect("a server").settings()).expect("the bucket")
}

async fn objects_of(bucket: &Bucket) -> Vec<Key> {
    let id = |text: &str| UserId::parse(text).expect("an id");
    let scope = Scope { tenant: TenantId::parse("default").expect("an id"), user: id(FEW.name) };
    let prefix = key::user(&scope);
    let page = bucket.list(&prefix, None).await.expect("a list");
    page.objects.iter().filter_map(|listed| Key::below(&prefix, &listed.key)).collect()
}

/// Milliseconds for a list of the user's objects and a read of each that a fresh instance reads: manifests, covers and the index
/// part.
async fn reads_alone(bucket: &Bucket) -> f64 {
    let begun = Instant::now();
    let mut keys = objects_of(bucket).await;
    keys.retain(|key| matches!(key.part(), Part::Manifest | Part::Cover | Part::Index));
    let reads = stream::iter(keys).map(async |key| bucket.get(&key).await.expect("an object"));
    let _: Vec<_> = reads.buffer_unordered(16).collect().await;
    milliseconds(begun)
}
