//! Answers a question: candidates by words and by meaning, one fused order, places kept for meaning alone.

use crate::analyze::{normalize, question_terms};
use crate::bm25::Scores;
use crate::calibrate::{self, Signals};
use crate::question::{Hit, Mode, Question, Recall, Stage};
use crate::roles::asked_role;
use crate::{Dense, DocNo, Passing, UserIndex, dates, named_participant, participants};
use holdfast_core::{Case, Error, Result};
use std::cmp::Ordering;

/// Buffers of a thread that answers questions; any index may use them next.
#[derive(Debug, Default)]
pub struct Scratch {
    scores: Scores,
}

/// A message that may be in the answer.
#[derive(Debug, Clone, Copy, Default)]
struct Candidate {
    doc: DocNo,
    bm25: f32,
    cosine: Option<f32>,
    z_bm25: f32,
    z_cosine: f32,
    speaker: f32,
    date: f32,
    same_session: f32,
    without_words: f32,
    fused: f32,
    dense_place: bool,
    pending: bool,
    named: bool,
    dated: bool,
}

/// Answers `question` from `index`. The same messages give the same answer, to the bit, in whatever order they were
/// taken in and whatever finds the nearest vectors. Nothing to be found is an empty answer.
///
/// # Errors
/// `unavailable` in mode `vector` without a vector; `invalid` for a vector of other dimensions or without a direction.
pub fn search(
    index: &UserIndex,
    dense: &dyn Dense,
    question: &Question,
    scratch: &mut Scratch,
) -> Result<Recall> {
    let vector = unit_vector(index, question)?;
    let passing = index.passing(question.session.as_deref(), question.filter.as_ref());
    let mut candidates = candidates(index, dense, question, vector.as_deref(), &passing, scratch);
    standardize(&mut candidates, |c| Some(c.bm25), |c, z| c.z_bm25 = z);
    standardize(&mut candidates, |c| c.cosine, |c, z| c.z_cosine = z);
    boost(index, question, &mut candidates);
    let chosen = choose(index, question, candidates);
    let ceiling = scratch.scores.ceiling;
    Ok(Recall {
        hits: chosen.iter().map(|candidate| candidate.hit(ceiling)).collect(),
        pending: index.pending(),
        indexed_through: index.indexed_through().to_owned(),
    })
}

/// The question's vector at length 1; `None` where words alone rank.
fn unit_vector(index: &UserIndex, question: &Question) -> Result<Option<Vec<f32>>> {
    let Some(vector) = question.vector.as_ref().filter(|_| question.mode != Mode::Keyword) else {
        return match question.mode {
            Mode::Vector => Err(Error::because(
                Case::Unavailable,
                "model_unavailable",
                "the question has no vector, and mode vector needs one",
            )),
            _ => Ok(None),
        };
    };
    let dimensions = index.vectors().dimensions();
    if dimensions != 0 && vector.len() != dimensions {
        let detail = format!("the vector has {} components, the index {dimensions}", vector.len());
        return Err(Error::unprocessable("vector", detail));
    }
    let length = crate::vectors::dot(vector, vector).sqrt();
    if !length.is_finite() || length <= 0.0 {
        return Err(Error::unprocessable("vector", "the vector must be finite and not zero"));
    }
    Ok(Some(vector.iter().map(|value| value / length).collect()))
}

/// The best of each list with both scores, in journal order: sums over them are then the same every time.
fn candidates(
    index: &UserIndex,
    dense: &dyn Dense,
    question: &Question,
    vector: Option<&[f32]>,
    passing: &Passing,
    scratch: &mut Scratch,
) -> Vec<Candidate> {
    let count = question.recipe.candidates.max(question.limit);
    let mut docs: Vec<DocNo> = Vec::new();
    if question.mode == Mode::Vector {
        scratch.scores.score(index, &[], &question.recipe);
    } else {
        let terms = question_terms(&question.text, index.fallback(), index.languages());
        scratch.scores.score(index, &terms, &question.recipe);
        docs.extend(best_by_words(index, &scratch.scores, passing, count));
    }
    if let Some(vector) = vector {
        let mut near = dense.top(vector, count, passing);
        keep_best(&mut near, count, |a, b| {
            b.1.total_cmp(&a.1).then_with(|| index.compare(a.0, b.0))
        });
        docs.extend(near.into_iter().map(|(doc, _)| doc));
    }
    docs.sort_unstable();
    docs.dedup();
    docs.sort_by(|a, b| index.compare(*a, *b));
    let cosine = |doc| vector.and_then(|vector| dense.cosine(vector, doc));
    docs.iter().map(|doc| Candidate::new(*doc, scratch.scores.of(*doc), cosine(*doc))).collect()
}

fn best_by_words(
    index: &UserIndex,
    scores: &Scores,
    passing: &Passing,
    count: usize,
) -> Vec<DocNo> {
    let by_score = |a: &DocNo, b: &DocNo| {
        scores.of(*b).total_cmp(&scores.of(*a)).then_with(|| index.compare(*a, *b))
    };
    let mut held: Vec<DocNo> = Vec::with_capacity(2 * count);
    let mut least = 0.0;
    for doc in scores.scored().iter().copied().filter(|doc| passing.contains(*doc)) {
        if scores.of(doc) < least {
            continue;
        }
        held.push(doc);
        if held.len() >= 2 * count {
            keep_best(&mut held, count, by_score);
            least = held.iter().map(|doc| scores.of(*doc)).fold(f32::INFINITY, f32::min);
        }
    }
    keep_best(&mut held, count, by_score);
    held
}

/// Leaves the first `count` in the order of `compare`, in any order.
fn keep_best<T>(all: &mut Vec<T>, count: usize, mut compare: impl FnMut(&T, &T) -> Ordering) {
    if all.len() > count && count > 0 {
        all.select_nth_unstable_by(count - 1, &mut compare);
    }
    all.truncate(count);
}

/// Sets the z-score of what `of` gives, over the candidates that have it; 0, the mean, for the others.
fn standardize(
    candidates: &mut [Candidate],
    of: impl Fn(&Candidate) -> Option<f32>,
    set: impl Fn(&mut Candidate, f32),
) {
    let values: Vec<f64> = candidates.iter().filter_map(&of).map(f64::from).collect();
    let count = values.len().max(1) as f64;
    let mean = values.iter().sum::<f64>() / count;
    let variance = values.iter().map(|value| (value - mean) * (value - mean)).sum::<f64>() / count;
    let deviation = variance.sqrt();
    for candidate in candidates {
        let z = of(candidate).map_or(0.0, |value| (f64::from(value) - mean) / deviation);
        set(candidate, if deviation > 1e-9 { z as f32 } else { 0.0 });
    }
}

fn boost(index: &UserIndex, question: &Question, candidates: &mut [Candidate]) {
    let people = participants(index);
    let named = named_participant(&question.text, &people).map(normalize);
    let role = asked_role(&question.text).filter(|_| named.is_none());
    let spans = dates(&question.text);
    for candidate in candidates {
        let Some(entry) = index.entry_of(candidate.doc) else { continue };
        let speaker = entry.speaker.map(|speaker| index.speakers.text(speaker));
        let at = entry.event_time.unwrap_or(entry.stored_at);
        let session = index.session_name(entry.session);
        candidate.pending = entry.embeddable && !index.vectors().has(candidate.doc);
        candidate.named = match speaker {
            Some(speaker) => named.as_ref().is_some_and(|named| normalize(speaker) == *named),
            None => role == Some(index.strings.text(entry.role)),
        };
        candidate.dated = spans.iter().any(|span| span.holds(at));
        candidate.fuse(question, question.from_session.as_deref() == Some(session));
    }
}

impl Candidate {
    fn new(doc: DocNo, bm25: f32, cosine: Option<f32>) -> Self {
        Self { doc, bm25, cosine, ..Self::default() }
    }

    fn fuse(&mut self, question: &Question, same_session: bool) {
        let boosts = &question.boosts;
        let on = |boost: f32, on: bool| if on { boost } else { 0.0 };
        self.speaker = on(boosts.speaker, self.named);
        self.date = on(boosts.date, self.dated);
        self.same_session = on(boosts.same_session, same_session);
        let (words, meaning) = (question.recipe.words, question.recipe.meaning);
        self.without_words = meaning * self.z_cosine + self.speaker + self.date + self.same_session;
        self.fused = words * self.z_bm25 + self.without_words;
    }

    fn hit(&self, ceiling: f32) -> Hit {
        let signals = Signals {
            cosine: self.cosine,
            coverage: (ceiling > 0.0).then(|| self.bm25 / ceiling),
            speaker: self.named,
            date: self.dated,
        };
        Hit { doc: self.doc, score: calibrate::score(&signals), stages: self.stages() }
    }

    fn stages(&self) -> Vec<Stage> {
        let some = |value: f32| (value != 0.0).then_some(value);
        let z_cosine = self.cosine.map(|_| self.z_cosine);
        let all = [
            ("bm25", Some(self.bm25)),
            ("z_bm25", Some(self.z_bm25)),
            ("cosine", self.cosine),
            ("z_cosine", z_cosine),
            ("speaker", some(self.speaker)),
            ("date", some(self.date)),
            ("same_session", some(self.same_session)),
            ("fused", Some(self.fused)),
            ("dense_place", self.dense_place.then_some(1.0)),
            ("pending", self.pending.then_some(1.0)),
        ];
        let stages = all.into_iter();
        stages.filter_map(|(name, value)| value.map(|value| Stage { name, value })).collect()
    }
}

/// The best by fused score, and in the kept places the best of the rest with words left out of the sum: boosts count
/// there too, which finds more than cosine alone (`tests/recall`: .825 against .818 at 10).
fn choose(index: &UserIndex, question: &Question, mut all: Vec<Candidate>) -> Vec<Candidate> {
    let by_order = |a: &Candidate, b: &Candidate| index.compare(a.doc, b.doc);
    all.sort_by(|a, b| b.fused.total_cmp(&a.fused).then_with(|| by_order(a, b)));
    let hybrid = question.mode == Mode::Hybrid && question.limit > 1;
    let kept = if hybrid { question.boosts.dense_places as usize } else { 0 };
    let first = question.limit.saturating_sub(kept.min(question.limit));
    let mut rest = all.split_off(first.min(all.len()));
    let mut near: Vec<Candidate> = rest.iter().filter(|c| c.cosine.is_some()).copied().collect();
    near.sort_by(|a, b| b.without_words.total_cmp(&a.without_words).then_with(|| by_order(a, b)));
    near.truncate(kept.min(question.limit - first.min(question.limit)));
    rest.retain(|candidate| near.iter().all(|near| near.doc != candidate.doc));
    all.extend(near.iter().map(|near| Candidate { dense_place: true, ..*near }));
    all.extend(rest);
    all.truncate(question.limit);
    all
}
