//! `holdfast-cost [file]`: prints what a million messages cost, and writes it to the file.

use anyhow::{Context, Result, anyhow};

fn main() -> Result<()> {
    let page = holdfast_cost::page().map_err(|error| anyhow!("{}", error.detail))?;
    if let Some(file) = std::env::args_os().nth(1) {
        std::fs::write(&file, &page).with_context(|| format!("write {}", file.display()))?;
    }
    println!("{page}");
    Ok(())
}
