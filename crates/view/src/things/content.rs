//! Messages by the SHA-256 of their text: made when it is first asked for, and kept up with the view.

use holdfast_core::fold::{Number, View};
use holdfast_core::memory::content_hash;
use holdfast_core::message::Message;
use std::collections::HashMap;

/// Hashes of the messages below `seen`, by their first 16 digits.
#[derive(Debug, Default)]
pub(crate) struct Contents {
    seen: Number,
    by_hash: HashMap<u64, Vec<Number>>,
}

impl Contents {
    /// Messages whose text has this hash, by their numbers. What was deleted is not shown.
    pub(crate) fn find(&mut self, view: &View, hash: &str) -> Vec<Number> {
        for number in self.seen..view.numbers() {
            if let Some(short) = hash_of(view, number).as_deref().and_then(short) {
                self.by_hash.entry(short).or_default().push(number);
            }
        }
        self.seen = view.numbers();
        let found = short(hash).and_then(|short| self.by_hash.get(&short));
        let same = |number: &&Number| hash_of(view, **number).as_deref() == Some(hash);
        found.into_iter().flatten().filter(same).copied().collect()
    }

    /// Bytes held, about.
    pub(crate) fn bytes(&self) -> usize {
        self.by_hash.len() * 56
    }
}

fn short(hash: &str) -> Option<u64> {
    u64::from_str_radix(hash.get(..16)?, 16).ok()
}

fn hash_of(view: &View, number: Number) -> Option<String> {
    let found = view.found(number)?;
    let message: Message = serde_json::from_str(&found.entry.text).ok()?;
    Some(content_hash(&message.text()))
}
