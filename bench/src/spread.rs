//! Times of repeated calls and their percentiles, in milliseconds.

use std::time::Instant;

/// Times of the calls of one kind.
#[derive(Debug, Default, Clone)]
pub struct Spread(Vec<f64>);

impl Spread {
    /// Adds the time of one call.
    pub async fn time<T>(&mut self, call: impl Future<Output = T>) -> T {
        let begun = Instant::now();
        let answer = call.await;
        self.add(milliseconds(begun));
        answer
    }

    /// Adds one value.
    pub fn add(&mut self, value: f64) {
        self.0.push(value);
    }

    /// Adds all of another.
    pub fn join(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    /// The last value.
    pub fn last(&self) -> f64 {
        self.0.last().copied().unwrap_or(f64::NAN)
    }

    /// The value that `percent` of all do not exceed.
    pub fn percentile(&self, percent: usize) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        let at = (sorted.len() * percent).div_ceil(100).saturating_sub(1);
        sorted.get(at).copied().unwrap_or(f64::NAN)
    }

    /// The median.
    pub fn p50(&self) -> f64 {
        self.percentile(50)
    }

    /// The 95th percentile.
    pub fn p95(&self) -> f64 {
        self.percentile(95)
    }
}

/// Milliseconds since `begun`.
pub fn milliseconds(begun: Instant) -> f64 {
    begun.elapsed().as_secs_f64() * 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_values_that_were_seen() {
        let mut spread = Spread::default();
        (1..=100).rev().for_each(|n| spread.add(f64::from(n)));
        assert_eq!((spread.p50(), spread.p95()), (50.0, 95.0));
        assert!(Spread::default().p50().is_nan());
    }
}
