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

impl Route {
    /// The request of these arguments for this user; what is missing is noted in the body.
    pub(crate) fn asked(&self, known: &[&str], given: &mut Body<'_>, user: &str) -> Asked {
        let mut target = self.path.clone();
        let (mut query, mut headers, mut body) = (Vec::new(), BTreeMap::new(), Vec::new());
        for name in known.iter().filter(|name| **name != USER) {
            let hole = format!("{{{name}}}");
            if target.contains(&hole) {
                let id = given.string(name).unwrap_or_default();
                if id.is_empty() {
                    given.refuse(name, format!("{name} is missing"));
                }
                target = target.replace(&hole, &encoded(&id));
            } else if let Some(header) = self.headers.get(*name) {
                headers.extend(given.string(name).map(|value| (header.clone(), value)));
            } else if self.query.iter().any(|own| own == name) {
                query.extend(given.raw(name).map(|raw| format!("{name}={}", encoded(&plain(raw)))));
            } else {
                let raw = given.raw(name).or_else(|| given.is_null(name).then_some("null"));
                body.extend(raw.map(|raw| format!("{}:{raw}", json::quote(name))));
            }
        }
        target = target.replace("{user_id}", &encoded(user));
        if !query.is_empty() {
            let mark = if target.contains('?') { '&' } else { '?' };
            target = format!("{target}{mark}{}", query.join("&"));
        }
        let takes_body = matches!(self.method.as_str(), "POST" | "PATCH" | "PUT");
        let body = takes_body.then(|| format!("{{{}}}", body.join(",")));
        let (component, method) = (self.component.clone(), self.method.clone());
        Asked { component, method, target, headers, body }
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
