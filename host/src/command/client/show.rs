//! Answers for people: tables and members. What others wrote moves no cursor and rings no bell.

use anyhow::Result;
use comfy_table::{ContentArrangement, Row, Table, presets};
use serde_json::Value;
use std::borrow::Cow;
use std::io::{IsTerminal, Write};

/// Lines that a cell of a table may have on a terminal.
const LINES: usize = 3;

/// A column: its name, and the pointer to its value.
pub type Column = (&'static str, &'static str);

/// JSON on one line: a line break in it can only stand between its tokens.
pub fn line(json: &str) -> Result<()> {
    put(&format!("{}\n", json.replace(['\n', '\r'], " ")))
}

/// A row for each item; on a terminal as wide as it is, else a line each.
pub fn table(items: &[Value], columns: &[Column]) -> Result<()> {
    if items.is_empty() {
        eprintln!("(none)");
        return Ok(());
    }
    let mut table = Table::new();
    table.load_preset(presets::NOTHING).set_header(columns.iter().map(|(name, _)| *name));
    let width = width();
    if let Some(width) = width {
        table.set_content_arrangement(ContentArrangement::Dynamic).set_width(width);
    }
    for item in items {
        let cell = |(_, pointer): &Column| {
            let text = item.pointer(pointer).map(text).unwrap_or_default();
            harmless(&text.split_whitespace().collect::<Vec<_>>().join(" ")).into_owned()
        };
        let mut row = Row::from(columns.iter().map(cell));
        if width.is_some() {
            row.max_height(LINES);
        }
        table.add_row(row);
    }
    put(&format!("{}\n", table.trim_fmt()))
}

/// The members of an object, a line each.
pub fn members(item: &Value) -> Result<()> {
    let Some(members) = item.as_object() else { return paragraph(&text(item)) };
    let widest = members.keys().map(String::len).max().unwrap_or_default();
    let lines = members.iter().map(|(name, value)| {
        let value = text(value).replace('\n', &format!("\n{:widest$}  ", ""));
        format!("{name:widest$}  {}\n", harmless(&value))
    });
    put(&lines.collect::<String>())
}

/// A text as it is, but for what would control the terminal.
pub fn paragraph(text: &str) -> Result<()> {
    put(&format!("{}\n", harmless(text).trim_end_matches('\n')))
}

/// A value as a person reads it: strings without quotes, content blocks as their texts.
fn text(value: &Value) -> Cow<'_, str> {
    match value {
        Value::Null => Cow::Borrowed(""),
        Value::String(text) => Cow::Borrowed(text),
        Value::Number(number) => match number.as_f64().filter(|_| number.is_f64()) {
            Some(number) => Cow::Owned(format!("{number:.3}")),
            None => Cow::Owned(number.to_string()),
        },
        Value::Array(blocks) => {
            let texts: Option<Vec<&str>> = blocks
                .iter()
                .map(|block| block.as_str().or_else(|| block.get("text").and_then(Value::as_str)))
                .collect();
            texts
                .map_or_else(|| Cow::Owned(value.to_string()), |texts| Cow::Owned(texts.join("\n")))
        }
        other => Cow::Owned(other.to_string()),
    }
}

/// Control characters but line breaks and tabs, and marks that turn the direction of text, as their escapes.
fn harmless(text: &str) -> Cow<'_, str> {
    let harmful = |c: char| {
        (c.is_control() && c != '\n' && c != '\t')
            || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    if !text.contains(harmful) {
        return Cow::Borrowed(text);
    }
    let escaped = |c: char| if harmful(c) { c.escape_unicode().to_string() } else { c.to_string() };
    Cow::Owned(text.chars().map(escaped).collect())
}

/// Columns of the terminal that is written to.
fn width() -> Option<u16> {
    let out = std::io::stdout();
    if !out.is_terminal() {
        return None;
    }
    terminal_size::terminal_size_of(&out).map(|(width, _)| width.0)
}

/// Writes; who closes the pipe early has seen enough.
fn put(text: &str) -> Result<()> {
    match std::io::stdout().write_all(text.as_bytes()) {
        Err(e) if e.kind() == std::io::ErrorKind::BrokenPipe => std::process::exit(0),
        done => Ok(done?),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_would_control_the_terminal_is_shown_and_not_done() {
        assert_eq!(harmless("a\u{1b}[2Jb\u{7}\u{202e}c\n\td"), "a\\u{1b}[2Jb\\u{7}\\u{202e}c\n\td");
        assert_eq!(harmless("naïve 日本語 👩‍👩‍👧"), "naïve 日本語 👩‍👩‍👧");
    }

    #[test]
    fn values_read_as_people_write_them() {
        let blocks = json!([{"type": "text", "text": "one"}, {"type": "text", "text": "two"}]);
        for (value, shown) in [
            (json!(null), ""),
            (json!("a \"b\""), "a \"b\""),
            (json!(7), "7"),
            (json!(0.49623), "0.496"),
            (blocks, "one\ntwo"),
            (json!([{"type": "image_url"}]), r#"[{"type":"image_url"}]"#),
            (json!({"n": 1}), r#"{"n":1}"#),
        ] {
            assert_eq!(text(&value), shown);
        }
    }
}
