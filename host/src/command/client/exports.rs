//! `holdfast exports`.

use super::progress::bar;
use super::{Client, Length, Said, Target, asking, read};
use anyhow::{Context, Result, bail};
use bytes::Bytes;
use clap::{Args, Subcommand};
use holdfast_core::{Case, Error};
use serde::Deserialize;
use serde_json::json;
use sha2::{Digest, Sha256};
use std::path::{Component, Path, PathBuf};

/// Examples of `--help`.
pub const EXAMPLES: &str = "Examples:
  holdfast exports new trl-sft --to ./set                    all users, as one training set, into a folder
  holdfast exports new openai --user ann --anonymize --to ./set
  holdfast exports new trl-preference --validation 0.1 --since 2026-01-01T00:00:00Z --to ./set
  holdfast exports list                                      what was exported, and how it stands
  holdfast exports get 01J… --to ./set                       go on with one to its end, and download it
  holdfast exports cancel 01J…

What is there already and whole is not fetched again, so a download that broke off goes on. Formats: docs/training.md. The key
needs the permission `export`.";

const COLUMNS: &[super::show::Column] = &[
    ("ID", "/id"),
    ("STATUS", "/status"),
    ("FORMAT", "/format"),
    ("EXAMPLES", "/counts/examples"),
    ("SESSIONS", "/counts/sessions"),
    ("CREATED", "/created_at"),
];

/// Arguments of `holdfast exports`.
#[derive(Args)]
pub struct Exports {
    #[command(subcommand)]
    verb: Verb,
    #[command(flatten)]
    target: Target,
}

#[derive(Subcommand)]
enum Verb {
    /// Begins one, goes on with it to its end, and downloads it.
    New(Box<New>),
    /// Exports, the oldest first.
    List {
        #[command(flatten)]
        length: Length,
    },
    /// One export.
    Show {
        /// Its id.
        id: String,
    },
    /// Goes on with one to its end, and downloads it.
    Get {
        /// Its id.
        id: String,
        /// Folder for its files; a new one, or that of a download that broke off.
        #[arg(long, value_name = "FOLDER")]
        to: PathBuf,
    },
    /// Ends one that is not done, and removes what it wrote.
    Cancel {
        /// Its id.
        id: String,
    },
}

/// What is exported, and how.
#[derive(Args)]
struct New {
    /// openai, openai-preference, trl-sft, trl-prompt-completion, trl-preference, trl-kto, sharegpt, alpaca, mlx, parquet or
    /// langchain.
    format: String,
    /// Folder for its files; without one it is only written into the bucket.
    #[arg(long, value_name = "FOLDER")]
    to: Option<PathBuf>,
    /// Only these sessions; may be repeated.
    #[arg(long = "session", value_name = "ID")]
    sessions: Vec<String>,
    /// Only messages of then or later (RFC 3339).
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Only messages before (RFC 3339).
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// What had been written by then (RFC 3339).
    #[arg(long, value_name = "TIME")]
    as_of: Option<String>,
    /// Only sessions whose metadata have these values.
    #[arg(long, value_name = "JSON")]
    metadata: Option<String>,
    /// Only sessions with such feedback.
    #[arg(long, value_parser = ["up", "down", "any"])]
    feedback: Option<String>,
    /// Share of the sessions for validation.
    #[arg(long, value_name = "SHARE", default_value_t = 0.0)]
    validation: f64,
    /// Share of the sessions for the test.
    #[arg(long, value_name = "SHARE", default_value_t = 0.0)]
    test: f64,
    /// Seed of the split.
    #[arg(long, default_value_t = 0)]
    seed: u32,
    /// Replace personal data by placeholders.
    #[arg(long)]
    anonymize: bool,
    /// Take systems, assistants and tools that keys of users wrote as well.
    #[arg(long)]
    untrusted: bool,
}

impl New {
    fn said(&self) -> Result<Said> {
        let split = json!({"validation": self.validation, "test": self.test});
        Said::default()
            .with("format", Some(self.format.as_str()))
            .with("sessions", Some(self.sessions.clone()))
            .with("since", self.since.as_deref())
            .with("until", self.until.as_deref())
            .with("as_of", self.as_of.as_deref())
            .with("feedback", self.feedback.as_deref())
            .with("split", Some(split))
            .with("seed", Some(self.seed))
            .with("anonymize", Some(self.anonymize))
            .with("untrusted", Some(self.untrusted))
            .with_json("metadata", self.metadata.as_ref())
    }
}

/// How an export stands.
#[derive(Deserialize)]
struct Export {
    id: String,
    status: String,
    counts: Counts,
    manifest: Option<Manifest>,
}

#[derive(Deserialize)]
struct Counts {
    sessions: u64,
    messages: u64,
    examples: u64,
}

#[derive(Deserialize)]
struct Manifest {
    files: Vec<File>,
}

#[derive(Deserialize)]
struct File {
    name: String,
    bytes: u64,
    sha256: String,
}

impl Exports {
    /// Asks, and shows the answer.
    pub fn run(self) -> Result<()> {
        let Self { verb, target } = self;
        asking(&target, |client| answer(client, verb))
    }
}

async fn answer(client: Client<'_>, verb: Verb) -> Result<()> {
    match verb {
        Verb::New(new) => {
            let begun: Export = read(&client.post(&["exports"], new.said()?).await?)?;
            fetched(&client, &begun.id, new.to.as_deref()).await
        }
        Verb::List { length } => {
            client.show_list(&client.list(&["exports"], &[], &length).await?, COLUMNS)
        }
        Verb::Show { id } => client.show_one(&client.get(&["exports", &id], &[]).await?),
        Verb::Get { id, to } => fetched(&client, &id, Some(&to)).await,
        Verb::Cancel { id } => {
            client.post(&["exports", &id, "cancel"], Said::default()).await?;
            client.say(&format!("cancelled: export {id}"));
            Ok(())
        }
    }
}

/// Goes on with an export to its end, downloads it, and says what it is.
async fn fetched(client: &Client<'_>, id: &str, to: Option<&Path>) -> Result<()> {
    let answer = finished(client, id).await?;
    let export: Export = read(&answer)?;
    let Some(manifest) = export.manifest else {
        bail!(Error::new(Case::Conflict, format!("export {id} is {}", export.status)));
    };
    let Some(to) = to else { return client.show_one(&answer) };
    download(client, id, &manifest.files, to).await?;
    // The manifest last: a folder that has it is whole.
    let manifest = client.get(&["exports", id, "files", "_MANIFEST.json"], &[]).await?;
    write(&to.join("_MANIFEST.json"), &manifest)?;
    if client.target.json {
        return client.show_one(&answer);
    }
    let Counts { sessions, examples, .. } = export.counts;
    client.say(&format!("{examples} examples of {sessions} sessions are in {}.", to.display()));
    Ok(())
}

async fn finished(client: &Client<'_>, id: &str) -> Result<Bytes> {
    let bar = bar(client, None);
    loop {
        let answer = client.post(&["exports", id, "advance"], Said::default()).await?;
        let export: Export = read(&answer)?;
        let Counts { sessions, messages, examples } = export.counts;
        bar.set_message(format!("{sessions} sessions, {messages} messages, {examples} examples"));
        if export.status != "running" {
            bar.finish_and_clear();
            return Ok(answer);
        }
    }
}

async fn download(client: &Client<'_>, id: &str, files: &[File], to: &Path) -> Result<()> {
    let bar = bar(client, Some(files.iter().map(|file| file.bytes).sum()));
    for file in files {
        bar.set_message(file.name.clone());
        let path = to.join(inside(&file.name)?);
        if !is_whole(&path, file) {
            let mut segments = vec!["exports", id, "files"];
            segments.extend(file.name.split('/'));
            let bytes = client.get(&segments, &[]).await?;
            if hash(&bytes) != file.sha256 {
                bail!(Error::corrupt(format!("{} is not what the manifest says", file.name)));
            }
            write(&path, &bytes)?;
        }
        bar.inc(file.bytes);
    }
    bar.finish_and_clear();
    Ok(())
}

/// A name that leads nowhere but below its folder.
fn inside(name: &str) -> Result<&Path> {
    let path = Path::new(name);
    let plain = path.components().all(|part| matches!(part, Component::Normal(_)));
    if !plain || name.is_empty() {
        bail!(Error::corrupt(format!("the manifest names {name:?}, which is no file below it")));
    }
    Ok(path)
}

fn is_whole(path: &Path, file: &File) -> bool {
    std::fs::read(path).is_ok_and(|bytes| hash(&bytes) == file.sha256)
}

fn hash(bytes: &[u8]) -> String {
    format!("{:x}", Sha256::digest(bytes))
}

fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).with_context(|| format!("make {}", folder.display()))?;
    }
    std::fs::write(path, bytes).with_context(|| format!("write {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manifest_leads_nowhere_but_below_its_folder() {
        assert!(inside("data/train-00000-of-00001.parquet").is_ok());
        for wrong in ["", "/etc/passwd", "../x", "a/../../x", "./x"] {
            assert!(inside(wrong).is_err(), "{wrong}");
        }
    }
}
