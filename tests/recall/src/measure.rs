//! Evidence recall of one way of asking, over all questions.

use crate::cases::{Asked, Cases, Message};
use crate::embed::Vectors;
use half::f16;
use holdfast_search::{
    Boosts, ChunkVector, Doc, Entry, ExactScan, Hit, Language, Mode, Question, Recipe, Scratch,
    UserIndex, chunks, dense_text, participants, search, without_names,
};
use std::collections::BTreeMap;

/// One way of asking.
#[derive(Debug, Clone, Copy)]
pub struct Step {
    /// What it is called in the table.
    pub name: &'static str,
    /// The speaker stands before the text, in words and in vectors.
    pub speaker: bool,
    /// The participants' names are taken out of the question's vector.
    pub names_out: bool,
    /// Which signals rank.
    pub mode: Mode,
    /// The numbers of the ranking.
    pub recipe: Recipe,
    /// Boosts of speaker and date.
    pub boosts: bool,
    /// Of ten places, so many are kept for meaning alone.
    pub places: u32,
}

/// Share of the evidence found among the first 5, 10, 20, summed over `questions` questions.
#[derive(Debug, Clone, Copy, Default)]
pub struct Found {
    /// How many questions.
    pub questions: f64,
    /// Sums at 5, 10, 20.
    pub at: [f64; 3],
}

impl Found {
    /// Recall at 5, 10, 20.
    pub fn recall(&self) -> [f64; 3] {
        self.at.map(|sum| sum / self.questions.max(1.0))
    }
}

/// Lengths of answer that are measured.
pub const DEPTHS: [usize; 3] = [5, 10, 20];

/// Asks every answerable question in one way; recall by kind, and of `all`.
pub fn measure(cases: &Cases, vectors: &Vectors, step: &Step) -> BTreeMap<String, Found> {
    let mut found: BTreeMap<String, Found> = BTreeMap::new();
    for (user, messages) in &cases.archives {
        let index = index(messages, vectors, step.speaker);
        let mine = |asked: &&Asked| asked.user == *user && !asked.evidence.is_empty();
        for asked in cases.questions.iter().filter(mine) {
            let at = DEPTHS.map(|limit| {
                share(&index, &ask(&index, vectors, step, &asked.question, limit), asked)
            });
            for kind in asked.kind.iter().map(String::as_str).chain(["all"]) {
                let found = found.entry(kind.to_owned()).or_default();
                found.questions += 1.0;
                found.at.iter_mut().zip(at).for_each(|(sum, share)| *sum += share);
            }
        }
    }
    found
}

/// Answers one question in one way.
pub fn ask(
    index: &UserIndex,
    vectors: &Vectors,
    step: &Step,
    text: &str,
    limit: usize,
) -> Vec<Hit> {
    let about = query_text(index, step, text);
    let boost = if step.boosts { 3.0 } else { 0.0 };
    let dense_places = (step.places as usize * limit / 10) as u32;
    let question = Question {
        text: text.to_owned(),
        vector: Some(vectors.of(&about).to_vec()),
        mode: step.mode,
        boosts: Boosts { speaker: boost, date: boost, same_session: 0.0, dense_places },
        recipe: step.recipe,
        limit,
        ..Question::default()
    };
    let exact = ExactScan::new(index.vectors());
    search(index, &exact, &question, &mut Scratch::default())
        .map_or(Vec::new(), |recall| recall.hits)
}

/// The text whose vector asks.
pub fn query_text(index: &UserIndex, step: &Step, text: &str) -> String {
    if step.names_out { without_names(text, &participants(index)) } else { text.to_owned() }
}

/// What is embedded of a message.
pub fn passages(message: &Message, speaker: bool) -> Vec<String> {
    let texts = chunks(&message.content).into_iter().filter_map(|range| message.content.get(range));
    texts
        .map(|text| if speaker { dense_text(message.speaker(), text) } else { text.to_owned() })
        .collect()
}

/// The index of one archive.
pub fn index(messages: &[Message], vectors: &Vectors, speaker: bool) -> UserIndex {
    let mut index = UserIndex::new(Language::English);
    for (number, message) in messages.iter().enumerate() {
        let of = |text: &String| ChunkVector {
            start: 0,
            end: 0,
            values: vectors.of(text).iter().map(|value| f16::from_f32(*value)).collect(),
        };
        let doc = Doc {
            id: message.id.clone(),
            session: message.session.clone(),
            order: format!("{number:06}"),
            role: message.role.clone(),
            name: message.name.clone(),
            speaker: (!speaker).then(String::new),
            text: message.content.clone(),
            event_time: message.at(),
            vectors: passages(message, speaker).iter().map(of).collect(),
            ..Doc::default()
        };
        if let Err(error) = index.insert(doc) {
            println!("{}: {error}", message.id);
        }
    }
    index
}

/// Share of the evidence among the hits.
fn share(index: &UserIndex, hits: &[Hit], asked: &Asked) -> f64 {
    let entries: Vec<&Entry> = hits.iter().filter_map(|hit| index.entry_of(hit.doc)).collect();
    let there = |id: &&String| entries.iter().any(|entry| *entry.id == ***id);
    asked.evidence.iter().filter(there).count() as f64 / asked.evidence.len() as f64
}
