//! One HTTP request into a component: its parts, read when they are asked for, and its way out as an answer.

use crate::answer::{Answer, problem};
use crate::flow::Reply;
use crate::write::Author;
use crate::{Query, State, auth, state};
use bytes::{Bytes, BytesMut};
use holdfast_core::access::{Caller, Permission};
use holdfast_core::ports::Ids;
use holdfast_core::record::Writer;
use holdfast_core::token::Frontier;
use holdfast_core::{Case, Error, Result, Scope};
use http::{HeaderMap, Method};
use http_body_util::{BodyExt, Full};
use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use serde_json::Value;
use spin_sdk::http::{Request, Response};
use spin_sdk::wasip3::http_compat::IncomingRequestBody;
use std::cell::RefCell;

/// A request.
pub struct Call {
    /// The method.
    pub method: Method,
    /// Segments of the path, decoded.
    pub path: Vec<String>,
    /// The query.
    pub query: Query,
    /// The headers.
    pub headers: HeaderMap,
    /// Scheme, host and port that the request was sent to.
    pub origin: String,
    /// Id of the request, made by us or by the client.
    pub request_id: String,
    /// What the instance keeps.
    pub state: &'static State,
    body: RefCell<Option<IncomingRequestBody>>,
    more: RefCell<Option<Value>>,
}

/// Serves one request with `route`; what fails becomes a problem. No answer of the route may be [flowing](Answer::flowing).
pub async fn serve(
    request: Request,
    route: impl AsyncFnOnce(&Call) -> Result<Answer>,
) -> Response<Full<Bytes>> {
    let request_id = request_id(request.headers());
    let answer = answer(request, &request_id, route).await;
    respond(&answer, &request_id, Full::new(answer.body.clone()))
}

/// As [`serve`], for a route some of whose answers flow.
pub async fn serve_flowing(
    request: Request,
    route: impl AsyncFnOnce(&Call) -> Result<Answer>,
) -> Response<Reply> {
    let request_id = request_id(request.headers());
    let mut answer = answer(request, &request_id, route).await;
    let reply = Reply::of(answer.flow.take(), answer.body.clone());
    respond(&answer, &request_id, reply)
}

async fn answer(
    request: Request,
    request_id: &str,
    route: impl AsyncFnOnce(&Call) -> Result<Answer>,
) -> Answer {
    match Call::new(request, request_id.to_owned()).await {
        Ok(call) => route(&call).await.unwrap_or_else(|e| failed(&e, request_id, call.more.take())),
        Err(e) => failed(&e, request_id, None),
    }
}

fn failed(error: &Error, request_id: &str, more: Option<Value>) -> Answer {
    if matches!(error.case, Case::Corrupt | Case::Internal | Case::Unavailable) {
        let mut causes = String::new();
        let mut source = std::error::Error::source(error);
        while let Some(cause) = source {
            causes.push_str(&format!(": {cause}"));
            source = cause.source();
        }
        eprintln!("request {request_id}: {} {}: {error}{causes}", error.case.name(), error.reason);
    }
    problem(error, request_id, more)
}

fn respond<B: Default>(answer: &Answer, request_id: &str, body: B) -> Response<B> {
    let mut builder = http::Response::builder()
        .status(answer.status)
        .header("cache-control", "no-store")
        .header("vary", "Authorization, Holdfast-User")
        .header("x-content-type-options", "nosniff")
        .header("x-request-id", request_id);
    if ![204, 304].contains(&answer.status) {
        builder = builder
            .header("content-type", &*answer.content_type)
            .header("content-length", answer.length);
    }
    for (name, value) in &answer.headers {
        builder = builder.header(*name, value);
    }
    builder.body(body).unwrap_or_else(|_| {
        let mut broken = http::Response::new(B::default());
        *broken.status_mut() = http::StatusCode::INTERNAL_SERVER_ERROR;
        broken
    })
}

fn request_id(headers: &HeaderMap) -> String {
    let given = headers.get("x-request-id").and_then(|value| value.to_str().ok());
    let plain = |id: &&str| id.len() <= 128 && id.bytes().all(|b| b.is_ascii_graphic());
    given.filter(plain).map_or_else(|| hex::encode(crate::GuestIds.random()), str::to_owned)
}

impl Call {
    async fn new(request: Request, request_id: String) -> Result<Self> {
        let (parts, body) = request.into_parts();
        let path = segments(parts.uri.path())?;
        let query = Query::parse(parts.uri.query().unwrap_or_default())?;
        let scheme = parts.uri.scheme_str().unwrap_or("http");
        let host = parts.uri.authority().map_or("localhost", |authority| authority.as_str());
        Ok(Self {
            origin: format!("{scheme}://{host}"),
            request_id,
            method: parts.method,
            path,
            query,
            headers: parts.headers,
            state: state().await?,
            body: RefCell::new(Some(body)),
            more: RefCell::default(),
        })
    }

    /// The path as borrowed segments, for matching.
    pub fn segments(&self) -> Vec<&str> {
        self.path.iter().map(String::as_str).collect()
    }

    /// Who asks, whatever they may do.
    ///
    /// # Errors
    /// `unauthenticated`.
    pub async fn identified(&self) -> Result<Caller> {
        auth::caller(self.state, &self.headers).await
    }

    /// Who asks, with `permission`.
    ///
    /// # Errors
    /// `unauthenticated` or `denied`.
    pub async fn caller(&self, permission: Permission) -> Result<Caller> {
        let caller = self.identified().await?;
        caller.may(permission)?;
        Ok(caller)
    }

    /// Whose data the request is about, by key, body, query and header.
    ///
    /// # Errors
    /// As [`Caller::scope`].
    pub fn scope(&self, caller: &Caller, in_body: Option<&str>) -> Result<Scope> {
        let header = self.header("holdfast-user")?;
        caller.scope(&[in_body, self.query.get("user_id"), header.as_deref()])
    }

    /// A header as text.
    ///
    /// # Errors
    /// `invalid_utf8` when it is not UTF-8, `invalid` when it stands twice with different values.
    pub fn header(&self, name: &str) -> Result<Option<String>> {
        let mut values = self.headers.get_all(name).iter();
        let Some(first) = values.next() else { return Ok(None) };
        if values.any(|other| other != first) {
            return Err(Error::invalid(format!("the header {name} stands twice")).at(name));
        }
        let text = std::str::from_utf8(first.as_bytes()).map_err(|_| {
            Error::because(Case::Invalid, "invalid_utf8", format!("the header {name} is not UTF-8"))
        })?;
        Ok(Some(text.to_owned()))
    }

    /// The request's `Idempotency-Key`.
    ///
    /// # Errors
    /// `invalid` when it is empty or longer than 256 bytes.
    pub fn idempotency_key(&self) -> Result<Option<String>> {
        let key = self.header("idempotency-key")?;
        match &key {
            Some(text) if text.is_empty() || text.len() > 256 => {
                let detail = "Idempotency-Key must have 1 to 256 bytes";
                Err(Error::invalid(detail).at("Idempotency-Key"))
            }
            _ => Ok(key),
        }
    }

    /// Who writes with the caller's key, and what the request has seen.
    ///
    /// # Errors
    /// `invalid_token`.
    pub fn author(&self, caller: &Caller, scope: &Scope) -> Result<Author> {
        let by = Writer { kind: caller.kind, key: caller.kid.to_string() };
        Ok(Author { by, after: self.after(scope)?.unwrap_or_default() })
    }

    /// What the request's `Holdfast-After` says that the answer must include.
    ///
    /// # Errors
    /// `invalid_token`.
    pub fn after(&self, scope: &Scope) -> Result<Option<Frontier>> {
        let text = self.header("holdfast-after")?;
        crate::read::after(self.state, scope, text.as_deref())
    }

    /// The body, at most `limit` bytes.
    ///
    /// # Errors
    /// `too_large`, `unsupported_media_type`.
    pub async fn body(&self, limit: usize) -> Result<Bytes> {
        self.check_content_type()?;
        let mut bytes = BytesMut::new();
        let keep = async |piece: Bytes| {
            bytes.extend_from_slice(&piece);
            Ok(())
        };
        self.pieces(limit as u64, keep).await?;
        Ok(bytes.freeze())
    }

    /// The body as it comes, of whatever type: at most `limit` bytes, a piece at a time.
    ///
    /// # Errors
    /// `too_large`, before anything is read where the request says its length; what `each` says.
    pub async fn pieces(
        &self,
        limit: u64,
        mut each: impl AsyncFnMut(Bytes) -> Result<()>,
    ) -> Result<()> {
        let too_large = || {
            let detail = format!("the body is larger than {limit} bytes: send less at a time");
            Error::because(Case::Invalid, "too_large", detail)
        };
        let length = self.header("content-length")?.and_then(|text| text.parse::<u64>().ok());
        if length.is_some_and(|length| length > limit) {
            return Err(too_large());
        }
        let mut body =
            self.body.take().ok_or_else(|| Error::internal("the body was read twice"))?;
        let mut left = limit;
        while let Some(frame) = body.frame().await {
            let frame = frame
                .map_err(|e| Error::invalid("the body broke off: send it again").caused_by(e))?;
            if let Ok(data) = frame.into_data() {
                left = left.checked_sub(data.len() as u64).ok_or_else(too_large)?;
                each(data).await?;
            }
        }
        Ok(())
    }

    fn check_content_type(&self) -> Result<()> {
        let Some(text) = self.header("content-type")? else { return Ok(()) };
        let kind = text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        if kind == "application/json" || kind.ends_with("+json") {
            return Ok(());
        }
        let detail = format!("the body is {kind}: send application/json");
        Err(Error::because(Case::Invalid, "unsupported_media_type", detail))
    }

    /// This request's path and query with one parameter set anew.
    pub fn url_with(&self, name: &str, value: &str) -> String {
        let path: Vec<String> = self
            .path
            .iter()
            .map(|part| utf8_percent_encode(part, NON_ALPHANUMERIC).to_string())
            .collect();
        format!("/{}?{}", path.join("/"), self.query.with(name, value))
    }

    /// Does this delete remove the bytes, too: the parameter `mode`, else the setting `delete_mode`?
    ///
    /// # Errors
    /// `invalid` when the mode is neither `hide` nor `physical`.
    pub fn physical(&self) -> Result<bool> {
        match self.query.get("mode") {
            None => Ok(self.state.settings.delete_physically),
            Some(_) => Ok(self.query.choice("mode", &["hide", "physical"])? == "physical"),
        }
    }

    /// Adds members to the problem, should the request fail from here on.
    pub fn on_failure(&self, members: Value) {
        self.more.replace(Some(members));
    }

    /// The answer for a path or method that this component does not serve.
    pub fn no_route(&self, allowed: &[&str]) -> Error {
        let path = self.path.join("/");
        if allowed.is_empty() {
            let detail = format!("there is nothing at /{path}");
            return Error::because(Case::NotFound, "no_route", detail);
        }
        Error::method_not_allowed(&format!("/{path}"), allowed)
    }
}

fn segments(path: &str) -> Result<Vec<String>> {
    let decode = |part: &str| {
        let text = percent_decode_str(part)
            .decode_utf8()
            .map_err(|_| Error::because(Case::Invalid, "invalid_utf8", "the path is not UTF-8"))?;
        Ok(text.into_owned())
    };
    path.trim_start_matches('/').split('/').map(decode).collect()
}
