//! Against what we did not write: LangChain reads and writes our messages, boto3 reads our bucket, trainers' libraries read
//! what we export, MCP's own client and its conformance suite ask `/mcp`.

use holdfast_http_tests::{Client, Running, by_words, root};
use holdfast_servers::{Host, HostSettings};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::process::Command;

const INSTALL: &str = "python3 -m venv target/tools/venv && target/tools/venv/bin/pip install -r tests/requirements.txt";

/// The venv's Python, which has these packages.
fn python(packages: &[&str]) -> Command {
    let python = std::env::var_os("HOLDFAST_TEST_PYTHON")
        .map_or_else(|| root().join("target/tools/venv/bin/python"), PathBuf::from);
    let import = format!("import {}", packages.join(", "));
    let there = Command::new(&python)
        .args(["-c", &import])
        .output()
        .is_ok_and(|done| done.status.success());
    let missing = format!("{} has no {}", python.display(), packages.join(", "));
    assert!(
        there,
        "{missing}. In the workspace's root, run:\n  {INSTALL}\nor set HOLDFAST_TEST_PYTHON"
    );
    let mut command = Command::new(python);
    command.current_dir(root()).env("PYTHONDONTWRITEBYTECODE", "1");
    command
}

fn run(command: &mut Command) -> String {
    let done = command.output().unwrap();
    let said = format!(
        "{}{}",
        String::from_utf8_lossy(&done.stdout),
        String::from_utf8_lossy(&done.stderr)
    );
    assert!(done.status.success(), "{said}");
    println!("{said}");
    said
}

#[test]
fn langchain_gets_its_own_messages_back_as_it_wrote_them() {
    let mut python = python(&["langchain_core", "pytest"]);
    let running = by_words();
    let said = run(python
        .args([
            "-m",
            "pytest",
            "-q",
            "-rs",
            "-p",
            "no:cacheprovider",
            "tests/formats/langchain_roundtrip.py",
        ])
        .env("HOLDFAST_URL", &running.host.url)
        .env("HOLDFAST_KEY", &running.host.key)
        .env_remove("HOLDFAST_ECHO"));
    assert!(said.contains(" passed") && !said.contains("skipped"), "{said}");
}

/// The command with where the host and its bucket are.
fn about<'a>(python: &'a mut Command, running: &Running) -> &'a mut Command {
    let local = std::fs::read_to_string(running.data_dir().join("local.json")).unwrap();
    let local: Value = serde_json::from_str(&local).unwrap();
    let (endpoint, bucket) = running.host.bucket.rsplit_once('/').unwrap();
    python
        .env("HOLDFAST_URL", &running.host.url)
        .env("HOLDFAST_KEY", &running.host.key)
        .env("HOLDFAST_TEST_S3_ENDPOINT", endpoint)
        .env("HOLDFAST_TEST_S3_BUCKET", bucket)
        .env("HOLDFAST_TEST_S3_ACCESS_KEY", local["s3_access_key"].as_str().unwrap())
        .env("HOLDFAST_TEST_S3_SECRET_KEY", local["s3_secret_key"].as_str().unwrap())
}

#[test]
fn boto3_finds_every_acknowledged_message_in_the_bucket() {
    let mut python = python(&["boto3"]);
    let running = by_words();
    let said = run(about(&mut python, &running).arg("tests/formats/bucket_boto3.py"));
    assert!(said.contains("every acknowledged message is in the bucket"), "{said}");
}

#[test]
fn f1_2_a_database_that_python_wrote_comes_back_to_the_byte() {
    let mut python = python(&["boto3", "sqlite3"]);
    let running = by_words();
    let said = run(about(&mut python, &running).arg("tests/formats/attachment_sqlite.py"));
    assert!(said.contains("lie in the bucket as they were sent"), "{said}");
}

#[test]
fn f3_28_the_parser_of_prometheus_reads_the_metrics() {
    let mut python = python(&["prometheus_client"]);
    let running = by_words();
    let said = run(python
        .arg("tests/formats/scraped.py")
        .env("HOLDFAST_URL", &running.host.url)
        .env("HOLDFAST_KEY", &running.host.key));
    assert!(said.contains("a scrape is read"), "{said}");
}

#[test]
fn boto3_pulls_every_export_as_its_manifest_says_and_trainers_libraries_read_it() {
    let packages = ["boto3", "datasets", "duckdb", "fsspec", "langchain_core", "pandas", "trl"];
    let (mut pull, mut read) = (python(&packages), python(&packages));
    let running = Running::start(HostSettings::default());
    let sets = tempfile::tempdir().unwrap();
    let said = run(about(&mut pull, &running)
        .arg("tests/formats/exports_pulled.py")
        .env("HOLDFAST_TRAINING_SETS", sets.path()));
    assert!(said.contains("12 exports lie in the bucket as their manifests say"), "{said}");
    // The one that is left out is about a file of its own.
    let said = run(read
        .args(["-m", "pytest", "-q", "-rs", "-p", "no:cacheprovider", "-k", "not without_its_card"])
        .arg("tests/formats/training_sets.py")
        .env("HOLDFAST_TRAINING_SETS", sets.path()));
    assert!(said.contains(" passed") && !said.contains("skipped"), "{said}");
}

#[test]
fn an_export_draws_its_progress_on_a_terminal_and_nowhere_else() {
    let mut python = python(&["pty"]);
    let (client, folder) = (Client::new(by_words()), tempfile::tempdir().unwrap());
    let said = json!([{"role": "user", "content": "2+2?"}, {"role": "assistant", "content": "4"}]);
    client.store("s", &said);
    let key = Some(client.running.host.key.clone());
    let (to, url) = (folder.path().join("set"), client.running.host.url.clone());
    let user = client.user.clone().unwrap();
    let asked = ["new", "trl-sft", "--to", to.to_str().unwrap(), "--url", &url, "--user", &user];
    let command = Host::command("export", &asked, &HostSettings { key, ..HostSettings::default() });
    let said = run(python
        .arg("tests/http/terminal.py")
        .arg(command.get_program())
        .args(command.get_args())
        .envs(command.get_envs().filter_map(|(name, value)| Some((name, value?)))));
    assert!(said.contains("drawn on a terminal only"), "{said}");
}

#[test]
fn the_official_sdk_calls_every_tool_and_reads_every_resource() {
    let mut python = python(&["mcp", "jsonschema"]);
    let running = by_words();
    let said = run(python
        .arg("tests/mcp/client.py")
        .env("HOLDFAST_URL", &running.host.url)
        .env("HOLDFAST_KEY", &running.host.key));
    for revision in ["mode legacy: 11 tools and 2 resources in 2025-11-25", "in 2026-07-28"] {
        assert!(said.contains(revision), "{said}");
    }
}

/// `tests/mcp/failures-*.yml` name what is known to fail; all else fails this test, and what passes though it is listed.
#[test]
fn the_official_conformance_suite_finds_nothing_new() {
    let there = Command::new("node").arg("--version").output();
    if !there.is_ok_and(|done| done.status.success()) {
        println!(
            "skipped: no `node` is on the PATH, and this test runs the conformance suite of MCP with it"
        );
        return;
    }
    let tools = std::env::var_os("HOLDFAST_TEST_NODE_MODULES")
        .map_or_else(|| root().join("target/tools/mcp/node_modules"), PathBuf::from);
    let suite = tools.join("@modelcontextprotocol/conformance/dist/index.js");
    assert!(suite.exists(), "{} is not there: run `cargo xtask tools`", suite.display());
    // The suite wants a newer Node than many have: it comes with it.
    let mut node = Command::new(tools.join("node/bin/node"));
    let running = by_words();
    run(node
        .current_dir(root())
        .arg("tests/mcp/conformance.mjs")
        .arg(suite)
        .env("HOLDFAST_URL", &running.host.url)
        .env("HOLDFAST_KEY", &running.host.key));
}

#[test]
fn the_interface_is_as_its_description_says() {
    let mut python = python(&["schemathesis", "openapi_spec_validator", "pytest"]);
    let running = by_words();
    let said = run(python
        .arg("tests/http/openapi.py")
        .env("HOLDFAST_URL", &running.host.url)
        .env("HOLDFAST_KEY", &running.host.key));
    assert!(said.contains("4 passed") && !said.contains("skipped"), "{said}");
}
