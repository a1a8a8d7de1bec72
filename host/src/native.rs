//! What the host answers itself beside its components: API keys, the doctor; and the check of the bucket's format.

use crate::command::Values;
use crate::doctor::{Doctor, installation};
use crate::http::Native;
use crate::keys::Keys;
use anyhow::Result;
use holdfast_core::record::VERSION;
use holdfast_core::{Case, Error};
use holdfast_index::Index;
use holdfast_ports::bucket;
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

/// Checks that the bucket can be reached and is of a version that this program writes; marks it as that of the installation
/// with this root secret.
///
/// # Errors
/// `newer_format` when a newer program has raised the bucket's version; what the store answers.
pub async fn check_format(
    objects: holdfast_objects::Settings,
    root_secret: String,
) -> holdfast_core::Result<()> {
    apart(async move || {
        let store = bucket(objects)?;
        let marks = installation::marks(&store).await?;
        let newest = marks.iter().map(|mark| mark.version).max().unwrap_or(0);
        if newest > u64::from(VERSION) {
            let detail =
                format!("the bucket has format {newest}, this program writes {VERSION}: upgrade");
            return Err(Error::because(Case::Corrupt, "newer_format", detail));
        }
        let own = installation::fingerprint(&root_secret);
        if !marks.iter().any(|mark| mark.installation.as_deref() == Some(&own)) {
            installation::leave(&store, &own).await?;
        }
        Ok(())
    })
    .await
}

/// The host's own routes, by path; a path that ends in `/` is served with all below it.
pub fn routes(values: &Values, index: &Index) -> Result<BTreeMap<String, Native>> {
    let keys = Keys::new(values)?;
    let doctor = Doctor::new(values, &keys, index.clone())?;
    Ok(BTreeMap::from([
        ("/v1/keys".to_owned(), keys.route()),
        ("/v1/keys/".to_owned(), keys.route()),
        ("/v1/doctor".to_owned(), doctor.route()),
    ]))
}
