//! Running other programs, each with its name shown, and the folders of the workspace.

use anyhow::{Context, Result, ensure};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};

/// The workspace's root.
pub fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_owned()
}

/// The target folder: cargo's, wherever it was put.
pub fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}

/// Runs a command in the workspace's root; it must succeed.
pub fn run(program: &str, arguments: &[&str]) -> Result<()> {
    run_command(Command::new(program).args(arguments))
}

/// Runs a prepared command in the workspace's root; it must succeed.
pub fn run_command(command: &mut Command) -> Result<()> {
    let shown = show(command);
    let status = command.current_dir(root()).status().with_context(|| format!("run {shown}"))?;
    succeeded(&shown, status)
}

/// Runs a prepared command that runs tests. What it said of those that failed is said again at its end, where nobody has to
/// look for it among those that passed.
pub fn run_tests(command: &mut Command) -> Result<()> {
    let shown = show(command);
    let mut child = command.current_dir(root()).stdout(Stdio::piped()).spawn()?;
    let mut failures = Failures::default();
    for line in BufReader::new(child.stdout.take().context("its output")?).split(b'\n') {
        let line = line?;
        let line = String::from_utf8_lossy(&line);
        println!("{line}");
        failures.hear(&line);
    }
    let status = child.wait()?;
    if !failures.told.is_empty() {
        eprintln!("\n== what failed\n{}", failures.told.join("\n"));
    }
    succeeded(&shown, status)
}

fn show(command: &Command) -> String {
    let shown = format!("{command:?}").replace('"', "");
    eprintln!("$ {shown}");
    shown
}

fn succeeded(shown: &str, status: ExitStatus) -> Result<()> {
    ensure!(status.success(), "{shown}: {status}");
    Ok(())
}

/// What test programs say of tests that failed: from `failures:` to their result.
#[derive(Default)]
struct Failures {
    told: Vec<String>,
    within: bool,
}

impl Failures {
    fn hear(&mut self, line: &str) {
        self.within |= line == "failures:";
        if self.within {
            self.told.push(line.to_owned());
        }
        self.within &= !line.starts_with("test result:");
    }
}

#[cfg(test)]
mod tests {
    use super::Failures;

    #[test]
    fn what_failed_is_kept_and_what_passed_is_not() {
        let told = "running 2 tests\ntest a ... ok\ntest b ... FAILED\n\nfailures:\n\n---- b stdout ----\npanicked\n\n\
                    failures:\n    b\n\ntest result: FAILED. 1 passed\n\nrunning 1 test\ntest c ... ok\n\n\
                    test result: ok. 1 passed";
        let mut failures = Failures::default();
        told.lines().for_each(|line| failures.hear(line));
        let kept = "failures:\n\n---- b stdout ----\npanicked\n\nfailures:\n    b\n\ntest result: FAILED. 1 passed";
        assert_eq!(failures.told.join("\n"), kept);
    }
}
