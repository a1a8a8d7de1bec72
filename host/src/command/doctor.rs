//! `holdfast doctor`: what the bucket's store really does, with a verdict and what to do.

use super::settings::Values;
use crate::native::apart;
use anyhow::{Result, bail};
use clap::Args;
use holdfast_core::Error;
use holdfast_objects::{Finding, Verdict};
use holdfast_ports::bucket;
use std::path::PathBuf;

/// Examples of `--help`.
pub const EXAMPLES: &str = "Examples:
  holdfast doctor                              the bucket that the environment names (HOLDFAST_S3_…)
  holdfast doctor --settings wasabi.toml       the bucket of a file of settings
  holdfast doctor --json                       for programs: an object a line";

/// Arguments of `holdfast doctor`.
#[derive(Args)]
pub struct Doctor {
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

/// Looks at the store, writing and removing a few objects below `v1/probe/`.
pub fn run(doctor: &Doctor) -> Result<()> {
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
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let findings = runtime.block_on(apart(async move || Ok(bucket(store)?.probe().await)))?;
    for finding in &findings {
        println!("{}", if doctor.json { line(finding) } else { row(finding) });
    }
    let worst = findings.iter().map(|finding| finding.verdict).max();
    if !doctor.json {
        println!("\n{}", summary(worst));
    }
    match worst {
        Some(Verdict::Bad) => bail!(Error::unavailable("the store is not fit: see above")),
        _ => Ok(()),
    }
}

fn row(finding: &Finding) -> String {
    let Finding { name, verdict, found, advice } = finding;
    let advice = if advice.is_empty() { String::new() } else { format!("\n{:32}→ {advice}", "") };
    format!("{:8} {name:22} {found}{advice}", verdict.name())
}

fn line(finding: &Finding) -> String {
    let Finding { name, verdict, found, advice } = finding;
    let verdict = verdict.name();
    serde_json::json!({"name": name, "verdict": verdict, "found": found, "advice": advice})
        .to_string()
}

fn summary(worst: Option<Verdict>) -> &'static str {
    match worst {
        Some(Verdict::Bad) => {
            "This store is not fit for memories as it is: do what the lines marked bad say."
        }
        Some(Verdict::Warn) => "This store is fit for memories; mind the warnings.",
        _ => "This store is fit for memories.",
    }
}
