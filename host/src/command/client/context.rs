//! `holdfast context`.

use super::show::{self, Column};
use super::{Said, Target, asking, read};
use anyhow::Result;
use clap::Args;
use serde_json::Value;

/// Examples of `--help`.
pub const EXAMPLES: &str = "Examples:
  holdfast context 'When do we fly?' --user ann --session trip
  holdfast context 'When do we fly?' --user ann --max-tokens 500 --why
  holdfast context --user ann --session trip --json | jq .messages";

const USED: &[Column] =
    &[("TYPE", "/type"), ("WHY", "/why"), ("SESSION", "/session_id"), ("ID", "/id")];

/// Arguments of `holdfast context`.
#[derive(Args)]
pub struct Context {
    /// What the user asks next; without it the newest turns and what is known.
    query: Option<String>,
    /// The session that goes on.
    #[arg(long, value_name = "SESSION")]
    session: Option<String>,
    /// How many tokens it may have.
    #[arg(long, default_value_t = 4_000, value_name = "N")]
    max_tokens: u32,
    /// Leave conversations out.
    #[arg(long)]
    no_conversations: bool,
    /// Leave memories out.
    #[arg(long)]
    no_memories: bool,
    /// Say of each part why it is there.
    #[arg(long)]
    why: bool,
    #[command(flatten)]
    target: Target,
}

impl Context {
    /// Asks, and shows the answer.
    pub fn run(self) -> Result<()> {
        let Self { query, session, max_tokens, no_conversations, no_memories, why, target } = self;
        let body = Said::default()
            .with("query", query)
            .with("session_id", session)
            .with("max_tokens", Some(max_tokens))
            .with("include_conversations", Some(!no_conversations))
            .with("include_memories", Some(!no_memories));
        asking(&target, async |client| {
            let context = client.post(&["context"], body).await?;
            if client.target.json {
                return show::line(&String::from_utf8_lossy(&context));
            }
            let context: Value = read(&context)?;
            show::paragraph(context.get("context").and_then(Value::as_str).unwrap_or_default())?;
            if why {
                println!();
                let used =
                    context.get("used").and_then(Value::as_array).cloned().unwrap_or_default();
                show::table(&used, USED)?;
            }
            let tokens = context.get("tokens").and_then(Value::as_u64).unwrap_or_default();
            eprintln!("({tokens} of {max_tokens} tokens)");
            Ok(())
        })
    }
}
