//! Finds the nearest messages: int8 codes find the near ones, f32 decides among them.

use super::codes::{Codes, encode};
use super::graph::Graph;
use holdfast_search::{Dense, DocNo, Passing, Vectors};

/// How many times `k` are rescored in f32: what the portable scan does (`crates/search`), so that both answer alike.
const RESCORED: usize = 4;
/// A graph looks at so many times `k`.
const BREADTH: usize = 2;
/// At least so wide.
const LEAST_BREADTH: usize = 200;

/// The native search over one user's vectors.
pub struct NearView<'a> {
    pub(super) codes: &'a Codes,
    pub(super) graph: Option<&'a Graph>,
    pub(super) vectors: &'a Vectors,
}

impl NearView<'_> {
    /// Candidates for the best `k`.
    fn near(&self, query: &[i8], k: usize, passing: &Passing) -> Vec<DocNo> {
        match self.graph {
            // A graph finds what passes only if much does.
            Some(graph) if passing.len() * 2 >= self.vectors.spans().len() => {
                self.by_graph(graph, query, k, passing)
            }
            _ => self.by_scan(query, k, passing),
        }
    }

    fn by_scan(&self, query: &[i8], k: usize, passing: &Passing) -> Vec<DocNo> {
        let mut best = Best::new(k.saturating_mul(RESCORED));
        let spans = self.vectors.spans();
        if passing.len() * 4 < spans.len() {
            for doc in passing.iter() {
                self.offer(query, doc, &mut best);
            }
        } else {
            for span in spans {
                let Some(doc) = span.doc.filter(|doc| passing.contains(*doc)) else { continue };
                best.offer(doc, self.nearness(query, span.start, span.len));
            }
        }
        best.into_docs()
    }

    /// What the graph finds, and all that came after it was built.
    fn by_graph(&self, graph: &Graph, query: &[i8], k: usize, passing: &Passing) -> Vec<DocNo> {
        let spans = self.vectors.spans();
        let breadth = k.saturating_mul(BREADTH).max(LEAST_BREADTH);
        let found = graph.near(query, breadth).filter_map(|row| {
            let at = spans.partition_point(|span| span.start <= row).checked_sub(1)?;
            spans.get(at)?.doc.filter(|doc| passing.contains(*doc))
        });
        let mut docs: Vec<DocNo> = found.collect();
        let mut best = Best::new(k.saturating_mul(RESCORED));
        let newer = spans.partition_point(|span| (span.start as usize) < graph.rows());
        for span in spans.get(newer..).unwrap_or_default() {
            let Some(doc) = span.doc.filter(|doc| passing.contains(*doc)) else { continue };
            best.offer(doc, self.nearness(query, span.start, span.len));
        }
        docs.extend(best.into_docs());
        docs.sort_unstable();
        docs.dedup();
        docs
    }

    fn offer(&self, query: &[i8], doc: DocNo, best: &mut Best) {
        if let Some(span) = self.vectors.span(doc) {
            best.offer(doc, self.nearness(query, span.start, span.len));
        }
    }

    #[inline]
    fn nearness(&self, query: &[i8], start: u32, rows: u32) -> f32 {
        let rows = start..start + rows;
        rows.map(|row| self.codes.nearness(query, row)).fold(f32::NEG_INFINITY, f32::max)
    }
}

impl Dense for NearView<'_> {
    fn top(&self, query: &[f32], k: usize, passing: &Passing) -> Vec<(DocNo, f32)> {
        if query.len() != self.vectors.dimensions() || k == 0 {
            return Vec::new();
        }
        let mut codes = Vec::with_capacity(query.len());
        encode(query, &mut codes);
        let near = self.near(&codes, k, passing).into_iter();
        let mut scored: Vec<(DocNo, f32)> =
            near.filter_map(|doc| Some((doc, self.vectors.cosine(query, doc)?))).collect();
        scored.sort_unstable_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        if let Some(last) = scored.get(k - 1).map(|(_, last)| *last) {
            scored.truncate(scored.partition_point(|(_, score)| *score >= last));
        }
        scored
    }

    fn cosine(&self, query: &[f32], doc: DocNo) -> Option<f32> {
        self.vectors.cosine(query, doc)
    }
}

/// Collects the best `k` of a stream, with all that tie with the last: the set does not depend on the order.
struct Best {
    k: usize,
    least: f32,
    full: usize,
    held: Vec<(DocNo, f32)>,
}

impl Best {
    fn new(k: usize) -> Self {
        Self { k, least: f32::NEG_INFINITY, full: k.saturating_mul(3) + 64, held: Vec::new() }
    }

    #[inline]
    fn offer(&mut self, doc: DocNo, score: f32) {
        if score >= self.least {
            self.held.push((doc, score));
            if self.held.len() >= self.full {
                self.prune();
            }
        }
    }

    fn prune(&mut self) {
        if self.k > 0 && self.held.len() > self.k {
            let (_, last, _) =
                self.held.select_nth_unstable_by(self.k - 1, |a, b| b.1.total_cmp(&a.1));
            let least = last.1;
            self.least = least;
            self.held.retain(|(_, score)| *score >= least);
        }
        self.full = self.held.len() + self.k.saturating_mul(2) + 64;
    }

    fn into_docs(mut self) -> Vec<DocNo> {
        self.prune();
        self.held.into_iter().map(|(doc, _)| doc).collect()
    }
}
