//! Time as numbers and text: UTC days, RFC 3339, and what a store's `Date` answers say about our clock.

use crate::{Error, Result};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

/// UTC day of a Unix time in milliseconds, as `yyyymmdd`.
pub fn day(milliseconds: u64) -> String {
    let date = at(milliseconds).date();
    format!("{:04}{:02}{:02}", date.year(), u8::from(date.month()), date.day())
}

/// RFC 3339 in UTC with milliseconds.
pub fn rfc3339(milliseconds: u64) -> String {
    let when = at(milliseconds);
    format!(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z",
        when.year(),
        u8::from(when.month()),
        when.day(),
        when.hour(),
        when.minute(),
        when.second(),
        when.millisecond()
    )
}

/// Unix milliseconds of an RFC 3339 time; the offset may be any.
///
/// # Errors
/// `invalid` when the text is no such time, or lies before 1970.
pub fn parse_rfc3339(text: &str) -> Result<u64> {
    OffsetDateTime::parse(text, &Rfc3339)
        .ok()
        .and_then(|when| u64::try_from(when.unix_timestamp_nanos() / 1_000_000).ok())
        .ok_or_else(|| Error::invalid("a time must be RFC 3339, as 2026-01-31T12:00:00Z"))
}

fn at(milliseconds: u64) -> OffsetDateTime {
    i64::try_from(milliseconds / 1000)
        .ok()
        .and_then(|seconds| OffsetDateTime::from_unix_timestamp(seconds).ok())
        .map_or(OffsetDateTime::UNIX_EPOCH, |when| {
            when + time::Duration::milliseconds(i64::try_from(milliseconds % 1000).unwrap_or(0))
        })
}

/// The offsets of our clock that every `Date` answer of the store so far allows, in milliseconds.
///
/// A `Date` has whole seconds: an answer that carries `date`, sent for a request between `sent` and `received` (our
/// clock), allows every offset in `[date − received, date + 1000 − sent]`. While the interval contains 0 the offset is 0.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Skew {
    allowed: Option<(i64, i64)>,
    told: Option<u64>,
}

/// Offsets above this are not worked with, in milliseconds.
pub const MAX_SKEW: i64 = 60_000;

/// Half of what a `Date` of whole seconds leaves open, in milliseconds: an offset is not further off than a clock.
const MAX_INWARD: i64 = 500;

impl Skew {
    /// Takes one answer into account; one that contradicts the others starts anew (a clock was set). One that took longer
    /// than [`MAX_SKEW`] says too little: it would let a clock pass that is further off than that.
    pub fn observe(&mut self, sent: u64, received: u64, date: u64) {
        self.told = Some(date);
        if received.saturating_sub(sent) > MAX_SKEW.unsigned_abs() {
            return;
        }
        let [sent, received, date] = [sent, received, date].map(|t| i64::try_from(t).unwrap_or(0));
        let (low, high) = (date - received, date + 1000 - sent);
        self.allowed = Some(match self.allowed {
            Some((l, h)) if l.max(low) <= h.min(high) => (l.max(low), h.min(high)),
            _ => (low, high),
        });
    }

    /// Milliseconds to add to our clock; `None` before the first answer.
    ///
    /// The middle of what is allowed, but hardly further from 0 than need be: a slow answer must not move a clock by half
    /// of what it took.
    pub fn offset(&self) -> Option<i64> {
        self.allowed.map(|(low, high)| {
            let inward = ((high - low) / 2).min(MAX_INWARD);
            match (low > 0, high < 0) {
                (true, _) => low + inward,
                (_, true) => high - inward,
                _ => 0,
            }
        })
    }

    /// The store's last `Date`, in Unix milliseconds: so late it is at least, whatever our clock was set to since.
    pub fn told(&self) -> Option<u64> {
        self.told
    }

    /// The clock may be used: the offset is known and not above [`MAX_SKEW`].
    pub fn trusted(&self) -> bool {
        self.offset().is_some_and(|offset| offset.abs() <= MAX_SKEW)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_round_trip() {
        assert_eq!(rfc3339(1_774_000_000_123), "2026-03-20T09:46:40.123Z");
        assert_eq!(parse_rfc3339("2026-03-20T10:46:40.123+01:00").unwrap(), 1_774_000_000_123);
        assert!(parse_rfc3339("yesterday").is_err());
        assert_eq!(day(1_774_000_000_123), "20260320");
    }

    #[test]
    fn a_clock_that_agrees_has_offset_0_and_one_that_does_not_is_corrected() {
        let mut skew = Skew::default();
        assert_eq!(skew.offset(), None);
        skew.observe(10_400, 10_450, 10_000);
        assert_eq!(skew.offset(), Some(0));
        let mut late = Skew::default();
        late.observe(100_000, 100_100, 130_000);
        assert!((late.offset().unwrap() - 30_450).abs() < 600);
        assert!(late.trusted());
        late.observe(100_000, 100_100, 230_000);
        assert!(!late.trusted());
    }

    #[test]
    fn a_slow_answer_neither_moves_a_clock_far_nor_lets_a_wrong_one_pass() {
        // Half a second ahead of the store, and an answer that took 50 s.
        let mut slow = Skew::default();
        slow.observe(100_500, 150_500, 99_000);
        assert_eq!(slow.offset(), Some(-1_000));
        // Two hours ahead, and an answer that took three.
        let mut wrong = Skew::default();
        wrong.observe(7_200_000, 18_000_000, 1_000_000);
        assert_eq!((wrong.offset(), wrong.trusted(), wrong.told()), (None, false, Some(1_000_000)));
    }
}
