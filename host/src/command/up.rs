//! `holdfast up`: the bucket, the models, the index, the components, the door.

use super::given::{Given, Variables};
use super::local::{self, FirstKey};
use super::settings::Values;
use super::start_log;
use crate::app::Hooks;
use crate::doors::{Doors, Generator, LINKS, Models, NATIVE};
use crate::exports::{self, Exporting};
use crate::http::{Check, Extras, Server};
use crate::ledger::Ledger;
use crate::manifest::Draft;
use crate::metrics::Metrics;
use crate::native::{self, patiently};
use crate::pool::Pool;
use crate::quarantine::Quarantine;
use crate::summaries::{self, Summarizing};
use crate::tend::{Tending, note};
use crate::{App, background};
use anyhow::{Context, Result};
use clap::Args;
use futures::FutureExt;
use holdfast_core::space;
use holdfast_index::Index;
use holdfast_models::{Embedder, EmbedderPool, PoolSettings, TokenCounter};
use holdfast_ports::{Cache, CacheStats, Cached, SystemClock, bucket, traffic};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinHandle;

/// Examples of `--help`.
pub const EXAMPLES: &str = "Examples:
  holdfast up                                  a local installation below ./data, on 127.0.0.1:8080
  holdfast up --listen 127.0.0.1:0             on a free port
  holdfast up --portable                       with the components that a stock Spin would use
  HOLDFAST_S3_ENDPOINT=https://s3.eu-central-1.wasabisys.com HOLDFAST_S3_REGION=eu-central-1 \\
  HOLDFAST_S3_BUCKET=memories HOLDFAST_S3_ACCESS_KEY=… HOLDFAST_S3_SECRET_KEY=… holdfast up";

/// Arguments of `holdfast up`.
#[derive(Args)]
pub struct Up {
    /// Address to listen on; port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    /// Where a local installation keeps its secrets, its store and compiled components.
    #[arg(long, default_value = "data")]
    data_dir: PathBuf,
    /// The application.
    #[arg(long, default_value = "spin.toml")]
    manifest: PathBuf,
    /// A file of settings, `name = "value"` a line (TOML).
    #[arg(long)]
    settings: Option<PathBuf>,
    /// One setting, `name=value`; may be repeated. `holdfast settings` lists them.
    #[arg(long = "set", value_name = "NAME=VALUE")]
    set: Vec<String>,
    /// One variable of the application, `name=value`, as SPIN_VARIABLE_NAME in the environment; may be repeated.
    #[arg(long = "variable", value_name = "NAME=VALUE")]
    variable: Vec<String>,
    /// Use the components that the manifest names for index and models, in place of the host's own: what a stock runtime
    /// does. Nothing then runs in the background; a scheduler calls `/v1/upkeep`.
    #[arg(long)]
    portable: bool,
}

/// What is served, and where.
pub struct Start {
    /// Address to listen on.
    pub listen: SocketAddr,
    /// Where this installation keeps what is its own.
    pub data_dir: PathBuf,
    /// With the application's components for index and models.
    pub portable: bool,
    /// The application.
    pub draft: Draft,
    /// Its variables that are no settings of ours.
    pub given: Variables,
}

/// Serves until SIGINT or SIGTERM, then lets what is in flight end.
pub fn run(up: Up) -> Result<()> {
    let started = Instant::now();
    let given = Given::gather(std::env::vars(), &up.variable)?;
    let set: Vec<String> = given.settings.iter().chain(&up.set).cloned().collect();
    let values = Values::gather(up.settings.as_deref(), std::env::vars(), &set)?;
    let draft = Draft::read(&up.manifest)?;
    let Up { listen, data_dir, portable, .. } = up;
    start(Start { listen, data_dir, portable, draft, given: given.variables }, values, started)
}

/// As [`run`], for what has been read.
pub fn start(start: Start, values: Values, started: Instant) -> Result<()> {
    start_log(&values)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(serve(start, values, started))
}

async fn serve(up: Start, mut values: Values, started: Instant) -> Result<()> {
    let given = std::env::var("HOLDFAST_KEY").ok();
    let key = local::secrets(&mut values, &up.data_dir, up.listen, given)?;
    let store = local::store(&mut values, &up.data_dir).await?;
    let patience = values.milliseconds("start_deadline_ms")?;
    let (objects, secret) = (values.store()?, values.text("root_secret").to_owned());
    patiently(patience, async || native::check_format(objects.clone(), secret.clone()).await)
        .await?;
    let ledger = Ledger::open(values.text("erase_ledger"), objects)?;
    replay(ledger.as_ref(), patience).await?;
    let metrics = Arc::new(Metrics::default());
    metrics.gauge("host".into(), || vec![("read_bytes", traffic().total())]);
    let variables = up.given.of(up.draft.variables(), &values.variables());
    let manifest = up.draft.resolve(&variables)?;
    let native: &[&str] = if up.portable { &[] } else { NATIVE };
    if manifest.composes(native) {
        // An instance holds its components' data, a table of vectors among them, and its users' views.
        values.set_default("instance_memory_mib", "256");
        // Each of a component's parts is an instance of its own to the engine.
        values.set_default("instances", "16");
    }
    let inside = if up.portable {
        tracing::info!(
            "index and models are the manifest's components, and nothing runs in the background"
        );
        Inside::default()
    } else {
        Inside::native(&values, &up.data_dir, &metrics)?
    };
    let mut settings = values.runtime()?;
    settings.listen = up.listen;
    settings.cache_dir = Some(up.data_dir.join("cache"));
    let app = App::load(manifest, &settings, &inside.hooks, &metrics)?;
    let extras = Extras {
        native: native::routes(&values, inside.index.clone())?,
        ready: inside.index.iter().map(ready).collect(),
        admission: Some(Arc::new(values.admission()?)),
    };
    let pools = Pools::of(&app);
    let server = Server::bind(settings, app, metrics.clone(), extras).await?;
    let mut background = inside.background(&values, &metrics, pools)?;
    background.extend(ledger.clone().map(|ledger| tokio::spawn(ledger.run())));
    greet(&server, &values, &key, inside.search(), store.is_some(), started);
    let in_time = server.serve(stop()).await;
    background.iter().for_each(JoinHandle::abort);
    note(inside.hooks.doors.written.clone(), values.store()?).await;
    if let Some(index) = inside.index {
        index.shutdown().await;
    }
    keep(ledger).await;
    if let Some(store) = store {
        store.shutdown().await;
    }
    tracing::info!(in_time, "stopped");
    Ok(())
}

/// Holds to the erases that a ledger outside the bucket knows, and the bucket does not.
async fn replay(ledger: Option<&Ledger>, patience: Duration) -> Result<()> {
    let Some(ledger) = ledger else { return Ok(()) };
    let replayed = patiently(patience, async || ledger.replay().await).await;
    match replayed.context("hold to the erases of erase_ledger")? {
        0 => {}
        count => tracing::warn!(
            "the bucket lacked {count} erases that erase_ledger holds, as one from a backup does: they hold again, and upkeep removes what came back"
        ),
    }
    Ok(())
}

/// Copies the last erases out of the bucket.
async fn keep(ledger: Option<Ledger>) {
    let Some(ledger) = ledger else { return };
    if let Err(error) = ledger.keep().await {
        tracing::warn!("{}: the last erases are not in erase_ledger: {error}", error.reason);
    }
}

/// What the host itself serves to components: everything, or by default nothing.
#[derive(Default)]
struct Inside {
    index: Option<Index>,
    /// What the host keeps of the bucket.
    cache: Option<Cache>,
    hooks: Hooks,
}

/// Components that the host works with beside requests, where the application has them.
struct Pools {
    exporting: Option<Arc<Pool>>,
    summarizing: Option<Arc<Pool>>,
}

impl Pools {
    fn of(app: &App) -> Self {
        let pool = |id| app.pool(id).cloned();
        Self { exporting: pool(exports::COMPONENT), summarizing: pool(summaries::COMPONENT) }
    }
}

impl Inside {
    /// The native index and models.
    fn native(values: &Values, data_dir: &Path, metrics: &Metrics) -> Result<Self> {
        let embedder = load_model(values, data_dir)?;
        let cache = Cache::open(data_dir.join("objects"), values.cache()?);
        let (shared, objects) = (cache.clone(), values.store()?);
        let open = move || Cached::new(open(&objects), shared.clone());
        let index = Index::start(values.index(space::NATIVE)?, SystemClock, open)?;
        let seen = cache.clone();
        metrics.gauge("index".into(), move || kept(&seen));
        let tokens = TokenCounter::new(values.parsed("tokenizer")?);
        let generator = Generator::new(
            values.text("generate_endpoint"),
            values.text("generate_path"),
            values.text("generate_key"),
            values.text("generate_model"),
            values.milliseconds("generate_deadline_ms")?,
        )?;
        let embed_deadline = values.embed_deadline()?;
        let models = Models { embedder, tokens, generator, embed_deadline };
        let hooks = Hooks {
            doors: Arc::new(Doors { index: Some(index.clone()), written: Arc::default(), models }),
            link: LINKS.to_vec(),
            native: NATIVE.iter().map(|&package| package.to_owned()).collect(),
        };
        Ok(Self { index: Some(index), cache: Some(cache), hooks })
    }

    /// What runs beside requests, where the index is ours.
    fn background(
        &self,
        values: &Values,
        metrics: &Metrics,
        pools: Pools,
    ) -> Result<Vec<JoinHandle<()>>> {
        let (Some(index), Some(cache)) = (&self.index, &self.cache) else {
            return Ok(Vec::new());
        };
        let (doors, ledger) = (self.hooks.doors.clone(), values.ledger());
        let embedding = background::embed_pending(doors, values.store()?, ledger);
        let quarantine = Arc::new(Quarantine::default());
        let corrupt = quarantine.clone();
        metrics.gauge("host".into(), move || vec![("corrupt_objects", corrupt.count())]);
        let written = self.hooks.doors.written.clone();
        let tending =
            Tending::new(index.clone(), values, written, quarantine, cache.clone())?.run();
        let exporting = Exporting::new(index.clone(), pools.exporting, values)?.run();
        let mut all = vec![tokio::spawn(embedding), tokio::spawn(tending), tokio::spawn(exporting)];
        if let Some(pool) = pools.summarizing {
            let summarizing = Summarizing::new(index.clone(), pool, values)?.run();
            all.push(tokio::spawn(summarizing));
        }
        Ok(all)
    }

    /// How a search finds.
    fn search(&self) -> &'static str {
        match (&self.index, self.hooks.doors.models.embedder.get()) {
            (None, _) => "as the manifest's components do",
            (Some(_), Some(_)) => "by words and meaning",
            (Some(_), None) => "by words",
        }
    }
}

fn open(objects: &holdfast_objects::Settings) -> holdfast_ports::Bucket {
    // The settings were checked at the start: a second reading cannot fail.
    #[allow(clippy::expect_used, reason = "checked before the index starts")]
    bucket(objects.clone()).expect("settings that were checked")
}

/// What `/metrics` says of the objects that are kept here.
fn kept(cache: &Cache) -> Vec<(&'static str, u64)> {
    let CacheStats { hits, misses, damaged, files, bytes } = cache.stats();
    vec![
        ("object_cache_hits", hits),
        ("object_cache_misses", misses),
        ("object_cache_damaged", damaged),
        ("object_cache_files", files),
        ("object_cache_bytes", bytes),
    ]
}

fn ready(index: &Index) -> Check {
    let index = index.clone();
    Arc::new(move || {
        let unready = index.unready();
        async move { unready.map_or(Ok(()), Err) }.boxed()
    })
}

/// The model, when its files are there.
fn load_model(values: &Values, data_dir: &Path) -> Result<Arc<OnceLock<EmbedderPool>>> {
    let slot = Arc::new(OnceLock::new());
    let dir = match values.text("model_dir") {
        "" => data_dir.join("models/minilm-l6-v2"),
        dir => PathBuf::from(dir),
    };
    if std::env::var_os("HOLDFAST_NO_MODEL").is_some() {
        tracing::warn!("HOLDFAST_NO_MODEL is set: search works by words only");
        return Ok(slot);
    }
    if !dir.join("model.safetensors").exists() {
        let dir = dir.display();
        tracing::warn!(
            "no embedding model in {dir}: search works by words until `cargo xtask model` has fetched it"
        );
        return Ok(slot);
    }
    let embedder =
        Embedder::load(&dir).with_context(|| format!("load the model in {}", dir.display()))?;
    let threads = values.parsed("embedder_threads")?;
    let pool = EmbedderPool::start(embedder, PoolSettings { threads, ..PoolSettings::default() })?;
    let _ = slot.set(pool);
    Ok(slot)
}

fn greet(
    server: &Server,
    values: &Values,
    key: &FirstKey,
    search: &str,
    embedded: bool,
    started: Instant,
) {
    let address = server.address();
    println!("Holdfast is up after {} ms.", started.elapsed().as_millis());
    println!("  address  http://{address}");
    if key.made_here {
        println!("  key      {}", key.text);
    }
    let store = if embedded { " (embedded store)" } else { "" };
    println!("  bucket   {}/{}{store}", values.text("s3_endpoint"), values.text("s3_bucket"));
    println!("  search   {search}");
}

async fn stop() {
    let (Ok(mut interrupt), Ok(mut terminate)) =
        (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    tracing::info!("stopping: requests in flight go on for a while");
}
