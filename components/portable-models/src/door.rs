//! The doors `embedder` and `tokens` over the table that was built in, and `generator` over what was said.

use crate::bindings::Door;
use crate::bindings::exports::holdfast::models::embedder::{self, Purpose, Vectors};
use crate::bindings::exports::holdfast::models::generator::{self, Utterance, Written};
use crate::bindings::exports::holdfast::models::tokens;
use crate::bindings::holdfast::models::types;
use holdfast_core::{Case, Error, Result, space, wit_error};
use holdfast_search::summary;
use holdfast_static::Table;

/// Empty where the build had no model.
static TABLE: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/table"));

wit_error!(types);

impl embedder::Guest for Door {
    async fn embed(
        _tenant: String,
        _purpose: Purpose,
        texts: Vec<String>,
    ) -> Result<Vectors, types::Error> {
        Ok(embed(&texts)?)
    }
}

fn embed(texts: &[String]) -> Result<Vectors> {
    if TABLE.is_empty() {
        let detail = "this component was built without its table: run `cargo xtask model` and build it again";
        return Err(Error::because(Case::Unavailable, "model_unavailable", detail));
    }
    let table = Table::read(TABLE)?;
    Ok(Vectors {
        space: space::PORTABLE.to_owned(),
        dimensions: u32::try_from(table.dimensions()).unwrap_or(u32::MAX),
        values: texts.iter().flat_map(|text| table.embed(text)).collect(),
    })
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
        Ok(extract(&said, max_tokens))
    }
}

/// What was said in short, of its own statements.
fn extract(said: &[Utterance], max_tokens: u32) -> Written {
    let said: Vec<summary::Utterance<'_>> = said
        .iter()
        .map(|one| summary::Utterance { speaker: &one.speaker, at: one.at, text: &one.text })
        .collect();
    let text = summary::summarize(&said, max_tokens as usize, holdfast_static::count).text;
    Written { text, by: summary::BY.to_owned(), prompt_tokens: 0, completion_tokens: 0 }
}
