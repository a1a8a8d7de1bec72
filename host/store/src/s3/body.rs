//! Bodies in and out: received into a draft, sent from an object's file.

use std::io::SeekFrom;
use std::ops::Range;

use bytes::Bytes;
use futures::StreamExt;
use http::HeaderMap;
use s3s::dto::StreamingBlob;
use s3s::{Body, S3Error, S3ErrorCode, S3Result, StdError, TrailingHeaders, s3_error};

use super::answer::blocking;
use super::integrity::Integrity;
use crate::draft::{Draft, Finished};
use crate::fault::Fault;
use crate::files::Handle;

/// Bytes read from a file at a time; what fits is read with the object's description.
const BLOCK: u64 = 1 << 20;

/// Receives a body whole and checks it against all that was announced of it.
pub(super) async fn receive(
    mut draft: Draft,
    body: Option<StreamingBlob>,
    headers: &HeaderMap,
    trailers: Option<&TrailingHeaders>,
) -> S3Result<Finished> {
    let mut integrity = Integrity::announced(headers)?;
    let mut body = body.unwrap_or_else(|| StreamingBlob::from(Body::empty()));
    while let Some(bytes) = body.next().await {
        let bytes = bytes.map_err(broken)?;
        integrity.update(&bytes);
        draft.push(&bytes);
        if draft.is_full() {
            draft = blocking(move || draft.spill().map(|()| draft).map_err(Fault::from)).await?;
        }
    }
    let announced = headers.get(http::header::CONTENT_LENGTH).and_then(|value| value.to_str().ok());
    if announced.is_some_and(|announced| announced != draft.size().to_string()) {
        return Err(s3_error!(IncompleteBody));
    }
    let finished = draft.finish();
    integrity.check(finished.etag.md5, trailers)?;
    Ok(finished)
}

/// s3s keeps the types of its stream errors to itself; their text names them.
fn broken(error: StdError) -> S3Error {
    let text = error.to_string();
    let code = if text.contains("Sha256Mismatch") {
        // Not among s3s's codes, but what AWS answers.
        let mut mismatch = S3Error::with_message(
            S3ErrorCode::Custom("XAmzContentSHA256Mismatch".into()),
            "the body does not have the announced x-amz-content-sha256",
        );
        mismatch.set_status_code(http::StatusCode::BAD_REQUEST);
        return mismatch;
    } else if text.contains("SignatureMismatch") {
        S3ErrorCode::SignatureDoesNotMatch
    } else {
        S3ErrorCode::IncompleteBody
    };
    S3Error::with_source(code, error)
}

/// Bytes of a file on their way out.
pub(super) enum Outgoing {
    /// All of them.
    Whole(Bytes),
    /// A file to read them from, positioned, and how many are left.
    File(Box<dyn Handle>, u64),
}

impl Outgoing {
    /// Reads a range of a file where it is small; blocks.
    pub(super) fn open(mut file: Box<dyn Handle>, range: &Range<u64>) -> Result<Self, Fault> {
        let length = range.end - range.start;
        file.seek(SeekFrom::Start(range.start))?;
        if length > BLOCK {
            return Ok(Self::File(file, length));
        }
        Ok(Self::Whole(block(&mut *file, length)?))
    }

    /// The body of an answer.
    pub(super) fn into_blob(self) -> StreamingBlob {
        match self {
            Self::Whole(bytes) => StreamingBlob::from(Body::from(bytes)),
            Self::File(file, length) => {
                StreamingBlob::wrap(Box::pin(futures::stream::try_unfold((file, length), next)))
            }
        }
    }
}

/// A file, and how many bytes of it are left.
type Rest = (Box<dyn Handle>, u64);

async fn next((mut file, left): Rest) -> Result<Option<(Bytes, Rest)>, Fault> {
    if left == 0 {
        return Ok(None);
    }
    let read = tokio::task::spawn_blocking(move || {
        let bytes = block(&mut *file, left.min(BLOCK))?;
        let left = left - bytes.len() as u64;
        Ok(Some((bytes, (file, left))))
    });
    read.await.unwrap_or_else(|stopped| Err(std::io::Error::other(stopped).into()))
}

fn block(file: &mut dyn Handle, length: u64) -> Result<Bytes, Fault> {
    let mut bytes = vec![0; usize::try_from(length).map_err(|_| Fault::Damaged)?];
    file.read_exact(&mut bytes)?;
    Ok(bytes.into())
}
