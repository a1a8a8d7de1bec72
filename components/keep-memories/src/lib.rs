//! The component `keep-memories`: saves, finds, changes and deletes model memories, as the door `memories` and over HTTP.

mod bindings;
mod door;
mod edit;
mod embed;
mod http;
mod profile;
mod read;
mod ready;
mod save;
mod shown;

use bytes::Bytes;
use http_body_util::Full;
use spin_sdk::http::{Request, Response};
use spin_sdk::http_service;

#[http_service]
async fn handle(request: Request) -> Response<Full<Bytes>> {
    holdfast_kit::serve(request, http::route).await
}
