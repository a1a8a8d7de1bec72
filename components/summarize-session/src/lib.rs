//! The component `summarize-session`: sums up what came first in a session, asked or when it is idle, as the door `summaries` and over HTTP.

mod bindings;
mod door;
mod http;
mod idle;
mod spend;
mod summarize;

use bytes::Bytes;
use http_body_util::Full;
use spin_sdk::http::{Request, Response};
use spin_sdk::http_service;

#[http_service]
async fn handle(request: Request) -> Response<Full<Bytes>> {
    holdfast_kit::serve(request, http::route).await
}
