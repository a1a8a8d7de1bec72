//! Names of an export's files, and the lines beside the examples that say where they came from.

use super::{Example, Format, Split, Window};
use crate::json;
use crate::original::{ObjectText, array};

/// Which file of a split.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileName {
    /// The split.
    pub split: Split,
    /// From 0.
    pub part: u32,
    /// All parts of the split.
    pub parts: u32,
}

/// Name of a file of examples: what trainers look for, `data/train-00000-of-00001.parquet` or `train.jsonl`; of several
/// parts `train-00000-of-00002.jsonl`. None for LangChain's tree, which has a file a session.
pub fn file_name(format: Format, file: FileName) -> Option<String> {
    let FileName { split, part, parts } = file;
    let name = match (format, split) {
        (Format::Mlx, Split::Validation) => "valid",
        (_, split) => split.name(),
    };
    match format {
        Format::Langchain => None,
        Format::Parquet => Some(format!("data/{name}-{part:05}-of-{parts:05}.parquet")),
        _ if parts == 1 => Some(format!("{name}.jsonl")),
        _ => Some(format!("{name}-{part:05}-of-{parts:05}.jsonl")),
    }
}

/// Name of the file that says where the examples of `name` came from, line by line.
pub fn source_name(name: &str) -> String {
    format!("sources/{}", name.rsplit('/').next().unwrap_or(name))
}

/// The line of an example in that file.
pub fn source_line(window: &Window, example: &Example) -> String {
    let mut line = ObjectText::default();
    line.text("user_id", &window.user);
    line.text("session_id", &window.session);
    let ids = example.message_ids.iter().map(|id| json::quote(id));
    line.raw("message_ids", &array(ids));
    line.end()
}
