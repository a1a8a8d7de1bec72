//! A store over a file system that can lose its power, and what is asked of it.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use futures::TryStreamExt;
use http::{Extensions, HeaderMap, Method, Uri};
use s3s::crypto::{Checksum as _, Md5};
use s3s::dto::*;
use s3s::{Body, S3, S3Request};

use super::medium::Medium;
use crate::s3::Backend;
use crate::store::Store;

pub(super) const BUCKET: &str = "holdfast";

/// One request.
#[derive(Debug, Clone, Copy)]
pub(super) enum Act {
    Put(&'static str, usize),
    PutNew(&'static str, usize),
    Copy(&'static str, &'static str),
    Delete(&'static str),
    DeleteMany(&'static [&'static str]),
    Begin(&'static str),
    Part(&'static str, i32, usize),
    Complete(&'static str),
    Abort(&'static str),
    MakeBucket(&'static str),
    DropBucket(&'static str),
}

/// All that a store shows: of each name what it holds.
pub(super) type Shown = BTreeMap<String, Bytes>;

/// A store that runs.
pub(super) struct Machine {
    backend: Backend,
}

fn request<T>(input: T) -> S3Request<T> {
    S3Request {
        input,
        method: Method::GET,
        uri: Uri::default(),
        headers: HeaderMap::new(),
        extensions: Extensions::new(),
        credentials: None,
        region: None,
        service: None,
        trailing_headers: None,
    }
}

fn body(key: &str, size: usize) -> Option<StreamingBlob> {
    let bytes: Vec<u8> = key.bytes().cycle().take(size).collect();
    Some(StreamingBlob::from(Body::from(Bytes::from(bytes))))
}

/// An answer's error code.
type Refused = String;

macro_rules! ask {
    ($machine:expr, $operation:ident, $input:expr) => {
        match $machine.backend.$operation(request($input)).await {
            Ok(answer) => Ok(answer.output),
            Err(refused) => Err(refused.code().as_str().to_owned()),
        }
    };
}

impl Machine {
    /// Opens the store; fails where the power goes meanwhile.
    pub(super) fn start(medium: &Medium) -> Result<Self, crate::Error> {
        let root = std::path::Path::new("/srv/data");
        let store = Store::open(Arc::new(medium.clone()), root, &[BUCKET.to_owned()])?;
        Ok(Self { backend: Backend { store: Arc::new(store) } })
    }

    /// Asks for one thing; `ids` are those of uploads by key.
    pub(super) async fn act(
        &self,
        act: Act,
        ids: &mut BTreeMap<&'static str, String>,
    ) -> Result<(), Refused> {
        let bucket = BUCKET.to_owned();
        let id = |key: &str| ids.get(key).cloned().unwrap_or_default();
        match act {
            Act::Put(key, size) => {
                let body = body(key, size);
                let input = PutObjectInput { bucket, key: key.into(), body, ..Default::default() };
                ask!(self, put_object, input).map(drop)
            }
            Act::PutNew(key, size) => {
                let (body, if_none_match) = (body(key, size), Some(ETagCondition::Any));
                let key = key.into();
                let input =
                    PutObjectInput { bucket, key, body, if_none_match, ..Default::default() };
                ask!(self, put_object, input).map(drop)
            }
            Act::Copy(from, key) => {
                let copy_source = CopySource::Bucket {
                    bucket: BUCKET.into(),
                    key: from.into(),
                    version_id: None,
                };
                let input = CopyObjectInput::builder().bucket(bucket).key(key.into());
                let input = input.copy_source(copy_source).build().unwrap();
                ask!(self, copy_object, input).map(drop)
            }
            Act::Delete(key) => {
                let input = DeleteObjectInput { bucket, key: key.into(), ..Default::default() };
                ask!(self, delete_object, input).map(drop)
            }
            Act::DeleteMany(keys) => {
                let object =
                    |key: &&str| ObjectIdentifier { key: (*key).into(), ..Default::default() };
                let delete =
                    Delete { objects: keys.iter().map(object).collect(), ..Default::default() };
                let input = DeleteObjectsInput::builder().bucket(bucket).delete(delete);
                ask!(self, delete_objects, input.build().unwrap()).map(drop)
            }
            Act::Begin(key) => {
                let given = key.into();
                let input = CreateMultipartUploadInput { bucket, key: given, ..Default::default() };
                let begun = ask!(self, create_multipart_upload, input)?;
                ids.insert(key, begun.upload_id.unwrap());
                Ok(())
            }
            Act::Part(key, part_number, size) => {
                let (body, upload_id) = (body(key, size), id(key));
                let key = key.into();
                let input = UploadPartInput {
                    bucket,
                    key,
                    body,
                    part_number,
                    upload_id,
                    ..Default::default()
                };
                ask!(self, upload_part, input).map(drop)
            }
            Act::Complete(key) => {
                let (upload_id, key) = (id(key), key.to_owned());
                let input = ListPartsInput {
                    bucket: bucket.clone(),
                    key: key.clone(),
                    upload_id: upload_id.clone(),
                    ..Default::default()
                };
                let part = |part: Part| CompletedPart {
                    part_number: part.part_number,
                    e_tag: part.e_tag,
                    ..Default::default()
                };
                let kept = ask!(self, list_parts, input)?.parts.unwrap_or_default();
                let parts = Some(kept.into_iter().map(part).collect());
                let multipart_upload = Some(CompletedMultipartUpload { parts });
                let input = CompleteMultipartUploadInput {
                    bucket,
                    key,
                    upload_id,
                    multipart_upload,
                    ..Default::default()
                };
                ask!(self, complete_multipart_upload, input).map(drop)
            }
            Act::Abort(key) => {
                let (upload_id, key) = (id(key), key.into());
                let input =
                    AbortMultipartUploadInput { bucket, key, upload_id, ..Default::default() };
                ask!(self, abort_multipart_upload, input).map(drop)
            }
            Act::MakeBucket(bucket) => {
                let input = CreateBucketInput { bucket: bucket.into(), ..Default::default() };
                ask!(self, create_bucket, input).map(drop)
            }
            Act::DropBucket(bucket) => {
                let input = DeleteBucketInput { bucket: bucket.into(), ..Default::default() };
                ask!(self, delete_bucket, input).map(drop)
            }
        }
    }

    /// Reads all that is there; every object is whole, as its ETag says.
    pub(super) async fn shown(&self) -> Result<Shown, Refused> {
        let mut shown = Shown::new();
        let buckets = ask!(self, list_buckets, ListBucketsInput::default())?;
        for bucket in buckets.buckets.unwrap_or_default() {
            let bucket = bucket.name.unwrap();
            shown.insert(format!("bucket {bucket}"), Bytes::new());
            self.objects(&bucket, &mut shown).await?;
            self.uploads(&bucket, &mut shown).await?;
        }
        Ok(shown)
    }

    async fn objects(&self, bucket: &str, shown: &mut Shown) -> Result<(), Refused> {
        let input = ListObjectsV2Input { bucket: bucket.into(), ..Default::default() };
        let listed = ask!(self, list_objects_v2, input)?;
        for object in listed.contents.unwrap_or_default() {
            let key = object.key.unwrap();
            let (bucket, name) = (bucket.to_owned(), format!("object {bucket}/{key}"));
            let input = GetObjectInput { bucket, key, ..Default::default() };
            let got = ask!(self, get_object, input)?;
            let blocks: Vec<Bytes> = got.body.unwrap().try_collect().await.unwrap();
            let body = Bytes::from(blocks.concat());
            let etag = got.e_tag.unwrap().into_value();
            if !etag.contains('-') {
                assert_eq!(etag, hex::encode(Md5::checksum(&body)), "{name} is torn");
            }
            shown.insert(name, body);
        }
        Ok(())
    }

    async fn uploads(&self, bucket: &str, shown: &mut Shown) -> Result<(), Refused> {
        let input = ListMultipartUploadsInput { bucket: bucket.into(), ..Default::default() };
        let listed = ask!(self, list_multipart_uploads, input)?;
        for upload in listed.uploads.unwrap_or_default() {
            let (key, upload_id) = (upload.key.unwrap(), upload.upload_id.unwrap());
            let (bucket, name) = (bucket.to_owned(), format!("upload {bucket}/{key}"));
            let input = ListPartsInput { bucket, key, upload_id, ..Default::default() };
            let parts = ask!(self, list_parts, input)?.parts.unwrap_or_default();
            let part = |part: Part| format!("{:?} {:?}\n", part.part_number, part.e_tag);
            shown.insert(name, parts.into_iter().map(part).collect::<String>().into());
        }
        Ok(())
    }
}
