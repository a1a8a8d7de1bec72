//! The search side of a user's memories: a collection of its own, in the same embedding space as the messages.

use super::types::fields;
use crate::Space;
use holdfast_core::fold::{FoundThing, Version, View};
use holdfast_core::memory::Memory;
use holdfast_core::thing::ThingKind;
use holdfast_core::{Order, Result};
use holdfast_search::{
    ChunkVector, Doc, DocNo, ExactScan, Language, Question, Recall, Scratch, UserIndex, search,
};
use std::collections::HashMap;

/// The index of one user's memories. It follows the view before each search, and takes in only what changed.
pub(crate) struct Memories {
    index: UserIndex,
    /// Changes of things that were followed.
    seen: Option<u64>,
    /// When the next memory ends, Unix milliseconds: then it leaves.
    next_end: u64,
    held: HashMap<Box<str>, Held>,
    /// Id of each document.
    ids: Vec<Box<str>>,
}

/// What is in the index of one memory.
#[derive(Clone, Copy)]
struct Held {
    doc: DocNo,
    order: Order,
    vectors: usize,
    records: usize,
}

impl Held {
    /// Is it what stands now?
    fn is(&self, found: &FoundThing<'_>, last: &Version) -> bool {
        (self.order, self.vectors, self.records)
            == (last.order, counted(found), found.versions.len())
    }
}

impl Default for Memories {
    fn default() -> Self {
        Self {
            index: UserIndex::new(Language::default()),
            seen: None,
            next_end: u64::MAX,
            held: HashMap::new(),
            ids: Vec::new(),
        }
    }
}

impl Memories {
    /// Brings the index up to the view, at this moment in Unix milliseconds.
    pub(crate) fn follow(&mut self, view: &View, now: u64, space: &Space) -> Result<()> {
        if self.seen == Some(view.thing_changes()) && now < self.next_end {
            return Ok(());
        }
        // What left goes from the index only when it is made anew, so that it does not grow for ever.
        if self.ids.len() > 64 && self.ids.len() > 2 * self.held.len() {
            *self = Self::default();
        }
        let mut left = std::mem::take(&mut self.held);
        self.next_end = u64::MAX;
        let (mut gone, mut came) = (Vec::new(), Vec::new());
        for found in view.things(ThingKind::Memory, "").filter(|found| found.is_live(now)) {
            let Some(last) = found.last() else { continue };
            self.next_end = self.next_end.min(last.expires_at.unwrap_or(u64::MAX));
            match left.remove(found.id) {
                Some(held) if held.is(&found, last) => {
                    self.held.insert(found.id.into(), held);
                    continue;
                }
                Some(held) => gone.push(held.doc),
                None => {}
            }
            came.push(found);
        }
        gone.extend(left.values().map(|held| held.doc));
        self.index.remove(&gone);
        came.iter().try_for_each(|found| self.take_in(found, space))?;
        self.seen = Some(view.thing_changes());
        Ok(())
    }

    fn take_in(&mut self, found: &FoundThing<'_>, space: &Space) -> Result<()> {
        let Some(last) = found.last() else { return Ok(()) };
        let mut doc = doc(found)?;
        doc.vectors = vectors(found, &doc.text, space);
        let bare = Doc { vectors: Vec::new(), ..doc.clone() };
        // Vectors that do not fit the others of their space: it takes part by words.
        let doc = self.index.insert(doc).or_else(|_| self.index.insert(bare))?;
        let (vectors, records) = (counted(found), found.versions.len());
        let held = Held { doc, order: last.order, vectors, records };
        self.held.insert(found.id.into(), held);
        self.ids.push(found.id.into());
        Ok(())
    }

    /// Answers a question; documents are named by [`id`](Self::id).
    pub(crate) fn search(&self, question: &Question, scratch: &mut Scratch) -> Result<Recall> {
        search(&self.index, &ExactScan::new(self.index.vectors()), question, scratch)
    }

    /// The memory that a document is.
    pub(crate) fn id(&self, doc: DocNo) -> Option<&str> {
        self.ids.get(doc as usize).map(|id| &**id)
    }

    /// Memories without a vector in the index's space.
    pub(crate) fn pending(&self) -> impl Iterator<Item = &str> {
        self.index.pending_docs().filter_map(|doc| self.id(doc))
    }

    /// Bytes held, about.
    pub(crate) fn bytes(&self) -> usize {
        self.index.bytes() + self.ids.len() * 200
    }
}

/// Sets of vectors of all its records.
fn counted(found: &FoundThing<'_>) -> usize {
    found.versions.iter().map(|version| version.vectors.len()).sum()
}

/// The vectors of the newest record that has the text and any: an edit that leaves the text needs none of its own.
fn vectors(found: &FoundThing<'_>, text: &str, space: &Space) -> Vec<ChunkVector> {
    let same = |version: &&Version| Memory::read(&version.text).is_ok_and(|m| m.text == text);
    let mut all = found.versions.iter().rev().filter(same);
    all.find_map(|version| Some(space.chunks(version.vectors.clone())).filter(|c| !c.is_empty()))
        .unwrap_or_default()
}

/// A memory as a document: alone, with no neighbours and no speaker.
fn doc(found: &FoundThing<'_>) -> Result<Doc> {
    let Some(last) = found.last() else { return Ok(Doc::default()) };
    let memory = Memory::read(&last.text)?;
    let metadata = memory.metadata.as_deref().and_then(|json| serde_json::from_str(json).ok());
    Ok(Doc {
        id: found.id.to_owned(),
        // No session has such an id.
        session: format!("\0{}", found.id),
        order: last.order.to_string(),
        text: memory.text,
        stored_at: last.order.hlc.milliseconds(),
        metadata,
        attributes: Some(fields(found)),
        ..Doc::default()
    })
}
