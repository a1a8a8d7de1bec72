//! The embedded S3 store of Holdfast: an S3 server for one machine over a folder.
//!
//! Protocol and signatures are the crate `s3s`; the backend is ours, because it promises
//! more than a demonstration does:
//! - an answer means durable: the file is synced, then named, then its folder is synced;
//! - a crash or a loss of power at any point leaves the old object or the new one, whole, or none
//!   (`s3/power/` cuts it behind every step), and what is shown after it stays;
//! - of any number of writers with `If-None-Match: *` exactly one wins, and no swap under
//!   `If-Match` is lost;
//! - LIST is exact after each answer, in byte order of the keys, from memory.
//!
//! One process serves a folder at a time. A key costs about its length + 140 bytes of memory.

mod bucket;
mod condition;
mod disk;
mod draft;
mod fault;
mod files;
mod head;
mod index;
mod load;
mod s3;
mod server;
mod store;
mod uploads;

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;

pub use fault::Error;
pub use server::{Running, serve};

/// What a store is started with.
#[derive(Clone)]
pub struct Settings {
    /// Where objects are kept; made where it is missing.
    pub data_dir: PathBuf,
    /// Buckets to make where they are missing.
    pub buckets: Vec<String>,
    /// The access key that requests must be signed with.
    pub access_key: String,
    /// Its secret.
    pub secret_key: String,
    /// Where to listen; port 0 lets the system choose.
    pub listen: SocketAddr,
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("data_dir", &self.data_dir)
            .field("buckets", &self.buckets)
            .field("access_key", &self.access_key)
            .field("listen", &self.listen)
            .finish_non_exhaustive()
    }
}
