//! ListObjectsV2 and the older ListObjects.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use s3s::dto::{
    CommonPrefix, EncodingType, ListObjectsInput, ListObjectsOutput, ListObjectsV2Input,
    ListObjectsV2Output, Object, ObjectStorageClass,
};
use s3s::{S3Response, S3Result, s3_error};

use super::Answer;
use super::answer::{etag, length, timestamp};
use crate::index::{Item, Page, Position, Query, behind, shared_prefix};
use crate::store::Store;

/// S3's limit on the lines of a page, and what it is without one.
const MOST: i32 = 1000;
/// What stays as it is under `encoding-type=url`.
const PLAIN: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~').remove(b'/');

/// ListObjectsV2.
pub(super) fn second(store: &Arc<Store>, input: ListObjectsV2Input) -> Answer<ListObjectsV2Output> {
    let bucket = store.bucket(&input.bucket)?;
    let position = match (&input.continuation_token, &input.start_after) {
        (Some(token), _) => position_of(token)?,
        (None, Some(key)) => Position::After(key.clone()),
        (None, None) => Position::Start,
    };
    let prefix = input.prefix.unwrap_or_default();
    let max = most(input.max_keys)?;
    let delimiter = input.delimiter.as_deref();
    let page = bucket.index.page(&Query { prefix: &prefix, delimiter, position, max });
    let name = Spelling::of(input.encoding_type.as_ref());
    let next = page.next.as_ref().map(token_of);
    let key_count = i32::try_from(page.items.len()).unwrap_or(MOST);
    let (contents, common_prefixes) = lines(page, name);
    Ok(S3Response::new(ListObjectsV2Output {
        name: Some(input.bucket),
        prefix: Some(name.spell(&prefix)),
        delimiter: input.delimiter.as_deref().map(|text| name.spell(text)),
        start_after: input.start_after.as_deref().map(|text| name.spell(text)),
        max_keys: Some(input.max_keys.unwrap_or(MOST).min(MOST)),
        key_count: Some(key_count),
        is_truncated: Some(next.is_some()),
        continuation_token: input.continuation_token,
        next_continuation_token: next,
        contents: Some(contents),
        common_prefixes: Some(common_prefixes),
        encoding_type: input.encoding_type,
        ..ListObjectsV2Output::default()
    }))
}

/// ListObjects, whose pages go on behind a key or a common prefix by name.
pub(super) fn first(store: &Arc<Store>, input: ListObjectsInput) -> Answer<ListObjectsOutput> {
    let bucket = store.bucket(&input.bucket)?;
    let prefix = input.prefix.unwrap_or_default();
    let max = most(input.max_keys)?;
    let delimiter = input.delimiter.as_deref();
    let mut query = Query { prefix: &prefix, delimiter, position: Position::Start, max };
    query.position = match &input.marker {
        Some(marker) if shared_prefix(marker, &query) == Some(marker.as_str()) => {
            behind(marker).map_or_else(|| Position::After(marker.clone()), Position::From)
        }
        Some(marker) => Position::After(marker.clone()),
        None => Position::Start,
    };
    let page = bucket.index.page(&query);
    let name = Spelling::of(input.encoding_type.as_ref());
    let last = page.items.last().map(|item| match item {
        Item::Object(key, _) => name.spell(key),
        Item::Prefix(prefix) => name.spell(prefix),
    });
    let truncated = page.next.is_some();
    let (contents, common_prefixes) = lines(page, name);
    Ok(S3Response::new(ListObjectsOutput {
        name: Some(input.bucket),
        prefix: Some(name.spell(&prefix)),
        delimiter: input.delimiter.as_deref().map(|text| name.spell(text)),
        marker: Some(name.spell(input.marker.as_deref().unwrap_or_default())),
        max_keys: Some(input.max_keys.unwrap_or(MOST).min(MOST)),
        is_truncated: Some(truncated),
        next_marker: last.filter(|_| truncated),
        contents: Some(contents),
        common_prefixes: Some(common_prefixes),
        encoding_type: input.encoding_type,
        ..ListObjectsOutput::default()
    }))
}

fn most(asked: Option<i32>) -> S3Result<usize> {
    usize::try_from(asked.unwrap_or(MOST).min(MOST))
        .map_err(|_| s3_error!(InvalidArgument, "max-keys is negative"))
}

fn lines(page: Page, name: Spelling) -> (Vec<Object>, Vec<CommonPrefix>) {
    let (mut contents, mut prefixes) = (Vec::new(), Vec::new());
    for item in page.items {
        match item {
            Item::Prefix(prefix) => {
                prefixes.push(CommonPrefix { prefix: Some(name.spell(&prefix)) })
            }
            Item::Object(key, entry) => contents.push(Object {
                key: Some(name.spell(&key)),
                size: Some(length(entry.size)),
                e_tag: Some(etag(entry.etag)),
                last_modified: Some(timestamp(entry.modified)),
                storage_class: Some(ObjectStorageClass::from_static(ObjectStorageClass::STANDARD)),
                ..Object::default()
            }),
        }
    }
    (contents, prefixes)
}

/// How keys are written in an answer.
#[derive(Clone, Copy)]
pub(super) enum Spelling {
    Plain,
    Url,
}

impl Spelling {
    /// As the request asks.
    pub(super) fn of(asked: Option<&EncodingType>) -> Self {
        match asked {
            Some(asked) if asked.as_str() == EncodingType::URL => Self::Url,
            _ => Self::Plain,
        }
    }

    /// A key, prefix or delimiter as the answer carries it.
    pub(super) fn spell(self, text: &str) -> String {
        match self {
            Self::Plain => text.to_owned(),
            Self::Url => utf8_percent_encode(text, PLAIN).to_string(),
        }
    }
}

fn token_of(position: &Position) -> String {
    let text = match position {
        Position::Start => "s".to_owned(),
        Position::After(key) => format!("a{key}"),
        Position::From(key) => format!("f{key}"),
    };
    URL_SAFE_NO_PAD.encode(text)
}

fn position_of(token: &str) -> S3Result<Position> {
    let text = URL_SAFE_NO_PAD.decode(token).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    let text = text.unwrap_or_default();
    match (text.strip_prefix('a'), text.strip_prefix('f'), text.as_str()) {
        (Some(key), _, _) => Ok(Position::After(key.to_owned())),
        (_, Some(key), _) => Ok(Position::From(key.to_owned())),
        (_, _, "s") => Ok(Position::Start),
        _ => Err(s3_error!(InvalidArgument, "the continuation token is not one of this store")),
    }
}
