//! The door `holdfast:models/embedder`: the native model, when it is there.

use super::generated::holdfast::models::embedder as door;
use super::generated::holdfast::models::types::Error as DoorError;
use super::{Door, Generator};
use crate::state::State;
use holdfast_core::{Case, Error, Result};
use holdfast_models::{EmbedderPool, ModelError, Purpose, TokenCounter};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};
use wasmtime::component::{Accessor, Linker};

/// A question waits this long for its vector, whatever passages may.
const QUERY_DEADLINE: Duration = Duration::from_secs(5);

/// The native models.
pub struct Models {
    /// Makes vectors; empty until the model is loaded.
    pub embedder: Arc<OnceLock<EmbedderPool>>,
    /// Counts tokens.
    pub tokens: TokenCounter,
    /// Writes summaries.
    pub generator: Generator,
    /// Longest wait for passages.
    pub embed_deadline: Duration,
}

impl Default for Models {
    fn default() -> Self {
        let embed_deadline = Duration::from_secs(5);
        let (embedder, tokens) = (Arc::default(), TokenCounter::default());
        Self { embedder, tokens, generator: Generator::default(), embed_deadline }
    }
}

/// Vectors, flat.
pub struct Made {
    /// Id of the embedding space.
    pub space: String,
    /// Components of one vector.
    pub dimensions: usize,
    /// Components, in the order of the texts.
    pub values: Vec<f32>,
}

impl Models {
    /// One vector a text.
    ///
    /// # Errors
    /// `model_unavailable` when the model is not there; `exhausted` when too many wait.
    pub async fn embed(&self, tenant: &str, purpose: Purpose, texts: Vec<String>) -> Result<Made> {
        let pool = self.embedder.get().ok_or_else(missing)?;
        let wait = match purpose {
            Purpose::Query => QUERY_DEADLINE,
            Purpose::Passage => self.embed_deadline,
        };
        let vectors = if texts.is_empty() {
            Vec::new()
        } else {
            let deadline = Instant::now() + wait;
            pool.embed_until(deadline, tenant, purpose, texts).await.map_err(failed)?
        };
        Ok(Made {
            space: pool.embedder().space().to_owned(),
            dimensions: pool.embedder().dimensions(),
            values: vectors.into_iter().flatten().collect(),
        })
    }
}

fn missing() -> Error {
    let detail = "the embedding model is not there: fetch it with `cargo xtask model`";
    Error::because(Case::Unavailable, "model_unavailable", detail)
}

fn failed(error: ModelError) -> Error {
    let case = if matches!(error, ModelError::Busy) { Case::Exhausted } else { Case::Unavailable };
    let reason = if case == Case::Exhausted { "exhausted" } else { "model_unavailable" };
    Error::because(case, reason, error.to_string())
}

impl door::Host for &mut State {}

impl<T: Send + 'static> door::HostWithStore<T> for Door {
    async fn embed(
        accessor: &Accessor<T, Self>,
        tenant: String,
        purpose: door::Purpose,
        texts: Vec<String>,
    ) -> wasmtime::Result<Result<door::Vectors, DoorError>> {
        let doors = accessor.with(|mut access| access.get().doors.clone());
        let purpose = match purpose {
            door::Purpose::Passage => Purpose::Passage,
            door::Purpose::Query => Purpose::Query,
        };
        let made = doors.models.embed(&tenant, purpose, texts).await;
        Ok(made.map_err(DoorError::from).map(|made| door::Vectors {
            space: made.space,
            dimensions: u32::try_from(made.dimensions).unwrap_or(u32::MAX),
            values: made.values,
        }))
    }
}

pub(super) fn link(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    door::add_to_linker::<_, Door>(linker, |state| state)
}
