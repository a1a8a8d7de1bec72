//! The dataset card (`README.md`): which files are which split, and what columns they have, so that `datasets` reads rows
//! of any shape as they are. (huggingface.co/docs/hub/datasets-manual-configuration)

use super::{FileName, Format, Split, file_name};

/// The card of an export with these splits and their numbers of examples.
pub fn card(format: Format, export: &str, splits: &[(Split, u64)]) -> String {
    let mut text = "---\nconfigs:\n- config_name: default\n  data_files:\n".to_owned();
    for (split, _) in splits {
        let path = pattern(format, *split);
        text.push_str(&format!("  - split: {}\n    path: \"{path}\"\n", split.name()));
    }
    text.push_str("dataset_info:\n  features:\n");
    for (name, kind) in columns(format) {
        text.push_str(&format!("  - name: {name}\n    {}\n", kind.replace('\n', "\n    ")));
    }
    let sources = match format {
        Format::Parquet => "the column `message_ids` names the messages that a row came from",
        _ => "`sources/` names, line by line, the messages that an example came from",
    };
    text.push_str(&format!(
        "---\n\n# {export}\n\nConversations in the format `{}`, exported by Holdfast. `_MANIFEST.json` says what \
         was taken, what was left out, and why;\n{sources}.\n\n",
        format.name()
    ));
    for (split, examples) in splits {
        text.push_str(&format!("- {}: {examples} examples\n", split.name()));
    }
    text
}

/// Files of a split, however many parts it has.
fn pattern(format: Format, split: Split) -> String {
    let one = file_name(format, FileName { split, part: 0, parts: 1 }).unwrap_or_default();
    one.replace("00000-of-00001", "*").replace(".jsonl", "*.jsonl")
}

/// Rows keep their own shape (`datasets` 4.7 and later).
const JSON: &str = "dtype: json";
const JSONS: &str = "list: json";
const TEXT: &str = "dtype: string";
const TEXTS: &str = "list: string";
const TURNS: &str = "list:\n- name: from\n  dtype: string\n- name: value\n  dtype: string";
const CHATS: &str = "list:\n- name: role\n  dtype: string\n- name: content\n  dtype: string
- name: name\n  dtype: string\n- name: tool_calls\n  list:\n  - name: id\n    dtype: string
  - name: type\n    dtype: string\n  - name: function\n    struct:\n    - name: name
      dtype: string\n    - name: arguments\n      dtype: string
- name: tool_call_id\n  dtype: string";

/// Columns with their types as `Features` of `datasets` writes them.
fn columns(format: Format) -> &'static [(&'static str, &'static str)] {
    match format {
        Format::Openai | Format::Mlx | Format::TrlSft => &[("messages", JSONS), ("tools", JSONS)],
        Format::OpenaiPreference => {
            &[("input", JSON), ("preferred_output", JSONS), ("non_preferred_output", JSONS)]
        }
        Format::TrlPromptCompletion => {
            &[("prompt", JSONS), ("completion", JSONS), ("tools", JSONS)]
        }
        Format::TrlPreference => {
            &[("prompt", JSONS), ("chosen", JSONS), ("rejected", JSONS), ("tools", JSONS)]
        }
        Format::TrlKto => {
            &[("prompt", JSONS), ("completion", JSONS), ("label", "dtype: bool"), ("tools", JSONS)]
        }
        Format::Sharegpt => &[("conversations", TURNS), ("system", TEXT), ("tools", TEXT)],
        Format::Alpaca => &[
            ("instruction", TEXT),
            ("input", TEXT),
            ("output", TEXT),
            ("system", TEXT),
            ("history", "list:\n  list: string"),
        ],
        Format::Parquet => &[
            ("user_id", TEXT),
            ("session_id", TEXT),
            ("messages", CHATS),
            ("message_ids", TEXTS),
            ("tools", TEXT),
        ],
        Format::Langchain => &[],
    }
}
