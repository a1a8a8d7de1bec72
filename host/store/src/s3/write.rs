//! PutObject, DeleteObject and DeleteObjects.

use std::collections::BTreeMap;
use std::sync::Arc;

use s3s::dto::{
    DeleteObjectInput, DeleteObjectOutput, DeleteObjectsInput, DeleteObjectsOutput, DeletedObject,
    Metadata, PutObjectInput, PutObjectOutput,
};
use s3s::{S3Request, S3Response, S3Result, s3_error};

use super::answer::{blocking, etag};
use super::{Answer, body};
use crate::condition::WriteCondition;
use crate::head::Attributes;
use crate::store::Store;

/// S3's limit on the names and values of user metadata together.
const METADATA_BYTES: usize = 2048;
/// S3's limit on the keys of one DeleteObjects.
const KEYS: usize = 1000;

/// Stores an object; the answer means that it is durable.
pub(super) async fn put(
    store: &Arc<Store>,
    req: S3Request<PutObjectInput>,
) -> Answer<PutObjectOutput> {
    let input = req.input;
    let bucket = store.bucket(&input.bucket)?;
    let attributes = Attributes {
        content_type: input.content_type,
        content_encoding: input.content_encoding,
        content_language: input.content_language,
        content_disposition: input.content_disposition,
        cache_control: input.cache_control,
        metadata: metadata(input.metadata)?,
    };
    let condition = WriteCondition { if_match: input.if_match, if_none_match: input.if_none_match };
    let trailers = req.trailing_headers.as_ref();
    let finished = body::receive(store.draft(), input.body, &req.headers, trailers).await?;
    let key = input.key;
    let written = blocking(move || {
        let written = finished.describe(&key, attributes)?;
        bucket.publish(&written, &condition)?;
        Ok(written.head)
    });
    let e_tag = Some(etag(written.await?.etag));
    Ok(S3Response::new(PutObjectOutput { e_tag, ..PutObjectOutput::default() }))
}

/// Removes an object; one that is not there is fine.
pub(super) async fn delete(
    store: &Arc<Store>,
    input: DeleteObjectInput,
) -> Answer<DeleteObjectOutput> {
    let bucket = store.bucket(&input.bucket)?;
    let condition = WriteCondition { if_match: input.if_match, if_none_match: None };
    blocking(move || bucket.delete([input.key.as_str()], &condition)).await?;
    Ok(S3Response::new(DeleteObjectOutput::default()))
}

/// Removes many objects with one sync of the folder.
pub(super) async fn delete_many(
    store: &Arc<Store>,
    input: DeleteObjectsInput,
) -> Answer<DeleteObjectsOutput> {
    let bucket = store.bucket(&input.bucket)?;
    if input.delete.objects.len() > KEYS {
        return Err(s3_error!(MalformedXML, "more than {KEYS} keys"));
    }
    let keys: Vec<_> = input.delete.objects.into_iter().map(|object| object.key).collect();
    let keys = blocking(move || {
        bucket.delete(keys.iter().map(String::as_str), &WriteCondition::default())?;
        Ok(keys)
    });
    let deleted = |key| DeletedObject { key: Some(key), ..DeletedObject::default() };
    let deleted = keys.await?.into_iter().map(deleted).collect();
    let quiet = input.delete.quiet.unwrap_or(false);
    let deleted = Some(deleted).filter(|_| !quiet);
    Ok(S3Response::new(DeleteObjectsOutput { deleted, ..DeleteObjectsOutput::default() }))
}

/// User metadata in a fixed order, within S3's limit.
pub(super) fn metadata(given: Option<Metadata>) -> S3Result<BTreeMap<String, String>> {
    let metadata: BTreeMap<_, _> = given.unwrap_or_default().into_iter().collect();
    let bytes: usize = metadata.iter().map(|(name, value)| name.len() + value.len()).sum();
    if bytes > METADATA_BYTES {
        return Err(s3_error!(MetadataTooLarge));
    }
    Ok(metadata)
}
