//! One request: its id, its Host header, who answers it, and what the log and the counters say of it.

use super::body::Limited;
use super::guest;
use crate::admission::Admission;
use crate::app::{Answerer, App, Fixed};
use crate::metrics::{ComponentMetrics, Metrics};
use crate::pool::{Answer, Ticket};
use crate::problem;
use crate::route::Found;
use crate::settings::Settings;
use futures::future::BoxFuture;
use holdfast_core::error::{Case, Error};
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, HOST, HeaderName};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Instant, SystemTime};
use wasmtime_wasi_http::WasiBody;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// A route that the host answers itself, by its exact path. The request's body is limited like a component's.
pub type Native = Arc<
    dyn Fn(http::Request<WasiBody>) -> BoxFuture<'static, http::Response<Answer>> + Send + Sync,
>;

/// A reason, if there is one, why the host is not ready.
pub type Check = Arc<dyn Fn() -> BoxFuture<'static, Result<(), String>> + Send + Sync>;

/// What the host answers beside its components.
#[derive(Clone, Default)]
pub struct Extras {
    /// Routes by their exact path, or (with a `/` at the end) by their folder; they come before those of the manifest.
    pub native: BTreeMap<String, Native>,
    /// All must pass for `/readyz` to be 200.
    pub ready: Vec<Check>,
    /// Who may come in how often; none lets all in.
    pub admission: Option<Arc<Admission>>,
}

impl Extras {
    /// The native route of a path: its own, or that of the folder that it lies in.
    fn find(&self, path: &str) -> Option<&Native> {
        let folder = || path.rfind('/').and_then(|at| path.get(..=at)).filter(|f| f.len() > 1);
        self.native.get(path).or_else(|| self.native.get(folder()?))
    }
}

pub(super) struct Service {
    pub settings: Settings,
    pub app: App,
    pub metrics: Arc<Metrics>,
    pub draining: AtomicBool,
    extras: Extras,
    own: Arc<ComponentMetrics>,
    address: SocketAddr,
}

/// A request with what the host knows of it.
pub(super) struct Call {
    pub request: http::Request<Incoming>,
    pub peer: SocketAddr,
    pub host: HeaderValue,
    pub ticket: Arc<Ticket>,
}

type Response = http::Response<Answer>;

impl Service {
    pub(super) fn new(
        settings: Settings,
        app: App,
        metrics: Arc<Metrics>,
        extras: Extras,
        address: SocketAddr,
    ) -> Self {
        let own = metrics.component("host".into());
        let draining = AtomicBool::new(false);
        Self { settings, app, metrics, draining, extras, own, address }
    }

    pub(super) async fn answer(
        &self,
        request: http::Request<Incoming>,
        peer: SocketAddr,
    ) -> Response {
        let started = Instant::now();
        let id = request_id(request.headers());
        let header = HeaderValue::try_from(&id).ok();
        let (method, path) = (request.method().clone(), request.uri().path().to_owned());
        let ticket = Arc::new(Ticket::new(id, self.settings.instance.deadline));
        let (mut response, metrics) = self.route(request, peer, &path, &ticket).await;
        if let Some(header) = header {
            response.headers_mut().insert(REQUEST_ID, header);
        }
        let took = started.elapsed();
        let status = response.status().as_u16();
        metrics.answered(status, took);
        tracing::info!(
            target: "access",
            request_id = ticket.request_id,
            component = metrics.name(),
            %method,
            path,
            status,
            ms = took.as_secs_f64() * 1e3,
        );
        response
    }

    async fn route(
        &self,
        request: http::Request<Incoming>,
        peer: SocketAddr,
        path: &str,
        ticket: &Arc<Ticket>,
    ) -> (Response, Arc<ComponentMetrics>) {
        let refuse = |error: Error| problem::answer(&error, &ticket.request_id, false);
        let host = match self.host(&request) {
            Ok(host) => host,
            Err(error) => return (refuse(error), self.own.clone()),
        };
        let found = self.app.routes.find(path);
        let limit = self.limit(found.as_ref());
        if let Err(error) = fits(&request, limit) {
            super::body::drop_whole(request.into_body(), self.settings.read_timeout).await;
            return (refuse(error), self.own.clone());
        }
        let admission = self.extras.admission.as_ref();
        let admitted = admission.map(|a| a.admit(request.headers(), peer.ip(), Instant::now()));
        if let Some(Err(error)) = admitted {
            return (refuse(error), self.own.clone());
        }
        let call = Call { request, peer, host, ticket: ticket.clone() };
        if let Some(native) = self.extras.find(path) {
            let mut request = self.limited(call);
            if let Ok(id) = HeaderValue::try_from(&ticket.request_id) {
                request.headers_mut().insert(REQUEST_ID, id);
            }
            return (native(request).await, self.own.clone());
        }
        let (method, id) = (call.request.method().clone(), &ticket.request_id);
        if let Some(response) = self.own_route(&method, peer, path, id).await {
            return (response, self.own.clone());
        }
        let Some(found) = found else {
            let error =
                Error::because(Case::NotFound, "no_route", format!("there is no route {path}"));
            return (refuse(error), self.own.clone());
        };
        match &found.route.target {
            Answerer::Static(fixed) => (answer_fixed(fixed), fixed.metrics.clone()),
            Answerer::Pool(pool) => {
                let ticket = call.ticket.clone();
                let request = guest::request(call, &found);
                let request = self.limited_parts(request, &ticket, limit);
                let response = pool.answer(request, &ticket, limit).await;
                (response, pool.metrics.clone())
            }
        }
    }

    /// The Host header. On loopback it must be a name of this machine: a page of another site, whose name was made to
    /// resolve to us, must not speak to us from a browser.
    fn host(&self, request: &http::Request<Incoming>) -> Result<HeaderValue, Error> {
        let mut hosts = request.headers().get_all(HOST).iter();
        let (Some(host), None) = (hosts.next(), hosts.next()) else {
            return Err(Error::invalid("the request must carry one Host header"));
        };
        if !self.address.ip().is_loopback() {
            return Ok(host.clone());
        }
        let name = host.to_str().ok().and_then(|text| text.parse::<http::uri::Authority>().ok());
        let name = name.as_ref().map_or("", |authority| authority.host());
        let ours =
            ["localhost", "127.0.0.1", "[::1]"].iter().any(|own| own.eq_ignore_ascii_case(name))
                || self.settings.hosts.iter().any(|own| own.eq_ignore_ascii_case(name));
        if ours {
            Ok(host.clone())
        } else {
            Err(Error::denied("the Host header names another machine"))
        }
    }

    /// Bytes that the body of a request to this route may have.
    fn limit(&self, found: Option<&Found<'_, Answerer>>) -> u64 {
        let own = found.and_then(|found| self.settings.larger_bodies.get(&found.route.pattern));
        own.copied().unwrap_or(self.settings.max_body)
    }

    fn limited(&self, call: Call) -> http::Request<WasiBody> {
        self.limited_parts(call.request, &call.ticket, self.settings.max_body)
    }

    fn limited_parts(
        &self,
        request: http::Request<Incoming>,
        ticket: &Arc<Ticket>,
        limit: u64,
    ) -> http::Request<WasiBody> {
        let pause = self.settings.read_timeout;
        request.map(|body| {
            let body = body.map_err(wasmtime_wasi_http::Error::Hyper).boxed_unsync();
            Limited::body(body, ticket.clone(), limit, pause)
        })
    }

    async fn own_route(
        &self,
        method: &Method,
        peer: SocketAddr,
        path: &str,
        id: &str,
    ) -> Option<Response> {
        let response = match path {
            "/healthz" => text(StatusCode::OK, "text/plain", "ok\n".into()),
            "/readyz" => self.ready().await,
            "/metrics" => self.render_metrics(peer, id),
            _ => return None,
        };
        if matches!(*method, Method::GET | Method::HEAD) {
            return Some(response);
        }
        let error = Error::method_not_allowed(path, &["GET", "HEAD"]);
        Some(problem::answer(&error, id, false))
    }

    async fn ready(&self) -> Response {
        let mut reasons = Vec::new();
        if self.draining.load(Relaxed) {
            reasons.push("the host is stopping".to_owned());
        }
        for check in &self.extras.ready {
            reasons.extend(check().await.err());
        }
        match reasons.is_empty() {
            true => text(StatusCode::OK, "text/plain", "ready\n".into()),
            false => text(StatusCode::SERVICE_UNAVAILABLE, "text/plain", reasons.join("\n") + "\n"),
        }
    }

    fn render_metrics(&self, peer: SocketAddr, id: &str) -> Response {
        if !self.settings.metrics_public && !peer.ip().to_canonical().is_loopback() {
            let error = Error::denied("/metrics is for this machine only");
            return problem::answer(&error, id, false);
        }
        text(StatusCode::OK, "text/plain; version=0.0.4", self.metrics.render())
    }
}

fn fits(request: &http::Request<Incoming>, limit: u64) -> Result<(), Error> {
    let length = request.headers().get(CONTENT_LENGTH).and_then(|value| value.to_str().ok());
    let length = length.and_then(|text| text.parse::<u64>().ok()).unwrap_or(0);
    if length <= limit {
        return Ok(());
    }
    Err(crate::pool::Failure::TooLarge(limit).error("", false))
}

fn answer_fixed(fixed: &Fixed) -> Response {
    let mut response = http::Response::new(Answer::whole(fixed.body.clone()));
    *response.status_mut() = fixed.status;
    *response.headers_mut() = fixed.headers.clone();
    response
}

fn text(status: StatusCode, kind: &'static str, body: String) -> Response {
    let mut response = http::Response::new(Answer::whole(body));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

/// The client's id, if it is a short plain word, else a new one that sorts by time.
fn request_id(headers: &HeaderMap) -> String {
    let given = headers.get(REQUEST_ID).and_then(|value| value.to_str().ok());
    let plain = |id: &&str| {
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        (1..=128).contains(&id.len()) && id.chars().all(plain)
    };
    given.filter(plain).map_or_else(new_id, str::to_owned)
}

fn new_id() -> String {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let millis = u64::try_from(now.as_millis()).unwrap_or(u64::MAX);
    ulid::Ulid::from_parts(millis, rand::random()).to_string()
}
