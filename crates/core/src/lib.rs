//! The nouns of Holdfast: ids and scopes, keys, records and their fold, errors, ports. Touches nothing outside itself.

pub mod clock;
pub mod error;
mod id;
pub mod key;
pub mod ports;

pub use error::{Case, Error, Result};
pub use id::{KeyId, MAX_ID, MessageId, Scope, SessionId, TenantId, UserId};
pub use key::{Key, Prefix};
