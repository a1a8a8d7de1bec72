//! `holdfast messages`.

use super::show::{self, Column};
use super::{Client, Consent, Length, Said, Target, asking, read};
use anyhow::{Context as _, Result};
use clap::{Args, Subcommand};
use serde_json::Value;
use std::io::Read;

/// Examples of `--help`.
pub const EXAMPLES: &str = "Examples:
  holdfast messages list trip --user ann
  holdfast messages store trip --user ann 'We fly to Lisbon on 3 May.'
  pbpaste | holdfast messages store trip --user ann --role assistant -
  holdfast messages list trip --user ann --all --json > trip.jsonl
  holdfast messages delete trip 6bfbb775-faba-52dd-89fe-ae867e2d42e0 --user ann";

const COLUMNS: &[Column] = &[
    ("#", "/index"),
    ("STORED", "/stored_at"),
    ("ROLE", "/role"),
    ("CONTENT", "/content"),
    ("ID", "/id"),
];

/// Arguments of `holdfast messages`.
#[derive(Args)]
pub struct Messages {
    #[command(subcommand)]
    verb: Verb,
    #[command(flatten)]
    target: Target,
}

#[derive(Subcommand)]
enum Verb {
    /// Messages of a session, in order.
    List {
        /// Id of the session.
        session: String,
        /// Which end comes first.
        #[arg(long, default_value = "asc", value_parser = ["asc", "desc"])]
        order: String,
        /// As they were at a time (RFC 3339).
        #[arg(long, value_name = "TIME")]
        as_of: Option<String>,
        #[command(flatten)]
        length: Length,
    },
    /// One message, its content whole.
    Show {
        /// Id of the session.
        session: String,
        /// Its id.
        id: String,
    },
    /// Stores a message; the session is opened if it is new.
    Store {
        /// Id of the session.
        session: String,
        /// Its text; `-` reads it from the standard input.
        content: String,
        /// Who speaks.
        #[arg(long, default_value = "user", value_parser = ["system", "user", "assistant", "tool"])]
        role: String,
        /// The speaker's name.
        #[arg(long)]
        name: Option<String>,
        /// Its id; without one it gets one.
        #[arg(long)]
        id: Option<String>,
        /// Its metadata (JSON).
        #[arg(long, value_name = "JSON")]
        metadata: Option<String>,
    },
    /// Deletes a message for ever.
    Delete {
        /// Id of the session.
        session: String,
        /// Its id.
        id: String,
        #[command(flatten)]
        consent: Consent,
    },
}

impl Messages {
    /// Asks, and shows the answer.
    pub fn run(self) -> Result<()> {
        let Self { verb, target } = self;
        asking(&target, |client| answer(client, verb))
    }
}

async fn answer(client: Client<'_>, verb: Verb) -> Result<()> {
    match verb {
        Verb::List { session, order, as_of, length } => {
            let mut query = vec![("order", order.as_str())];
            query.extend(as_of.as_deref().map(|time| ("as_of", time)));
            let path = ["sessions", &session, "messages"];
            client.show_list(&client.list(&path, &query, &length).await?, COLUMNS)
        }
        Verb::Show { session, id } => {
            client.show_one(&client.get(&["sessions", &session, "messages", &id], &[]).await?)
        }
        Verb::Store { session, content, role, name, id, metadata } => {
            let content = if content == "-" { standard_input()? } else { content };
            let body = Said::default()
                .with("role", Some(role))
                .with("content", Some(content))
                .with("name", name)
                .with("id", id)
                .with_json("metadata", metadata.as_ref())?;
            let stored = client.post(&["sessions", &session, "messages"], body).await?;
            if client.target.json {
                return show::line(&String::from_utf8_lossy(&stored));
            }
            let answer: Value = read(&stored)?;
            let id = answer.pointer("/messages/0/id").and_then(Value::as_str).unwrap_or_default();
            client.say(&format!("stored: message {id}"));
            Ok(())
        }
        Verb::Delete { session, id, consent } => {
            consent.to(&format!("the message {id}"))?;
            client.delete(&["sessions", &session, "messages", &id]).await?;
            client.say(&format!("deleted: message {id}"));
            Ok(())
        }
    }
}

/// All of the standard input, but for the line break that ends it.
fn standard_input() -> Result<String> {
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text).context("read the standard input")?;
    if text.ends_with('\n') {
        text.pop();
    }
    Ok(text)
}
