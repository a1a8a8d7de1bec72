//! Term counts per message, by term.

use crate::{DocNo, Passing};
use foldhash::fast::FixedState;
use std::collections::HashMap;

/// How often a message holds a term.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Posting {
    pub(crate) doc: DocNo,
    pub(crate) count: u16,
}

/// All terms of an index.
#[derive(Debug, Default)]
pub(crate) struct Words {
    numbers: HashMap<Box<str>, u32, FixedState>,
    postings: Vec<Vec<Posting>>,
}

impl Words {
    /// Adds one occurrence of a term in the newest message.
    pub(crate) fn add(&mut self, doc: DocNo, term: &str) {
        let number = match self.numbers.get(term) {
            Some(number) => *number,
            None => {
                let number = self.postings.len() as u32;
                self.numbers.insert(term.into(), number);
                self.postings.push(Vec::new());
                number
            }
        };
        if let Some(postings) = self.postings.get_mut(number as usize) {
            match postings.last_mut().filter(|posting| posting.doc == doc) {
                Some(posting) => posting.count = posting.count.saturating_add(1),
                None => postings.push(Posting { doc, count: 1 }),
            }
        }
    }

    /// Takes all occurrences in these messages out.
    pub(crate) fn remove(&mut self, docs: &Passing) {
        for postings in &mut self.postings {
            postings.retain(|posting| !docs.contains(posting.doc));
        }
    }

    /// All terms, each with where it occurs.
    pub(crate) fn terms(&self) -> impl Iterator<Item = (&str, &[Posting])> {
        let all = self.numbers.iter();
        all.filter_map(|(term, number)| Some((&**term, &**self.postings.get(*number as usize)?)))
    }

    /// These terms.
    pub(crate) fn of<'t>(terms: impl Iterator<Item = (&'t str, Vec<Posting>)>) -> Self {
        let mut words = Self::default();
        for (term, postings) in terms {
            words.numbers.insert(term.into(), words.postings.len() as u32);
            words.postings.push(postings);
        }
        words
    }

    /// Where a term occurs.
    pub(crate) fn postings(&self, term: &str) -> &[Posting] {
        let number = self.numbers.get(term).copied();
        number.and_then(|number| self.postings.get(number as usize)).map_or(&[], Vec::as_slice)
    }

    /// Bytes held, about.
    pub(crate) fn bytes(&self) -> usize {
        let postings: usize = self.postings.iter().map(|list| list.capacity() * 8 + 24).sum();
        let terms: usize = self.numbers.keys().map(|term| term.len() + 40).sum();
        postings + terms
    }
}
