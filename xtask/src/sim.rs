//! `cargo xtask sim`: the seeded simulation of the journal, with its own arguments.

use crate::run::run;
use anyhow::Result;

/// Runs the simulation.
pub fn sim(arguments: &[String]) -> Result<()> {
    let mut all = vec!["run", "--quiet", "--package", "holdfast-sim", "--"];
    all.extend(arguments.iter().map(String::as_str));
    run("cargo", &all)
}
