//! A component of somebody's application with `manage-sessions` for `holdfast:memory`: each request asks the typed door about
//! the user whom the path names, and answers with what it was told, a line each.
#![cfg(target_family = "wasm")]
#![allow(missing_docs, reason = "generated from WIT")]

use holdfast::memory::sessions::{
    self, Moment, NewContextEntry, NewPreference, NewRelationship, NewSession,
};
use holdfast::memory::types::{Error, Page, Reading, Scope};
use spin_sdk::http::{IntoResponse, Request};
use spin_sdk::http_service;

spin_sdk::wit_bindgen::generate!({
    inline: "
        package test:neighbour@0.1.0;
        world neighbour {
            import holdfast:memory/sessions@0.1.0;
        }
    ",
    path: ["../../../wit/models", "../../../wit/index", "../../../wit/memory"],
    world: "test:neighbour/neighbour@0.1.0",
    runtime_path: "::spin_sdk::wit_bindgen::rt",
    generate_all,
});

#[http_service]
async fn handle(request: Request) -> impl IntoResponse {
    let user = request.uri().path().rsplit('/').next().unwrap_or_default().to_owned();
    let scope = Scope { tenant: "default".to_owned(), user };
    match ask(scope).await {
        Ok(lines) => lines.join("\n"),
        Err(error) => format!("failed: {error:?}"),
    }
}

fn now() -> Reading {
    Reading { consistency: None, after: None, as_of: None }
}

fn entry(value: &str) -> NewContextEntry {
    NewContextEntry {
        value: value.to_owned(),
        relevance_score: Some(0.5),
        metadata: Some("{\"b\" : 1, \"a\":2}".to_owned()),
        expires_at: None,
    }
}

fn refused<T>(what: &str, result: Result<T, Error>) -> String {
    match result {
        Ok(_) => format!("{what}: done"),
        Err(Error::NotFound(problem)) => format!("{what}: not-found {}", problem.reason),
        Err(Error::Conflict(problem)) => format!("{what}: conflict {}", problem.reason),
        Err(Error::Invalid(problem)) => format!("{what}: invalid {}", problem.reason),
        Err(other) => format!("{what}: {other:?}"),
    }
}

async fn ask(scope: Scope) -> Result<Vec<String>, Error> {
    let mut lines = Vec::new();
    for id in ["s", "t"] {
        let (id, name, kind, metadata) = (Some(id.to_owned()), None, None, None);
        let new = NewSession { id, name, kind, metadata };
        sessions::create(scope.clone(), new, None).await?;
    }
    contexts(&scope, &mut lines).await?;
    preferences(&scope, &mut lines).await?;
    relationships(&scope, &mut lines).await?;
    let page = Page { cursor: None, limit: Some(1), descending: false };
    let first = sessions::timeline(scope.clone(), page, now()).await?;
    let page = Page { cursor: first.next_cursor.clone(), limit: None, descending: true };
    let rest = sessions::timeline(scope, page, now()).await?;
    for moment in first.moments.iter().chain(&rest.moments) {
        lines.push(match moment {
            Moment::Session(session) => format!("moment: session {}", session.id),
            Moment::Message(message) => format!("moment: message {}", message.id),
            Moment::Memory(memory) => format!("moment: memory {}", memory.id),
        });
    }
    Ok(lines)
}

async fn contexts(scope: &Scope, lines: &mut Vec<String>) -> Result<(), Error> {
    let put = async |key: &str, new: NewContextEntry, etag: Option<String>| {
        let (session, kind) = ("s".to_owned(), "project".to_owned());
        sessions::put_context(scope.clone(), session, kind, key.to_owned(), new, etag, None).await
    };
    let get = async |key: &str, after: Option<String>| {
        let (session, kind) = ("s".to_owned(), "project".to_owned());
        let how = Reading { after, ..now() };
        sessions::get_context(scope.clone(), session, kind, key.to_owned(), how).await
    };
    let first = put("k", entry("{\"b\":1,\"a\":2}"), None).await?;
    let read = get("k", Some(first.after.clone())).await?;
    lines.push(format!("context: {} {} {}", read.value, read.relevance_score, read.metadata));
    let second = put("k", entry("\"anew\""), Some(first.etag.clone())).await?;
    lines.push(format!("same beginning: {}", second.created_at == first.created_at));
    lines.push(refused("a stale etag", put("k", entry("1"), Some(first.etag)).await));
    lines.push(refused("no JSON", put("k", entry("{"), None).await));
    lines.push(refused("null", put("k", entry("null"), None).await));
    let late = NewContextEntry { relevance_score: Some(1.5), ..entry("1") };
    lines.push(refused("too much", put("k", late, None).await));
    let none = ("none".to_owned(), "project".to_owned(), "k".to_owned());
    let absent =
        sessions::put_context(scope.clone(), none.0, none.1, none.2, entry("1"), None, None);
    lines.push(refused("no session", absent.await));
    put("gone", entry("1"), None).await?;
    let (session, kind) = ("s".to_owned(), "project".to_owned());
    let token =
        sessions::delete_context(scope.clone(), session, kind, "gone".to_owned(), None).await?;
    lines.push(refused("deleted", get("gone", Some(token)).await));
    for kind in [None, Some("user_info".to_owned())] {
        let listed = sessions::list_contexts(scope.clone(), "s".to_owned(), kind, now()).await?;
        let keys: Vec<String> = listed.into_iter().map(|entry| entry.key).collect();
        lines.push(format!("contexts: {}", keys.join(" ")));
    }
    Ok(())
}

async fn preferences(scope: &Scope, lines: &mut Vec<String>) -> Result<(), Error> {
    let put = async |key: &str, value: &str, sensitive: bool| {
        let new = NewPreference { value: value.to_owned(), sensitive, metadata: None };
        sessions::put_preference(scope.clone(), key.to_owned(), new, None, None).await
    };
    put("language", "\"pt\"", false).await?;
    put("pin", "1234", true).await?;
    put("gone", "1", false).await?;
    sessions::delete_preference(scope.clone(), "gone".to_owned(), None).await?;
    let pin = sessions::get_preference(scope.clone(), "pin".to_owned(), now()).await?;
    lines.push(format!("pin: {:?} {}", pin.value, pin.sensitive));
    for one in sessions::list_preferences(scope.clone(), now()).await? {
        lines.push(format!("preference: {} {:?} {}", one.key, one.value, one.metadata));
    }
    Ok(())
}

async fn relationships(scope: &Scope, lines: &mut Vec<String>) -> Result<(), Error> {
    let relate = async |target: &str, kind: &str| {
        let (target, kind) = (target.to_owned(), kind.to_owned());
        let new = NewRelationship { target, kind, score: Some(0.25), metadata: None };
        sessions::relate(scope.clone(), "s".to_owned(), new, None).await
    };
    relate("t", "reference").await?;
    relate("t", "similar").await?;
    lines.push(refused("no target", relate("none", "similar").await));
    lines.push(refused("no type", relate("t", "other").await));
    lines.push(refused("itself", relate("s", "similar").await));
    let (session, kind, target) = ("s".to_owned(), "similar".to_owned(), "t".to_owned());
    sessions::delete_relationship(scope.clone(), session, kind, target, None).await?;
    for one in sessions::list_relationships(scope.clone(), "s".to_owned(), now()).await? {
        lines.push(format!("related: {} {} {} {}", one.source, one.kind, one.target, one.score));
    }
    Ok(())
}
