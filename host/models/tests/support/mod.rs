//! Where the tests find the model, and what they say when it is not there.
#![allow(dead_code, clippy::panic, clippy::unwrap_used, reason = "tests; each uses its part")]

use std::path::PathBuf;
use std::sync::LazyLock;

use holdfast_models::{Embedder, is_present};

/// The model's folder: `HOLDFAST_MODEL_DIR`, or the one under the workspace's target folder.
///
/// `None` when it is not there and `HOLDFAST_NO_MODEL=1` says that this is meant; otherwise its absence is a failure.
pub fn model_dir() -> Option<PathBuf> {
    let default =
        || concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/models/minilm-l6-v2").into();
    let dir = PathBuf::from(std::env::var_os("HOLDFAST_MODEL_DIR").unwrap_or_else(default));
    if is_present(&dir) {
        return Some(dir);
    }
    if no_model() {
        println!("skipped: HOLDFAST_NO_MODEL=1 and no model in {}", dir.display());
        return None;
    }
    panic!(
        "no embedding model in {}: run `cargo run -p holdfast-models --example fetch-model`, or set HOLDFAST_NO_MODEL=1",
        dir.display()
    );
}

/// Whether the environment says to do without the model.
pub fn no_model() -> bool {
    std::env::var_os("HOLDFAST_NO_MODEL").is_some_and(|value| value == "1")
}

/// The model, loaded once for each test program.
pub fn embedder() -> Option<&'static Embedder> {
    static EMBEDDER: LazyLock<Option<Embedder>> =
        LazyLock::new(|| model_dir().map(|dir| Embedder::load(&dir).unwrap()));
    EMBEDDER.as_ref()
}

/// A text of so many words, each one token long, that begins differently for each `seed`.
pub fn words(count: usize, seed: usize) -> String {
    const WORDS: [&str; 11] = [
        "river", "stone", "garden", "music", "winter", "bread", "horse", "letter", "window",
        "summer", "road",
    ];
    WORDS.iter().copied().cycle().skip(seed).take(count).collect::<Vec<_>>().join(" ")
}
