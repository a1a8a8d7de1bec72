//! The table: tokens in the order of their text, a row of int8 codes for each, and sentence vectors summed from them.
//!
//! `HFST` · version (1) · rows · dimensions · bytes of all tokens (u32, little endian) · ends of the tokens (u32 a row) · the
//! tokens' texts · scales (f32 a row) · codes (i8, `dimensions` a row). Nothing of it is unpacked: a lookup is a binary search.

use crate::split;
use holdfast_core::{Error, Result};

pub(crate) const MAGIC: &[u8; 4] = b"HFST";
pub(crate) const VERSION: u32 = 1;
const HEAD: usize = 20;
/// Only so much of a text counts.
const MAX_TEXT: usize = 64 * 1024;
/// A longer word has no pieces, as in BERT.
const MAX_WORD: usize = 100;

/// A table over bytes that somebody holds.
#[derive(Debug, Clone, Copy)]
pub struct Table<'a> {
    dimensions: usize,
    ends: &'a [[u8; 4]],
    texts: &'a [u8],
    scales: &'a [[u8; 4]],
    codes: &'a [u8],
}

impl<'a> Table<'a> {
    /// Reads a table.
    ///
    /// # Errors
    /// `corrupt` when it is none.
    pub fn read(bytes: &'a [u8]) -> Result<Self> {
        Self::parse(bytes).ok_or_else(|| Error::corrupt("the table of token vectors is none"))
    }

    fn parse(bytes: &'a [u8]) -> Option<Self> {
        let number = |at: usize| {
            let four: [u8; 4] = bytes.get(at..at + 4)?.try_into().ok()?;
            usize::try_from(u32::from_le_bytes(four)).ok()
        };
        let known = bytes.starts_with(MAGIC) && number(4)? == VERSION as usize;
        let (rows, dimensions, texts) = (number(8)?, number(12)?, number(16)?);
        if !known || dimensions == 0 {
            return None;
        }
        let (ends, rest) = bytes.get(HEAD..)?.split_at_checked(rows.checked_mul(4)?)?;
        let (texts, rest) = rest.split_at_checked(texts)?;
        let (scales, codes) = rest.split_at_checked(rows.checked_mul(4)?)?;
        (codes.len() == rows.checked_mul(dimensions)?).then_some(Self {
            dimensions,
            ends: ends.as_chunks().0,
            texts,
            scales: scales.as_chunks().0,
            codes,
        })
    }

    /// Components of a vector.
    pub fn dimensions(&self) -> usize {
        self.dimensions
    }

    /// Tokens.
    pub fn rows(&self) -> usize {
        self.ends.len()
    }

    /// The vector of a text, of length 1: of the text alone, to the bit. A text without any known token has the same vector
    /// as the empty one.
    pub fn embed(&self, text: &str) -> Vec<f32> {
        let head = text.get(..text.floor_char_boundary(MAX_TEXT)).unwrap_or(text);
        let mut sum = vec![0f32; self.dimensions];
        split(head, |word| self.pieces(word, |row| self.add(row, &mut sum)));
        let length = sum.iter().map(|value| value * value).sum::<f32>().sqrt();
        if length > 0.0 {
            sum.iter_mut().for_each(|value| *value /= length);
        } else {
            let even = 1.0 / (self.dimensions as f32).sqrt();
            sum.fill(even);
        }
        sum
    }

    /// The pieces of a word: each the longest that fits; none when some part fits nowhere.
    fn pieces(&self, word: &str, mut piece: impl FnMut(usize)) {
        if word.chars().count() > MAX_WORD {
            return;
        }
        let (mut rows, mut rest, mut text) = (Vec::new(), word, String::new());
        while !rest.is_empty() {
            let prefix = if rows.is_empty() { "" } else { "##" };
            let mut ends = rest.char_indices().map(|(at, c)| at + c.len_utf8()).rev();
            let found = ends.find_map(|end| {
                text.clear();
                text.push_str(prefix);
                text.push_str(rest.get(..end)?);
                Some((self.row(text.as_bytes())?, end))
            });
            let Some((row, end)) = found else { return };
            rows.push(row);
            rest = rest.get(end..).unwrap_or_default();
        }
        rows.into_iter().for_each(&mut piece);
    }

    fn row(&self, token: &[u8]) -> Option<usize> {
        let (mut low, mut high) = (0, self.rows());
        while low < high {
            let middle = usize::midpoint(low, high);
            match self.text(middle)?.cmp(token) {
                std::cmp::Ordering::Equal => return Some(middle),
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Greater => high = middle,
            }
        }
        None
    }

    fn text(&self, row: usize) -> Option<&'a [u8]> {
        let end = |row: usize| self.ends.get(row).map(|end| u32::from_le_bytes(*end) as usize);
        let start = row.checked_sub(1).map_or(Some(0), end)?;
        self.texts.get(start..end(row)?)
    }

    fn add(&self, row: usize, sum: &mut [f32]) {
        let start = row * self.dimensions;
        let codes = self.codes.get(start..start + self.dimensions);
        let Some((codes, scale)) = codes.zip(self.scales.get(row)) else { return };
        let scale = f32::from_le_bytes(*scale);
        for (sum, code) in sum.iter_mut().zip(codes) {
            *sum += f32::from(*code as i8) * scale;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::make::encode;

    fn bytes() -> Vec<u8> {
        let row = |values: [f32; 2]| values.to_vec();
        encode(
            2,
            vec![
                ("play".into(), row([1.0, 0.0])),
                ("##ing".into(), row([0.0, 1.0])),
                ("##in".into(), row([-9.0, 0.0])),
                (",".into(), row([0.0, 0.0])),
            ],
        )
    }

    #[test]
    fn a_word_is_cut_into_the_longest_pieces_that_fit() {
        let bytes = bytes();
        let table = Table::read(&bytes).unwrap();
        let half = 0.5f32.sqrt();
        for (found, wanted) in table.embed("Playing,").iter().zip([half, half]) {
            assert!((found - wanted).abs() < 0.01);
        }
        assert!(table.embed("play")[0] > 0.99);
    }

    #[test]
    fn every_text_has_a_vector_of_length_1() {
        let bytes = bytes();
        let table = Table::read(&bytes).unwrap();
        for text in ["", "🙂", "unknown", ",", "play play", &"x".repeat(200)] {
            let length: f32 = table.embed(text).iter().map(|v| v * v).sum();
            assert!((length - 1.0).abs() < 1e-5, "{text}");
        }
    }

    #[test]
    fn what_is_no_table_is_refused() {
        let whole = bytes();
        for cut in 0..whole.len() {
            assert!(Table::read(&whole[..cut]).is_err(), "{cut}");
        }
        let mut newer = whole.clone();
        newer[4] = 2;
        assert!(Table::read(&newer).is_err());
    }
}
