//! The store's results and faults in S3's terms.

use std::time::{Duration, UNIX_EPOCH};

use s3s::dto::{ETag, Timestamp};
use s3s::{S3Error, S3ErrorCode, S3Result};

use crate::fault::Fault;
use crate::head::Etag;

impl From<Fault> for S3Error {
    fn from(fault: Fault) -> Self {
        let code = match fault {
            Fault::NoSuchBucket => S3ErrorCode::NoSuchBucket,
            Fault::NoSuchKey => S3ErrorCode::NoSuchKey,
            Fault::NoSuchUpload => S3ErrorCode::NoSuchUpload,
            Fault::InvalidPart => S3ErrorCode::InvalidPart,
            Fault::InvalidPartOrder => S3ErrorCode::InvalidPartOrder,
            Fault::PartTooSmall => S3ErrorCode::EntityTooSmall,
            Fault::BucketExists => S3ErrorCode::BucketAlreadyOwnedByYou,
            Fault::BucketNotEmpty => S3ErrorCode::BucketNotEmpty,
            Fault::PreconditionFailed => S3ErrorCode::PreconditionFailed,
            Fault::Unsynced | Fault::Damaged | Fault::Newer | Fault::Io(_) => {
                tracing::error!(error = &fault as &dyn std::error::Error, "store failed");
                S3ErrorCode::InternalError
            }
        };
        let mut error = Self::with_message(code, fault.to_string());
        error.set_source(Box::new(fault));
        error
    }
}

/// Runs work that blocks; it goes on to its end when the caller goes away.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Fault> + Send + 'static,
) -> S3Result<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done.map_err(S3Error::from),
        Err(error) => Err(S3Error::internal_error(error)),
    }
}

/// A time as S3 writes it in lists, to the millisecond.
pub(super) fn timestamp(milliseconds: u64) -> Timestamp {
    Timestamp::from(UNIX_EPOCH + Duration::from_millis(milliseconds))
}

/// A time as headers carry it, to the second.
pub(super) fn header_time(milliseconds: u64) -> Timestamp {
    Timestamp::from(UNIX_EPOCH + Duration::from_secs(milliseconds / 1000))
}

/// An ETag as headers carry it.
pub(super) fn etag(etag: Etag) -> ETag {
    ETag::Strong(etag.to_string())
}

/// A number of bytes as s3s wants it.
pub(super) fn length(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}
