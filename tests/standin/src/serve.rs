//! Serving: a route finds its component, and each request gets an instance of its own.

use crate::compose::compose;
use crate::manifest::Manifest;
use crate::outgoing::Outgoing;
use crate::state::{State, link};
use anyhow::{Context, Result, anyhow};
use bytes::Bytes;
use futures::channel::oneshot;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use routefinder::Router;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, OnceLock};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use wasmtime::component::{Component, Linker};
use wasmtime::{AsContextMut, Cache, CacheConfig, Config, Engine, Store};
use wasmtime_wasi_http::handler::{Prepared, ProxyPre};
use wasmtime_wasi_http::p3::bindings::ServicePre;
use wasmtime_wasi_http::{Error, WasiBody, WasiHttpView};

/// A running application, ended when it is dropped.
pub struct Standin {
    /// Where it listens.
    pub address: SocketAddr,
    runtime: Option<Runtime>,
}

/// One component, ready to be instantiated.
pub(crate) struct Guest {
    engine: Engine,
    pre: ProxyPre<State>,
    variables: Arc<BTreeMap<String, String>>,
    outgoing: Outgoing,
}

impl Standin {
    /// Composes, compiles and serves the application; compiled components are kept in `cache`.
    ///
    /// # Errors
    /// What is missing, does not fit, or is not offered by a stock runtime.
    pub fn start(manifest: &Manifest, listen: SocketAddr, cache: &Path) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        let routes = Arc::new(routes(manifest, cache)?);
        let listener = runtime.block_on(TcpListener::bind(listen))?;
        let address = listener.local_addr()?;
        runtime.spawn(accept(listener, routes));
        Ok(Self { address, runtime: Some(runtime) })
    }
}

impl Drop for Standin {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

fn routes(manifest: &Manifest, cache: &Path) -> Result<Router<Arc<Guest>>> {
    let mut config = Config::new();
    config.wasm_component_model_async(true);
    std::fs::create_dir_all(cache)?;
    let mut kept = CacheConfig::new();
    kept.with_directory(std::path::absolute(cache)?);
    config.cache(Some(Cache::new(kept).map_err(|e| anyhow!("{e:#}"))?));
    let engine = Engine::new(&config).map_err(|e| anyhow!("{e:#}"))?;
    let mut linker = Linker::new(&engine);
    link(&mut linker).map_err(|e| anyhow!("{e:#}"))?;
    let (mut guests, all) = (BTreeMap::new(), Arc::new(OnceLock::new()));
    for id in manifest.file.component.keys() {
        let guest =
            guest(manifest, id, &linker, &all).with_context(|| format!("component {id}"))?;
        guests.insert(id.clone(), Arc::new(guest));
    }
    let mut router = Router::new();
    for trigger in &manifest.file.trigger.http {
        let guest = guests.get(&trigger.component).context("a component of that name")?;
        let route = trigger.route.replace("...", "*");
        router.add(route.as_str(), guest.clone()).map_err(|why| anyhow!("{route}: {why}"))?;
    }
    all.get_or_init(|| guests);
    Ok(router)
}

fn guest(
    manifest: &Manifest,
    id: &str,
    linker: &Linker<State>,
    guests: &Arc<OnceLock<BTreeMap<String, Arc<Guest>>>>,
) -> Result<Guest> {
    let entry = manifest.file.component.get(id).context("the component")?;
    let engine = linker.engine();
    let component =
        Component::new(engine, compose(manifest, entry)?).map_err(|e| anyhow!("{e:#}"))?;
    let pre = linker.instantiate_pre(&component).map_err(|e| anyhow!("{e:#}"))?;
    let pre = ProxyPre::P3(ServicePre::new(pre).map_err(|e| anyhow!("{e:#}"))?);
    let fill = |text: &String| manifest.fill(text);
    let variables = entry.variables.iter().map(|(name, text)| Ok((name.clone(), fill(text)?)));
    let hosts = entry.allowed_outbound_hosts.iter().map(fill).collect::<Result<_>>()?;
    Ok(Guest {
        engine: engine.clone(),
        pre,
        variables: Arc::new(variables.collect::<Result<_>>()?),
        outgoing: Outgoing { allowed: Arc::new(hosts), guests: guests.clone() },
    })
}

async fn accept(listener: TcpListener, routes: Arc<Router<Arc<Guest>>>) {
    while let Ok((stream, _)) = listener.accept().await {
        let routes = routes.clone();
        let service = service_fn(move |request| {
            let routes = routes.clone();
            async move { answer(&routes, request).await }
        });
        let serving = hyper::server::conn::http1::Builder::new()
            .serve_connection(TokioIo::new(stream), service);
        tokio::spawn(async move { drop(serving.await) });
    }
}

async fn answer(
    routes: &Router<Arc<Guest>>,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, std::convert::Infallible> {
    let status = |code: http::StatusCode| {
        let mut response = Response::new(Full::default());
        *response.status_mut() = code;
        response
    };
    let path = request.uri().path().to_owned();
    let Some(found) = routes.best_match(&path) else {
        return Ok(status(http::StatusCode::NOT_FOUND));
    };
    let handled = async {
        let request = absolute(request)?.map(|body| body.map_err(Error::Hyper).boxed_unsync());
        found.handler().handle(request).await
    };
    Ok(handled.await.unwrap_or_else(|error| {
        eprintln!("an instance failed: {error:#}");
        status(http::StatusCode::INTERNAL_SERVER_ERROR)
    }))
}

impl Guest {
    /// Serves one request in a fresh instance.
    pub async fn handle(&self, request: Request<WasiBody>) -> Result<Response<Full<Bytes>>> {
        let state = State::new(self.variables.clone(), self.outgoing.clone());
        let mut store = Store::new(&self.engine, state);
        let proxy = self.pre.instantiate_async(&mut store).await.map_err(|e| anyhow!("{e:#}"))?;
        let (tx, rx) = oneshot::channel();
        let whole = store.run_concurrent(async |accessor| {
            let prepared = accessor.with(|mut access| {
                Prepared::new(access.as_context_mut(), &proxy, request, State::http, tx)
            })?;
            let body = async {
                let response = rx.await.map_err(|_| wasmtime::Error::msg("no answer"))??;
                let (head, body) = response.into_parts();
                let body =
                    body.collect().await.map_err(|e| wasmtime::Error::msg(format!("{e:?}")))?;
                Ok(Response::from_parts(head, Full::new(body.to_bytes())))
            };
            let (run, whole) = futures::join!(prepared.run(accessor, std::future::pending()), body);
            run?;
            whole
        });
        let whole: wasmtime::Result<_> = whole.await.flatten();
        whole.map_err(|e| anyhow!("{e:#}"))
    }
}

/// A guest sees the whole URL.
fn absolute(request: Request<Incoming>) -> Result<Request<Incoming>> {
    let (mut head, body) = request.into_parts();
    let host = head.headers.get("host").and_then(|host| host.to_str().ok()).unwrap_or("localhost");
    let path = head.uri.path_and_query().map_or("/", |path| path.as_str());
    head.uri = format!("http://{host}{path}").parse()?;
    Ok(Request::from_parts(head, body))
}
