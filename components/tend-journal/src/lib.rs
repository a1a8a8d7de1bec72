//! The component `tend-journal`: compacts and collects journals in bounded steps, erases users and brings back what was, as the door `upkeep` and
//! over HTTP.

mod bindings;
mod door;
mod erase;
mod expire;
mod http;
mod restore;
mod tend;

use bytes::Bytes;
use http_body_util::Full;
use spin_sdk::http::{Request, Response};
use spin_sdk::http_service;

#[http_service]
async fn handle(request: Request) -> Response<Full<Bytes>> {
    holdfast_kit::serve(request, http::route).await
}
