//! The set of messages that may be in an answer: decided before anything is ranked.

use crate::DocNo;

/// A set of messages of one index.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Passing {
    bits: Vec<u64>,
    count: usize,
}

impl Passing {
    /// Is the message in the set?
    #[inline]
    pub fn contains(&self, doc: DocNo) -> bool {
        self.bits.get(doc as usize / 64).is_some_and(|word| word >> (doc % 64) & 1 == 1)
    }

    /// Messages in the set.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Nothing passes.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Adds a message; adding it twice changes nothing.
    pub fn insert(&mut self, doc: DocNo) {
        let at = doc as usize / 64;
        if at >= self.bits.len() {
            self.bits.resize(at + 1, 0);
        }
        if let Some(word) = self.bits.get_mut(at) {
            self.count += usize::from(*word >> (doc % 64) & 1 == 0);
            *word |= 1 << (doc % 64);
        }
    }

    /// Takes a message out; one that is not there changes nothing.
    pub fn remove(&mut self, doc: DocNo) {
        if let Some(word) = self.bits.get_mut(doc as usize / 64) {
            self.count -= usize::from(*word >> (doc % 64) & 1 == 1);
            *word &= !(1 << (doc % 64));
        }
    }

    /// The messages in the set, by number.
    pub fn iter(&self) -> impl Iterator<Item = DocNo> + '_ {
        self.bits.iter().enumerate().flat_map(|(at, &word)| {
            (0..64).filter(move |bit| word >> bit & 1 == 1).map(move |bit| at as DocNo * 64 + bit)
        })
    }
}

impl FromIterator<DocNo> for Passing {
    fn from_iter<I: IntoIterator<Item = DocNo>>(docs: I) -> Self {
        let mut set = Self::default();
        docs.into_iter().for_each(|doc| set.insert(doc));
        set
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_holds_what_was_put_in_once() {
        let set: Passing = [3, 64, 200, 64].into_iter().collect();
        assert_eq!(set.len(), 3);
        assert_eq!(set.iter().collect::<Vec<_>>(), [3, 64, 200]);
        assert!(!set.contains(65) && !set.contains(100_000));
        let mut set = set;
        for doc in [64, 64, 65, 100_000] {
            set.remove(doc);
        }
        assert_eq!((set.len(), set.iter().collect::<Vec<_>>()), (2, vec![3, 200]));
    }
}
