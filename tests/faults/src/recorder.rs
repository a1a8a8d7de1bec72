//! A relay before a store, behind every proxy that injects faults: it hears all that the store is sent, before the store has
//! it, and passes everything on as it came.

use crate::tape::{Event, Tape, now};
use bytes::Bytes;
use holdfast_servers::Server;
use http::{HeaderValue, Method, Request, Response, header};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::fmt;
use std::net::TcpListener as Listener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Runtime};

/// A relay on a free loopback port. Dropping it ends it.
pub struct Recorder {
    relay: Arc<Relay>,
    runtime: Option<Runtime>,
}

impl Recorder {
    /// A relay before `server`, whose address is the relay's from now on.
    ///
    /// # Panics
    /// Without a free port.
    pub fn before(server: &mut Server, tape: &Arc<Tape>) -> Self {
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.expect("a runtime");
        let listener = Listener::bind(("127.0.0.1", 0)).expect("a free port");
        listener.set_nonblocking(true).expect("a listener");
        let endpoint = format!("http://{}", listener.local_addr().expect("an address"));
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        let relay = Arc::new(Relay {
            store: std::mem::replace(&mut server.endpoint, endpoint),
            bucket: format!("/{}/", server.bucket),
            client: Client::builder(TokioExecutor::new()).build(connector),
            tape: tape.clone(),
            under_way: AtomicUsize::new(0),
        });
        runtime.spawn(accept(relay.clone(), listener));
        Self { relay, runtime: Some(runtime) }
    }

    /// Waits until the store has answered all that it was sent.
    pub async fn settled(&self) {
        while self.relay.under_way.load(Ordering::SeqCst) > 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// The store did not answer: nor do we.
#[derive(Debug)]
struct Silent;

impl fmt::Display for Silent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the store did not answer")
    }
}

impl std::error::Error for Silent {}

struct Relay {
    store: String,
    /// How paths of the bucket's objects begin.
    bucket: String,
    client: Client<HttpConnector, Full<Bytes>>,
    tape: Arc<Tape>,
    under_way: AtomicUsize,
}

async fn accept(relay: Arc<Relay>, listener: Listener) {
    let listener = TcpListener::from_std(listener).expect("a listener");
    loop {
        if let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(connection(relay.clone(), stream));
        }
    }
}

async fn connection(relay: Arc<Relay>, stream: TcpStream) {
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request| relay.clone().serve(request));
    let served =
        hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    let _ = served.await;
}

impl Relay {
    async fn serve(
        self: Arc<Self>,
        request: Request<Incoming>,
    ) -> Result<Response<Full<Bytes>>, Silent> {
        let (head, body) = request.into_parts();
        // One that ends amid its body never reaches the store.
        let body = body.collect().await.map_err(|_| Silent)?.to_bytes();
        self.under_way.fetch_add(1, Ordering::SeqCst);
        // Whether or not its sender stays.
        let passing = tokio::spawn(async move {
            let answer = self.pass(Request::from_parts(head, body)).await;
            self.under_way.fetch_sub(1, Ordering::SeqCst);
            answer
        });
        passing.await.map_err(|_| Silent)?
    }

    async fn pass(&self, request: Request<Bytes>) -> Result<Response<Full<Bytes>>, Silent> {
        let key = request.uri().path().strip_prefix(&self.bucket).unwrap_or_default().to_owned();
        let method = request.method().clone();
        if method == Method::PUT && (key.contains("/wal/") || key.contains("/erased/")) {
            self.tape.add(Event::Sent(key.clone(), request.body().clone()));
        }
        let answer = self.forward(request).await?;
        match method {
            _ if key.is_empty() || !answer.status().is_success() => {}
            Method::PUT => self.tape.add(Event::Landed(key, now())),
            Method::DELETE => self.tape.add(Event::Removed(key)),
            _ => {}
        }
        Ok(answer)
    }

    async fn forward(&self, request: Request<Bytes>) -> Result<Response<Full<Bytes>>, Silent> {
        let (mut head, body) = request.into_parts();
        let is_head = head.method == Method::HEAD;
        let target = head.uri.path_and_query().map_or("/", |target| target.as_str());
        head.uri = format!("{}{target}", self.store).parse().map_err(|_| Silent)?;
        let answer = self.client.request(Request::from_parts(head, Full::new(body))).await;
        let (mut head, body) = answer.map_err(|_| Silent)?.into_parts();
        let body = body.collect().await.map_err(|_| Silent)?.to_bytes();
        head.headers.remove(header::TRANSFER_ENCODING);
        head.headers.remove(header::CONNECTION);
        if !is_head && head.status != 204 {
            head.headers.insert(header::CONTENT_LENGTH, HeaderValue::from(body.len()));
        }
        Ok(Response::from_parts(head, Full::new(body)))
    }
}
