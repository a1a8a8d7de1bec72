//! HTTP out: to the origins that the manifest allows, over a fresh connection each time; to a component of the application
//! in process.

use crate::serve::Guest;
use http_body_util::BodyExt;
use hyper_util::rt::TokioIo;
use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};
use tokio::net::TcpStream;
use wasmtime_wasi_http::{Error, RequestOptions, Result, WasiBody, WasiHttpHooks};

/// The way out of one component.
#[derive(Clone)]
pub(crate) struct Outgoing {
    /// What the manifest allows, variables filled in.
    pub allowed: Arc<Vec<String>>,
    /// All components, once all are there.
    pub guests: Arc<OnceLock<BTreeMap<String, Arc<Guest>>>>,
}

type Sent = (http::Response<WasiBody>, Box<dyn Future<Output = Result<()>> + Send>);

impl WasiHttpHooks for Outgoing {
    fn send_request(
        &mut self,
        request: http::Request<WasiBody>,
        _: Option<RequestOptions>,
        processed: Box<dyn Future<Output = Result<()>> + Send>,
    ) -> Box<dyn Future<Output = Result<Sent>> + Send> {
        drop(processed);
        let outgoing = self.clone();
        Box::new(async move { outgoing.send(request).await })
    }
}

impl Outgoing {
    async fn send(&self, request: http::Request<WasiBody>) -> Result<Sent> {
        let authority = request.uri().authority().cloned().ok_or(Error::HttpRequestUriInvalid)?;
        let origin = format!("{}://{authority}", request.uri().scheme_str().unwrap_or("http"));
        if !self.allowed.contains(&origin) {
            return Err(Error::HttpRequestDenied);
        }
        let response = match authority.as_str().strip_suffix(".spin.internal") {
            Some(id) => self.within(id, request).await?,
            None => out(&authority, request).await?,
        };
        Ok((response, Box::new(std::future::ready(Ok(())))))
    }

    async fn within(
        &self,
        id: &str,
        request: http::Request<WasiBody>,
    ) -> Result<http::Response<WasiBody>> {
        let guest = self.guests.get().and_then(|guests| guests.get(id));
        let guest = guest.ok_or(Error::DestinationNotFound)?.clone();
        let answer = tokio::spawn(async move { guest.handle(request).await }).await;
        let answer = answer.map_err(|e| Error::InternalError(Some(e.to_string())))?;
        let answer = answer.map_err(|e| Error::InternalError(Some(format!("{e:#}"))))?;
        Ok(answer.map(|body| body.map_err(|never| match never {}).boxed_unsync()))
    }
}

async fn out(
    authority: &http::uri::Authority,
    mut request: http::Request<WasiBody>,
) -> Result<http::Response<WasiBody>> {
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
    Ok(response.map(|body| body.map_err(Error::Hyper).boxed_unsync()))
}
