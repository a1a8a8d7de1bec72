//! The store: sends a call until it succeeds or the policy says to stop, and keeps clock offset and counters.

use crate::address;
use crate::answer;
use crate::fault::{Class, Fault};
use crate::operations::{Call, locked};
use crate::retry::{Budget, Next, Tried};
use crate::settings::Settings;
use crate::sign::{Signer, presign, sign};
use crate::stats::{Counters, Stats};
use crate::transport::{Reach, Transport, TransportError};
use bytes::Bytes;
use futures::future::{Either, select};
use holdfast_core::clock::Skew;
use holdfast_core::ports::{Clock, Ids};
use holdfast_core::{Error, Key, Result};
use http::{HeaderMap, HeaderValue, Method, Response, header};
use std::pin::pin;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// An S3 bucket behind a transport. Shared by reference; every method retries by the settings' policy.
pub struct Store<T, C, I> {
    pub(crate) settings: Settings,
    transport: T,
    clock: C,
    ids: I,
    signer: Signer,
    counters: Counters,
    skew: Mutex<Skew>,
    budget: Budget,
}

/// The store's clock, as far as its answers told it: ages of objects are by it.
pub struct StoreClock<'a, T, C, I>(&'a Store<T, C, I>);

impl<T: Transport, C: Clock, I: Ids> Clock for StoreClock<'_, T, C, I> {
    fn now(&self) -> u64 {
        self.0.now()
    }

    async fn sleep(&self, milliseconds: u64) {
        self.0.clock.sleep(milliseconds).await;
    }
}

impl<T: Transport, C: Clock, I: Ids> Store<T, C, I> {
    /// A store with checked settings, which holds back by itself. Sends nothing.
    ///
    /// # Errors
    /// `invalid`, naming the setting at fault.
    pub fn new(settings: Settings, transport: T, clock: C, ids: I) -> Result<Self> {
        let budget = Budget::new(settings.policy.burst);
        Self::sharing(budget, settings, transport, clock, ids)
    }

    /// As [`new`](Self::new); holds back together with every store that has the same `budget`.
    ///
    /// # Errors
    /// `invalid`, naming the setting at fault.
    pub fn sharing(
        budget: Budget,
        settings: Settings,
        transport: T,
        clock: C,
        ids: I,
    ) -> Result<Self> {
        let settings = settings.check()?;
        let Settings { access_key, secret_key, session_token, region, .. } = &settings;
        let signer = Signer::new(access_key, secret_key, session_token.clone(), region);
        let (counters, skew) = (Counters::default(), Mutex::default());
        Ok(Self { settings, transport, clock, ids, signer, counters, skew, budget })
    }

    /// Unix milliseconds by the store's clock, as far as its answers told it.
    pub fn now(&self) -> u64 {
        self.clock.now().saturating_add_signed(self.skew().offset().unwrap_or(0))
    }

    /// The store's clock as a port.
    pub fn clock(&self) -> StoreClock<'_, T, C, I> {
        StoreClock(self)
    }

    /// What the store's answers say about our clock.
    pub fn skew(&self) -> Skew {
        *self.learned()
    }

    /// Requests and bytes so far.
    pub fn stats(&self) -> Stats {
        self.counters.snapshot()
    }

    /// A URL that lets whoever has it GET one object for `seconds`. Sends nothing; whether the object exists is not
    /// looked at.
    ///
    /// # Errors
    /// `internal` when the key makes no URL.
    pub fn presigned(&self, key: &Key, seconds: u32) -> Result<String> {
        let url = address::object(&self.settings, key.as_str());
        presign(&url, &self.signer, self.now(), seconds)
    }

    /// Sends `call` until `judge` takes the answer or the policy says to stop.
    pub(crate) async fn call<R>(
        &self,
        call: &Call<'_>,
        judge: impl Fn(Response<Bytes>) -> Result<R, Fault>,
    ) -> Result<R> {
        let begun = self.clock.now();
        if let Some(seconds) = self.locked_for() {
            return Err(locked(seconds));
        }
        self.budget.earn();
        let (mut failures, mut maybe_done) = (Vec::new(), false);
        loop {
            let elapsed = self.clock.now().saturating_sub(begun);
            let left = self.settings.policy.deadline.saturating_sub(elapsed);
            let answer = self.attempt(call, left).await?;
            let wait = answer.as_ref().ok().and_then(|answer| retry_after(answer.headers()));
            let fault = match answer.and_then(&judge) {
                Ok(result) => return Ok(result),
                Err(fault) => fault,
            };
            maybe_done |= fault.maybe_done;
            failures.push(fault.class);
            if fault.class == Class::Locked {
                self.lock(wait);
            }
            if !self.again(&fault, &failures, begun).await {
                return Err(self.told(call.error(&self.settings, fault, maybe_done)));
            }
            self.counters.retried();
        }
    }

    /// Waits as long as the policy says; `false` when it says to stop.
    async fn again(&self, fault: &Fault, failures: &[Class], begun: u64) -> bool {
        let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        let alike = failures.iter().filter(|class| **class == fault.class).count();
        let tried = Tried { all: count(failures.len()), alike: count(alike) };
        let elapsed = self.clock.now().saturating_sub(begun);
        match self.settings.policy.next(tried, fault.class, elapsed, self.random()) {
            Next::Stop => false,
            Next::AtOnce => self.locked_for().is_none(),
            Next::Again(pause) => {
                let allowed = self.budget.take();
                if allowed {
                    self.clock.sleep(pause).await;
                }
                // Another call may have met the lockout meanwhile.
                allowed && self.locked_for().is_none()
            }
        }
    }

    /// No requests for as long as the policy says, or for less where the answer says so.
    fn lock(&self, wait: Option<u64>) {
        let most = self.settings.policy.lockout;
        let pause = wait.map_or(most, |wait| wait.min(most));
        self.budget.lock(self.clock.now().saturating_add(pause));
    }

    /// Seconds that the lockout lasts still; none when there is none.
    fn locked_for(&self) -> Option<u32> {
        let left = self.budget.locked_until().saturating_sub(self.clock.now());
        (left > 0).then(|| u32::try_from(left.div_ceil(1000)).unwrap_or(u32::MAX))
    }

    /// The error of a call, which under a lockout says how long that lasts.
    fn told(&self, error: Error) -> Error {
        match self.locked_for() {
            Some(seconds) if error.reason == "store_refused" => error.retry_after(seconds),
            _ => error,
        }
    }

    /// One signed request and its answer. The outer error is ours, the inner one the world's.
    pub(crate) async fn attempt(
        &self,
        call: &Call<'_>,
        left: u64,
    ) -> Result<Result<Response<Bytes>, Fault>> {
        let mut request = call.request.clone();
        sign(&mut request, &call.sha256, &self.signer, self.now())?;
        if request.method() == Method::PUT {
            // After signing: a server's HTTP library may hide this header from the code that checks signatures.
            let length = HeaderValue::from(request.body().len());
            request.headers_mut().insert(header::CONTENT_LENGTH, length);
        }
        self.counters.sent(request.method(), call.is_list(), request.body().len());
        let sent = self.clock.now();
        let limit = left.min(self.settings.policy.attempt);
        let answer = {
            let answer = pin!(self.transport.send(request));
            match select(answer, pin!(self.clock.sleep(limit))).await {
                Either::Left((answer, _)) => answer,
                Either::Right(((), _)) => Err(TransportError::new(Reach::Unknown, "timed out")),
            }
        };
        Ok(answer.map_err(Fault::from).inspect(|answer| self.learn(answer, sent)))
    }

    /// A GET without a signature, once: what anybody would be answered.
    pub(crate) async fn unsigned_get(&self, key: &Key) -> Result<Response<Bytes>> {
        let url = address::object(&self.settings, key.as_str());
        let request = http::Request::get(url).body(Bytes::new()).map_err(unsendable)?;
        let unanswered = |e| Error::unavailable("the object store did not answer").caused_by(e);
        self.transport.send(request).await.map_err(unanswered)
    }

    /// This machine's clock.
    pub(crate) fn local_now(&self) -> u64 {
        self.clock.now()
    }

    fn learn(&self, answer: &Response<Bytes>, sent: u64) {
        self.counters.received(answer.body().len());
        if let Some(date) = answer::date(answer.headers()) {
            self.learned().observe(sent, self.clock.now(), date);
        }
    }

    pub(crate) fn random(&self) -> u64 {
        let [a, b, c, d, e, f, g, h, ..] = self.ids.random();
        u64::from_le_bytes([a, b, c, d, e, f, g, h])
    }

    fn learned(&self) -> MutexGuard<'_, Skew> {
        self.skew.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Error of a request that makes no URL or header.
pub(crate) fn unsendable(cause: http::Error) -> Error {
    Error::internal("a request to the object store cannot be made").caused_by(cause)
}

/// Milliseconds that an answer asks us to wait.
fn retry_after(headers: &HeaderMap) -> Option<u64> {
    let seconds: u64 = headers.get(header::RETRY_AFTER)?.to_str().ok()?.parse().ok()?;
    Some(seconds.max(1).saturating_mul(1000))
}
