//! What a person asks of a running installation: sessions, messages, memories, search, context, attachments, exports.

mod attachments;
mod context;
mod exports;
mod memories;
mod messages;
mod progress;
mod search;
mod sessions;
mod show;
mod streams;

pub use attachments::{Attachments, EXAMPLES as ATTACHMENTS_EXAMPLES};
pub use context::{Context, EXAMPLES as CONTEXT_EXAMPLES};
pub use exports::{EXAMPLES as EXPORTS_EXAMPLES, Exports};
pub use memories::{EXAMPLES as MEMORIES_EXAMPLES, Memories};
pub use messages::{EXAMPLES as MESSAGES_EXAMPLES, Messages};
pub use search::{EXAMPLES as SEARCH_EXAMPLES, Search};
pub use sessions::{EXAMPLES as SESSIONS_EXAMPLES, Sessions};

use super::local;
use super::remote::{Call, Installation, given_key, is_local, json as read, wait};
use anyhow::{Result, bail};
use bytes::Bytes;
use clap::Args;
use form_urlencoded::Serializer;
use holdfast_core::Error;
use http::Method;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use std::io::{IsTerminal, Write};
use std::path::PathBuf;

/// A call that is refused for now is made so many times.
const TRIES: u32 = 3;
/// Items of a page: the most that one call gives.
const PAGE: u32 = 1_000;

/// Where the installation is, who asks, and how the answer is shown.
#[derive(Args)]
pub struct Target {
    /// Where the installation answers: scheme, host, port.
    #[arg(long, env = "HOLDFAST_URL", default_value = "http://127.0.0.1:8080", global = true)]
    url: String,
    /// The user whose memory it is; a user key has its own.
    #[arg(long, env = "HOLDFAST_USER", value_name = "ID", global = true)]
    user: Option<String>,
    /// Where a local installation keeps its key; `HOLDFAST_KEY` goes before it.
    #[arg(long, default_value = "data", value_name = "FOLDER", global = true)]
    data_dir: PathBuf,
    /// JSON for programs: one object a line, as the installation gave it.
    #[arg(long, global = true)]
    json: bool,
}

/// How much of a list is shown.
#[derive(Args)]
struct Length {
    /// Show so many.
    #[arg(long, default_value_t = 50, value_name = "N")]
    limit: u32,
    /// Show all.
    #[arg(long, conflicts_with = "limit")]
    all: bool,
}

/// Consent to a removal.
#[derive(Args)]
struct Consent {
    /// Do not ask.
    #[arg(long)]
    yes: bool,
}

impl Consent {
    /// Goes on when the caller agrees.
    ///
    /// # Errors
    /// `invalid` when it does not, or when nobody can be asked.
    fn to(&self, what: &str) -> Result<()> {
        if self.yes {
            return Ok(());
        }
        if !std::io::stdin().is_terminal() {
            bail!(Error::invalid(format!("this deletes {what}: say --yes")));
        }
        eprint!("Delete {what}? [y/N] ");
        std::io::stderr().flush()?;
        let mut answer = String::new();
        std::io::stdin().read_line(&mut answer)?;
        match answer.trim().to_ascii_lowercase().as_str() {
            "y" | "yes" => Ok(()),
            _ => bail!(Error::invalid("nothing was deleted")),
        }
    }
}

/// The members of a body that were said.
#[derive(Default)]
struct Said(Map<String, Value>);

impl Said {
    fn with(mut self, name: &str, value: Option<impl Into<Value>>) -> Self {
        if let Some(value) = value {
            self.0.insert(name.to_owned(), value.into());
        }
        self
    }

    /// A member that is given as JSON.
    ///
    /// # Errors
    /// `invalid` when it is none.
    fn with_json(self, name: &str, text: Option<&String>) -> Result<Self> {
        let wrong = |e| Error::invalid(format!("--{name} is not JSON: {e}")).at(name);
        let value: Option<Value> =
            text.map(|text| serde_json::from_str(text).map_err(wrong)).transpose()?;
        Ok(self.with(name, value))
    }
}

/// A page of a list.
#[derive(Deserialize)]
struct Page {
    data: Vec<Box<RawValue>>,
    next_cursor: Option<String>,
}

/// An installation, asked for one user.
struct Client<'a> {
    installation: Installation,
    target: &'a Target,
}

/// Runs `ask` with a client of `target`.
fn asking<'a, F: Future<Output = Result<()>>>(
    target: &'a Target,
    ask: impl FnOnce(Client<'a>) -> F,
) -> Result<()> {
    let installation = Installation::new(&target.url, key(target)?)?;
    wait(ask(Client { installation, target }))?
}

/// `HOLDFAST_KEY`, or the key that a local installation keeps.
fn key(target: &Target) -> Result<String> {
    if let Some(key) = given_key() {
        return Ok(key);
    }
    // A key of this machine's installation is for this machine.
    let kept = if is_local(&target.url) { local::kept_key(&target.data_dir)? } else { None };
    let missing = || {
        Error::invalid(
            "set HOLDFAST_KEY to a key of the installation, or name the folder of a local one with --data-dir",
        )
    };
    Ok(kept.ok_or_else(missing)?)
}

impl Client<'_> {
    /// A path below `/v1`, of segments that may hold any character, with its query.
    fn path(&self, path: &[&str], query: &[(&str, &str)]) -> String {
        let segment = |segment: &&str| utf8_percent_encode(segment, NON_ALPHANUMERIC).to_string();
        let path: Vec<String> = path.iter().map(segment).collect();
        let mut pairs = Serializer::new(String::new());
        pairs.extend_pairs(query);
        pairs.extend_pairs(self.target.user.iter().map(|user| ("user_id", user)));
        format!("/v1/{}?{}", path.join("/"), pairs.finish())
    }

    /// Calls a path below `/v1`.
    async fn call(
        &self,
        method: Method,
        path: &[&str],
        query: &[(&str, &str)],
        body: Option<Said>,
    ) -> Result<Bytes> {
        // A POST that is sent again is the same POST.
        let once = (method == Method::POST).then(|| format!("{:032x}", rand::random::<u128>()));
        let body = body.map(|Said(members)| Value::Object(members).to_string());
        let call = Call {
            method,
            path: self.path(path, query),
            body: body.map(Bytes::from).unwrap_or_default(),
            once,
        };
        Ok(self.installation.patiently(&call, TRIES).await?)
    }

    async fn get(&self, path: &[&str], query: &[(&str, &str)]) -> Result<Bytes> {
        self.call(Method::GET, path, query, None).await
    }

    async fn post(&self, path: &[&str], body: Said) -> Result<Bytes> {
        self.call(Method::POST, path, &[], Some(body)).await
    }

    async fn patch(&self, path: &[&str], body: Said) -> Result<Bytes> {
        self.call(Method::PATCH, path, &[], Some(body)).await
    }

    async fn delete(&self, path: &[&str]) -> Result<()> {
        self.call(Method::DELETE, path, &[], None).await.map(drop)
    }

    /// The items of a list, page by page, and whether there are more.
    async fn list(
        &self,
        path: &[&str],
        query: &[(&str, &str)],
        length: &Length,
    ) -> Result<(Vec<Box<RawValue>>, bool)> {
        let most = if length.all { usize::MAX } else { length.limit as usize };
        let (mut items, mut cursor) = (Vec::new(), None::<String>);
        while items.len() < most {
            let limit = u32::try_from(most - items.len()).map_or(PAGE, |left| left.min(PAGE));
            let limit = limit.to_string();
            let mut query = query.to_vec();
            query.push(("limit", &limit));
            query.extend(cursor.as_deref().map(|cursor| ("cursor", cursor)));
            let page: Page = read(&self.get(path, &query).await?)?;
            items.extend(page.data);
            cursor = page.next_cursor;
            if cursor.is_none() {
                return Ok((items, false));
            }
        }
        Ok((items, true))
    }

    /// Shows a list: as JSON a line each, else as a table.
    fn show_list(
        &self,
        (items, more): &(Vec<Box<RawValue>>, bool),
        columns: &[show::Column],
    ) -> Result<()> {
        if self.target.json {
            items.iter().try_for_each(|item| show::line(item.get()))?;
        } else {
            let items = items.iter().map(|item| read(item.get().as_bytes()));
            let items: Vec<Value> = items.collect::<Result<_, Error>>()?;
            show::table(&items, columns)?;
        }
        if *more {
            eprintln!("There are more: raise --limit, or say --all.");
        }
        Ok(())
    }

    /// Shows one thing: as JSON, else its members a line each.
    fn show_one(&self, answer: &[u8]) -> Result<()> {
        let item: &RawValue = serde_json::from_slice(answer)?;
        if self.target.json { show::line(item.get()) } else { show::members(&read(answer)?) }
    }

    /// Says what was done, where a person reads.
    fn say(&self, what: &str) {
        if !self.target.json {
            println!("{what}");
        }
    }
}
