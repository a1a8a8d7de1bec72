//! A stand-in for a stock runtime: it composes the dependencies of `spin.toml` and serves its components with wasmtime, WASI,
//! wasi:http and `spin:variables` alone. A fresh instance for every request, a fresh connection for every outgoing one, no
//! option set on any socket. Nothing of Holdfast's host is in it.

mod compose;
mod manifest;
mod outgoing;
mod serve;
mod state;

pub use manifest::Manifest;
pub use serve::Standin;
