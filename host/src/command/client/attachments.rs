//! `holdfast attachments`.

use super::streams::{Sent, Source, Target as Place, fetch, send};
use super::{Client, Consent, Length, Target, asking, read, show};
use anyhow::Result;
use clap::{Args, Subcommand};
use holdfast_core::Error;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// Examples of `--help`.
pub const EXAMPLES: &str = "Examples:
  holdfast attachments put trip ./tickets.pdf --user ann
  holdfast attachments put trip ./memory.db --user ann --type application/vnd.sqlite3
  tar c notes | holdfast attachments put trip - --name notes.tar --user ann
  holdfast attachments list trip --user ann
  holdfast attachments get trip tickets.pdf --user ann --to ./tickets.pdf
  holdfast attachments get trip notes.tar --user ann --to - | tar x
  holdfast attachments delete trip tickets.pdf --user ann

Bytes go and come as they are, checked by their SHA-256, and are never held whole. What broke off on its way to a file goes
on where it ended, also when it is asked for again.";

const COLUMNS: &[show::Column] = &[
    ("NAME", "/name"),
    ("TYPE", "/media_type"),
    ("BYTES", "/size"),
    ("SHA-256", "/sha256"),
    ("UPDATED", "/updated_at"),
];

/// Arguments of `holdfast attachments`.
#[derive(Args)]
pub struct Attachments {
    #[command(subcommand)]
    verb: Verb,
    #[command(flatten)]
    target: Target,
}

#[derive(Subcommand)]
enum Verb {
    /// Attaches a file; another of the same name takes its place.
    Put(Put),
    /// Fetches one, into a file or to the standard output.
    Get {
        /// The session's id.
        session: String,
        /// Its name.
        name: String,
        /// The file to write, or `-` for the standard output; its own name in this folder where none is named.
        #[arg(long, value_name = "FILE")]
        to: Option<PathBuf>,
    },
    /// Attachments of a session, the oldest first.
    List {
        /// The session's id.
        session: String,
        #[command(flatten)]
        length: Length,
    },
    /// Deletes one.
    Delete {
        /// The session's id.
        session: String,
        /// Its name.
        name: String,
        #[command(flatten)]
        consent: Consent,
    },
}

/// What is attached.
#[derive(Args)]
struct Put {
    /// The session's id; it must be there.
    session: String,
    /// The file, or `-` for the standard input.
    file: PathBuf,
    /// Its name there; the file's own where none is named.
    #[arg(long)]
    name: Option<String>,
    /// Its media type.
    #[arg(long = "type", value_name = "TYPE", default_value = "application/octet-stream")]
    kind: String,
}

impl Put {
    fn source(&self) -> Source<'_> {
        if self.file == Path::new("-") { Source::Input } else { Source::File(&self.file) }
    }

    /// What it is called there.
    fn name(&self) -> Result<String, Error> {
        let of_file = || self.file.file_name().and_then(|name| name.to_str()).map(str::to_owned);
        let name = self.name.clone().or_else(|| of_file().filter(|name| name != "-"));
        name.ok_or_else(|| Error::invalid("say how it is to be called: --name").at("name"))
    }
}

impl Attachments {
    /// Asks, and shows the answer.
    pub fn run(self) -> Result<()> {
        let Self { verb, target } = self;
        asking(&target, |client| answer(client, verb))
    }
}

async fn answer(client: Client<'_>, verb: Verb) -> Result<()> {
    match verb {
        Verb::Put(put) => attach(&client, &put).await,
        Verb::Get { session, name, to } => fetched(&client, &session, &name, to.as_deref()).await,
        Verb::List { session, length } => {
            let path = ["sessions", &session, "attachments"];
            client.show_list(&client.list(&path, &[], &length).await?, COLUMNS)
        }
        Verb::Delete { session, name, consent } => {
            consent.to(&format!("the attachment {name} of the session {session}"))?;
            client.delete(&["sessions", &session, "attachments", &name]).await?;
            client.say(&format!("deleted: attachment {name}"));
            Ok(())
        }
    }
}

async fn attach(client: &Client<'_>, put: &Put) -> Result<()> {
    let name = put.name()?;
    let path = client.path(&["sessions", &put.session, "attachments", &name], &[]);
    let Sent { answer, sha256 } = send(client, &path, &put.source(), &put.kind).await?;
    let attached: Value = read(&answer)?;
    if attached.get("sha256").and_then(Value::as_str) != Some(sha256.as_str()) {
        let detail = format!("{name} is there, and not what was sent: put it again");
        return Err(Error::corrupt(detail).into());
    }
    if client.target.json {
        return client.show_one(&answer);
    }
    let size = attached.get("size").and_then(Value::as_u64).unwrap_or_default();
    client.say(&format!("attached: {name} ({size} bytes, SHA-256 {sha256})"));
    Ok(())
}

async fn fetched(client: &Client<'_>, session: &str, name: &str, to: Option<&Path>) -> Result<()> {
    let path = client.path(&["sessions", session, "attachments", name], &[]);
    let to = to.unwrap_or_else(|| Path::new(name));
    if to == Path::new("-") {
        fetch(client, &path, Place::Output).await?;
        return Ok(());
    }
    let got = fetch(client, &path, Place::File(to)).await?;
    if client.target.json {
        let (file, sha256) = (to.to_string_lossy(), &got.sha256);
        let told = json!({"session_id": session, "name": name, "file": file, "size": got.size, "sha256": sha256});
        return show::line(&told.to_string());
    }
    client.say(&format!("{}: {} bytes, SHA-256 {}", to.display(), got.size, got.sha256));
    Ok(())
}
