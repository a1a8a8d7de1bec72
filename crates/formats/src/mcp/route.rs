//! A request to one of our own routes, put together from named arguments.

use crate::body::Body;
use crate::json;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;

/// What is asked of which component.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// The component.
    pub component: String,
    /// HTTP method.
    pub method: String,
    /// Path and query.
    pub target: String,
    /// Headers by name, in lower case.
    pub headers: BTreeMap<String, String>,
    /// JSON text of the body.
    pub body: Option<String>,
}

/// A row of the table: what is asked, with `{name}` where an argument stands.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Route {
    pub component: String,
    pub method: String,
    pub path: String,
    /// Arguments that go into the query.
    #[serde(default)]
    pub query: Vec<String>,
    /// Headers by the argument that goes into them.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// The member of the answer that is shown as text; none is all of it.
    pub text: Option<String>,
}

/// The argument that names the user: it is the scope, and goes into no body.
pub(crate) const USER: &str = "user_id";

/// Where a request grows.
#[derive(Default)]
struct Parts {
    path: String,
    query: Vec<String>,
    headers: BTreeMap<String, String>,
    body: String,
}

impl Route {
    /// The request of these arguments for this user; what is missing is noted in the body.
    pub(crate) fn asked(&self, known: &[&str], given: &mut Body<'_>, user: &str) -> Asked {
        let mut parts = Parts { path: self.path.clone(), ..Parts::default() };
        for name in known.iter().filter(|name| **name != USER) {
            self.place(name, given, &mut parts);
        }
        let path = parts.path.replace("{user_id}", &encoded(user));
        let mark = if parts.query.is_empty() { "" } else { "?" };
        let takes_body = matches!(self.method.as_str(), "POST" | "PATCH");
        Asked {
            component: self.component.clone(),
            method: self.method.clone(),
            target: format!("{path}{mark}{}", parts.query.join("&")),
            headers: parts.headers,
            body: takes_body.then(|| {
                parts.body.insert(0, '{');
                parts.body + "}"
            }),
        }
    }

    /// Puts one argument where it belongs: into the path, a header, the query or, as it came, the body.
    fn place(&self, name: &str, given: &mut Body<'_>, parts: &mut Parts) {
        let hole = format!("{{{name}}}");
        if parts.path.contains(&hole) {
            let id = given.string(name).unwrap_or_default();
            if id.is_empty() {
                given.refuse(name, format!("{name} is missing"));
            }
            parts.path = parts.path.replace(&hole, &encoded(&id));
        } else if let Some(header) = self.headers.get(name) {
            parts.headers.extend(given.string(name).map(|value| (header.clone(), value)));
        } else if self.query.iter().any(|own| own == name) {
            let value = given.raw(name).map(|raw| format!("{name}={}", encoded(&plain(raw))));
            parts.query.extend(value);
        } else if let Some(raw) = given.raw(name).or(given.is_null(name).then_some("null")) {
            // One copy: a batch of messages is large.
            let comma = if parts.body.is_empty() { "" } else { "," };
            parts.body.extend([comma, &json::quote(name), ":", raw]);
        }
    }
}

/// A part of a path, or a value of a query.
pub(crate) fn encoded(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

/// JSON text as a query has it: strings without their quotes.
fn plain(raw: &str) -> String {
    match serde_json::from_str(raw) {
        Ok(Value::String(text)) => text,
        _ => raw.to_owned(),
    }
}
