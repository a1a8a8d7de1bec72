//! HTTP out: to the origins that the manifest allows, over a fresh connection each time.

use http_body_util::BodyExt;
use hyper_util::rt::TokioIo;
use std::sync::Arc;
use tokio::net::TcpStream;
use wasmtime_wasi_http::{Error, RequestOptions, Result, WasiBody, WasiHttpHooks};

/// The way out of one component.
#[derive(Clone)]
pub(crate) struct Outgoing(pub Arc<Vec<String>>);

type Sent = (http::Response<WasiBody>, Box<dyn Future<Output = Result<()>> + Send>);

impl WasiHttpHooks for Outgoing {
    fn send_request(
        &mut self,
        request: http::Request<WasiBody>,
        _: Option<RequestOptions>,
        processed: Box<dyn Future<Output = Result<()>> + Send>,
    ) -> Box<dyn Future<Output = Result<Sent>> + Send> {
        drop(processed);
        let allowed = self.0.clone();
        Box::new(async move { send(&allowed, request).await })
    }
}

async fn send(allowed: &[String], mut request: http::Request<WasiBody>) -> Result<Sent> {
    let authority = request.uri().authority().cloned().ok_or(Error::HttpRequestUriInvalid)?;
    let origin = format!("{}://{authority}", request.uri().scheme_str().unwrap_or("http"));
    if !allowed.contains(&origin) {
        return Err(Error::HttpRequestDenied);
    }
    let stream =
        TcpStream::connect(authority.as_str()).await.map_err(|_| Error::ConnectionRefused)?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(Error::Hyper)?;
    tokio::spawn(connection);
    let path = request.uri().path_and_query().map_or("/", |path| path.as_str()).to_owned();
    let host = authority.as_str().parse().map_err(|_| Error::HttpRequestUriInvalid)?;
    request.headers_mut().insert(http::header::HOST, host);
    *request.uri_mut() = path.parse().map_err(|_| Error::HttpRequestUriInvalid)?;
    let response = sender.send_request(request).await.map_err(Error::Hyper)?;
    let response = response.map(|body| body.map_err(Error::Hyper).boxed_unsync());
    Ok((response, Box::new(std::future::ready(Ok(())))))
}
