//! The four operations as requests, what each takes for success, and what each tells the caller when it fails.

use crate::fault::{Class, Fault, success};
use crate::settings::Settings;
use crate::store::{Store, unsendable};
use crate::transport::Transport;
use crate::{address, answer};
use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use holdfast_core::clock::Skew;
use holdfast_core::key::hash32;
use holdfast_core::ports::{Clock, Ids, Listed, Objects, Page, Purged};
use holdfast_core::{Error, Key, Prefix, Result};
use http::{HeaderName, Method, Request, Response, StatusCode, header};
use md5::{Digest, Md5};
use sha2::Sha256;

/// SHA-256 of no bytes.
const NOTHING: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// One operation: its unsigned request and what it is about.
pub(crate) struct Call<'a> {
    pub request: Request<Bytes>,
    pub sha256: String,
    kind: Kind,
    name: &'a str,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Put,
    Get,
    List,
    Delete,
}

impl<'a> Call<'a> {
    fn new(
        kind: Kind,
        name: &'a str,
        url: String,
        headers: &[(HeaderName, String)],
        body: Bytes,
    ) -> Result<Self> {
        let method = match kind {
            Kind::Put => Method::PUT,
            Kind::Get | Kind::List => Method::GET,
            Kind::Delete => Method::DELETE,
        };
        let mut request = Request::builder().method(method).uri(url);
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let sha256 =
            if body.is_empty() { NOTHING.to_owned() } else { hex::encode(Sha256::digest(&body)) };
        Ok(Self { request: request.body(body).map_err(unsendable)?, sha256, kind, name })
    }

    /// A request of [`Store::probe`]: sent once, its answer taken as it is.
    pub(crate) fn probing(
        method: Method,
        url: String,
        headers: &[(HeaderName, &str)],
        body: Bytes,
    ) -> Result<Self> {
        let headers: Vec<_> =
            headers.iter().map(|(name, value)| (name.clone(), (*value).to_owned())).collect();
        let kind = if method == Method::PUT { Kind::Put } else { Kind::Get };
        Self::new(kind, "", url, &headers, body)
    }

    /// A GET of something that is no object.
    pub(crate) fn asking(name: &'a str, url: String) -> Result<Self> {
        Self::empty(Kind::List, name, url)
    }

    /// Removes one version of an object.
    pub(crate) fn removing(name: &'a str, url: String) -> Result<Self> {
        Self::empty(Kind::Delete, name, url)
    }

    fn empty(kind: Kind, name: &'a str, url: String) -> Result<Self> {
        Self::new(kind, name, url, &[], Bytes::new())
    }

    pub(crate) fn is_list(&self) -> bool {
        self.kind == Kind::List
    }

    /// What the caller is told after the last fault; `maybe_done`: some attempt may have been carried out.
    pub(crate) fn error(&self, settings: &Settings, fault: Fault, maybe_done: bool) -> Error {
        if self.kind == Kind::Put && maybe_done {
            return outcome_unknown(fault);
        }
        let refused = |detail: String| Error::because(UNAVAILABLE, "store_refused", detail);
        let (bucket, code) = (&settings.bucket, &fault.code);
        let error = match fault.class {
            Class::Transient | Class::Closed => {
                let detail = "the object store cannot be reached now: try again";
                Error::because(UNAVAILABLE, "store_unavailable", detail)
            }
            Class::Skewed => {
                let detail = "the object store refuses our clock: set this machine's time";
                Error::because(UNAVAILABLE, "clock", detail)
            }
            Class::Digest => refused(
                "the object store received other bytes than were sent, twice: check network and memory"
                    .to_owned(),
            ),
            Class::Mismatch => Error::corrupt(format!("object {} is not what was written", self.name)),
            Class::Locked => locked(seconds(settings.policy.lockout)),
            Class::NoBucket => refused(format!("bucket {bucket} does not exist: make it, or correct s3_bucket")),
            Class::Redirect if fault.place.is_empty() => {
                refused(format!("bucket {bucket} is elsewhere: correct s3_region or s3_endpoint"))
            }
            Class::Redirect => refused(format!(
                "bucket {bucket} is at {}: correct s3_region or s3_endpoint",
                plain(&fault.place)
            )),
            Class::Refused | Class::NoKey | Class::NoRange => refused(format!(
                "the object store refuses our request ({}): check its credentials, bucket and region",
                if code.is_empty() { fault.status.to_string() } else { plain(code) }
            )),
        };
        error.caused_by(fault)
    }
}

use holdfast_core::Case::Unavailable as UNAVAILABLE;

fn outcome_unknown(fault: Fault) -> Error {
    let detail = match fault.class {
        Class::Mismatch => {
            "the object store's ETag is not the MD5 of what was written: set s3_etag_is_not_md5 if it encrypts"
        }
        _ => "it is not known whether the object store has the write: repeat it with the same id",
    };
    Error::because(UNAVAILABLE, "outcome_unknown", detail).caused_by(fault)
}

/// The error while `AuthenticationLockout` lasts.
pub(crate) fn locked(seconds: u32) -> Error {
    let detail = "the object store locked our credentials out: correct them and wait";
    Error::because(UNAVAILABLE, "store_refused", detail).retry_after(seconds)
}

fn seconds(milliseconds: u64) -> u32 {
    u32::try_from(milliseconds.div_ceil(1000)).unwrap_or(u32::MAX)
}

/// A store's text, made safe to show.
fn plain(text: &str) -> String {
    text.chars().filter(|c| c.is_ascii_alphanumeric() || "-._:/".contains(*c)).take(100).collect()
}

impl<T: Transport, C: Clock, I: Ids> Objects for Store<T, C, I> {
    async fn put(&self, key: &Key, bytes: Bytes) -> Result<()> {
        let md5 = Md5::digest(&bytes);
        let headers = [
            (HeaderName::from_static("content-md5"), STANDARD.encode(md5)),
            (header::CONTENT_TYPE, "application/octet-stream".to_owned()),
        ];
        let url = address::object(&self.settings, key.as_str());
        let call = Call::new(Kind::Put, key.as_str(), url, &headers, bytes.clone())?;
        if key.hash().is_some_and(|hash| !call.sha256.starts_with(hash)) {
            return Err(Error::internal(format!("object {key} is named for other bytes")));
        }
        let expected = (!self.settings.etag_is_not_md5).then(|| hex::encode(md5));
        self.call(&call, |answer| stored(answer, expected.as_deref())).await?;
        if self.settings.etag_is_not_md5 { self.read_back(key, &bytes).await } else { Ok(()) }
    }

    async fn get(&self, key: &Key) -> Result<Option<Bytes>> {
        let url = address::object(&self.settings, key.as_str());
        let call = Call::empty(Kind::Get, key.as_str(), url)?;
        self.call(&call, |answer| found(whole_object(answer, key))).await
    }

    async fn get_range(&self, key: &Key, start: u64, length: u64) -> Result<Option<Bytes>> {
        let url = address::object(&self.settings, key.as_str());
        // HTTP has no empty range: one byte is asked for, and cut off.
        let end = start.saturating_add(length.max(1) - 1);
        let range = [(header::RANGE, format!("bytes={start}-{end}"))];
        let call = Call::new(Kind::Get, key.as_str(), url, &range, Bytes::new())?;
        let wanted = Range { start, length };
        self.call(&call, |answer| found(wanted.cut(answer))).await
    }

    async fn list(&self, prefix: &Prefix, after: Option<&str>) -> Result<Page> {
        let mut token = None;
        loop {
            let url = address::list(&self.settings, prefix.as_str(), after, token.as_deref());
            let call = Call::empty(Kind::List, prefix.as_str(), url)?;
            let body = self
                .call(&call, |answer| {
                    answer::list(success(answer)?.body()).ok_or_else(|| cut_off("no whole list"))
                })
                .await?;
            let objects = in_order(body.objects, prefix, after);
            let next =
                if body.truncated { objects.last().map(|last| last.key.clone()) } else { None };
            if !body.truncated || next.is_some() {
                return Ok(Page { objects, next });
            }
            // A page without anything new, as from a store that does not know `start-after`: go on by its own token.
            if body.token.is_none() || body.token == token {
                let detail = "the object store's list does not go on: try again";
                return Err(Error::because(UNAVAILABLE, "store_unavailable", detail));
            }
            token = body.token;
        }
    }

    async fn delete(&self, key: &Key) -> Result<()> {
        let url = address::object(&self.settings, key.as_str());
        let call = Call::empty(Kind::Delete, key.as_str(), url)?;
        self.call(&call, |answer| found(success(answer)).map(|_| ())).await
    }

    async fn purge(&self, prefix: &Prefix) -> Result<Purged> {
        self.purge_versions(prefix).await
    }

    fn skew(&self) -> Skew {
        Self::skew(self)
    }
}

impl<T: Transport, C: Clock, I: Ids> Store<T, C, I> {
    /// Verifies a write whose ETag says nothing.
    async fn read_back(&self, key: &Key, bytes: &Bytes) -> Result<()> {
        let cause = match self.get(key).await {
            Ok(Some(stored)) if stored == bytes => return Ok(()),
            Ok(_) => {
                return Err(outcome_unknown(Fault::found(
                    Class::Transient,
                    true,
                    "read back other bytes",
                )));
            }
            Err(error) => error,
        };
        let detail =
            "the write was answered but could not be read back: repeat it with the same id";
        Err(Error::because(UNAVAILABLE, "outcome_unknown", detail).caused_by(cause))
    }
}

fn stored(answer: Response<Bytes>, md5: Option<&str>) -> Result<(), Fault> {
    let answer = success(answer)?;
    let etag = answer::etag(&answer).unwrap_or_default();
    match md5 {
        Some(md5) if !etag.eq_ignore_ascii_case(md5) => {
            Err(Fault::found(Class::Mismatch, true, format!("ETag {etag} is not the MD5 {md5}")))
        }
        _ => Ok(()),
    }
}

fn found<R>(result: Result<R, Fault>) -> Result<Option<R>, Fault> {
    match result {
        Ok(result) => Ok(Some(result)),
        Err(fault) if fault.class == Class::NoKey => Ok(None),
        Err(fault) => Err(fault),
    }
}

fn whole_object(answer: Response<Bytes>, key: &Key) -> Result<Bytes, Fault> {
    let body = whole_body(success(answer)?)?;
    match key.hash() {
        Some(hash) if hash32(&body) != hash => {
            Err(Fault::found(Class::Mismatch, false, format!("SHA-256 of {key} differs")))
        }
        _ => Ok(body),
    }
}

fn whole_body(answer: Response<Bytes>) -> Result<Bytes, Fault> {
    let stated = answer.headers().get(header::CONTENT_LENGTH);
    let stated = stated.and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    let body = answer.into_body();
    match stated {
        Some(length) if length != body.len() => {
            Err(cut_off("body shorter than its content-length"))
        }
        _ => Ok(body),
    }
}

pub(crate) fn cut_off(cause: &str) -> Fault {
    Fault::found(Class::Transient, false, cause)
}

struct Range {
    start: u64,
    length: u64,
}

impl Range {
    /// The bytes of the range from an answer to it: 206, 200 with `content-range` or with the whole object, 416 past the end.
    fn cut(&self, answer: Response<Bytes>) -> Result<Bytes, Fault> {
        let answer = match success(answer) {
            Err(fault) if fault.class == Class::NoRange => return Ok(Bytes::new()),
            other => other?,
        };
        // rclone answers a range with 200, so the header decides as well.
        let part = answer.status() == StatusCode::PARTIAL_CONTENT
            || answer.headers().contains_key(header::CONTENT_RANGE);
        let (first, total) = if part { content_range(&answer).unzip() } else { (None, None) };
        let body = whole_body(answer)?;
        let size = body.len() as u64;
        if part
            && (first != Some(self.start) || total.is_none_or(|total| self.start + size > total))
        {
            return Err(cut_off("another range than was asked for"));
        }
        let skip = if part { 0 } else { self.start.min(size) };
        let end = size.min(skip.saturating_add(self.length));
        let asked = self.length.max(1).min(total.unwrap_or(u64::MAX).saturating_sub(self.start));
        if part && size < asked {
            return Err(cut_off("range cut off"));
        }
        let at = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
        Ok(body.slice(at(skip)..at(end)))
    }
}

/// First byte and size of the whole, of `bytes 0-9/100`.
fn content_range(answer: &Response<Bytes>) -> Option<(u64, u64)> {
    let text = answer.headers().get(header::CONTENT_RANGE)?.to_str().ok()?;
    let (range, total) = text.strip_prefix("bytes ")?.split_once('/')?;
    Some((range.split_once('-')?.0.parse().ok()?, total.parse().ok()?))
}

/// The page in byte order, without what `start-after` or the prefix should have left out: not every store does both.
fn in_order(mut objects: Vec<Listed>, prefix: &Prefix, after: Option<&str>) -> Vec<Listed> {
    objects.retain(|object| {
        object.key.starts_with(prefix.as_str()) && after.is_none_or(|after| *object.key > *after)
    });
    objects.sort_by(|one, other| one.key.cmp(&other.key));
    objects.dedup_by(|one, other| one.key == other.key);
    objects
}
