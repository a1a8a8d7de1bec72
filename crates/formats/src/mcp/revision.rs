//! Which revision of the protocol a message speaks, and whether headers and body agree about it.

use crate::mcp::{Fault, Message};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// The revision where each request says its revision itself.
pub const STATELESS: &str = "2026-07-28";
/// Revisions that begin with `initialize`, the newest first.
pub const HANDSHAKE: [&str; 2] = ["2025-11-25", "2025-06-18"];
const ALL: [&str; 3] = [STATELESS, HANDSHAKE[0], HANDSHAKE[1]];

const VERSION: &str = "io.modelcontextprotocol/protocolVersion";
const CAPABILITIES: &str = "io.modelcontextprotocol/clientCapabilities";

/// The generation of the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Revision {
    /// 2026-07-28.
    Stateless,
    /// 2025-11-25 and 2025-06-18.
    Handshake,
}

/// A header by name: none when it is not there, an error when it stands twice or is not text.
type Header<'a> = &'a dyn Fn(&str) -> holdfast_core::Result<Option<String>>;

impl Revision {
    /// The revision of a message. One that says its revision in `_meta` or in the header is held to the rules of
    /// 2026-07-28; any other is of an older client.
    ///
    /// # Errors
    /// Of the revision that the answer is to be in: -32602, -32020 or -32022.
    pub fn of(message: &Message<'_>, header: Header<'_>) -> Result<Self, (Fault, Self)> {
        let named = header("mcp-protocol-version");
        let in_meta = message.meta.as_ref().is_some_and(|meta| meta.contains_key(VERSION));
        let stateless = in_meta
            || message.method == "server/discover"
            || matches!(&named, Ok(Some(named)) if named == STATELESS);
        if !stateless {
            return older(message, named).map_err(|fault| (fault, Self::Handshake));
        }
        let checked = match message.id {
            Some(_) => check(message, header),
            // Nothing is asked of a notification but that it comes in a revision which is spoken.
            None => Ok(()),
        };
        checked.map(|()| Self::Stateless).map_err(|fault| (fault, Self::Stateless))
    }

    /// What is spoken, the newest first.
    pub fn all() -> &'static [&'static str] {
        &ALL
    }
}

fn older(
    message: &Message<'_>,
    named: holdfast_core::Result<Option<String>>,
) -> Result<Revision, Fault> {
    let named = named.map_err(|e| Fault::header_mismatch(e.detail))?;
    match named {
        // Whatever the client sent before it knew: `initialize` says it anew.
        Some(named) if message.method != "initialize" && !HANDSHAKE.contains(&named.as_str()) => {
            Err(Fault::unsupported_revision(&named, &ALL))
        }
        _ => Ok(Revision::Handshake),
    }
}

/// The rules of 2026-07-28, in the order of the specification's own implementation.
fn check(message: &Message<'_>, header: Header<'_>) -> Result<(), Fault> {
    let meta = message.meta.as_ref();
    let said = |key: &str| meta.and_then(|meta| meta.get(key));
    let missing = |key: &str| Fault::invalid_params(format!("params._meta lacks {key}"));
    let version = said(VERSION).ok_or_else(|| missing(VERSION))?;
    let version = version.as_str();
    let version = version.ok_or_else(|| {
        Fault::invalid_params(format!("params._meta: {VERSION} must be a string"))
    })?;
    said(CAPABILITIES).filter(|value| value.is_object()).ok_or_else(|| missing(CAPABILITIES))?;
    agree(header, "MCP-Protocol-Version", version)?;
    agree(header, "Mcp-Method", &message.method)?;
    let name = match message.method.as_str() {
        "tools/call" | "prompts/get" => message.text("name"),
        "resources/read" => message.text("uri"),
        _ => None,
    };
    if let Some(name) = name {
        agree(header, "Mcp-Name", &name)?;
    }
    if version == STATELESS { Ok(()) } else { Err(Fault::unsupported_revision(version, &ALL)) }
}

fn agree(header: Header<'_>, name: &str, body: &str) -> Result<(), Fault> {
    let value = header(&name.to_ascii_lowercase()).map_err(|e| Fault::header_mismatch(e.detail))?;
    let value = value.ok_or_else(|| {
        Fault::header_mismatch(format!("the header {name} is missing: it must be {body:?}"))
    })?;
    let value = match name {
        "Mcp-Name" => decoded(&value),
        _ => Some(value),
    };
    match value {
        Some(value) if value == body => Ok(()),
        Some(value) => Err(Fault::header_mismatch(format!(
            "the header {name} says {value:?}, and the body {body:?}"
        ))),
        None => Err(Fault::header_mismatch(format!("the header {name} is no Base64 of UTF-8"))),
    }
}

/// The value of a header that may be wrapped as `=?base64?…?=`.
fn decoded(value: &str) -> Option<String> {
    let wrapped = value.strip_prefix("=?base64?").and_then(|rest| rest.strip_suffix("?="));
    match wrapped {
        None => Some(value.to_owned()),
        Some(text) => String::from_utf8(STANDARD.decode(text).ok()?).ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const META: &str = r#"{"io.modelcontextprotocol/protocolVersion":"2026-07-28",
        "io.modelcontextprotocol/clientInfo":{"name":"ExampleClient","version":"1.0.0"},
        "io.modelcontextprotocol/clientCapabilities":{}}"#;

    fn told(method: &str, params: &str, headers: &[(&str, &str)]) -> Result<Revision, i32> {
        let body = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{method}","params":{params}}}"#);
        let message = Message::read(body.as_bytes()).unwrap();
        let header = |name: &str| {
            let found = headers.iter().find(|(own, _)| own.eq_ignore_ascii_case(name));
            Ok(found.map(|(_, value)| (*value).to_owned()))
        };
        Revision::of(&message, &header).map_err(|(fault, _)| fault.code)
    }

    const VERSIONED: (&str, &str) = ("MCP-Protocol-Version", "2026-07-28");

    #[test]
    fn headers_of_the_specifications_examples_pass() {
        let params = format!(r#"{{"name":"get_weather","arguments":{{}},"_meta":{META}}}"#);
        let (method, name) = (("Mcp-Method", "tools/call"), ("Mcp-Name", "get_weather"));
        assert_eq!(
            told("tools/call", &params, &[VERSIONED, method, name]),
            Ok(Revision::Stateless)
        );
        let params = format!(r#"{{"uri":"Hello, 世界","_meta":{META}}}"#);
        let method = ("Mcp-Method", "resources/read");
        let name = ("mcp-name", "=?base64?SGVsbG8sIOS4lueVjA==?=");
        let read = told("resources/read", &params, &[VERSIONED, method, name]);
        assert_eq!(read, Ok(Revision::Stateless));
    }

    #[test]
    fn a_header_that_is_missing_or_differs_is_a_mismatch() {
        let params = format!(r#"{{"name":"bar","_meta":{META}}}"#);
        let (method, name) = (("Mcp-Method", "tools/call"), ("Mcp-Name", "bar"));
        for headers in [
            vec![],
            vec![VERSIONED],
            vec![VERSIONED, method],
            vec![method, name],
            vec![VERSIONED, method, ("Mcp-Name", "foo")],
            vec![VERSIONED, method, ("Mcp-Name", "BAR")],
            vec![VERSIONED, method, ("Mcp-Name", "=?base64?!?=")],
            vec![VERSIONED, ("Mcp-Method", "tools/list"), name],
            vec![("MCP-Protocol-Version", "2025-11-25"), method, name],
        ] {
            assert_eq!(told("tools/call", &params, &headers), Err(-32020), "{headers:?}");
        }
    }

    #[test]
    fn a_request_of_the_revision_says_it_in_meta() {
        let method = ("Mcp-Method", "tools/list");
        for meta in [
            "{}",
            r#"{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}"#,
            r#"{"io.modelcontextprotocol/clientCapabilities":{}}"#,
            r#"{"io.modelcontextprotocol/protocolVersion":3,
                "io.modelcontextprotocol/clientCapabilities":{}}"#,
        ] {
            let params = format!(r#"{{"_meta":{meta}}}"#);
            assert_eq!(told("tools/list", &params, &[VERSIONED, method]), Err(-32602), "{meta}");
        }
        assert_eq!(told("server/discover", "{}", &[]), Err(-32602));
    }

    #[test]
    fn a_revision_that_nobody_speaks_is_refused_by_name() {
        let meta = META.replace("2026-07-28", "1900-01-01");
        let headers = [("MCP-Protocol-Version", "1900-01-01"), ("Mcp-Method", "tools/list")];
        let params = format!(r#"{{"_meta":{meta}}}"#);
        assert_eq!(told("tools/list", &params, &headers), Err(-32022));
        assert_eq!(told("tools/list", "{}", &headers[..1]), Err(-32022));
    }

    #[test]
    fn older_clients_need_no_header_and_may_name_their_revision() {
        for headers in [vec![], vec![("MCP-Protocol-Version", "2025-06-18")]] {
            assert_eq!(told("tools/list", "{}", &headers), Ok(Revision::Handshake));
        }
        let odd = [("MCP-Protocol-Version", "2024-11-05")];
        assert_eq!(told("initialize", "{}", &odd), Ok(Revision::Handshake));
    }
}
