//! One append-only journal per user over `Objects`: write, read, follow. See `docs/storage.md` for the protocol.

mod authority;
mod keys;
mod read;
mod write;

pub use authority::{Authority, key_text};
pub use keys::{find_caller, find_key, list_keys, mint_key, revoke_key};
pub use read::{Absorbed, Journal, list, poll};
pub use write::{CLOCK_UNCERTAINTY, Draft, MAX_WRITE, Pen, Written, delete, pass, rewrite, write};
