//! `holdfast search`.

use super::show::{self, Column};
use super::{Said, Target, asking, read};
use anyhow::Result;
use clap::Args;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

/// Examples of `--help`.
pub const EXAMPLES: &str = "Examples:
  holdfast search 'which journey did she plan?' --user ann
  holdfast search Lisbon --user ann --mode keyword --top-k 3
  holdfast search seats --user ann --filters '{\"role\": {\"eq\": \"user\"}}' --explain --json";

const COLUMNS: &[Column] = &[
    ("SCORE", "/score"),
    ("TYPE", "/type"),
    ("SESSION", "/session_id"),
    ("TEXT", "/text"),
    ("ID", "/id"),
];
const EXPLAINED: Column = ("EXPLAIN", "/explain");

/// Arguments of `holdfast search`.
#[derive(Args)]
pub struct Search {
    /// What is looked for.
    query: String,
    /// In one session only.
    #[arg(long, value_name = "SESSION")]
    session: Option<String>,
    /// Give so many.
    #[arg(long, default_value_t = 10, value_name = "N")]
    top_k: u32,
    /// How it ranks.
    #[arg(long, default_value = "hybrid", value_parser = ["hybrid", "vector", "keyword"])]
    mode: String,
    /// Leave out what scores less, from 0 to 1.
    #[arg(long, value_name = "SCORE")]
    threshold: Option<f64>,
    /// Only what passes a filter (JSON).
    #[arg(long, value_name = "JSON")]
    filters: Option<String>,
    /// Say where each score comes from.
    #[arg(long)]
    explain: bool,
    #[command(flatten)]
    target: Target,
}

#[derive(Deserialize)]
struct Found {
    data: Vec<Box<RawValue>>,
    mode: String,
    #[serde(default)]
    pending: u64,
}

impl Search {
    /// Asks, and shows the answer.
    pub fn run(self) -> Result<()> {
        let Self { query, session, top_k, mode, threshold, filters, explain, target } = self;
        let body = Said::default()
            .with("query", Some(query))
            .with("session_id", session)
            .with("top_k", Some(top_k))
            .with("mode", Some(mode.clone()))
            .with("threshold", threshold)
            .with("explain", Some(explain))
            .with_json("filters", filters.as_ref())?;
        asking(&target, async |client| {
            let found = client.post(&["search"], body).await?;
            let found: Found = read(&found)?;
            if found.mode != mode {
                eprintln!("Searched by {}: there is no embedding model for {mode}.", found.mode);
            }
            if found.pending > 0 && mode != "keyword" {
                eprintln!(
                    "{} of the newest are not embedded yet: found by words only.",
                    found.pending
                );
            }
            if client.target.json {
                return found.data.iter().try_for_each(|hit| show::line(hit.get()));
            }
            let rows: Vec<Value> = found.data.iter().map(|hit| row(hit)).collect::<Result<_>>()?;
            let more = explain.then_some(EXPLAINED);
            show::table(&rows, &COLUMNS.iter().copied().chain(more).collect::<Vec<_>>())
        })
    }
}

/// A hit as a row: whatever it is, its text stands at one place.
fn row(hit: &RawValue) -> Result<Value> {
    let hit: Value = read(hit.get().as_bytes())?;
    let kind = hit.get("type").and_then(Value::as_str).unwrap_or_default();
    let inner = hit.get(kind);
    let text = inner.and_then(|inner| inner.get("content").or_else(|| inner.get("text")));
    Ok(json!({
        "score": hit.get("score"),
        "type": kind,
        "session_id": hit.get("session_id"),
        "text": text,
        "id": inner.and_then(|inner| inner.get("id")),
        "explain": hit.get("explain"),
    }))
}
