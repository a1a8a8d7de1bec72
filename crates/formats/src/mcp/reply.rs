//! Results, in the form of each revision.

use crate::json;
use crate::mcp::{HANDSHAKE, Message, Revision};
use serde_json::json;

/// Who answers.
#[derive(Debug, Clone, Copy)]
pub struct About {
    /// The server's version.
    pub version: &'static str,
}

/// How long, and for whom, a result may be kept by a client.
#[derive(Debug, Clone, Copy)]
pub enum Cache {
    /// For everybody, for an hour.
    Everybody,
    /// For this key, for five minutes.
    ThisKey,
    /// Not at all.
    Never,
}

/// A result that is being put together: members by name, each JSON text.
#[derive(Debug)]
pub struct Reply {
    members: Vec<(&'static str, String)>,
    cache: Option<Cache>,
}

const INSTRUCTIONS: &str = "Long-term memory of conversations. Before answering, call retrieve_context for what is \
    known; store every message with store_message; save what stays true with save_to_model_memory.";

impl About {
    fn server(self) -> String {
        json!({"name": "holdfast", "title": "Holdfast", "version": self.version}).to_string()
    }
}

impl Reply {
    /// An empty result.
    pub fn new() -> Self {
        Self { members: Vec::new(), cache: None }
    }

    /// With one more member, JSON text.
    #[must_use]
    pub fn with(mut self, name: &'static str, json: impl Into<String>) -> Self {
        self.members.push((name, json.into()));
        self
    }

    /// That clients may keep.
    #[must_use]
    pub fn cached(self, cache: Cache) -> Self {
        Self { cache: Some(cache), ..self }
    }

    /// The answer to `initialize`: the client's revision where it is spoken, else the newest of its generation.
    pub fn initialize(message: &Message<'_>, about: About) -> Self {
        let wanted = message.text("protocolVersion").unwrap_or_default();
        let spoken = HANDSHAKE.iter().find(|own| **own == wanted).unwrap_or(&HANDSHAKE[0]);
        Self::capable()
            .with("protocolVersion", json::quote(spoken))
            .with("serverInfo", about.server())
    }

    /// The answer to `server/discover`.
    pub fn discover() -> Self {
        Self::capable()
            .with("supportedVersions", json!(Revision::all()).to_string())
            .cached(Cache::Everybody)
    }

    fn capable() -> Self {
        let capabilities = json!({"tools": {}, "resources": {}});
        Self::new()
            .with("capabilities", capabilities.to_string())
            .with("instructions", json::quote(INSTRUCTIONS))
    }

    /// What a tool gave: the text for those who read text, and all of it.
    pub fn done(text: &str, structured: impl Into<String>) -> Self {
        Self::said(text, false).with("structuredContent", structured)
    }

    /// A tool that failed, with the problem.
    pub fn failed(problem: &str) -> Self {
        Self::said(problem, true)
    }

    fn said(text: &str, failed: bool) -> Self {
        let content = format!("[{{\"type\":\"text\",\"text\":{}}}]", json::quote(text));
        Self::new().with("content", content).with("isError", failed.to_string())
    }

    /// The response to the request `id`, which is JSON text.
    pub fn json(mut self, id: &str, revision: Revision, about: About) -> String {
        if revision == Revision::Stateless {
            let meta = format!("{{\"io.modelcontextprotocol/serverInfo\":{}}}", about.server());
            self = self.with("resultType", "\"complete\"").with("_meta", meta);
            if let Some(cache) = self.cache {
                let (milliseconds, scope) = match cache {
                    Cache::Everybody => (3_600_000, "public"),
                    Cache::ThisKey => (300_000, "private"),
                    Cache::Never => (0, "private"),
                };
                self = self
                    .with("ttlMs", milliseconds.to_string())
                    .with("cacheScope", json::quote(scope));
            }
        }
        let members = self.members.iter().map(|(name, json)| format!("\"{name}\":{json}"));
        let members = members.collect::<Vec<_>>().join(",");
        format!("{{\"jsonrpc\":\"2.0\",\"id\":{id},\"result\":{{{members}}}}}")
    }
}

impl Default for Reply {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mcp::STATELESS;
    use serde_json::Value;

    const ABOUT: About = About { version: "1.2.3" };

    fn json(reply: Reply, revision: Revision) -> Value {
        let value: Value = serde_json::from_str(&reply.json("7", revision, ABOUT)).unwrap();
        assert_eq!((&value["jsonrpc"], &value["id"]), (&json!("2.0"), &json!(7)));
        value["result"].clone()
    }

    #[test]
    fn results_of_the_stateless_revision_say_what_they_are_and_how_long_they_hold() {
        let told = json(Reply::discover(), Revision::Stateless);
        assert_eq!(told["resultType"], "complete");
        assert_eq!(told["supportedVersions"], json!([STATELESS, HANDSHAKE[0], HANDSHAKE[1]]));
        assert_eq!((&told["ttlMs"], &told["cacheScope"]), (&json!(3_600_000), &json!("public")));
        assert_eq!(told["_meta"]["io.modelcontextprotocol/serverInfo"]["version"], "1.2.3");
        let older = json(Reply::new().cached(Cache::Never), Revision::Handshake);
        assert_eq!(older, json!({}));
    }

    #[test]
    fn initialize_takes_the_clients_revision_or_offers_the_newest_with_a_handshake() {
        for (wanted, spoken) in [
            ("2025-06-18", "2025-06-18"),
            ("2025-11-25", "2025-11-25"),
            ("2024-11-05", "2025-11-25"),
            (STATELESS, "2025-11-25"),
        ] {
            let body = format!(
                r#"{{"jsonrpc":"2.0","id":7,"method":"initialize","params":{{"protocolVersion":"{wanted}"}}}}"#
            );
            let message = Message::read(body.as_bytes()).unwrap();
            let told = json(Reply::initialize(&message, ABOUT), Revision::Handshake);
            assert_eq!(told["protocolVersion"], spoken);
        }
    }

    #[test]
    fn what_a_tool_gave_is_text_and_structure() {
        let told = json(Reply::done("a \"b\"", r#"{"n":1}"#), Revision::Handshake);
        assert_eq!(told["content"], json!([{"type": "text", "text": "a \"b\""}]));
        assert_eq!(
            (&told["structuredContent"], &told["isError"]),
            (&json!({"n": 1}), &json!(false))
        );
        assert_eq!(json(Reply::failed("{}"), Revision::Handshake)["isError"], json!(true));
    }
}
