//! A reverse proxy before an S3 server that injects faults. It passes `host` on as it came, since requests are signed over it.

use crate::fault::{Fault, is_list};
use crate::process::Server;
use crate::rounds::{Gate, LockStep};
use crate::weather::{Forecast, Weather};
use bytes::Bytes;
use futures::stream;
use http::{HeaderValue, Method, Request, Response, header};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::collections::BTreeMap;
use std::fmt;
use std::net::TcpListener as Listener;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio::time::sleep;

/// How long an answer is withheld before the connection ends: longer than any client of a test waits.
const WITHHELD: Duration = Duration::from_secs(15);
/// When a [`Fault::Late`] request is done after all.
const LATE: Duration = Duration::from_secs(3);
/// Between the first part of a truncated body and its end, so that the part is on its way.
const CUT: Duration = Duration::from_millis(5);

/// A proxy on a free loopback port. Dropping it ends it and every connection.
pub struct Proxy {
    /// Origin, as `http://127.0.0.1:40001`: what clients take for the server's.
    pub endpoint: String,
    way: Arc<Way>,
    runtime: Option<Runtime>,
}

impl Proxy {
    /// A proxy before `server`, in calm weather.
    pub fn before(server: &Server, seed: u64) -> Self {
        // A runtime of its own: tests block theirs while they wait for a host.
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a runtime");
        let listener = Listener::bind(("127.0.0.1", 0)).expect("a free port");
        let endpoint = format!("http://{}", listener.local_addr().expect("an address"));
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        let way = Arc::new(Way {
            server: server.endpoint.clone(),
            client: Client::builder(TokioExecutor::new()).build(connector),
            forecast: Mutex::new(Forecast::new(seed)),
            late: AtomicUsize::new(0),
            delay: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            gate: Arc::default(),
        });
        runtime.spawn(accept(way.clone(), listener));
        Self { endpoint, way, runtime: Some(runtime) }
    }

    /// Changes the weather; a script that is left goes on.
    pub fn set(&self, weather: Weather) {
        self.way.forecast().weather = weather;
    }

    /// The next request that can have this fault, has it.
    pub fn next(&self, fault: Fault) {
        self.way.forecast().script.push_back(fault);
    }

    /// From now on each request waits so long before the server has it: a store at a distance.
    pub fn delay(&self, delay: Duration) {
        let delay = u64::try_from(delay.as_millis()).unwrap_or(u64::MAX);
        self.way.delay.store(delay, Ordering::SeqCst);
    }

    /// Waits until nothing is under way. From then on requests go on in rounds, each of all that is asked before an answer.
    ///
    /// # Panics
    /// When the proxy has ended.
    pub async fn lock_step(&self) -> LockStep<'_> {
        let runtime = self.runtime.as_ref().expect("a runtime").handle();
        LockStep::begin(&self.way.gate, runtime).await
    }

    /// Scripted faults that no request has had yet.
    pub fn left(&self) -> usize {
        self.way.forecast().script.len()
    }

    /// Requests so far.
    pub fn requests(&self) -> u64 {
        self.way.forecast().requests
    }

    /// Bytes of the bodies that the server answered so far.
    pub fn bytes(&self) -> u64 {
        self.way.bytes.load(Ordering::SeqCst)
    }

    /// Faults so far, by kind.
    pub fn struck(&self) -> BTreeMap<Fault, u64> {
        self.way.forecast().struck.clone()
    }

    /// Waits until every late request has been done.
    pub async fn settled(&self) {
        while self.way.late.load(Ordering::SeqCst) > 0 {
            sleep(Duration::from_millis(20)).await;
        }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// A connection that ends without an answer.
#[derive(Debug)]
struct Cut;

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the connection ends here")
    }
}

impl std::error::Error for Cut {}

type Body = UnsyncBoxBody<Bytes, Cut>;

/// Where requests go, and what becomes of them.
struct Way {
    server: String,
    client: Client<HttpConnector, Full<Bytes>>,
    forecast: Mutex<Forecast>,
    late: AtomicUsize,
    /// Milliseconds before the server has a request.
    delay: AtomicU64,
    /// Bytes of the bodies that the server answered.
    bytes: AtomicU64,
    /// Holds requests while rounds are counted.
    gate: Arc<Gate>,
}

async fn accept(way: Arc<Way>, listener: Listener) {
    listener.set_nonblocking(true).expect("a listener");
    let listener = TcpListener::from_std(listener).expect("a listener");
    loop {
        if let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(connection(way.clone(), stream));
        }
    }
}

async fn connection(way: Arc<Way>, stream: TcpStream) {
    let _ = stream.set_nodelay(true);
    // A second handle of the socket: a reset is asked for on it while hyper holds the first.
    let Ok(stream) = stream.into_std() else { return };
    let (Ok(handle), Ok(stream)) = (stream.try_clone(), TcpStream::from_std(stream)) else {
        return;
    };
    let handle = Arc::new(handle);
    let service = service_fn(move |request| {
        let (way, handle) = (way.clone(), handle.clone());
        async move { way.serve(request, &handle).await }
    });
    let _ = hyper::server::conn::http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

/// Ends the connection by a reset.
fn reset(handle: &std::net::TcpStream) -> Result<Response<Body>, Cut> {
    let _ = socket2::SockRef::from(handle).set_linger(Some(Duration::ZERO));
    Err(Cut)
}

impl Way {
    fn forecast(&self) -> MutexGuard<'_, Forecast> {
        self.forecast.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn serve(
        self: Arc<Self>,
        request: Request<Incoming>,
        handle: &std::net::TcpStream,
    ) -> Result<Response<Body>, Cut> {
        let (head, body) = request.into_parts();
        let body = body.collect().await.map_err(|_| Cut)?.to_bytes();
        let request = Request::from_parts(head, body);
        let gate = self.gate.clone();
        let _passage = gate.pass(&request).await;
        let delay = self.delay.load(Ordering::SeqCst);
        if delay > 0 {
            sleep(Duration::from_millis(delay)).await;
        }
        let fault = self.forecast().draw(&request);
        let Some(fault) = fault else { return Ok(whole(self.forward(request).await?)) };
        match fault {
            Fault::ResetBefore => return reset(handle),
            Fault::ResetAfter => {
                let _ = self.forward(request).await;
                return reset(handle);
            }
            Fault::LostRequest => return withheld().await,
            Fault::LostAnswer => {
                let _ = self.forward(request).await;
                return withheld().await;
            }
            Fault::Late => {
                self.forward_late(request);
                return withheld().await;
            }
            Fault::InternalErrorDone => drop(self.clone().forward(request.clone()).await),
            _ => {}
        }
        match (fault.answer(), fault) {
            (Some(answer), _) => Ok(whole(answer)),
            (None, Fault::Truncated) => Ok(truncated(self.forward(request).await?)),
            (None, _) => {
                let object = !is_list(&request);
                let answer = self.forward(request).await?;
                Ok(whole(if object { garbled(answer) } else { answer }))
            }
        }
    }

    /// Sends a request on, whether or not its client stays.
    async fn forward(self: Arc<Self>, request: Request<Bytes>) -> Result<Response<Bytes>, Cut> {
        tokio::spawn(async move { self.send(request).await }).await.map_err(|_| Cut)?
    }

    fn forward_late(self: Arc<Self>, request: Request<Bytes>) {
        self.late.fetch_add(1, Ordering::SeqCst);
        tokio::spawn(async move {
            sleep(LATE).await;
            let _ = self.send(request).await;
            self.late.fetch_sub(1, Ordering::SeqCst);
        });
    }

    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, Cut> {
        let (mut head, body) = request.into_parts();
        let is_head = head.method == Method::HEAD;
        let target = head.uri.path_and_query().map_or("/", |target| target.as_str());
        head.uri = format!("{}{target}", self.server).parse().map_err(|_| Cut)?;
        let answer = self.client.request(Request::from_parts(head, Full::new(body))).await;
        let (mut head, body) = answer.map_err(|_| Cut)?.into_parts();
        let body = body.collect().await.map_err(|_| Cut)?.to_bytes();
        self.bytes.fetch_add(body.len() as u64, Ordering::SeqCst);
        head.headers.remove(header::TRANSFER_ENCODING);
        head.headers.remove(header::CONNECTION);
        if !is_head && head.status != 204 {
            head.headers.insert(header::CONTENT_LENGTH, HeaderValue::from(body.len()));
        }
        Ok(Response::from_parts(head, body))
    }
}

/// No answer for longer than any client waits.
async fn withheld() -> Result<Response<Body>, Cut> {
    sleep(WITHHELD).await;
    Err(Cut)
}

fn whole(answer: Response<Bytes>) -> Response<Body> {
    answer.map(|bytes| Full::new(bytes).map_err(|never| match never {}).boxed_unsync())
}

/// Half of the body under the head of all of it.
fn truncated(answer: Response<Bytes>) -> Response<Body> {
    answer.map(|bytes| {
        let part = bytes.slice(..bytes.len() / 2);
        let parts = stream::unfold(Some(part), |part| async move {
            match part {
                Some(part) if !part.is_empty() => Some((Ok(Frame::data(part)), Some(Bytes::new()))),
                Some(_) => {
                    sleep(CUT).await;
                    Some((Err(Cut), None))
                }
                None => None,
            }
        });
        StreamBody::new(parts).boxed_unsync()
    })
}

fn garbled(answer: Response<Bytes>) -> Response<Bytes> {
    let good = answer.status().is_success();
    answer.map(|bytes| {
        let mut damaged = bytes.to_vec();
        let middle = damaged.len() / 2;
        damaged.iter_mut().skip(middle).take(usize::from(good)).for_each(|byte| *byte ^= 1);
        damaged.into()
    })
}
