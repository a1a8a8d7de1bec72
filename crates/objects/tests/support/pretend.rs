//! A store that does all as S3 does but for one thing, where a script of every answer would be too long.

use super::{Bench, StillClock, bench_with};
use bytes::Bytes;
use holdfast_objects::Settings;
use http::{Request, Response};
use md5::{Digest, Md5};
use std::collections::BTreeMap;

/// The one thing that a store does otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quirk {
    None,
    RefusesAll,
    EtagIsNoMd5,
    TellsNoDate,
    /// Its clock is ahead of ours by so many seconds.
    Ahead(u64),
    IgnoresRanges,
    IgnoresSuffixRanges,
    IsPublic,
    RefusesDeletes,
    KeepsWhatIsDeleted,
    HidesFromLists,
    IgnoresConditions,
    /// Two of those who put a new key of a race at once are told that they were the first.
    TwoWin,
    /// A PUT takes so many milliseconds.
    SlowPuts(u64),
    /// This sub-resource of the bucket is answered with this status and body.
    Tells(&'static str, u16, &'static str),
}

/// The store.
pub struct Pretender {
    pub objects: BTreeMap<String, Bytes>,
    quirk: Quirk,
    clock: StillClock,
    writes: BTreeMap<String, usize>,
}

/// A store over it.
pub fn pretending(quirk: Quirk, settings: Settings) -> Bench {
    let bench = bench_with(settings, []);
    let (objects, writes) = (BTreeMap::new(), BTreeMap::new());
    let pretender = Pretender { objects, quirk, clock: bench.clock.clone(), writes };
    *bench.script.pretender.lock().unwrap() = Some(pretender);
    bench
}

impl Pretender {
    pub fn answer(&mut self, request: &Request<Bytes>) -> super::Step {
        let mut answer = self.about(request);
        if self.quirk != Quirk::TellsNoDate {
            answer.headers_mut().insert("date", self.date().parse().unwrap());
        }
        super::Step::Answer(answer)
    }

    fn about(&mut self, request: &Request<Bytes>) -> Response<Bytes> {
        let signed = request.headers().contains_key("authorization");
        if self.quirk == Quirk::RefusesAll || !(signed || self.quirk == Quirk::IsPublic) {
            return refusal(403, "AccessDenied");
        }
        let key = request.uri().path().trim_start_matches("/the-bucket").trim_start_matches('/');
        match (request.method().as_str(), request.uri().query()) {
            ("GET", Some(query)) if query.contains("list-type=2") => self.list(query),
            ("GET", Some(query)) => self.aspect(query.trim_end_matches('=')),
            ("GET", None) => self.get(key, header(request, "range")),
            ("PUT", _) => self.put(key, request),
            ("DELETE", _) => self.delete(key),
            _ => refusal(405, "MethodNotAllowed"),
        }
    }

    fn list(&self, query: &str) -> Response<Bytes> {
        let prefix = query.split('&').find_map(|part| part.strip_prefix("prefix="));
        let prefix = prefix.unwrap().replace("%2F", "/");
        let mut body = "<ListBucketResult><IsTruncated>false</IsTruncated>".to_owned();
        for (key, bytes) in self.objects.iter().filter(|(key, _)| key.starts_with(&prefix)) {
            if self.quirk != Quirk::HidesFromLists {
                body += &format!(
                    "<Contents><Key>{key}</Key><LastModified>2026-03-20T09:46:40Z</LastModified><Size>{}</Size></Contents>",
                    bytes.len()
                );
            }
        }
        plain(200, body + "</ListBucketResult>")
    }

    fn aspect(&self, query: &str) -> Response<Bytes> {
        match (self.quirk, query) {
            (Quirk::Tells(asked, status, body), _) if asked == query => plain(status, body),
            (_, "versioning") => plain(200, "<VersioningConfiguration xmlns=\"x\"/>"),
            (_, "object-lock") => refusal(404, "ObjectLockConfigurationNotFoundError"),
            (_, "lifecycle") => refusal(404, "NoSuchLifecycleConfiguration"),
            _ => refusal(400, "InvalidRequest"),
        }
    }

    fn get(&self, key: &str, range: Option<&str>) -> Response<Bytes> {
        let Some(bytes) = self.objects.get(key) else { return refusal(404, "NoSuchKey") };
        let number = |text: &str| text.parse::<usize>().unwrap();
        let asked = range.and_then(|range| range.strip_prefix("bytes=")?.split_once('-'));
        let asked = asked.filter(|_| self.quirk != Quirk::IgnoresRanges);
        let (from, to) = match asked {
            Some(("", _)) if self.quirk == Quirk::IgnoresSuffixRanges => (0, bytes.len()),
            Some(("", last)) => (bytes.len() - number(last), bytes.len()),
            Some((first, last)) => (number(first), number(last) + 1),
            None => (0, bytes.len()),
        };
        if to - from == bytes.len() {
            return plain(200, bytes.clone());
        }
        let mut answer = plain(206, bytes.slice(from..to));
        let part = format!("bytes {from}-{}/{}", to - 1, bytes.len());
        answer.headers_mut().insert("content-range", part.parse().unwrap());
        answer
    }

    fn put(&mut self, key: &str, request: &Request<Bytes>) -> Response<Bytes> {
        if let Quirk::SlowPuts(milliseconds) = self.quirk {
            self.clock.0.lock().unwrap().0 += milliseconds;
        }
        let kept = self.objects.get(key).map(etag);
        let other = header(request, "if-match").is_some_and(|it| kept.as_deref() != Some(it));
        let winners = if self.quirk == Quirk::TwoWin && key.contains("/race/") { 2 } else { 1 };
        let writes = self.writes.entry(key.to_owned()).or_default();
        let late = header(request, "if-none-match").is_some() && *writes >= winners;
        if (other || late) && self.quirk != Quirk::IgnoresConditions {
            return refusal(412, "PreconditionFailed");
        }
        *writes += 1;
        self.objects.insert(key.to_owned(), request.body().clone());
        let mut answer = plain(200, "");
        let etag = match self.quirk {
            Quirk::EtagIsNoMd5 => "\"0123456789abcdef-1\"".to_owned(),
            _ => etag(request.body()),
        };
        answer.headers_mut().insert("etag", etag.parse().unwrap());
        answer
    }

    fn delete(&mut self, key: &str) -> Response<Bytes> {
        match self.quirk {
            Quirk::RefusesDeletes => return refusal(403, "AccessDenied"),
            Quirk::KeepsWhatIsDeleted => {}
            _ => {
                self.objects.remove(key);
            }
        }
        plain(204, "")
    }

    /// Of the day on which the clock of [`super::START`] stands.
    fn date(&self) -> String {
        let ahead = if let Quirk::Ahead(seconds) = self.quirk { seconds } else { 0 };
        let now = (self.clock.0.lock().unwrap().0 / 1000 + ahead) % 86_400;
        format!("Fri, 20 Mar 2026 {:02}:{:02}:{:02} GMT", now / 3600, now / 60 % 60, now % 60)
    }
}

fn header<'a>(request: &'a Request<Bytes>, name: &str) -> Option<&'a str> {
    request.headers().get(name).map(|value| value.to_str().unwrap())
}

fn etag(bytes: &Bytes) -> String {
    format!("\"{}\"", hex::encode(Md5::digest(bytes)))
}

fn plain(status: u16, body: impl Into<Bytes>) -> Response<Bytes> {
    Response::builder().status(status).body(body.into()).unwrap()
}

fn refusal(status: u16, code: &str) -> Response<Bytes> {
    plain(status, format!("<Error><Code>{code}</Code></Error>"))
}
