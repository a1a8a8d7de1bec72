//! `holdfast compose`: a component and what satisfies its imports become one component, for applications of others.

use anyhow::{Context, Result, bail};
use clap::Args;
use holdfast_compose::join;
use holdfast_core::Error;
use std::path::{Path, PathBuf};

/// Examples of `--help`.
pub const EXAMPLES: &str = "Examples:
  holdfast compose app.wasm --with holdfast-memory.wasm --output whole.wasm
  holdfast compose store-message.wasm retrieve-context.wasm --with flat-index.wasm --with remote-models.wasm \\
      --export holdfast:memory/ --output memory.wasm";

/// Namespaces of interfaces that a runtime has.
const RUNTIME: [&str; 2] = ["wasi:", "spin:"];

/// Arguments of `holdfast compose`.
#[derive(Args)]
pub struct Compose {
    /// The component whose exports the whole has; of several, all of theirs.
    #[arg(required = true)]
    components: Vec<PathBuf>,
    /// A component that satisfies imports of those before it; may be repeated. It is there once, whoever imports it.
    #[arg(long)]
    with: Vec<PathBuf>,
    /// Of the exports only those whose names begin so.
    #[arg(long, default_value = "")]
    export: String,
    /// The whole may import more than a runtime has: somebody else satisfies it later.
    #[arg(long)]
    open: bool,
    /// Where the whole is written.
    #[arg(long, short)]
    output: PathBuf,
}

/// Composes, says what the whole imports and exports, and writes it.
///
/// # Errors
/// `invalid` when something is left that no runtime has; what does not fit.
pub fn run(compose: &Compose) -> Result<()> {
    let rooms = compose.components.iter().map(|path| read(path)).collect::<Result<_>>()?;
    let plugs = compose.with.iter().map(|path| read(path)).collect::<Result<_>>()?;
    let whole = join(rooms, plugs, |name| name.starts_with(&compose.export))?;
    let foreign = |name: &&String| !RUNTIME.iter().any(|own| name.starts_with(own));
    let left: Vec<_> = whole.imports.iter().filter(foreign).map(String::as_str).collect();
    if !left.is_empty() && !compose.open {
        let left = left.join(", ");
        bail!(Error::invalid(format!(
            "nothing satisfies {left}: name a component that exports it with --with, or give --open"
        )));
    }
    std::fs::write(&compose.output, &whole.bytes)
        .with_context(|| format!("write {}", compose.output.display()))?;
    println!("{} has {} bytes", compose.output.display(), whole.bytes.len());
    whole.exports.iter().for_each(|name| println!("  exports  {name}"));
    whole.imports.iter().for_each(|name| println!("  imports  {name}"));
    Ok(())
}

fn read(path: &Path) -> Result<(String, Vec<u8>)> {
    let name = path.display().to_string();
    let bytes = std::fs::read(path).with_context(|| format!("read {name}"))?;
    Ok((name, bytes))
}
