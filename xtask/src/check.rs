//! `cargo xtask check`: all that CI runs, step by step, each with its time.

use crate::run::{root, run, run_command, run_tests};
use crate::{build, dist, model, rows, tidy, wit, worlds};
use anyhow::{Result, bail};
use std::process::Command;
use std::time::Instant;

type Step = (&'static str, fn() -> Result<()>);

const STEPS: &[Step] = &[
    ("format", || run("cargo", &["fmt", "--all", "--check"])),
    ("tidy", tidy::tidy),
    ("wit", wit::check),
    ("rows", rows::rows),
    ("tools", tools),
    // Before the components: one of them holds a table that is made from it.
    ("model", model::fetch),
    ("components", || {
        build::components()?;
        worlds::worlds()
    }),
    ("lints", || {
        run(
            "cargo",
            &["clippy", "--workspace", "--all-targets", "--all-features", "--", "-D", "warnings"],
        )
    }),
    ("dependencies", dependencies),
    ("docs", || {
        let mut command = Command::new("cargo");
        command.args(["doc", "--workspace", "--no-deps", "--document-private-items"]);
        run_command(command.env("RUSTDOCFLAGS", "-D warnings"))
    }),
    ("tests", || test(&[])),
    // After the tests, which have built the program.
    ("dist", || dist::dist(true)),
];

/// Runs the steps whose name contains `only`, and stops at the first that fails.
pub fn check(only: Option<&str>) -> Result<()> {
    for (name, step) in STEPS.iter().filter(|(name, _)| only.is_none_or(|only| name.contains(only)))
    {
        eprintln!("== {name}");
        let started = Instant::now();
        if let Err(error) = step() {
            bail!("{name}: {error:#}");
        }
        eprintln!("== {name}: {} s", started.elapsed().as_secs());
    }
    Ok(())
}

/// Licences, sources and bans of `deny.toml`.
fn dependencies() -> Result<()> {
    let there = Command::new("cargo").args(["deny", "--version"]).output();
    if !there.is_ok_and(|output| output.status.success()) {
        eprintln!("  skipped: cargo-deny is not installed (`cargo install cargo-deny --locked`)");
        return Ok(());
    }
    run("cargo", &["deny", "--log-level", "error", "check", "bans", "licenses", "sources"])
}

/// Runs the tests of the workspace.
pub fn test(arguments: &[String]) -> Result<()> {
    let python = root().join("target/tools/venv/bin/python");
    let mut command = Command::new("cargo");
    command.args(["test", "--workspace", "--all-features", "--no-fail-fast"]).args(arguments);
    run_tests(command.env("HOLDFAST_TEST_PYTHON", python))
}

/// Runs the fault tests in their long form: many more faults and kills, and about an hour. Without arguments one after the other,
/// with what each says: what was acknowledged, lost, doubled.
pub fn faults(arguments: &[String]) -> Result<()> {
    let mut command = Command::new("cargo");
    command.args(["test", "--package", "holdfast-faults", "--all-features"]);
    match arguments {
        [] => command.args(["--", "--nocapture", "--test-threads=1"]),
        arguments => command.args(arguments),
    };
    run_command(command.env("HOLDFAST_FAULTS_LONG", "1"))
}

/// Installs what tests run against.
pub fn tools() -> Result<()> {
    let venv = root().join("target/tools/venv");
    let python = venv.join("bin/python");
    if !python.exists() {
        run_command(Command::new("python3").args(["-m", "venv"]).arg(&venv))?;
    }
    let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"];
    let install = |arguments: &[&str]| run_command(Command::new(&python).args(pip).args(arguments));
    install(&["-r", "tests/requirements.txt"])?;
    // What prepares data works without PyTorch, which is most of what these would bring.
    install(&["--no-deps", "-r", "tests/requirements-alone.txt"])?;
    conformance()
}

/// Installs the conformance suite of MCP, where npm is there.
fn conformance() -> Result<()> {
    let there = Command::new("npm").arg("--version").output();
    if !there.is_ok_and(|done| done.status.success()) {
        eprintln!("  skipped: no npm, and the conformance suite of MCP comes by it");
        return Ok(());
    }
    let folder = root().join("target/tools/mcp");
    std::fs::create_dir_all(&folder)?;
    std::fs::copy(root().join("tests/mcp/package.json"), folder.join("package.json"))?;
    let quiet = ["--no-audit", "--no-fund", "--no-package-lock", "--loglevel=error"];
    run_command(Command::new("npm").arg("--prefix").arg(&folder).arg("install").args(quiet))
}
