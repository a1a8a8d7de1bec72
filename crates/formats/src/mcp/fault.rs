//! What is wrong with a message, as a JSON-RPC error: for the protocol only, a tool that fails says so in its result.

use crate::mcp::Revision;
use holdfast_core::Case;
use holdfast_core::error::REASONS;
use serde_json::{Value, json};

const PARSE: i32 = -32700;
const INVALID_REQUEST: i32 = -32600;
const METHOD_NOT_FOUND: i32 = -32601;
const INVALID_PARAMS: i32 = -32602;
const HEADER_MISMATCH: i32 = -32020;
const UNSUPPORTED_REVISION: i32 = -32022;

/// A JSON-RPC error.
#[derive(Debug, Clone, PartialEq)]
pub struct Fault {
    /// Its code.
    pub code: i32,
    /// What is wrong and what to do.
    pub message: String,
    /// More about it.
    pub data: Option<Value>,
}

impl Fault {
    fn new(code: i32, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), data: None }
    }

    /// The body is no JSON.
    pub fn parse(message: impl Into<String>) -> Self {
        Self::new(PARSE, message)
    }

    /// The body is JSON, and no request or notification.
    pub fn invalid_request(message: impl Into<String>) -> Self {
        Self::new(INVALID_REQUEST, message)
    }

    /// Nobody knows the method.
    pub fn no_method(method: &str) -> Self {
        Self::new(METHOD_NOT_FOUND, format!("there is no method {method}"))
    }

    /// The parameters break a rule.
    pub fn invalid_params(message: impl Into<String>) -> Self {
        Self::new(INVALID_PARAMS, message)
    }

    /// A header is missing or says something else than the body.
    pub fn header_mismatch(message: impl Into<String>) -> Self {
        Self::new(HEADER_MISMATCH, message)
    }

    /// A revision that is not spoken here.
    pub fn unsupported_revision(requested: &str, supported: &[&str]) -> Self {
        let data = json!({"supported": supported, "requested": requested});
        let message = format!("the protocol version {requested} is not spoken here");
        Self { data: Some(data), ..Self::new(UNSUPPORTED_REVISION, message) }
    }

    /// A resource that could not be read, from the problem that our own route answered.
    ///
    /// What is not there is -32602 since revision 2026-07-28 and -32002 before; all else has the code of its case.
    pub fn of_problem(revision: Revision, problem: &Value) -> Self {
        let text = |name: &str| problem.get(name).and_then(Value::as_str);
        let reason = text("code").unwrap_or_default();
        let row = REASONS.iter().find(|row| row.reason == reason);
        let code = match (row.map_or(Case::Internal, |row| row.case), revision) {
            (Case::NotFound, Revision::Stateless) => INVALID_PARAMS,
            (case, _) => case.mcp_code(),
        };
        let detail = text("detail").unwrap_or("the resource cannot be read");
        Self { data: Some(problem.clone()), ..Self::new(code, detail) }
    }

    /// HTTP status of the answer. Older revisions answer a well-formed request with 200 whatever becomes of it.
    pub fn status(&self, revision: Revision) -> u16 {
        match (self.code, revision) {
            (PARSE | INVALID_REQUEST | HEADER_MISMATCH | UNSUPPORTED_REVISION, _) => 400,
            (INVALID_PARAMS, Revision::Stateless) => 400,
            (METHOD_NOT_FOUND, Revision::Stateless) => 404,
            _ => 200,
        }
    }

    /// The response; `id` is JSON text.
    pub fn json(&self, id: &str) -> String {
        let mut error = json!({"code": self.code, "message": self.message});
        if let (Some(data), Some(error)) = (&self.data, error.as_object_mut()) {
            error.insert("data".to_owned(), data.clone());
        }
        format!("{{\"jsonrpc\":\"2.0\",\"id\":{id},\"error\":{error}}}")
    }
}
