//! Outgoing HTTP of components: allowed destinations only, over kept connections, never following a redirect.

pub mod allow;
mod connect;
mod lockout;
mod within;

pub use allow::AllowList;
pub use within::Neighbours;

use crate::pool::Ticket;
use crate::settings::{OutgoingSettings, Settings};
use allow::Way;
use bytes::Bytes;
use connect::Connector;
use http_body::Body as _;
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::client::legacy::{Client, Error as ClientError};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use lockout::{Asker, lockouts};
use std::sync::Arc;
use std::time::Instant;
use wasmtime_wasi_http::{Error, RequestOptions, Result, WasiBody, WasiHttpHooks};

/// The way out for one component's instances: its allow-list and its own kept connections.
#[derive(Clone)]
pub struct Outgoing {
    shared: Arc<Shared>,
    ticket: Arc<Ticket>,
}

/// What all instances of a component share.
pub struct Shared {
    component: Arc<str>,
    allow: Arc<AllowList>,
    settings: OutgoingSettings,
    client: Client<Connector, WasiBody>,
    neighbours: Neighbours,
}

/// After a server's restart several kept connections are dead: each such request finds one of them out.
const DEAD_CONNECTIONS: usize = 3;

type Sent = (http::Response<WasiBody>, Box<dyn Future<Output = Result<()>> + Send>);

impl Outgoing {
    /// The way out of one instance, which works for `ticket`.
    pub fn new(shared: Arc<Shared>, ticket: Arc<Ticket>) -> Self {
        Self { shared, ticket }
    }

    /// From now on the instance works for this request.
    pub fn works_for(&mut self, ticket: Arc<Ticket>) {
        self.ticket = ticket;
    }
}

impl Shared {
    /// The way out of `component`, which may reach what `allow` names, and of that what is within the application.
    pub fn new(
        component: Arc<str>,
        allow: AllowList,
        settings: &Settings,
        neighbours: Neighbours,
    ) -> Self {
        let (allow, settings) = (Arc::new(allow), settings.outgoing.clone());
        let client = Client::builder(TokioExecutor::new())
            .pool_idle_timeout(settings.idle)
            .pool_max_idle_per_host(settings.idle_per_host)
            .pool_timer(TokioTimer::new())
            .timer(TokioTimer::new())
            .build(Connector::new(allow.clone(), settings.connect_timeout));
        Self { component, allow, settings, client, neighbours }
    }
}

impl WasiHttpHooks for Outgoing {
    fn send_request(
        &mut self,
        request: http::Request<WasiBody>,
        options: Option<RequestOptions>,
        processed: Box<dyn Future<Output = Result<()>> + Send>,
    ) -> Box<dyn Future<Output = Result<Sent>> + Send> {
        drop(processed);
        let (shared, ticket) = (self.shared.clone(), self.ticket.clone());
        Box::new(async move { shared.send(request, options, &ticket).await })
    }
}

impl Shared {
    async fn send(
        &self,
        request: http::Request<WasiBody>,
        options: Option<RequestOptions>,
        ticket: &Arc<Ticket>,
    ) -> Result<Sent> {
        let way = self.allow.check(request.uri()).map_err(|refusal| {
            tracing::warn!(component = &*self.component, "outgoing request refused: {refusal}");
            Error::from(refusal)
        })?;
        let limit =
            options.and_then(|o| o.first_byte_timeout).unwrap_or(self.settings.first_byte_timeout);
        let limit = limit.min(self.settings.first_byte_timeout);
        let answered = async {
            match way {
                Way::Within(id) => self.neighbours.send(&id, request, ticket).await,
                Way::Out => self.leave(request).await,
            }
        };
        let response = tokio::time::timeout(limit, answered)
            .await
            .map_err(|_| Error::ConnectionReadTimeout)??;
        Ok((response, Box::new(std::future::ready(Ok(())))))
    }

    /// Sends, but to nobody who locked the credentials out.
    async fn leave(&self, request: http::Request<WasiBody>) -> Result<http::Response<WasiBody>> {
        let asker = Asker::of(request.uri(), request.headers());
        if let Some(answer) = asker.as_ref().and_then(|a| lockouts().answer(a, Instant::now())) {
            return Ok(answer);
        }
        let response = self.exchange(request).await?;
        let response = response.map(|body| body.map_err(Error::Hyper).boxed_unsync());
        match asker {
            Some(asker) => lockouts().watch(asker, response).await,
            None => Ok(response),
        }
    }

    /// Sends; again when a kept connection was dead, the method is idempotent and the body is at hand.
    async fn exchange(
        &self,
        request: http::Request<WasiBody>,
    ) -> Result<http::Response<hyper::body::Incoming>> {
        let (parts, body) = request.into_parts();
        let replay = self.settings.replay;
        // A body of unknown length is one that a guest streams, but for methods that hardly ever have any.
        let small = match body.size_hint().exact() {
            Some(length) => length <= replay as u64,
            None => parts.method.is_safe() || parts.method == http::Method::DELETE,
        };
        if !parts.method.is_idempotent() || !small {
            let request = http::Request::from_parts(parts, body);
            return self.client.request(request).await.map_err(translate);
        }
        let whole = Limited::new(body, replay).collect().await;
        let body = whole.map_err(|_| Error::HttpRequestBodySize(None))?.to_bytes();
        for _ in 0..DEAD_CONNECTIONS {
            match self.client.request(rebuild(&parts, &body)).await {
                Err(error) if is_dead_connection(&error) => {}
                result => return result.map_err(translate),
            }
        }
        self.client.request(rebuild(&parts, &body)).await.map_err(translate)
    }
}

fn rebuild(parts: &http::request::Parts, body: &Bytes) -> http::Request<WasiBody> {
    let body = Full::new(body.clone()).map_err(Error::from).boxed_unsync();
    http::Request::from_parts(parts.clone(), body)
}

/// The connection ended before an answer: it was kept too long, or the server went away.
fn is_dead_connection(error: &ClientError) -> bool {
    if error.is_connect() {
        return false;
    }
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        if let Some(hyper) = cause.downcast_ref::<hyper::Error>()
            && (hyper.is_incomplete_message() || hyper.is_canceled() || hyper.is_closed())
        {
            return true;
        }
        if let Some(io) = cause.downcast_ref::<std::io::Error>() {
            use std::io::ErrorKind::{
                BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof,
            };
            return matches!(
                io.kind(),
                BrokenPipe | ConnectionAborted | ConnectionReset | UnexpectedEof
            );
        }
        source = cause.source();
    }
    false
}

/// What the guest is told: the connector's own verdicts, a request body's own error, else the connection's end.
fn translate(error: ClientError) -> Error {
    let connect = error.is_connect();
    let mut source = std::error::Error::source(&error);
    while let Some(cause) = source {
        if let Some(failure) = cause.downcast_ref::<connect::Failure>() {
            return failure.to_error();
        }
        if let Some(Error::HttpRequestBodySize(size)) = cause.downcast_ref::<Error>() {
            return Error::HttpRequestBodySize(*size);
        }
        source = cause.source();
    }
    if connect { Error::ConnectionRefused } else { Error::ConnectionTerminated }
}
