//! The door `holdfast:models/generator`: a model behind an API where one is named, else what was said.

use super::Door;
use super::generated::holdfast::models::generator as door;
use super::generated::holdfast::models::types::Error as DoorError;
use crate::state::State;
use bytes::Bytes;
use holdfast_core::clock::rfc3339;
use holdfast_core::{Error, Result, space};
use holdfast_formats::generate::{MOST, Written, answer, failed, refused, request};
use holdfast_models::TokenCounter;
use holdfast_objects::{Reach, Transport};
use holdfast_ports::{Limits, ReqwestTransport};
use holdfast_search::summary;
use http::{Request, header};
use std::time::Duration;
use wasmtime::component::{Accessor, Linker};

/// Writes summaries.
#[derive(Default, Clone)]
pub struct Generator(Option<Api>);

/// A model behind an OpenAI-compatible API.
#[derive(Clone)]
struct Api {
    transport: ReqwestTransport,
    url: String,
    key: String,
    model: String,
}

impl Generator {
    /// The API of these settings; none without an endpoint.
    ///
    /// # Errors
    /// `invalid` that names the setting that is wrong; `internal` when TLS cannot be set up.
    pub fn new(
        endpoint: &str,
        path: &str,
        key: &str,
        model: &str,
        deadline: Duration,
    ) -> Result<Self> {
        if endpoint.is_empty() {
            return Ok(Self::default());
        }
        space::generator(endpoint, path, model).map_err(|(name, what)| {
            Error::invalid(format!("the setting {name} {what}")).at(name)
        })?;
        let limits = Limits { request: deadline, body: MOST, ..Limits::default() };
        let transport = ReqwestTransport::new(limits)?;
        let (url, key, model) = (format!("{endpoint}{path}"), key.to_owned(), model.to_owned());
        Ok(Self(Some(Api { transport, url, key, model })))
    }

    async fn summarize(
        &self,
        tokens: TokenCounter,
        said: Vec<door::Utterance>,
        max_tokens: u32,
    ) -> Result<door::Written> {
        if let Some(api) = &self.0 {
            let made = api.summary(&said, max_tokens).await?;
            let (prompt_tokens, completion_tokens) = (made.prompt_tokens, made.completion_tokens);
            let (text, by) = (made.text, api.model.clone());
            return Ok(door::Written { text, by, prompt_tokens, completion_tokens });
        }
        let made = tokio::task::spawn_blocking(move || {
            let said: Vec<summary::Utterance<'_>> = said
                .iter()
                .map(|one| summary::Utterance {
                    speaker: &one.speaker,
                    at: one.at,
                    text: &one.text,
                })
                .collect();
            summary::summarize(&said, max_tokens as usize, |text| tokens.count(text)).text
        });
        let text = made
            .await
            .map_err(|e| Error::internal("a thread of the host ended early").caused_by(e))?;
        let by = summary::BY.to_owned();
        Ok(door::Written { text, by, prompt_tokens: 0, completion_tokens: 0 })
    }
}

impl Api {
    /// Asks once: what it cost, it has cost.
    async fn summary(&self, said: &[door::Utterance], max_tokens: u32) -> Result<Written> {
        let lines = said.iter().map(|one| (&*one.speaker, one.at.map(rfc3339), &*one.text));
        let body = request(&self.model, lines, max_tokens);
        let mut builder = Request::post(&self.url).header(header::CONTENT_TYPE, "application/json");
        if !self.key.is_empty() {
            builder = builder.header(header::AUTHORIZATION, format!("Bearer {}", self.key));
        }
        let request = builder.body(Bytes::from(body)).map_err(|e| {
            refused("cannot be asked: check generate_path and generate_key").caused_by(e)
        })?;
        let given = self.transport.send(request).await;
        let given = given.map_err(|e| match e.reach {
            Reach::NotSent => refused("cannot be reached").caused_by(e),
            _ => failed("cannot be reached in time").caused_by(e),
        })?;
        answer(given.status().as_u16(), given.body(), max_tokens)
    }
}

impl door::Host for &mut State {}

impl<T: Send + 'static> door::HostWithStore<T> for Door {
    async fn summarize(
        accessor: &Accessor<T, Self>,
        _tenant: String,
        said: Vec<door::Utterance>,
        max_tokens: u32,
    ) -> wasmtime::Result<Result<door::Written, DoorError>> {
        let doors = accessor.with(|mut access| access.get().doors.clone());
        let (generator, tokens) = (doors.models.generator.clone(), doors.models.tokens);
        Ok(generator.summarize(tokens, said, max_tokens).await.map_err(DoorError::from))
    }
}

pub(super) fn link(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    door::add_to_linker::<_, Door>(linker, |state| state)
}
