//! Search by meaning: what a scan or a graph must answer, and the exact scan that all others are measured by.

use crate::vectors::{Vectors, dot};
use crate::{DocNo, Passing};
use half::slice::HalfFloatSliceExt;

/// Finds messages by vector. All cosines are those of [`Vectors::cosine`], to the bit.
pub trait Dense {
    /// The `k` messages of `passing` whose best chunk is nearest to `query` (length 1), with their cosines, nearest
    /// first; messages that tie with the last are all given, so that the answer does not depend on arrival.
    fn top(&self, query: &[f32], k: usize, passing: &Passing) -> Vec<(DocNo, f32)>;

    /// Cosine of `query` and one message; `None` when it has no vector.
    fn cosine(&self, query: &[f32], doc: DocNo) -> Option<f32>;
}

/// What is derived from vectors to find the nearest: thrown away and made again freely.
pub trait Nearest {
    /// Of no vectors yet, with the same settings.
    fn anew(&self) -> Self
    where
        Self: Sized;

    /// Takes in the rows that came since the last call.
    fn follow(&mut self, vectors: &Vectors);

    /// The search over the vectors that it follows.
    fn on<'a>(&'a self, vectors: &'a Vectors) -> Box<dyn Dense + 'a>;

    /// Bytes held, about.
    fn bytes(&self) -> usize;
}

/// No vectors: everything goes by words.
pub struct NoVectors;

impl Dense for NoVectors {
    fn top(&self, _: &[f32], _: usize, _: &Passing) -> Vec<(DocNo, f32)> {
        Vec::new()
    }

    fn cosine(&self, _: &[f32], _: DocNo) -> Option<f32> {
        None
    }
}

/// The oracle: every vector, in f32. Decodes all of them when it is made.
pub struct ExactScan<'a> {
    vectors: &'a Vectors,
    decoded: Vec<f32>,
}

impl<'a> ExactScan<'a> {
    /// A scan of what `vectors` holds now.
    pub fn new(vectors: &'a Vectors) -> Self {
        let rows = (0..vectors.rows() as u32).filter_map(|row| vectors.row(row));
        let mut decoded = vec![0f32; vectors.rows() * vectors.dimensions()];
        for (to, row) in decoded.chunks_mut(vectors.dimensions().max(1)).zip(rows) {
            row.convert_to_f32_slice(to);
        }
        Self { vectors, decoded }
    }

    fn row_cosine(&self, query: &[f32], row: u32) -> Option<f32> {
        let start = row as usize * query.len();
        let values = self.decoded.get(start..start + query.len())?;
        Some(dot(query, values) * self.vectors.inverse_norm(row)?)
    }
}

impl Dense for ExactScan<'_> {
    fn top(&self, query: &[f32], k: usize, passing: &Passing) -> Vec<(DocNo, f32)> {
        if query.len() != self.vectors.dimensions() {
            return Vec::new();
        }
        let mut top = Top::new(k);
        for span in self.vectors.spans() {
            let Some(doc) = span.doc.filter(|doc| passing.contains(*doc)) else { continue };
            let rows = span.start..span.start + span.len;
            if let Some(best) = rows.filter_map(|row| self.row_cosine(query, row)).reduce(f32::max)
            {
                top.offer(doc, best);
            }
        }
        top.into_sorted()
    }

    fn cosine(&self, query: &[f32], doc: DocNo) -> Option<f32> {
        self.vectors.cosine(query, doc)
    }
}

/// Collects the best `k` of a stream, with all that tie with the last.
pub(crate) struct Top {
    k: usize,
    least: f32,
    full: usize,
    held: Vec<(DocNo, f32)>,
}

impl Top {
    pub(crate) fn new(k: usize) -> Self {
        Self { k, least: f32::NEG_INFINITY, full: 4 * k + 64, held: Vec::new() }
    }

    #[inline]
    pub(crate) fn offer(&mut self, doc: DocNo, score: f32) {
        if score >= self.least {
            self.held.push((doc, score));
            if self.held.len() >= self.full {
                self.prune();
            }
        }
    }

    fn prune(&mut self) {
        if self.k == 0 {
            self.held.clear();
        } else if self.held.len() > self.k {
            let (_, last, _) =
                self.held.select_nth_unstable_by(self.k - 1, |a, b| b.1.total_cmp(&a.1));
            let least = last.1;
            self.least = least;
            self.held.retain(|(_, score)| *score >= least);
        }
        self.full = 2 * self.held.len() + 4 * self.k + 64;
    }

    pub(crate) fn into_sorted(mut self) -> Vec<(DocNo, f32)> {
        self.prune();
        self.held.sort_unstable_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        self.held
    }
}
