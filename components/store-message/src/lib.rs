//! The component `store-message`: stores messages, gives them back and deletes them, as the door `messages` and over HTTP.

mod bindings;
mod chunks;
mod delete;
mod door;
mod embed;
mod feedback;
mod history;
mod http;
mod identity;
mod store;

use bytes::Bytes;
use http_body_util::Full;
use spin_sdk::http::{Request, Response};
use spin_sdk::http_service;

#[http_service]
async fn handle(request: Request) -> Response<Full<Bytes>> {
    holdfast_kit::serve(request, http::route).await
}
