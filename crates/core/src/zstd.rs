//! Zstandard frames in pure Rust: packed so that they are known to unpack, and unpacked within a bound.

use crate::{Error, Result};
use ruzstd::decoding::StreamingDecoder;
use ruzstd::encoding::{CompressionLevel, compress};
use std::io::{BufRead, BufReader, Read};

/// No frame unpacks to more bytes than this.
pub const MAX_UNPACKED: u64 = 64 << 20;

/// One frame of `bytes`. What the encoder would not give back to the byte is kept as it is, inside a frame.
pub(crate) fn pack(bytes: &[u8]) -> Vec<u8> {
    let mut frame = Vec::new();
    pack_from(|| bytes, &mut frame);
    frame
}

/// Appends one frame, as [`pack`] makes it, of what `source` gives, which is the same each time. Its bytes are never in memory
/// all at once.
pub(crate) fn pack_from<R: Read>(source: impl Fn() -> R, out: &mut Vec<u8>) {
    let at = out.len();
    compress(source(), &mut *out, CompressionLevel::Fastest);
    let again = out.get(at..).map(unpacking);
    if !again.is_some_and(|again| again.is_ok_and(|again| same(again, source()))) {
        out.truncate(at);
        compress(source(), &mut *out, CompressionLevel::Uncompressed);
    }
}

fn same(one: impl BufRead, other: impl Read) -> bool {
    let (mut one, mut other) = (one, BufReader::new(other));
    loop {
        let (Ok(left), Ok(right)) = (one.fill_buf(), other.fill_buf()) else { return false };
        let length = left.len().min(right.len());
        if left.get(..length) != right.get(..length) {
            return false;
        }
        if length == 0 {
            return left.is_empty() && right.is_empty();
        }
        one.consume(length);
        other.consume(length);
    }
}

/// The bytes of one frame.
///
/// # Errors
/// `corrupt` when it is none, or one of more than [`MAX_UNPACKED`] bytes.
pub(crate) fn unpack(frame: &[u8]) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    unpacking(frame)?.read_to_end(&mut bytes).map_err(broken)?;
    if bytes.len() as u64 > MAX_UNPACKED {
        return Err(Error::corrupt("a packed frame is too large"));
    }
    Ok(bytes)
}

/// The bytes of one frame as they are asked for, at most one more than [`MAX_UNPACKED`].
///
/// # Errors
/// `corrupt` when its header is none.
pub(crate) fn unpacking(frame: &[u8]) -> Result<impl BufRead> {
    if memory(frame).is_none_or(|bytes| bytes > MAX_UNPACKED) {
        return Err(Error::corrupt("a packed frame has no header that this program takes"));
    }
    let decoder = StreamingDecoder::new(frame);
    let decoder = decoder.map_err(|e| broken(std::io::Error::other(e.to_string())))?;
    Ok(BufReader::with_capacity(READ_AT_ONCE, decoder.take(MAX_UNPACKED + 1)))
}

/// Bytes that are unpacked at a time.
const READ_AT_ONCE: usize = 64 << 10;

/// What came of reading a frame that is none.
pub(crate) fn broken(e: std::io::Error) -> Error {
    Error::corrupt("a packed frame cannot be unpacked").caused_by(e)
}

/// Memory that a decoder sets aside before it reads, by the frame's header (RFC 8878, 3.1.1.1): its window, or all its
/// bytes where it is one segment. None for what is no such header, or needs a dictionary.
fn memory(frame: &[u8]) -> Option<u64> {
    let descriptor = *frame.get(4)?;
    if descriptor & 0b11 != 0 {
        return None;
    }
    let rest = frame.get(5..)?;
    if descriptor & 0x20 == 0 {
        let window = *rest.first()?;
        let base = 1_u64 << (10 + (window >> 3));
        return Some(base + base / 8 * u64::from(window & 7));
    }
    let size = rest.get(..1 << (descriptor >> 6))?;
    Some(size.iter().rev().fold(0, |size, byte| (size << 8) | u64::from(*byte)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_repeats_becomes_shorter() {
        let text = "all the same ".repeat(1000);
        assert!(pack(text.as_bytes()).len() < 500);
    }

    #[test]
    fn a_frame_that_claims_more_than_the_bound_is_refused_before_memory_is_set_aside() {
        let magic = [0x28, 0xb5, 0x2f, 0xfd];
        let huge_window = [&magic[..], &[0x00, 0xff, 1, 0, 0]].concat();
        let huge_size = [&magic[..], &[0xe0], &[0xff; 8], &[1, 0, 0]].concat();
        for frame in [huge_window, huge_size] {
            assert_eq!(unpack(&frame).unwrap_err().reason, "corrupt");
        }
    }

    proptest! {
        #[test]
        fn a_frame_gives_back_its_bytes(bytes in prop::collection::vec(0_u8..4, 0..5000)) {
            prop_assert_eq!(unpack(&pack(&bytes)).unwrap(), bytes);
        }

        #[test]
        fn no_bytes_make_the_decoder_fall_over(
            bytes in prop::collection::vec(any::<u8>(), 0..300),
            framed: bool,
            at in 0_usize..200,
            with: u8,
        ) {
            let magic = [0x28, 0xb5, 0x2f, 0xfd];
            let bytes = if framed { [&magic, &bytes[..]].concat() } else { bytes };
            let _ = unpack(&bytes);
            let mut bent = pack(b"all the same all the same all the other ones 0123456789");
            if let Some(byte) = bent.get_mut(at) {
                *byte = with;
            }
            let _ = unpack(&bent);
        }
    }
}
