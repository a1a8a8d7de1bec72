//! The component `mcp`: the Model Context Protocol over HTTP, as calls of our own routes within the application.

mod access;
mod http;
mod methods;
mod send;

use bytes::Bytes;
use http_body_util::Full;
use spin_sdk::http::{Request, Response};
use spin_sdk::http_service;

#[http_service]
async fn handle(request: Request) -> Response<Full<Bytes>> {
    holdfast_kit::serve(request, http::route).await
}
