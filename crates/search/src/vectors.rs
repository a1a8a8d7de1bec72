//! Vectors of one user in one embedding space, as stored (f16): what every scan and graph is derived from.

use crate::{ChunkVector, DocNo};
use half::f16;
use half::slice::HalfFloatSliceExt;
use holdfast_core::{Error, Result};

/// No span, or no message.
const NONE: u32 = u32::MAX;

/// The vectors of one message: rows `start .. start + len`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// The message; `None` once other vectors took the place of these, or it was removed.
    pub doc: Option<DocNo>,
    /// First row.
    pub start: u32,
    /// Rows.
    pub len: u32,
}

/// All vectors of an index. Rows are only ever added, so what is derived from them can follow by `spans().len()`.
#[derive(Debug, Default)]
pub struct Vectors {
    dimensions: usize,
    values: Vec<f16>,
    inverse_norms: Vec<f32>,
    spans: Vec<Span>,
    span_of: Vec<u32>,
}

impl Vectors {
    /// These vectors, of one message after the other: how many rows each has, the components of all rows, and 1 / length of
    /// each row.
    ///
    /// # Errors
    /// `corrupt` when they do not fit each other.
    pub(crate) fn of(
        dimensions: usize,
        saved: Vec<(DocNo, u32)>,
        values: Vec<f16>,
        inverse_norms: Vec<f32>,
    ) -> Result<Self> {
        let (mut spans, mut span_of, mut rows) = (Vec::with_capacity(saved.len()), Vec::new(), 0);
        let wrong = || Error::corrupt("saved vectors do not fit their messages");
        for (doc, len) in saved {
            if span_of.len() <= doc as usize {
                span_of.resize(doc as usize + 1, NONE);
            }
            let at = span_of.get_mut(doc as usize).filter(|at| **at == NONE).ok_or_else(wrong)?;
            *at = spans.len() as u32;
            spans.push(Span { doc: Some(doc), start: rows, len });
            rows = rows.checked_add(len).ok_or_else(wrong)?;
        }
        let fits = (rows as usize).checked_mul(dimensions) == Some(values.len());
        if !fits || inverse_norms.len() != rows as usize {
            return Err(wrong());
        }
        Ok(Self { dimensions, values, inverse_norms, spans, span_of })
    }

    /// Components of a vector; 0 while there is none.
    pub fn dimensions(&self) -> usize {
        self.dimensions
    }

    /// Rows, those that were replaced included.
    pub fn rows(&self) -> usize {
        self.inverse_norms.len()
    }

    /// The messages with vectors, in the order in which they got them.
    pub fn spans(&self) -> &[Span] {
        &self.spans
    }

    /// Components of a row as stored.
    pub fn row(&self, row: u32) -> Option<&[f16]> {
        let start = row as usize * self.dimensions;
        self.values.get(start..start + self.dimensions)
    }

    /// 1 / length of a row: cosine is its dot product with a query of length 1, times this.
    pub fn inverse_norm(&self, row: u32) -> Option<f32> {
        self.inverse_norms.get(row as usize).copied()
    }

    /// Bytes held, about.
    pub fn bytes(&self) -> usize {
        self.values.capacity() * 2
            + self.inverse_norms.capacity() * 4
            + self.spans.capacity() * size_of::<Span>()
            + self.span_of.capacity() * 4
    }

    /// Has the message vectors?
    pub fn has(&self, doc: DocNo) -> bool {
        self.span(doc).is_some()
    }

    /// The vectors of a message.
    pub fn span(&self, doc: DocNo) -> Option<Span> {
        let at = *self.span_of.get(doc as usize)?;
        self.spans.get(at as usize).copied()
    }

    /// Cosine of `query` (length 1) and the best chunk of a message, in f32 from the decoded f16: the one definition
    /// that every `Dense` must equal, bit by bit. `None` when the message has no vector of that many dimensions.
    pub fn cosine(&self, query: &[f32], doc: DocNo) -> Option<f32> {
        let span = self.span(doc)?;
        if query.len() != self.dimensions {
            return None;
        }
        let mut decoded = vec![0f32; self.dimensions];
        let rows = span.start..span.start + span.len;
        rows.filter_map(|row| self.row_cosine(query, row, &mut decoded)).reduce(f32::max)
    }

    fn row_cosine(&self, query: &[f32], row: u32, decoded: &mut [f32]) -> Option<f32> {
        self.row(row)?.convert_to_f32_slice(decoded);
        Some(dot(query, decoded) * self.inverse_norm(row)?)
    }

    /// Gives a message its vectors, in place of those that it had. Empty: nothing changes.
    pub(crate) fn set(&mut self, doc: DocNo, chunks: &[ChunkVector]) -> Result<()> {
        let Some(first) = chunks.first() else { return Ok(()) };
        let dimensions = if self.dimensions == 0 { first.values.len() } else { self.dimensions };
        let norms = chunks.iter().map(|chunk| inverse_norm(&chunk.values, dimensions));
        let norms = norms.collect::<Result<Vec<_>>>()?;
        self.dimensions = dimensions;
        self.forget(doc);
        let start = self.rows() as u32;
        self.inverse_norms.extend(norms);
        chunks.iter().for_each(|chunk| self.values.extend_from_slice(&chunk.values));
        if self.span_of.len() <= doc as usize {
            self.span_of.resize(doc as usize + 1, NONE);
        }
        if let Some(at) = self.span_of.get_mut(doc as usize) {
            *at = self.spans.len() as u32;
        }
        self.spans.push(Span { doc: Some(doc), start, len: chunks.len() as u32 });
        Ok(())
    }

    /// Takes the vectors of a message away; its rows stay, and nothing finds them.
    pub(crate) fn forget(&mut self, doc: DocNo) {
        let Some(at) = self.span_of.get_mut(doc as usize) else { return };
        if let Some(span) = self.spans.get_mut(std::mem::replace(at, NONE) as usize) {
            span.doc = None;
        }
    }
}

fn inverse_norm(values: &[f16], dimensions: usize) -> Result<f32> {
    if values.len() != dimensions || dimensions == 0 {
        let detail = format!("a vector has {} components, this index {dimensions}", values.len());
        return Err(Error::unprocessable("vectors", detail));
    }
    let mut decoded = vec![0f32; dimensions];
    values.convert_to_f32_slice(&mut decoded);
    let norm = dot(&decoded, &decoded).sqrt();
    if !norm.is_finite() || norm <= 0.0 {
        return Err(Error::unprocessable("vectors", "a vector must be finite and not zero"));
    }
    Ok(1.0 / norm)
}

/// Dot product in eight fixed lanes: the same bits on every machine, and the compiler can vectorise it.
pub(crate) fn dot(a: &[f32], b: &[f32]) -> f32 {
    const LANES: usize = 8;
    let mut sums = [0f32; LANES];
    let (a_lanes, a_rest) = a.as_chunks::<LANES>();
    let (b_lanes, b_rest) = b.as_chunks::<LANES>();
    for (x, y) in a_lanes.iter().zip(b_lanes) {
        for ((sum, x), y) in sums.iter_mut().zip(x).zip(y) {
            *sum += x * y;
        }
    }
    let rest: f32 = a_rest.iter().zip(b_rest).map(|(x, y)| x * y).sum();
    let [a, b, c, d, e, f, g, h] = sums;
    ((a + e) + (c + g)) + ((b + f) + (d + h)) + rest
}
