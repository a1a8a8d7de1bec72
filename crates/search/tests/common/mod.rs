//! Seeded documents and vectors for the tests.
#![allow(dead_code, clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use half::f16;
use holdfast_search::{ChunkVector, Doc, Language, UserIndex};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use serde_json::json;

pub const DIMENSIONS: usize = 384;

pub fn seeded(seed: u64) -> StdRng {
    StdRng::seed_from_u64(seed)
}

/// Unit vectors around `clusters` centres, as sentence vectors lie.
pub fn clustered(rng: &mut StdRng, count: usize, clusters: usize) -> Vec<Vec<f32>> {
    let centres: Vec<Vec<f32>> = (0..clusters).map(|_| noise(rng, 1.0)).collect();
    let near = |rng: &mut StdRng| {
        let centre = centres.choose(rng).unwrap().clone();
        unit(centre.iter().zip(noise(rng, 0.8)).map(|(a, b)| a + b).collect())
    };
    (0..count).map(|_| near(rng)).collect()
}

fn noise(rng: &mut StdRng, size: f32) -> Vec<f32> {
    (0..DIMENSIONS).map(|_| rng.random_range(-size..size)).collect()
}

pub fn unit(vector: Vec<f32>) -> Vec<f32> {
    let length = vector.iter().map(|x| x * x).sum::<f32>().sqrt();
    vector.iter().map(|x| x / length).collect()
}

pub fn chunk(vector: &[f32]) -> ChunkVector {
    ChunkVector { start: 0, end: 1, values: vector.iter().map(|x| f16::from_f32(*x)).collect() }
}

const WORDS: &str = "kiln glaze river ferry ward nurse bicycle lock landlord boiler notice museum shop colander sardine \
    bridge train ticket garden tomato fence ladder paint window piano lesson recital bread oven flour cat vet journey";

pub fn sentence(rng: &mut StdRng) -> String {
    let words: Vec<&str> = WORDS.split_whitespace().collect();
    let count = rng.random_range(3..14);
    (0..count).map(|_| *words.choose(rng).unwrap()).collect::<Vec<_>>().join(" ")
}

/// A message of one of a few sessions and speakers, with all fields that filters know.
pub fn doc(rng: &mut StdRng, number: usize) -> Doc {
    let speaker = ["Mara", "Tobias", "Inês", ""].choose(rng).unwrap();
    let metadata = match rng.random_range(0..4) {
        0 => None,
        1 => Some(
            json!({"topic": if rng.random_bool(0.5) { "a" } else { "b" }, "n": rng.random_range(0..5)}),
        ),
        2 => Some(json!({"tags": ["x", "y"], "deep": {"er": rng.random_range(0..3)}})),
        _ => Some(json!({"archived": rng.random_bool(0.3), "n": 1.5, "a.b": null})),
    };
    Doc {
        id: format!("m{number}"),
        session: format!("s{}", rng.random_range(0..6)),
        order: format!("{number:08}"),
        role: ["user", "assistant", "tool"].choose(rng).unwrap().to_string(),
        name: (!speaker.is_empty()).then(|| speaker.to_string()),
        speaker: None,
        text: sentence(rng),
        event_time: rng.random_bool(0.8).then(|| 1_650_000_000_000 + number as u64 * 86_400_000),
        stored_at: 1_700_000_000_000 + number as u64,
        parent_id: rng.random_bool(0.3).then(|| format!("m{}", number / 2)),
        tool_call_id: rng.random_bool(0.2).then(|| format!("call{}", number % 7)),
        metadata,
        attributes: None,
        vectors: Vec::new(),
    }
}

pub fn docs(rng: &mut StdRng, count: usize) -> Vec<Doc> {
    let vectors = clustered(rng, count, 12);
    let make = |(number, vector): (usize, &Vec<f32>)| {
        let mut doc = doc(rng, number);
        if number % 9 != 0 {
            doc.vectors = vec![chunk(vector)];
        }
        doc
    };
    vectors.iter().enumerate().map(make).collect()
}

pub fn index(docs: &[Doc]) -> UserIndex {
    let mut index = UserIndex::new(Language::English);
    for doc in docs {
        index.insert(doc.clone()).unwrap();
    }
    index
}
