//! CopyObject and UploadPartCopy.

use std::io::{Read, SeekFrom};
use std::sync::Arc;

use s3s::dto::{
    CopyObjectInput, CopyObjectOutput, CopyObjectResult, CopyPartResult, CopySource,
    MetadataDirective, Range, UploadPartCopyInput, UploadPartCopyOutput,
};
use s3s::{S3Response, S3Result, s3_error};

use super::answer::{blocking, etag, timestamp};
use super::parts::part_number;
use super::read::{Conditions, range};
use super::{Answer, write};
use crate::bucket::Opened;
use crate::condition::WriteCondition;
use crate::draft::{Draft, Finished};
use crate::fault::Fault;
use crate::head::Attributes;
use crate::store::Store;
use crate::uploads::UploadName;

/// Copies an object; the answer means that the copy is durable.
pub(super) async fn copy(store: &Arc<Store>, input: CopyObjectInput) -> Answer<CopyObjectOutput> {
    let bucket = store.bucket(&input.bucket)?;
    let replace = input
        .metadata_directive
        .is_some_and(|directive| directive.as_str() == MetadataDirective::REPLACE);
    let conditions = Conditions {
        if_match: input.copy_source_if_match,
        if_none_match: input.copy_source_if_none_match,
        if_modified_since: input.copy_source_if_modified_since,
        if_unmodified_since: input.copy_source_if_unmodified_since,
    };
    let (from_bucket, from_key) = named(&input.copy_source)?;
    if !replace
        && (from_bucket.as_str(), from_key.as_str()) == (input.bucket.as_str(), input.key.as_str())
    {
        return Err(s3_error!(InvalidRequest, "a copy onto itself must replace the metadata"));
    }
    let given = Attributes {
        content_type: input.content_type,
        content_encoding: input.content_encoding,
        content_language: input.content_language,
        content_disposition: input.content_disposition,
        cache_control: input.cache_control,
        metadata: write::metadata(input.metadata)?,
    };
    let source = open(store, from_bucket, from_key, conditions).await?;
    let draft = store.draft();
    let written = blocking(move || {
        let attributes = if replace { given } else { source.head.attributes.clone() };
        let whole = 0..source.head.size;
        let written = take(draft, source, &whole)?.describe(&input.key, attributes)?;
        bucket.publish(&written, &WriteCondition::default())?;
        Ok(written.head)
    });
    let head = written.await?;
    let result = CopyObjectResult {
        e_tag: Some(etag(head.etag)),
        last_modified: Some(timestamp(head.modified)),
        ..CopyObjectResult::default()
    };
    Ok(S3Response::new(CopyObjectOutput {
        copy_object_result: Some(result),
        ..CopyObjectOutput::default()
    }))
}

/// Makes a range of an object a part of an upload.
pub(super) async fn copy_part(
    store: &Arc<Store>,
    input: UploadPartCopyInput,
) -> Answer<UploadPartCopyOutput> {
    store.bucket(&input.bucket)?;
    let conditions = Conditions {
        if_match: input.copy_source_if_match,
        if_none_match: input.copy_source_if_none_match,
        if_modified_since: input.copy_source_if_modified_since,
        if_unmodified_since: input.copy_source_if_unmodified_since,
    };
    let (from_bucket, from_key) = named(&input.copy_source)?;
    let number = part_number(input.part_number)?;
    let wanted = match input.copy_source_range.as_deref().map(Range::parse) {
        Some(Ok(range)) => Some(range),
        Some(Err(_)) => return Err(s3_error!(InvalidArgument, "x-amz-copy-source-range")),
        None => None,
    };
    let source = open(store, from_bucket, from_key, conditions).await?;
    let bytes = range(wanted, &source.head)?;
    let name = UploadName { bucket: input.bucket, key: input.key, id: input.upload_id };
    let (draft, kept_in) = (store.draft(), store.clone());
    let head =
        blocking(move || kept_in.uploads.keep_part(&name, number, take(draft, source, &bytes)?))
            .await?;
    let result = CopyPartResult {
        e_tag: Some(etag(head.etag)),
        last_modified: Some(timestamp(head.modified)),
        ..CopyPartResult::default()
    };
    Ok(S3Response::new(UploadPartCopyOutput {
        copy_part_result: Some(result),
        ..UploadPartCopyOutput::default()
    }))
}

fn named(source: &CopySource) -> S3Result<(String, String)> {
    match source {
        CopySource::Bucket { bucket, key, .. } => Ok((bucket.to_string(), key.to_string())),
        _ => Err(s3_error!(NotImplemented, "only a bucket can be copied from")),
    }
}

async fn open(
    store: &Arc<Store>,
    bucket: String,
    key: String,
    conditions: Conditions,
) -> S3Result<Opened> {
    let bucket = store.bucket(&bucket)?;
    let opened = blocking(move || bucket.open(&key)).await?;
    // A copy has no 304: whatever does not hold is 412.
    conditions.check(&opened.head).map_err(|_| s3_error!(PreconditionFailed))?;
    Ok(opened)
}

fn take(mut draft: Draft, source: Opened, bytes: &std::ops::Range<u64>) -> Result<Finished, Fault> {
    let mut file = source.file;
    file.seek(SeekFrom::Start(bytes.start))?;
    draft.push_from(&mut file.take(bytes.end - bytes.start))?;
    if draft.size() == bytes.end - bytes.start { Ok(draft.finish()) } else { Err(Fault::Damaged) }
}
