//! The rules of the house that neither compiler nor linter knows. Each says what is wrong and where.

use crate::build::names;
use crate::run::root;
use anyhow::{Result, ensure};
use std::fs;
use std::path::{Path, PathBuf};

/// Longest file without a reason in its first lines.
const MAX_LINES: usize = 500;

/// Runs every rule.
pub fn tidy() -> Result<()> {
    let mut faults = Vec::new();
    let sources = files(&root(), "rs")?;
    for path in &sources {
        source(path, &fs::read_to_string(path)?, &mut faults);
    }
    for path in files(&root().join("wit"), "wit")? {
        wit(&path, &fs::read_to_string(&path)?, &mut faults);
    }
    error_cases(&mut faults)?;
    one_name(&mut faults)?;
    vendored(&mut faults)?;
    faults.iter().for_each(|fault| eprintln!("  {fault}"));
    ensure!(faults.is_empty(), "{} things are untidy", faults.len());
    Ok(())
}

fn source(path: &Path, text: &str, faults: &mut Vec<String>) {
    let shown = shown(path);
    if !text.starts_with("//!") {
        faults.push(format!("{shown}: the first line says what the file is for (//!)"));
    }
    let lines = text.lines().count();
    if lines > MAX_LINES {
        faults.push(format!("{shown}: {lines} lines, more than {MAX_LINES}: split it"));
    }
    if text.lines().any(|line| line.ends_with([' ', '\t'])) {
        faults.push(format!("{shown}: blanks at the end of a line"));
    }
    let pure = shown.starts_with("crates/") && !shown.starts_with("crates/kit/");
    let tests = ["/tests/", "/examples/", "/benches/"].iter().any(|part| shown.contains(part));
    if pure && !tests {
        for word in [
            "SystemTime::now",
            "Instant::now",
            "std::env::var",
            "rand::",
            "std::net::",
            "std::fs::",
        ] {
            if text.contains(word) {
                faults.push(format!(
                    "{shown}: {word}: crates touch nothing outside themselves (invariant 2)"
                ));
            }
        }
    }
}

fn wit(path: &Path, text: &str, faults: &mut Vec<String>) {
    let shown = shown(path);
    if shown.contains("wit/deps/") {
        return;
    }
    let mut documented = false;
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        let item = ["interface ", "record ", "variant ", "enum ", "world ", "resource "]
            .iter()
            .any(|word| line.starts_with(word));
        let function = line.contains(": func(") || line.contains(": async func(");
        if (item || function) && !documented {
            faults.push(format!("{shown}:{}: no documentation (///)", number + 1));
        }
        documented = line.starts_with("///");
    }
}

/// The eight cases and the problem are the same text in each package.
fn error_cases(faults: &mut Vec<String>) -> Result<()> {
    let mut first: Option<String> = None;
    for package in ["models", "index", "memory"] {
        let text = fs::read_to_string(root().join("wit").join(package).join("types.wit"))?;
        let cases = text.split("/// Why a call failed").nth(1).unwrap_or_default().to_owned();
        if first.get_or_insert_with(|| cases.clone()) != &cases || cases.is_empty() {
            faults.push(format!(
                "wit/{package}/types.wit: the error differs from the other packages'"
            ));
        }
    }
    Ok(())
}

/// Folder = crate = world = Spin id, or the file of a dependency.
fn one_name(faults: &mut Vec<String>) -> Result<()> {
    let worlds = fs::read_to_string(root().join("wit/components/worlds.wit"))?;
    let manifest = fs::read_to_string(root().join("spin.toml"))?;
    for name in names("components")? {
        let package = fs::read_to_string(root().join("components").join(&name).join("Cargo.toml"))?;
        for (what, there) in [
            ("crate", package.contains(&format!("name = \"{name}\""))),
            ("world", worlds.contains(&format!("world {name} {{"))),
            ("Spin id or dependency", names_in(&manifest, &name)),
            ("README", root().join("components").join(&name).join("README.md").exists()),
        ] {
            if !there {
                faults.push(format!("components/{name}: no {what} of this name"));
            }
        }
    }
    Ok(())
}

/// A component of the application, or a file that satisfies the imports of others.
fn names_in(manifest: &str, name: &str) -> bool {
    let file = format!("path = \"target/components/{name}.wasm\"");
    manifest.contains(&format!("[component.{name}]")) || manifest.contains(&file)
}

/// The vendored WIT is what the SDK's own package holds.
fn vendored(faults: &mut Vec<String>) -> Result<()> {
    let Some(sdk) = sdk_folder()? else {
        faults.push("the SDK's sources are not there: run cargo fetch".to_owned());
        return Ok(());
    };
    for path in files(&root().join("wit/deps"), "wit")? {
        let below = path.strip_prefix(root().join("wit/deps"))?;
        if fs::read(&path)? != fs::read(sdk.join("wit/deps").join(below)).unwrap_or_default() {
            faults.push(format!("{}: differs from the SDK's", shown(&path)));
        }
    }
    Ok(())
}

/// Where cargo keeps the sources of `spin-sdk`.
fn sdk_folder() -> Result<Option<PathBuf>> {
    let output = std::process::Command::new("cargo")
        .args(["metadata", "--format-version", "1", "--locked"])
        .current_dir(root())
        .output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let marker = "/spin-sdk-7.0.0/Cargo.toml\"";
    let Some(end) = text.find(marker) else { return Ok(None) };
    let start = text.get(..end).and_then(|text| text.rfind('"')).map_or(0, |at| at + 1);
    Ok(text.get(start..end).map(|folder| PathBuf::from(folder).join("spin-sdk-7.0.0")))
}

/// Files with this ending that are ours, sorted.
fn files(folder: &Path, ending: &str) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder)? {
            let path = entry?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if path.is_dir() {
                if !name.starts_with('.') && name != "target" && name != "data" {
                    folders.push(path);
                }
            } else if path.extension().is_some_and(|own| own == ending) {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

fn shown(path: &Path) -> String {
    path.strip_prefix(root()).unwrap_or(path).display().to_string()
}
