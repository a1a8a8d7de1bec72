//! A store over scripted answers and a clock that only moves when someone sleeps: for faults that no server makes on demand.
#![allow(dead_code, clippy::unwrap_used, reason = "each test binary uses a part")]

pub mod pretend;

use bytes::Bytes;
use holdfast_core::ports::{Clock, Ids};
use holdfast_objects::{Reach, Settings, Store, Transport, TransportError};
use http::{Request, Response};
use md5::{Digest, Md5};
use pretend::Pretender;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

pub const KEY: &str =
    "v1/t/t/u/u/wal/20260101/01ARZ3NDEKTSV4RRFFQ69G5FAV-2d711642b726b04401627ca9fbac32f5.jsonl";
/// The bytes that [`KEY`] is named for.
pub const BYTES: &[u8] = b"x";
pub const START: u64 = 1_774_000_000_000;

/// One scripted answer.
pub enum Step {
    Answer(Response<Bytes>),
    Fails(Reach),
    /// Never answers.
    Hangs,
}

#[derive(Default)]
pub struct Script {
    pub steps: Mutex<VecDeque<Step>>,
    pub seen: Mutex<Vec<Request<Bytes>>>,
    /// Answers when no step is left.
    pub pretender: Mutex<Option<Pretender>>,
}

impl Transport for Script {
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, TransportError> {
        let step = self.steps.lock().unwrap().pop_front();
        let step = step.or_else(|| Some(self.pretender.lock().unwrap().as_mut()?.answer(&request)));
        self.seen.lock().unwrap().push(request);
        match step.unwrap_or(Step::Fails(Reach::NotSent)) {
            Step::Answer(answer) => Ok(answer),
            Step::Fails(reach) => Err(TransportError::new(reach, "scripted")),
            Step::Hangs => std::future::pending().await,
        }
    }
}

/// A clock that moves by sleeping only.
#[derive(Clone)]
pub struct StillClock(pub Arc<Mutex<(u64, Vec<u64>)>>);

impl Clock for StillClock {
    fn now(&self) -> u64 {
        self.0.lock().unwrap().0
    }

    async fn sleep(&self, milliseconds: u64) {
        let mut state = self.0.lock().unwrap();
        state.0 += milliseconds;
        state.1.push(milliseconds);
    }
}

/// Always the same dice.
pub struct Dice(pub u8);

impl Ids for Dice {
    fn random(&self) -> [u8; 10] {
        [self.0; 10]
    }
}

/// A store that gets these answers, one a request; then no connection.
pub struct Bench {
    pub script: Arc<Script>,
    pub clock: StillClock,
    pub store: Store<Arc<Script>, StillClock, Dice>,
}

pub fn settings() -> Settings {
    Settings {
        endpoint: "https://s3.example.com".into(),
        region: "eu".into(),
        bucket: "the-bucket".into(),
        access_key: "AK".into(),
        secret_key: "SK".into(),
        ..Settings::default()
    }
}

pub fn bench(steps: impl IntoIterator<Item = Step>) -> Bench {
    bench_with(settings(), steps)
}

pub fn bench_with(settings: Settings, steps: impl IntoIterator<Item = Step>) -> Bench {
    let script = Arc::new(Script::default());
    script.steps.lock().unwrap().extend(steps);
    let clock = StillClock(Arc::new(Mutex::new((START, vec![]))));
    let store = Store::new(settings, Arc::clone(&script), clock.clone(), Dice(0x35)).unwrap();
    Bench { script, clock, store }
}

impl Bench {
    pub fn requests(&self) -> usize {
        self.script.seen.lock().unwrap().len()
    }

    pub fn header(&self, at: usize, name: &str) -> String {
        self.script.seen.lock().unwrap()[at].headers()[name].to_str().unwrap().to_owned()
    }
}

/// An error answer as S3 gives it.
pub fn error(status: u16, code: &str) -> Step {
    let body = format!("<Error><Code>{code}</Code><Message>scripted</Message></Error>");
    Step::Answer(Response::builder().status(status).body(body.into()).unwrap())
}

/// The answer to a PUT of `bytes` that arrived.
pub fn stored(bytes: &[u8]) -> Step {
    let etag = format!("\"{}\"", hex::encode(Md5::digest(bytes)));
    Step::Answer(Response::builder().header("etag", etag).body(Bytes::new()).unwrap())
}

/// The answer to a GET.
pub fn object(bytes: &'static [u8]) -> Step {
    Step::Answer(Response::new(Bytes::from_static(bytes)))
}
