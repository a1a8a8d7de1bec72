//! The command line.

mod client;
mod compose;
mod doctor;
mod given;
mod local;
mod remote;
mod settings;
mod trigger;
mod up;
mod upkeep;
mod verify;

use crate::log;
pub use settings::Values;

use clap::{Parser, Subcommand};
use holdfast_core::Error;
use std::process::ExitCode;

/// Conversation memory for LLM applications, over your own S3 bucket.
#[derive(Parser)]
#[command(name = "holdfast", version, max_term_width = 100)]
struct Line {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serve the application of a spin.toml.
    #[command(after_help = up::EXAMPLES)]
    Up(up::Up),
    /// Make a component and what satisfies its imports one component.
    #[command(after_help = compose::EXAMPLES)]
    Compose(compose::Compose),
    /// Sessions of a user of a running installation.
    #[command(after_help = client::SESSIONS_EXAMPLES)]
    Sessions(client::Sessions),
    /// Messages of a session.
    #[command(after_help = client::MESSAGES_EXAMPLES)]
    Messages(client::Messages),
    /// Model memories of a user, and what is known about it.
    #[command(after_help = client::MEMORIES_EXAMPLES)]
    Memories(client::Memories),
    /// Find messages and memories by meaning and word.
    #[command(after_help = client::SEARCH_EXAMPLES)]
    Search(client::Search),
    /// What a model should see next, within a budget of tokens.
    #[command(after_help = client::CONTEXT_EXAMPLES)]
    Context(client::Context),
    /// Files of a session: any bytes, sent and fetched as they are.
    #[command(after_help = client::ATTACHMENTS_EXAMPLES)]
    Attachments(client::Attachments),
    /// Training sets, written into the bucket and downloaded.
    #[command(visible_alias = "export", after_help = client::EXPORTS_EXAMPLES)]
    Exports(client::Exports),
    /// Look at what the bucket's store really does, and say what to do.
    #[command(after_help = doctor::EXAMPLES)]
    Doctor(doctor::Doctor),
    /// Read everything of the users in the bucket, and say what is wrong.
    #[command(after_help = verify::EXAMPLES)]
    Verify(verify::Verify),
    /// Have a running installation compact its journals, and collect what was replaced.
    #[command(after_help = upkeep::EXAMPLES)]
    Upkeep(upkeep::Upkeep),
    /// Show every setting with its default and meaning, as docs/settings.md.
    Settings,
}

/// Reads the command line, does what it says, and turns an error into its exit code.
pub fn run() -> ExitCode {
    let done = if trigger::is_started() { trigger::run() } else { command() };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("holdfast: {error:#}");
            let known = error.downcast_ref::<Error>();
            ExitCode::from(known.map_or(1, |error| error.case.exit_code()))
        }
    }
}

fn command() -> anyhow::Result<()> {
    match Line::parse().command {
        Command::Up(up) => up::run(up),
        Command::Compose(compose) => compose::run(&compose),
        Command::Sessions(sessions) => sessions.run(),
        Command::Messages(messages) => messages.run(),
        Command::Memories(memories) => memories.run(),
        Command::Search(search) => search.run(),
        Command::Context(context) => context.run(),
        Command::Attachments(attachments) => attachments.run(),
        Command::Exports(exports) => exports.run(),
        Command::Doctor(doctor) => doctor::run(&doctor),
        Command::Verify(verify) => verify::run(&verify),
        Command::Upkeep(upkeep) => upkeep::run(&upkeep),
        Command::Settings => {
            print!("{}", settings::page());
            Ok(())
        }
    }
}

/// Starts the log as the settings say.
fn start_log(values: &settings::Values) -> anyhow::Result<()> {
    let form = match values.text("log_format") {
        "text" => log::Form::Text,
        "json" => log::Form::Json,
        other => anyhow::bail!(Error::invalid(format!("log_format is {other}: use text or json"))),
    };
    log::start(form, values.text("log"))
}
