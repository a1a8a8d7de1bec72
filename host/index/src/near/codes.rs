//! int8 codes of vectors: a quarter of the memory traffic of f32.

use half::slice::HalfFloatSliceExt;
use holdfast_search::Vectors;
use simsimd::SpatialSimilarity;

/// Codes of the rows of a [`Vectors`], row by row.
#[derive(Debug, Default, Clone)]
pub(crate) struct Codes {
    dimensions: usize,
    codes: Vec<i8>,
    /// Value of one step / length of the row: the dot product of codes times this is proportional to the cosine.
    scales: Vec<f32>,
}

impl Codes {
    /// Codes the rows that came since the last call.
    pub(crate) fn follow(&mut self, vectors: &Vectors) {
        self.dimensions = vectors.dimensions();
        let mut decoded = vec![0f32; self.dimensions];
        for row in self.rows() as u32..vectors.rows() as u32 {
            let Some(values) = vectors.row(row) else { continue };
            values.convert_to_f32_slice(&mut decoded);
            let step = encode(&decoded, &mut self.codes);
            self.scales.push(step * vectors.inverse_norm(row).unwrap_or(0.0));
        }
    }

    pub(crate) fn rows(&self) -> usize {
        self.scales.len()
    }

    pub(crate) fn dimensions(&self) -> usize {
        self.dimensions
    }

    pub(crate) fn row(&self, row: u32) -> Option<&[i8]> {
        let start = row as usize * self.dimensions;
        self.codes.get(start..start + self.dimensions)
    }

    /// About the cosine of a row and the query with these codes, times a factor that all rows share.
    #[inline]
    pub(crate) fn nearness(&self, query: &[i8], row: u32) -> f32 {
        let Some((codes, scale)) = self.row(row).zip(self.scales.get(row as usize)) else {
            return f32::NEG_INFINITY;
        };
        // An exact integer below 2^23: the f64 of the library loses nothing.
        i8::dot(query, codes).unwrap_or(0.0) as f32 * scale
    }

    pub(crate) fn bytes(&self) -> usize {
        self.codes.capacity() + self.scales.capacity() * 4
    }
}

/// Appends the codes of `values`; the value of one step.
pub(crate) fn encode(values: &[f32], codes: &mut Vec<i8>) -> f32 {
    let largest = values.iter().fold(0f32, |largest, value| largest.max(value.abs()));
    let step = if largest > 0.0 { largest / 127.0 } else { 1.0 };
    codes.extend(values.iter().map(|value| (value / step).round() as i8));
    step
}
