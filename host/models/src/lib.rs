//! The models of the native host: sentence vectors, token counts, and how the model's files come here.
//!
//! Feature `engine` (on by default) is everything that thinks. Without it only [`files`] and [`mod@fetch`] remain, which
//! need nothing but a hash function: that is what a build tool wants.

pub mod fetch;
pub mod files;

#[cfg(feature = "engine")]
mod bert;
#[cfg(feature = "engine")]
pub mod embedder;
#[cfg(feature = "engine")]
pub mod error;
#[cfg(feature = "engine")]
pub mod pool;
#[cfg(feature = "engine")]
mod queue;
#[cfg(feature = "engine")]
pub mod tokens;

#[cfg(feature = "engine")]
pub use embedder::Embedder;
#[cfg(feature = "engine")]
pub use error::ModelError;
pub use fetch::{FetchError, fetch, is_present};
#[cfg(feature = "engine")]
pub use pool::{EmbedderPool, PoolSettings, Purpose};
#[cfg(feature = "engine")]
pub use tokens::{TokenCounter, Vocabulary};
