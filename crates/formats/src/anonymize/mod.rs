//! Personal data replaced by stable placeholders: e-mail addresses, phones, cards, IBANs, IP addresses, secrets, and names
//! that are known from a profile.
//!
//! A placeholder is a MAC of what it stands for under a key of the export: the same value has the same placeholder in the
//! whole export, nothing has to be remembered for it, and two exports cannot be joined by them. All other text stays as it
//! is, to the byte. What is recognised, and what is not: `docs/training.md`.

mod emails;
mod iban;
mod names;
mod numbers;
mod secrets;

use crate::json;
use crate::training::Said;
use hmac::{Hmac, Mac};
use names::Names;
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use std::collections::BTreeMap;

/// What is replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Personal {
    /// A password, key or token.
    Secret,
    /// An e-mail address.
    Email,
    /// A bank account: right length for its country, and its check digits are right.
    Iban,
    /// A payment card: 13 to 19 digits whose check digit is right.
    Card,
    /// An IP address.
    Ip,
    /// A telephone number.
    Phone,
    /// A name that a profile knows.
    Name,
}

impl Personal {
    /// Name in placeholders.
    fn label(self) -> &'static str {
        match self {
            Personal::Secret => "SECRET",
            Personal::Email => "EMAIL",
            Personal::Iban => "IBAN",
            Personal::Card => "CARD",
            Personal::Ip => "IP",
            Personal::Phone => "PHONE",
            Personal::Name => "NAME",
        }
    }

    /// Name in counts.
    pub fn name(self) -> &'static str {
        match self {
            Personal::Secret => "secret",
            Personal::Email => "email",
            Personal::Iban => "iban",
            Personal::Card => "card",
            Personal::Ip => "ip",
            Personal::Phone => "phone",
            Personal::Name => "name",
        }
    }
}

/// Where something personal stands, and what it is whatever way it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Find {
    start: usize,
    end: usize,
    kind: Personal,
    same: String,
}

/// Replaces personal data.
pub struct Anonymizer {
    key: Vec<u8>,
    names: Names,
    /// What was replaced so far.
    pub replaced: BTreeMap<Personal, u64>,
}

impl Anonymizer {
    /// With a key of the export, and names that are known.
    pub fn new<'n>(key: &[u8], names: impl IntoIterator<Item = &'n str>) -> Self {
        Self { key: key.to_vec(), names: Names::new(names), replaced: BTreeMap::new() }
    }

    /// `text` with placeholders.
    pub fn text(&mut self, text: &str) -> String {
        let mut clean = text.to_owned();
        // What overlapped something graver may stand there still.
        loop {
            let finds = self.finds(&clean);
            if finds.is_empty() {
                return clean;
            }
            clean = self.replaced_in(&clean, finds);
        }
    }

    fn replaced_in(&mut self, text: &str, finds: Vec<Find>) -> String {
        let mut out = String::with_capacity(text.len());
        let mut done = 0;
        for find in finds {
            out.push_str(text.get(done..find.start).unwrap_or_default());
            out.push_str(&self.placeholder(find.kind, &find.same));
            *self.replaced.entry(find.kind).or_default() += 1;
            done = find.end;
        }
        out.push_str(text.get(done..).unwrap_or_default());
        out
    }

    /// `json`, which is JSON, with placeholders in its strings and in the names of its fields.
    pub fn json(&mut self, json: &str) -> String {
        let mut out = String::with_capacity(json.len());
        json::each_string(json, |between, string| {
            out.push_str(between);
            let Some(string) = string else { return };
            match json::string(string) {
                Some(text) => {
                    let clean = self.text(&text);
                    out.push_str(&if clean == text {
                        string.to_owned()
                    } else {
                        json::quote(&clean)
                    });
                }
                None => out.push_str(string),
            }
        });
        out
    }

    /// What is said, with placeholders in its text, name and calls. Ids stay: they name messages.
    pub fn said(&mut self, said: &mut Said) {
        said.text = self.text(&said.text);
        said.name = said.name.take().map(|name| self.speaker(&name));
        for call in &mut said.calls {
            call.arguments = self.json(&call.arguments);
        }
    }

    /// The placeholder of an id of a user or a session.
    pub fn id(&self, id: &str) -> String {
        self.placeholder(Personal::Name, &format!("id\n{id}"))
    }

    /// Display names are names, whether a profile knows them or not.
    fn speaker(&mut self, name: &str) -> String {
        *self.replaced.entry(Personal::Name).or_default() += 1;
        self.placeholder(Personal::Name, &names::same(name))
    }

    fn placeholder(&self, kind: Personal, same: &str) -> String {
        // A MAC of any length of key: this does not fail.
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&self.key) else { return String::new() };
        mac.update(kind.label().as_bytes());
        mac.update(b"\n");
        mac.update(same.as_bytes());
        let digest = mac.finalize().into_bytes();
        // Letters alone, so that no placeholder looks like a number or a key itself.
        let letters = digest.iter().take(8).map(|byte| char::from(b'A' + byte % 26));
        format!("[{}_{}]", kind.label(), letters.collect::<String>())
    }

    /// Everything personal, in order, nothing overlapping: of two that overlap the earlier kind of [`Personal`] stands.
    fn finds(&self, text: &str) -> Vec<Find> {
        let mut finds = secrets::find(text);
        for more in
            [emails::find(text), iban::find(text), numbers::find(text), self.names.find(text)]
        {
            finds.extend(more);
        }
        finds.sort_by_key(|find| (find.kind, find.start));
        let mut taken: BTreeMap<usize, Find> = BTreeMap::new();
        for find in finds {
            let before = taken.range(..find.end).next_back();
            if find.start < find.end && before.is_none_or(|(_, other)| other.end <= find.start) {
                taken.insert(find.start, find);
            }
        }
        taken.into_values().collect()
    }
}

/// Is the text free of letters and digits right before `at`?
fn begins(text: &str, at: usize) -> bool {
    let before = text.get(..at).and_then(|before| before.chars().next_back());
    !before.is_some_and(|c| c.is_alphanumeric() || c == '_')
}

/// And right after it?
fn ends(text: &str, at: usize) -> bool {
    let after = text.get(at..).and_then(|after| after.chars().next());
    !after.is_some_and(|c| c.is_alphanumeric() || c == '_')
}
