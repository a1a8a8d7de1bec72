//! The program as `trigger-holdfast`, which `spin up` starts for `[[trigger.holdfast]]`: the same as `holdfast up`, but the application
//! comes locked from Spin, and variables as Spin's.

use super::given::Given;
use super::settings::Values;
use super::up::{self, Start};
use crate::manifest::Draft;
use anyhow::{Context, Result};
use clap::{CommandFactory, Parser};
use holdfast_core::Error;
use percent_encoding::percent_decode_str;
use serde_json::json;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Instant;

/// The trigger's type, and what a program's name begins with to be one.
const TYPE: &str = "holdfast";
const PREFIX: &str = "trigger-";
/// Flags that every trigger of an application gets, or that are for Spin itself: another trigger may want them too.
const COMMON: [&str; 3] = ["listen", "help-args-only", "launch-metadata-only"];

/// Serves `[[trigger.holdfast]]` with Holdfast's native index and models; started by `spin up`.
#[derive(Parser)]
#[command(name = "trigger-holdfast", version)]
pub struct Trigger {
    /// Address to listen on; port 0 takes a free one. Default 127.0.0.1:8080.
    #[arg(long, value_name = "ADDRESS")]
    holdfast_listen: Option<SocketAddr>,
    /// Where secrets, a local store and compiled components are kept. Default `.spin/holdfast` beside the manifest.
    #[arg(long, value_name = "FOLDER")]
    holdfast_data_dir: Option<PathBuf>,
    /// One setting of Holdfast, `name=value`; may be repeated.
    #[arg(long = "set", value_name = "NAME=VALUE")]
    set: Vec<String>,
    /// One variable of the application, `name=value`; may be repeated.
    #[arg(long = "variable", value_name = "NAME=VALUE")]
    variable: Vec<String>,
    /// Where Spin keeps an application's state; ours lies in `holdfast` below it.
    #[arg(long, value_name = "FOLDER")]
    state_dir: Option<String>,
    /// As `--holdfast-listen`, where no other trigger wants it.
    #[arg(long, hide = true)]
    listen: Option<SocketAddr>,
    #[arg(long, hide = true)]
    help_args_only: bool,
    #[arg(long, hide = true)]
    launch_metadata_only: bool,
}

/// Was the program started under a trigger's name?
pub fn is_started() -> bool {
    let name = std::env::args_os().next().map(PathBuf::from);
    let name = name.as_deref().and_then(|path| path.file_name()).and_then(|name| name.to_str());
    name.is_some_and(|name| name.starts_with(PREFIX))
}

/// Answers what Spin asks, or serves until SIGINT or SIGTERM.
pub fn run() -> Result<()> {
    let started = Instant::now();
    let trigger = Trigger::parse();
    if trigger.help_args_only {
        let command = Trigger::command().disable_help_flag(true).disable_version_flag(true);
        println!("{}", command.help_template("{all-args}").render_long_help());
        return Ok(());
    }
    if trigger.launch_metadata_only {
        eprintln!("{}", metadata());
        return Ok(());
    }
    let draft = Draft::locked(&locked()?, TYPE)?;
    let given = Given::gather(std::env::vars(), &trigger.variable)?;
    let set: Vec<String> = given.settings.iter().chain(&trigger.set).cloned().collect();
    let values = Values::gather(None, std::env::vars(), &set)?;
    let start = Start {
        listen: trigger.listen_on(),
        data_dir: trigger.data_dir(),
        portable: false,
        draft,
        given: given.variables,
    };
    up::start(start, values, started)
}

impl Trigger {
    fn listen_on(&self) -> SocketAddr {
        let named = self.holdfast_listen.or(self.listen);
        named.unwrap_or(SocketAddr::from(([127, 0, 0, 1], 8080)))
    }

    fn data_dir(&self) -> PathBuf {
        // An empty one is none, as it is to Spin.
        let state = self.state_dir.as_deref().filter(|dir| !dir.is_empty()).map(PathBuf::from);
        let beside = || {
            let app =
                std::env::var_os("SPIN_LOCAL_APP_DIR").map_or(PathBuf::from("."), PathBuf::from);
            app.join(".spin")
        };
        let below = || state.unwrap_or_else(beside).join(TYPE);
        self.holdfast_data_dir.clone().unwrap_or_else(below)
    }
}

/// Where Spin has put the locked application.
fn locked() -> Result<PathBuf> {
    let url = std::env::var("SPIN_LOCKED_URL").map_err(|_| {
        Error::invalid(
            "SPIN_LOCKED_URL is not set: this program is started by `spin up`, for an application with [[trigger.holdfast]]",
        )
    })?;
    let path = url.strip_prefix("file://").with_context(|| format!("{url} names no file"))?;
    Ok(PathBuf::from(percent_decode_str(path).decode_utf8()?.into_owned()))
}

/// The flags that are for this trigger, as `spin up` asks before it starts several.
fn metadata() -> serde_json::Value {
    let command = Trigger::command();
    let own = command
        .get_arguments()
        .filter(|flag| flag.get_long().is_some_and(|long| !COMMON.contains(&long)));
    let flags: Vec<_> = own
        .map(|flag| json!({ "long": flag.get_long().map(|long| format!("--{long}")) }))
        .collect();
    json!({ "all_flags": flags })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spin_is_told_the_flags_that_are_ours_alone() {
        let told = metadata().to_string();
        assert!(told.contains(r#""--holdfast-listen""#) && told.contains(r#""--variable""#));
        assert!(!told.contains(r#""--listen""#) && !told.contains("only"), "{told}");
    }

    #[test]
    fn data_lies_where_spin_keeps_an_applications_state() {
        let dir = |line: &[&str]| {
            let line = std::iter::once(&"trigger-holdfast").chain(line);
            Trigger::parse_from(line).data_dir()
        };
        assert_eq!(dir(&["--state-dir", "/s"]), PathBuf::from("/s/holdfast"));
        assert_eq!(dir(&["--state-dir", "/s", "--holdfast-data-dir", "/d"]), PathBuf::from("/d"));
        assert!(dir(&["--state-dir", ""]).ends_with(".spin/holdfast"));
    }
}
