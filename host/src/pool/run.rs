//! One request in one instance, from the call to the last byte, under its deadline.

use super::{Answer, BodyFault, Failure, Instance, Pool, Ticket};
use crate::problem;
use crate::state::State;
use futures::channel::oneshot;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::sync::OwnedSemaphorePermit;
use wasmtime::AsContextMut;
use wasmtime_wasi_http::WasiBody;
use wasmtime_wasi_http::WasiHttpView;
use wasmtime_wasi_http::handler::Prepared;
use wasmtime_wasi_http::p2::bindings::http::types::ErrorCode as ErrorCode2;
use wasmtime_wasi_http::p3::bindings::http::types::ErrorCode as ErrorCode3;

type Work = Pin<Box<dyn Future<Output = Result<(), Failure>> + Send>>;

/// The work of one request; it gives the instance back to the pool at its end.
pub(super) struct Run(Option<Work>);

impl Run {
    /// Goes on with the work. After its end: `Ready(Ok)`.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        let Some(work) = &mut self.0 else { return Poll::Ready(Ok(())) };
        let poll = work.as_mut().poll(cx);
        if poll.is_ready() {
            self.0 = None;
        }
        poll
    }
}

impl Drop for Run {
    /// Nobody waits for the work any more: it ends by itself, or by its deadline.
    fn drop(&mut self) {
        if let (Some(work), Ok(runtime)) = (self.0.take(), tokio::runtime::Handle::try_current()) {
            runtime.spawn(work);
        }
    }
}

type Head = Result<http::Response<WasiBody>, wasmtime::Error>;

impl Pool {
    /// The answer of an instance to `request`, or the problem that there is in place of one.
    pub async fn answer(
        self: &Arc<Self>,
        request: http::Request<WasiBody>,
        ticket: &Arc<Ticket>,
        max_body: u64,
    ) -> http::Response<Answer> {
        let writes = !request.method().is_safe();
        self.handle(request, ticket, max_body).await.unwrap_or_else(|failure| {
            let unknown = writes && failure.may_have_run();
            let error = failure.error(&self.component, unknown);
            problem::answer(&error, &ticket.request_id, unknown)
        })
    }

    /// Hands `request` to an instance and waits for the head of its answer.
    pub async fn handle(
        self: &Arc<Self>,
        request: http::Request<WasiBody>,
        ticket: &Arc<Ticket>,
        max_body: u64,
    ) -> Result<http::Response<Answer>, Failure> {
        let permit = self.admit().await.inspect_err(|failure| self.metrics.failed(failure))?;
        let (tx, mut rx) = oneshot::channel();
        let work = serve(self.clone(), permit, request, tx, ticket.clone());
        let mut run = Run(Some(Box::pin(work)));
        let over = Over(ticket);
        let head = poll_fn(|cx| poll_head(&mut run, &mut rx, cx)).await;
        if let Some(fault) = ticket.fault() {
            return Err(match fault {
                BodyFault::TooLarge => Failure::TooLarge(max_body),
                BodyFault::Stalled => Failure::Stalled,
            });
        }
        let response = match head? {
            Ok(response) => response,
            Err(error) => return Err(self.no_answer(error, ticket)),
        };
        std::mem::forget(over);
        ticket.progress();
        let (parts, body) = response.into_parts();
        let answer = Answer::flowing(body, run, ticket.clone());
        let answer = answer.settle().await?;
        Ok(http::Response::from_parts(parts, answer))
    }

    /// The instance gave an error in place of an answer: its own error code, or a trap that spoilt it.
    fn no_answer(&self, error: wasmtime::Error, ticket: &Ticket) -> Failure {
        if error.is::<ErrorCode3>() || error.is::<ErrorCode2>() {
            return Failure::ErrorCode(error);
        }
        ticket.break_instance();
        let failure = Failure::Trap(error);
        report(self, ticket, &failure);
        failure
    }
}

/// Tells the work that nobody reads its answer, unless forgotten.
struct Over<'a>(&'a Ticket);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.answer_over();
    }
}

fn poll_head(
    run: &mut Run,
    rx: &mut oneshot::Receiver<Head>,
    cx: &mut Context<'_>,
) -> Poll<Result<Head, Failure>> {
    let end = run.poll(cx);
    if let Poll::Ready(Err(failure)) = end {
        return Poll::Ready(Err(failure));
    }
    match Pin::new(rx).poll(cx) {
        Poll::Ready(Ok(head)) => Poll::Ready(Ok(head)),
        Poll::Ready(Err(_)) if end.is_ready() => {
            Poll::Ready(Err(Failure::Trap(wasmtime::Error::msg("no answer was given"))))
        }
        _ => Poll::Pending,
    }
}

async fn serve(
    pool: Arc<Pool>,
    permit: OwnedSemaphorePermit,
    request: http::Request<WasiBody>,
    tx: oneshot::Sender<Head>,
    ticket: Arc<Ticket>,
) -> Result<(), Failure> {
    let mut instance = match pool.take() {
        Some(instance) => instance,
        None => {
            fresh(&pool, &ticket).await.inspect_err(|failure| report(&pool, &ticket, failure))?
        }
    };
    begin(&mut instance, &ticket);
    let result = within(&ticket, call(&mut instance, request, tx, &ticket)).await;
    if let Some(failure) = verdict(&pool, &instance, &ticket, result) {
        report(&pool, &ticket, &failure);
        return Err(failure);
    }
    if !ticket.is_broken() {
        pool.keep(instance);
    }
    drop(permit);
    Ok(())
}

async fn fresh(pool: &Pool, ticket: &Arc<Ticket>) -> Result<Instance, Failure> {
    match within(ticket, pool.instantiate(ticket.clone())).await {
        Some(Ok(instance)) => Ok(instance),
        Some(Err(error)) => Err(Failure::Instance(error)),
        None => Err(Failure::Deadline(pool.limits.deadline)),
    }
}

fn begin(instance: &mut Instance, ticket: &Arc<Ticket>) {
    let state = instance.store.data_mut();
    state.ticket = ticket.clone();
    state.outgoing.works_for(ticket.clone());
    state.limits.exceeded = false;
    instance.store.set_epoch_deadline(1);
}

/// Calls the handler, then stays with the instance until its work and its answer are over.
async fn call(
    instance: &mut Instance,
    request: http::Request<WasiBody>,
    tx: oneshot::Sender<Head>,
    ticket: &Ticket,
) -> wasmtime::Result<()> {
    let Instance { store, proxy, .. } = instance;
    let proxy = &*proxy;
    store
        .run_concurrent(async |accessor| {
            let prepared = accessor.with(|mut access| {
                Prepared::new(access.as_context_mut(), proxy, request, State::http, tx)
            })?;
            prepared.run(accessor, std::future::pending()).await?;
            poll_fn(|cx| {
                let answered = ticket.poll_answer_over(cx);
                let worked = accessor.poll_no_interesting_tasks(cx);
                if answered.is_ready() && worked.is_ready() {
                    Poll::Ready(())
                } else {
                    Poll::Pending
                }
            })
            .await;
            wasmtime::error::Ok(())
        })
        .await
        .flatten()
}

/// Runs `work` until it ends or the ticket's deadline, which may move meanwhile, passes: then `None`.
async fn within<T>(ticket: &Ticket, work: impl Future<Output = T>) -> Option<T> {
    let mut work = pin!(work);
    let mut sleep: Option<Pin<Box<tokio::time::Sleep>>> = None;
    poll_fn(|cx| {
        if let Poll::Ready(value) = work.as_mut().poll(cx) {
            return Poll::Ready(Some(value));
        }
        loop {
            if ticket.expired() {
                return Poll::Ready(None);
            }
            let deadline = tokio::time::Instant::from_std(ticket.deadline());
            let sleep = sleep.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(deadline)));
            if sleep.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
            sleep.as_mut().reset(deadline);
        }
    })
    .await
}

fn verdict(
    pool: &Pool,
    instance: &Instance,
    ticket: &Ticket,
    result: Option<wasmtime::Result<()>>,
) -> Option<Failure> {
    match result {
        Some(Ok(())) => None,
        None => Some(Failure::Deadline(pool.limits.deadline)),
        Some(Err(_)) if ticket.expired() => Some(Failure::Deadline(pool.limits.deadline)),
        Some(Err(_)) if instance.store.data().limits.exceeded => {
            Some(Failure::Memory(pool.limits.memory))
        }
        Some(Err(error)) => Some(Failure::Trap(error)),
    }
}

fn report(pool: &Pool, ticket: &Ticket, failure: &Failure) {
    pool.metrics.failed(failure);
    tracing::error!(
        component = &*pool.component,
        request_id = ticket.request_id,
        failure = failure.name(),
        "{failure}"
    );
}
