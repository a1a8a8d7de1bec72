//! One append-only journal per user over `Objects`: write, read, follow. See `docs/storage.md` for the protocol.

mod keys;
mod read;
mod write;

pub use keys::{find_caller, mint_key, revoke_key};
pub use read::{Absorbed, Journal, catch_up, fetch, list, poll};
pub use write::{Draft, MAX_WRITE, Pen, Written, write};
