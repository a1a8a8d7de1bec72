//! One host for all tests of a binary that run at the same time; the last of them to end ends it.

use holdfast_servers::{Host, HostSettings};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use tempfile::TempDir;

/// A host on its embedded store.
pub struct Running {
    /// The host.
    pub host: Host,
    folder: TempDir,
}

static BY_WORDS: Mutex<Weak<Running>> = Mutex::new(Weak::new());
static PORTABLE: Mutex<Weak<Running>> = Mutex::new(Weak::new());
static BY_MEANING: Mutex<Weak<Running>> = Mutex::new(Weak::new());

/// The workspace's root.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// A host without the embedding model.
pub fn by_words() -> Arc<Running> {
    // Many tests at once ask without a valid key, all from one address.
    shared(&BY_WORDS, HostSettings::default().with("address_requests", "0"))
}

/// A host with the embedding model; none, said aloud, where `HOLDFAST_NO_MODEL` is set.
pub fn by_meaning() -> Option<Arc<Running>> {
    if std::env::var_os("HOLDFAST_NO_MODEL").is_some() {
        println!("skipped: HOLDFAST_NO_MODEL is set, and this test needs the embedding model");
        return None;
    }
    let model = root().join("target/models/minilm-l6-v2/model.safetensors");
    assert!(
        model.exists(),
        "no embedding model: run `cargo xtask model`, or set HOLDFAST_NO_MODEL"
    );
    Some(shared(&BY_MEANING, HostSettings { model: true, ..HostSettings::default() }))
}

/// A host with the portable components in place of its own index and models.
pub fn portable() -> Arc<Running> {
    shared(&PORTABLE, HostSettings { portable: true, ..HostSettings::default() })
}

fn shared(place: &Mutex<Weak<Running>>, settings: HostSettings) -> Arc<Running> {
    let mut place = place.lock().unwrap_or_else(PoisonError::into_inner);
    place.upgrade().unwrap_or_else(|| {
        let running = Arc::new(Running::start(settings));
        *place = Arc::downgrade(&running);
        running
    })
}

impl Running {
    /// A host of one's own, with a fresh data directory.
    pub fn start(settings: HostSettings) -> Self {
        // On a busy machine slowness is not what these tests are about.
        let settings =
            settings.with("request_deadline_ms", "120000").with("load_deadline_ms", "60000");
        let folder = tempfile::tempdir().expect("a temporary folder");
        // Compiled components are the same for all: they are named by their content.
        let cache = root().join("target/tests/cache");
        std::fs::create_dir_all(&cache).expect("a cache folder");
        std::os::unix::fs::symlink(&cache, folder.path().join("cache")).expect("a link");
        Self { host: Host::start(folder.path(), &settings), folder }
    }

    /// What the host keeps for itself.
    pub fn data_dir(&self) -> &Path {
        self.folder.path()
    }
}
