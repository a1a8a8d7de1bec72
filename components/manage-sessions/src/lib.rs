//! The component `manage-sessions`: creates, lists, changes and deletes sessions, as the door `sessions` and over HTTP; and
//! what lies around them: context entries, relationships, statistics, preferences, the timeline.

mod bindings;
mod changes;
mod contexts;
mod door;
mod http;
mod preferences;
mod relationships;
mod statistics;
mod things;
mod timeline;
mod users;
mod verbs;

use bytes::Bytes;
use http_body_util::Full;
use spin_sdk::http::{Request, Response};
use spin_sdk::http_service;

#[http_service]
async fn handle(request: Request) -> Response<Full<Bytes>> {
    holdfast_kit::serve(request, http::route).await
}
