//! The async front of the embedder: callers wait in line, a few threads of its own work.
//!
//! A big job is done in slices of about one chunk's cost and goes back into the line after each, so a query waits for one
//! slice at most, and tenants take turns slice by slice. Dropping a call's future takes its job out of the line.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Instant;

use tokio::sync::oneshot;

use crate::embedder::Embedder;
use crate::error::ModelError;
pub use crate::queue::Purpose;
use crate::queue::Queue;

/// How much the pool may do at once.
#[derive(Debug, Clone, Copy)]
pub struct PoolSettings {
    /// Threads that embed, each using one core: one job at a time for each.
    pub threads: usize,
    /// Jobs of each purpose that may wait; a tenant gets half of it. One more is [`ModelError::Busy`].
    pub room: usize,
}

impl Default for PoolSettings {
    fn default() -> Self {
        Self { threads: 1, room: 256 }
    }
}

/// Embeds for many callers at once. Dropping it ends its threads after their slice; who still waits gets [`ModelError::Stopped`].
pub struct EmbedderPool {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

impl EmbedderPool {
    /// Starts the pool's threads over a loaded model.
    pub fn start(embedder: Embedder, settings: PoolSettings) -> Result<Self, ModelError> {
        let state = State { queue: Queue::new(settings.room), stopping: false };
        let shared =
            Arc::new(Shared { embedder, state: Mutex::new(state), arrival: Condvar::new() });
        let mut pool = Self { shared, threads: Vec::new() };
        for number in 0..settings.threads.max(1) {
            let shared = Arc::clone(&pool.shared);
            let thread = std::thread::Builder::new().name(format!("embedder-{number}"));
            pool.threads
                .push(thread.spawn(move || shared.work()).map_err(|_| ModelError::Stopped)?);
        }
        Ok(pool)
    }

    /// The model itself, for its space and dimensions.
    pub fn embedder(&self) -> &Embedder {
        &self.shared.embedder
    }

    /// A vector for each text, in the texts' order; see [`Embedder::embed`]. Full is [`ModelError::Busy`], at once.
    pub async fn embed(
        &self,
        tenant: &str,
        purpose: Purpose,
        texts: Vec<String>,
    ) -> Result<Vec<Vec<f32>>, ModelError> {
        self.submit(tenant, purpose, texts, None)?.await.map_err(|_| ModelError::Stopped)?
    }

    /// The same, given up with [`ModelError::Deadline`] when `deadline` has passed; what was not begun is not done.
    pub async fn embed_until(
        &self,
        deadline: Instant,
        tenant: &str,
        purpose: Purpose,
        texts: Vec<String>,
    ) -> Result<Vec<Vec<f32>>, ModelError> {
        let answer = self.submit(tenant, purpose, texts, Some(deadline))?;
        let answer = tokio::time::timeout_at(deadline.into(), answer).await;
        answer.map_err(|_| ModelError::Deadline)?.map_err(|_| ModelError::Stopped)?
    }

    fn submit(
        &self,
        tenant: &str,
        purpose: Purpose,
        texts: Vec<String>,
        deadline: Option<Instant>,
    ) -> Result<oneshot::Receiver<Answer>, ModelError> {
        let (reply, answer) = oneshot::channel();
        let vectors = Vec::with_capacity(texts.len());
        let job = Job { texts, vectors, deadline, reply };
        self.shared.lock().queue.push(tenant, purpose, job).map_err(|_| ModelError::Busy)?;
        self.shared.arrival.notify_one();
        Ok(answer)
    }
}

impl Drop for EmbedderPool {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        state.stopping = true;
        state.queue.clear();
        drop(state);
        self.shared.arrival.notify_all();
        for thread in self.threads.drain(..) {
            // A thread that panicked has nothing left to end.
            let _ = thread.join();
        }
    }
}

type Answer = Result<Vec<Vec<f32>>, ModelError>;

struct Job {
    texts: Vec<String>,
    vectors: Vec<Vec<f32>>,
    deadline: Option<Instant>,
    reply: oneshot::Sender<Answer>,
}

struct State {
    queue: Queue<Job>,
    stopping: bool,
}

struct Shared {
    embedder: Embedder,
    state: Mutex<State>,
    arrival: Condvar,
}

impl Shared {
    fn work(&self) {
        while let Some((tenant, purpose, job)) = self.next() {
            if let Some(rest) = job.advance(&self.embedder) {
                let mut state = self.lock();
                if !state.stopping {
                    state.queue.put_back(&tenant, purpose, rest);
                }
            }
        }
    }

    fn next(&self) -> Option<(String, Purpose, Job)> {
        let mut state = self.lock();
        loop {
            if state.stopping {
                return None;
            }
            if let Some(next) = state.queue.pop() {
                return Some(next);
            }
            state = self.arrival.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Job {
    /// Does one slice; gives the job back if there is more to do.
    fn advance(mut self, embedder: &Embedder) -> Option<Self> {
        if self.reply.is_closed() {
            return None;
        }
        if self.deadline.is_some_and(|deadline| deadline <= Instant::now()) {
            self.answer(Err(ModelError::Deadline));
            return None;
        }
        let begin = self.vectors.len();
        let rest = self.texts.get(begin..).unwrap_or_default();
        let slice = rest.get(..slice_len(rest)).unwrap_or_default();
        match guarded(embedder, slice) {
            Ok(vectors) => self.vectors.extend(vectors),
            Err(error) => {
                self.answer(Err(error));
                return None;
            }
        }
        if self.vectors.len() < self.texts.len() {
            return Some(self);
        }
        let vectors = std::mem::take(&mut self.vectors);
        self.answer(Ok(vectors));
        None
    }

    fn answer(self, answer: Answer) {
        // Who does not wait any more needs no answer.
        let _ = self.reply.send(answer);
    }
}

/// A panic in the engine fails its own job, not the thread that all others wait for.
fn guarded(embedder: &Embedder, slice: &[String]) -> Answer {
    catch_unwind(AssertUnwindSafe(|| embedder.embed(slice))).unwrap_or(Err(ModelError::Failed))
}

/// How many of the texts make one slice: as many as cost about as much as one chunk of 256 tokens, at least one.
fn slice_len(texts: &[String]) -> usize {
    const BYTES: usize = 1024;
    let mut total = 0;
    let fitting = texts.iter().take_while(|text| {
        total += text.len();
        total <= BYTES
    });
    fitting.count().clamp(texts.len().min(1), texts.len())
}
