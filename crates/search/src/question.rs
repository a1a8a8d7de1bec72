//! What is asked of an index, and what it answers.

use crate::{DocNo, Filter};

/// Which signals rank.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mode {
    /// Words and meaning.
    #[default]
    Hybrid,
    /// Meaning alone.
    Vector,
    /// Words alone.
    Keyword,
}

/// How a question is boosted. Units: z-scores.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Boosts {
    /// For messages of the one participant whom the question names; where a message has no speaker's name, of the role
    /// that "I" or "you" asks about.
    pub speaker: f32,
    /// For messages of a day, month or year that the question names.
    pub date: f32,
    /// For messages of the session that is asked from.
    pub same_session: f32,
    /// Of the answer's places, the last, how many are kept for the best when words do not count.
    pub dense_places: u32,
}

impl Boosts {
    /// The defaults for an answer of `limit` places, three in ten of them (rounded down) kept for meaning.
    pub fn of_limit(limit: usize) -> Self {
        let dense_places = u32::try_from(limit * 3 / 10).unwrap_or(u32::MAX);
        Self { dense_places, ..Self::default() }
    }
}

impl Default for Boosts {
    fn default() -> Self {
        Self { speaker: 3.0, date: 3.0, same_session: 0.3, dense_places: 3 }
    }
}

/// The numbers of the ranking, as measured; changed by measurements only.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Recipe {
    /// BM25: how soon repetition stops counting.
    pub k1: f32,
    /// BM25: how much long texts pay.
    pub b: f32,
    /// BM25 counts a message's neighbours as its own text.
    pub neighbours: bool,
    /// Weight of z(BM25).
    pub words: f32,
    /// Weight of z(cosine).
    pub meaning: f32,
    /// Candidates from each list, at least; never fewer than the answer's places.
    pub candidates: usize,
}

impl Default for Recipe {
    fn default() -> Self {
        Self { k1: 0.9, b: 0.5, neighbours: true, words: 0.75, meaning: 1.0, candidates: 100 }
    }
}

/// A whole question.
#[derive(Debug, Clone, Default)]
pub struct Question {
    /// What is asked, as the user put it.
    pub text: String,
    /// Vector of the text without the participants' names ([`crate::without_names`]), of any length but 0.
    pub vector: Option<Vec<f32>>,
    /// Only this session.
    pub session: Option<String>,
    /// The session that is asked from.
    pub from_session: Option<String>,
    /// Only messages that pass.
    pub filter: Option<Filter>,
    /// Which signals rank.
    pub mode: Mode,
    /// How it is boosted.
    pub boosts: Boosts,
    /// At most so many hits.
    pub limit: usize,
    /// The numbers of the ranking.
    pub recipe: Recipe,
}

/// One number of how a hit got its place.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Stage {
    /// `bm25`, `z_bm25`, `cosine`, `z_cosine`, `speaker`, `date`, `same_session`, `fused`, `dense_place`, `pending`.
    pub name: &'static str,
    /// Its value. `bm25` and `cosine` as they are, the other numbers in z-scores; `dense_place` and `pending` are 1
    /// where they apply. A stage that does not apply is left out.
    pub value: f32,
}

/// One answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Hit {
    /// The message.
    pub doc: DocNo,
    /// How sure it is that this answers, in [0, 1]. Absolute: it does not depend on the other hits, and need not
    /// fall with the rank.
    pub score: f32,
    /// How it got its place.
    pub stages: Vec<Stage>,
}

/// The answer to a question.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Recall {
    /// Best first.
    pub hits: Vec<Hit>,
    /// Messages of the user that have no vector yet.
    pub pending: u32,
    /// Order of the newest message that took part.
    pub indexed_through: String,
}
