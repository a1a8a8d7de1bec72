//! A request's body that is one JSON object with known fields, read field by field.

use crate::json;
use crate::limits::Limits;
use crate::object::Object;
use crate::problem::Problems;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

/// The body, and what is wrong with it so far.
pub struct Body<'a>(Object<'a>);

impl<'a> Body<'a> {
    /// Opens a body whose fields are all `known`. An empty body is an empty object.
    ///
    /// # Errors
    /// `malformed_json`, `invalid_utf8`, `too_large`: what keeps it from being read at all.
    pub fn open(
        bytes: &'a [u8],
        limits: &Limits,
        what: &str,
        known: &[&str],
    ) -> holdfast_core::Result<Self> {
        let text = if bytes.is_empty() { "{}" } else { json::document(bytes, limits.batch_bytes)? };
        let mut object = Object::message("", text, limits).map_err(Problems)?;
        object.allow_only(what, known);
        Ok(Self(object))
    }

    /// Opens one item of a body, an object at `pointer` whose fields are all `known`.
    ///
    /// # Errors
    /// What keeps it from being read at all.
    pub fn at(
        pointer: &str,
        text: &'a str,
        limits: &Limits,
        what: &str,
        known: &[&str],
    ) -> Result<Self, Problems> {
        let mut object = Object::message(pointer, text, limits).map_err(Problems)?;
        object.allow_only(what, known);
        Ok(Self(object))
    }

    /// A field's JSON text; none when it is absent or `null`.
    pub fn raw(&self, name: &str) -> Option<&'a str> {
        self.0.value(name)
    }

    /// The field stands there as `null`.
    pub fn is_null(&self, name: &str) -> bool {
        self.0.raw(name) == Some("null")
    }

    /// The items of an array.
    pub fn items(&mut self, name: &str) -> Option<Vec<&'a RawValue>> {
        let items = json::items(self.0.value(name)?);
        if items.is_none() {
            self.0.refuse(name, format!("{name} must be an array"));
        }
        items
    }

    /// Notes problems found elsewhere.
    pub fn note(&mut self, problems: Problems) {
        self.0.note(problems.0);
    }

    /// Ends the reading.
    ///
    /// # Errors
    /// All that was wrong, each by itself.
    pub fn finish(self) -> Result<(), Problems> {
        self.0.close().map_err(Problems)
    }

    /// A string.
    pub fn string(&mut self, name: &str) -> Option<String> {
        self.0.string(name)
    }

    /// The JSON text of an object, of at most `most` bytes.
    pub fn object(&mut self, name: &str, most: usize) -> Option<String> {
        let text = self.0.object(name)?;
        if text.len() > most {
            self.0.refuse(name, format!("{name} has more than {most} bytes"));
        }
        Some(text.to_owned())
    }

    /// A list of strings.
    pub fn strings(&mut self, name: &str) -> Option<Vec<String>> {
        self.parsed(name, "a list of strings")
    }

    /// `true` or `false`; `default` when it is not there.
    pub fn flag(&mut self, name: &str, default: bool) -> bool {
        self.parsed(name, "true or false").unwrap_or(default)
    }

    /// A whole number from `least` to `most`.
    pub fn whole(&mut self, name: &str, least: u32, most: u32) -> Option<u32> {
        let rule = format!("a whole number from {least} to {most}");
        let number: u32 = self.parsed(name, &rule)?;
        if !(least..=most).contains(&number) {
            self.0.refuse(name, format!("{name} must be {rule}"));
        }
        Some(number)
    }

    /// A number from `least` to `most`.
    pub fn number(&mut self, name: &str, least: f32, most: f32) -> Option<f32> {
        let rule = format!("a number from {least} to {most}");
        let number: f32 = self.parsed(name, &rule)?;
        if !(least..=most).contains(&number) {
            self.0.refuse(name, format!("{name} must be {rule}"));
        }
        Some(number)
    }

    /// One of `choices`.
    pub fn choice<'c>(&mut self, name: &str, choices: &[&'c str]) -> Option<&'c str> {
        let text = self.0.string(name)?;
        let choice = choices.iter().find(|choice| **choice == text).copied();
        if choice.is_none() {
            self.0.refuse(name, format!("{name} must be one of {}", choices.join(", ")));
        }
        choice
    }

    /// Notes that a field breaks a rule.
    pub fn refuse(&mut self, name: &str, detail: impl Into<String>) {
        self.0.refuse(name, detail);
    }

    /// Ends the reading.
    ///
    /// # Errors
    /// All that was wrong.
    pub fn close(self) -> holdfast_core::Result<()> {
        Ok(self.0.close().map_err(Problems)?)
    }

    fn parsed<T: DeserializeOwned>(&mut self, name: &str, rule: &str) -> Option<T> {
        let parsed = serde_json::from_str(self.0.value(name)?).ok();
        if parsed.is_none() {
            self.0.refuse(name, format!("{name} must be {rule}"));
        }
        parsed
    }
}
