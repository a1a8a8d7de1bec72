//! The component `remote-models`: vectors and summaries from an OpenAI-compatible API, token counts from nothing outside.

mod ask;
mod bindings;
mod door;
mod write;
