//! Searching: names out of the question, its vector, one question to the index for messages and one for memories.

use holdfast_core::token::Frontier;
use holdfast_core::{Case, Error, Result, Scope};
use holdfast_kit::embedder::{self, Purpose};
use holdfast_kit::index::{self, Boosts, Mode, Question, Reading, Recall, ThingHit};
use holdfast_kit::read::in_filters;
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
    /// Messages take part.
    pub conversations: bool,
    /// Memories take part.
    pub memories: bool,
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

/// One answer: a message or a memory.
pub enum Hit {
    /// A message.
    Message(index::Hit),
    /// A memory.
    Memory(ThingHit),
}

impl Hit {
    /// In [0, 1]: both collections are calibrated alike.
    pub fn score(&self) -> f32 {
        match self {
            Hit::Message(hit) => hit.score,
            Hit::Memory(hit) => hit.score,
        }
    }

    /// How it got its place.
    pub fn stages(&self) -> &[index::Stage] {
        match self {
            Hit::Message(hit) => &hit.stages,
            Hit::Memory(hit) => &hit.stages,
        }
    }
}

/// What a search found, and the mode that was used.
pub struct Found {
    /// Best first.
    pub hits: Vec<Hit>,
    /// What has no vector yet, and took part by words.
    pub pending: u32,
    /// Order of the newest message that took part; empty when there is none.
    pub indexed_through: String,
    /// What the answer saw.
    pub frontier: Frontier,
    /// `keyword` when the model could not be reached for a hybrid search.
    pub mode: Mode,
}

/// Finds messages and memories by word and meaning.
///
/// # Errors
/// `model_unavailable` only where meaning alone was asked for; a hybrid search goes on by words.
pub async fn search(scope: &Scope, query: Query, mut reading: Reading) -> Result<Found> {
    if is_of_meaning(&query) && reading.consistency != index::Consistency::Local {
        // Two questions follow: this one brings the view up to date, once.
        index::find_user(scope.into(), reading.clone()).await?;
        reading.consistency = index::Consistency::Local;
    }
    let (vector, mode) = vector(scope, &query).await?;
    let (space, vector) = vector.unzip();
    let (threshold, most) = (query.threshold, query.top_k as usize);
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
    let mut found = Found {
        hits: Vec::new(),
        pending: 0,
        indexed_through: String::new(),
        frontier: Frontier::default(),
        mode,
    };
    let mut messages = Vec::new();
    if query.conversations {
        let recall = messages_of(scope, question.clone()).await?;
        (found.pending, found.indexed_through) = (recall.pending, recall.indexed_through);
        found.frontier = recall.frontier.into();
        messages = recall.hits;
    }
    let mut memories = Vec::new();
    if query.memories {
        let mut question = question;
        if query.conversations {
            // The first question has brought the view up to date.
            question.reading.consistency = index::Consistency::Local;
        }
        let recall = index::recall_memories(scope.into(), question).await;
        let recall = recall.map_err(|error| in_filters(error.into(), "/filters"))?;
        found.pending += recall.pending;
        found.frontier = found.frontier.joined(&recall.frontier.into());
        memories = recall.hits;
    }
    found.hits = merged(messages, memories, most);
    found.hits.retain(|hit| threshold.is_none_or(|least| hit.score() >= least));
    Ok(found)
}

async fn messages_of(scope: &Scope, question: Question) -> Result<Recall> {
    let recall = index::search(scope.into(), question).await;
    recall.map_err(|error| in_filters(error.into(), "/filters"))
}

/// Both lists as one: each keeps its own order, and of the two next the one that scores higher comes first.
fn merged(messages: Vec<index::Hit>, memories: Vec<ThingHit>, most: usize) -> Vec<Hit> {
    let mut messages = messages.into_iter().map(Hit::Message).peekable();
    let mut memories = memories.into_iter().map(Hit::Memory).peekable();
    let mut all = Vec::new();
    while all.len() < most {
        let memory_first = match (messages.peek(), memories.peek()) {
            (Some(message), Some(memory)) => memory.score() >= message.score(),
            (None, Some(_)) => true,
            (_, None) => false,
        };
        let next = if memory_first { memories.next() } else { messages.next() };
        let Some(next) = next else { break };
        all.push(next);
    }
    all
}

fn is_of_meaning(query: &Query) -> bool {
    query.mode != Mode::Keyword && !query.text.trim().is_empty()
}

async fn vector(scope: &Scope, query: &Query) -> Result<(Option<(String, Vec<f32>)>, Mode)> {
    if !is_of_meaning(query) {
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
