//! Against what we did not write: Hugging Face `datasets`, pandas, DuckDB, TRL and LangChain read what we write
//! (`tests/formats/training_sets.py`).
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod support;

use holdfast_core::message::{Message, Role};
use holdfast_formats::anonymize::Anonymizer;
use holdfast_formats::training::{
    Cutter, FileEntry, FileName, Format, Limits, Manifest, Report, Said, Shares, Split,
    TableWriter, Verdict, Verdicts, card, examples, file_name, memory_file, memory_name, rows,
    source_line, source_name,
};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

const SESSIONS: usize = 60;
const SHARES: Shares = Shares { validation: 200, test: 100 };

/// A session of every kind: with tools, blocks, names, odd turns and feedback; the later ones are shaped otherwise.
struct Session {
    id: String,
    tools: Option<&'static str>,
    messages: Vec<Message>,
    verdicts: Verdicts,
}

fn session(n: usize) -> Session {
    let say = |role, text: &str| Message::saying(role, text);
    let mut messages = vec![
        say(
            Role::User,
            &format!(
                "question {n}: naïve \"quotes\", {{x}}, \u{2028} and 日本語 🙂\nmail a{n}@b.example"
            ),
        ),
        say(Role::Assistant, &format!("answer {n} to a{n}@b.example")),
    ];
    if n.is_multiple_of(3) {
        messages.insert(0, say(Role::System, "be brief"));
    }
    if n % 4 == 1 {
        let args = format!(
            r#"[{{"id":"c{n}","name":"f{}","args":{{"k{}": [{n}, null]}}}}]"#,
            n % 5,
            n % 7
        );
        messages.push(say(Role::User, "look it up"));
        messages.push(Message {
            content: None,
            tool_calls: Some(args),
            ..say(Role::Assistant, "")
        });
        messages.push(Message { tool_call_id: Some(format!("c{n}")), ..say(Role::Tool, "found") });
        messages.push(say(Role::Assistant, "there it is"));
    }
    if n % 5 == 2 {
        let blocks = r#"[{"type":"text","text":"see"},{"type":"image_url","image_url":{"url":"https://x"}}]"#;
        messages.push(Message {
            content: None,
            blocks: Some(blocks.to_owned()),
            name: Some("Ann".to_owned()),
            ..say(Role::User, "")
        });
        messages.push(say(Role::Assistant, "None"));
    }
    let last = messages.len();
    let verdict = |good, correction: Option<&str>| Verdict {
        good,
        correction: correction.map(str::to_owned),
    };
    let mut verdicts = Verdicts::new();
    match n % 6 {
        0 => drop(verdicts.insert(format!("m{last}"), verdict(Some(true), None))),
        3 => {
            drop(verdicts.insert(format!("m{last}"), verdict(Some(false), Some("a better answer"))))
        }
        _ => {}
    }
    let tools = r#"[{"type":"function","function":{"name":"f","parameters":{"type":"object"}}}]"#;
    Session { id: format!("s{n}"), tools: (n % 4 == 1).then_some(tools), messages, verdicts }
}

/// More than ten megabytes of plain turns before the first call: `datasets` looks at ten to see what columns there are.
fn long_and_plain() -> Vec<Session> {
    let padding = "x".repeat(9_000);
    let plain = |n: usize| Session {
        id: format!("p{n}"),
        tools: None,
        messages: vec![
            Message::saying(Role::User, "q"),
            Message::saying(Role::Assistant, padding.clone()),
        ],
        verdicts: Verdicts::new(),
    };
    // The one that is shaped otherwise is the last of those that are learned from.
    let learned =
        |one: &Session| one.tools.is_some() && SHARES.of(7, "ann", &one.id) == Split::Train;
    (0..2_400).map(plain).chain((0..SESSIONS).map(session).find(learned)).collect()
}

#[derive(Default)]
struct Part {
    lines: String,
    sources: String,
    rows: Vec<holdfast_formats::training::Row>,
    examples: u64,
}

/// Writes an export of these sessions below `root` as an exporter would.
fn export(root: &Path, format: Format, sessions: &[Session], mut clean: Option<Anonymizer>) {
    let mut report = Report::default();
    let mut parts: BTreeMap<Split, Part> = BTreeMap::new();
    let mut files: Vec<(String, Vec<u8>, u64)> = Vec::new();
    for session in sessions {
        report.sessions += 1;
        let ids: Vec<String> = (1..=session.messages.len()).map(|n| format!("m{n}")).collect();
        let messages = support::listed(&ids, &session.messages);
        if format == Format::Langchain {
            let text = memory_file(messages, 16 << 20, &mut report).unwrap();
            files.push((memory_name("ann", &session.id), text.into_bytes(), 1));
            continue;
        }
        let part = parts.entry(SHARES.of(7, "ann", &session.id)).or_default();
        let mut cutter = Cutter::new(Limits::default(), "ann", &session.id, session.tools);
        let mut windows = Vec::new();
        for stored in &messages {
            if let Some(mut said) = Said::of(stored, true, &mut report) {
                clean.iter_mut().for_each(|clean| clean.said(&mut said));
                windows.extend(cutter.push(said, &mut report));
            }
        }
        windows.extend(cutter.finish());
        for window in windows {
            for example in examples(format, &window, &session.verdicts, &mut report) {
                part.lines.push_str(&example.line);
                part.lines.push('\n');
                part.sources.push_str(&source_line(&window, &example));
                part.sources.push('\n');
                part.examples += 1;
            }
            if format == Format::Parquet {
                let made = rows(&window, &session.verdicts, &mut report);
                part.examples += made.len() as u64;
                part.rows.extend(made);
            }
        }
    }
    let mut splits = BTreeMap::new();
    for (split, part) in parts.into_iter().filter(|(_, part)| part.examples > 0) {
        let name = file_name(format, FileName { split, part: 0, parts: 1 }).unwrap();
        splits.insert(split, part.examples);
        if format == Format::Parquet {
            let mut table = TableWriter::new().unwrap();
            part.rows.chunks(16).for_each(|rows| table.push(rows).unwrap());
            files.push((name, table.finish().unwrap(), part.examples));
        } else {
            files.push((source_name(&name), part.sources.into_bytes(), 0));
            files.push((name, part.lines.into_bytes(), part.examples));
        }
    }
    if format != Format::Langchain {
        let splits: Vec<(Split, u64)> =
            splits.iter().map(|(split, count)| (*split, *count)).collect();
        files.push(("README.md".to_owned(), card(format, "test", &splits).into_bytes(), 0));
    }
    for (name, bytes, _) in &files {
        let path = root.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }
    let entry = |(name, bytes, examples): &(String, Vec<u8>, u64)| FileEntry {
        name: name.clone(),
        bytes: bytes.len() as u64,
        sha256: hex::encode(Sha256::digest(bytes)),
        examples: *examples,
    };
    let replaced = clean.map(|clean| clean.replaced).unwrap_or_default();
    let manifest = Manifest {
        v: 1,
        export: "test".to_owned(),
        format,
        created_at: "2026-01-01T00:00:00.000Z".to_owned(),
        as_of: "2026-01-01T00:00:00.000Z".to_owned(),
        seed: 7,
        shares: SHARES,
        anonymized: !replaced.is_empty(),
        files: files.iter().map(entry).collect(),
        splits,
        report,
        replaced: replaced
            .into_iter()
            .map(|(kind, count)| (kind.name().to_owned(), count))
            .collect(),
    };
    std::fs::write(root.join("_MANIFEST.json"), serde_json::to_string(&manifest).unwrap()).unwrap();
}

fn python() -> PathBuf {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    std::env::var_os("HOLDFAST_TEST_PYTHON")
        .map_or_else(|| workspace.join("target/tools/venv/bin/python"), PathBuf::from)
}

#[test]
fn the_readers_of_each_format_read_every_example() {
    let root = Path::new(env!("CARGO_TARGET_TMPDIR")).join("training-sets");
    let _ = std::fs::remove_dir_all(&root);
    let sessions: Vec<Session> = (0..SESSIONS).map(session).collect();
    for format in Format::ALL {
        export(&root.join(format.name()), format, &sessions, None);
    }
    let clean = Anonymizer::new(b"of this export", ["Ann"]);
    export(&root.join("trl-sft-anonymized"), Format::TrlSft, &sessions, Some(clean));
    export(&root.join("trl-sft-long"), Format::TrlSft, &long_and_plain(), None);
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/formats/training_sets.py");
    let done = Command::new(python())
        .args(["-m", "pytest", "-q", "-rs", "-p", "no:cacheprovider"])
        .arg(script)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("HOLDFAST_TRAINING_SETS", &root)
        .output()
        .expect("Python is there: cargo xtask tools");
    let said = String::from_utf8_lossy(&done.stdout).into_owned();
    println!("{said}{}", String::from_utf8_lossy(&done.stderr));
    assert!(done.status.success(), "{said}\nThe libraries come with: cargo xtask tools");
    assert!(said.contains(" passed") && !said.contains("skipped"), "{said}");
}
