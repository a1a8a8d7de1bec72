//! What is known about one request in flight, shared by the connection, the instance and the answer's body.

use futures::task::AtomicWaker;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

static START: LazyLock<Instant> = LazyLock::new(Instant::now);

/// A request may go on this many times its deadline in all, however steadily its bodies move.
const WHOLE: u32 = 30;

/// One request in flight.
#[derive(Debug)]
pub struct Ticket {
    /// Id of the request, made by us or by the client.
    pub request_id: String,
    allowance: Duration,
    started: Instant,
    deadline: AtomicU64,
    over: AtomicBool,
    broken: AtomicBool,
    body: AtomicU8,
    waker: AtomicWaker,
}

/// Why a request's body cannot be read to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyFault {
    /// More bytes than the limit.
    TooLarge,
    /// No bytes for too long.
    Stalled,
}

impl Ticket {
    /// A request that starts now and must show progress every `allowance`.
    pub fn new(request_id: String, allowance: Duration) -> Self {
        let ticket = Self {
            request_id,
            allowance,
            started: Instant::now(),
            deadline: AtomicU64::new(0),
            over: AtomicBool::new(false),
            broken: AtomicBool::new(false),
            body: AtomicU8::new(0),
            waker: AtomicWaker::new(),
        };
        ticket.progress();
        ticket
    }

    /// Bytes moved: the deadline moves with them, but never beyond the whole request's own.
    pub fn progress(&self) {
        let end = (Instant::now() + self.allowance).min(self.started + self.allowance * WHOLE);
        let micros = end.saturating_duration_since(*START).as_micros();
        self.deadline.store(u64::try_from(micros).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// When the request ends by force.
    pub fn deadline(&self) -> Instant {
        *START + Duration::from_micros(self.deadline.load(Ordering::Relaxed))
    }

    /// Has the deadline passed?
    pub fn expired(&self) -> bool {
        Instant::now() >= self.deadline()
    }

    /// The answer was read to its end, or nobody wants it any more.
    pub fn answer_over(&self) {
        self.over.store(true, Ordering::Release);
        self.waker.wake();
    }

    /// Ready once [`Ticket::answer_over`] was called.
    pub fn poll_answer_over(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.waker.register(cx.waker());
        if self.over.load(Ordering::Acquire) { Poll::Ready(()) } else { Poll::Pending }
    }

    /// The instance must not be used again.
    pub fn break_instance(&self) {
        self.broken.store(true, Ordering::Relaxed);
    }

    /// Must the instance be dropped?
    pub fn is_broken(&self) -> bool {
        self.broken.load(Ordering::Relaxed)
    }

    /// The request's body cannot be read to its end.
    pub fn body_fault(&self, fault: BodyFault) {
        let code = match fault {
            BodyFault::TooLarge => 1,
            BodyFault::Stalled => 2,
        };
        self.body.store(code, Ordering::Relaxed);
    }

    /// What is wrong with the request's body, if anything.
    pub fn fault(&self) -> Option<BodyFault> {
        match self.body.load(Ordering::Relaxed) {
            1 => Some(BodyFault::TooLarge),
            2 => Some(BodyFault::Stalled),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_moves_the_deadline_but_not_beyond_the_whole() {
        let ticket = Ticket::new("r".into(), Duration::from_millis(1));
        let whole = ticket.started + Duration::from_millis(1) * WHOLE;
        while Instant::now() < whole {
            ticket.progress();
            assert!(ticket.deadline() <= whole + Duration::from_micros(1));
        }
        ticket.progress();
        assert!(ticket.expired());
    }
}
