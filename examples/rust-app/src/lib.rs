//! An application of your own that remembers: `POST /ann` stores what Ann says, and answers with what a model should see next.
#![cfg(target_family = "wasm")]
#![allow(missing_docs, reason = "generated from WIT")]

use holdfast::memory::context::{Need, retrieve};
use holdfast::memory::messages::{Writing, store};
use holdfast::memory::types::{Content, Error, NewMessage, Reading, Scope};
use spin_sdk::http::body::IncomingBodyExt;
use spin_sdk::http::{IntoResponse, Request, StatusCode};
use spin_sdk::http_service;

// Outside this repository: `path: "wit"`, with `target/dist/wit/deps` copied to `wit/deps`.
spin_sdk::wit_bindgen::generate!({
    path: ["../../wit/models", "../../wit/index", "../../wit/memory"],
    inline: "
        package example:rust-app;
        world app {
            import holdfast:memory/messages@0.1.0;
            import holdfast:memory/context@0.1.0;
        }
    ",
    world: "example:rust-app/app",
    runtime_path: "::spin_sdk::wit_bindgen::rt",
    generate_all,
});

#[http_service]
async fn handle(request: Request) -> impl IntoResponse {
    let user = request.uri().path().trim_matches('/').to_owned();
    let said = match request.into_body().bytes().await {
        Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        Err(error) => return (StatusCode::BAD_REQUEST, format!("{error}")),
    };
    match remember(Scope { tenant: "default".into(), user }, said).await {
        Ok(context) => (StatusCode::OK, context),
        Err(error) => (StatusCode::BAD_GATEWAY, format!("{error:?}")),
    }
}

/// Stores what was said, and packs what a model should see next into 500 tokens.
async fn remember(scope: Scope, said: String) -> Result<String, Error> {
    let message = user_message(said.clone());
    let writing = Writing { idempotency_key: None, after: None };
    let stored = store(scope.clone(), "chat".into(), vec![message], writing).await?;
    let need = Need {
        session: Some("chat".into()),
        query: Some(said),
        max_tokens: 500,
        include_conversations: true,
        include_memories: true,
        include_summaries: true,
    };
    // The token of the store: this read sees it, on any host.
    let reading = Reading { consistency: None, after: Some(stored.after), as_of: None };
    Ok(retrieve(scope, need, reading).await?.context)
}

fn user_message(text: String) -> NewMessage {
    NewMessage {
        role: "user".into(),
        content: Content::Text(text),
        name: None,
        id: None,
        parent_id: None,
        event_time: None,
        metadata: None,
        extra: None,
        tool_calls: None,
        tool_call_id: None,
        embedding: None,
    }
}
