//! `cargo xtask fuzz`: the tests of decoders against damaged bytes, with many more cases.

use crate::run::run_command;
use anyhow::Result;
use std::process::Command;

/// Package, test binary and what its tests are called.
const TESTS: &[(&str, &str, &str)] = &[
    ("holdfast-core", "hostile", ""),
    ("holdfast-objects", "hostile", ""),
    ("holdfast-index", "index", "parts_at_rest::"),
];

/// Runs each of them with so many cases.
pub fn fuzz(cases: u32) -> Result<()> {
    for (package, binary, tests) in TESTS {
        let mut command = Command::new("cargo");
        command.args(["test", "--all-features", "--package", package]);
        command.args(["--test", binary, tests]);
        run_command(command.env("PROPTEST_CASES", cases.to_string()))?;
    }
    Ok(())
}
