//! The resources: what their URIs name, and what is asked of our own routes for each.

use crate::json;
use crate::mcp::Fault;
use crate::mcp::route::{Asked, encoded};
use percent_encoding::percent_decode_str;
use serde_json::json;
use std::collections::BTreeMap;

const SCHEME: &str = "memory://";
/// Newest messages of a session that its resource holds.
const MESSAGES: u32 = 200;

/// JSON text of the list of templates.
pub fn templates() -> String {
    let template = |uri: &str, name: &str, title: &str, description: String| {
        json!({"uriTemplate": uri, "name": name, "title": title, "description": description,
            "mimeType": "application/json"})
    };
    let session = format!(
        "A session and its newest {MESSAGES} messages, the newest first. The id is percent-encoded; \
         a service key names the user, here or in the header Holdfast-User."
    );
    let profile = "What is known about a user: memories, preferences, and both as text.";
    json!([
        template("memory://sessions/{session_id}{?user_id}", "session", "A conversation", session),
        template("memory://users/{user_id}/profile", "profile", "A user", profile.to_owned()),
    ])
    .to_string()
}

/// A resource that is to be read.
#[derive(Debug, PartialEq, Eq)]
pub struct Read {
    /// The user that its URI names.
    pub user: Option<String>,
    uri: String,
    what: What,
}

#[derive(Debug, PartialEq, Eq)]
enum What {
    Session(String),
    Profile,
}

impl Read {
    /// Reads the URI of `resources/read`.
    ///
    /// # Errors
    /// When it names nothing that there is here.
    pub fn of(uri: &str) -> Result<Self, Fault> {
        Self::parse(uri).ok_or_else(|| {
            let message = format!("{uri:?} is no resource: see resources/templates/list");
            Fault { data: Some(json!({"uri": uri})), ..Fault::invalid_params(message) }
        })
    }

    fn parse(uri: &str) -> Option<Self> {
        let (path, query) = uri.strip_prefix(SCHEME)?.split_once('?').unzip();
        let path = path.or_else(|| uri.strip_prefix(SCHEME))?;
        let named = match query {
            None => None,
            Some(query) => Some(decoded(query.strip_prefix("user_id=")?)?),
        };
        let (what, user) = match path.split('/').collect::<Vec<_>>().as_slice() {
            ["sessions", id] => (What::Session(decoded(id)?), named),
            ["users", user, "profile"] if named.is_none() => (What::Profile, Some(decoded(user)?)),
            _ => return None,
        };
        Some(Self { user, uri: uri.to_owned(), what })
    }

    /// What is asked for `user`, each with the URI of its answer.
    pub fn asked(&self, user: &str) -> Vec<(String, Asked)> {
        match &self.what {
            What::Profile => {
                let target = format!("/v1/users/{}/profile", encoded(user));
                vec![(self.uri.clone(), get("keep-memories", target))]
            }
            What::Session(id) => {
                let session = format!("/v1/sessions/{}", encoded(id));
                let messages = format!("{session}/messages?order=desc&limit={MESSAGES}");
                let below = format!("{SCHEME}sessions/{}/messages", encoded(id));
                vec![
                    (self.uri.clone(), get("manage-sessions", session)),
                    (below, get("store-message", messages)),
                ]
            }
        }
    }

    /// JSON text of one part of what was read.
    pub fn content(uri: &str, answer: &str) -> String {
        let (uri, text) = (json::quote(uri), json::quote(answer));
        format!("{{\"uri\":{uri},\"mimeType\":\"application/json\",\"text\":{text}}}")
    }
}

/// A part of a URI that is not empty.
fn decoded(part: &str) -> Option<String> {
    let text = percent_decode_str(part).decode_utf8().ok()?;
    (!text.is_empty()).then(|| text.into_owned())
}

fn get(component: &str, target: String) -> Asked {
    let (component, method) = (component.to_owned(), "GET".to_owned());
    Asked { component, method, target, headers: BTreeMap::new(), body: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uris_name_sessions_and_profiles_whatever_their_ids_hold() {
        let read = Read::of("memory://sessions/a%2Fb%3F?user_id=ann%40x").unwrap();
        assert_eq!(read.user.as_deref(), Some("ann@x"));
        let targets: Vec<_> = read.asked("ann@x").into_iter().map(|(_, a)| a.target).collect();
        let messages = "/v1/sessions/a%2Fb%3F/messages?order=desc&limit=200";
        assert_eq!(targets, ["/v1/sessions/a%2Fb%3F", messages]);
        let read = Read::of("memory://users/ann%2F1/profile").unwrap();
        assert_eq!(read.user.as_deref(), Some("ann/1"));
        assert_eq!(read.asked("ann/1")[0].1.target, "/v1/users/ann%2F1/profile");
    }

    #[test]
    fn other_uris_name_nothing() {
        for uri in [
            "",
            "memory://",
            "memory://sessions",
            "memory://sessions/",
            "memory://sessions/a/b",
            "memory://sessions/a?user=x",
            "memory://sessions/%ff",
            "memory://users/ann",
            "memory://users/ann/profile?user_id=bob",
            "file:///etc/passwd",
            "MEMORY://sessions/a",
        ] {
            assert_eq!(Read::of(uri).unwrap_err().code, -32602, "{uri}");
        }
    }
}
