//! What the bucket is set to, told by its sub-resources: only an answer that is about the question is judged.
//!
//! Stores that do not know a sub-resource answer another question, as with a list of their objects: that is no "off".

use super::{Finding, bad, good, said, warn};
use crate::answer;
use bytes::Bytes;
use http::{Response, StatusCode};
use quick_xml::{Reader, events::Event};

/// What to do when the store does not tell.
pub(super) const CONSOLE: &str = "look it up in the store's console";

/// A sub-resource of the bucket that is looked at, and what its answer means.
pub(super) struct Aspect {
    pub name: &'static str,
    pub query: &'static str,
    /// The element that an answer to this question is.
    root: &'static str,
    /// The code of a 404 that says that nothing is set, where there is one.
    nothing: Option<&'static str>,
    /// What the elements of an answer say; `None` when they are not understood.
    judge: fn(&[Element]) -> Option<Finding>,
}

pub(super) const ASPECTS: &[Aspect] = &[
    Aspect {
        name: "versioning",
        query: "versioning",
        root: "VersioningConfiguration",
        nothing: None,
        judge: versioning,
    },
    Aspect {
        name: "object lock",
        query: "object-lock",
        root: "ObjectLockConfiguration",
        nothing: Some("ObjectLockConfigurationNotFoundError"),
        judge: object_lock,
    },
    Aspect {
        name: "lifecycle",
        query: "lifecycle",
        root: "LifecycleConfiguration",
        nothing: Some("NoSuchLifecycleConfiguration"),
        judge: lifecycle,
    },
];

impl Aspect {
    /// What an answer says.
    pub(super) fn finding(&self, answer: &Response<Bytes>) -> Finding {
        let elements = elements(answer.body()).unwrap_or_default();
        let root = elements.last().map_or("", |element| element.name.as_str());
        let (status, code) = (answer.status(), answer::error(answer.body()).code);
        let told = if status.is_success() && root == self.root {
            (self.judge)(&elements)
        } else if status == StatusCode::NOT_FOUND && self.nothing.is_some_and(|it| it == code) {
            (self.judge)(&[])
        } else {
            None
        };
        let other = status.is_success() && !root.is_empty() && root != self.root;
        let what = if other { shown(root) } else { said(answer) };
        told.unwrap_or_else(|| warn(self.name, format!("not told ({what})"), CONSOLE))
    }
}

/// A store's word, made safe to show.
pub(super) fn shown(word: &str) -> String {
    word.chars().filter(char::is_ascii_alphanumeric).take(60).collect()
}

/// An element without its namespace, and its text.
struct Element {
    name: String,
    text: String,
}

/// All elements in the order of their ends, so that the root is the last; `None` when the XML is not whole.
fn elements(body: &[u8]) -> Option<Vec<Element>> {
    let mut reader = Reader::from_reader(body);
    reader.config_mut().expand_empty_elements = true;
    let (mut open, mut text, mut buffer) = (0_usize, String::new(), Vec::new());
    let mut elements = Vec::new();
    loop {
        match reader.read_event_into(&mut buffer).ok()? {
            Event::Start(_) => {
                open += 1;
                text.clear();
            }
            Event::Text(part) => text.push_str(&part.unescape().ok()?),
            Event::End(end) => {
                open = open.checked_sub(1)?;
                let name = String::from_utf8(end.local_name().as_ref().to_vec()).ok()?;
                elements.push(Element { name, text: std::mem::take(&mut text).trim().to_owned() });
            }
            Event::Eof => return (open == 0).then_some(elements),
            _ => {}
        }
        buffer.clear();
    }
}

/// Text of the first element of this name.
fn text<'a>(elements: &'a [Element], name: &str) -> Option<&'a str> {
    elements.iter().find(|element| element.name == name).map(|element| element.text.as_str())
}

fn versioning(elements: &[Element]) -> Option<Finding> {
    const NAME: &str = "versioning";
    match text(elements, "Status").unwrap_or_default() {
        "Enabled" => Some(warn(
            NAME,
            "on: removed objects stay as old versions",
            "turn it off: what is removed stays billed; an erase removes the versions too",
        )),
        "Suspended" => Some(warn(
            NAME,
            "was on: old versions stay",
            "remove the old versions, or use a bucket that never had it: they stay billed; an erase removes those of its user",
        )),
        "" | "Disabled" => Some(good(NAME, "off")),
        _ => None,
    }
}

fn object_lock(elements: &[Element]) -> Option<Finding> {
    const NAME: &str = "object lock";
    match text(elements, "ObjectLockEnabled").unwrap_or_default() {
        "Enabled" => Some(warn(
            NAME,
            "on: nothing can be removed before its date",
            "use a bucket without it: an erase can only say in its receipt what stays, and until when",
        )),
        "" | "Disabled" => Some(good(NAME, "off")),
        _ => None,
    }
}

/// Rules that would remove our objects behind our back.
fn lifecycle(elements: &[Element]) -> Option<Finding> {
    let rules = elements.split_inclusive(|element| element.name == "Rule");
    Some(match rules.filter(|rule| is_harmful(rule)).count() {
        0 => good("lifecycle", "no rule touches our keys"),
        count => bad(
            "lifecycle",
            format!("{count} rules expire or move our objects"),
            "exclude the prefix v1/ from them: they delete memories",
        ),
    })
}

fn is_harmful(rule: &[Element]) -> bool {
    let has = |name| text(rule, name).is_some();
    text(rule, "Status") == Some("Enabled")
        && (has("Expiration") || has("Transition"))
        && reaches_us(text(rule, "Prefix").unwrap_or_default())
}

fn reaches_us(prefix: &str) -> bool {
    prefix.starts_with("v1/") || "v1/".starts_with(prefix)
}

#[cfg(test)]
mod tests {
    use super::super::Verdict;
    use super::*;

    fn judged(judge: fn(&[Element]) -> Option<Finding>, body: &str) -> Option<Finding> {
        judge(&elements(body.as_bytes()).unwrap())
    }

    #[test]
    fn a_rule_that_expires_our_keys_is_bad_and_one_for_other_keys_or_switched_off_is_not() {
        let rule = |prefix: &str, status: &str| {
            format!(
                "<Rule><Filter><Prefix>{prefix}</Prefix></Filter><Status>{status}</Status>\
                     <Expiration><Days>30</Days></Expiration></Rule>"
            )
        };
        let verdict = |rules: &str| {
            let body = format!("<LifecycleConfiguration>{rules}</LifecycleConfiguration>");
            judged(lifecycle, &body).unwrap().verdict
        };
        for prefix in ["", "v1/", "v1/t/acme/", "v"] {
            assert_eq!(verdict(&rule(prefix, "Enabled")), Verdict::Bad, "{prefix}");
        }
        assert_eq!(verdict(&rule("logs/", "Enabled")), Verdict::Good);
        assert_eq!(verdict(&rule("", "Disabled")), Verdict::Good);
        assert_eq!(verdict(""), Verdict::Good);
        // What one rule says is not taken for another's.
        let two = rule("logs/", "Enabled") + &rule("", "Disabled");
        assert_eq!(verdict(&two), Verdict::Good);
        let both = rule("logs/", "Enabled") + &rule("v1/", "Enabled");
        assert_eq!(verdict(&both), Verdict::Bad);
    }

    #[test]
    fn what_a_status_says_is_read_whatever_its_namespace_and_another_word_is_not_understood() {
        let found = |status: &str| {
            let body = format!(
                "<s:VersioningConfiguration xmlns:s=\"x\">{status}</s:VersioningConfiguration>"
            );
            judged(versioning, &body).map(|finding| finding.found)
        };
        assert_eq!(
            found("<s:Status>\n Enabled </s:Status>").unwrap().split(':').next(),
            Some("on")
        );
        assert_eq!(found("<s:Status/>").as_deref(), Some("off"));
        assert_eq!(found("<s:MfaDelete>Disabled</s:MfaDelete>").as_deref(), Some("off"));
        assert_eq!(found("<s:Status>Perhaps</s:Status>"), None);
    }

    #[test]
    fn a_body_that_is_cut_off_anywhere_has_no_elements() {
        const WHOLE: &str = "<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled></ObjectLockConfiguration>";
        assert_eq!(elements(WHOLE.as_bytes()).unwrap().len(), 2);
        for end in 1..WHOLE.len() {
            assert!(elements(&WHOLE.as_bytes()[..end]).is_none(), "{end}");
        }
    }
}
