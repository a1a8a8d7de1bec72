//! From the signals of one message to how sure it is that it answers: a number in [0, 1] that a threshold can cut.
//!
//! Logistic regression on the first ten hits of each of the 857 questions of `tests/recall` (evidence or not), with
//! signals that do not depend on the other candidates, so that a score means the same for every question. Left-out
//! archives keep the calibration up to .6: of the hits scored .2–.3, 30 % are evidence, of .5–.6, 56 %; above, the score
//! promises too much. How well the best score of an answer tells answerable from unanswerable questions: AUC .68
//! (.76 where question and evidence share a stem; unanswerable ones there ask for what the archive talks about and
//! never says). A threshold of .1 keeps 77 % of the answerable and refuses 52 % of the others; .2: 54 and 70; .3: 35 and 84. Fitted
//! for `minilm-l6-v2`: another model has other cosines. The table comes from the ignored test of `tests/recall`.

/// The absolute signals of a message: none of them depends on which other messages are candidates.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Signals {
    /// Cosine of question and best chunk; none when either has no vector.
    pub(crate) cosine: Option<f32>,
    /// BM25 over the most that the question could score, in [0, 1]; none when words did not rank.
    pub(crate) coverage: Option<f32>,
    /// It is by the one whom the question names.
    pub(crate) speaker: bool,
    /// It is of a date that the question names.
    pub(crate) date: bool,
}

/// Weights of one regression.
struct Weights {
    constant: f32,
    cosine: f32,
    coverage: f32,
    speaker: f32,
    date: f32,
}

const BOTH: Weights =
    Weights { constant: -5.91, cosine: 6.69, coverage: 4.35, speaker: 0.83, date: 1.99 };
const WORDS: Weights =
    Weights { constant: -3.42, cosine: 0.0, coverage: 4.93, speaker: 0.42, date: 1.27 };
const MEANING: Weights =
    Weights { constant: -5.75, cosine: 8.02, coverage: 0.0, speaker: 0.84, date: 1.80 };

/// How sure it is that the message answers.
pub(crate) fn score(signals: &Signals) -> f32 {
    let weights = match (signals.cosine, signals.coverage) {
        (Some(_), Some(_)) => BOTH,
        (Some(_), None) => MEANING,
        (None, _) => WORDS,
    };
    let sum = weights.constant
        + weights.cosine * signals.cosine.unwrap_or(0.0)
        + weights.coverage * signals.coverage.unwrap_or(0.0)
        + weights.speaker * f32::from(signals.speaker)
        + weights.date * f32::from(signals.date);
    // In f64, so that every platform's `exp` rounds to the same f32.
    (1.0 / (1.0 + (-f64::from(sum)).exp())) as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_lie_between_0_and_1_and_rise_with_every_signal() {
        let of = |cosine, coverage, speaker, date| {
            score(&Signals { cosine: Some(cosine), coverage: Some(coverage), speaker, date })
        };
        let rising = [
            of(-1.0, 0.0, false, false),
            of(0.4, 0.0, false, false),
            of(0.4, 0.5, false, false),
            of(0.4, 0.5, true, false),
            of(0.4, 0.5, true, true),
            of(1.0, 1.0, true, true),
        ];
        assert!(rising.is_sorted() && rising[0] > 0.0 && rising[5] < 1.0, "{rising:?}");
    }
}
