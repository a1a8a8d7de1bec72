//! `holdfast doctor`: what the bucket's store really does and what lies in it, with a verdict and what to do.

use super::remote::{Call, Installation, json as read, key_with_admin, wait};
use super::settings::Values;
use crate::doctor::fleet::Bounds;
use crate::doctor::{Depth, Look, finding};
use crate::native::apart;
use anyhow::{Context, Result, bail};
use clap::Args;
use holdfast_core::Error;
use holdfast_ports::bucket;
use serde::Deserialize;
use serde_json::Value;
use std::path::PathBuf;

/// Examples of `--help`.
pub const EXAMPLES: &str = "Examples:
  holdfast doctor                              the bucket that the environment names (HOLDFAST_S3_…)
  holdfast doctor --settings wasabi.toml       the bucket of a file of settings
  HOLDFAST_KEY=hf_… holdfast doctor --url https://memory.example.com    what a running host finds, its egress too
  holdfast doctor --json                       for programs: an object a line

Exit code 0 when memories are safe there, 7 when the store is not fit.";

/// Without --full, so much is counted and so many users' journals are looked at.
const SOME: Bounds = Bounds { objects: 100_000, users: 200 };
const ALL: Bounds = Bounds { objects: u64::MAX, users: usize::MAX };

/// A busy host is asked so many times.
const TRIES: u32 = 3;

/// Arguments of `holdfast doctor`.
#[derive(Args)]
pub struct Doctor {
    /// Ask a running installation: scheme, host, port. HOLDFAST_KEY is a key that has the permission admin.
    #[arg(long, conflicts_with_all = ["settings", "set"])]
    url: Option<String>,
    /// Count everything and look at every user's journal; with --url also try the store out.
    #[arg(long)]
    full: bool,
    /// A file of settings, `name = \"value\"` a line (TOML).
    #[arg(long)]
    settings: Option<PathBuf>,
    /// One setting, `name=value`; may be repeated. `holdfast settings` lists them.
    #[arg(long = "set", value_name = "NAME=VALUE")]
    set: Vec<String>,
    /// One JSON object a finding.
    #[arg(long)]
    json: bool,
}

/// A report as a host answers it.
#[derive(Deserialize)]
struct Answer {
    verdict: String,
    summary: String,
    findings: Vec<Value>,
}

/// Looks at the store, writing and removing a few objects below `v1/probe/`; or asks a host.
pub fn run(doctor: &Doctor) -> Result<()> {
    let answer = match &doctor.url {
        Some(url) => asked(url, doctor.full)?,
        None => looked(doctor)?,
    };
    for finding in &answer.findings {
        println!("{}", if doctor.json { finding.to_string() } else { row(finding) });
    }
    if !doctor.json {
        println!("\n{}", answer.summary);
    }
    match answer.verdict.as_str() {
        "bad" => bail!(Error::unavailable("the store is not fit: see above")),
        _ => Ok(()),
    }
}

fn looked(doctor: &Doctor) -> Result<Answer> {
    let values = Values::gather(doctor.settings.as_deref(), std::env::vars(), &doctor.set)?;
    let store = values.store()?;
    if store.endpoint.is_empty() {
        let detail =
            "no bucket is named: set s3_endpoint, s3_bucket, s3_access_key and s3_secret_key";
        bail!(Error::invalid(detail).at("s3_endpoint"));
    }
    if !doctor.json {
        eprintln!(
            "looking at the store: some seconds, up to a minute where conditional writes are slow"
        );
    }
    let root_secret = Some(values.text("root_secret").to_owned());
    let depth = Depth::Whole(None, if doctor.full { ALL } else { SOME });
    let look = Look { root_secret, read: None, depth };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let report = runtime.block_on(apart(async move || Ok(look.look(&bucket(store)?).await)))?;
    Ok(Answer {
        verdict: report.verdict().name().to_owned(),
        summary: report.summary().to_owned(),
        findings: report.0.iter().map(finding).collect(),
    })
}

fn asked(url: &str, full: bool) -> Result<Answer> {
    let installation = Installation::new(url, key_with_admin()?)?;
    let path = if full { "/v1/doctor?full=true" } else { "/v1/doctor" };
    let answer = wait(installation.patiently(&Call::get(path), TRIES))?;
    answer.and_then(|answer| read(&answer)).with_context(|| format!("{url}{path}"))
}

fn row(finding: &Value) -> String {
    let member = |name| finding.get(name).and_then(Value::as_str).unwrap_or_default();
    let (name, verdict, found) = (member("name"), member("verdict"), member("found"));
    let advice = match member("advice") {
        "" => String::new(),
        advice => format!("\n{:32}→ {advice}", ""),
    };
    format!("{verdict:8} {name:22} {found}{advice}")
}
