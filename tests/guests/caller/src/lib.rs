//! A component with a dependency: answers each request with a greeting from `test:greeter/greetings`.
#![cfg(target_family = "wasm")]
#![allow(missing_docs, reason = "generated from WIT")]

use spin_sdk::http::{IntoResponse, Request};
use spin_sdk::http_service;

spin_sdk::wit_bindgen::generate!({
    path: "../wit",
    world: "caller",
    runtime_path: "::spin_sdk::wit_bindgen::rt",
});

#[http_service]
async fn handle(request: Request) -> impl IntoResponse {
    test::greeter::greetings::greet(request.uri().path().to_owned()).await
}
