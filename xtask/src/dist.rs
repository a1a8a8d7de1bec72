//! `cargo xtask dist`: what others take, in target/dist: components, WIT packages, and the program as a plugin for Spin.

use crate::run::{root, run, run_command, target};
use crate::{build, wit};
use anyhow::{Context, Result, ensure};
use serde_json::json;
use sha2::{Digest, Sha256};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The plugin's name: `spin up` starts it for `[[trigger.holdfast]]`.
const PLUGIN: &str = "trigger-holdfast";
/// Versions of Spin whose triggers and locked applications are read as this program does.
const SPIN: &str = ">=4.0";

/// Makes all of it. With `built`, of what was built already.
pub fn dist(built: bool) -> Result<()> {
    if !built {
        build::components()?;
        run("cargo", &["build", "--package", "holdfast"])?;
    }
    let dist = root().join("target/dist");
    if dist.exists() {
        fs::remove_dir_all(&dist)?;
    }
    fs::create_dir_all(&dist)?;
    components(&dist)?;
    packages(&dist)?;
    plugin(&dist)?;
    let count = sums(&dist)?;
    eprintln!("  {count} files in {}", dist.display());
    Ok(())
}

/// Every component, and the manifests that name them: for stock Spin, and for the plugin.
fn components(dist: &Path) -> Result<()> {
    for entry in fs::read_dir(build::dir())? {
        let path = entry?.path();
        if let Some(name) =
            path.file_name().filter(|_| path.extension().is_some_and(|e| e == "wasm"))
        {
            fs::copy(&path, dist.join(name))?;
        }
    }
    let stock = fs::read_to_string(root().join("spin.toml"))?.replace("target/components/", "");
    fs::write(dist.join("spin.toml"), &stock)?;
    let native = stock.replace("[[trigger.http]]", "[[trigger.holdfast]]");
    ensure!(native != stock, "spin.toml has no [[trigger.http]]");
    fs::write(dist.join("spin-holdfast.toml"), native)?;
    Ok(())
}

/// WIT as text, to build against, and as registries keep it: `wkg publish target/dist/wit-packages/…`.
fn packages(dist: &Path) -> Result<()> {
    wit::lay_out(&dist.join("wit"))?;
    let folder = dist.join("wit-packages");
    fs::create_dir_all(&folder)?;
    for package in wit::PUBLISHED {
        let (name, version) = wit::name(package)?;
        fs::write(folder.join(format!("{name}-{version}.wasm")), wit::binary(package)?)?;
    }
    Ok(())
}

/// The program under the plugin's name in an archive, and the plugin's manifest.
fn plugin(dist: &Path) -> Result<()> {
    let (os, arch) = (std::env::consts::OS, architecture());
    let version = env!("CARGO_PKG_VERSION");
    let stage = root().join("target/plugin");
    fs::create_dir_all(&stage)?;
    let program = target().join("debug/holdfast");
    fs::copy(&program, stage.join(PLUGIN))
        .with_context(|| format!("copy {}: build it first", program.display()))?;
    fs::copy(root().join("LICENSE"), stage.join("LICENSE"))?;
    let archive = dist.join(format!("{PLUGIN}-{version}-{os}-{arch}.tar.gz"));
    // The same bytes from the same program.
    let mut tar = Command::new("tar");
    tar.args(["--sort=name", "--mtime=@0", "--owner=0", "--group=0", "--numeric-owner"]);
    tar.args(["--use-compress-program=gzip -n", "-cf"]).arg(&archive).arg("-C").arg(&stage);
    run_command(tar.args([PLUGIN, "LICENSE"]))?;
    let manifest = json!({
        "name": PLUGIN,
        "description": "Serves [[trigger.holdfast]] with Holdfast's native index and models",
        "version": version,
        "spinCompatibility": SPIN,
        "license": "Apache-2.0",
        "packages": [{
            "os": os,
            "arch": arch,
            "url": format!("file://{}", archive.display()),
            "sha256": sum(&archive)?,
        }],
    });
    let text = serde_json::to_string_pretty(&manifest)? + "\n";
    fs::write(dist.join(format!("{PLUGIN}.json")), text)?;
    installs(&archive)
}

/// Unpacks the plugin as Spin does, and asks it what Spin asks.
fn installs(archive: &Path) -> Result<()> {
    let folder = root().join("target/plugin/installed");
    fs::create_dir_all(&folder)?;
    run_command(Command::new("tar").arg("-xzf").arg(archive).arg("-C").arg(&folder))?;
    let asked = Command::new(folder.join(PLUGIN)).arg("--launch-metadata-only").output()?;
    let told: serde_json::Value =
        serde_json::from_slice(&asked.stderr).context("what the unpacked plugin told of itself")?;
    let flags = told.get("all_flags").is_some_and(serde_json::Value::is_array);
    ensure!(flags, "the unpacked plugin told {told}");
    fs::remove_dir_all(&folder)?;
    Ok(())
}

/// This machine's architecture, as Spin's plugins call it.
fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        other => other,
    }
}

fn sum(path: &Path) -> Result<String> {
    Ok(hex::encode(Sha256::digest(fs::read(path)?)))
}

/// `SHA256SUMS` of every file, as `sha256sum --check` reads it.
fn sums(dist: &Path) -> Result<usize> {
    let mut files = Vec::new();
    walk(dist, &mut files)?;
    files.sort();
    let mut text = String::new();
    for file in &files {
        text += &format!("{}  {}\n", sum(file)?, file.strip_prefix(dist)?.display());
    }
    fs::write(dist.join("SHA256SUMS"), text)?;
    Ok(files.len())
}

fn walk(folder: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() { walk(&path, files)? } else { files.push(path) }
    }
    Ok(())
}
