//! Index parts: a user's whole view as one object, for an index in an instance that may vanish.
//!
//! A copy of what the journal says, made by who had to read much of it, so that the next one reads only what came since. It
//! may go at any time, and one that cannot be read is as good as none. `"hfidx02\n"`, the XXH3 of all that follows, the
//! length of an LZ4 block, the block with the length that it unpacks to before it, and the components of vectors (f16); numbers
//! are little-endian, lengths of 4 bytes. The block is of the Postcard form of what the `Saved…` types say. Texts stand in it as
//! they are. See `docs/storage.md`.

use crate::UserView;
use holdfast_core::fold::Number;
use holdfast_core::message::Halves;
use holdfast_core::{Error, Hlc, Key, Result, key};
use holdfast_journal::SavedJournal;
use holdfast_search::{ChunkVector, Nearest, SavedIndex};
use serde::{Deserialize, Serialize};
use twox_hash::XxHash3_64;
use ulid::Ulid;

/// What an index part begins with. Its number is that of this form, of the fold and of the analysis of texts together: a
/// part of another number is none. `parts_at_rest` among the tests of
/// `host/index` say when it has to change.
const HEAD: &[u8; 8] = b"hfidx02\n";

/// No part unpacks to more bytes than this.
pub(crate) const MOST: usize = 64 << 20;

#[derive(Serialize, Deserialize)]
struct SavedPart<'a> {
    /// The embedding space of its vectors.
    space: &'a str,
    #[serde(borrow)]
    journal: SavedJournal<'a>,
    #[serde(borrow)]
    index: SavedIndex<'a>,
    #[serde(borrow)]
    sources: Vec<SavedSources<'a>>,
}

/// A chunk's first byte, its end, and its vector.
type SavedVector<'a> = (u32, u32, Halves<'a>);

/// A message, and the vectors that each of its copies brought.
type SavedSources<'a> = (Number, Vec<(u64, Vec<SavedVector<'a>>)>);

fn saved_vector(vector: &ChunkVector) -> SavedVector<'static> {
    (vector.start, vector.end, Halves::of(&vector.values))
}

fn vector((start, end, halves): SavedVector<'_>) -> ChunkVector {
    ChunkVector { start, end, values: halves.values() }
}

impl<N: Nearest> UserView<N> {
    /// The view as an index part, with its key; none while it lacks something. Its name says when the last list began that
    /// is in it.
    ///
    /// # Errors
    /// `internal` when it cannot be written; `corrupt` when a message cannot be read again.
    pub fn part(&self) -> Result<Option<(Key, Vec<u8>)>> {
        let (journal, mut shelf) = (self.journal.borrow(), self.shelf.borrow_mut());
        shelf.settle(journal.view())?;
        let Some(saved) = journal.saved()?.filter(|_| self.loaded.get()) else { return Ok(None) };
        let sources = shelf.sources.iter().map(|(number, all)| {
            let all =
                all.iter().map(|(hlc, held)| (hlc.0, held.iter().map(saved_vector).collect()));
            (*number, all.collect())
        });
        let mut sources: Vec<SavedSources<'_>> = sources.collect();
        sources.sort_unstable_by_key(|(number, _)| *number);
        let part = SavedPart {
            space: &self.space.id,
            journal: saved,
            index: shelf.index.saved(),
            sources,
        };
        let encoding = |e| Error::internal("an index part cannot be written").caused_by(e);
        let plain = postcard::to_allocvec(&part).map_err(encoding)?;
        let components = shelf.index.saved_components();
        let components = components.as_bytes();
        if plain.len() + components.len() > MOST {
            return Ok(None);
        }
        let bytes = pack(&plain, components);
        // The hash that follows tells parts of one moment apart.
        let ulid = Ulid::from_parts(self.listed.get(), plain.len() as u128);
        Ok(Some((key::index_part(&self.scope, ulid, &bytes), bytes)))
    }

    /// Takes an index part in, where the journal was opened and nothing of it was read yet: what is still owed then is what
    /// came since. False, and nothing is taken in, for a part of another form or space, or of before an erase.
    ///
    /// # Errors
    /// `corrupt` when it cannot be read; nothing is taken in then.
    pub fn restore(&self, bytes: &[u8]) -> Result<bool> {
        let Some((plain, components)) = unpack(bytes)? else { return Ok(false) };
        let part: SavedPart<'_> = postcard::from_bytes(&plain).map_err(wrong)?;
        if part.space != self.space.id {
            return Ok(false);
        }
        let index = part.index.restore(&Halves::from(components))?;
        let sources = part.sources.into_iter().map(|(number, all)| {
            let all = all.into_iter();
            let all = all.map(|(hlc, held)| (Hlc(hlc), held.into_iter().map(vector).collect()));
            (number, all.collect())
        });
        let sources = sources.collect();
        if part.journal.messages() != index.len() {
            return Err(Error::corrupt("an index part's halves do not fit each other"));
        }
        let mut journal = self.journal.borrow_mut();
        let restored = journal.restore(part.journal)?;
        if restored {
            self.shelf.borrow_mut().restore(journal.view(), index, sources);
        }
        Ok(restored)
    }
}

/// An index part of these bytes and the components of these vectors.
pub fn pack(plain: &[u8], components: &[u8]) -> Vec<u8> {
    let packed = lz4_flex::compress_prepend_size(plain);
    let length = (packed.len() as u32).to_le_bytes();
    let mut part = [&HEAD[..], &[0; 8], &length, &packed, components].concat();
    let behind_head = part.split_first_chunk_mut::<8>().map(|(_, rest)| rest);
    if let Some((hash, rest)) = behind_head.and_then(<[u8]>::split_first_chunk_mut::<8>) {
        *hash = XxHash3_64::oneshot(rest).to_le_bytes();
    }
    part
}

/// What an index part holds: bytes in which texts stand as they are, and components of vectors. None of another form.
///
/// # Errors
/// `corrupt` when it is not what was written.
pub fn unpack(part: &[u8]) -> Result<Option<(Vec<u8>, &[u8])>> {
    let Some(rest) = part.strip_prefix(HEAD) else { return Ok(None) };
    let (hash, rest) = rest.split_first_chunk::<8>().ok_or_else(cut)?;
    if u64::from_le_bytes(*hash) != XxHash3_64::oneshot(rest) {
        return Err(Error::corrupt("an index part is not what was written"));
    }
    let (length, rest) = rest.split_first_chunk::<4>().ok_or_else(cut)?;
    let packed = rest.split_at_checked(u32::from_le_bytes(*length) as usize);
    let (packed, components) = packed.ok_or_else(cut)?;
    let (size, _) = packed.split_first_chunk::<4>().ok_or_else(cut)?;
    if u32::from_le_bytes(*size) as usize > MOST {
        return Err(Error::corrupt("an index part is too large"));
    }
    let plain = lz4_flex::decompress_size_prepended(packed).map_err(wrong)?;
    Ok(Some((plain, components)))
}

fn cut() -> Error {
    Error::corrupt("an index part is cut")
}

fn wrong(e: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::corrupt("an index part cannot be read").caused_by(e)
}
