//! What the host answers itself beside its components: API keys, the doctor, the description of its interface; and what a start
//! asks of the bucket.

use crate::command::Values;
use crate::doctor::{Doctor, installation};
use crate::http::Native;
use crate::keys::Keys;
use crate::openapi;
use anyhow::Result;
use holdfast_core::record::VERSION;
use holdfast_core::{Case, Error};
use holdfast_index::Index;
use holdfast_ports::bucket;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

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

/// Pause before a store that did not answer is asked again, at first; it doubles up to the longest.
const PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// What a start asks of the store, asked again while that does not answer, for `patience`. What it refuses is not.
///
/// # Errors
/// The last error of `ask`.
pub async fn patiently<T>(
    patience: Duration,
    ask: impl AsyncFn() -> holdfast_core::Result<T>,
) -> holdfast_core::Result<T> {
    let (begun, mut pause) = (Instant::now(), PAUSE);
    loop {
        let error = match ask().await {
            Err(error) if ["store_unavailable", "outcome_unknown"].contains(&error.reason) => error,
            done => return done,
        };
        let left = patience.saturating_sub(begun.elapsed());
        if left < pause {
            return Err(error);
        }
        tracing::warn!(
            "{}: the store does not answer this start, which goes on asking for {} s: {error}",
            error.reason,
            left.as_secs()
        );
        tokio::time::sleep(pause).await;
        pause = LONGEST_PAUSE.min(pause * 2);
    }
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
pub fn routes(values: &Values, index: Option<Index>) -> Result<BTreeMap<String, Native>> {
    let keys = Keys::new(values)?;
    let doctor = Doctor::new(values, &keys, index)?;
    let mut routes = openapi::routes();
    routes.insert("/v1/keys".to_owned(), keys.route());
    routes.insert("/v1/keys/".to_owned(), keys.route());
    routes.insert("/v1/doctor".to_owned(), doctor.route());
    Ok(routes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    async fn asked(patience: u64, reason: &'static str, failures: u32) -> (u32, Result<u32>) {
        let tries = Cell::new(0);
        let ask = async || {
            tries.set(tries.get() + 1);
            match tries.get() > failures {
                true => Ok(tries.get()),
                false => Err(Error::because(Case::Unavailable, reason, "no answer")),
            }
        };
        let done = patiently(Duration::from_millis(patience), ask).await;
        (tries.get(), done.map_err(Into::into))
    }

    #[tokio::test]
    async fn a_store_that_does_not_answer_is_asked_again_until_the_deadline() {
        assert_eq!(asked(60_000, "store_unavailable", 2).await.1.unwrap(), 3);
        assert_eq!(asked(0, "store_unavailable", 1).await.0, 1);
        let (tries, done) = asked(600, "outcome_unknown", 9).await;
        assert!((1..4).contains(&tries) && done.is_err());
    }

    #[tokio::test]
    async fn a_store_that_refuses_is_asked_once() {
        let (tries, done) = asked(60_000, "store_refused", 9).await;
        assert!(tries == 1 && done.is_err());
    }
}
