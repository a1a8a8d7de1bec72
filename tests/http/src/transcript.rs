//! Transcripts: plain files of requests and the answers that every runtime must give.
//!
//! A file is steps between lines of `---`; lines that begin with `#` before a step's request are comments. A step is a request
//! (`METHOD path`, headers, an empty line, a body), a line `=> status` (or `=> 200|201`), expected headers, an empty line and
//! the expected body. In requests `{name}` stands for what was captured. In expected JSON, a text that is
//!
//! - `{name}` captures what is there, or must equal what was captured before
//! - `{_}` takes anything; `{#}` takes any number
//! - `{~0.5}` takes a number that differs by at most 0.0001
//!
//! and a member `"...": "..."` says that there may be others. `...` alone as the body takes any body.

use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::path::Path;

/// Scores may differ so much between runtimes: both sum the same numbers, by other instructions.
const TOLERANCE: f64 = 1e-4;

/// Plays transcripts against one runtime.
pub struct Player {
    http: reqwest::blocking::Client,
    url: String,
    key: String,
}

struct Step {
    method: String,
    path: String,
    headers: Vec<(String, String)>,
    body: String,
    statuses: Vec<u16>,
    expected_headers: Vec<(String, String)>,
    expected: String,
}

type Captured = BTreeMap<String, Value>;

impl Player {
    /// Plays against the server at `url`, with a service key.
    pub fn new(url: &str, key: &str) -> Self {
        Self { http: crate::client::plain(), url: url.to_owned(), key: key.to_owned() }
    }

    /// Plays a file as a user of its own; panics at the first answer that differs.
    pub fn play(&self, file: &Path) {
        let text = std::fs::read_to_string(file).expect("a transcript");
        let user = crate::fresh("transcript").replace(' ', "-");
        let mut captured = Captured::new();
        captured.insert("user".to_owned(), user.clone().into());
        for (number, part) in text.split("\n---\n").enumerate() {
            let place = format!("{} step {}", file.display(), number + 1);
            let step = parse(part).unwrap_or_else(|| panic!("{place}: not a step:\n{part}"));
            self.step(&step, &user, &mut captured, &place);
        }
    }

    fn step(&self, step: &Step, user: &str, captured: &mut Captured, place: &str) {
        let method = reqwest::Method::from_bytes(step.method.as_bytes()).expect("a method");
        let path = filled(&step.path, captured);
        let mut request = self.http.request(method, format!("{}{path}", self.url));
        let own =
            |name: &str| step.headers.iter().any(|(given, _)| given.eq_ignore_ascii_case(name));
        if !own("authorization") {
            request = request.header("Authorization", format!("Bearer {}", self.key));
        }
        if !own("holdfast-user") {
            request = request.header("Holdfast-User", user);
        }
        if !step.body.is_empty() && !own("content-type") {
            request = request.header("Content-Type", "application/json");
        }
        for (name, value) in &step.headers {
            request = request.header(name, filled(value, captured));
        }
        if !step.body.is_empty() {
            request = request.body(filled(&step.body, captured));
        }
        let answer = request.send().unwrap_or_else(|e| panic!("{place}: no answer: {e:?}"));
        let answer = crate::Answer::of(answer);
        let shown = format!("{place}: {} {path}\n{} {}", step.method, answer.status, answer.text);
        assert!(step.statuses.contains(&answer.status), "{:?} expected\n{shown}", step.statuses);
        for (name, wanted) in &step.expected_headers {
            let found = answer.header(name).unwrap_or_else(|| panic!("no header {name}\n{shown}"));
            let fits = matches(&wanted.as_str().into(), &found.into(), captured);
            fits.unwrap_or_else(|why| panic!("header {name}: {why}\n{shown}"));
        }
        match step.expected.as_str() {
            "..." => {}
            "" => assert!(answer.text.is_empty(), "no body expected\n{shown}"),
            text => {
                let wanted: Value =
                    serde_json::from_str(text).unwrap_or_else(|e| panic!("{place}: {e}"));
                matches(&wanted, &answer.json(), captured)
                    .unwrap_or_else(|why| panic!("{why}\nexpected {text}\n{shown}"));
            }
        }
    }
}

fn parse(part: &str) -> Option<Step> {
    let is_comment = |line: &&str| line.starts_with('#') || line.is_empty();
    let lines: Vec<&str> = part.lines().skip_while(is_comment).collect();
    let arrow = lines.iter().position(|line| line.starts_with("=> "))?;
    let (request, answer) = (lines.get(..arrow)?, lines.get(arrow + 1..)?);
    let (method, path) = request.first()?.split_once(' ')?;
    let (headers, body) = head_and_body(request.get(1..)?)?;
    let (expected_headers, expected) = head_and_body(answer)?;
    let statuses = lines.get(arrow)?.strip_prefix("=> ")?.split('|');
    Some(Step {
        method: method.to_owned(),
        path: path.to_owned(),
        headers,
        body,
        statuses: statuses.map(|status| status.trim().parse().ok()).collect::<Option<_>>()?,
        expected_headers,
        expected,
    })
}

type Head = Vec<(String, String)>;

fn head_and_body(lines: &[&str]) -> Option<(Head, String)> {
    let end = lines.iter().position(|line| line.is_empty()).unwrap_or(lines.len());
    let header = |line: &&str| {
        let (name, value) = line.split_once(':')?;
        Some((name.to_ascii_lowercase(), value.trim().to_owned()))
    };
    let head = lines.get(..end)?.iter().map(header).collect::<Option<_>>()?;
    let body = lines.get(end + 1..).unwrap_or_default().join("\n");
    Some((head, body.trim().to_owned()))
}

/// A request's text with what was captured; a number or text goes in as it is.
fn filled(text: &str, captured: &Captured) -> String {
    captured.iter().fold(text.to_owned(), |text, (name, value)| {
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        text.replace(&format!("{{{name}}}"), &value)
    })
}

/// Does what was found fit what is wanted? Captures on the way.
fn matches(wanted: &Value, found: &Value, captured: &mut Captured) -> Result<(), String> {
    match (wanted, found) {
        (Value::String(text), _) if placeholder(text).is_some() => {
            let name = placeholder(text).unwrap_or_default();
            held(name, found, captured)
        }
        (Value::Array(wanted), Value::Array(found)) => {
            if wanted.len() != found.len() {
                return Err(format!("{} items wanted, {} found", wanted.len(), found.len()));
            }
            let mut pairs = wanted.iter().zip(found).enumerate();
            pairs.try_for_each(|(at, (wanted, found))| {
                matches(wanted, found, captured).map_err(|why| format!("/{at}{why}"))
            })
        }
        (Value::Object(wanted), Value::Object(found)) => members(wanted, found, captured),
        _ if wanted == found => Ok(()),
        _ => Err(format!(": {wanted} wanted, {found} found")),
    }
}

fn members(
    wanted: &Map<String, Value>,
    found: &Map<String, Value>,
    captured: &mut Captured,
) -> Result<(), String> {
    if !wanted.contains_key("...") {
        let more = found.keys().find(|name| !wanted.contains_key(*name));
        more.map_or(Ok(()), |name| Err(format!(": {name} is not expected")))?;
    }
    for (name, wanted) in wanted.iter().filter(|(name, _)| *name != "...") {
        let found = found.get(name).ok_or_else(|| format!(": no {name}"))?;
        matches(wanted, found, captured).map_err(|why| format!("/{name}{why}"))?;
    }
    Ok(())
}

fn placeholder(text: &str) -> Option<&str> {
    text.strip_prefix('{')?.strip_suffix('}').filter(|name| !name.contains(['{', ' ', '"']))
}

fn held(name: &str, found: &Value, captured: &mut Captured) -> Result<(), String> {
    match (name, name.strip_prefix('~')) {
        ("_", _) => Ok(()),
        ("#", _) if found.is_number() => Ok(()),
        ("#", _) => Err(format!(": a number wanted, {found} found")),
        (_, Some(number)) => {
            let wanted: f64 = number.parse().map_err(|_| format!(": {number} is no number"))?;
            let near = found.as_f64().is_some_and(|found| (found - wanted).abs() <= TOLERANCE);
            if near { Ok(()) } else { Err(format!(": about {wanted} wanted, {found} found")) }
        }
        _ => match captured.get(name) {
            Some(known) if known == found => Ok(()),
            Some(known) => Err(format!(": {name} was {known}, and {found} is found")),
            None => {
                captured.insert(name.to_owned(), found.clone());
                Ok(())
            }
        },
    }
}

/// The transcripts that every runtime must play, by their files; those whose name begins with `meaning` need an embedder.
pub fn transcripts() -> Vec<std::path::PathBuf> {
    let folder = crate::root().join("tests/http/transcripts");
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .expect("the folder of transcripts")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "http"))
        .collect();
    files.sort();
    assert!(files.len() > 5, "transcripts are missing");
    files
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_differs_is_found() {
        let fits = |wanted: Value, found: Value| matches(&wanted, &found, &mut Captured::new());
        assert_eq!(fits(json!({"a": ["{x}", "{x}"]}), json!({"a": [1, 1]})), Ok(()));
        assert!(fits(json!({"a": ["{x}", "{x}"]}), json!({"a": [1, 2]})).is_err());
        assert!(fits(json!({"a": 1}), json!({"a": 1, "b": 2})).is_err());
        assert_eq!(fits(json!({"a": 1, "...": "..."}), json!({"a": 1, "b": 2})), Ok(()));
        assert!(fits(json!({"a": 1, "b": 2}), json!({"a": 1})).is_err());
        assert_eq!(fits(json!("{~0.5}"), json!(0.50005)), Ok(()));
        assert!(fits(json!("{~0.5}"), json!(0.501)).is_err());
        assert!(fits(json!("{#}"), json!("1")).is_err());
        assert!(fits(json!([1]), json!([1, 2])).is_err());
    }

    #[test]
    fn a_step_has_a_request_and_an_answer() {
        let text = "# why\nPOST /x\nA: b\n\n{\"a\":1}\n\n=> 200|201\nc: {d}\n\n{\"e\":2}\n";
        let step = parse(text).unwrap();
        assert_eq!((step.method.as_str(), step.path.as_str()), ("POST", "/x"));
        assert_eq!((step.body.as_str(), step.expected.as_str()), ("{\"a\":1}", "{\"e\":2}"));
        assert_eq!(step.statuses, [200, 201]);
        assert_eq!(step.headers, [("a".to_owned(), "b".to_owned())]);
        assert!(parse("POST /x").is_none());
    }
}
