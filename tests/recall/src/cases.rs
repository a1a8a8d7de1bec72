//! The messages and questions of this folder.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use std::path::Path;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// One line of `messages.jsonl`.
#[derive(Debug, Clone, Deserialize)]
pub struct Message {
    /// Whose archive it is in.
    pub user: String,
    /// Its session.
    pub session: String,
    /// Its id.
    pub id: String,
    /// `user` or `assistant`.
    pub role: String,
    /// The speaker, where roles do not serve.
    pub name: Option<String>,
    /// Its text.
    pub content: String,
    /// When it was said, RFC 3339.
    pub event_time: String,
}

impl Message {
    /// Who speaks.
    pub fn speaker(&self) -> &str {
        self.name.as_deref().unwrap_or(&self.role)
    }

    /// When it was said, in Unix milliseconds.
    pub fn at(&self) -> Option<u64> {
        let time = OffsetDateTime::parse(&self.event_time, &Rfc3339).ok()?;
        u64::try_from(time.unix_timestamp_nanos() / 1_000_000).ok()
    }
}

/// One line of `questions.jsonl`.
#[derive(Debug, Clone, Deserialize)]
pub struct Asked {
    /// Its id.
    pub id: String,
    /// Whose archive is asked.
    pub user: String,
    /// What is asked.
    pub question: String,
    /// The messages that answer; none when nothing does.
    pub evidence: Vec<String>,
    /// What kinds of question it is.
    pub kind: Vec<String>,
}

/// Everything in this folder.
#[derive(Debug, Clone, Default)]
pub struct Cases {
    /// The archives by user, each in order.
    pub archives: BTreeMap<String, Vec<Message>>,
    /// The questions.
    pub questions: Vec<Asked>,
}

impl Cases {
    /// Reads `messages.jsonl` and `questions.jsonl` of a folder.
    ///
    /// # Errors
    /// What cannot be read, with its file and line.
    pub fn read(folder: &Path) -> Result<Self, String> {
        let mut archives: BTreeMap<String, Vec<Message>> = BTreeMap::new();
        for message in lines::<Message>(&folder.join("messages.jsonl"))? {
            archives.entry(message.user.clone()).or_default().push(message);
        }
        Ok(Self { archives, questions: lines(&folder.join("questions.jsonl"))? })
    }
}

fn lines<T: DeserializeOwned>(file: &Path) -> Result<Vec<T>, String> {
    let text = std::fs::read_to_string(file).map_err(|e| format!("{}: {e}", file.display()))?;
    let parse = |(number, line): (usize, &str)| {
        serde_json::from_str(line).map_err(|e| format!("{}:{}: {e}", file.display(), number + 1))
    };
    text.lines().enumerate().map(parse).collect()
}
