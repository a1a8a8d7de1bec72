//! Components: one cargo call for all, then a copy of each under its own name.

use crate::model;
use crate::run::{root, run, target};
use anyhow::{Context, Result, ensure};
use std::fs;

const TARGET: &str = "wasm32-wasip2";
const PROFILE: &str = "guest";
/// Largest component, in bytes.
const MOST: u64 = 3 << 19;
/// Those that may be larger, and how large: stemmers of eighteen languages, a table of vectors, a writer of parquet, and all
/// of the upkeep.
const LARGER: [(&str, u64); 4] = [
    ("flat-index", 2 << 20),
    ("portable-models", 14 << 20),
    ("export-training-set", 2 << 20),
    ("tend-journal", 2 << 20),
];

/// Builds every component, and the guests of the tests.
pub fn components() -> Result<()> {
    add_target()?;
    model::table()?;
    let names = names("components")?;
    let guests = names_of_guests()?;
    let mut arguments = vec!["build", "--profile", PROFILE, "--target", TARGET];
    for name in names.iter().chain(&guests) {
        arguments.extend(["--package", name]);
    }
    run("cargo", &arguments)?;
    let (from, to) = (target().join(TARGET).join(PROFILE), root().join("target/components"));
    fs::create_dir_all(&to)?;
    for name in &names {
        let built = from.join(format!("{}.wasm", name.replace('-', "_")));
        let size = fs::copy(&built, to.join(format!("{name}.wasm")))
            .with_context(|| format!("copy {}", built.display()))?;
        let most = LARGER.iter().find(|(larger, _)| larger == name).map_or(MOST, |(_, most)| *most);
        eprintln!("  {name}.wasm  {} kB of at most {} kB", size / 1000, most / 1000);
        ensure!(size <= most, "{name}.wasm has {size} bytes, more than {most}");
    }
    Ok(())
}

/// Adds the guests' target to the toolchain, where it is missing.
fn add_target() -> Result<()> {
    run("rustup", &["target", "add", TARGET])
}

/// Folders with a manifest below `folder`, sorted: each is the name of its package.
pub fn names(folder: &str) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(root().join(folder))? {
        let entry = entry?;
        if entry.path().join("Cargo.toml").exists() {
            names.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    names.sort();
    Ok(names)
}

fn names_of_guests() -> Result<Vec<String>> {
    let mut packages = Vec::new();
    for name in names("tests/guests")? {
        let manifest =
            fs::read_to_string(root().join("tests/guests").join(name).join("Cargo.toml"))?;
        let manifest: toml::Table = manifest.parse()?;
        let package = manifest.get("package").and_then(|p| p.get("name")).and_then(|n| n.as_str());
        packages.extend(package.map(str::to_owned));
    }
    Ok(packages)
}
