//! The command line as a person and a program use it: the real program against a running host.

use holdfast_http_tests::{Running, by_words, fresh};
use holdfast_servers::{Host, HostSettings};
use serde_json::{Value, json};
use std::io::Write;
use std::process::{Output, Stdio};
use std::sync::Arc;

/// The program, asking a host for a user of its own.
struct Line {
    running: Arc<Running>,
    user: String,
}

impl Line {
    fn new() -> Self {
        Self { running: by_words(), user: fresh("ann") }
    }

    fn run(&self, arguments: &[&str], input: &str) -> Output {
        let settings =
            HostSettings { key: Some(self.running.host.key.clone()), ..HostSettings::default() };
        let mut command = Host::command(arguments[0], &arguments[1..], &settings);
        command.args(["--url", &self.running.host.url, "--user", &self.user]);
        piped(command, input)
    }

    fn text(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments, "");
        assert!(output.status.success(), "{arguments:?}: {}", said(&output.stderr));
        said(&output.stdout)
    }

    fn json(&self, arguments: &[&str]) -> Vec<Value> {
        let text = self.text(&[arguments, &["--json"]].concat());
        text.lines().map(|line| serde_json::from_str(line).expect("JSON a line")).collect()
    }

    /// Exit code and message of what is refused.
    fn refused(&self, arguments: &[&str]) -> (i32, String) {
        let output = self.run(arguments, "");
        (output.status.code().unwrap(), said(&output.stderr))
    }
}

fn piped(mut command: std::process::Command, input: &str) -> Output {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("start holdfast");
    child.stdin.take().expect("its input").write_all(input.as_bytes()).expect("write to it");
    child.wait_with_output().expect("its output")
}

fn said(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("UTF-8")
}

#[test]
fn a_conversation_is_stored_listed_found_and_deleted() {
    let line = Line::new();
    let (session, text) = ("trip / Lisbon ü", "We fly to Lisbon\n  on 3 May 👩‍👩‍👧");
    assert!(
        line.text(&["messages", "store", session, text, "--id", "m1"])
            .contains("stored: message m1")
    );
    // From the standard input, without the line break that a pipe ends with.
    let arguments = ["messages", "store", session, "-", "--role", "assistant", "--id", "m2"];
    let piped =
        line.run(&[&arguments[..], &["--metadata", "{\"n\": [1,\n 2]}"]].concat(), "Booked.\n");
    assert!(piped.status.success(), "{}", said(&piped.stderr));
    let messages = line.json(&["messages", "list", session]);
    assert_eq!(
        (&messages[0]["content"], &messages[1]["content"]),
        (&json!(text), &json!("Booked."))
    );
    assert_eq!(messages[1]["metadata"], json!({"n": [1, 2]}));
    let table = line.text(&["messages", "list", session]);
    assert!(table.contains("We fly to Lisbon on 3 May 👩‍👩‍👧"), "one line each: {table}");
    assert!(table.lines().next().unwrap().contains("CONTENT"), "{table}");
    assert!(line.text(&["messages", "show", session, "m1"]).contains("fly to Lisbon"));
    let sessions = line.json(&["sessions", "list"]);
    assert_eq!((&sessions[0]["id"], &sessions[0]["message_count"]), (&json!(session), &json!(2)));
    let found = line.json(&["search", "Lisbon", "--mode", "keyword", "--session", session]);
    assert_eq!(found[0]["message"]["id"], "m1");
    let context = line.text(&["context", "When?", "--session", session, "--why"]);
    assert!(context.contains("on 3 May") && context.contains("recent"), "{context}");
    let (code, message) = line.refused(&["messages", "delete", session, "m1"]);
    assert!(code == 2 && message.contains("--yes"), "{message}");
    assert_eq!(line.json(&["messages", "list", session]).len(), 2, "nobody agreed");
    line.text(&["messages", "delete", session, "m1", "--yes"]);
    assert_eq!(line.json(&["messages", "list", session]).len(), 1);
    line.text(&["sessions", "delete", session, "--yes"]);
    assert_eq!(line.refused(&["messages", "list", session]).0, 4);
}

#[test]
fn a_list_goes_over_pages_and_says_when_there_is_more() {
    let line = Line::new();
    for number in 0..5 {
        line.text(&["sessions", "create", &format!("s{number}"), "--name", "n", "--type", "t"]);
    }
    let output = line.run(&["sessions", "list", "--limit", "2", "--json"], "");
    assert_eq!(said(&output.stdout).lines().count(), 2);
    assert!(said(&output.stderr).contains("--all"));
    let output = line.run(&["sessions", "list", "--limit", "5"], "");
    assert_eq!((said(&output.stdout).lines().count(), said(&output.stderr).as_str()), (6, ""));
    assert_eq!(line.json(&["sessions", "list", "--all"]).len(), 5);
    line.text(&["sessions", "change", "s1", "--status", "archived", "--metadata", r#"{"a": 1}"#]);
    let filter = r#"{"metadata.a": {"eq": 1}}"#;
    let archived = line.json(&["sessions", "list", "--filters", filter]);
    assert_eq!((archived.len(), &archived[0]["status"]), (1, &json!("archived")));
    assert!(line.text(&["sessions", "statistics", "s1"]).contains("message_count"));
}

#[test]
fn memories_are_saved_changed_restored_and_deleted() {
    let line = Line::new();
    let saved = line.json(&["memories", "save", "Ann likes window seats.", "--importance", "0.8"]);
    let id = saved[0]["id"].as_str().unwrap();
    line.text(&[
        "memories",
        "change",
        id,
        "--text",
        "Ann likes aisle seats.",
        "--category",
        "travel",
    ]);
    let listed = line.json(&["memories", "list"]);
    assert_eq!(
        (&listed[0]["text"], &listed[0]["importance"]),
        (&json!("Ann likes aisle seats."), &json!(0.8))
    );
    assert!(line.text(&["memories", "list"]).contains("travel"));
    assert_eq!(line.json(&["memories", "history", id]).len(), 2);
    line.text(&["memories", "restore", id, "--version", "1"]);
    assert!(line.text(&["memories", "show", id]).contains("window seats"));
    assert!(line.text(&["memories", "profile", &line.user]).contains("window seats"));
    line.text(&["memories", "delete", id, "--yes"]);
    assert!(line.json(&["memories", "list"]).is_empty());
}

#[test]
fn what_was_stored_to_control_a_terminal_does_not() {
    let line = Line::new();
    line.text(&["messages", "store", "s", "a\u{1b}[2Jb\u{202e}c", "--id", "m"]);
    let shown = line.text(&["messages", "list", "s"]) + &line.text(&["messages", "show", "s", "m"]);
    assert!(!shown.contains('\u{1b}') && !shown.contains('\u{202e}'), "{shown}");
    assert_eq!(line.json(&["messages", "list", "s"])[0]["content"], "a\u{1b}[2Jb\u{202e}c");
}

#[test]
fn what_is_wrong_is_told_with_its_exit_code() {
    let line = Line::new();
    let (code, message) = line.refused(&["sessions", "show", "none"]);
    assert!(code == 4 && message.contains("there is no session none"), "{code} {message}");
    let (code, message) = line.refused(&["sessions", "list", "--filters", "{"]);
    assert!(code == 2 && message.contains("filter"), "{code} {message}");
    let (code, message) = line.refused(&["messages", "store", "s", "x", "--metadata", "{"]);
    assert!(code == 2 && message.contains("--metadata is not JSON"), "{code} {message}");
    let wrong = HostSettings { key: Some("hf_default.x.y".into()), ..HostSettings::default() };
    let url = line.running.host.url.as_str();
    let output =
        piped(Host::command("sessions", &["list", "--user", "a", "--url", url], &wrong), "");
    assert_eq!(output.status.code(), Some(3), "{}", said(&output.stderr));
}

#[test]
fn a_local_installation_is_asked_with_the_key_that_it_keeps_and_no_other_is() {
    let running = by_words();
    let folder = running.data_dir().to_str().unwrap();
    let list = |url: &str, folder: &str| {
        let arguments = ["list", "--user", "a", "--url", url, "--data-dir", folder];
        piped(Host::command("sessions", &arguments, &HostSettings::default()), "")
    };
    let output = list(&running.host.url, folder);
    assert!(output.status.success(), "{}", said(&output.stderr));
    for (url, folder) in [(running.host.url.as_str(), "/nowhere"), ("https://192.0.2.1", folder)] {
        let output = list(url, folder);
        assert_eq!(output.status.code(), Some(2));
        assert!(said(&output.stderr).contains("HOLDFAST_KEY"), "{}", said(&output.stderr));
    }
}

#[test]
fn a_training_set_is_exported_downloaded_and_gone_on_with() {
    let line = Line::new();
    for session in ["one", "two"] {
        line.text(&["messages", "store", session, "2+2?"]);
        line.text(&["messages", "store", session, "4", "--role", "assistant"]);
    }
    let folder = tempfile::tempdir().unwrap();
    let to = folder.path().join("set");
    let shown = line.json(&["export", "new", "trl-sft", "--to", to.to_str().unwrap()]);
    let (id, manifest) = (shown[0]["id"].as_str().unwrap(), &shown[0]["manifest"]);
    assert_eq!((&shown[0]["status"], &manifest["examples"]), (&json!("done"), &json!(2)));
    let kept: Value =
        serde_json::from_slice(&std::fs::read(to.join("_MANIFEST.json")).unwrap()).unwrap();
    assert_eq!(kept, *manifest);
    let train = std::fs::read_to_string(to.join("train.jsonl")).unwrap();
    assert_eq!(train.lines().count(), 2);
    // What broke off is fetched again, what is whole stays as it is.
    std::fs::write(to.join("train.jsonl"), &train[..9]).unwrap();
    let card = std::fs::metadata(to.join("README.md")).unwrap().modified().unwrap();
    assert!(
        line.text(&["exports", "get", id, "--to", to.to_str().unwrap()]).contains("2 examples")
    );
    assert_eq!(std::fs::read_to_string(to.join("train.jsonl")).unwrap(), train);
    assert_eq!(std::fs::metadata(to.join("README.md")).unwrap().modified().unwrap(), card);
    let listed = line.json(&["exports", "list", "--all"]);
    assert!(listed.iter().any(|one| one["id"] == id), "{listed:?}");
    let (code, message) = line.refused(&["exports", "cancel", id]);
    assert!(code == 5 && message.contains("done"), "{message}");
    assert_eq!(line.refused(&["exports", "new", "word"]).0, 2);
}

#[test]
fn an_attachment_goes_and_comes_back_to_the_byte() {
    let line = Line::new();
    line.text(&["sessions", "create", "trip"]);
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    // More than two parts, of every byte.
    let bytes: Vec<u8> =
        (0..9_000_001_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    std::fs::write(at("memory ü.db"), &bytes).unwrap();
    let put =
        ["attachments", "put", "trip", &at("memory ü.db"), "--type", "application/vnd.sqlite3"];
    let kept = &line.json(&put)[0];
    let sha256 = kept["sha256"].as_str().unwrap().to_owned();
    assert_eq!(
        (&kept["name"], &kept["size"], &kept["media_type"]),
        (&json!("memory ü.db"), &json!(9_000_001), &json!("application/vnd.sqlite3"))
    );
    let get = ["attachments", "get", "trip", "memory ü.db", "--to", &at("back.db")];
    assert!(line.text(&get).contains(&sha256));
    assert!(std::fs::read(at("back.db")).unwrap() == bytes, "the same bytes");
    assert!(!std::path::Path::new(&at("back.db.part")).exists());
    // To a program, and from one.
    let piped = line.run(&["attachments", "get", "trip", "memory ü.db", "--to", "-"], "");
    assert!(piped.status.success() && piped.stdout == bytes, "{}", said(&piped.stderr));
    let piped = line.run(&["attachments", "put", "trip", "-", "--name", "note.txt"], "a line\n");
    assert!(piped.status.success(), "{}", said(&piped.stderr));
    assert_eq!(
        line.run(&["attachments", "get", "trip", "note.txt", "--to", "-"], "").stdout,
        b"a line\n"
    );
    let listed = line.json(&["attachments", "list", "trip"]);
    assert_eq!((listed.len(), &listed[0]["sha256"]), (2, &json!(sha256)));
    let table = line.text(&["attachments", "list", "trip"]);
    assert!(table.contains("SHA-256") && table.contains("9000001"), "{table}");
    let (code, message) = line.refused(&["attachments", "delete", "trip", "note.txt"]);
    assert!(code == 2 && message.contains("--yes"), "{message}");
    line.text(&["attachments", "delete", "trip", "note.txt", "--yes"]);
    assert_eq!(line.json(&["attachments", "list", "trip"]).len(), 1);
}

#[test]
fn an_attachment_that_broke_off_goes_on_and_a_rest_of_another_is_fetched_anew() {
    let line = Line::new();
    line.text(&["sessions", "create", "trip"]);
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let bytes: Vec<u8> = (0..5_000_000_u32).map(|n| (n % 251) as u8).collect();
    std::fs::write(at("a"), &bytes).unwrap();
    line.text(&["attachments", "put", "trip", &at("a")]);
    let longer = [&bytes[..], b"more"].concat();
    for rest in [&bytes[..4_500_000], b"another", &bytes, &longer] {
        std::fs::write(at("back.part"), rest).unwrap();
        let shown = line.json(&["attachments", "get", "trip", "a", "--to", &at("back")]);
        assert_eq!(shown[0]["size"], json!(bytes.len()));
        assert!(std::fs::read(at("back")).unwrap() == bytes, "a rest of {} bytes", rest.len());
    }
}

#[test]
fn what_is_wrong_with_an_attachment_is_told_with_its_exit_code() {
    let line = Line::new();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a").to_str().unwrap().to_owned();
    std::fs::write(&file, "x").unwrap();
    let (code, message) = line.refused(&["attachments", "put", "none", &file]);
    assert!(code == 4 && message.contains("there is no session none"), "{code} {message}");
    line.text(&["sessions", "create", "s"]);
    let (code, message) = line.refused(&["attachments", "get", "s", "none", "--to", &file]);
    assert!(code == 4 && message.contains("none"), "{code} {message}");
    assert_eq!(std::fs::read(&file).unwrap(), b"x", "what was there stays");
    let (code, message) = line.refused(&["attachments", "put", "s", "-"]);
    assert!(code == 2 && message.contains("--name"), "{code} {message}");
    let (code, message) = line.refused(&["attachments", "put", "s", "/nowhere/at/all"]);
    assert!(code == 1 && message.contains("/nowhere/at/all"), "{code} {message}");
    assert_ne!(line.refused(&["attachments", "put", "s", &file, "--type", "no type"]).0, 0);
}

#[test]
fn every_command_shows_an_example_of_itself() {
    let help = |arguments: &[&str]| {
        let output = Host::command(arguments[0], &arguments[1..], &HostSettings::default());
        let output = { output }.output().unwrap();
        assert!(output.status.success(), "{}", said(&output.stderr));
        said(&output.stdout)
    };
    let all = help(&["help"]);
    let commands = all.lines().skip_while(|line| *line != "Commands:").skip(1);
    let commands: Vec<&str> = commands
        .take_while(|line| !line.is_empty())
        .filter_map(|line| line.split_whitespace().next())
        .collect();
    for name in ["sessions", "messages", "memories", "context", "search", "attachments", "exports"]
    {
        assert!(commands.contains(&name), "{name} is not among {commands:?}");
    }
    for command in commands.into_iter().filter(|name| !["help", "settings"].contains(name)) {
        let text = help(&[command, "--help"]);
        assert!(
            text.contains("Example") && text.contains(&format!("holdfast {command}")),
            "{text}"
        );
    }
}

#[test]
fn a_tenant_key_that_is_no_key_is_told_at_the_start() {
    let data = tempfile::tempdir().unwrap();
    let settings = HostSettings::default().with("tenant_key", "abc");
    let arguments = ["--listen", "127.0.0.1:0", "--data-dir", data.path().to_str().unwrap()];
    let said = Host::command("up", &arguments, &settings).output().unwrap();
    let text = String::from_utf8_lossy(&said.stderr).into_owned();
    assert_eq!(said.status.code(), Some(2), "{text}");
    assert!(text.contains("tenant_key must be 64 hex digits"), "{text}");
}
