//! The HTTP door: listens, limits, finds who answers, and stops without losing what is in flight.

pub(crate) mod body;
pub(crate) mod guest;
mod service;

pub use service::{Check, Extras, Native};

use crate::app::App;
use crate::metrics::Metrics;
use crate::settings::Settings;
use anyhow::{Context, Result};
use hyper_util::rt::{TokioIo, TokioTimer};
use service::Service;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;

/// After an accept that failed (out of file descriptors), this long nothing is accepted.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// A bound server; it answers once [`Server::serve`] runs.
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    service: Arc<Service>,
}

impl Server {
    /// Binds `settings.listen` for `app`.
    pub async fn bind(
        settings: Settings,
        app: App,
        metrics: Arc<Metrics>,
        extras: Extras,
    ) -> Result<Self> {
        let listen = settings.listen;
        let listener =
            TcpListener::bind(listen).await.with_context(|| format!("listen on {listen}"))?;
        let address = listener.local_addr().context("ask for the address")?;
        let service = Arc::new(Service::new(settings, app, metrics, extras, address));
        Ok(Self { listener, address, service })
    }

    /// The address, with the port that was taken.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers until `stop` is ready, then lets what is in flight end, at most for `settings.drain`.
    ///
    /// True when all ended in time.
    pub async fn serve(self, stop: impl Future<Output = ()>) -> bool {
        let mut connections = JoinSet::new();
        let (stopping, stopped) = watch::channel(false);
        let places = Arc::new(Semaphore::new(self.service.settings.max_connections));
        tokio::select! {
            () = self.accept(&mut connections, &places, &stopped) => {}
            () = stop => {}
        }
        drop(self.listener);
        self.service.draining.store(true, Relaxed);
        let _ = stopping.send(true);
        let deadline = Instant::now() + self.service.settings.drain;
        let ended = tokio::time::timeout_at(deadline.into(), async {
            while connections.join_next().await.is_some() {}
        });
        let ended = ended.await.is_ok();
        connections.shutdown().await;
        self.service.app.drained(deadline).await && ended
    }

    async fn accept(
        &self,
        connections: &mut JoinSet<()>,
        places: &Arc<Semaphore>,
        stopped: &watch::Receiver<bool>,
    ) {
        loop {
            let Ok(place) = places.clone().acquire_owned().await else { return };
            let (stream, peer) = match self.listener.accept().await {
                Ok(accepted) => accepted,
                Err(error) => {
                    tracing::warn!("accept a connection: {error}");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                    continue;
                }
            };
            while connections.try_join_next().is_some() {}
            let service = self.service.clone();
            connections.spawn(connection(service, stream, peer, stopped.clone(), place));
        }
    }
}

async fn connection(
    service: Arc<Service>,
    stream: TcpStream,
    peer: SocketAddr,
    mut stopped: watch::Receiver<bool>,
    _place: OwnedSemaphorePermit,
) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!("set TCP_NODELAY: {error}");
    }
    service.metrics.connections.fetch_add(1, Relaxed);
    let answer = {
        let service = service.clone();
        hyper::service::service_fn(move |request| {
            let service = service.clone();
            async move { Ok::<_, std::convert::Infallible>(service.answer(request, peer).await) }
        })
    };
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(service.settings.header_timeout)
        .serve_connection(TokioIo::new(stream), answer);
    let mut connection = std::pin::pin!(connection);
    let result = tokio::select! {
        result = connection.as_mut() => result,
        () = wait(&mut stopped) => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = result {
        tracing::debug!("connection of {peer}: {error}");
    }
    service.metrics.connections.fetch_sub(1, Relaxed);
}

async fn wait(stopped: &mut watch::Receiver<bool>) {
    let _ = stopped.wait_for(|stop| *stop).await;
}
