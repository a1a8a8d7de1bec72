//! An index as an index part keeps it: what cannot be had quickly from something else in it, in plain types.
//!
//! An index that is [restored](SavedIndex::restore) answers everything as the one that was saved, and takes more in. Components of
//! vectors are kept beside the rest: they are most of it, and no packing makes them smaller. A change of what is here, or of what becomes of a text (words, stems, stop words), is a new version of index parts (`holdfast_view`).

use crate::index::{Interner, UserIndex};
use crate::sessions::Sessions;
use crate::vectors::Vectors;
use crate::words::{Posting, Words};
use crate::{DocNo, Entry, Language};
use holdfast_core::message::Halves;
use holdfast_core::{Error, Result};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::borrow::Cow;

/// An index, as it is written and read.
#[derive(Debug, Serialize, Deserialize)]
pub struct SavedIndex<'a> {
    fallback: u32,
    #[serde(borrow)]
    entries: Vec<SavedEntry<'a>>,
    #[serde(borrow)]
    words: Vec<SavedWord<'a>>,
    #[serde(borrow)]
    sessions: Vec<(&'a str, Vec<DocNo>)>,
    own: Vec<u32>,
    #[serde(borrow)]
    speakers: Vec<&'a str>,
    #[serde(borrow)]
    strings: Vec<&'a str>,
    #[serde(borrow)]
    vectors: SavedVectors<'a>,
}

#[derive(Debug, Serialize, Deserialize)]
struct SavedEntry<'a> {
    live: bool,
    embeddable: bool,
    language: u32,
    id: &'a str,
    order: &'a str,
    session: u32,
    role: u32,
    speaker: Option<u32>,
    name: Option<u32>,
    event_time: Option<u64>,
    stored_at: u64,
    parent_id: Option<&'a str>,
    tool_call_id: Option<&'a str>,
    /// JSON, as the attributes.
    #[serde(borrow)]
    metadata: Option<Cow<'a, str>>,
    #[serde(borrow)]
    attributes: Option<Cow<'a, str>>,
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct SavedWord<'a> {
    term: &'a str,
    /// Of [`POSTING`] bytes each.
    #[serde(borrow)]
    postings: Cow<'a, [u8]>,
}

#[derive(Debug, Serialize, Deserialize)]
struct SavedVectors<'a> {
    dimensions: usize,
    /// Of those that are found: message and rows.
    spans: Vec<(DocNo, u32)>,
    /// 1 / length of each row, of [`NORM`] bytes each: to find it anew is most of what vectors cost.
    #[serde(borrow)]
    inverse_norms: Cow<'a, [u8]>,
}

fn broken(what: &str) -> Error {
    Error::corrupt(format!("a saved index cannot be read: {what}"))
}

fn json(value: &Value) -> Cow<'static, str> {
    Cow::Owned(value.to_string())
}

fn of_json(json: &str) -> Result<Box<Value>> {
    serde_json::from_str(json).map_err(|e| broken("metadata").caused_by(e))
}

fn language(number: u32) -> Result<Language> {
    Language::ALL.get(number as usize).copied().ok_or_else(|| broken("a language"))
}

impl UserIndex {
    /// The index as an index part keeps it.
    pub fn saved(&self) -> SavedIndex<'_> {
        SavedIndex {
            fallback: self.fallback as u32,
            entries: self.entries.iter().map(Entry::saved).collect(),
            words: self.words.saved(),
            sessions: self.sessions.saved(),
            own: self.sessions.own_lengths().to_vec(),
            speakers: self.speakers.texts().collect(),
            strings: self.strings.texts().collect(),
            vectors: self.vectors.saved(),
        }
    }

    /// Components of the vectors of what is [saved](Self::saved).
    pub fn saved_components(&self) -> Halves<'static> {
        let rows = self.vectors.found().filter_map(|row| self.vectors.row(row));
        Halves::of(rows.flatten())
    }
}

impl SavedIndex<'_> {
    /// The index that was saved, with the components of its vectors.
    ///
    /// # Errors
    /// `corrupt` when it is none.
    pub fn restore(self, components: &Halves<'_>) -> Result<UserIndex> {
        let mut index = UserIndex::new(language(self.fallback)?);
        index.words = Words::restored(self.words);
        index.sessions = Sessions::of(self.sessions, self.own);
        index.speakers = Interner::restored(&self.speakers);
        index.strings = Interner::restored(&self.strings);
        index.vectors = self.vectors.restore(self.entries.len(), components)?;
        for saved in self.entries {
            let number = index.entries.len() as DocNo;
            let entry = saved.restore()?;
            if entry.live {
                index.count_in(&entry);
                index.note(number, &entry);
            }
            index.entries.push(entry);
        }
        Ok(index)
    }
}

impl Entry {
    fn saved(&self) -> SavedEntry<'_> {
        SavedEntry {
            live: self.live,
            embeddable: self.embeddable,
            language: self.language as u32,
            id: &self.id,
            order: &self.order,
            session: self.session,
            role: self.role,
            speaker: self.speaker,
            name: self.name,
            event_time: self.event_time,
            stored_at: self.stored_at,
            parent_id: self.parent_id.as_deref(),
            tool_call_id: self.tool_call_id.as_deref(),
            metadata: self.metadata.as_deref().map(json),
            attributes: self.attributes.as_deref().map(json),
        }
    }
}

impl SavedEntry<'_> {
    fn restore(self) -> Result<Entry> {
        Ok(Entry {
            id: self.id.into(),
            order: self.order.into(),
            session: self.session,
            role: self.role,
            speaker: self.speaker,
            name: self.name,
            event_time: self.event_time,
            stored_at: self.stored_at,
            parent_id: self.parent_id.map(Into::into),
            tool_call_id: self.tool_call_id.map(Into::into),
            metadata: self.metadata.as_deref().map(of_json).transpose()?,
            attributes: self.attributes.as_deref().map(of_json).transpose()?,
            language: language(self.language)?,
            live: self.live,
            embeddable: self.embeddable,
        })
    }
}

/// Bytes of a posting: its message's number and how often, little-endian.
const POSTING: usize = 6;

impl Words {
    fn saved(&self) -> Vec<SavedWord<'_>> {
        let bytes = |posting: &Posting| {
            let ([a, b, c, d], [e, f]) = (posting.doc.to_le_bytes(), posting.count.to_le_bytes());
            [a, b, c, d, e, f]
        };
        let all = self.terms().filter(|(_, postings)| !postings.is_empty());
        let all = all.map(|(term, postings)| SavedWord {
            term,
            postings: Cow::Owned(postings.iter().flat_map(bytes).collect()),
        });
        let mut all: Vec<_> = all.collect();
        all.sort_unstable();
        all
    }

    fn restored(saved: Vec<SavedWord<'_>>) -> Self {
        let posting = |bytes: &[u8; POSTING]| {
            let [a, b, c, d, e, f] = *bytes;
            let (doc, count) = (u32::from_le_bytes([a, b, c, d]), u16::from_le_bytes([e, f]));
            Posting { doc, count }
        };
        let all = saved.into_iter();
        Self::of(all.map(|SavedWord { term, postings }| {
            let (postings, _) = postings.as_chunks::<POSTING>();
            (term, postings.iter().map(posting).collect())
        }))
    }
}

impl Sessions {
    fn saved(&self) -> Vec<(&str, Vec<DocNo>)> {
        self.all().map(|(name, docs)| (name, docs.to_vec())).collect()
    }
}

/// Bytes of a number of [`f32`], little-endian.
const NORM: usize = 4;

impl Vectors {
    /// Rows of those that are found.
    fn found(&self) -> impl Iterator<Item = u32> {
        let spans = self.spans().iter().filter(|span| span.doc.is_some());
        spans.flat_map(|span| span.start..span.start + span.len)
    }

    fn saved(&self) -> SavedVectors<'_> {
        let spans = self.spans().iter().filter_map(|span| Some((span.doc?, span.len)));
        let norms = self.found().filter_map(|row| self.inverse_norm(row));
        SavedVectors {
            dimensions: self.dimensions(),
            spans: spans.collect(),
            inverse_norms: Cow::Owned(norms.flat_map(f32::to_le_bytes).collect()),
        }
    }
}

impl SavedVectors<'_> {
    fn restore(self, messages: usize, components: &Halves<'_>) -> Result<Vectors> {
        if self.spans.iter().any(|(doc, _)| *doc as usize >= messages) {
            return Err(broken("a vector of no message"));
        }
        let (norms, _) = self.inverse_norms.as_chunks::<NORM>();
        let norms = norms.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
        Vectors::of(self.dimensions, self.spans, components.values(), norms)
    }
}
