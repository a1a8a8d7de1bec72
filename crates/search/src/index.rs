//! The in-memory index of one user in one embedding space. Everything in it can be made again from the journal.

use crate::analyze::terms;
use crate::sessions::Sessions;
use crate::words::Words;
use crate::{ChunkVector, Doc, DocNo, Entry, Filter, Language, Passing, Vectors};
use holdfast_core::Result;
use std::cmp::Ordering;
use std::collections::HashMap;

/// Numbers for texts that repeat.
#[derive(Debug, Default)]
pub(crate) struct Interner {
    numbers: HashMap<Box<str>, u32>,
    texts: Vec<Box<str>>,
}

impl Interner {
    fn intern(&mut self, text: &str) -> u32 {
        if let Some(number) = self.numbers.get(text) {
            return *number;
        }
        let number = self.texts.len() as u32;
        self.numbers.insert(text.into(), number);
        self.texts.push(text.into());
        number
    }

    pub(crate) fn texts(&self) -> impl Iterator<Item = &str> {
        self.texts.iter().map(|text| &**text)
    }

    pub(crate) fn text(&self, number: u32) -> &str {
        self.texts.get(number as usize).map_or("", |text| text)
    }
}

/// What is known of one user's messages. Documents come in any order; answers do not depend on it.
#[derive(Debug, Default)]
pub struct UserIndex {
    fallback: Language,
    languages: u32,
    entries: Vec<Entry>,
    pub(crate) words: Words,
    pub(crate) sessions: Sessions,
    vectors: Vectors,
    pub(crate) speakers: Interner,
    pub(crate) strings: Interner,
    visible: Passing,
    pending: u32,
    newest: Option<DocNo>,
}

impl UserIndex {
    /// An empty index; texts whose language nothing tells are taken to be in `fallback`.
    pub fn new(fallback: Language) -> Self {
        Self { fallback, ..Self::default() }
    }

    /// Takes a message in and gives its number: 0, 1, 2 … in the order of the calls. The journal has decided which
    /// messages there are: two of the same id are two here.
    ///
    /// # Errors
    /// `invalid` when its vectors do not fit the index's space; nothing is taken in then.
    pub fn insert(&mut self, doc: Doc) -> Result<DocNo> {
        let number = self.entries.len() as DocNo;
        self.vectors.set(number, &doc.vectors)?;
        let length = self.count_terms(number, &doc);
        let entry = self.entry(&doc);
        let session = entry.session;
        let comes_before = |other: DocNo| {
            self.entries.get(other as usize).is_some_and(|other| by_order(other, &entry).is_lt())
        };
        self.sessions.place(session, length, comes_before);
        if !entry.archived() {
            self.visible.insert(number);
        }
        self.pending += u32::from(entry.embeddable && doc.vectors.is_empty());
        let newest = self.newest.and_then(|doc| self.entry_of(doc));
        if newest.is_none_or(|newest| by_order(newest, &entry).is_lt()) {
            self.newest = Some(number);
        }
        self.entries.push(entry);
        Ok(number)
    }

    /// Gives a message its vectors, in place of those that it has; without any, nothing changes.
    ///
    /// # Errors
    /// `invalid` when they do not fit the index's space, `not-found` when there is no such message.
    pub fn set_vectors(&mut self, doc: DocNo, chunks: &[ChunkVector]) -> Result<()> {
        let entry = self.entries.get(doc as usize);
        let entry = entry.ok_or_else(|| holdfast_core::Error::not_found("no such message"))?;
        let was_pending = entry.live && entry.embeddable && !self.vectors.has(doc);
        self.vectors.set(doc, chunks)?;
        self.pending -= u32::from(was_pending && !chunks.is_empty());
        Ok(())
    }

    /// Messages taken in.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Nothing was taken in.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// What is kept of a message.
    pub fn entry_of(&self, doc: DocNo) -> Option<&Entry> {
        self.entries.get(doc as usize)
    }

    /// Name of a session by its number.
    pub fn session_name(&self, session: u32) -> &str {
        self.sessions.name(session)
    }

    /// The messages of a session in journal order; empty when there is no such session.
    pub fn session(&self, name: &str) -> &[DocNo] {
        self.sessions.number(name).map_or(&[], |number| self.sessions.docs(number))
    }

    /// The vectors, for what is derived from them.
    pub fn vectors(&self) -> &Vectors {
        &self.vectors
    }

    /// Messages with text and without vectors: they take part by words.
    pub fn pending(&self) -> u32 {
        self.pending
    }

    /// The messages with text and without vectors, by number.
    pub fn pending_docs(&self) -> impl Iterator<Item = DocNo> + '_ {
        let docs = self.entries.iter().zip(0..);
        docs.filter(|(entry, doc)| entry.live && entry.embeddable && !self.vectors.has(*doc))
            .map(|(_, doc)| doc)
    }

    /// Order of the newest message; empty when there is none.
    pub fn indexed_through(&self) -> &str {
        self.newest.and_then(|doc| self.entry_of(doc)).map_or("", |entry| &entry.order)
    }

    /// The messages that may be in an answer: live, of `session` if given, passing `filter` if given, and not
    /// archived unless the filter speaks of `metadata.archived`.
    pub fn passing(&self, session: Option<&str>, filter: Option<&Filter>) -> Passing {
        let base = match filter.filter(|filter| filter.mentions_archived()) {
            Some(_) => None,
            None => Some(&self.visible),
        };
        if let (None, None, Some(visible)) = (session, filter, base) {
            return visible.clone();
        }
        let passes = |doc: &DocNo| {
            base.is_none_or(|visible| visible.contains(*doc))
                && self.entry_of(*doc).is_some_and(|entry| {
                    entry.live && filter.is_none_or(|filter| filter.passes(self, entry))
                })
        };
        match session {
            Some(session) => self.session(session).iter().copied().filter(passes).collect(),
            None => (0..self.len() as DocNo).filter(passes).collect(),
        }
    }

    /// Journal order of two messages.
    pub fn compare(&self, a: DocNo, b: DocNo) -> Ordering {
        match (self.entry_of(a), self.entry_of(b)) {
            (Some(x), Some(y)) => by_order(x, y).then(a.cmp(&b)),
            _ => a.cmp(&b),
        }
    }

    /// Bytes held, about.
    pub fn bytes(&self) -> usize {
        let entries: usize = self.entries.iter().map(entry_bytes).sum();
        let around = self.len() * 28;
        entries + around + self.words.bytes() + self.vectors.bytes()
    }

    pub(crate) fn languages(&self) -> u32 {
        self.languages
    }

    pub(crate) fn fallback(&self) -> Language {
        self.fallback
    }

    fn count_terms(&mut self, number: DocNo, doc: &Doc) -> u32 {
        let text = match doc.label() {
            "" => std::borrow::Cow::Borrowed(doc.text.as_str()),
            label => format!("{label}: {}", doc.text).into(),
        };
        let mut length = 0;
        let language = terms(&text, self.fallback, |term| {
            self.words.add(number, term);
            length += 1;
        });
        self.languages |= language.bit();
        length
    }

    fn entry(&mut self, doc: &Doc) -> Entry {
        let speaker =
            doc.speaker.as_deref().or(doc.name.as_deref()).filter(|name| !name.is_empty());
        Entry {
            id: doc.id.as_str().into(),
            order: doc.order.as_str().into(),
            session: self.sessions.intern(&doc.session),
            role: self.strings.intern(&doc.role),
            speaker: speaker.map(|name| self.speakers.intern(name)),
            name: doc.name.as_deref().map(|name| self.strings.intern(name)),
            event_time: doc.event_time,
            stored_at: doc.stored_at,
            parent_id: doc.parent_id.as_deref().map(Into::into),
            tool_call_id: doc.tool_call_id.as_deref().map(Into::into),
            metadata: doc.metadata.clone().map(Box::new),
            live: true,
            embeddable: !doc.text.trim().is_empty(),
        }
    }
}

fn by_order(a: &Entry, b: &Entry) -> Ordering {
    a.order.cmp(&b.order).then_with(|| a.id.cmp(&b.id))
}

fn entry_bytes(entry: &Entry) -> usize {
    let texts = [entry.parent_id.as_deref(), entry.tool_call_id.as_deref()];
    let texts: usize = texts.into_iter().flatten().map(str::len).sum();
    let metadata = entry.metadata.as_ref().map_or(0, |metadata| metadata.to_string().len() * 3);
    size_of::<Entry>() + entry.id.len() + entry.order.len() + texts + metadata
}
