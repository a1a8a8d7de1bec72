//! The host's log: one line for each event, as text or JSON, on standard error.

use anyhow::{Result, anyhow};
use tracing_subscriber::EnvFilter;

/// How the log is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Form {
    /// For people.
    #[default]
    Text,
    /// For programs: an object a line.
    Json,
}

/// Starts the log with `filter` (`info`, `holdfast=debug,warn`); a second start is an error.
pub fn start(form: Form, filter: &str) -> Result<()> {
    // The embedded store's protocol crate calls every 404 an error; what matters of it our own client says.
    let filter = EnvFilter::try_new(format!("s3s=off,{filter}"))?;
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match form {
        Form::Text => log.with_target(false).try_init(),
        Form::Json => log.json().flatten_event(true).with_current_span(false).try_init(),
    }
    .map_err(|e| anyhow!("start the log: {e}"))
}
