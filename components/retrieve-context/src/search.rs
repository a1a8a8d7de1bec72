//! Searching: names out of the question, its vector, one question to the index.

use holdfast_core::{Case, Error, Result, Scope};
use holdfast_kit::embedder::{self, Purpose};
use holdfast_kit::index::{self, Boosts, Mode, Question, Reading, Recall};
use holdfast_search::without_names;

/// Most hits of one search.
pub const MAX_TOP_K: u32 = 200;
/// Hits of a search that names no number.
pub const TOP_K: u32 = 10;

/// A question.
#[derive(Clone)]
pub struct Query {
    /// What is asked.
    pub text: String,
    /// Only this session.
    pub session: Option<String>,
    /// The session that is asked from.
    pub from_session: Option<String>,
    /// JSON, the grammar of filters.
    pub filters: Option<String>,
    /// At most so many hits.
    pub top_k: u32,
    /// Only hits of at least this score.
    pub threshold: Option<f32>,
    /// Which signals rank.
    pub mode: Mode,
    /// How they are boosted.
    pub boosts: Boosts,
}

/// Boosts of a request that names none: the measured recipe.
pub fn default_boosts() -> Boosts {
    let boosts = holdfast_search::Boosts::default();
    Boosts {
        speaker: boosts.speaker,
        date: boosts.date,
        same_session: boosts.same_session,
        dense_places: boosts.dense_places,
    }
}

/// What a search found, and the mode that was used.
pub struct Found {
    /// The answer.
    pub recall: Recall,
    /// `keyword` when the model could not be reached for a hybrid search.
    pub mode: Mode,
}

/// Finds messages by word and meaning.
///
/// # Errors
/// `model_unavailable` only where meaning alone was asked for; a hybrid search goes on by words.
pub async fn search(scope: &Scope, query: Query, reading: Reading) -> Result<Found> {
    let (vector, mode) = vector(scope, &query).await?;
    let (space, vector) = vector.unzip();
    let threshold = query.threshold;
    let question = Question {
        text: query.text,
        vector,
        space,
        session: query.session,
        from_session: query.from_session,
        filter: query.filters,
        mode,
        boosts: query.boosts,
        limit: query.top_k,
        reading,
    };
    let recall = index::search(scope.into(), question).await;
    let mut recall = recall.map_err(|error| in_filters(error.into()))?;
    if let Some(least) = threshold {
        recall.hits.retain(|hit| hit.score >= least);
    }
    Ok(Found { recall, mode })
}

/// The index names places inside the filter, the caller knows them inside the request.
fn in_filters(error: Error) -> Error {
    match error.field.clone() {
        Some(at) if at.is_empty() || at.starts_with('/') => error.at(format!("/filters{at}")),
        _ => error,
    }
}

async fn vector(scope: &Scope, query: &Query) -> Result<(Option<(String, Vec<f32>)>, Mode)> {
    if query.mode == Mode::Keyword || query.text.trim().is_empty() {
        return Ok((None, query.mode));
    }
    let participants = index::participants(scope.into()).await?;
    let text = without_names(&query.text, &participants);
    match embedder::embed(scope.tenant.to_string(), Purpose::Query, vec![text]).await {
        Ok(made) => Ok((Some((made.space, made.values)), query.mode)),
        Err(_) if query.mode == Mode::Hybrid => Ok((None, Mode::Keyword)),
        Err(e) => Err(no_model(e.into())),
    }
}

fn no_model(error: Error) -> Error {
    let detail = "the embedding model cannot be reached: search with mode keyword or hybrid";
    Error::because(Case::Unavailable, "model_unavailable", detail).caused_by(error)
}

/// Name of a mode as REST spells it.
pub fn mode_name(mode: Mode) -> &'static str {
    match mode {
        Mode::Hybrid => "hybrid",
        Mode::Vector => "vector",
        Mode::Keyword => "keyword",
    }
}

/// The mode spelled `name`; hybrid when none.
///
/// # Errors
/// `invalid` that lists them.
pub fn mode(name: Option<&str>) -> Result<Mode> {
    let modes = [Mode::Hybrid, Mode::Vector, Mode::Keyword];
    let Some(name) = name else { return Ok(Mode::Hybrid) };
    modes
        .into_iter()
        .find(|mode| mode_name(*mode) == name)
        .ok_or_else(|| Error::unprocessable("mode", "mode must be one of hybrid, vector, keyword"))
}
