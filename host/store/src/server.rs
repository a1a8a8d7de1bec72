//! Accepts connections and ends them in good order.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use s3s::service::S3Service;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::fault::Error;
use crate::files::Disk;
use crate::store::Store;
use crate::{Settings, s3};

/// How long requests in flight may take to end after a shutdown began.
const DRAIN: Duration = Duration::from_secs(30);
/// How long a connection may be idle; above the 90 s after which usual clients drop theirs,
/// so that none is closed under a request.
const IDLE: Duration = Duration::from_secs(120);
/// How long to wait after the system refused a connection, for want of file handles say.
const REFUSED: Duration = Duration::from_millis(50);

/// A store that serves. Dropping it stops it too, without waiting for that.
#[derive(Debug)]
pub struct Running {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    served: JoinHandle<()>,
}

impl Running {
    /// Where the store listens, with the port that the system chose for port 0.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Takes no more connections, lets requests in flight finish (30 s at most) and
    /// releases the data folder.
    pub async fn shutdown(self) {
        drop(self.stop);
        if let Err(error) = self.served.await {
            tracing::error!(error = &error as &dyn std::error::Error, "store stopped early");
        }
    }
}

/// Opens the data folder, makes the buckets that are missing and serves S3.
///
/// # Errors
/// When the folder cannot be used, is in use, or holds what a newer version wrote; when a
/// bucket's name is not valid; when the address cannot be bound.
pub async fn serve(settings: Settings) -> Result<Running, Error> {
    let Settings { data_dir, buckets, access_key, secret_key, listen } = settings;
    let opened = {
        let data_dir = data_dir.clone();
        tokio::task::spawn_blocking(move || Store::open(Arc::new(Disk), &data_dir, &buckets)).await
    };
    let store = opened.map_err(|stopped| Error::Folder {
        folder: data_dir,
        source: std::io::Error::other(stopped),
    })??;
    let bind = |source| Error::Listen { address: listen, source };
    let listener = TcpListener::bind(listen).await.map_err(bind)?;
    let address = listener.local_addr().map_err(bind)?;
    let service = s3::service(Arc::new(store), access_key, secret_key);
    let (stop, stopped) = oneshot::channel();
    let served = tokio::spawn(accept(listener, service, stopped));
    Ok(Running { address, stop, served })
}

async fn accept(listener: TcpListener, service: S3Service, mut stopped: oneshot::Receiver<()>) {
    let connections = GracefulShutdown::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = &mut stopped => break,
        };
        match accepted {
            Ok((socket, _)) => connect(socket, &service, &connections),
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "connection refused");
                tokio::time::sleep(REFUSED).await;
            }
        }
    }
    drop(listener);
    if tokio::time::timeout(DRAIN, connections.shutdown()).await.is_err() {
        tracing::warn!("requests were still in flight when the store stopped");
    }
}

fn connect(socket: TcpStream, service: &S3Service, connections: &GracefulShutdown) {
    if let Err(error) = socket.set_nodelay(true) {
        tracing::debug!(error = &error as &dyn std::error::Error, "no TCP_NODELAY");
    }
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(IDLE)
        .serve_connection(TokioIo::new(socket), service.clone());
    let connection = connections.watch(connection);
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(error = &error as &dyn std::error::Error, "connection ended early");
        }
    });
}
