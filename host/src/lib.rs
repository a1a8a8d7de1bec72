//! The native host: serves the components of a `spin.toml` over HTTP, each within its limits.
//!
//! Read in this order: [`manifest`] (what is asked for), [`compose`] and [`engine`] (bytes to machine code),
//! [`app`] (components with their pools), [`pool`] (instances and requests), [`http`] (the door).

pub mod admission;
pub mod app;
mod background;
pub mod command;
pub mod compose;
pub mod doctor;
pub mod doors;
pub mod engine;
mod exports;
pub mod http;
mod keys;
pub mod ledger;
pub mod log;
pub mod manifest;
pub mod metrics;
mod native;
pub mod openapi;
mod outgoing;
pub mod pool;
pub mod problem;
pub mod quarantine;
pub mod route;
pub mod settings;
pub mod state;
mod stdio;
mod summaries;
mod tend;
pub mod variables;
pub mod written;

pub use app::App;
pub use http::Server;
pub use settings::Settings;
