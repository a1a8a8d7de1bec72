//! A host with the test guests, on a free port of loopback, stopped at the end of the test.
#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

use holdfast::app::Hooks;
use holdfast::http::Extras;
use holdfast::manifest::Manifest;
use holdfast::metrics::Metrics;
use holdfast::{App, Server, Settings};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// A running host.
pub struct Host {
    pub address: SocketAddr,
    pub client: reqwest::Client,
    stop: Option<oneshot::Sender<()>>,
    served: JoinHandle<bool>,
    _dir: tempfile::TempDir,
}

/// The directory of the test guests' `.wasm` files.
pub fn guests() -> PathBuf {
    let dir = std::env::var_os("HOLDFAST_GUESTS").map(PathBuf::from).unwrap_or_else(|| {
        let target = std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
        let workspace = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..").join("target");
        target.unwrap_or(workspace).join("wasm32-wasip2").join("guest")
    });
    for name in ["guest_probe", "guest_greeter", "guest_caller"] {
        assert!(
            dir.join(format!("{name}.wasm")).exists(),
            "{name}.wasm is not in {}: run `cargo build --profile guest --target wasm32-wasip2 \
             -p guest-probe -p guest-greeter -p guest-caller`, or set HOLDFAST_GUESTS",
            dir.display()
        );
    }
    dir
}

/// A manifest with the probe on every path; `component` is added to its table.
pub fn probe(component: &str) -> String {
    format!(
        "spin_manifest_version = 2\n[application]\nname = \"t\"\n\
         [[trigger.http]]\nroute = \"/...\"\ncomponent = \"probe\"\n\
         [component.probe]\nsource = \"guest_probe.wasm\"\n{component}\n"
    )
}

pub fn settings() -> Settings {
    Settings { listen: SocketAddr::from(([127, 0, 0, 1], 0)), ..Settings::default() }
}

pub fn load(manifest: &str, settings: &Settings, metrics: &Metrics) -> anyhow::Result<App> {
    let manifest = Manifest::parse(manifest, &guests(), &BTreeMap::new())?;
    App::load(manifest, settings, &Hooks::default(), metrics)
}

impl Host {
    pub async fn start(manifest: &str, settings: Settings) -> Host {
        Host::start_with(manifest, settings, Extras::default()).await
    }

    pub async fn start_with(manifest: &str, mut settings: Settings, extras: Extras) -> Host {
        let dir = tempfile::tempdir().unwrap();
        settings.cache_dir = Some(cache());
        let metrics = Arc::new(Metrics::default());
        let app = load(manifest, &settings, &metrics).unwrap();
        let server = Server::bind(settings, app, metrics, extras).await.unwrap();
        let address = server.address();
        let (stop, stopped) = oneshot::channel::<()>();
        let served = tokio::spawn(server.serve(async {
            let _ = stopped.await;
        }));
        let client = reqwest::Client::builder()
            .use_preconfigured_tls(tls())
            .redirect(reqwest::redirect::Policy::none())
            .timeout(Duration::from_secs(60))
            .build()
            .unwrap();
        Host { address, client, stop: Some(stop), served, _dir: dir }
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub async fn get(&self, path: &str) -> (u16, String) {
        let response = self.client.get(self.url(path)).send().await.unwrap();
        (response.status().as_u16(), response.text().await.unwrap())
    }

    pub async fn metric(&self, line: &str) -> u64 {
        let (_, text) = self.get("/metrics").await;
        let found = text.lines().find_map(|l| l.strip_prefix(line));
        found.map_or(0, |value| value.trim().parse().unwrap())
    }

    /// Stops the host; true when everything in flight ended in time.
    pub async fn stop(mut self) -> bool {
        self.stop.take().unwrap().send(()).unwrap();
        self.served.await.unwrap()
    }

    /// Stops taking requests and gives what tells when all ended.
    pub fn begin_stop(mut self) -> JoinHandle<bool> {
        self.stop.take().unwrap().send(()).unwrap();
        self.served
    }
}

/// One cache for all tests of this target folder: each guest is compiled once.
fn cache() -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("compiled-guests")
}

fn tls() -> rustls::ClientConfig {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth()
}

/// A server that answers every request on every connection with `response`, and counts requests.
pub async fn neighbour(response: String) -> (SocketAddr, Arc<std::sync::atomic::AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let count = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let counted = count.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(answer_all(stream, response.clone(), counted.clone()));
        }
    });
    (address, count)
}

async fn answer_all(
    mut stream: TcpStream,
    response: String,
    count: Arc<std::sync::atomic::AtomicUsize>,
) {
    let mut seen = Vec::new();
    let mut buffer = [0; 4096];
    while let Ok(n) = stream.read(&mut buffer).await {
        seen.extend_from_slice(&buffer[..n]);
        while let Some(end) = seen.windows(4).position(|w| w == b"\r\n\r\n") {
            seen.drain(..end + 4);
            count.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            if stream.write_all(response.as_bytes()).await.is_err() {
                return;
            }
        }
        if n == 0 {
            return;
        }
    }
}

/// Sends raw bytes, gives all that comes until the end, and whether the connection was broken off.
pub async fn raw(address: SocketAddr, request: &str) -> (String, Option<std::io::Error>) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut all = Vec::new();
    let result = stream.read_to_end(&mut all).await;
    (String::from_utf8_lossy(&all).into_owned(), result.err())
}

/// The problem that an answer is, checked for its form.
pub async fn problem(response: reqwest::Response) -> serde_json::Value {
    let kind = response.headers()["content-type"].to_str().unwrap().to_owned();
    assert_eq!(kind, "application/problem+json");
    let status = response.status().as_u16();
    let id = response.headers()["x-request-id"].to_str().unwrap().to_owned();
    let problem: serde_json::Value = serde_json::from_str(&response.text().await.unwrap()).unwrap();
    assert_eq!(problem["status"], status);
    assert_eq!(problem["request_id"], id.as_str());
    for field in ["type", "title", "code", "detail", "instance"] {
        assert!(problem[field].is_string(), "{field}: {problem}");
    }
    problem
}
