//! When to try again: one table, as a pure function, and the budget that keeps retries from becoming the load.

use crate::fault::Class;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Retries and deadlines, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Policy {
    /// Upper end of the first pause; it doubles with each failure.
    pub base: u64,
    /// Highest upper end of a pause.
    pub cap: u64,
    /// Time for one call with all its retries.
    pub deadline: u64,
    /// Time for one request.
    pub attempt: u64,
    /// Time without any request after `AuthenticationLockout`.
    pub lockout: u64,
    /// Retries that may be taken at once; each first request earns a tenth of one.
    pub burst: u32,
}

impl Default for Policy {
    fn default() -> Self {
        Self { base: 50, cap: 2000, deadline: 20_000, attempt: 10_000, lockout: 300_000, burst: 30 }
    }
}

/// Failures of one call so far, the present one included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tried {
    /// All of them.
    pub all: u32,
    /// Those of the present class.
    pub alike: u32,
}

/// The next step of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Send the same again after so many milliseconds, on the budget.
    Again(u64),
    /// Send the same again at once; not the store's load, so not on the budget.
    AtOnce,
    /// Give the error to the caller.
    Stop,
}

impl Policy {
    /// The table: what to do after a failure of `class`, `elapsed` milliseconds into the call.
    ///
    /// Pauses have full jitter ("Exponential Backoff And Jitter", AWS Architecture Blog): uniform in
    /// `[0, min(cap, base × 2^(failures − 1))]`, `random` being uniform in all of `u64`.
    pub fn next(&self, tried: Tried, class: Class, elapsed: u64, random: u64) -> Next {
        let pause = self.pause(tried.all, random);
        let next = match (class, tried.alike) {
            (Class::Closed | Class::Skewed, 1) => Next::AtOnce,
            (Class::Transient | Class::Closed, _) => Next::Again(pause),
            (Class::Digest, 1) | (Class::Mismatch, 1 | 2) => Next::Again(pause),
            _ => Next::Stop,
        };
        let wait = if let Next::Again(pause) = next { pause } else { 0 };
        if elapsed.saturating_add(wait) >= self.deadline { Next::Stop } else { next }
    }

    fn pause(&self, failures: u32, random: u64) -> u64 {
        let doubled = 1_u64.checked_shl(failures.saturating_sub(1).min(32)).unwrap_or(u64::MAX);
        let top = self.base.saturating_mul(doubled).min(self.cap);
        random % top.saturating_add(1)
    }
}

/// What may be sent again: a bucket of retries, full at the start, a tenth of one earned by each first request; and nothing at
/// all under a lockout. Clones are the same: stores that ask one bucket with one key share it, since the store counts their
/// requests, and locks them out, as those of one client.
#[derive(Debug, Clone)]
pub struct Budget(Arc<Mutex<Left>>);

#[derive(Debug)]
struct Left {
    tenths: u32,
    most: u32,
    /// Unix milliseconds.
    locked_until: u64,
}

impl Budget {
    /// A full budget of `burst` retries, and no lockout.
    pub fn new(burst: u32) -> Self {
        let most = burst.saturating_mul(10);
        Self(Arc::new(Mutex::new(Left { tenths: most, most, locked_until: 0 })))
    }

    /// A first request was sent.
    pub fn earn(&self) {
        let mut left = self.left();
        left.tenths = left.tenths.saturating_add(1).min(left.most);
    }

    /// Takes one retry, if there is one.
    pub fn take(&self) -> bool {
        let mut left = self.left();
        let rest = left.tenths.checked_sub(10);
        left.tenths = rest.unwrap_or(left.tenths);
        rest.is_some()
    }

    /// Nothing is to be sent before this moment, in Unix milliseconds.
    pub fn locked_until(&self) -> u64 {
        self.left().locked_until
    }

    /// The store locked us out until then, in Unix milliseconds.
    pub fn lock(&self, until: u64) {
        let mut left = self.left();
        left.locked_until = left.locked_until.max(until);
    }

    fn left(&self) -> MutexGuard<'_, Left> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const P: Policy = Policy {
        base: 50,
        cap: 2000,
        deadline: 20_000,
        attempt: 10_000,
        lockout: 300_000,
        burst: 2,
    };

    fn next(class: Class, all: u32, alike: u32) -> Next {
        P.next(Tried { all, alike }, class, 0, u64::MAX - u64::MAX % 2001 % 51)
    }

    #[test]
    fn every_row_of_the_table_holds() {
        let again = |next| matches!(next, Next::Again(_));
        for alike in 1..12 {
            assert!(again(next(Class::Transient, alike, alike)));
            for stop in [Class::Refused, Class::Locked, Class::NoBucket, Class::NoKey] {
                assert_eq!(next(stop, alike, alike), Next::Stop);
            }
            for stop in [Class::NoRange, Class::Redirect] {
                assert_eq!(next(stop, alike, alike), Next::Stop);
            }
        }
        assert_eq!(next(Class::Closed, 4, 1), Next::AtOnce);
        assert!(again(next(Class::Closed, 2, 2)));
        assert_eq!(next(Class::Skewed, 3, 1), Next::AtOnce);
        assert_eq!(next(Class::Skewed, 2, 2), Next::Stop);
        assert!(again(next(Class::Digest, 3, 1)));
        assert_eq!(next(Class::Digest, 2, 2), Next::Stop);
        assert!(again(next(Class::Mismatch, 2, 2)));
        assert_eq!(next(Class::Mismatch, 3, 3), Next::Stop);
    }

    #[test]
    fn a_pause_is_anywhere_from_nothing_to_its_doubling_top_but_not_above_the_cap() {
        for (failures, top) in [(1, 50), (2, 100), (3, 200), (6, 1600), (7, 2000), (60, 2000)] {
            assert_eq!(P.pause(failures, top), top);
            assert_eq!(P.pause(failures, top + 1), 0);
        }
    }

    #[test]
    fn nothing_is_tried_again_past_the_deadline() {
        let tried = Tried { all: 1, alike: 1 };
        assert_eq!(P.next(tried, Class::Transient, 19_970, 20), Next::Again(20));
        assert_eq!(P.next(tried, Class::Transient, 19_970, 30), Next::Stop);
        assert_eq!(P.next(tried, Class::Closed, 20_000, 0), Next::Stop);
    }

    #[test]
    fn the_budget_allows_its_burst_and_then_one_retry_in_ten_requests() {
        let budget = Budget::new(2);
        assert!(budget.take() && budget.take());
        assert!(!budget.take());
        let taken = (0..1000).filter(|_| {
            budget.earn();
            budget.take()
        });
        assert_eq!(taken.count(), 100);
    }
}
