//! Puts the table of token vectors where the component takes it from; an empty one where none was made.
//!
//! `cargo xtask build` makes it from the model's verified weights. It is never in git.

use std::path::{Path, PathBuf};

fn main() -> std::io::Result<()> {
    let variable = |name: &str| std::env::var_os(name).map(PathBuf::from).unwrap_or_default();
    let table = Path::new("../../target/models/portable.table");
    println!("cargo::rerun-if-changed=table.rs");
    println!("cargo::rerun-if-changed={}", table.display());
    // The native build of the workspace has no use for it.
    let wanted = variable("CARGO_CFG_TARGET_FAMILY") == Path::new("wasm") && table.exists();
    let bytes = if wanted { std::fs::read(table)? } else { Vec::new() };
    std::fs::write(variable("OUT_DIR").join("table"), bytes)
}
