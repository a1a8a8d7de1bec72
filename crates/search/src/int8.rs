//! Search by meaning in a quarter of the memory traffic: int8 codes find the near ones, f16 decides among them.

use crate::dense::Top;
use crate::vectors::Vectors;
use crate::{Dense, DocNo, Nearest, Passing};
use half::slice::HalfFloatSliceExt;

/// How many times `k` are rescored in f32; with 4, no seeded test misses a neighbour (`tests/dense.rs`).
const RESCORED: usize = 4;

/// int8 codes of the rows of a [`Vectors`], derived and thrown away freely.
#[derive(Debug, Default)]
pub struct Int8Scan {
    codes: Vec<i8>,
    scales: Vec<f32>,
}

impl Int8Scan {
    /// Codes of all rows.
    pub fn new(vectors: &Vectors) -> Self {
        let mut scan = Self::default();
        scan.follow(vectors);
        scan
    }

    /// Codes the rows that came since the last call.
    pub fn follow(&mut self, vectors: &Vectors) {
        let mut decoded = vec![0f32; vectors.dimensions()];
        for row in self.scales.len() as u32..vectors.rows() as u32 {
            let Some(values) = vectors.row(row) else { continue };
            values.convert_to_f32_slice(&mut decoded);
            let scale = encode(&decoded, &mut self.codes);
            self.scales.push(scale * vectors.inverse_norm(row).unwrap_or(0.0));
        }
    }

    /// The scan over the vectors that it follows.
    pub fn on<'a>(&'a self, vectors: &'a Vectors) -> Int8View<'a> {
        Int8View { scan: self, vectors }
    }

    fn row(&self, row: u32, dimensions: usize) -> Option<(&[i8], f32)> {
        let start = row as usize * dimensions;
        Some((self.codes.get(start..start + dimensions)?, *self.scales.get(row as usize)?))
    }
}

impl Nearest for Int8Scan {
    fn anew(&self) -> Self {
        Self::default()
    }

    fn follow(&mut self, vectors: &Vectors) {
        Int8Scan::follow(self, vectors);
    }

    fn on<'a>(&'a self, vectors: &'a Vectors) -> Box<dyn Dense + 'a> {
        Box::new(Int8Scan::on(self, vectors))
    }

    fn bytes(&self) -> usize {
        self.codes.capacity() + self.scales.capacity() * 4
    }
}

/// An [`Int8Scan`] with its vectors.
pub struct Int8View<'a> {
    scan: &'a Int8Scan,
    vectors: &'a Vectors,
}

impl Int8View<'_> {
    fn near(&self, query: &[f32], k: usize, passing: &Passing) -> Vec<(DocNo, f32)> {
        let mut codes = Vec::with_capacity(query.len());
        encode(query, &mut codes);
        let codes: Vec<i16> = codes.into_iter().map(i16::from).collect();
        let mut top = Top::new(k.saturating_mul(RESCORED));
        for span in self.vectors.spans() {
            let Some(doc) = span.doc.filter(|doc| passing.contains(*doc)) else { continue };
            let mut best = f32::NEG_INFINITY;
            for row in span.start..span.start + span.len {
                if let Some((row, scale)) = self.scan.row(row, query.len()) {
                    best = best.max(dot_i8(&codes, row) as f32 * scale);
                }
            }
            top.offer(doc, best);
        }
        top.into_sorted()
    }
}

impl Dense for Int8View<'_> {
    fn top(&self, query: &[f32], k: usize, passing: &Passing) -> Vec<(DocNo, f32)> {
        if query.len() != self.vectors.dimensions() {
            return Vec::new();
        }
        let mut top = Top::new(k);
        for (doc, _) in self.near(query, k, passing) {
            if let Some(cosine) = self.vectors.cosine(query, doc) {
                top.offer(doc, cosine);
            }
        }
        top.into_sorted()
    }

    fn cosine(&self, query: &[f32], doc: DocNo) -> Option<f32> {
        self.vectors.cosine(query, doc)
    }
}

/// Appends the codes of `values`; the value of one step.
fn encode(values: &[f32], codes: &mut Vec<i8>) -> f32 {
    let largest = values.iter().fold(0f32, |largest, value| largest.max(value.abs()));
    let scale = if largest > 0.0 { largest / 127.0 } else { 1.0 };
    let steps = 1.0 / scale;
    codes.extend(values.iter().map(|value| (value * steps).round_ties_even() as i8));
    scale
}

/// The query is widened once and the sum wraps (it cannot: 127 · 127 · dimensions fits), so that the compiler may
/// multiply and add in pairs, with overflow checks on as well.
fn dot_i8(query: &[i16], row: &[i8]) -> i32 {
    let products = query.iter().zip(row).map(|(a, b)| i32::from(*a) * i32::from(i16::from(*b)));
    products.fold(0, i32::wrapping_add)
}
