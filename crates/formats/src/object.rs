//! Reading an object field by field, noting everything that is wrong with it.

use crate::json;
use crate::limits::Limits;
use crate::problem::{Problem, below};
use holdfast_core::settings::nearest;
use serde_json::value::RawValue;

/// An object of a body that is being read.
pub(crate) struct Object<'a> {
    pointer: String,
    fields: Vec<(String, &'a RawValue)>,
    problems: Vec<Problem>,
}

impl<'a> Object<'a> {
    /// Opens a message: an object within the limits.
    pub fn message(pointer: &str, text: &'a str, limits: &Limits) -> Result<Self, Vec<Problem>> {
        if text.len() > limits.message_bytes {
            let detail = format!("the message has more than {} bytes", limits.message_bytes);
            return Err(vec![Problem::new(pointer, "too_large", detail)]);
        }
        if let Some((code, detail)) = json::fault(text, limits.json_depth) {
            return Err(vec![Problem::new(pointer, code, detail)]);
        }
        Self::open(pointer, text).map_err(|problem| vec![problem])
    }

    /// Opens an object whose text has no [`json::fault`].
    pub fn open(pointer: &str, text: &'a str) -> Result<Self, Problem> {
        let Some(fields) = json::fields(text) else {
            return Err(Problem::rule(pointer, "this must be an object"));
        };
        let mut object = Self { pointer: pointer.to_owned(), fields, problems: Vec::new() };
        object.refuse_duplicates();
        Ok(object)
    }

    fn refuse_duplicates(&mut self) {
        let mut names: Vec<&str> = self.fields.iter().map(|(name, _)| name.as_str()).collect();
        names.sort_unstable();
        let mut twice: Vec<String> = names
            .windows(2)
            .filter_map(|pair| match pair {
                [one, other] if one == other => Some((*one).to_owned()),
                _ => None,
            })
            .collect();
        twice.dedup();
        for name in twice {
            self.refuse(&name, "the field stands twice in its object: send it once");
        }
    }

    /// Where the object stands.
    pub fn pointer(&self) -> &str {
        &self.pointer
    }

    /// Notes that a field breaks a rule.
    pub fn refuse(&mut self, name: &str, detail: impl Into<String>) {
        self.problems.push(Problem::rule(below(&self.pointer, name), detail));
    }

    /// Notes problems found elsewhere.
    pub fn note(&mut self, problems: impl IntoIterator<Item = Problem>) {
        self.problems.extend(problems);
    }

    /// The field's JSON text, `null` included.
    pub fn raw(&self, name: &str) -> Option<&'a str> {
        self.fields.iter().find(|(field, _)| field == name).map(|(_, value)| value.get())
    }

    /// The field's JSON text; none when it is absent or `null`.
    pub fn value(&self, name: &str) -> Option<&'a str> {
        self.raw(name).filter(|text| *text != "null")
    }

    /// A string; anything else but `null` is noted.
    pub fn string(&mut self, name: &str) -> Option<String> {
        let text = json::string(self.value(name)?);
        if text.is_none() {
            self.refuse(name, format!("{name} must be a string"));
        }
        text
    }

    /// The text of an object; anything else but `null` is noted.
    pub fn object(&mut self, name: &str) -> Option<&'a str> {
        let text = self.value(name)?;
        if text.starts_with('{') {
            return Some(text);
        }
        self.refuse(name, format!("{name} must be an object"));
        None
    }

    /// The text of an array of objects; anything else but `null` is noted. None when it is empty.
    pub fn objects(&mut self, name: &str) -> Option<&'a str> {
        let text = self.value(name)?;
        match json::items(text) {
            Some(items) if items.iter().all(|item| item.get().starts_with('{')) => {
                (!items.is_empty()).then_some(text)
            }
            _ => {
                self.refuse(name, format!("{name} must be an array of objects"));
                None
            }
        }
    }

    /// A string or the text of an array of blocks.
    pub fn content(&mut self, name: &str, text: &'a str) -> Content<'a> {
        if text.starts_with('"') {
            return json::string(text).map_or(Content::None, |said| Content::Text(said, text));
        }
        let block = |item: &&RawValue| item.get().starts_with(['{', '"']);
        match json::items(text) {
            Some(items) if items.iter().all(block) => Content::Blocks(text),
            Some(_) => {
                self.refuse(name, "a block of content must be an object or a string");
                Content::None
            }
            None => {
                self.refuse(name, format!("{name} must be a string or an array of blocks"));
                Content::None
            }
        }
    }

    /// Notes every field that is not `known`, with the nearest that is.
    pub fn allow_only(&mut self, what: &str, known: &[&str]) {
        let unknown: Vec<_> =
            self.fields.iter().filter(|(name, _)| !known.contains(&name.as_str())).collect();
        let note = |(name, _): &(String, _)| {
            let nearest = nearest(name, known.iter().copied());
            let hint = nearest.map(|near| format!(": did you mean `{near}`?")).unwrap_or_default();
            let detail = format!("`{name}` is not a field of {what}{hint}");
            Problem::new(below(&self.pointer, name), "unknown_field", detail)
        };
        let problems: Vec<_> = unknown.into_iter().map(note).collect();
        self.problems.extend(problems);
    }

    /// Ends the reading.
    pub fn close(self) -> Result<(), Vec<Problem>> {
        if self.problems.is_empty() { Ok(()) } else { Err(self.problems) }
    }
}

/// What a message says.
pub(crate) enum Content<'a> {
    /// The decoded text, and its JSON.
    Text(String, &'a str),
    /// The JSON of its blocks.
    Blocks(&'a str),
    /// Nothing.
    None,
}

impl Content<'_> {
    /// `content` and `blocks` of a message.
    pub fn parts(&self) -> (Option<String>, Option<String>) {
        match self {
            Content::Text(text, _) => (Some(text.clone()), None),
            Content::Blocks(blocks) => (None, Some((*blocks).to_owned())),
            Content::None => (None, None),
        }
    }
}
