//! The real program `holdfast` as a process of its own, on a free port, ended when it is dropped.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// How a host is started.
#[derive(Debug, Clone, Default)]
pub struct HostSettings {
    /// Settings by name, as `--set`.
    pub set: Vec<(String, String)>,
    /// `HOLDFAST_KEY`, where the first key is given.
    pub key: Option<String>,
    /// Start with the embedding model; without it `HOLDFAST_NO_MODEL` is set.
    pub model: bool,
    /// With the components of the manifest for index and models.
    pub portable: bool,
    /// Another manifest than the workspace's.
    pub manifest: Option<PathBuf>,
}

/// A running host.
pub struct Host {
    child: Child,
    /// `http://127.0.0.1:port`.
    pub url: String,
    /// The first key.
    pub key: String,
    /// Address of the object store that it uses.
    pub bucket: String,
}

impl HostSettings {
    /// One more setting.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.set.push((name.to_owned(), value.into()));
        self
    }

    /// The bucket of another server.
    #[must_use]
    pub fn on(self, server: &crate::Server) -> Self {
        self.by_way_of(&server.endpoint, server)
    }

    /// The bucket of another server, reached at `endpoint`, as that of a proxy.
    #[must_use]
    pub fn by_way_of(self, endpoint: &str, server: &crate::Server) -> Self {
        self.with("s3_endpoint", endpoint)
            .with("s3_region", &server.region)
            .with("s3_bucket", &server.bucket)
            .with("s3_access_key", &server.access_key)
            .with("s3_secret_key", &server.secret_key)
    }
}

impl Host {
    /// The program with `verb` and `arguments`, given what the settings say and nothing else.
    pub fn command(verb: &str, arguments: &[&str], settings: &HostSettings) -> Command {
        let mut command = Command::new(program());
        command.current_dir(root()).arg(verb);
        // A host takes only what its test says, whatever the tests themselves were given.
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("HOLDFAST_")) {
            command.env_remove(name);
        }
        if let Some(key) = &settings.key {
            command.env("HOLDFAST_KEY", key);
        }
        if settings.model && std::env::var_os("HOLDFAST_NO_MODEL").is_none() {
            command.env("HOLDFAST_MODEL_DIR", root().join("target/models/minilm-l6-v2"));
        } else {
            command.env("HOLDFAST_NO_MODEL", "1");
        }
        for (name, value) in &settings.set {
            command.arg("--set").arg(format!("{name}={value}"));
        }
        command.args(arguments);
        command
    }

    /// Starts `holdfast up` with `data_dir` and waits until it has said that it is up.
    pub fn start(data_dir: &Path, settings: &HostSettings) -> Self {
        let host = Self::try_start(data_dir, settings);
        host.expect("holdfast up ended before it was up: see its messages above")
    }

    /// As [`start`](Self::start); none when the program ended before it was up, as it does when its store does not answer.
    pub fn try_start(data_dir: &Path, settings: &HostSettings) -> Option<Self> {
        let mut command = Self::command("up", &["--listen", "127.0.0.1:0", "--data-dir"], settings);
        command.arg(data_dir);
        if settings.portable {
            command.arg("--portable");
        }
        if let Some(manifest) = &settings.manifest {
            command.arg("--manifest").arg(manifest);
        }
        let mut child = command.stdout(Stdio::piped()).spawn().expect("start holdfast");
        let mut lines = BufReader::new(child.stdout.take().expect("its output")).lines();
        let (mut url, mut key, mut bucket) = (String::new(), settings.key.clone(), String::new());
        for line in lines.by_ref().map_while(Result::ok) {
            let mut words = line.split_whitespace();
            match (words.next(), words.next()) {
                (Some("address"), Some(address)) => url = address.to_owned(),
                (Some("key"), Some(made)) => key = Some(made.to_owned()),
                (Some("bucket"), Some(place)) => bucket = place.to_owned(),
                (Some("search"), _) => break,
                _ => {}
            }
        }
        if url.is_empty() {
            let _ = child.kill();
            let _ = child.wait();
            return None;
        }
        std::thread::spawn(move || lines.for_each(drop));
        Some(Self { child, url, key: key.unwrap_or_default(), bucket })
    }

    /// Ends it at once, as `kill -9` does.
    pub fn kill(mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Ends it as an operator does (SIGTERM), and waits until it has ended.
    ///
    /// # Panics
    /// When it does not end well.
    pub fn stop(mut self) {
        let id = self.id().to_string();
        let told = Command::new("kill").args(["-TERM", &id]).status().expect("kill");
        assert!(told.success());
        assert!(self.child.wait().expect("its end").success(), "holdfast up did not end well");
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The program: `HOLDFAST_TEST_PROGRAM`, or what cargo built.
fn program() -> PathBuf {
    let target = || {
        std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
    };
    let path = std::env::var_os("HOLDFAST_TEST_PROGRAM")
        .map_or_else(|| target().join("debug/holdfast"), PathBuf::from);
    assert!(
        path.exists(),
        "{} is not there: run `cargo build -p holdfast` and `cargo xtask build`",
        path.display()
    );
    path
}
