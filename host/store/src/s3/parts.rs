//! Uploads in parts: begin, upload, list, complete, abort.

use std::sync::Arc;

use s3s::dto::{
    AbortMultipartUploadInput, AbortMultipartUploadOutput, CompleteMultipartUploadInput,
    CompleteMultipartUploadOutput, CreateMultipartUploadInput, CreateMultipartUploadOutput,
    ListMultipartUploadsInput, ListMultipartUploadsOutput, ListPartsInput, ListPartsOutput,
    MultipartUpload, Part, UploadPartInput, UploadPartOutput,
};
use s3s::{S3Request, S3Response, S3Result, s3_error};

use super::answer::{blocking, etag, length, timestamp};
use super::list::Spelling;
use super::{Answer, body, write};
use crate::condition::WriteCondition;
use crate::head::Attributes;
use crate::store::Store;
use crate::uploads::UploadName;

/// S3's limit on the parts of an upload.
const PARTS: i32 = 10_000;

/// Begins an upload.
pub(super) async fn begin(
    store: &Arc<Store>,
    input: CreateMultipartUploadInput,
) -> Answer<CreateMultipartUploadOutput> {
    store.bucket(&input.bucket)?;
    let attributes = Attributes {
        content_type: input.content_type,
        content_encoding: input.content_encoding,
        content_language: input.content_language,
        content_disposition: input.content_disposition,
        cache_control: input.cache_control,
        metadata: write::metadata(input.metadata)?,
    };
    let (store, bucket, key) = (store.clone(), input.bucket.clone(), input.key.clone());
    let id = blocking(move || store.uploads.begin(&bucket, &key, attributes)).await?;
    Ok(S3Response::new(CreateMultipartUploadOutput {
        bucket: Some(input.bucket),
        key: Some(input.key),
        upload_id: Some(id),
        ..CreateMultipartUploadOutput::default()
    }))
}

/// Keeps a part.
pub(super) async fn upload(
    store: &Arc<Store>,
    req: S3Request<UploadPartInput>,
) -> Answer<UploadPartOutput> {
    let input = req.input;
    store.bucket(&input.bucket)?;
    let number = part_number(input.part_number)?;
    let trailers = req.trailing_headers.as_ref();
    let finished = body::receive(store.draft(), input.body, &req.headers, trailers).await?;
    let name = UploadName { bucket: input.bucket, key: input.key, id: input.upload_id };
    let store = store.clone();
    let head = blocking(move || store.uploads.keep_part(&name, number, finished)).await?;
    let e_tag = Some(etag(head.etag));
    Ok(S3Response::new(UploadPartOutput { e_tag, ..UploadPartOutput::default() }))
}

/// Lists the parts kept so far, in pages by number.
pub(super) async fn list(store: &Arc<Store>, input: ListPartsInput) -> Answer<ListPartsOutput> {
    store.bucket(&input.bucket)?;
    let name = UploadName { bucket: input.bucket, key: input.key, id: input.upload_id };
    let (store, asked) = (store.clone(), name.clone());
    let kept = blocking(move || store.uploads.parts(&asked)).await?;
    let marker = i64::from(input.part_number_marker.unwrap_or(0));
    let max = input.max_parts.unwrap_or(1000).clamp(0, 1000);
    let mut rest = kept.into_iter().filter(|(number, _)| i64::from(*number) > marker);
    let part = |(number, head): (u16, crate::head::Head)| Part {
        part_number: Some(number.into()),
        size: Some(length(head.size)),
        e_tag: Some(etag(head.etag)),
        last_modified: Some(timestamp(head.modified)),
        ..Part::default()
    };
    let parts: Vec<_> = rest.by_ref().take(max.unsigned_abs() as usize).map(part).collect();
    let last = parts.last().and_then(|part| part.part_number);
    Ok(S3Response::new(ListPartsOutput {
        bucket: Some(name.bucket),
        key: Some(name.key),
        upload_id: Some(name.id),
        max_parts: Some(max),
        is_truncated: Some(rest.next().is_some()),
        next_part_number_marker: last,
        parts: Some(parts),
        ..ListPartsOutput::default()
    }))
}

/// Lists the uploads of a bucket that are under way, all in one page.
pub(super) async fn list_uploads(
    store: &Arc<Store>,
    input: ListMultipartUploadsInput,
) -> Answer<ListMultipartUploadsOutput> {
    store.bucket(&input.bucket)?;
    let (store, bucket) = (store.clone(), input.bucket.clone());
    let found = blocking(move || store.uploads.list(&bucket)).await?;
    let prefix = input.prefix.unwrap_or_default();
    let name = Spelling::of(input.encoding_type.as_ref());
    let upload = |(id, head): (String, crate::head::Head)| MultipartUpload {
        key: Some(name.spell(&head.key)),
        upload_id: Some(id),
        initiated: Some(timestamp(head.modified)),
        ..MultipartUpload::default()
    };
    let found = found.into_iter().filter(|(_, head)| head.key.starts_with(&prefix));
    Ok(S3Response::new(ListMultipartUploadsOutput {
        bucket: Some(input.bucket),
        is_truncated: Some(false),
        uploads: Some(found.map(upload).collect()),
        prefix: Some(name.spell(&prefix)),
        encoding_type: input.encoding_type,
        ..ListMultipartUploadsOutput::default()
    }))
}

/// Makes the listed parts one object; the answer means that it is durable.
pub(super) async fn complete(
    store: &Arc<Store>,
    input: CompleteMultipartUploadInput,
) -> Answer<CompleteMultipartUploadOutput> {
    let bucket = store.bucket(&input.bucket)?;
    let listed = input.multipart_upload.and_then(|upload| upload.parts).unwrap_or_default();
    let mut parts = Vec::with_capacity(listed.len());
    for part in listed {
        let number = part_number(part.part_number.unwrap_or(0))?;
        parts.push((number, part.e_tag.map(|etag| etag.into_value())));
    }
    let condition = WriteCondition { if_match: input.if_match, if_none_match: input.if_none_match };
    let name = UploadName { bucket: input.bucket, key: input.key, id: input.upload_id };
    let (store, asked) = (store.clone(), name.clone());
    let head = blocking(move || {
        let written = store.uploads.join(&asked, &parts)?;
        bucket.publish(&written, &condition)?;
        store.uploads.end(&asked)?;
        Ok(written.head)
    })
    .await?;
    Ok(S3Response::new(CompleteMultipartUploadOutput {
        location: Some(format!("/{}/{}", name.bucket, Spelling::Url.spell(&name.key))),
        bucket: Some(name.bucket),
        key: Some(name.key),
        e_tag: Some(etag(head.etag)),
        ..CompleteMultipartUploadOutput::default()
    }))
}

/// Forgets an upload.
pub(super) async fn abort(
    store: &Arc<Store>,
    input: AbortMultipartUploadInput,
) -> Answer<AbortMultipartUploadOutput> {
    store.bucket(&input.bucket)?;
    let name = UploadName { bucket: input.bucket, key: input.key, id: input.upload_id };
    let store = store.clone();
    blocking(move || store.uploads.end(&name)).await?;
    Ok(S3Response::new(AbortMultipartUploadOutput::default()))
}

/// A part's number, 1 to 10,000.
pub(super) fn part_number(given: i32) -> S3Result<u16> {
    match u16::try_from(given) {
        Ok(number) if (1..=PARTS).contains(&given) => Ok(number),
        _ => Err(s3_error!(InvalidArgument, "part number must be 1 to {PARTS}")),
    }
}
