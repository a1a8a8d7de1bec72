//! The doors `embedder` and `tokens`.

use crate::ask::embed;
use crate::bindings::Door;
use crate::bindings::exports::holdfast::models::embedder::{self, Purpose, Vectors};
use crate::bindings::exports::holdfast::models::tokens;
use crate::bindings::holdfast::models::types;
use holdfast_core::{Case, Error, Result, wit_error};
use holdfast_kit::Remote;

wit_error!(types);

impl embedder::Guest for Door {
    async fn embed(
        _tenant: String,
        _purpose: Purpose,
        texts: Vec<String>,
    ) -> Result<Vectors, types::Error> {
        Ok(made(texts).await?)
    }
}

async fn made(texts: Vec<String>) -> Result<Vectors> {
    let remote = Remote::read().await?.ok_or_else(|| {
        let detail = "the setting embed_endpoint is not set: tell the operator";
        Error::because(Case::Unavailable, "model_unavailable", detail)
    })?;
    let values = embed(&remote, &texts).await?;
    Ok(Vectors { space: remote.space(), dimensions: remote.dimensions, values })
}

impl tokens::Guest for Door {
    fn count(texts: Vec<String>) -> Vec<u32> {
        let count = |text: &String| u32::try_from(holdfast_static::count(text));
        texts.iter().map(|text| count(text).unwrap_or(u32::MAX)).collect()
    }
}
