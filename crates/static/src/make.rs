//! Making the table from a sentence model's own files: its vocabulary and the input vectors of its tokens.

use crate::table::{MAGIC, VERSION};
use holdfast_core::{Error, Result};
use serde_json::Value;
use std::collections::BTreeMap;

/// Name of the tensor of input vectors.
const TENSOR: &str = "embeddings.word_embeddings.weight";
/// First token that is a word: those before are marks, single characters and places that nobody uses.
const WORDS: usize = 1996;
/// First token that is a character.
const CHARACTERS: usize = 999;
/// The constant of smooth inverse frequency (Arora et al., 2017): weight is `A / (A + p)`.
const A: f64 = 1e-4;
/// How often a mark is taken to stand, and another single character.
const MARK: f64 = 1e-2;
const CHARACTER: f64 = 1e-5;

/// The table of a model. `weights` is a safetensors file, `tokenizer` a `tokenizer.json`, both of the same model.
///
/// Each vector is centred (the mean of all is taken away), weighed by how rare its token is (the vocabulary lies in the order
/// of frequency, so Zipf's law gives `p`), and kept as int8.
///
/// # Errors
/// `corrupt` when the files are not what they should be.
pub fn make(weights: &[u8], tokenizer: &[u8]) -> Result<Vec<u8>> {
    let wrong = |what: &str| Error::corrupt(format!("the model's {what} cannot be read"));
    let vocabulary = vocabulary(tokenizer).ok_or_else(|| wrong("vocabulary"))?;
    let (dimensions, values) = tensor(weights).ok_or_else(|| wrong("input vectors"))?;
    let row = |id: usize| values.get(id * dimensions..(id + 1) * dimensions);
    let mut mean = vec![0f64; dimensions];
    let used: Vec<(&String, usize)> = vocabulary.iter().map(|(token, id)| (token, *id)).collect();
    for (_, id) in &used {
        let row = row(*id).ok_or_else(|| wrong("input vectors"))?;
        mean.iter_mut().zip(row).for_each(|(mean, value)| *mean += f64::from(*value));
    }
    mean.iter_mut().for_each(|mean| *mean /= used.len().max(1) as f64);
    let weigh = |(token, id): (&String, usize)| {
        let weight = A / (A + frequency(token, id, used.len()));
        let row = row(id).unwrap_or_default().iter().zip(&mean);
        let values = row.map(|(value, mean)| ((f64::from(*value) - mean) * weight) as f32);
        (token.clone(), values.collect())
    };
    Ok(encode(dimensions, used.iter().copied().map(weigh).collect()))
}

/// How often a token stands among all, about.
fn frequency(token: &str, id: usize, count: usize) -> f64 {
    let Some(rank) = id.checked_sub(WORDS) else {
        let mark = token.chars().all(|c| c.is_ascii_punctuation());
        return if mark { MARK } else { CHARACTER };
    };
    // The sum of 1/rank over `count` ranks.
    let harmonic = (count.max(1) as f64).ln() + 0.577;
    1.0 / ((rank + 1) as f64 * harmonic)
}

/// Tokens that texts are made of, with their numbers.
fn vocabulary(tokenizer: &[u8]) -> Option<BTreeMap<String, usize>> {
    let tokenizer: Value = serde_json::from_slice(tokenizer).ok()?;
    let vocabulary = tokenizer.pointer("/model/vocab")?.as_object()?;
    let number = |id: &Value| usize::try_from(id.as_u64()?).ok();
    let entries = vocabulary.iter().map(|(token, id)| Some((token.clone(), number(id)?)));
    let mut vocabulary = entries.collect::<Option<BTreeMap<_, _>>>()?;
    vocabulary.retain(|_, id| *id >= CHARACTERS);
    Some(vocabulary)
}

/// The input vectors of a safetensors file: an 8-byte length, a JSON header, then the data.
fn tensor(weights: &[u8]) -> Option<(usize, Vec<f32>)> {
    let (length, rest) = weights.split_first_chunk::<8>()?;
    let length = usize::try_from(u64::from_le_bytes(*length)).ok()?;
    let (header, data) = rest.split_at_checked(length)?;
    let header: Value = serde_json::from_slice(header).ok()?;
    let entry = header.get(TENSOR)?;
    let numbers = |name: &str| -> Option<Vec<usize>> {
        let list = entry.get(name)?.as_array()?.iter();
        list.map(|n| usize::try_from(n.as_u64()?).ok()).collect()
    };
    let ([rows, dimensions], [start, end]) = (
        <[usize; 2]>::try_from(numbers("shape")?).ok()?,
        <[usize; 2]>::try_from(numbers("data_offsets")?).ok()?,
    );
    let bytes = data.get(start..end)?;
    let values: Vec<f32> =
        bytes.as_chunks().0.iter().map(|four| f32::from_le_bytes(*four)).collect();
    let fits = entry.get("dtype")? == "F32" && values.len() == rows.checked_mul(dimensions)?;
    fits.then_some((dimensions, values))
}

/// Rows as the bytes of a table.
pub(crate) fn encode(dimensions: usize, mut rows: Vec<(String, Vec<f32>)>) -> Vec<u8> {
    rows.sort_unstable_by(|(a, _), (b, _)| a.as_bytes().cmp(b.as_bytes()));
    let (mut ends, mut texts, mut scales, mut codes) = (vec![], vec![], vec![], vec![]);
    for (token, values) in &rows {
        texts.extend_from_slice(token.as_bytes());
        ends.extend_from_slice(&(texts.len() as u32).to_le_bytes());
        let largest = values.iter().fold(0f32, |largest, value| largest.max(value.abs()));
        let scale = if largest > 0.0 { largest / 127.0 } else { 1.0 };
        scales.extend_from_slice(&scale.to_le_bytes());
        codes.extend(values.iter().map(|value| (value / scale).round() as i8 as u8));
    }
    let numbers = [VERSION, rows.len() as u32, dimensions as u32, texts.len() as u32];
    let head: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
    [MAGIC.to_vec(), head, ends, texts, scales, codes].concat()
}
