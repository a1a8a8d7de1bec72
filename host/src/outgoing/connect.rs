//! Connections to the outside: a name is resolved, its addresses are checked, and a checked address is connected to.

use super::AllowList;
use http::Uri;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, LazyLock};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// Makes connections for one component.
#[derive(Clone)]
pub(super) struct Connector {
    allow: Arc<AllowList>,
    timeout: Duration,
}

/// Why there is no connection.
#[derive(Debug)]
pub(super) enum Failure {
    NoHost,
    Dns(std::io::Error),
    Prohibited(IpAddr),
    Refused(std::io::Error),
    Tls(std::io::Error),
    Timeout,
}

static TLS: LazyLock<Option<TlsConnector>> = LazyLock::new(|| {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let roots = rustls::RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.into() };
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .ok()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Some(TlsConnector::from(Arc::new(config)))
});

impl Connector {
    pub(super) fn new(allow: Arc<AllowList>, timeout: Duration) -> Self {
        Self { allow, timeout }
    }

    async fn connect(self, uri: Uri) -> Result<Stream, Failure> {
        let host = uri.host().ok_or(Failure::NoHost)?;
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let secure = uri.scheme_str() == Some("https");
        let port = uri.port_u16().unwrap_or(if secure { 443 } else { 80 });
        let tcp = self.reach(host, port).await?;
        if !secure {
            return Ok(Stream::Plain(TokioIo::new(tcp)));
        }
        let name = ServerName::try_from(host.to_owned())
            .map_err(|e| Failure::Tls(std::io::Error::other(e)))?;
        let tls = TLS.as_ref().ok_or_else(|| Failure::Tls(std::io::Error::other("no TLS")))?;
        let tls = tls.connect(name, tcp).await.map_err(Failure::Tls)?;
        Ok(Stream::Tls(TokioIo::new(Box::new(tls))))
    }

    async fn reach(&self, host: &str, port: u16) -> Result<TcpStream, Failure> {
        let addresses = tokio::net::lookup_host((host, port)).await.map_err(Failure::Dns)?;
        let mut failure = None;
        for address in addresses {
            match self.try_address(address).await {
                Ok(tcp) => return Ok(tcp),
                Err(error) => failure = failure.or(Some(error)),
            }
        }
        Err(failure.unwrap_or_else(|| Failure::Dns(std::io::Error::other("no addresses"))))
    }

    async fn try_address(&self, address: SocketAddr) -> Result<TcpStream, Failure> {
        if !self.allow.allows_address(address.ip()) {
            tracing::warn!("outgoing connection refused: {address} is a link-local address");
            return Err(Failure::Prohibited(address.ip()));
        }
        let tcp = TcpStream::connect(address).await.map_err(Failure::Refused)?;
        tcp.set_nodelay(true).map_err(Failure::Refused)?;
        Ok(tcp)
    }
}

impl tower_service::Service<Uri> for Connector {
    type Response = Stream;
    type Error = Failure;
    type Future = Pin<Box<dyn Future<Output = Result<Stream, Failure>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let connector = self.clone();
        Box::pin(async move {
            let timeout = connector.timeout;
            tokio::time::timeout(timeout, connector.connect(uri))
                .await
                .map_err(|_| Failure::Timeout)?
        })
    }
}

impl Failure {
    /// The error that WASI has for it.
    pub(super) fn to_error(&self) -> wasmtime_wasi_http::Error {
        use wasmtime_wasi_http::Error;
        match self {
            Failure::NoHost => Error::HttpRequestUriInvalid,
            Failure::Dns(error) => {
                Error::DnsError { rcode: Some(error.to_string()), info_code: None }
            }
            Failure::Prohibited(_) => Error::DestinationIpProhibited,
            Failure::Refused(_) => Error::ConnectionRefused,
            Failure::Tls(_) => Error::TlsProtocolError,
            Failure::Timeout => Error::ConnectionTimeout,
        }
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Failure::NoHost => f.write_str("the request names no host"),
            Failure::Dns(error) => write!(f, "resolve the host: {error}"),
            Failure::Prohibited(ip) => write!(f, "{ip} is a link-local address"),
            Failure::Refused(error) => write!(f, "connect: {error}"),
            Failure::Tls(error) => write!(f, "TLS: {error}"),
            Failure::Timeout => f.write_str("connecting took too long"),
        }
    }
}

impl std::error::Error for Failure {}

/// A connection, plain or with TLS.
pub(super) enum Stream {
    Plain(TokioIo<TcpStream>),
    Tls(TokioIo<Box<TlsStream<TcpStream>>>),
}

impl Connection for Stream {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}

impl Read for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: ReadBufCursor<'_>,
    ) -> Poll<std::io::Result<()>> {
        match self.get_mut() {
            Stream::Plain(io) => Pin::new(io).poll_read(cx, buf),
            Stream::Tls(io) => Pin::new(io).poll_read(cx, buf),
        }
    }
}

impl Write for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        match self.get_mut() {
            Stream::Plain(io) => Pin::new(io).poll_write(cx, buf),
            Stream::Tls(io) => Pin::new(io).poll_write(cx, buf),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        match self.get_mut() {
            Stream::Plain(io) => Pin::new(io).poll_flush(cx),
            Stream::Tls(io) => Pin::new(io).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        match self.get_mut() {
            Stream::Plain(io) => Pin::new(io).poll_shutdown(cx),
            Stream::Tls(io) => Pin::new(io).poll_shutdown(cx),
        }
    }
}
