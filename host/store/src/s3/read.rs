//! GetObject and HeadObject.

use std::sync::Arc;

use http::{HeaderMap, HeaderValue, StatusCode};
use s3s::dto::{
    ETagCondition, GetObjectInput, GetObjectOutput, HeadObjectInput, HeadObjectOutput, Range,
    Timestamp,
};
use s3s::{S3Error, S3ErrorCode, S3Response, S3Result, s3_error};

use super::Answer;
use super::answer::{blocking, etag, header_time, length};
use super::body::Outgoing;
use crate::condition::{matches_strongly, matches_weakly};
use crate::head::Head;
use crate::store::Store;

/// What S3 answers for an object that was stored without a type.
const NO_TYPE: &str = "binary/octet-stream";

/// Reads an object, or a range of it.
pub(super) async fn get(store: &Arc<Store>, input: GetObjectInput) -> Answer<GetObjectOutput> {
    let bucket = store.bucket(&input.bucket)?;
    let conditions = Conditions {
        if_match: input.if_match,
        if_none_match: input.if_none_match,
        if_modified_since: input.if_modified_since,
        if_unmodified_since: input.if_unmodified_since,
    };
    let (key, wanted) = (input.key, input.range);
    let opened = blocking(move || {
        let opened = bucket.open(&key)?;
        let range = match conditions.check(&opened.head).and_then(|()| range(wanted, &opened.head))
        {
            Ok(range) => range,
            Err(refused) => return Ok(Err(refused)),
        };
        Ok(Ok((Outgoing::open(opened.file, &range)?, range, opened.head)))
    });
    let (outgoing, range, head) = opened.await??;
    let part = wanted.map(|_| format!("bytes {}-{}/{}", range.start, range.end - 1, head.size));
    Ok(S3Response::new(GetObjectOutput {
        accept_ranges: Some("bytes".to_owned()),
        body: Some(outgoing.into_blob()),
        content_length: Some(length(range.end - range.start)),
        content_range: part,
        e_tag: Some(etag(head.etag)),
        last_modified: Some(header_time(head.modified)),
        content_type: Some(head.attributes.content_type.unwrap_or_else(|| NO_TYPE.to_owned())),
        content_encoding: head.attributes.content_encoding,
        content_language: head.attributes.content_language,
        content_disposition: head.attributes.content_disposition,
        cache_control: head.attributes.cache_control,
        metadata: Some(head.attributes.metadata.into_iter().collect()),
        ..GetObjectOutput::default()
    }))
}

/// Describes an object.
pub(super) async fn head(store: &Arc<Store>, input: HeadObjectInput) -> Answer<HeadObjectOutput> {
    let bucket = store.bucket(&input.bucket)?;
    let conditions = Conditions {
        if_match: input.if_match,
        if_none_match: input.if_none_match,
        if_modified_since: input.if_modified_since,
        if_unmodified_since: input.if_unmodified_since,
    };
    let head = blocking(move || Ok(bucket.open(&input.key)?.head)).await?;
    conditions.check(&head)?;
    Ok(S3Response::new(HeadObjectOutput {
        accept_ranges: Some("bytes".to_owned()),
        content_length: Some(length(head.size)),
        e_tag: Some(etag(head.etag)),
        last_modified: Some(header_time(head.modified)),
        content_type: Some(head.attributes.content_type.unwrap_or_else(|| NO_TYPE.to_owned())),
        content_encoding: head.attributes.content_encoding,
        content_language: head.attributes.content_language,
        content_disposition: head.attributes.content_disposition,
        cache_control: head.attributes.cache_control,
        metadata: Some(head.attributes.metadata.into_iter().collect()),
        ..HeadObjectOutput::default()
    }))
}

/// What a reader asks to hold of the object.
pub(super) struct Conditions {
    pub(super) if_match: Option<ETagCondition>,
    pub(super) if_none_match: Option<ETagCondition>,
    pub(super) if_modified_since: Option<Timestamp>,
    pub(super) if_unmodified_since: Option<Timestamp>,
}

impl Conditions {
    /// Fails with 412 or 304, in the order of RFC 9110, section 13.2.2.
    pub(super) fn check(&self, head: &Head) -> S3Result<()> {
        let modified = header_time(head.modified);
        let as_wanted = match (&self.if_match, &self.if_unmodified_since) {
            (Some(wanted), _) => matches_strongly(wanted, head.etag),
            (None, Some(since)) => modified <= *since,
            (None, None) => true,
        };
        if !as_wanted {
            return Err(s3_error!(PreconditionFailed));
        }
        let changed = match (&self.if_none_match, &self.if_modified_since) {
            (Some(known), _) => !matches_weakly(known, head.etag),
            (None, Some(since)) => modified > *since,
            (None, None) => true,
        };
        if changed { Ok(()) } else { Err(not_modified(head)) }
    }
}

fn not_modified(head: &Head) -> S3Error {
    let mut error = S3Error::new(S3ErrorCode::NotModified);
    error.set_status_code(StatusCode::NOT_MODIFIED);
    let mut headers = HeaderMap::new();
    if let Ok(value) = HeaderValue::try_from(format!("\"{}\"", head.etag)) {
        headers.insert(http::header::ETAG, value);
    }
    error.set_headers(headers);
    error
}

/// The bytes that a request asks for; `InvalidRange` where there is none of them.
pub(super) fn range(wanted: Option<Range>, head: &Head) -> S3Result<std::ops::Range<u64>> {
    let Some(wanted) = wanted else { return Ok(0..head.size) };
    let range = wanted.check(head.size)?;
    if range.is_empty() { Err(s3_error!(InvalidRange)) } else { Ok(range) }
}
