//! Fetches the model: `cargo run -p holdfast-models --no-default-features --example fetch-model [folder]`.
//!
//! Without a folder, into `target/models/minilm-l6-v2` of the workspace, where the tests look for it.

use std::path::PathBuf;

fn main() -> Result<(), holdfast_models::FetchError> {
    let default =
        || concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/models/minilm-l6-v2").into();
    let folder = PathBuf::from(std::env::args_os().nth(1).unwrap_or_else(default));
    holdfast_models::fetch(&folder, |step| println!("{step}"))
}
