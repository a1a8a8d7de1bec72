//! The description of an object, kept behind its body in the same file.
//!
//! A file is `body · JSON description · its length (4 bytes, little-endian) · "holdobj1"`.
//! One file per object means that body, ETag and metadata cannot fall out of step; the
//! description comes last because size and MD5 are known only when the body has passed,
//! and so a body starts at offset 0 and a file that was cut off has no description.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{Read, Seek, SeekFrom};

use serde::{Deserialize, Serialize};

use crate::fault::Fault;

const FAMILY: &[u8; 7] = b"holdobj";
const VERSION: u8 = b'1';
const TAIL: u64 = 12;
/// Enough for nearly every description in one read.
const GUESS: u64 = 1024;

/// What the store knows of an object besides its bytes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Head {
    /// The object's key.
    pub(crate) key: String,
    /// Bytes of the body.
    pub(crate) size: u64,
    /// The object's ETag.
    pub(crate) etag: Etag,
    /// Milliseconds since 1970.
    pub(crate) modified: u64,
    /// What the writer said of the object.
    #[serde(flatten)]
    pub(crate) attributes: Attributes,
}

/// Headers and user metadata that come back with the object as they were given.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Attributes {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) content_type: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) content_encoding: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) content_language: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) content_disposition: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) cache_control: Option<String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) metadata: BTreeMap<String, String>,
}

/// An ETag: the MD5 of the body, or of the parts' MD5s with their number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct Etag {
    /// The digest.
    pub(crate) md5: [u8; 16],
    /// How many parts; 0 for an object written in one piece.
    pub(crate) parts: u16,
}

impl fmt::Display for Etag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.md5))?;
        if self.parts > 0 { write!(f, "-{}", self.parts) } else { Ok(()) }
    }
}

impl From<Etag> for String {
    fn from(etag: Etag) -> Self {
        etag.to_string()
    }
}

impl TryFrom<String> for Etag {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let (digest, parts) = text.split_once('-').unwrap_or((&text, "0"));
        let mut md5 = [0; 16];
        hex::decode_to_slice(digest, &mut md5).map_err(|_| "not an MD5 in hex")?;
        let parts = parts.parse().map_err(|_| "not a number of parts")?;
        Ok(Self { md5, parts })
    }
}

impl Head {
    /// The bytes that follow the body.
    pub(crate) fn encode(&self) -> Result<Vec<u8>, Fault> {
        let mut bytes = serde_json::to_vec(self).map_err(std::io::Error::from)?;
        let length = u32::try_from(bytes.len()).map_err(|_| Fault::Damaged)?;
        bytes.extend_from_slice(&length.to_le_bytes());
        bytes.extend_from_slice(FAMILY);
        bytes.push(VERSION);
        Ok(bytes)
    }

    /// Reads the description of an open object file, whose position moves.
    pub(crate) fn read(file: &mut (impl Read + Seek + ?Sized)) -> Result<Self, Fault> {
        let whole = file.seek(SeekFrom::End(0))?;
        let mut end = read_end(file, whole, GUESS)?;
        let length = description_length(&end)?;
        if u64::from(length) + TAIL > end.len() as u64 {
            end = read_end(file, whole, u64::from(length) + TAIL)?;
        }
        let from = end.len().checked_sub(length as usize + TAIL as usize).ok_or(Fault::Damaged)?;
        let json = end.get(from..from + length as usize).ok_or(Fault::Damaged)?;
        let head: Self = serde_json::from_slice(json).map_err(|_| Fault::Damaged)?;
        let described = head.size.checked_add(u64::from(length) + TAIL);
        if described == Some(whole) { Ok(head) } else { Err(Fault::Damaged) }
    }
}

fn read_end(
    file: &mut (impl Read + Seek + ?Sized),
    whole: u64,
    wanted: u64,
) -> Result<Vec<u8>, Fault> {
    let length = wanted.min(whole);
    file.seek(SeekFrom::Start(whole - length))?;
    let mut bytes = vec![0; usize::try_from(length).map_err(|_| Fault::Damaged)?];
    file.read_exact(&mut bytes)?;
    Ok(bytes)
}

fn description_length(end: &[u8]) -> Result<u32, Fault> {
    let (_, tail) = end.split_last_chunk::<{ TAIL as usize }>().ok_or(Fault::Damaged)?;
    let (length, mark) = tail.split_first_chunk::<4>().ok_or(Fault::Damaged)?;
    match mark.strip_prefix(FAMILY) {
        Some([VERSION]) => Ok(u32::from_le_bytes(*length)),
        Some(_) => Err(Fault::Newer),
        None => Err(Fault::Damaged),
    }
}
