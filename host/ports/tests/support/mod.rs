//! What the tests against real servers share.
#![allow(dead_code, clippy::unwrap_used, reason = "each test binary uses a part")]

pub mod versions;

use bytes::Bytes;
use holdfast_objects::Transport;
use holdfast_ports::{Bucket, Limits, ReqwestTransport, bucket};
use holdfast_servers::Server;

/// Runs one claim over a client of its own.
pub fn run_with(server: &Server, claim: impl AsyncFnOnce(&Bucket)) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async { claim(&bucket(server.settings()).unwrap()).await });
}

/// A GET without credentials.
pub async fn plain_get(url: &str) -> (u16, Bytes) {
    let request = http::Request::builder().uri(url).body(Bytes::new()).unwrap();
    let answer = ReqwestTransport::new(Limits::default()).unwrap().send(request).await.unwrap();
    (answer.status().as_u16(), answer.into_body())
}
