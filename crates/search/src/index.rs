//! The in-memory index of one user in one embedding space. Everything in it can be made again from the journal.

use crate::analyze::terms;
use crate::sessions::Sessions;
use crate::words::Words;
use crate::{ChunkVector, Doc, DocNo, Entry, Filter, Language, Passing, Vectors};
use holdfast_core::Result;
use std::cmp::Ordering;
use std::collections::{BTreeSet, HashMap};

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

    /// These texts, numbered in their order.
    pub(crate) fn restored(texts: &[&str]) -> Self {
        let mut interner = Self::default();
        for text in texts {
            interner.intern(text);
        }
        interner
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
    pub(crate) fallback: Language,
    /// Messages in each language, in the order of [`Language::ALL`].
    languages: [u32; Language::ALL.len()],
    pub(crate) entries: Vec<Entry>,
    pub(crate) words: Words,
    pub(crate) sessions: Sessions,
    pub(crate) vectors: Vectors,
    pub(crate) speakers: Interner,
    /// Messages of each speaker.
    spoken: Vec<u32>,
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
        let (length, language) = self.count_terms(number, &doc);
        let entry = self.entry(&doc, language);
        self.count_in(&entry);
        let session = entry.session;
        let comes_before = |other: DocNo| {
            self.entries.get(other as usize).is_some_and(|other| by_order(other, &entry).is_lt())
        };
        self.sessions.place(session, length, comes_before);
        self.note(number, &entry);
        self.entries.push(entry);
        Ok(number)
    }

    /// Notes a message that is about to be the last entry and whose vectors are here.
    pub(crate) fn note(&mut self, number: DocNo, entry: &Entry) {
        if !entry.archived() {
            self.visible.insert(number);
        }
        self.pending += u32::from(entry.embeddable && !self.vectors.has(number));
        let newest = self.newest.and_then(|doc| self.entry_of(doc));
        if newest.is_none_or(|newest| by_order(newest, entry).is_lt()) {
            self.newest = Some(number);
        }
    }

    /// Gives a number to no message, so that the next message has the next: see [`insert`](Self::insert).
    pub fn skip(&mut self) -> DocNo {
        self.sessions.skip();
        self.entries.push(Entry::hole());
        self.entries.len() as DocNo - 1
    }

    /// Takes messages out: every answer is as if they had never been there. Their numbers are not given again; removing
    /// what is not there changes nothing.
    pub fn remove(&mut self, docs: &[DocNo]) {
        let (mut gone, mut sessions) = (Passing::default(), BTreeSet::new());
        for doc in docs.iter().copied() {
            let Some(entry) = self.entries.get_mut(doc as usize).filter(|entry| entry.live) else {
                continue;
            };
            let entry = std::mem::replace(entry, Entry::hole());
            gone.insert(doc);
            sessions.insert(entry.session);
            self.count_out(&entry);
            self.pending -= u32::from(entry.embeddable && !self.vectors.has(doc));
            self.vectors.forget(doc);
            self.visible.remove(doc);
        }
        if gone.is_empty() {
            return;
        }
        self.words.remove(&gone);
        sessions.into_iter().for_each(|session| self.sessions.remove(session, &gone));
        if self.newest.is_some_and(|newest| gone.contains(newest)) {
            let live = (0..self.len() as DocNo).zip(&self.entries).filter(|(_, entry)| entry.live);
            self.newest = live.max_by(|(_, a), (_, b)| by_order(a, b)).map(|(doc, _)| doc);
        }
    }

    /// Gives a message its vectors, in place of those that it has; without any, nothing changes.
    ///
    /// # Errors
    /// `invalid` when they do not fit the index's space, `not-found` when there is no such message.
    pub fn set_vectors(&mut self, doc: DocNo, chunks: &[ChunkVector]) -> Result<()> {
        let entry = self.entries.get(doc as usize);
        let entry = entry.filter(|entry| entry.live);
        let entry = entry.ok_or_else(|| holdfast_core::Error::not_found("no such message"))?;
        let was_pending = entry.embeddable && !self.vectors.has(doc);
        self.vectors.set(doc, chunks)?;
        self.pending -= u32::from(was_pending && !chunks.is_empty());
        Ok(())
    }

    /// Numbers given out: messages taken in, those that were removed or skipped included.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Messages that are there.
    pub fn messages(&self) -> usize {
        self.sessions.count()
    }

    /// Nothing was taken in.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// What is kept of a message; none when it is not there.
    pub fn entry_of(&self, doc: DocNo) -> Option<&Entry> {
        self.entries.get(doc as usize).filter(|entry| entry.live)
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

    /// The languages of the texts, as a mask.
    pub(crate) fn languages(&self) -> u32 {
        let held = Language::ALL.iter().zip(&self.languages).filter(|(_, count)| **count > 0);
        held.fold(0, |mask, (language, _)| mask | language.bit())
    }

    /// Names of those who speak.
    pub(crate) fn speaking(&self) -> impl Iterator<Item = &str> {
        let speakers = self.speakers.texts().zip(&self.spoken);
        speakers.filter(|(_, count)| **count > 0).map(|(name, _)| name)
    }

    pub(crate) fn fallback(&self) -> Language {
        self.fallback
    }

    fn count_terms(&mut self, number: DocNo, doc: &Doc) -> (u32, Language) {
        let text = match doc.label() {
            "" => std::borrow::Cow::Borrowed(doc.text.as_str()),
            label => format!("{label}: {}", doc.text).into(),
        };
        let mut length = 0;
        let language = terms(&text, self.fallback, |term| {
            self.words.add(number, term);
            length += 1;
        });
        (length, language)
    }

    pub(crate) fn count_in(&mut self, entry: &Entry) {
        if let Some(count) = self.languages.get_mut(entry.language as usize) {
            *count += 1;
        }
        let Some(speaker) = entry.speaker.map(|speaker| speaker as usize) else { return };
        self.spoken.resize(self.spoken.len().max(speaker + 1), 0);
        if let Some(count) = self.spoken.get_mut(speaker) {
            *count += 1;
        }
    }

    fn count_out(&mut self, entry: &Entry) {
        let spoken = entry.speaker.and_then(|speaker| self.spoken.get_mut(speaker as usize));
        let language = self.languages.get_mut(entry.language as usize);
        spoken.into_iter().chain(language).for_each(|count| *count -= 1);
    }

    fn entry(&mut self, doc: &Doc, language: Language) -> Entry {
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
            attributes: doc.attributes.clone().map(Box::new),
            language,
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
    let json = [&entry.metadata, &entry.attributes].into_iter().flatten();
    let metadata: usize = json.map(|json| json.to_string().len() * 3).sum();
    size_of::<Entry>() + entry.id.len() + entry.order.len() + texts + metadata
}
