//! The bench is a program, and says how it is used.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::process::Command;

#[test]
fn the_bench_says_what_it_takes() {
    let output = Command::new(env!("CARGO_BIN_EXE_holdfast-bench")).arg("--help").output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success() && text.contains("--only"), "{text}");
}
