//! An installation whose bucket outlives its hosts: the key, the secret and the bucket are given by settings alone.

use holdfast_core::access::ApiKey;
use holdfast_core::{KeyId, TenantId};
use holdfast_servers::{Host, HostSettings, Proxy, Rclone, SeaweedFs, Server};
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

/// Access key id of the embedded store.
pub const ACCESS_KEY: &str = "HOLDFASTTESTACCESS";
/// Secret access key of the embedded store.
pub const SECRET_KEY: &str = "holdfast/test+secret";
const ROOT_SECRET: &str = "a secret of tests, which has more than 32 bytes";

/// A bucket, and what a host needs to serve it.
pub struct Installation {
    settings: HostSettings,
    data: TempDir,
    // Before the server: it ends first.
    proxy: Option<Proxy>,
    server: Option<Server>,
}

impl Installation {
    /// The bucket in the embedded store, which lives and dies with the host.
    pub fn embedded() -> Self {
        let settings =
            settings().with("s3_access_key", ACCESS_KEY).with("s3_secret_key", SECRET_KEY);
        Self { settings, data: folder(), proxy: None, server: None }
    }

    /// The bucket on `rclone serve s3`.
    pub fn rclone() -> Self {
        Self::on(Rclone::start())
    }

    /// The bucket on SeaweedFS.
    pub fn seaweedfs() -> Self {
        Self::on(SeaweedFs::start())
    }

    fn on(server: Server) -> Self {
        let settings = settings().on(&server);
        Self { settings, data: folder(), proxy: None, server: Some(server) }
    }

    /// The bucket on `server`, which hosts reach through a proxy that injects faults: calm at first.
    pub fn behind_proxy(server: Server, seed: u64) -> Self {
        let proxy = Proxy::before(&server, seed);
        let settings = settings().by_way_of(&proxy.endpoint, &server);
        Self { settings, data: folder(), proxy: Some(proxy), server: Some(server) }
    }

    /// The proxy before the server.
    ///
    /// # Panics
    /// Without one.
    pub fn proxy(&self) -> &Proxy {
        self.proxy_if_any().expect("an installation behind a proxy")
    }

    /// The proxy before the server, where there is one.
    pub fn proxy_if_any(&self) -> Option<&Proxy> {
        self.proxy.as_ref()
    }

    /// The same with another setting.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.settings = self.settings.with(name, value);
        self
    }

    /// The same with the embedding model.
    #[must_use]
    pub fn with_model(mut self, model: bool) -> Self {
        self.settings.model = model;
        self
    }

    /// What its hosts, and commands about its bucket, are given.
    pub fn settings(&self) -> &HostSettings {
        &self.settings
    }

    /// Starts a host with the local directory as it is.
    pub fn start(&self) -> Host {
        Host::start(self.data.path(), &self.settings)
    }

    /// As [`start`](Self::start); none when the host ends before it is up.
    pub fn try_start(&self) -> Option<Host> {
        Host::try_start(self.data.path(), &self.settings)
    }

    /// Starts a host beside others: with an empty local directory of its own, on the same bucket.
    ///
    /// # Panics
    /// For the embedded store, which one process serves.
    pub fn start_beside(&self) -> (Host, TempDir) {
        assert!(self.server.is_some(), "one process serves the embedded store");
        let data = folder();
        (Host::start(data.path(), &self.settings), data)
    }

    /// Starts a host beside others in a local directory of before.
    pub fn start_in(&self, data: &Path) -> Host {
        Host::start(data, &self.settings)
    }

    /// As [`start_beside`](Self::start_beside), with the manifest's components for index and models.
    ///
    /// # Panics
    /// As there.
    pub fn start_portable(&self) -> (Host, TempDir) {
        assert!(self.server.is_some(), "one process serves the embedded store");
        let data = folder();
        let settings = HostSettings { portable: true, ..self.settings.clone() };
        (Host::start(data.path(), &settings), data)
    }

    /// Throws the local directory away, all but the bucket and compiled components; no host may run.
    ///
    /// # Panics
    /// When the bucket's folder cannot be kept.
    pub fn lose_local_directory(&mut self) {
        let data = folder();
        if self.server.is_none() {
            std::fs::rename(self.data.path().join("store"), data.path().join("store"))
                .expect("keep the bucket");
        }
        self.data = data;
        let left: Vec<_> =
            std::fs::read_dir(self.data.path()).expect("a folder").flatten().collect();
        let kept = ["store", "cache"];
        assert!(left.iter().all(|entry| kept.iter().any(|k| entry.file_name() == *k)), "{left:?}");
    }

    /// Puts a bucket of before in the place of what is there: what the folder `backup` holds. No host may run.
    ///
    /// # Panics
    /// Where the bucket is not a folder of a server's own, as rclone's is.
    pub fn restore(&mut self, backup: &Path) {
        let bucket = self.bucket_folder();
        self.server.as_mut().expect("a server").kill();
        std::fs::remove_dir_all(&bucket).expect("remove the bucket");
        copy(backup, &bucket);
        self.server.as_mut().expect("a server").start_again();
    }

    /// The folder that is the bucket on rclone.
    ///
    /// # Panics
    /// On another store.
    pub fn bucket_folder(&self) -> PathBuf {
        let server = self.server.as_ref().expect("a server");
        let folder = server.folder().join("data").join(&server.bucket);
        assert!(folder.is_dir(), "no bucket that is a folder");
        folder
    }

    /// What hosts keep beside the bucket.
    pub fn folder(&self) -> &Path {
        self.data.path()
    }

    /// The store's own server, where it is not the embedded one.
    pub fn server(&self) -> Option<&Server> {
        self.server.as_ref()
    }
}

/// Copies a folder with all that is in it.
///
/// # Panics
/// When it cannot be copied.
pub fn copy(from: &Path, to: &Path) {
    let done = Command::new("cp").arg("-a").arg(from).arg(to).status().expect("cp");
    assert!(done.success(), "cp failed");
}

fn settings() -> HostSettings {
    let key = ApiKey::mint(
        TenantId::parse("default").expect("an id"),
        KeyId::parse("root").expect("an id"),
        &[7; 18],
        ROOT_SECRET.as_bytes(),
    );
    let settings = HostSettings { key: Some(key.reveal()), ..HostSettings::default() };
    settings.with("root_secret", ROOT_SECRET).with("log", "error")
}

/// An empty local directory, but for the compiled components: all tests of a target folder share those.
fn folder() -> TempDir {
    let cache = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/tests/cache");
    std::fs::create_dir_all(&cache).expect("a cache folder");
    let folder = tempfile::tempdir().expect("a temporary folder");
    std::os::unix::fs::symlink(&cache, folder.path().join("cache")).expect("a link");
    folder
}

/// The embedding model is there and not forbidden; says so when it is not.
pub fn model_is_there() -> bool {
    let file = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../target/models/minilm-l6-v2/model.safetensors");
    let there = file.is_file() && std::env::var_os("HOLDFAST_NO_MODEL").is_none();
    if !there {
        println!("without the embedding model: only search by words is looked at");
    }
    there
}
