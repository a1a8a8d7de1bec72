//! Runs the boto3 script of `tests/formats` against the store.
//!
//! The Python that has `tests/requirements.txt` is `HOLDFAST_TEST_PYTHON`, else `.venv` of the
//! workspace; where there is neither, the test says so and passes.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod common;

use std::path::{Path, PathBuf};

use common::{ACCESS_KEY, BUCKET, Process, SECRET_KEY};

#[test]
fn boto3_finds_in_the_store_what_it_expects_of_s3() {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let venv = workspace.join(".venv/bin/python");
    let python = match std::env::var_os("HOLDFAST_TEST_PYTHON") {
        Some(python) => PathBuf::from(python),
        None if venv.exists() => venv,
        None => {
            println!("skipped: no HOLDFAST_TEST_PYTHON and no .venv in the workspace");
            return;
        }
    };
    let folder = tempfile::tempdir().unwrap();
    let process = Process::start(folder.path());
    let ran = std::process::Command::new(python)
        .arg(workspace.join("tests/formats/embedded_store_boto3.py"))
        .env("HOLDFAST_TEST_S3_ENDPOINT", format!("http://{}", process.address))
        .env("HOLDFAST_TEST_S3_BUCKET", BUCKET)
        .env("HOLDFAST_TEST_S3_ACCESS_KEY", ACCESS_KEY)
        .env("HOLDFAST_TEST_S3_SECRET_KEY", SECRET_KEY)
        .output()
        .unwrap();
    let (told, failed) =
        (String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
    assert!(ran.status.success(), "{told}\n{failed}");
}
