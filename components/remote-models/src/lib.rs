//! The component `remote-models`: vectors from an OpenAI-compatible API, token counts from nothing outside.

mod ask;
mod bindings;
mod door;
