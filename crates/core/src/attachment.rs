//! An attachment as its records hold it: bytes of any kind that lie in the bucket beside the journal.
//!
//! The bytes are cut into parts, objects `att/<ulid>-<hash>` each, so that whoever takes them in or gives them out holds one
//! part at a time and checks it against its own name. All parts are durable before the record that names them is written,
//! and only that one record ever names them.

use crate::ports::Objects;
use crate::{Case, Error, Key, MAX_ID, Result, Scope, key};
use bytes::{Bytes, BytesMut};
use serde::{Deserialize, Serialize};

/// Bytes of a part; the last one may have fewer.
pub const PART: usize = 4 << 20;

/// From the first part's name to the record at most so long passes, in milliseconds: whatever names parts is there then.
pub const LONGEST: u64 = 20 * 60_000;

/// One version of an attachment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attachment {
    /// What its sender said that it is, as `application/vnd.sqlite3`.
    pub media_type: String,
    /// Bytes.
    pub size: u64,
    /// SHA-256 of all of them, 64 hex digits.
    pub sha256: String,
    /// In their order; none of an attachment of no bytes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<Part>,
}

/// A part of an attachment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// Name of its object, without the user's prefix.
    pub name: String,
    /// Bytes.
    pub bytes: u64,
}

/// What is to be read of one part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// The part's object.
    pub key: Key,
    /// The first byte in it.
    pub start: u64,
    /// Bytes.
    pub length: u64,
    /// That is all of it.
    pub whole: bool,
}

impl Attachment {
    /// Reads the thing of an attachment's record.
    ///
    /// # Errors
    /// `corrupt` when it is none.
    pub fn read(thing: &str) -> Result<Self> {
        let wrong = || Error::corrupt("an attachment's record cannot be read");
        let read: Self = serde_json::from_str(thing).map_err(|e| wrong().caused_by(e))?;
        let sum = read.parts.iter().try_fold(0_u64, |sum, part| sum.checked_add(part.bytes));
        if sum == Some(read.size) { Ok(read) } else { Err(wrong()) }
    }

    /// What to read for the bytes from `start` to `end` (exclusive), in order.
    ///
    /// # Errors
    /// `corrupt` when the record names what is no attachment of the user.
    pub fn pieces(&self, scope: &Scope, start: u64, end: u64) -> Result<Vec<Piece>> {
        let (mut pieces, mut at) = (Vec::new(), 0_u64);
        for part in &self.parts {
            let (first, next) = (at, at.saturating_add(part.bytes));
            at = next;
            let (from, to) = (start.max(first), end.min(next));
            if from >= to {
                continue;
            }
            let key = part.key(scope).ok_or_else(|| {
                Error::corrupt("an attachment's record names what is no part of one")
            })?;
            let whole = (from, to) == (first, next);
            pieces.push(Piece { key, start: from - first, length: to - from, whole });
        }
        Ok(pieces)
    }
}

impl Part {
    /// Its object; none for a name that is not of one of the user's attachments.
    pub fn key(&self, scope: &Scope) -> Option<Key> {
        let key = key::named(scope, &self.name)?;
        let ours = key.as_str().starts_with(key::attachments(scope).as_str());
        (ours && key.hash().is_some()).then_some(key)
    }
}

/// Bytes of one part, or of a piece of it.
///
/// # Errors
/// `gone` when the part is not there any more: what was replaced or deleted goes. `corrupt` when it is not what was written.
pub async fn read_piece(objects: &impl Objects, piece: &Piece) -> Result<Bytes> {
    // The whole part, which its name says the hash of: a range alone cannot be checked.
    let read = objects.get(&piece.key).await?;
    let gone = || {
        let detail = "the bytes of this version are gone: it was replaced or deleted";
        Error::because(Case::Conflict, "gone", detail)
    };
    let bytes = read.ok_or_else(gone)?;
    let at = |place: u64| usize::try_from(place).unwrap_or(usize::MAX);
    let (start, end) = (at(piece.start), at(piece.start.saturating_add(piece.length)));
    if end <= bytes.len() && start <= end {
        return Ok(bytes.slice(start..end));
    }
    Err(Error::corrupt("a part of an attachment is not what was written").about(&piece.key))
}

/// All bytes of an attachment, which the caller knows to be few.
///
/// # Errors
/// As [`read_piece`].
pub async fn read_whole(
    objects: &impl Objects,
    scope: &Scope,
    attachment: &Attachment,
) -> Result<Bytes> {
    let mut whole = BytesMut::new();
    for piece in attachment.pieces(scope, 0, attachment.size)? {
        whole.extend_from_slice(&read_piece(objects, &piece).await?);
    }
    Ok(whole.freeze())
}

/// The name of an attachment: a file's, of 1 to 256 bytes. Nothing that means something else in a path.
///
/// # Errors
/// `unprocessable` with the rule that it breaks.
pub fn check_name(name: &str) -> Result<&str> {
    let refuse = |rule: &str| Err(Error::unprocessable("name", format!("the name {rule}")));
    if name.is_empty() || name.len() > MAX_ID {
        return refuse(&format!("of an attachment must have 1 to {MAX_ID} bytes"));
    }
    if name.chars().any(|c| c.is_control() || matches!(c, '/' | '\\')) {
        return refuse("of an attachment must not hold slashes, backslashes or control characters");
    }
    if name.chars().all(|c| c == '.') {
        return refuse("of an attachment must not be made of dots only");
    }
    Ok(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{TenantId, UserId};

    fn scope() -> Scope {
        Scope { tenant: TenantId::parse("t").unwrap(), user: UserId::parse("u").unwrap() }
    }

    fn attachment(sizes: &[u64]) -> Attachment {
        let part = |(at, bytes): (usize, &u64)| {
            let key = key::attachment_object(&scope(), ulid::Ulid(at as u128), b"x");
            Part { name: key::name(&scope(), &key).to_owned(), bytes: *bytes }
        };
        let parts: Vec<Part> = sizes.iter().enumerate().map(part).collect();
        let size = sizes.iter().sum();
        Attachment { media_type: "a/b".to_owned(), size, sha256: String::new(), parts }
    }

    #[test]
    fn the_pieces_of_any_range_are_that_range() {
        for sizes in [&[][..], &[5], &[3, 3, 1], &[1, 0, 2]] {
            let attachment = attachment(sizes);
            let all: Vec<(usize, u64)> = sizes
                .iter()
                .enumerate()
                .flat_map(|(at, n)| (0..*n).map(move |b| (at, b)))
                .collect();
            for start in 0..=all.len() {
                for end in start..=all.len() {
                    let pieces = attachment.pieces(&scope(), start as u64, end as u64).unwrap();
                    let mut bytes = Vec::new();
                    for piece in &pieces {
                        let at = attachment
                            .parts
                            .iter()
                            .position(|part| part.key(&scope()).as_ref() == Some(&piece.key));
                        let at = at.unwrap();
                        bytes.extend((piece.start..piece.start + piece.length).map(|b| (at, b)));
                        assert_eq!(piece.whole, piece.length == sizes[at]);
                    }
                    assert_eq!(bytes, all[start..end], "{sizes:?} {start}..{end}");
                }
            }
        }
    }

    #[test]
    fn a_record_whose_parts_are_not_its_size_or_not_the_users_is_corrupt() {
        let mut other = attachment(&[3, 4]);
        assert_eq!(Attachment::read(&serde_json::to_string(&other).unwrap()).unwrap(), other);
        other.size = 8;
        assert!(Attachment::read(&serde_json::to_string(&other).unwrap()).is_err());
        for name in
            ["seg/01KM5DVDW0000000000000000E-00000000000000000000000000000000", "att/../x", "att/x"]
        {
            let mut other = attachment(&[3]);
            other.parts[0].name = name.to_owned();
            assert_eq!(other.pieces(&scope(), 0, 3).unwrap_err().reason, "corrupt", "{name}");
        }
    }

    #[test]
    fn a_name_is_a_files_and_leads_nowhere() {
        for good in ["a", "a.db", "..a", "é ü.sqlite", "a%2Fb", "-", "con"] {
            assert_eq!(check_name(good).unwrap(), good);
        }
        for bad in ["", ".", "..", "...", "a/b", "../a", "a\\b", "a\0b", "a\nb", &"x".repeat(257)] {
            assert_eq!(check_name(bad).unwrap_err().status(), 422, "{bad:?}");
        }
    }
}
