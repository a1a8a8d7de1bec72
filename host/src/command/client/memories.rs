//! `holdfast memories`.

use super::show::{self, Column};
use super::{Client, Consent, Length, Page, Said, Target, asking, read};
use anyhow::Result;
use clap::{Args, Subcommand};
use serde_json::Value;

/// Examples of `--help`.
pub const EXAMPLES: &str = "Examples:
  holdfast memories list --user ann
  holdfast memories save 'Ann likes window seats.' --user ann --category profile --importance 0.8
  holdfast memories save 'Ann likes window seats.' --user ann --session trip --source 6bfbb775-faba-52dd-89fe-ae867e2d42e0
  holdfast memories change 01JB… --user ann --text 'Ann likes aisle seats.'
  holdfast memories history 01JB… --user ann
  holdfast memories restore 01JB… --user ann --version 1
  holdfast memories profile ann";

const COLUMNS: &[Column] = &[
    ("ID", "/id"),
    ("TEXT", "/text"),
    ("CATEGORY", "/category"),
    ("IMPORTANCE", "/importance"),
    ("UPDATED", "/updated_at"),
];
const VERSIONS: &[Column] = &[
    ("VERSION", "/version"),
    ("AT", "/at"),
    ("EVENT", "/event"),
    ("TEXT", "/text"),
    ("CATEGORY", "/category"),
];

/// Arguments of `holdfast memories`.
#[derive(Args)]
pub struct Memories {
    #[command(subcommand)]
    verb: Verb,
    #[command(flatten)]
    target: Target,
}

#[derive(Subcommand)]
enum Verb {
    /// Memories, the last changed first. `holdfast search` finds them by meaning and word.
    List {
        /// Only those that pass a filter (JSON).
        #[arg(long, value_name = "JSON")]
        filters: Option<String>,
        #[command(flatten)]
        length: Length,
    },
    /// One memory.
    Show {
        /// Its id.
        id: String,
    },
    /// Saves a memory; the same text again is a link to what is there.
    Save {
        /// The statement.
        text: String,
        #[command(flatten)]
        fields: Fields,
        /// The session of the messages that it is made of.
        #[arg(long, value_name = "SESSION", requires = "source")]
        session: Option<String>,
        /// A message that it is made of; may be repeated.
        #[arg(long, value_name = "MESSAGE", requires = "session")]
        source: Vec<String>,
    },
    /// Changes a memory; what it was stays in its history.
    Change {
        /// Its id.
        id: String,
        /// The statement.
        #[arg(long)]
        text: Option<String>,
        #[command(flatten)]
        fields: Fields,
    },
    /// Every version of a memory.
    History {
        /// Its id.
        id: String,
    },
    /// Makes an earlier version stand again; without one the version before.
    Restore {
        /// Its id.
        id: String,
        /// The number of the version.
        #[arg(long)]
        version: Option<u32>,
    },
    /// Deletes a memory with its history.
    Delete {
        /// Its id.
        id: String,
        #[command(flatten)]
        consent: Consent,
    },
    /// What is known about a user, as a text.
    Profile {
        /// Id of the user.
        user_id: String,
    },
}

#[derive(Args)]
struct Fields {
    /// What it is about.
    #[arg(long)]
    category: Option<String>,
    /// From 0 to 1.
    #[arg(long)]
    importance: Option<f64>,
    /// Its metadata (JSON).
    #[arg(long, value_name = "JSON")]
    metadata: Option<String>,
    /// When it is no longer true (RFC 3339).
    #[arg(long, value_name = "TIME")]
    expires_at: Option<String>,
}

impl Fields {
    fn said(self, text: Option<String>) -> Result<Said> {
        Said::default()
            .with("text", text)
            .with("category", self.category)
            .with("importance", self.importance)
            .with("expires_at", self.expires_at)
            .with_json("metadata", self.metadata.as_ref())
    }
}

impl Memories {
    /// Asks, and shows the answer.
    pub fn run(self) -> Result<()> {
        let Self { verb, target } = self;
        asking(&target, |client| answer(client, verb))
    }
}

async fn answer(client: Client<'_>, verb: Verb) -> Result<()> {
    match verb {
        Verb::List { filters, length } => {
            let query: Vec<(&str, &str)> =
                filters.iter().map(|filters| ("filters", filters.as_str())).collect();
            client.show_list(&client.list(&["memories"], &query, &length).await?, COLUMNS)
        }
        Verb::Show { id } => client.show_one(&client.get(&["memories", &id], &[]).await?),
        Verb::Save { text, fields, session, source } => {
            let sources = (!source.is_empty()).then_some(source);
            let body = fields.said(Some(text))?;
            let body = body.with("session_id", session).with("source_message_ids", sources);
            client.show_one(&client.post(&["memories"], body).await?)
        }
        Verb::Change { id, text, fields } => {
            client.show_one(&client.patch(&["memories", &id], fields.said(text)?).await?)
        }
        Verb::History { id } => {
            let versions = client.get(&["memories", &id, "history"], &[]).await?;
            let versions: Page = read(&versions)?;
            client.show_list(&(versions.data, false), VERSIONS)
        }
        Verb::Restore { id, version } => {
            let body = Said::default().with("version", version);
            client.show_one(&client.post(&["memories", &id, "restore"], body).await?)
        }
        Verb::Delete { id, consent } => {
            consent.to(&format!("the memory {id} with its history"))?;
            client.delete(&["memories", &id]).await?;
            client.say(&format!("deleted: memory {id}"));
            Ok(())
        }
        Verb::Profile { user_id } => {
            let profile = client.get(&["users", &user_id, "profile"], &[]).await?;
            if client.target.json {
                return show::line(&String::from_utf8_lossy(&profile));
            }
            let profile: Value = read(&profile)?;
            show::paragraph(profile.get("text").and_then(Value::as_str).unwrap_or_default())
        }
    }
}
