//! What can go wrong inside the store, before it becomes an S3 answer or a failed start.

use std::io;
use std::path::PathBuf;

/// Why the store could not start or go on.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The address could not be bound.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address asked for.
        address: std::net::SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// Another process serves the same folder.
    #[error("data folder {folder} is in use by another store; stop it or choose another folder")]
    InUse {
        /// The folder asked for.
        folder: PathBuf,
    },
    /// The folder cannot be read or written.
    #[error("cannot use data folder {folder}")]
    Folder {
        /// The folder asked for.
        folder: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A bucket name that S3 does not allow.
    #[error("bucket name {name:?} is not valid: 3 to 63 of a-z, 0-9, '-' and '.'")]
    BucketName {
        /// The name given.
        name: String,
    },
    /// An object was written by a newer store.
    #[error("{file} was written by a newer version of the store; upgrade holdfast to read it")]
    Newer {
        /// The object's file.
        file: PathBuf,
    },
}

/// Why one operation on the store failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Fault {
    #[error("no such bucket")]
    NoSuchBucket,
    #[error("no such key")]
    NoSuchKey,
    #[error("no such upload")]
    NoSuchUpload,
    #[error("a part is missing or is not the one that was uploaded")]
    InvalidPart,
    #[error("parts are not in ascending order")]
    InvalidPartOrder,
    #[error("a part other than the last is smaller than 5 MiB")]
    PartTooSmall,
    #[error("bucket exists already")]
    BucketExists,
    #[error("bucket is not empty")]
    BucketNotEmpty,
    #[error("precondition failed")]
    PreconditionFailed,
    #[error("an earlier sync of the folder failed; restart the store")]
    Unsynced,
    #[error("object file is damaged")]
    Damaged,
    #[error("object file was written by a newer store")]
    Newer,
    #[error("file system error")]
    Io(#[from] io::Error),
}
