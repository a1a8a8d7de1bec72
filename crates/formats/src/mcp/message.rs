//! One JSON-RPC request or notification.

use crate::json;
use crate::mcp::Fault;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

/// A request, or without an id a notification.
#[derive(Debug, Clone, PartialEq)]
pub struct Message<'a> {
    /// JSON text of its id, a string or a whole number.
    pub id: Option<String>,
    /// The method.
    pub method: String,
    /// JSON text of its parameters, an object.
    pub params: &'a str,
    /// What stands in `_meta` of the parameters.
    pub meta: Option<Map<String, Value>>,
}

impl<'a> Message<'a> {
    /// Reads a body.
    ///
    /// # Errors
    /// What keeps it from being one message, with the JSON text of its id as far as that could be read.
    pub fn read(bytes: &'a [u8]) -> Result<Self, (Fault, String)> {
        let unread = |fault: Fault| (fault, "null".to_owned());
        let text: &'a RawValue = serde_json::from_slice(bytes)
            .map_err(|_| unread(Fault::parse("the body is not JSON")))?;
        if text.get().starts_with('[') {
            return Err(unread(Fault::invalid_request(
                "batches are not taken: send each by itself",
            )));
        }
        let fields = json::fields(text.get());
        let fields =
            fields.ok_or_else(|| unread(Fault::invalid_request("the body is not a message")))?;
        // Of a field that stands twice the last counts, as parsers take it.
        let field =
            |name: &str| fields.iter().rev().find(|(own, _)| own == name).map(|(_, raw)| raw.get());
        let id = field("id").map(str::to_owned);
        if id.as_deref().is_some_and(|id| !is_id(id)) {
            return Err(unread(Fault::invalid_request(
                "the id must be a string or a whole number",
            )));
        }
        Self::of(id.clone(), field).map_err(|fault| (fault, id.unwrap_or("null".to_owned())))
    }

    fn of(id: Option<String>, field: impl Fn(&str) -> Option<&'a str>) -> Result<Self, Fault> {
        if field("jsonrpc") != Some("\"2.0\"") {
            return Err(Fault::invalid_request("jsonrpc must be \"2.0\""));
        }
        let Some(method) = field("method").and_then(json::string) else {
            return Err(Fault::invalid_request(
                "the method must be a string; responses are not taken",
            ));
        };
        let params = field("params").unwrap_or("{}");
        if !params.starts_with('{') {
            return Err(Fault::invalid_params("params must be an object"));
        }
        let meta = json::field(params, "_meta").and_then(|meta| serde_json::from_str(meta).ok());
        Ok(Self { id, method, params, meta })
    }

    /// A parameter's JSON text.
    pub fn param(&self, name: &str) -> Option<&'a str> {
        json::field(self.params, name)
    }

    /// A parameter that is a string.
    pub fn text(&self, name: &str) -> Option<String> {
        self.param(name).and_then(json::string)
    }
}

fn is_id(text: &str) -> bool {
    matches!(serde_json::from_str(text), Ok(Value::String(_)))
        || serde_json::from_str::<i64>(text).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_keeps_its_id_and_parameters_as_they_came() {
        let body = br#"{"jsonrpc":"2.0","id":"a\u00e9","method":"m","params":{"n":1.0}}"#;
        let message = Message::read(body).unwrap();
        assert_eq!(message.id.as_deref(), Some(r#""a\u00e9""#));
        assert_eq!((message.method.as_str(), message.param("n")), ("m", Some("1.0")));
    }

    #[test]
    fn what_is_no_single_message_is_refused_with_the_id_it_has() {
        for (body, code, id) in [
            ("", -32700, "null"),
            ("{", -32700, "null"),
            ("[]", -32600, "null"),
            (r#"[{"jsonrpc":"2.0","id":1,"method":"ping"}]"#, -32600, "null"),
            ("3", -32600, "null"),
            (r#"{"jsonrpc":"1.0","id":1,"method":"ping"}"#, -32600, "1"),
            (r#"{"id":1,"method":"ping"}"#, -32600, "1"),
            (r#"{"jsonrpc":"2.0","id":null,"method":"ping"}"#, -32600, "null"),
            (r#"{"jsonrpc":"2.0","id":1.5,"method":"ping"}"#, -32600, "null"),
            (r#"{"jsonrpc":"2.0","id":{},"method":"ping"}"#, -32600, "null"),
            (r#"{"jsonrpc":"2.0","id":2,"method":3}"#, -32600, "2"),
            (r#"{"jsonrpc":"2.0","id":2,"result":{}}"#, -32600, "2"),
            (r#"{"jsonrpc":"2.0","id":2,"method":"m","params":[]}"#, -32602, "2"),
        ] {
            let (fault, told) = Message::read(body.as_bytes()).unwrap_err();
            assert_eq!((fault.code, told.as_str()), (code, id), "{body}");
        }
    }
}
