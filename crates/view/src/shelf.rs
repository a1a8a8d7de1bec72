//! The search side of one user: follows the journal's view, message by message, numbered alike.

use crate::doc::{Space, compare, doc};
use holdfast_core::fold::{Applied, Number, View};
use holdfast_core::message::Message;
use holdfast_core::{Hlc, Result};
use holdfast_search::{
    ChunkVector, Doc, Language, Nearest, Question, Recall, Scratch, UserIndex, search,
};
use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

/// The index of one user, and what is needed to keep it right.
///
/// A new message is one more document, a deleted one is taken out, and a number that the view shows no message for is
/// skipped. What changes a document that is there already (its order goes down, its id is taken by an earlier one) makes
/// the whole index anew from the view before the next search: that is rare, and right.
pub struct Shelf<N> {
    pub(crate) index: UserIndex,
    near: N,
    outdated: bool,
    /// First message that came with an id, by a hash of session and id.
    ids: HashMap<u64, Number>,
    /// The others, where an id was taken more than once.
    twins: HashMap<u64, Vec<Number>>,
    /// Vectors by the copy that brought them, of messages with several that a delete may part.
    pub(crate) sources: HashMap<Number, Vec<(Hlc, Vec<ChunkVector>)>>,
    /// Numbers when the bytes were counted, and the bytes.
    counted: (usize, usize),
}

impl<N: Nearest> Shelf<N> {
    /// Nothing yet; `near` finds the nearest vectors.
    pub fn new(near: N) -> Self {
        Self {
            index: UserIndex::new(Language::default()),
            near,
            outdated: false,
            ids: HashMap::new(),
            twins: HashMap::new(),
            sources: HashMap::new(),
            counted: (0, 0),
        }
    }

    /// Nothing again.
    pub fn anew(&self) -> Self {
        Self::new(self.near.anew())
    }

    /// The index and the sources of vectors that were saved of this view, in place of what is here.
    pub(crate) fn restore(
        &mut self,
        view: &View,
        index: UserIndex,
        sources: HashMap<Number, Vec<(Hlc, Vec<ChunkVector>)>>,
    ) {
        *self = Self { index, sources, ..self.anew() };
        for (number, session, id) in view.shown_ids() {
            self.note_id(view, number, hash(session, id));
        }
    }

    /// Takes in what an object changed.
    ///
    /// # Errors
    /// `corrupt` when a message cannot be read again.
    pub fn follow(&mut self, view: &View, applied: Vec<Applied>, space: &Space) -> Result<()> {
        for change in applied {
            match change {
                Applied::Message { number, body } => {
                    self.catch_up(view, number)?;
                    self.insert(view, number, body.message, space.chunks(body.vectors))?;
                }
                Applied::Again { number, moved, source, vectors } => {
                    self.catch_up(view, number + 1)?;
                    self.outdated |= moved;
                    // Another record of the same object may delete it.
                    if view.found(number).is_some() {
                        self.again(view, number, source, space.chunks(vectors))?;
                    }
                }
                Applied::Hidden { numbers, moved } => self.hide(view, &numbers, moved)?,
                Applied::Session | Applied::Thing | Applied::Unknown => {}
            }
        }
        Ok(())
    }

    /// Takes in messages below `number` that the view has and this has not: those of an object that could be read only
    /// in part. Their vectors come when the object is read again.
    fn catch_up(&mut self, view: &View, number: Number) -> Result<()> {
        for missed in self.index.len() as Number..number {
            match view.found(missed) {
                Some(found) => self.insert(view, missed, decode(&found.entry.text)?, Vec::new())?,
                None => {
                    self.index.skip();
                }
            }
        }
        Ok(())
    }

    /// Takes deleted messages out.
    fn hide(&mut self, view: &View, numbers: &[Number], moved: bool) -> Result<()> {
        let Some(last) = numbers.iter().max() else {
            self.outdated |= moved;
            return Ok(());
        };
        self.catch_up(view, last + 1)?;
        self.index.remove(numbers);
        numbers.iter().for_each(|number| drop(self.sources.remove(number)));
        self.outdated |= moved;
        self.counted = (0, 0);
        Ok(())
    }

    fn insert(
        &mut self,
        view: &View,
        number: Number,
        message: Message,
        vectors: Vec<ChunkVector>,
    ) -> Result<()> {
        let at = match view.found(number) {
            Some(found) => {
                let hash = hash(&found.entry.session, &found.entry.id);
                let twin = self.note_id(view, number, hash);
                // A newcomer that takes an id from another changes the other's id.
                self.outdated |= twin && found.conflict_of.is_none();
                take_in(&mut self.index, doc(&found, message, vectors))?
            }
            // Another record of the same object deletes it.
            None => self.index.skip(),
        };
        debug_assert_eq!(at, number, "numbers are the view's");
        Ok(())
    }

    /// Notes under which id a message is to be found: has another the same? One that was deleted has none to be taken.
    fn note_id(&mut self, view: &View, number: Number, hash: u64) -> bool {
        let first = self.ids.entry(hash).or_insert(number);
        if !view.is_shown(*first) {
            *first = number;
        }
        let twin = *first != number;
        if twin {
            self.twins.entry(hash).or_default().push(number);
        }
        twin
    }

    /// A copy of a message that is there may bring vectors: of all that its copies bring, the lowest stand.
    fn again(
        &mut self,
        view: &View,
        number: Number,
        source: Hlc,
        chunks: Vec<ChunkVector>,
    ) -> Result<()> {
        let held = self.held(number);
        self.note_source(view, number, source, &chunks);
        if chunks.is_empty() || (!held.is_empty() && compare(&held, &chunks).is_le()) {
            return Ok(());
        }
        match self.index.set_vectors(number, &chunks) {
            Err(error) if error.case != holdfast_core::Case::Invalid => Err(error),
            _ => Ok(()),
        }
    }

    /// Remembers who brought which vectors, once copies have different fates.
    fn note_source(&mut self, view: &View, number: Number, source: Hlc, chunks: &[ChunkVector]) {
        if !self.sources.contains_key(&number) {
            let mut others = view.sources(number).into_iter().filter(|other| *other != source);
            let Some(first) = others.next() else { return };
            self.sources.insert(number, vec![(first, self.held(number))]);
        }
        let Some(all) = self.sources.get_mut(&number) else { return };
        match all.iter_mut().find(|(known, _)| *known == source) {
            Some((_, held))
                if chunks.is_empty() || compare(held, chunks).is_le() && !held.is_empty() => {}
            Some((_, held)) => *held = chunks.to_vec(),
            None => all.push((source, chunks.to_vec())),
        }
    }

    /// The vectors that a message has by the copies that deletes left.
    fn vectors(&self, view: &View, number: Number) -> Vec<ChunkVector> {
        let Some(all) = self.sources.get(&number) else { return self.held(number) };
        let left = view.sources(number);
        let left = all.iter().filter(|(source, held)| left.contains(source) && !held.is_empty());
        let left = left.map(|(_, held)| held).min_by(|a, b| compare(a, b));
        left.cloned().unwrap_or_default()
    }

    /// The vectors that a message has.
    fn held(&self, number: Number) -> Vec<ChunkVector> {
        let vectors = self.index.vectors();
        let Some(span) = vectors.span(number) else { return Vec::new() };
        let rows = (span.start..span.start + span.len).filter_map(|row| vectors.row(row));
        rows.map(|row| ChunkVector { start: 0, end: 0, values: row.to_vec() }).collect()
    }

    /// Makes the index anew when a document in it is no longer what the view says.
    pub(crate) fn settle(&mut self, view: &View) -> Result<()> {
        self.catch_up(view, view.numbers())?;
        if self.outdated {
            let mut index = UserIndex::new(Language::default());
            for number in 0..view.numbers() {
                let Some(found) = view.found(number) else {
                    index.skip();
                    continue;
                };
                let message = decode(&found.entry.text)?;
                take_in(&mut index, doc(&found, message, self.vectors(view, number)))?;
            }
            self.index = index;
            self.near = self.near.anew();
            self.outdated = false;
        }
        Ok(())
    }

    /// Answers a question. Documents are numbered as the view's messages.
    ///
    /// # Errors
    /// As [`search`].
    pub fn search(
        &mut self,
        view: &View,
        question: &Question,
        scratch: &mut Scratch,
    ) -> Result<Recall> {
        self.settle(view)?;
        // Coding vectors takes time, and words need none.
        if question.vector.is_some() {
            self.near.follow(self.index.vectors());
        }
        search(&self.index, &*self.near.on(self.index.vectors()), question, scratch)
    }

    /// Names of those who speak.
    ///
    /// # Errors
    /// `corrupt` when a message cannot be read again.
    pub fn participants(&mut self, view: &View) -> Result<Vec<String>> {
        self.settle(view)?;
        Ok(holdfast_search::participants(&self.index))
    }

    /// All messages that were stored with this id, by their numbers.
    pub fn with_id(&self, view: &View, session: &str, id: &str) -> Vec<Number> {
        let hash = hash(session, id);
        let twins = self.twins.get(&hash).into_iter().flatten();
        let same = |number: &&Number| {
            let found = view.found(**number);
            found.is_some_and(|f| &*f.entry.session == session && &*f.entry.id == id)
        };
        self.ids.get(&hash).into_iter().chain(twins).filter(same).copied().collect()
    }

    /// Messages without vectors, in the order of arrival.
    pub fn pending(&self) -> impl Iterator<Item = Number> + '_ {
        self.index.pending_docs()
    }

    /// How many they are.
    pub fn pending_count(&self) -> u32 {
        self.index.pending()
    }

    /// No message is there.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Messages that are there.
    pub fn len(&self) -> usize {
        self.index.messages()
    }

    /// Bytes held, the view's texts included, about; a third more than what is asked of the allocator, as measured
    /// (`examples/index-bench.rs`). Counted anew when a tenth more messages are there, or fewer.
    pub fn bytes(&mut self, view: &View) -> usize {
        let (len, (counted, bytes)) = (self.index.len(), self.counted);
        if len > counted + counted / 10 || bytes == 0 {
            self.counted = (len, self.index.bytes() + self.near.bytes() + self.ids.capacity() * 17);
        }
        let texts = view.text_bytes() + len * VIEW_BYTES;
        (self.counted.1 + texts) / 3 * 4
    }
}

/// What the view holds of a message beside its texts, about.
const VIEW_BYTES: usize = 360;

/// A message whose vectors do not fit the others of its space takes part by words.
fn take_in(index: &mut UserIndex, mut doc: Doc) -> Result<Number> {
    if !doc.vectors.is_empty() {
        let spare = Doc { vectors: std::mem::take(&mut doc.vectors), ..doc.clone() };
        match index.insert(spare) {
            Err(error) if error.case == holdfast_core::Case::Invalid => {}
            inserted => return inserted,
        }
    }
    index.insert(doc)
}

fn decode(text: &str) -> Result<Message> {
    serde_json::from_str(text)
        .map_err(|e| holdfast_core::Error::corrupt("a message cannot be read again").caused_by(e))
}

fn hash(session: &str, id: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    (session, id).hash(&mut hasher);
    hasher.finish()
}
