//! The component `export-training-set`: writes training sets into the bucket, as the door `training` and over HTTP.

mod bindings;
mod door;
mod http;
mod source;
mod wish;

use bytes::Bytes;
use http_body_util::Full;
use spin_sdk::http::{Request, Response};
use spin_sdk::http_service;

#[http_service]
async fn handle(request: Request) -> Response<Full<Bytes>> {
    holdfast_kit::serve(request, http::route).await
}
