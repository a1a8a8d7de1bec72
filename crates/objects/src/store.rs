//! The store: sends a call until it succeeds or the policy says to stop, and keeps clock offset, budget and counters.

use crate::answer;
use crate::fault::{Class, Fault};
use crate::retry::{Budget, Next, Tried};
use crate::settings::Settings;
use crate::sign::{Signer, presign, sign};
use crate::stats::{Counters, Stats};
use crate::transport::{Reach, Transport, TransportError};
use crate::{address, operations::Call};
use bytes::Bytes;
use futures::future::{Either, select};
use holdfast_core::clock::Skew;
use holdfast_core::ports::{Clock, Ids};
use holdfast_core::{Error, Key, Result};
use http::{HeaderValue, Method, Response, header};
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
    state: Mutex<State>,
}

struct State {
    skew: Skew,
    budget: Budget,
    locked_until: u64,
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
    /// A store with checked settings. Sends nothing.
    ///
    /// # Errors
    /// `invalid`, naming the setting at fault.
    pub fn new(settings: Settings, transport: T, clock: C, ids: I) -> Result<Self> {
        let settings = settings.check()?;
        let Settings { access_key, secret_key, session_token, region, .. } = &settings;
        let signer = Signer::new(access_key, secret_key, session_token.clone(), region);
        let budget = Budget::new(settings.policy.burst);
        let state = Mutex::new(State { skew: Skew::default(), budget, locked_until: 0 });
        Ok(Self { settings, transport, clock, ids, signer, counters: Counters::default(), state })
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
        self.state().skew
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
        self.refuse_while_locked(begun)?;
        self.state().budget.earn();
        let (mut failures, mut maybe_done) = (Vec::new(), false);
        loop {
            let elapsed = self.clock.now().saturating_sub(begun);
            let left = self.settings.policy.deadline.saturating_sub(elapsed);
            let fault = match self.attempt(call, left).await?.and_then(&judge) {
                Ok(result) => return Ok(result),
                Err(fault) => fault,
            };
            maybe_done |= fault.maybe_done;
            failures.push(fault.class);
            if !self.again(&fault, &failures, begun).await {
                return Err(call.error(&self.settings, fault, maybe_done));
            }
            self.counters.retried();
        }
    }

    /// Waits as long as the policy says; `false` when it says to stop.
    async fn again(&self, fault: &Fault, failures: &[Class], begun: u64) -> bool {
        let now = self.clock.now();
        if fault.class == Class::Locked {
            self.state().locked_until = now.saturating_add(self.settings.policy.lockout);
        }
        let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        let alike = failures.iter().filter(|class| **class == fault.class).count();
        let tried = Tried { all: count(failures.len()), alike: count(alike) };
        let elapsed = now.saturating_sub(begun);
        match self.settings.policy.next(tried, fault.class, elapsed, self.random()) {
            Next::Stop => false,
            Next::AtOnce => true,
            Next::Again(pause) => {
                let allowed = self.state().budget.take();
                if allowed {
                    self.clock.sleep(pause).await;
                }
                allowed
            }
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
            self.state().skew.observe(sent, self.clock.now(), date);
        }
    }

    fn refuse_while_locked(&self, now: u64) -> Result<()> {
        let left = self.state().locked_until.saturating_sub(now);
        if left == 0 {
            return Ok(());
        }
        let seconds = u32::try_from(left.div_ceil(1000)).unwrap_or(u32::MAX);
        Err(crate::operations::locked(seconds))
    }

    pub(crate) fn random(&self) -> u64 {
        let [a, b, c, d, e, f, g, h, ..] = self.ids.random();
        u64::from_le_bytes([a, b, c, d, e, f, g, h])
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Error of a request that makes no URL or header.
pub(crate) fn unsendable(cause: http::Error) -> Error {
    Error::internal("a request to the object store cannot be made").caused_by(cause)
}
