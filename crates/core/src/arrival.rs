//! What has arrived of a journal, and how much of it a follower was told: the cursor of the feed of changes.
//!
//! An object may come to be seen long after others that were named later: a PUT lands late, a LIST omits. So a follower's
//! place is no point, but a sum: for each of some ranges of names, a digest of the objects of that range that it was told.
//! Whatever host looks at it next finds the ranges whose digest differs, and tells those again. Ranges grow with their
//! age, so that a place stays small and what comes late repeats no more than about half as much as has passed since.

use crate::{Error, Hlc, Result};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound::{Excluded, Included, Unbounded};
use ulid::Ulid;

/// A place has at most so many ranges.
const MAX_RANGES: usize = 96;
const MINUTE: u64 = 60_000;

/// The objects of a journal that a reader has folded, by their ULIDs.
#[derive(Debug, Clone, Default)]
pub struct Arrivals {
    names: BTreeSet<u128>,
    /// Digests of whole minutes, so that a range need not be walked.
    minutes: BTreeMap<u64, u64>,
}

/// How much of a journal a follower was told.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Told {
    /// The user's last erase that it was told.
    pub erased: Option<Hlc>,
    /// In order; what comes after the last was not told.
    ranges: Vec<Range>,
}

/// The objects after the range before, up to one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Range {
    until: u128,
    /// Of those that were told; none when none of them was.
    digest: Option<u64>,
}

/// Objects that were not told: after the one, up to the other or without an end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Span {
    after: Option<u128>,
    until: Option<u128>,
}

impl Arrivals {
    /// These objects.
    pub fn of(names: impl IntoIterator<Item = u128>) -> Self {
        let mut arrivals = Self::default();
        names.into_iter().for_each(|name| arrivals.insert(name));
        arrivals
    }

    /// The objects in order.
    pub fn iter(&self) -> impl Iterator<Item = u128> + '_ {
        self.names.iter().copied()
    }

    /// Adds an object; repeating is safe.
    pub fn insert(&mut self, name: u128) {
        if self.names.insert(name) {
            let minute = self.minutes.entry(minute(name)).or_default();
            *minute = minute.wrapping_add(digest(name));
        }
    }

    /// Is it here?
    pub fn contains(&self, name: u128) -> bool {
        self.names.contains(&name)
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// None yet.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    fn within(&self, span: Span) -> impl Iterator<Item = u128> + '_ {
        let from = span.after.map_or(Unbounded, Excluded);
        let to = span.until.map_or(Unbounded, Included);
        // A range that ends before it begins is empty, not a mistake.
        let proper = span.after.zip(span.until).is_none_or(|(after, until)| after < until);
        proper.then(|| self.names.range((from, to)).copied()).into_iter().flatten()
    }

    fn digest(&self, after: Option<u128>, until: u128) -> u64 {
        let sum = |span| self.within(span).map(digest).fold(0, u64::wrapping_add);
        let (first, last) = (after.map_or(0, |after| minute(after) + 1), minute(until));
        if first >= last {
            return sum(Span { after, until: Some(until) });
        }
        let head = after.map_or(0, |after| sum(Span { after: Some(after), until: before(first) }));
        let whole = self.minutes.range(first..last).map(|(_, digest)| *digest);
        let tail = sum(Span { after: before(last), until: Some(until) });
        whole.fold(head.wrapping_add(tail), u64::wrapping_add)
    }
}

impl Told {
    /// Nothing but this erase.
    pub fn after_erase(at: Hlc) -> Self {
        Self { erased: Some(at), ranges: Vec::new() }
    }

    /// The first objects that were not told, in order, at most `limit`; and whether there are more.
    pub fn untold(&self, arrivals: &Arrivals, limit: usize) -> (Vec<u128>, bool) {
        let spans = self.spans(arrivals);
        let mut all = spans.into_iter().flat_map(|span| arrivals.within(span));
        let first = all.by_ref().take(limit).collect();
        (first, all.next().is_some())
    }

    fn spans(&self, arrivals: &Arrivals) -> Vec<Span> {
        let (mut spans, mut after) = (Vec::new(), None);
        for range in &self.ranges {
            if range.digest != Some(arrivals.digest(after, range.until)) {
                spans.push(Span { after, until: Some(range.until) });
            }
            after = Some(range.until);
        }
        spans.push(Span { after, until: None });
        spans
    }

    /// Notes that everything that was not told up to `last` is told now; all of it without one. `now` is Unix milliseconds.
    pub fn tell(&mut self, arrivals: &Arrivals, last: Option<u128>, now: u64) {
        let told = last.or_else(|| arrivals.names.last().copied()).unwrap_or_default();
        let end = self.ranges.last().map_or(0, |range| range.until);
        let told = if last.is_none() { told.max(end) } else { told };
        let (mut ranges, mut after) = (Vec::new(), None);
        for range in &self.ranges {
            let present = arrivals.digest(after, range.until);
            let begun = after.unwrap_or_default();
            if range.digest == Some(present) || range.until <= told {
                ranges.push(Range { until: range.until, digest: Some(present) });
            } else if begun < told {
                ranges.push(Range { until: told, digest: Some(arrivals.digest(after, told)) });
                ranges.push(Range { until: range.until, digest: None });
            } else {
                ranges.push(Range { until: range.until, digest: None });
            }
            after = Some(range.until);
        }
        if told > end {
            ranges.push(Range { until: told, digest: Some(arrivals.digest(after, told)) });
        }
        let first = arrivals.names.first().map_or(now, |name| time(*name));
        self.ranges = merged(ranges, first, now);
    }

    /// The text that [`parse`](Self::parse) reads.
    pub fn text(&self) -> String {
        let mut bytes = vec![u8::from(self.erased.is_some())];
        bytes.extend(self.erased.unwrap_or_default().0.to_be_bytes());
        for range in &self.ranges {
            bytes.extend(range.until.to_be_bytes());
            bytes.push(u8::from(range.digest.is_some()));
            bytes.extend(range.digest.unwrap_or_default().to_be_bytes());
        }
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// Reads the text of a place.
    ///
    /// # Errors
    /// `invalid_cursor` when it is none.
    pub fn parse(text: &str) -> Result<Self> {
        let bad = || {
            let detail = "the place in the changes cannot be read: start without one";
            Error::because(crate::Case::Invalid, "invalid_cursor", detail).at("cursor")
        };
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| bad())?;
        let (head, rest) = bytes.split_first_chunk::<9>().ok_or_else(bad)?;
        let [known, at @ ..] = head;
        let erased = (*known == 1).then(|| Hlc(u64::from_be_bytes(*at)));
        let (chunks, left) = rest.as_chunks::<25>();
        let ranges: Vec<Range> = chunks.iter().filter_map(range).collect();
        let sorted = ranges.iter().map(|range| range.until).is_sorted();
        let whole = left.is_empty() && ranges.len() == chunks.len() && sorted;
        (whole && ranges.len() <= 2 * MAX_RANGES).then_some(Self { erased, ranges }).ok_or_else(bad)
    }
}

fn range(bytes: &[u8; 25]) -> Option<Range> {
    let (until, rest) = bytes.split_first_chunk::<16>()?;
    let (known, digest) = rest.split_first()?;
    let digest = u64::from_be_bytes(*digest.first_chunk::<8>()?);
    Some(Range { until: u128::from_be_bytes(*until), digest: (*known == 1).then_some(digest) })
}

/// Joins neighbours whose span is short beside their age. `first` is when the first object was named.
fn merged(ranges: Vec<Range>, first: u64, now: u64) -> Vec<Range> {
    let mut merged: Vec<(u64, Range)> = Vec::new();
    for range in ranges {
        let mut begun = merged.last().map_or(first, |(_, before)| time(before.until));
        let mut range = range;
        while let Some((start, before)) = merged.last().copied() {
            let age = now.saturating_sub(time(range.until));
            let short = time(range.until).saturating_sub(start) <= age / 2;
            range.digest = match (before.digest, range.digest) {
                (Some(one), Some(other)) if short => Some(one.wrapping_add(other)),
                (None, None) => None,
                _ => break,
            };
            begun = start;
            merged.pop();
        }
        merged.push((begun, range));
    }
    let mut ranges: Vec<Range> = merged.into_iter().map(|(_, range)| range).collect();
    // Never so many, but a place that somebody made grow must not grow on. What is joined is told again at the worst.
    while ranges.len() > MAX_RANGES {
        let before = ranges.remove(0);
        if let Some(next) = ranges.first_mut() {
            next.digest = before.digest.zip(next.digest).map(|(a, b)| a.wrapping_add(b));
        }
    }
    ranges
}

fn time(name: u128) -> u64 {
    Ulid(name).timestamp_ms()
}

fn minute(name: u128) -> u64 {
    time(name) / MINUTE
}

/// The last name before a minute.
fn before(minute: u64) -> Option<u128> {
    Ulid::from_parts(minute * MINUTE, 0).0.checked_sub(1)
}

/// Splitmix64 over both halves.
fn digest(name: u128) -> u64 {
    let mix = |mut x: u64| {
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        x ^ (x >> 31)
    };
    #[expect(clippy::cast_possible_truncation, reason = "the halves of it")]
    let (high, low) = ((name >> 64) as u64, name as u64);
    mix(mix(high.wrapping_add(0x9e37_79b9_7f4a_7c15)).wrapping_add(low))
}
