//! The tools: `tools.json` is the one table, a row each. What a model sees of a tool, and which route it is.

use crate::body::Body;
use crate::limits::Limits;
use crate::mcp::route::{Asked, Route, USER};
use crate::mcp::{Fault, Message};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::sync::LazyLock;

/// A tool, as a client is told of it.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Tool {
    name: String,
    title: String,
    description: String,
    input_schema: Value,
    output_schema: Value,
    annotations: Annotations,
    #[serde(skip_serializing)]
    route: Route,
}

#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Annotations {
    read_only_hint: bool,
    destructive_hint: bool,
    idempotent_hint: bool,
    open_world_hint: bool,
}

/// The table; `tests` hold it to be whole.
static TOOLS: LazyLock<Vec<Tool>> =
    LazyLock::new(|| serde_json::from_str(include_str!("tools.json")).unwrap_or_default());

/// JSON text of the list of tools, in the order of the table.
pub fn tools(with_destructive: bool) -> String {
    let shown = TOOLS.iter().filter(|tool| with_destructive || !tool.annotations.destructive_hint);
    let shown = shown.map(|tool| serde_json::to_string(tool).unwrap_or_default());
    format!("[{}]", shown.collect::<Vec<_>>().join(","))
}

impl Tool {
    fn arguments(&self) -> Vec<&str> {
        let properties = self.input_schema.get("properties").and_then(Value::as_object);
        properties.map_or_else(Vec::new, |all| all.keys().map(String::as_str).collect())
    }

    fn required(&self) -> impl Iterator<Item = &str> {
        let required = self.input_schema.get("required").and_then(Value::as_array);
        required.into_iter().flatten().filter_map(Value::as_str)
    }
}

/// One call of a tool.
#[derive(Debug)]
pub struct ToolCall<'a> {
    tool: &'static Tool,
    arguments: &'a str,
}

impl<'a> ToolCall<'a> {
    /// Reads the parameters of `tools/call`.
    ///
    /// # Errors
    /// When there is no such tool, or the arguments are no object.
    pub fn read(message: &Message<'a>) -> Result<Self, Fault> {
        let name = message
            .text("name")
            .ok_or_else(|| Fault::invalid_params("params.name must be a string"))?;
        let tool = TOOLS.iter().find(|tool| tool.name == name);
        let tool = tool.ok_or_else(|| Fault::invalid_params(format!("there is no tool {name}")))?;
        let arguments = message.param("arguments").filter(|text| *text != "null").unwrap_or("{}");
        if !arguments.starts_with('{') {
            return Err(Fault::invalid_params("params.arguments must be an object"));
        }
        Ok(Self { tool, arguments })
    }

    /// Does it remove what does not come back?
    pub fn is_destructive(&self) -> bool {
        self.tool.annotations.destructive_hint
    }

    /// The user that the arguments name.
    pub fn user(&self) -> Option<String> {
        crate::json::field(self.arguments, USER).and_then(crate::json::string)
    }

    /// What is asked for `user`.
    ///
    /// # Errors
    /// `unknown_field`, `unprocessable`, `too_large`: what is wrong with the arguments.
    pub fn asked(&self, limits: &Limits, user: &str) -> holdfast_core::Result<Asked> {
        // A batch of messages is one argument: what limits one message is asked of each by the route itself.
        let limits = Limits { message_bytes: limits.batch_bytes, ..limits.clone() };
        let (known, name) = (self.tool.arguments(), &self.tool.name);
        let mut given = Body::at("", self.arguments, &limits, name, &known)?;
        for name in self.tool.required().filter(|name| !self.tool.route.path.contains(*name)) {
            if given.raw(name).is_none() {
                given.refuse(name, format!("{name} is missing"));
            }
        }
        given.string(USER);
        let asked = self.tool.route.asked(&known, &mut given, user);
        given.close()?;
        Ok(asked)
    }

    /// What a client without structured results is shown of an answer.
    pub fn shown(&self, answer: &str) -> String {
        let member = self.tool.route.text.as_deref();
        let text = member.and_then(|name| crate::json::field(answer, name));
        text.and_then(crate::json::string).unwrap_or_else(|| answer.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    /// What `tools/call` with these parameters is.
    fn read<T>(params: &str, of: impl FnOnce(Result<ToolCall<'_>, Fault>) -> T) -> T {
        let body = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{params}}}"#);
        of(ToolCall::read(&Message::read(body.as_bytes()).unwrap()))
    }

    fn call<T>(name: &str, arguments: &str, of: impl FnOnce(ToolCall<'_>) -> T) -> T {
        let params = format!(r#"{{"name":"{name}","arguments":{arguments}}}"#);
        read(&params, |call| of(call.unwrap()))
    }

    fn asked(name: &str, arguments: &str) -> Asked {
        call(name, arguments, |call| call.asked(&Limits::default(), "ann/1").unwrap())
    }

    #[test]
    fn every_row_of_the_table_is_whole() {
        let rows: Vec<Value> = serde_json::from_str(include_str!("tools.json")).unwrap();
        assert_eq!((TOOLS.len(), rows.len()), (11, 11));
        let names: BTreeSet<_> = TOOLS.iter().map(|tool| &tool.name).collect();
        assert_eq!(names.len(), TOOLS.len());
        for tool in TOOLS.iter() {
            let (known, route) = (tool.arguments(), &tool.route);
            assert!(tool.required().all(|name| known.contains(&name)), "{}", tool.name);
            let placed = route.query.iter().chain(route.headers.keys());
            assert!(placed.clone().all(|name| known.contains(&name.as_str())), "{}", tool.name);
            assert_eq!(tool.output_schema["type"], "object", "{}", tool.name);
            let reads = route.method == "GET" || tool.annotations.read_only_hint;
            assert_eq!(reads, tool.annotations.read_only_hint, "{}", tool.name);
            assert_eq!(
                route.method == "DELETE",
                tool.annotations.destructive_hint,
                "{}",
                tool.name
            );
            // Each argument has a place: without a body, in path, query or header.
            let bodiless = matches!(route.method.as_str(), "GET" | "DELETE");
            for name in known.iter().filter(|name| bodiless && **name != USER) {
                let in_path = route.path.contains(&format!("{{{name}}}"));
                assert!(in_path || placed.clone().any(|own| own == name), "{} {name}", tool.name);
            }
        }
    }

    #[test]
    fn arguments_go_into_path_query_header_and_body_as_they_came() {
        let made = asked(
            "store_message",
            r#"{"session_id":"a/b c","role":"user","content":"é","metadata":{"n":1.0},"idempotency_key":"k","user_id":"ann/1"}"#,
        );
        assert_eq!((made.component.as_str(), made.method.as_str()), ("store-message", "POST"));
        assert_eq!(made.target, "/v1/sessions/a%2Fb%20c/messages");
        assert_eq!(made.headers["idempotency-key"], "k");
        assert_eq!(
            made.body.as_deref(),
            Some(r#"{"content":"é","metadata":{"n":1.0},"role":"user"}"#)
        );
        let made = asked(
            "list_memories",
            r#"{"limit":5,"filters":{"category":{"eq":"a&b"}},"cursor":null}"#,
        );
        let filters = "%7B%22category%22%3A%7B%22eq%22%3A%22a%26b%22%7D%7D";
        assert_eq!(made.target, format!("/v1/memories?filters={filters}&limit=5"));
        assert_eq!(made.body, None);
        let made =
            asked("update_memory", r#"{"memory_id":"m","category":null,"if_match":"\"e\""}"#);
        assert_eq!(
            (made.target.as_str(), made.headers["if-match"].as_str()),
            ("/v1/memories/m", "\"e\"")
        );
        assert_eq!(made.body.as_deref(), Some(r#"{"category":null}"#));
        assert_eq!(asked("retrieve_user_info", "{}").target, "/v1/users/ann%2F1/profile");
        assert_eq!(
            asked("save_to_model_memory", r#"{"text":"t"}"#).body.as_deref(),
            Some(r#"{"text":"t"}"#)
        );
    }

    #[test]
    fn wrong_arguments_are_named() {
        for (name, arguments, word) in [
            ("get_session", "{}", "session_id"),
            ("get_session", r#"{"session_id":7}"#, "session_id"),
            ("get_session", r#"{"session_id":""}"#, "session_id"),
            ("get_session", r#"{"session_id":"a","sesion_id":"b"}"#, "sesion_id"),
            ("retrieve_context", "{}", "max_tokens"),
            ("list_sessions", r#"{"user_id":7}"#, "user_id"),
            ("update_memory", r#"{"memory_id":"m","if_match":7}"#, "if_match"),
        ] {
            let asked = |call: ToolCall<'_>| call.asked(&Limits::default(), "ann").unwrap_err();
            let error = call(name, arguments, asked);
            let told = format!("{} {:?}", error.detail, error.field);
            assert!(told.contains(word), "{name} {arguments}: {told}");
        }
    }

    #[test]
    fn tools_that_do_not_exist_and_arguments_that_are_no_object_are_faults() {
        for params in [
            r#"{"name":"erase_user","arguments":{}}"#,
            r#"{"name":"get_session","arguments":[]}"#,
            r#"{"name":7}"#,
            "{}",
        ] {
            let code = read(params, |call| call.unwrap_err().code);
            assert_eq!(code, -32602, "{params}");
        }
    }

    #[test]
    fn destructive_tools_are_shown_to_those_who_may_use_them() {
        assert!(tools(true).contains("\"delete_memory\""));
        assert!(
            !tools(false).contains("\"delete_memory\"")
                && tools(false).contains("\"store_message\"")
        );
        assert!(!tools(true).contains("\"route\""));
        assert!(call("delete_memory", "{}", |call| call.is_destructive()));
    }

    #[test]
    fn a_text_is_shown_where_an_answer_holds_one() {
        let answer = r#"{"context":"a\nb","tokens":2}"#;
        assert_eq!(call("retrieve_context", "{}", |call| call.shown(answer)), "a\nb");
        assert_eq!(call("get_session", "{}", |call| call.shown(answer)), answer);
    }
}
