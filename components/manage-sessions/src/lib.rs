//! The component `manage-sessions`: creates, lists, changes and deletes sessions, as the door `sessions` and over HTTP; and
//! what lies around them: attachments, context entries, relationships, statistics, preferences, the timeline.

mod around;
mod attachments;
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

use holdfast_kit::Reply;
use spin_sdk::http::{Request, Response};
use spin_sdk::http_service;

#[http_service]
async fn handle(request: Request) -> Response<Reply> {
    holdfast_kit::serve_flowing(request, http::route).await
}
