//! Training sets: conversations as the lines that trainers read.
//!
//! The way of a session: each message is reduced to what a line can carry ([`Said`]), a [`Cutter`] bounds how much of the
//! session is held at once, and [`examples`] writes the lines of one [`Window`]. Nothing is lost in silence: what a format
//! cannot carry is left out and counted in the [`Report`] with its reason. Every example names the messages that it came
//! from. The exact lines and their readers: `docs/training.md`.

mod alpaca;
mod calls;
mod card;
mod chat;
mod files;
mod manifest;
mod mend;
mod openai;
mod rated;
mod report;
mod said;
mod sharegpt;
mod split;
mod table;
mod tree;
mod trl;
mod window;

pub use card::card;
pub use files::{FileName, file_name, source_line, source_name};
pub use manifest::{FileEntry, Manifest};
pub use rated::{Verdict, Verdicts};
pub use report::{LeftOut, Mended, Report};
pub use said::{Call, Said};
pub use split::{Shares, Split};
pub use table::{Row, TableWriter, rows};
pub use tree::{database_name, memory_file, memory_name};
pub use window::{Cutter, Limits, Window};

use serde::{Deserialize, Serialize};

/// What lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    /// OpenAI chat, supervised: `{"messages": […]}`; messages that were rated bad have weight 0.
    Openai,
    /// OpenAI preference: `{"input", "preferred_output", "non_preferred_output"}`, from feedback.
    OpenaiPreference,
    /// TRL conversational language modelling: `{"messages": […]}`.
    TrlSft,
    /// TRL prompt-completion: an example a turn.
    TrlPromptCompletion,
    /// TRL preference: `{"prompt", "chosen", "rejected"}`, from feedback.
    TrlPreference,
    /// TRL unpaired preference: `{"prompt", "completion", "label"}`, from feedback.
    TrlKto,
    /// ShareGPT as LLaMA-Factory reads it: strict alternation.
    Sharegpt,
    /// Alpaca with system and history.
    Alpaca,
    /// MLX: OpenAI's lines in `train.jsonl`, `valid.jsonl` and `test.jsonl`.
    Mlx,
    /// Hugging Face parquet with nested messages.
    Parquet,
    /// LangChain's tree: `storage/memory/<uuid>.json` and `storage/db/<uuid>.db`.
    Langchain,
}

impl Format {
    /// All formats.
    pub const ALL: [Format; 11] = [
        Format::Openai,
        Format::OpenaiPreference,
        Format::TrlSft,
        Format::TrlPromptCompletion,
        Format::TrlPreference,
        Format::TrlKto,
        Format::Sharegpt,
        Format::Alpaca,
        Format::Mlx,
        Format::Parquet,
        Format::Langchain,
    ];

    /// Name as requests and manifests spell it.
    pub fn name(self) -> &'static str {
        match self {
            Format::Openai => "openai",
            Format::OpenaiPreference => "openai-preference",
            Format::TrlSft => "trl-sft",
            Format::TrlPromptCompletion => "trl-prompt-completion",
            Format::TrlPreference => "trl-preference",
            Format::TrlKto => "trl-kto",
            Format::Sharegpt => "sharegpt",
            Format::Alpaca => "alpaca",
            Format::Mlx => "mlx",
            Format::Parquet => "parquet",
            Format::Langchain => "langchain",
        }
    }

    /// The format spelled `name`.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.name() == name)
    }

    /// Are its examples lines of JSON?
    pub fn is_lines(self) -> bool {
        !matches!(self, Format::Parquet | Format::Langchain)
    }

    /// Are its examples made of feedback?
    pub fn wants_feedback(self) -> bool {
        matches!(self, Format::OpenaiPreference | Format::TrlPreference | Format::TrlKto)
    }
}

/// One line of a training set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Example {
    /// JSON on one line, without its end.
    pub line: String,
    /// Ids of the messages that it came from, in their order.
    pub message_ids: Vec<String>,
}

/// The lines of a part of a session. None when it holds nothing to learn from, or when the format has no lines.
pub fn examples(
    format: Format,
    window: &Window,
    verdicts: &Verdicts,
    report: &mut Report,
) -> Vec<Example> {
    let made = match format {
        Format::Openai | Format::Mlx => openai::supervised(window, verdicts, report),
        Format::OpenaiPreference => openai::preferences(window, verdicts, report),
        Format::TrlSft => trl::supervised(window, verdicts, report),
        Format::TrlPromptCompletion => trl::completions(window, verdicts, report),
        Format::TrlPreference => trl::preferences(window, verdicts, report),
        Format::TrlKto => trl::labels(window, verdicts, report),
        Format::Sharegpt => sharegpt::conversations(window, verdicts, report),
        Format::Alpaca => alpaca::instructions(window, verdicts, report),
        Format::Parquet | Format::Langchain => Vec::new(),
    };
    report.examples += made.len() as u64;
    made
}

/// An example from something that has a JSON form, and the ids of what is in it.
fn example<'s>(line: &impl Serialize, said: impl IntoIterator<Item = &'s Said>) -> Option<Example> {
    let line = serde_json::to_string(line).ok()?;
    let mut message_ids: Vec<String> = Vec::new();
    for id in said.into_iter().flat_map(|said| &said.ids) {
        if !message_ids.contains(id) {
            message_ids.push(id.clone());
        }
    }
    Some(Example { line, message_ids })
}
