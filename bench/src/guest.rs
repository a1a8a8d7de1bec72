//! Throughput of a trivial route through a guest against the same route that the host serves itself.

use crate::table::{Figure, Table};
use futures::future::join_all;
use holdfast_faults::Api;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const CONNECTIONS: [(usize, f64); 3] = [(1, 0.4), (8, 0.4), (64, 0.3)];
/// The two are measured in turns of this length.
const TURN: Duration = Duration::from_secs(1);
const BUILD: &str = "cargo build -p holdfast --example bare && cargo build --profile guest --target wasm32-wasip2 -p guest-probe";

/// Measures when the runtime's example `bare` and the guest `probe` are built; says how to build them when not.
pub async fn measure(seconds: u64, table: &mut Table) {
    let (bare, guest) = (bare(), guests().join("guest_probe.wasm"));
    if !bare.is_file() || !guest.is_file() {
        table.note(format!("The trivial route was not measured: first run `{BUILD}`."));
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let mut running = start(&bare, &guest, folder.path());
    let mut lines = BufReader::new(running.0.stdout.take().expect("its output")).lines();
    let address = lines.next().expect("its address").expect("its address");
    let api = Api::new(&format!("http://{address}"), "none");
    for (connections, least) in CONNECTIONS {
        let (mut guest, mut native) = (0, 0);
        for _ in 0..seconds {
            guest += turn(&api, "/hello", connections).await;
            native += turn(&api, "/native", connections).await;
        }
        let rate = |answers: u64| answers as f64 / (TURN.as_secs_f64() * seconds as f64);
        let what = format!("trivial route through a guest, {connections} connections");
        let figure = Figure::plain(what, rate(guest), "req/s");
        table.add(figure.beside("served natively", rate(native)).at_least(least));
    }
}

/// Answers in one turn.
async fn turn(api: &Api, path: &str, connections: usize) -> u64 {
    let end = Instant::now() + TURN;
    let ask = async || {
        let mut answers = 0;
        while Instant::now() < end {
            let answer = api.get(path, None).await.expect(200);
            assert_eq!(&answer.body[..], b"hello");
            answers += 1;
        }
        answers
    };
    join_all((0..connections).map(|_| ask())).await.into_iter().sum()
}

/// A process that ends with this value.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn start(bare: &Path, guest: &Path, folder: &Path) -> Running {
    let manifest = folder.join("spin.toml");
    let text = format!(
        "spin_manifest_version = 2\n[application]\nname = \"bench\"\n\
         [[trigger.http]]\nroute = \"/hello\"\ncomponent = \"probe\"\n\
         [component.probe]\nsource = {:?}\n",
        guest.display().to_string()
    );
    std::fs::write(&manifest, text).expect("write a manifest");
    let mut command = Command::new(bare);
    command.arg(manifest).arg("127.0.0.1:0").stdout(Stdio::piped());
    Running(command.spawn().expect("start the bare runtime"))
}

/// Beside the host's program: `HOLDFAST_TEST_PROGRAM`, or what cargo built.
fn bare() -> PathBuf {
    let program = std::env::var_os("HOLDFAST_TEST_PROGRAM").map(PathBuf::from);
    let program = program.or_else(|| std::env::current_exe().ok()).unwrap_or_default();
    program.with_file_name("examples").join("bare")
}

/// Where `HOLDFAST_GUESTS` says, else in the target folder of the host's program.
fn guests() -> PathBuf {
    let given = std::env::var_os("HOLDFAST_GUESTS").map(PathBuf::from);
    let target = || bare().ancestors().nth(3).map(Path::to_path_buf).unwrap_or_default();
    given.unwrap_or_else(|| target().join("wasm32-wasip2/guest"))
}
