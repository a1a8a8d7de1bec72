//! `holdfast sessions`.

use super::{Client, Consent, Length, Said, Target, asking};
use anyhow::Result;
use clap::{Args, Subcommand};

/// Examples of `--help`.
pub const EXAMPLES: &str = "Examples:
  holdfast sessions list --user ann
  holdfast sessions list --user ann --filters '{\"metadata.topic\": {\"eq\": \"travel\"}}' --json
  holdfast sessions create trip --user ann --name 'Lisbon in May'
  holdfast sessions statistics trip --user ann
  holdfast sessions delete trip --user ann";

const COLUMNS: &[super::show::Column] = &[
    ("ID", "/id"),
    ("NAME", "/name"),
    ("TYPE", "/type"),
    ("STATUS", "/status"),
    ("MESSAGES", "/message_count"),
    ("LAST ACTIVITY", "/last_activity"),
];

/// Arguments of `holdfast sessions`.
#[derive(Args)]
pub struct Sessions {
    #[command(subcommand)]
    verb: Verb,
    #[command(flatten)]
    target: Target,
}

#[derive(Subcommand)]
enum Verb {
    /// Sessions, the last active first.
    List {
        /// Only those that pass a filter (JSON).
        #[arg(long, value_name = "JSON")]
        filters: Option<String>,
        /// As they were at a time (RFC 3339).
        #[arg(long, value_name = "TIME")]
        as_of: Option<String>,
        #[command(flatten)]
        length: Length,
    },
    /// One session.
    Show {
        /// Its id.
        id: String,
    },
    /// Counts, lengths and times of a session.
    Statistics {
        /// Its id.
        id: String,
    },
    /// Opens a session; a message alone opens one too.
    Create {
        /// Its id; without one it gets one.
        id: Option<String>,
        #[command(flatten)]
        fields: Fields,
    },
    /// Changes fields of a session.
    Change {
        /// Its id.
        id: String,
        #[command(flatten)]
        fields: Fields,
        /// Whether it goes on.
        #[arg(long, value_parser = ["active", "archived"])]
        status: Option<String>,
    },
    /// Deletes a session with all of its messages.
    Delete {
        /// Its id.
        id: String,
        #[command(flatten)]
        consent: Consent,
    },
}

#[derive(Args)]
struct Fields {
    /// Its name.
    #[arg(long)]
    name: Option<String>,
    /// Its type.
    #[arg(long = "type", value_name = "TYPE")]
    kind: Option<String>,
    /// Its metadata (JSON).
    #[arg(long, value_name = "JSON")]
    metadata: Option<String>,
}

impl Fields {
    fn said(self) -> Result<Said> {
        let said = Said::default().with("name", self.name).with("type", self.kind);
        said.with_json("metadata", self.metadata.as_ref())
    }
}

impl Sessions {
    /// Asks, and shows the answer.
    pub fn run(self) -> Result<()> {
        let Self { verb, target } = self;
        asking(&target, |client| answer(client, verb))
    }
}

async fn answer(client: Client<'_>, verb: Verb) -> Result<()> {
    match verb {
        Verb::List { filters, as_of, length } => {
            let query: Vec<(&str, &str)> = [("filters", &filters), ("as_of", &as_of)]
                .into_iter()
                .filter_map(|(name, value)| value.as_deref().map(|value| (name, value)))
                .collect();
            client.show_list(&client.list(&["sessions"], &query, &length).await?, COLUMNS)
        }
        Verb::Show { id } => client.show_one(&client.get(&["sessions", &id], &[]).await?),
        Verb::Statistics { id } => {
            client.show_one(&client.get(&["sessions", &id, "statistics"], &[]).await?)
        }
        Verb::Create { id, fields } => {
            let body = fields.said()?.with("id", id);
            client.show_one(&client.post(&["sessions"], body).await?)
        }
        Verb::Change { id, fields, status } => {
            let body = fields.said()?.with("status", status);
            client.show_one(&client.patch(&["sessions", &id], body).await?)
        }
        Verb::Delete { id, consent } => {
            consent.to(&format!("the session {id} with all of its messages"))?;
            client.delete(&["sessions", &id]).await?;
            client.say(&format!("deleted: session {id}"));
            Ok(())
        }
    }
}
