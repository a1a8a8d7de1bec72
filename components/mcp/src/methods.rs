//! The methods of the protocol, in both of its generations.

use crate::access::may_destroy;
use crate::http::problem_text;
use crate::send::{Told, send};
use holdfast_core::access::Caller;
use holdfast_core::{Case, Error, Result};
use holdfast_formats::mcp::{
    About, Cache, Fault, Message, Read, Reply, Revision, ToolCall, templates, tools,
};
use holdfast_kit::Call;
use serde_json::Value;

/// Who answers.
pub const ABOUT: About = About { version: env!("CARGO_PKG_VERSION") };

/// What became of a request.
pub struct Outcome {
    /// The result, or what is wrong.
    pub reply: Result<Reply, Fault>,
    /// What it has seen or written.
    pub after: Option<String>,
}

impl From<Result<Reply, Fault>> for Outcome {
    fn from(reply: Result<Reply, Fault>) -> Self {
        Self { reply, after: None }
    }
}

/// Answers one request.
///
/// # Errors
/// `unauthenticated` when the key was revoked meanwhile.
pub async fn answer(
    call: &Call,
    caller: &Caller,
    message: &Message<'_>,
    revision: Revision,
) -> Result<Outcome> {
    let one_page = |reply: Reply| match message.text("cursor") {
        None => Ok(reply),
        Some(_) => Err(Fault::invalid_params("the cursor is not one of ours: there is one page")),
    };
    let reply = match (message.method.as_str(), revision) {
        ("tools/call", _) => return tool(call, caller, message).await,
        ("resources/read", _) => return resource(call, caller, message, revision).await,
        ("tools/list", _) => {
            let tools = tools(may_destroy(call, caller));
            one_page(Reply::new().with("tools", tools).cached(Cache::ThisKey))
        }
        ("resources/list", _) => {
            one_page(Reply::new().with("resources", "[]").cached(Cache::Everybody))
        }
        ("resources/templates/list", _) => {
            one_page(Reply::new().with("resourceTemplates", templates()).cached(Cache::Everybody))
        }
        ("server/discover", Revision::Stateless) => Ok(Reply::discover()),
        ("initialize", Revision::Handshake) => Ok(Reply::initialize(message, ABOUT)),
        ("ping", Revision::Handshake) => Ok(Reply::new()),
        (method, _) => Err(Fault::no_method(method)),
    };
    Ok(reply.into())
}

async fn tool(call: &Call, caller: &Caller, message: &Message<'_>) -> Result<Outcome> {
    let tool = match ToolCall::read(message) {
        Ok(tool) => tool,
        Err(fault) => return Ok(Err(fault).into()),
    };
    Ok(match run(call, caller, &tool).await {
        Ok(told) => {
            let told = authenticated(told)?;
            let reply = match (told.status, told.body.as_str()) {
                (200..300, "") => Reply::done("deleted", "{\"deleted\":true}"),
                (200..300, body) => Reply::done(&tool.shown(body), body),
                (_, problem) => Reply::failed(problem),
            };
            Outcome { reply: Ok(reply), after: told.after }
        }
        Err(error) => Ok(Reply::failed(&problem_text(call, &error))).into(),
    })
}

async fn run(call: &Call, caller: &Caller, tool: &ToolCall<'_>) -> Result<Told> {
    if tool.is_destructive() && !may_destroy(call, caller) {
        let detail = "this tool is off for user keys: the operator may allow it (mcp_user_deletes)";
        return Err(Error::denied(detail));
    }
    let scope = call.scope(caller, tool.user().as_deref())?;
    let asked = tool.asked(&call.state.settings.limits, scope.user.as_str())?;
    send(call, scope.user.as_str(), asked).await
}

/// A key that was revoked since it was looked up here is told as one.
fn authenticated(told: Told) -> Result<Told> {
    match told.status {
        401 => {
            Err(Error::because(Case::Denied, "unauthenticated", "the key is not valid any more"))
        }
        _ => Ok(told),
    }
}

async fn resource(
    call: &Call,
    caller: &Caller,
    message: &Message<'_>,
    revision: Revision,
) -> Result<Outcome> {
    let uri = message.text("uri");
    let uri = uri.ok_or_else(|| Fault::invalid_params("params.uri must be a string"));
    let read = match uri.and_then(|uri| Read::of(&uri)) {
        Ok(read) => read,
        Err(fault) => return Ok(Err(fault).into()),
    };
    let failed = |problem: &str| {
        let problem: Value = serde_json::from_str(problem).unwrap_or_default();
        Outcome::from(Err(Fault::of_problem(revision, &problem)))
    };
    let scope = match call.scope(caller, read.user.as_deref()) {
        Ok(scope) => scope,
        Err(error) => return Ok(failed(&problem_text(call, &error))),
    };
    let (mut contents, mut after) = (Vec::new(), None);
    for (uri, asked) in read.asked(scope.user.as_str()) {
        let told = match send(call, scope.user.as_str(), asked).await {
            Ok(told) => authenticated(told)?,
            Err(error) => return Ok(failed(&problem_text(call, &error))),
        };
        if told.status != 200 {
            return Ok(failed(&told.body));
        }
        contents.push(Read::content(&uri, &told.body));
        after = told.after;
    }
    let contents = format!("[{}]", contents.join(","));
    Ok(Outcome { reply: Ok(Reply::new().with("contents", contents).cached(Cache::Never)), after })
}
