//! `cargo xtask up`: from a fresh machine to a serving host.

use crate::{build, model, run};
use anyhow::{Result, bail};
use std::os::unix::process::CommandExt;
use std::process::Command;

/// Fetches the model, builds components and host, and becomes the host.
pub fn up(arguments: &[String]) -> Result<()> {
    if let Err(error) = model::fetch() {
        eprintln!("the model cannot be had ({error:#}): search works by words until it can");
    }
    build::components()?;
    run::run("cargo", &["build", "--package", "holdfast"])?;
    let mut host = Command::new(run::target().join("debug/holdfast"));
    host.current_dir(run::root()).arg("up").args(arguments);
    if std::env::var_os("HOLDFAST_MODEL_DIR").is_none() {
        host.env("HOLDFAST_MODEL_DIR", model::dir());
    }
    bail!(host.exec())
}
