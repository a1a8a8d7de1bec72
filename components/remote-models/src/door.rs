//! The doors `embedder`, `tokens` and `generator`.

use crate::ask::embed;
use crate::bindings::Door;
use crate::bindings::exports::holdfast::models::embedder::{self, Purpose, Vectors};
use crate::bindings::exports::holdfast::models::generator::{self, Utterance, Written};
use crate::bindings::exports::holdfast::models::tokens;
use crate::bindings::holdfast::models::types;
use crate::write;
use holdfast_core::{Case, Error, Result, wit_error};
use holdfast_kit::{Generating, Remote};
use holdfast_search::summary;

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

impl generator::Guest for Door {
    async fn summarize(
        _tenant: String,
        said: Vec<Utterance>,
        max_tokens: u32,
    ) -> Result<Written, types::Error> {
        Ok(written(said, max_tokens).await?)
    }
}

/// By the model where one is named, else of what was said.
async fn written(said: Vec<Utterance>, max_tokens: u32) -> Result<Written> {
    if let Some(generating) = Generating::read().await? {
        let made = write::summary(&generating, &said, max_tokens).await?;
        let (prompt_tokens, completion_tokens) = (made.prompt_tokens, made.completion_tokens);
        return Ok(Written {
            text: made.text,
            by: generating.model,
            prompt_tokens,
            completion_tokens,
        });
    }
    let said: Vec<summary::Utterance<'_>> = said
        .iter()
        .map(|one| summary::Utterance { speaker: &one.speaker, at: one.at, text: &one.text })
        .collect();
    let text = summary::summarize(&said, max_tokens as usize, holdfast_static::count).text;
    Ok(Written { text, by: summary::BY.to_owned(), prompt_tokens: 0, completion_tokens: 0 })
}
