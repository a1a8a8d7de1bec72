//! From the signals of one message to how sure it is that it answers: a number in [0, 1] that a threshold can cut.

/// The absolute signals of a message: none of them depends on which other messages are candidates.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Signals {
    /// Cosine of question and best chunk; none when either has no vector.
    pub(crate) cosine: Option<f32>,
    /// BM25 over the most that the question could score, in [0, 1].
    pub(crate) coverage: f32,
    /// It is by the one participant whom the question names.
    pub(crate) speaker: bool,
    /// It is of a date that the question names.
    pub(crate) date: bool,
}

/// Logistic regression over the signals.
pub(crate) fn score(signals: &Signals) -> f32 {
    let sum = match signals.cosine {
        Some(cosine) => -5.0 + 7.0 * cosine + 4.0 * signals.coverage,
        None => -3.5 + 6.0 * signals.coverage,
    };
    let sum = sum + 0.5 * f32::from(signals.speaker) + 0.5 * f32::from(signals.date);
    1.0 / (1.0 + (-sum).exp())
}
