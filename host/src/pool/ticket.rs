//! What is known about one request in flight, shared by the connection, the instance and the answer's body.

use futures::task::AtomicWaker;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

static START: LazyLock<Instant> = LazyLock::new(Instant::now);

/// A request may go on this many times its deadline in all, however steadily its bodies move.
const WHOLE: u32 = 30;
/// Calls of component to component within one request, one inside the other.
const DEEPEST: usize = 4;

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
    caller: Option<Arc<Ticket>>,
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
            caller: None,
        };
        ticket.progress();
        ticket
    }

    /// A call to another component while it works for `caller`: of the same request, and over when that is over. None
    /// when too many such calls are one inside the other.
    pub fn within(caller: &Arc<Ticket>) -> Option<Self> {
        let depth = std::iter::successors(Some(caller), |ticket| ticket.caller.as_ref()).count();
        let ticket = Self::new(caller.request_id.clone(), caller.allowance);
        (depth <= DEEPEST).then(|| Self { caller: Some(caller.clone()), ..ticket })
    }

    /// Bytes moved: the deadline moves with them, but never beyond the whole request's own.
    pub fn progress(&self) {
        let end = (Instant::now() + self.allowance).min(self.started + self.allowance * WHOLE);
        let micros = end.saturating_duration_since(*START).as_micros();
        self.deadline.store(u64::try_from(micros).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// When the request ends by force.
    pub fn deadline(&self) -> Instant {
        let own = *START + Duration::from_micros(self.deadline.load(Ordering::Relaxed));
        self.caller.as_ref().map_or(own, |caller| own.min(caller.deadline()))
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
    fn a_call_within_a_request_ends_with_it_and_not_many_are_one_inside_the_other() {
        let request = Arc::new(Ticket::new("r".into(), Duration::ZERO));
        let within = Arc::new(Ticket::within(&request).unwrap());
        assert!(within.expired() && within.deadline() <= request.deadline());
        let deeper = |ticket: &Arc<Ticket>| Ticket::within(ticket).map(Arc::new);
        assert_eq!(std::iter::successors(Some(request), deeper).count(), 1 + DEEPEST);
    }

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
