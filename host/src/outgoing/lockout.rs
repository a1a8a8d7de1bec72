//! Stores that locked credentials out: nothing more is sent them with these for a while. An instance of a component knows only
//! what it met itself, and there is always a next one.

use bytes::{Bytes, BytesMut};
use http::header::{AUTHORIZATION, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, HeaderValue, Response, StatusCode, Uri};
use http_body::{Body, Frame};
use http_body_util::{BodyExt, Full, StreamBody};
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use wasmtime_wasi_http::{Result, WasiBody};

/// How long a store keeps those out who came with wrong credentials.
const LASTS: Duration = Duration::from_secs(300);
/// Bytes of a refusal that are looked at.
const MOST: usize = 16 << 10;
/// In the body of a lockout.
const CODE: &str = "<Code>AuthenticationLockout</Code>";

/// Who asks whom: an origin, and the access key id that a request to it is signed with.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Asker {
    origin: String,
    key: String,
}

impl Asker {
    /// Of a request that is signed as for S3; none of any other.
    pub(super) fn of(uri: &Uri, headers: &HeaderMap) -> Option<Self> {
        let authorization = headers.get(AUTHORIZATION)?.to_str().ok()?;
        let signed = authorization.strip_prefix("AWS4-HMAC-SHA256")?;
        let (_, credential) = signed.split_once("Credential=")?;
        let (key, _) = credential.split_once('/')?;
        let origin = format!("{}://{}", uri.scheme_str()?, uri.authority()?);
        Some(Self { origin: origin.to_ascii_lowercase(), key: key.to_owned() })
    }
}

/// The lockouts that last.
#[derive(Debug, Default)]
pub(super) struct Lockouts(Mutex<BTreeMap<Asker, Locked>>);

#[derive(Debug)]
struct Locked {
    until: Instant,
    kind: Option<HeaderValue>,
    body: Bytes,
}

/// Those of this process: its components share their credentials.
pub(super) fn lockouts() -> &'static Lockouts {
    static LOCKOUTS: Lockouts = Lockouts(Mutex::new(BTreeMap::new()));
    &LOCKOUTS
}

impl Lockouts {
    /// The store's own answer while it keeps `asker` out, with the seconds that are left. Without the store's `Date`, which
    /// would be a wrong one by now.
    pub(super) fn answer(&self, asker: &Asker, now: Instant) -> Option<Response<WasiBody>> {
        let locked = self.locked();
        let locked = locked.get(asker)?;
        let left = locked.until.saturating_duration_since(now);
        if left.is_zero() {
            return None;
        }
        let mut answer = Response::new(whole(locked.body.clone()));
        *answer.status_mut() = StatusCode::FORBIDDEN;
        answer.headers_mut().insert(RETRY_AFTER, HeaderValue::from(left.as_secs().max(1)));
        answer.headers_mut().extend(locked.kind.clone().map(|kind| (CONTENT_TYPE, kind)));
        Some(answer)
    }

    /// Looks whether `answer` locks `asker` out, and hands it on as it came. Only a short 403 is held back for that.
    ///
    /// # Errors
    /// That of a body that breaks within its first bytes.
    pub(super) async fn watch(
        &self,
        asker: Asker,
        answer: Response<WasiBody>,
    ) -> Result<Response<WasiBody>> {
        let stated = answer.body().size_hint().lower();
        if answer.status() != StatusCode::FORBIDDEN || stated > MOST as u64 {
            return Ok(answer);
        }
        let (head, mut body) = answer.into_parts();
        let mut begin = BytesMut::new();
        while begin.len() <= MOST {
            match body.frame().await.transpose()?.map(Frame::into_data) {
                Some(Ok(data)) => begin.extend_from_slice(&data),
                Some(Err(trailers)) => {
                    let rest = futures::stream::iter([Ok(trailers)]);
                    return Ok(Response::from_parts(head, before(begin.freeze(), rest)));
                }
                None => {
                    let begin = begin.freeze();
                    if String::from_utf8_lossy(&begin).contains(CODE) {
                        self.lock(asker, head.headers.get(CONTENT_TYPE).cloned(), begin.clone());
                    }
                    return Ok(Response::from_parts(head, whole(begin)));
                }
            }
        }
        let rest = http_body_util::BodyStream::new(body);
        Ok(Response::from_parts(head, before(begin.freeze(), rest)))
    }

    fn lock(&self, asker: Asker, kind: Option<HeaderValue>, body: Bytes) {
        let now = Instant::now();
        tracing::warn!(
            origin = asker.origin,
            "the object store locked the credentials out: nothing is sent it with them for {} s",
            LASTS.as_secs()
        );
        let mut locked = self.locked();
        locked.retain(|_, one| one.until > now);
        locked.insert(asker, Locked { until: now + LASTS, kind, body });
    }

    fn locked(&self) -> MutexGuard<'_, BTreeMap<Asker, Locked>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn whole(body: Bytes) -> WasiBody {
    Full::new(body).map_err(|never| match never {}).boxed_unsync()
}

/// `begin`, and then the rest.
fn before(
    begin: Bytes,
    rest: impl futures::Stream<Item = Result<Frame<Bytes>>> + Send + 'static,
) -> WasiBody {
    let begin = futures::stream::iter([Ok(Frame::data(begin))]);
    StreamBody::new(futures::StreamExt::chain(begin, rest)).boxed_unsync()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOCKOUT: &str = "<Error><Code>AuthenticationLockout</Code></Error>";

    fn asker(origin: &str, key: &str) -> Asker {
        let mut headers = HeaderMap::new();
        let value = format!("AWS4-HMAC-SHA256 Credential={key}/20260101/eu/s3/aws4_request, x");
        headers.insert(AUTHORIZATION, value.parse().unwrap());
        Asker::of(&format!("{origin}/bucket/key").parse().unwrap(), &headers).unwrap()
    }

    fn pieces(status: u16, pieces: &[&'static str]) -> Response<WasiBody> {
        let pieces: Vec<_> = pieces
            .iter()
            .map(|piece| Ok(Frame::data(Bytes::from_static(piece.as_bytes()))))
            .collect();
        let body = StreamBody::new(futures::stream::iter(pieces)).boxed_unsync();
        Response::builder().status(status).body(body).unwrap()
    }

    async fn text(answer: Response<WasiBody>) -> String {
        String::from_utf8(answer.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap()
    }

    #[tokio::test]
    async fn a_lockout_is_answered_again_to_its_asker_alone_and_for_five_minutes() {
        let (lockouts, own) = (Lockouts::default(), asker("http://s3", "AK"));
        let answer = lockouts.watch(own.clone(), pieces(403, &[LOCKOUT])).await.unwrap();
        assert_eq!(text(answer).await, LOCKOUT);
        let now = Instant::now();
        let again = lockouts.answer(&asker("http://s3", "AK"), now).unwrap();
        assert_eq!(again.status(), StatusCode::FORBIDDEN);
        assert_eq!(text(again).await, LOCKOUT);
        for other in [asker("http://s3", "other"), asker("http://s4", "AK")] {
            assert!(lockouts.answer(&other, now).is_none());
        }
        assert!(lockouts.answer(&own, now + LASTS).is_none());
    }

    #[tokio::test]
    async fn nothing_else_locks_anybody_out_and_every_answer_is_handed_on_whole() {
        let (lockouts, own) = (Lockouts::default(), asker("http://s3", "AK"));
        let long: &'static str = Box::leak("x".repeat(MOST).into_boxed_str());
        for (status, sent) in [
            (200, vec![LOCKOUT]),
            (503, vec![LOCKOUT]),
            (403, vec!["<Error><Code>AccessDenied</Code>", "</Error>"]),
            (403, vec![long, "and more", LOCKOUT]),
            (403, vec![]),
        ] {
            let answer = lockouts.watch(own.clone(), pieces(status, &sent)).await.unwrap();
            assert_eq!(answer.status(), status);
            assert_eq!(text(answer).await, sent.concat());
            assert!(lockouts.answer(&own, Instant::now()).is_none(), "{status}");
        }
    }

    #[tokio::test]
    async fn an_answer_that_is_none_of_a_lockout_flows_while_its_body_is_not_there_yet() {
        let (lockouts, own) = (Lockouts::default(), asker("http://s3", "AK"));
        let never = StreamBody::new(futures::stream::pending()).boxed_unsync();
        let answer = Response::new(never);
        let handed = futures::FutureExt::now_or_never(lockouts.watch(own, answer));
        assert!(handed.expect("it waits for the body").is_ok());
    }

    #[test]
    fn a_request_without_a_signature_of_s3_is_nobodys() {
        let uri: Uri = "http://model/v1".parse().unwrap();
        assert_eq!(Asker::of(&uri, &HeaderMap::new()), None);
        let bearer = HeaderMap::from_iter([(AUTHORIZATION, "Bearer x".parse().unwrap())]);
        assert_eq!(Asker::of(&uri, &bearer), None);
    }
}
