//! Training sets and summaries: an export of many messages beside what others need for as many, and a summary without a model.

use crate::Sizes;
use crate::fill::{self, User};
use crate::memory;
use crate::spread::{Spread, milliseconds};
use crate::start::first_answer;
use crate::table::{Figure, Table};
use holdfast_faults::{Api, Installation};
use holdfast_servers::Rclone;
use serde_json::{Value, json};
use std::process::Command;
use std::time::Instant;

const SUMMARIES: usize = 9;
/// Messages of the session that is summarized.
const SUMMARIZED: usize = 1000;

/// All of it, on `rclone serve s3`.
pub async fn measure(sizes: Sizes, table: &mut Table) {
    let messages = sizes.many.unwrap_or(10_000);
    let installation = Installation::behind_proxy(Rclone::start(), 1)
        .with("export_interval_ms", "0")
        .with("compact_interval_ms", "0");
    let host = installation.start();
    fill::fill(&Api::of(&host), User { name: "large", messages, batch: 1000 }).await;
    host.kill();
    for format in ["trl-sft", "parquet"] {
        export(&installation, messages, format, table).await;
    }
    summaries(&installation, table).await;
}

async fn export(installation: &Installation, messages: usize, format: &str, table: &mut Table) {
    let host = installation.start();
    let api = Api::of(&host);
    first_answer(&api).await;
    // Who exports has the users loaded, or not: here they are, so that what the export adds is seen.
    let _ = api.get("/v1/sessions/s-0/messages?user_id=large&limit=1", None).await;
    let (before, requests) = (memory::resident(host.id()), installation.proxy().requests());
    let begun = Instant::now();
    let asked = api.post_for(201, "/v1/exports", &json!({"format": format})).await.json();
    let path = format!("/v1/exports/{}/advance", asked["id"].as_str().expect("an id"));
    let mut now = asked;
    while now["status"] == "running" {
        now = api.post_for(200, &path, &Value::Null).await.json();
    }
    let seconds = milliseconds(begun) / 1000.0;
    assert_eq!(now["status"], "done", "{now}");
    let peak = memory::peak(host.id()) - before;
    let requests = installation.proxy().requests() - requests;
    let what = format!("export of {messages} messages as {format}");
    let mut figure = Figure::plain(what.clone(), messages as f64 / seconds, "messages/s");
    if let Some(peers) = peers(messages) {
        let langchain = peers["langchain"].as_f64().expect("a rate");
        let loaded = Figure::plain(
            format!("{what}: LangChain's loader of as many"),
            langchain,
            "messages/s",
        );
        table.add(loaded);
        figure =
            figure.beside("`datasets` writes lines", peers["datasets"].as_f64().expect("a rate"));
    } else {
        table.note("The Python tools are not there: exports have no peer.");
    }
    table.add(figure);
    table.add(Figure::aim(
        format!("{what}: peak memory beyond the loaded user"),
        peak,
        "MiB",
        64.0,
    ));
    table.add(Figure::plain(format!("{what}: requests to the store"), requests as f64, "requests"));
    host.kill();
}

/// What LangChain and `datasets` need for as many messages, in this run.
fn peers(messages: usize) -> Option<Value> {
    let python = std::env::var("HOLDFAST_TEST_PYTHON").ok();
    let python = python.unwrap_or_else(|| {
        concat!(env!("CARGO_MANIFEST_DIR"), "/../target/tools/venv/bin/python").to_owned()
    });
    let folder = tempfile::tempdir().expect("a folder");
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/peers.py");
    let ran = Command::new(python)
        .arg(script)
        .arg(folder.path())
        .arg(messages.to_string())
        .output()
        .ok()?;
    let text = String::from_utf8_lossy(&ran.stdout);
    text.lines().last().and_then(|line| serde_json::from_str(line).ok())
}

async fn summaries(installation: &Installation, table: &mut Table) {
    let host = installation.start();
    let api = Api::of(&host);
    first_answer(&api).await;
    let (mut took, mut before) = (Spread::default(), 0.0);
    for n in 0..SUMMARIES {
        let path = format!("/v1/sessions/s-{n}/messages?user_id=large&limit=1");
        let _ = api.get(&path, None).await.expect(200);
        if n == 0 {
            before = memory::resident(host.id());
        }
        took.time(summarized(&api, n)).await;
    }
    let what = format!("summary of {SUMMARIZED} messages without a model, p50");
    table.add(Figure::plain(what, took.p50(), "ms"));
    let peak = memory::peak(host.id()) - before;
    table.add(Figure::plain("peak memory of those summaries, beyond the loaded user", peak, "MiB"));
    host.kill();
}

/// Summaries until all of a session is covered.
async fn summarized(api: &Api, n: usize) {
    let path = format!("/v1/sessions/s-{n}/summaries");
    let asked = json!({"user_id": "large", "keep_messages": 0});
    let mut covered = 0;
    while covered < SUMMARIZED {
        let made = api.post_for(201, &path, &asked).await.json();
        covered += made["summary"]["covers"]["messages"].as_array().map_or(0, Vec::len);
    }
}
