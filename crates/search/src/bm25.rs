//! BM25 over each message together with its neighbours, summed at question time from counts per message.

use crate::question::Recipe;
use crate::sessions::NONE;
use crate::words::Posting;
use crate::{DocNo, UserIndex};

/// Of messages with equal windows the one that holds the word itself comes first: this share of what the word can add.
const OWN: f32 = 0.001;

/// Buffers that a question fills and the next one uses again.
#[derive(Debug, Default)]
pub(crate) struct Scores {
    counts: Vec<u32>,
    counted: Vec<DocNo>,
    scores: Vec<f32>,
    scored: Vec<DocNo>,
    /// The most that a message could score for the last question.
    pub(crate) ceiling: f32,
}

impl Scores {
    /// Scores every message that holds a term of `question`, or stands next to one that does. Each element of
    /// `question` is one word as the set of its stems.
    pub(crate) fn score(&mut self, index: &UserIndex, question: &[Vec<String>], recipe: &Recipe) {
        for doc in self.scored.drain(..) {
            if let Some(score) = self.scores.get_mut(doc as usize) {
                *score = 0.0;
            }
        }
        self.counts.resize(index.len(), 0);
        self.scores.resize(index.len(), 0.0);
        self.ceiling = 0.0;
        for stems in question {
            for stem in stems {
                self.count(index, index.words.postings(stem), recipe);
            }
            let peak = self.add_word(index, recipe);
            for posting in stems.iter().flat_map(|stem| index.words.postings(stem)) {
                if let Some(score) = self.scores.get_mut(posting.doc as usize) {
                    *score += OWN * peak;
                }
            }
        }
    }

    /// BM25 of a message; 0 when no word of the question is near it.
    pub(crate) fn of(&self, doc: DocNo) -> f32 {
        self.scores.get(doc as usize).copied().unwrap_or(0.0)
    }

    /// The messages that score above 0.
    pub(crate) fn scored(&self) -> &[DocNo] {
        &self.scored
    }

    fn count(&mut self, index: &UserIndex, postings: &[Posting], recipe: &Recipe) {
        let neighbours = index.sessions.neighbours();
        for posting in postings {
            self.count_one(posting.doc, posting.count);
            let around = neighbours.get(posting.doc as usize).filter(|_| recipe.neighbours);
            for near in around.into_iter().flatten().filter(|near| **near != NONE) {
                self.count_one(*near, posting.count);
            }
        }
    }

    #[inline]
    fn count_one(&mut self, doc: DocNo, times: u16) {
        if let Some(count) = self.counts.get_mut(doc as usize) {
            if *count == 0 {
                self.counted.push(doc);
            }
            *count += u32::from(times);
        }
    }

    /// Scores what was counted as one word: the most that it could add.
    fn add_word(&mut self, index: &UserIndex, recipe: &Recipe) -> f32 {
        let (lengths, total) = if recipe.neighbours {
            (index.sessions.window_lengths(), index.sessions.total())
        } else {
            let own = index.sessions.own_lengths();
            (own, own.iter().map(|length| u64::from(*length)).sum())
        };
        let all = index.sessions.count() as f64;
        let with = self.counted.len() as f64;
        let rarity = (1.0 + (all - with + 0.5) / (with + 0.5)).ln() as f32;
        let peak = rarity * (recipe.k1 + 1.0);
        self.ceiling += peak;
        let per_term = recipe.k1 * recipe.b / (total as f64 / all).max(1.0) as f32;
        let flat = recipe.k1 * (1.0 - recipe.b);
        for doc in self.counted.drain(..) {
            let at = doc as usize;
            let (Some(count), Some(score)) = (self.counts.get_mut(at), self.scores.get_mut(at))
            else {
                continue;
            };
            let times = *count as f32;
            *count = 0;
            let length = lengths.get(at).copied().unwrap_or(0) as f32;
            if *score == 0.0 {
                self.scored.push(doc);
            }
            *score += peak * times / (times + flat + per_term * length);
        }
        peak
    }
}
