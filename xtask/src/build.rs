//! Components: one cargo call for all, then a copy of each under its own name.

use crate::run::{root, run, target};
use crate::{model, wit};
use anyhow::{Context, Result, ensure};
use holdfast_compose::{doors, join};
use std::fs;
use std::path::PathBuf;

const TARGET: &str = "wasm32-wasip2";
const PROFILE: &str = "guest";
/// Largest component, in bytes.
const MOST: u64 = 3 << 19;
/// Those that may be larger, and how large: stemmers of eighteen languages, a table of vectors, a writer of parquet, and all
/// of the upkeep.
const LARGER: [(&str, u64); 4] = [
    ("flat-index", 19 << 17),
    ("portable-models", 14 << 20),
    ("export-training-set", 2 << 20),
    ("tend-journal", 2 << 20),
];

/// Every typed door in one file, for applications of others: their package, and what satisfies what it is made of.
const WHOLE: &str = "holdfast-memory";
const WHOLE_DOORS: &str = "holdfast:memory/";
const WHOLE_PLUGS: [&str; 2] = ["flat-index", "portable-models"];
const WHOLE_MOST: u64 = 26 << 20;

/// Where components lie.
pub fn dir() -> PathBuf {
    root().join("target/components")
}

/// Builds every component, the guests of the tests and of the examples, and the one that has all doors.
pub fn components() -> Result<()> {
    add_target()?;
    model::table()?;
    let names = names("components")?;
    let mut guests = packages("tests/guests")?;
    guests.extend(packages("examples")?);
    let mut arguments = vec!["build", "--profile", PROFILE, "--target", TARGET];
    for name in names.iter().chain(&guests) {
        arguments.extend(["--package", name]);
    }
    run("cargo", &arguments)?;
    let (from, to) = (target().join(TARGET).join(PROFILE), dir());
    fs::create_dir_all(&to)?;
    for name in &names {
        let built = from.join(format!("{}.wasm", name.replace('-', "_")));
        let size = fs::copy(&built, to.join(format!("{name}.wasm")))
            .with_context(|| format!("copy {}", built.display()))?;
        let most = LARGER.iter().find(|(larger, _)| larger == name).map_or(MOST, |(_, most)| *most);
        sized(name, size, most)?;
    }
    whole(&names)?;
    wit::lay_out(&to.join("wit"))
}

fn sized(name: &str, size: u64, most: u64) -> Result<()> {
    eprintln!("  {name}.wasm  {} kB of at most {} kB", size / 1000, most / 1000);
    ensure!(size <= most, "{name}.wasm has {size} bytes, more than {most}");
    Ok(())
}

/// Joins all that have a typed door with a portable index and portable models.
fn whole(names: &[String]) -> Result<()> {
    let read = |name: &str| -> Result<(String, Vec<u8>)> {
        let path = dir().join(format!("{name}.wasm"));
        let bytes = fs::read(&path).with_context(|| format!("read {}", path.display()))?;
        Ok((name.to_owned(), bytes))
    };
    let mut rooms = Vec::new();
    for name in names {
        let (name, bytes) = read(name)?;
        if doors(bytes.clone())?.1.iter().any(|export| export.starts_with(WHOLE_DOORS)) {
            rooms.push((name, bytes));
        }
    }
    let plugs = WHOLE_PLUGS.into_iter().map(read).collect::<Result<_>>()?;
    let whole = join(rooms, plugs, |export| export.starts_with(WHOLE_DOORS))?;
    let foreign = |import: &&String| !import.starts_with("wasi:") && !import.starts_with("spin:");
    let left: Vec<_> = whole.imports.iter().filter(foreign).collect();
    ensure!(left.is_empty(), "{WHOLE}.wasm still imports {left:?}");
    fs::write(dir().join(format!("{WHOLE}.wasm")), &whole.bytes)?;
    sized(WHOLE, whole.bytes.len() as u64, WHOLE_MOST)
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

/// Packages of the folders below `folder`, by the names in their manifests.
fn packages(folder: &str) -> Result<Vec<String>> {
    let mut packages = Vec::new();
    for name in names(folder)? {
        let manifest = fs::read_to_string(root().join(folder).join(name).join("Cargo.toml"))?;
        let manifest: toml::Table = manifest.parse()?;
        let package = manifest.get("package").and_then(|p| p.get("name")).and_then(|n| n.as_str());
        packages.extend(package.map(str::to_owned));
    }
    Ok(packages)
}
