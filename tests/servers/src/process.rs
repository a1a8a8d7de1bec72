//! One running server: its process, its folder, and what a client needs to reach it.

use crate::request;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

const READY: Duration = Duration::from_secs(90);

/// A running S3 server with an empty bucket. Dropping it ends the process and removes its data.
pub struct Server {
    /// Origin, as `http://127.0.0.1:40001`.
    pub endpoint: String,
    /// Region that requests are signed for.
    pub region: String,
    /// Access key id.
    pub access_key: String,
    /// Secret access key.
    pub secret_key: String,
    /// The bucket, which exists.
    pub bucket: String,
    folder: TempDir,
    program: PathBuf,
    arguments: Vec<String>,
    child: Option<Child>,
}

impl Server {
    /// How its bucket is reached.
    pub fn settings(&self) -> holdfast_objects::Settings {
        holdfast_objects::Settings {
            endpoint: self.endpoint.clone(),
            region: self.region.clone(),
            bucket: self.bucket.clone(),
            access_key: self.access_key.clone(),
            secret_key: self.secret_key.clone(),
            ..holdfast_objects::Settings::default()
        }
    }

    pub(crate) fn new(program: PathBuf, port: u16) -> Self {
        let text = |text: &str| text.to_owned();
        Self {
            endpoint: format!("http://127.0.0.1:{port}"),
            region: text("us-east-1"),
            access_key: text("HOLDFASTTESTACCESS"),
            secret_key: text("holdfast/test+secret"),
            bucket: text("holdfast-test"),
            folder: tempfile::tempdir().expect("a temporary folder"),
            program,
            arguments: Vec::new(),
            child: None,
        }
    }

    /// The server's own folder: data, settings and log.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Starts the program and waits until it takes writes; `Err` with its log when it does not.
    pub(crate) fn launch(mut self, arguments: Vec<String>) -> Result<Self, String> {
        self.arguments = arguments;
        self.spawn();
        self.wait().map(|()| self)
    }

    /// Ends the process at once (SIGKILL), as a crash would. Its data stay.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Starts the program again at the same address with the data it left.
    pub fn start_again(&mut self) {
        self.kill();
        self.spawn();
        self.wait().unwrap_or_else(|log| panic!("{log}"));
    }

    fn spawn(&mut self) {
        let log = File::options().create(true).append(true).open(self.log()).expect("a log");
        let child = Command::new(&self.program)
            .args(&self.arguments)
            .current_dir(self.folder.path())
            .env("HOME", self.folder.path())
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a log"))
            .stderr(log)
            .spawn();
        self.child = Some(child.unwrap_or_else(|e| panic!("{}: {e}", self.program.display())));
    }

    fn wait(&mut self) -> Result<(), String> {
        let begun = Instant::now();
        while !self.takes_writes() {
            let ended = self.child.as_mut().and_then(|child| child.try_wait().ok().flatten());
            if ended.is_some() || begun.elapsed() > READY {
                let log = std::fs::read_to_string(self.log()).unwrap_or_default();
                return Err(format!("{} is not ready ({ended:?}):\n{log}", self.program.display()));
            }
            std::thread::park_timeout(Duration::from_millis(20));
        }
        Ok(())
    }

    /// Makes the bucket, then writes, reads and removes an object.
    fn takes_writes(&self) -> bool {
        let made = request::send(self, "PUT", "", b"");
        let written = || request::send(self, "PUT", "/ready", b"ready") == Some(200);
        matches!(made, Some(200 | 409))
            && written()
            && request::send(self, "GET", "/ready", b"") == Some(200)
            && request::send(self, "DELETE", "/ready", b"").is_some_and(|status| status < 300)
    }

    fn log(&self) -> PathBuf {
        self.folder.path().join("log")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Starts a server until it is ready: another process may take a free port in between.
pub(crate) fn insist(start: impl Fn() -> Result<Server, String>) -> Server {
    let tries: Vec<_> = (0..3)
        .map(|_| start())
        .scan(false, |done, one| (!std::mem::replace(done, one.is_ok())).then_some(one))
        .collect();
    match tries.into_iter().next_back() {
        Some(Ok(server)) => server,
        Some(Err(log)) => panic!("{log}"),
        None => unreachable!(),
    }
}

/// Ports that nobody listens on now, all different.
pub(crate) fn free_ports<const N: usize>() -> [u16; N] {
    let held: [_; N] = std::array::from_fn(|_| {
        std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a free port")
    });
    held.map(|listener| listener.local_addr().expect("an address").port())
}
