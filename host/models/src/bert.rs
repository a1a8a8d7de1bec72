//! The engine: the forward pass of a small BERT in f32, one text at a time, on `ndarray`'s matrix product.
//!
//! One text at a time because padding a batch costs more than the batch wins (32 turns of mixed length took longer in
//! one padded batch than one by one). It also makes a text's vector independent of its company, bit for bit.

use std::collections::HashMap;
use std::ops::Range;
use std::path::Path;

use ndarray::linalg::general_mat_mul;
use ndarray::{Array1, Array2, ArrayView1, ArrayView2, Axis, Slice};

use crate::error::ModelError;
use crate::files::{WEIGHTS, scan};

/// Length of a vector.
pub(crate) const WIDTH: usize = 384;
const LAYERS: usize = 6;
const HEADS: usize = 12;
const HEAD_WIDTH: usize = WIDTH / HEADS;
const INNER: usize = 4 * WIDTH;
const EPSILON: f32 = 1e-12;

/// The model's weights, as one block of the file's own numbers with a range for each tensor.
pub(crate) struct Bert {
    numbers: Vec<f32>,
    embeddings: Embeddings,
    layers: Vec<Layer>,
}

struct Embeddings {
    words: Matrix,
    positions: Matrix,
    types: Matrix,
    norm: Norm,
}

struct Layer {
    query: Linear,
    key: Linear,
    value: Linear,
    attended: Linear,
    attended_norm: Norm,
    inner: Linear,
    outer: Linear,
    outer_norm: Norm,
}

struct Matrix {
    at: Range<usize>,
    shape: (usize, usize),
}

/// The weight is stored as the file has it, outputs × inputs, and turned after loading.
struct Linear {
    weight: Matrix,
    bias: Range<usize>,
}

struct Norm {
    weight: Range<usize>,
    bias: Range<usize>,
}

impl Layer {
    fn linears(&mut self) -> [&mut Linear; 6] {
        [
            &mut self.query,
            &mut self.key,
            &mut self.value,
            &mut self.attended,
            &mut self.inner,
            &mut self.outer,
        ]
    }
}

impl Matrix {
    /// Transposes in place: the product packs its right side with plain copies when that side's rows are contiguous;
    /// short texts gain most.
    fn turn(&mut self, numbers: &mut [f32]) -> Result<(), ModelError> {
        let (rows, columns) = self.shape;
        let numbers = numbers.get_mut(self.at.clone()).ok_or_else(misshapen)?;
        let view = ArrayView2::from_shape(self.shape, &*numbers).map_err(|_| misshapen())?;
        let turned: Vec<f32> = view.t().iter().copied().collect();
        numbers.copy_from_slice(&turned);
        self.shape = (columns, rows);
        Ok(())
    }
}

impl Bert {
    /// Reads the weights from the model's folder, checking their hash on the way.
    pub(crate) fn load(dir: &Path) -> Result<Self, ModelError> {
        let (header, mut numbers) = read(dir)?;
        let tensors = Tensors::parse(&header, numbers.len())?;
        let embeddings = Embeddings {
            words: tensors.matrix("embeddings.word_embeddings.weight", None)?,
            positions: tensors.matrix("embeddings.position_embeddings.weight", None)?,
            types: tensors.matrix("embeddings.token_type_embeddings.weight", None)?,
            norm: tensors.norm("embeddings.LayerNorm")?,
        };
        let mut layers = (0..LAYERS).map(|n| tensors.layer(n)).collect::<Result<Vec<_>, _>>()?;
        for layer in &mut layers {
            layer.linears().into_iter().try_for_each(|linear| linear.weight.turn(&mut numbers))?;
        }
        Ok(Self { numbers, embeddings, layers })
    }

    /// The mean of the last layer over all tokens, normalised to length 1. `ids` must not be empty.
    pub(crate) fn embed(&self, ids: &[u32]) -> Result<Vec<f32>, ModelError> {
        let mut state = self.embedded(ids)?;
        for layer in &self.layers {
            let attended = self.attend(layer, &state)?;
            state += &attended;
            self.normalise(&layer.attended_norm, &mut state)?;
            let mut inner = self.linear(&layer.inner, &state)?;
            inner.mapv_inplace(gelu);
            state += &self.linear(&layer.outer, &inner)?;
            self.normalise(&layer.outer_norm, &mut state)?;
        }
        Ok(unit(state.mean_axis(Axis(0)).ok_or_else(misshapen)?))
    }

    fn embedded(&self, ids: &[u32]) -> Result<Array2<f32>, ModelError> {
        let words = self.view(&self.embeddings.words)?;
        let positions = self.view(&self.embeddings.positions)?;
        let kinds = self.view(&self.embeddings.types)?;
        if ids.len() > positions.nrows() || ids.iter().any(|id| *id as usize >= words.nrows()) {
            return Err(misshapen());
        }
        let mut state = Array2::zeros((ids.len(), WIDTH));
        for (mut row, (id, position)) in
            state.rows_mut().into_iter().zip(ids.iter().zip(positions.rows()))
        {
            row += &words.row(*id as usize);
            row += &kinds.row(0);
            row += &position;
        }
        self.normalise(&self.embeddings.norm, &mut state)?;
        Ok(state)
    }

    fn attend(&self, layer: &Layer, state: &Array2<f32>) -> Result<Array2<f32>, ModelError> {
        let mut query = self.linear(&layer.query, state)?;
        query *= 1.0 / (HEAD_WIDTH as f32).sqrt();
        let key = self.linear(&layer.key, state)?;
        let value = self.linear(&layer.value, state)?;
        let mut mixed = Array2::zeros(state.raw_dim());
        let mut scores = Array2::zeros((state.nrows(), state.nrows()));
        for head in 0..HEADS {
            let columns = Slice::from(head * HEAD_WIDTH..(head + 1) * HEAD_WIDTH);

            general_mat_mul(
                1.0,
                &part(&query, columns),
                &part(&key, columns).t(),
                0.0,
                &mut scores,
            );
            scores.rows_mut().into_iter().for_each(|mut row| {
                if let Some(row) = row.as_slice_mut() {
                    softmax(row);
                }
            });
            general_mat_mul(
                1.0,
                &scores,
                &part(&value, columns),
                0.0,
                &mut mixed.slice_axis_mut(Axis(1), columns),
            );
        }
        self.linear(&layer.attended, &mixed)
    }

    fn linear(&self, linear: &Linear, input: &Array2<f32>) -> Result<Array2<f32>, ModelError> {
        let weight = self.view(&linear.weight)?;
        let bias = self.vector(&linear.bias)?;
        let shape = (input.nrows(), weight.ncols());
        let mut output = bias.broadcast(shape).ok_or_else(misshapen)?.to_owned();
        general_mat_mul(1.0, input, &weight, 1.0, &mut output);
        Ok(output)
    }

    fn normalise(&self, norm: &Norm, state: &mut Array2<f32>) -> Result<(), ModelError> {
        let weight = self.vector(&norm.weight)?;
        let bias = self.vector(&norm.bias)?;
        for mut row in state.rows_mut() {
            let mean = row.sum() / WIDTH as f32;
            row -= mean;
            let spread = 1.0 / (row.dot(&row) / WIDTH as f32 + EPSILON).sqrt();
            row *= spread;
            row *= &weight;
            row += &bias;
        }
        Ok(())
    }

    fn view(&self, matrix: &Matrix) -> Result<ArrayView2<'_, f32>, ModelError> {
        let numbers = self.numbers.get(matrix.at.clone()).ok_or_else(misshapen)?;
        ArrayView2::from_shape(matrix.shape, numbers).map_err(|_| misshapen())
    }

    fn vector(&self, at: &Range<usize>) -> Result<ArrayView1<'_, f32>, ModelError> {
        self.numbers.get(at.clone()).map(ArrayView1::from).ok_or_else(misshapen)
    }
}

/// Reads the file as numbers, header included (its length is a multiple of 8, so the numbers stay aligned), so that the
/// weights are in memory once, at no moment twice.
fn read(dir: &Path) -> Result<(Vec<u8>, Vec<f32>), ModelError> {
    let mut header = Vec::new();
    let mut numbers = Vec::with_capacity(usize::try_from(WEIGHTS.bytes / 4).unwrap_or_default());
    scan(dir, &WEIGHTS, |block| {
        if header.is_empty() {
            header.extend_from_slice(block);
        }
        let (words, _) = block.as_chunks::<4>();
        numbers.extend(words.iter().map(|word| f32::from_le_bytes(*word)));
    })?;
    Ok((header, numbers))
}

/// Where each tensor of a safetensors file lies, in numbers from the start of the file.
struct Tensors(HashMap<String, (Range<usize>, Vec<usize>)>);

impl Tensors {
    /// Format: 8 bytes of length, then JSON of that length: name → dtype, shape, byte range behind the header.
    fn parse(file: &[u8], numbers: usize) -> Result<Self, ModelError> {
        let (length, rest) = file.split_first_chunk::<8>().ok_or_else(misshapen)?;
        let length = usize::try_from(u64::from_le_bytes(*length)).map_err(|_| misshapen())?;
        let json = rest.get(..length).ok_or_else(misshapen)?;
        let header: HashMap<String, serde_json::Value> =
            serde_json::from_slice(json).map_err(|_| misshapen())?;
        let start = 8 + length;
        let entries = header.into_iter().filter(|(_, entry)| entry["dtype"] == "F32");
        let placed = entries.map(|(name, entry)| Some((name, place(&entry, start, numbers)?)));
        Ok(Self(placed.collect::<Option<_>>().ok_or_else(misshapen)?))
    }

    fn matrix(&self, name: &str, shape: Option<(usize, usize)>) -> Result<Matrix, ModelError> {
        let (at, found) = self.0.get(name).ok_or_else(misshapen)?;
        let &[rows, columns] = found.as_slice() else { return Err(misshapen()) };
        let expected = shape.unwrap_or((rows, WIDTH));
        if (rows, columns) != expected || at.len() != rows * columns {
            return Err(misshapen());
        }
        Ok(Matrix { at: at.clone(), shape: expected })
    }

    fn vector(&self, name: &str, length: usize) -> Result<Range<usize>, ModelError> {
        let (at, _) = self.0.get(name).ok_or_else(misshapen)?;
        if at.len() == length { Ok(at.clone()) } else { Err(misshapen()) }
    }

    fn norm(&self, name: &str) -> Result<Norm, ModelError> {
        let part = |part| self.vector(&format!("{name}.{part}"), WIDTH);
        Ok(Norm { weight: part("weight")?, bias: part("bias")? })
    }

    fn linear(&self, name: &str, output: usize, input: usize) -> Result<Linear, ModelError> {
        let weight = self.matrix(&format!("{name}.weight"), Some((output, input)))?;
        Ok(Linear { weight, bias: self.vector(&format!("{name}.bias"), output)? })
    }

    fn layer(&self, number: usize) -> Result<Layer, ModelError> {
        let square = |name| self.linear(&format!("encoder.layer.{number}.{name}"), WIDTH, WIDTH);
        Ok(Layer {
            query: square("attention.self.query")?,
            key: square("attention.self.key")?,
            value: square("attention.self.value")?,
            attended: square("attention.output.dense")?,
            attended_norm: self
                .norm(&format!("encoder.layer.{number}.attention.output.LayerNorm"))?,
            inner: self.linear(
                &format!("encoder.layer.{number}.intermediate.dense"),
                INNER,
                WIDTH,
            )?,
            outer: self.linear(&format!("encoder.layer.{number}.output.dense"), WIDTH, INNER)?,
            outer_norm: self.norm(&format!("encoder.layer.{number}.output.LayerNorm"))?,
        })
    }
}

fn place(
    entry: &serde_json::Value,
    start: usize,
    numbers: usize,
) -> Option<(Range<usize>, Vec<usize>)> {
    let list = |name: &str| -> Option<Vec<usize>> {
        let items = entry.get(name)?.as_array()?;
        items.iter().map(|item| usize::try_from(item.as_u64()?).ok()).collect()
    };
    let &[from, to] = list("data_offsets")?.as_slice() else { return None };
    let at = (start + from) / 4..(start + to) / 4;
    ((start + from).is_multiple_of(4) && at.start <= at.end && at.end <= numbers)
        .then_some((at, list("shape")?))
}

fn misshapen() -> ModelError {
    ModelError::Misshapen
}

/// The columns of one head.
fn part(of: &Array2<f32>, columns: Slice) -> ArrayView2<'_, f32> {
    of.slice_axis(Axis(1), columns)
}

fn unit(mut vector: Array1<f32>) -> Vec<f32> {
    let length = vector.dot(&vector).sqrt();
    vector /= length.max(f32::MIN_POSITIVE);
    vector.to_vec()
}

fn softmax(row: &mut [f32]) {
    let highest = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    row.iter_mut().for_each(|score| *score = exp(*score - highest));
    let total: f32 = row.iter().sum();
    row.iter_mut().for_each(|score| *score /= total);
}

fn gelu(x: f32) -> f32 {
    0.5 * x * (1.0 + erf(x * std::f32::consts::FRAC_1_SQRT_2))
}

/// The rational approximation that Eigen and XLA use in f32; unlike libm's it has no branches, so the compiler makes
/// vector code of it.
fn erf(x: f32) -> f32 {
    const ABOVE: [f32; 7] = [
        -2.726_142_3e-10,
        2.770_681_4e-8,
        -2.101_024e-6,
        -5.692_506_4e-5,
        -7.349_906_3e-4,
        -2.954_6e-3,
        -1.609_603_3e-2,
    ];
    const BELOW: [f32; 5] =
        [-1.456_607_2e-5, -2.133_740_5e-4, -1.682_827e-3, -7.373_329_2e-3, -1.426_473_9e-2];
    let x = x.clamp(-4.0, 4.0);
    let square = x * x;
    let horner = |terms: &[f32]| terms.iter().fold(0.0, |sum, term| sum * square + term);
    x * horner(&ABOVE) / horner(&BELOW)
}

/// e^x for x ≤ 0 as Cephes computes it in f32, without branches for the same reason; 0 below −87.
fn exp(x: f32) -> f32 {
    const TERMS: [f32; 6] =
        [1.987_569_2e-4, 1.398_199_9e-3, 8.333_452e-3, 4.166_579_6e-2, 1.666_666_5e-1, 0.5];
    const ROUND: f32 = 12_582_912.0; // 1.5 · 2^23: adding it rounds to a whole number
    let clamped = x.max(-87.0);
    let power = (clamped * std::f32::consts::LOG2_E + ROUND) - ROUND;
    let rest = clamped - power * 0.693_359_4 + power * 2.121_944_4e-4;
    let series = TERMS.iter().fold(0.0, |sum, term| sum * rest + term) * rest * rest + rest + 1.0;
    series * f32::from_bits(((power as i32 + 127) as u32) << 23)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn erf_agrees_with_the_tables() {
        for (x, y) in [
            (0.0, 0.0),
            (0.5, 0.520_499_9),
            (1.0, 0.842_700_8),
            (2.0, 0.995_322_3),
            (3.0, 0.999_977_9),
        ] {
            assert!((erf(x) - y).abs() < 3e-7, "erf({x})");
            assert!((erf(-x) + y).abs() < 3e-7, "erf(-{x})");
        }
    }

    #[test]
    fn exp_agrees_with_the_standard_library_below_zero() {
        for step in 0..8_600_u16 {
            let x = -f32::from(step) / 100.0;
            assert!((exp(x) - x.exp()).abs() <= 3e-7 * x.exp(), "exp({x})");
        }
        assert!(exp(-1e9) < 1e-37);
    }

    #[test]
    fn softmax_sums_to_one_and_keeps_the_order() {
        let mut row = [1.0, 3.0, -50.0, 3.0];
        softmax(&mut row);
        assert!((row.iter().sum::<f32>() - 1.0).abs() < 1e-6);
        assert!(row[1] > row[0] && row[0] > row[2] && row[1] == row[3]);
    }
}
