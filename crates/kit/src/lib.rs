//! The guest side of the ports: the only crate that knows WASI. HTTP in, the bucket out, settings, credentials, errors.

mod answer;
pub mod attach;
mod auth;
mod call;
mod flow;
mod outside;
mod query;
pub mod read;
mod settings;
mod state;
pub mod things;
pub mod types;
#[doc(hidden)]
#[path = "bindings.rs"]
pub mod wit;
pub mod write;

pub use answer::{Answer, problem};
pub use call::{Call, serve, serve_flowing};
pub use flow::Reply;
pub use holdfast_objects::Reach;
pub use outside::{Bucket, GuestClock, GuestIds, WasiTransport, random};
pub use query::Query;
pub use settings::{Generating, Remote, Settings};
pub use state::{State, state};
pub use wit::{embedder, generator, index, memory, tokens};
