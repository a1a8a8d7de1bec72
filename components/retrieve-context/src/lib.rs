//! The component `retrieve-context`: finds messages and packs a context, as the door `context` and over HTTP.

mod bindings;
mod door;
mod http;
mod known;
mod retrieve;
mod search;

use bytes::Bytes;
use http_body_util::Full;
use spin_sdk::http::{Request, Response};
use spin_sdk::http_service;

#[http_service]
async fn handle(request: Request) -> Response<Full<Bytes>> {
    holdfast_kit::serve(request, http::route).await
}
