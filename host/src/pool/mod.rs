//! Instances of one component: made when needed, used by one request at a time, kept for the next, bounded.
//!
//! A request drives its instance from its own connection's task: no hand-over between threads. When the client hangs
//! up, the rest of the work moves to a task of its own, so that a write that has begun is not torn apart.

mod answer;
mod failure;
mod run;
mod ticket;

pub use answer::Answer;
pub use failure::Failure;
pub use ticket::{BodyFault, Ticket};

use crate::metrics::ComponentMetrics;
use crate::settings::InstanceLimits;
use crate::state::State;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use wasmtime::component::InstancePre;
use wasmtime::{Store, UpdateDeadline};
use wasmtime_wasi_http::handler::{Proxy, ProxyPre};

/// Makes the data of a new instance's store.
pub type MakeState = Box<dyn Fn(Arc<Ticket>) -> State + Send + Sync>;

/// The instances of one component.
pub struct Pool {
    pub(crate) component: Arc<str>,
    pub(crate) limits: InstanceLimits,
    pub(crate) metrics: Arc<ComponentMetrics>,
    pre: ProxyPre<State>,
    engine: wasmtime::Engine,
    make_state: MakeState,
    idle: Mutex<Vec<Idle>>,
    permits: Arc<Semaphore>,
    waiting: AtomicUsize,
}

/// One instance with its store.
pub(crate) struct Instance {
    pub(crate) store: Store<State>,
    pub(crate) proxy: Proxy,
    served: u64,
}

/// A store for an instance that is used for something else than requests, with the right to use it.
pub(crate) struct Apart {
    pub(crate) store: Store<State>,
    pub(crate) pre: InstancePre<State>,
    pub(crate) permit: OwnedSemaphorePermit,
}

struct Idle {
    instance: Instance,
    since: Instant,
}

impl Pool {
    /// A pool without instances; must be called within a tokio runtime, which drops idle instances from then on.
    pub fn new(
        component: Arc<str>,
        engine: wasmtime::Engine,
        pre: ProxyPre<State>,
        limits: InstanceLimits,
        metrics: Arc<ComponentMetrics>,
        make_state: MakeState,
    ) -> Arc<Self> {
        let permits = Arc::new(Semaphore::new(limits.count));
        let pool = Arc::new(Self {
            component,
            limits,
            metrics,
            pre,
            engine,
            make_state,
            idle: Mutex::default(),
            permits,
            waiting: AtomicUsize::new(0),
        });
        tokio::spawn(reap(Arc::downgrade(&pool)));
        pool
    }

    /// Waits until no request uses an instance, at most until `deadline`. True when none does.
    pub async fn drained(&self, deadline: Instant) -> bool {
        let all = u32::try_from(self.limits.count).unwrap_or(u32::MAX);
        let wait = deadline.saturating_duration_since(Instant::now());
        matches!(tokio::time::timeout(wait, self.permits.acquire_many(all)).await, Ok(Ok(_)))
    }

    /// The right to use one instance, at once or after a bounded wait in a bounded queue.
    async fn admit(&self) -> Result<OwnedSemaphorePermit, Failure> {
        if let Ok(permit) = self.permits.clone().try_acquire_owned() {
            return Ok(permit);
        }
        let _place = Place::take(&self.waiting, self.limits.waiting).ok_or(Failure::Busy)?;
        let permit = self.permits.clone().acquire_owned();
        match tokio::time::timeout(self.limits.waiting_time, permit).await {
            Ok(Ok(permit)) => Ok(permit),
            _ => Err(Failure::Busy),
        }
    }

    fn take(&self) -> Option<Instance> {
        self.lock().pop().map(|idle| idle.instance)
    }

    /// Keeps an instance for the next request, the last one used first.
    fn keep(&self, mut instance: Instance) {
        instance.served += 1;
        if instance.served < self.limits.reuse {
            self.lock().push(Idle { instance, since: Instant::now() });
        }
    }

    /// A fresh store for an instance apart from those that serve requests, with the same limits. Its work must keep the
    /// ticket's deadline.
    pub(crate) async fn apart(&self, ticket: Arc<Ticket>) -> Result<Apart, Failure> {
        let permit = self.admit().await?;
        let pre = match &self.pre {
            ProxyPre::P2(pre) => pre.instance_pre().clone(),
            ProxyPre::P3(pre) => pre.instance_pre().clone(),
        };
        let mut store = self.store(ticket.clone());
        store.data_mut().outgoing.works_for(ticket);
        Ok(Apart { store, pre, permit })
    }

    fn store(&self, ticket: Arc<Ticket>) -> Store<State> {
        let mut store = Store::new(&self.engine, (self.make_state)(ticket));
        store.limiter(|state| &mut state.limits);
        store.set_epoch_deadline(1);
        store.epoch_deadline_callback(|context| {
            if context.data().ticket.expired() {
                return Err(wasmtime::Error::msg("the deadline has passed"));
            }
            Ok(UpdateDeadline::Yield(1))
        });
        store
    }

    async fn instantiate(&self, ticket: Arc<Ticket>) -> Result<Instance, wasmtime::Error> {
        let mut store = self.store(ticket);
        let proxy = self.pre.instantiate_async(&mut store).await?;
        self.metrics.instances_made.fetch_add(1, Ordering::Relaxed);
        Ok(Instance { store, proxy, served: 0 })
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Idle>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Instances that wait for a request.
    pub fn idle_instances(&self) -> usize {
        self.lock().len()
    }

    /// Requests that use an instance now.
    pub fn busy_instances(&self) -> usize {
        self.limits.count.saturating_sub(self.permits.available_permits())
    }

    fn drop_idle(&self) {
        let limit = self.limits.idle;
        let old: Vec<Idle> =
            self.lock().extract_if(.., |idle| idle.since.elapsed() >= limit).collect();
        drop(old);
    }
}

async fn reap(pool: Weak<Pool>) {
    let period = pool.upgrade().map(|pool| pool.limits.idle / 4);
    let mut ticks =
        tokio::time::interval(period.unwrap_or_default().max(Duration::from_millis(10)));
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let Some(pool) = pool.upgrade() else { return };
        pool.drop_idle();
    }
}

/// A place in the waiting queue, given back when dropped.
struct Place<'a>(&'a AtomicUsize);

impl<'a> Place<'a> {
    fn take(waiting: &'a AtomicUsize, limit: usize) -> Option<Self> {
        let place = Place(waiting);
        (waiting.fetch_add(1, Ordering::Relaxed) < limit).then_some(place)
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
