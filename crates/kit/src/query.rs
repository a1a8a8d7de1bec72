//! The query part of a URL: known parameters only, each once.

use holdfast_core::settings::nearest;
use holdfast_core::{Case, Error, Result};
use std::collections::BTreeMap;

/// Parameters by name.
#[derive(Debug, Default)]
pub struct Query(BTreeMap<String, String>);

impl Query {
    /// Reads a query.
    ///
    /// # Errors
    /// `invalid` when a parameter stands twice; `invalid_utf8` when it is not UTF-8.
    pub fn parse(text: &str) -> Result<Self> {
        if percent_encoding::percent_decode_str(text).decode_utf8().is_err() {
            return Err(Error::because(Case::Invalid, "invalid_utf8", "the query is not UTF-8"));
        }
        let mut found = BTreeMap::new();
        for (name, value) in form_urlencoded::parse(text.as_bytes()) {
            if found.insert(name.to_string(), value.into_owned()).is_some() {
                return Err(Error::invalid(format!("the parameter {name} stands twice")).at(name));
            }
        }
        Ok(Self(found))
    }

    /// Refuses every parameter that is not `known`.
    ///
    /// # Errors
    /// `unknown_field` that names the nearest known one.
    pub fn only(&self, known: &[&str]) -> Result<()> {
        let Some(unknown) = self.0.keys().find(|name| !known.contains(&name.as_str())) else {
            return Ok(());
        };
        let near = nearest(unknown, known.iter().copied());
        let hint = near.map(|near| format!("; did you mean {near}?")).unwrap_or_default();
        let detail = format!("the parameter {unknown} is not known{hint}");
        Err(Error::because(Case::Invalid, "unknown_field", detail).at(unknown))
    }

    /// The query's text with one parameter set anew.
    pub fn with(&self, name: &str, value: &str) -> String {
        let mut all = self.0.clone();
        all.insert(name.to_owned(), value.to_owned());
        form_urlencoded::Serializer::new(String::new()).extend_pairs(all).finish()
    }

    /// A parameter.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// A whole number from 1 to `most`, or `default`.
    ///
    /// # Errors
    /// `invalid` when it is none.
    pub fn number(&self, name: &str, default: u32, most: u32) -> Result<u32> {
        let Some(text) = self.get(name) else { return Ok(default) };
        text.parse().ok().filter(|number| (1..=most).contains(number)).ok_or_else(|| {
            Error::invalid(format!("{name} must be a whole number from 1 to {most}")).at(name)
        })
    }

    /// `true` or `false`; false when it is not there.
    ///
    /// # Errors
    /// `invalid` when it is something else.
    pub fn flag(&self, name: &str) -> Result<bool> {
        match self.get(name) {
            None | Some("false") => Ok(false),
            Some("true") => Ok(true),
            Some(_) => Err(Error::invalid(format!("{name} must be true or false")).at(name)),
        }
    }

    /// One of `choices`; the first when it is not there.
    ///
    /// # Errors
    /// `invalid` that lists them.
    pub fn choice<'a>(&self, name: &str, choices: &[&'a str]) -> Result<&'a str> {
        let first = choices.first().copied().unwrap_or_default();
        let Some(text) = self.get(name) else { return Ok(first) };
        choices.iter().find(|choice| **choice == text).copied().ok_or_else(|| {
            Error::invalid(format!("{name} must be one of {}", choices.join(", "))).at(name)
        })
    }
}
