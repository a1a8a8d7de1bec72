//! Who may ask: web pages by their origin, clients by their key, and where a client reads how it gets one (RFC 9728).

use holdfast_core::access::Caller;
use holdfast_core::record::WriterKind;
use holdfast_core::{Error, Result};
use holdfast_kit::{Answer, Call, problem};
use serde_json::json;

/// Path of the metadata; the resource's own path may follow it.
pub const METADATA: [&str; 2] = [".well-known", "oauth-protected-resource"];

/// Refuses requests of web pages that the operator has not named. That a page has the name it speaks to proves nothing:
/// a name can be made to lead here.
pub fn check_origin(call: &Call) -> Result<()> {
    let Some(origin) = call.header("origin")? else { return Ok(()) };
    let uri: Option<::http::Uri> = origin.parse().ok();
    let host = uri.as_ref().and_then(|uri| uri.host()).unwrap_or_default();
    let here = ["localhost", "127.0.0.1", "[::1]"].contains(&host);
    if here || call.state.settings.mcp_origins.contains(&origin) {
        return Ok(());
    }
    let detail = "pages of this origin may not ask: the operator names them in mcp_origins";
    Err(Error::denied(detail).at("Origin"))
}

/// May this caller use tools that destroy?
pub fn may_destroy(call: &Call, caller: &Caller) -> bool {
    caller.kind != WriterKind::User || call.state.settings.mcp_user_deletes
}

/// The answer to a request without a valid key.
pub fn unauthenticated(call: &Call, error: &Error) -> Answer {
    let mut answer = problem(error, &call.request_id, None);
    answer.headers.retain(|(name, _)| *name != "www-authenticate");
    let path = METADATA.join("/");
    let metadata = format!("{}/{path}/mcp", origin(call));
    let how = format!("Bearer realm=\"holdfast\", resource_metadata=\"{metadata}\"");
    answer.with("www-authenticate", how)
}

/// What the resource is, and how it takes its key. Keys are made at `/v1/keys`: there is no authorization server.
pub fn metadata(call: &Call) -> Answer {
    let body = json!({
        "resource": format!("{}/mcp", origin(call)),
        "resource_name": "Holdfast",
        "bearer_methods_supported": ["header"],
    });
    Answer::json(200, &body)
}

/// As the client sees it: a proxy that ends TLS says so.
fn origin(call: &Call) -> String {
    let secure =
        call.header("x-forwarded-proto").is_ok_and(|proto| proto.as_deref() == Some("https"));
    match call.origin.strip_prefix("http://") {
        Some(host) if secure => format!("https://{host}"),
        _ => call.origin.clone(),
    }
}
