//! How central each statement is, and how alike two are.

use super::sentences::Statement;
use std::collections::BTreeMap;
use std::collections::HashMap;

/// Statements less alike than this are not neighbours.
const NEIGHBOURS: f64 = 0.1;

/// Chance to go on from anywhere instead of to a neighbour.
const DAMPING: f64 = 0.15;

/// Rounds at most; ranks of a conversation settle in about twenty.
const ROUNDS: usize = 60;

/// Ranks that move less than this together have settled.
const SETTLED: f64 = 1e-9;

/// Statements with their ranks.
pub(super) struct Ranked {
    /// tf-idf, by number of the term, of length 1.
    vectors: Vec<Vec<(u32, f64)>>,
    scores: Vec<f64>,
}

impl Ranked {
    /// How central, from 0 to 1.
    pub fn score(&self, one: usize) -> f64 {
        self.scores.get(one).copied().unwrap_or_default()
    }

    /// Cosine of two.
    pub fn alike(&self, one: usize, other: usize) -> f64 {
        match (self.vectors.get(one), self.vectors.get(other)) {
            (Some(one), Some(other)) => dot(one, other),
            _ => 0.0,
        }
    }
}

/// Ranks all.
pub(super) fn ranked(statements: &[Statement<'_>]) -> Ranked {
    let vectors = vectors(statements);
    let neighbours = neighbours(&vectors);
    let mut scores = settled(&neighbours);
    let highest = scores.iter().copied().fold(0.0, f64::max);
    if highest > 0.0 {
        scores.iter_mut().for_each(|score| *score /= highest);
    }
    Ranked { vectors, scores }
}

#[expect(clippy::cast_precision_loss, reason = "counts of a conversation")]
fn vectors(statements: &[Statement<'_>]) -> Vec<Vec<(u32, f64)>> {
    // Numbers in the order of first use: sums are the same in every run.
    let mut numbers: HashMap<&str, u32> = HashMap::new();
    let mut in_statements: Vec<f64> = Vec::new();
    let mut counts: Vec<BTreeMap<u32, f64>> = Vec::with_capacity(statements.len());
    for statement in statements {
        let mut count: BTreeMap<u32, f64> = BTreeMap::new();
        for term in &statement.terms {
            let next = u32::try_from(numbers.len()).unwrap_or(u32::MAX);
            let number = *numbers.entry(term).or_insert(next);
            *count.entry(number).or_default() += 1.0;
        }
        for number in count.keys() {
            let at = *number as usize;
            in_statements.resize(in_statements.len().max(at + 1), 0.0);
            if let Some(known) = in_statements.get_mut(at) {
                *known += 1.0;
            }
        }
        counts.push(count);
    }
    let all = statements.len() as f64;
    let rare = |number: u32| {
        let found = in_statements.get(number as usize).copied().unwrap_or(1.0);
        (1.0 + all / found).ln()
    };
    let vector = |count: BTreeMap<u32, f64>| {
        let weighed: Vec<_> =
            count.into_iter().map(|(number, count)| (number, count * rare(number))).collect();
        let length = weighed.iter().map(|(_, weight)| weight * weight).sum::<f64>().sqrt();
        weighed.into_iter().map(|(number, weight)| (number, weight / length)).collect()
    };
    counts.into_iter().map(vector).collect()
}

/// Of each statement those alike to it, with the share of its rank that goes there.
fn neighbours(vectors: &[Vec<(u32, f64)>]) -> Vec<Vec<(usize, f64)>> {
    let mut all: Vec<Vec<(usize, f64)>> = vectors.iter().map(|_| Vec::new()).collect();
    for (one, vector) in vectors.iter().enumerate() {
        for (other, against) in vectors.iter().enumerate().skip(one + 1) {
            let alike = dot(vector, against);
            if alike >= NEIGHBOURS {
                for (from, to) in [(one, other), (other, one)] {
                    if let Some(list) = all.get_mut(from) {
                        list.push((to, alike));
                    }
                }
            }
        }
    }
    for list in &mut all {
        let sum: f64 = list.iter().map(|(_, alike)| alike).sum();
        list.iter_mut().for_each(|(_, alike)| *alike /= sum);
    }
    all
}

/// Power iteration.
#[expect(clippy::cast_precision_loss, reason = "counts of a conversation")]
fn settled(neighbours: &[Vec<(usize, f64)>]) -> Vec<f64> {
    let even = 1.0 / (neighbours.len().max(1) as f64);
    let mut ranks = vec![even; neighbours.len()];
    for _ in 0..ROUNDS {
        let mut next = vec![DAMPING * even; neighbours.len()];
        for (from, list) in neighbours.iter().enumerate() {
            let rank = ranks.get(from).copied().unwrap_or_default();
            for (to, share) in list {
                if let Some(rest) = next.get_mut(*to) {
                    *rest += (1.0 - DAMPING) * rank * share;
                }
            }
        }
        let moved: f64 = next.iter().zip(&ranks).map(|(new, old)| (new - old).abs()).sum();
        ranks = next;
        if moved < SETTLED {
            break;
        }
    }
    ranks
}

fn dot(one: &[(u32, f64)], other: &[(u32, f64)]) -> f64 {
    let (mut one, mut other) = (one.iter().peekable(), other.iter().peekable());
    let mut sum = 0.0;
    while let (Some((a, x)), Some((b, y))) = (one.peek(), other.peek()) {
        match a.cmp(b) {
            std::cmp::Ordering::Less => drop(one.next()),
            std::cmp::Ordering::Greater => drop(other.next()),
            std::cmp::Ordering::Equal => {
                sum += x * y;
                one.next();
                other.next();
            }
        }
    }
    sum
}
