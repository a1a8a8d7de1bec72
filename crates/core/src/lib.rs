//! The nouns of Holdfast: ids and scopes, keys, records and their fold, errors, ports. Touches nothing outside itself.

pub mod access;
pub mod arrival;
pub mod attachment;
pub mod clock;
pub mod context;
pub mod cover;
pub mod dirty;
pub mod erase;
pub mod error;
pub mod facts;
pub mod fold;
pub mod graves;
mod id;
pub mod key;
pub mod manifest;
pub mod memory;
pub mod message;
pub mod order;
pub mod ports;
pub mod purge;
pub mod record;
pub mod retention;
pub mod seal;
pub mod segment;
pub mod session;
pub mod settings;
pub mod space;
pub mod summary;
pub mod thing;
pub mod token;
mod wit;
mod zstd;

pub use error::{Case, Error, Result};
pub use id::{KeyId, MAX_ID, MessageId, Scope, SessionId, TenantId, UserId};
pub use key::{Key, Part, Prefix};
pub use order::{Hlc, Order};
