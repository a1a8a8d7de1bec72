//! What the host answers itself beside its components: API keys, the description of its interface, the check of the bucket's format.

use crate::command::Values;
use crate::http::Native;
use crate::keys::Keys;
use crate::openapi;
use anyhow::Result;
use bytes::Bytes;
use holdfast_core::ports::{Ids, Objects};
use holdfast_core::record::VERSION;
use holdfast_core::{Case, Error, Key, key};
use holdfast_ports::{SystemIds, bucket};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Runs something that needs the bucket where nobody else waits: ports are not `Send`.
///
/// # Errors
/// What `work` answers; `internal` when its thread ended.
pub async fn apart<T: Send + 'static>(
    work: impl AsyncFnOnce() -> holdfast_core::Result<T> + Send + 'static,
) -> holdfast_core::Result<T> {
    let ended = || Error::internal("a thread of the host ended early");
    tokio::task::spawn_blocking(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.map_err(|e| ended().caused_by(e))?.block_on(work())
    })
    .await
    .map_err(|e| ended().caused_by(e))?
}

/// Checks that the bucket can be reached and is of a version that this program writes; marks a new one.
///
/// # Errors
/// `newer_format` when a newer program has raised the bucket's version; what the store answers.
pub async fn check_format(objects: holdfast_objects::Settings) -> holdfast_core::Result<()> {
    apart(async move || {
        let store = bucket(objects)?;
        let prefix = key::formats();
        let found = store.list(&prefix, None).await?;
        let mut newest = 0;
        for listed in &found.objects {
            let Some(key) = Key::below(&prefix, &listed.key) else { continue };
            let bytes = store.get(&key).await?.unwrap_or_default();
            let record: Value = serde_json::from_slice(&bytes).unwrap_or_default();
            newest = newest.max(record.get("v").and_then(Value::as_u64).unwrap_or(0));
        }
        if newest > u64::from(VERSION) {
            let detail =
                format!("the bucket has format {newest}, this program writes {VERSION}: upgrade");
            return Err(Error::because(Case::Corrupt, "newer_format", detail));
        }
        if newest == 0 {
            let mut random = [0; 16];
            random[6..].copy_from_slice(&SystemIds.random());
            let ulid = ulid::Ulid::from_parts(store.now(), u128::from_be_bytes(random));
            let record = serde_json::to_vec(&json!({"v": VERSION})).unwrap_or_default();
            store.put(&key::format(ulid), Bytes::from(record)).await?;
        }
        Ok(())
    })
    .await
}

/// The host's own routes, by path; a path that ends in `/` is served with all below it.
pub fn routes(values: &Values) -> Result<BTreeMap<String, Native>> {
    let keys = Keys::new(values)?;
    let mut routes = openapi::routes();
    routes.insert("/v1/keys".to_owned(), keys.route());
    routes.insert("/v1/keys/".to_owned(), keys.route());
    Ok(routes)
}
