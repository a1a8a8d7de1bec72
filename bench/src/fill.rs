//! Users with many messages: seeded texts of a vocabulary as uneven as a language's, vectors in clusters.

use holdfast_core::space;
use holdfast_faults::Api;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::{Value, json};

const DIMENSIONS: usize = 384;
const CLUSTERS: usize = 128;
const VOCABULARY: f64 = 20_000.0;
/// Messages of one session.
const SESSION: usize = 1000;

/// A user to be filled.
#[derive(Clone, Copy)]
pub struct User {
    /// Its id.
    pub name: &'static str,
    /// How many messages.
    pub messages: usize,
    /// Messages of one request.
    pub batch: usize,
}

impl User {
    /// The newest session.
    pub fn session(&self) -> String {
        format!("s-{}", (self.messages - 1) / SESSION)
    }
}

/// Stores a user's messages, each with a vector in the native runtime's own space.
pub async fn fill(api: &Api, user: User) {
    fill_in(api, user, space::NATIVE).await;
}

/// Stores a user's messages, each with a vector in `space`.
pub async fn fill_in(api: &Api, user: User, space: &str) {
    let mut rng = StdRng::seed_from_u64(user.messages as u64);
    let centres: Vec<_> = (0..CLUSTERS).map(|_| noise(&mut rng)).collect();
    for first in (0..user.messages).step_by(user.batch) {
        let numbers = first..(first + user.batch).min(user.messages);
        let messages: Vec<_> = numbers.map(|n| message(&mut rng, &centres, n, space)).collect();
        let path = format!("/v1/sessions/s-{}/messages", first / SESSION);
        let _ =
            api.post_for(201, &path, &json!({"user_id": user.name, "messages": messages})).await;
    }
}

fn message(rng: &mut StdRng, centres: &[Vec<f32>], n: usize, space: &str) -> Value {
    let role = if n.is_multiple_of(2) { "user" } else { "assistant" };
    let centre = &centres[rng.random_range(0..centres.len())];
    let vector = unit(centre.iter().zip(noise(rng)).map(|(c, n)| c + 0.6 * n).collect());
    // Five digits are more than the f16 that is kept.
    let vector: Vec<f64> = vector.iter().map(|v| (f64::from(*v) * 1e5).round() / 1e5).collect();
    let words = rng.random_range(10..50);
    json!({"id": format!("m-{n}"), "role": role, "content": text(rng, words),
        "embedding": {"space": space, "vector": vector}})
}

/// A vector for one message of the bench's other measurements.
pub fn embedding(rng: &mut StdRng) -> Value {
    json!({"space": space::NATIVE, "vector": noise(rng)})
}

/// `count` words; the word of rank r is about 1/r as frequent as the first.
pub fn text(rng: &mut StdRng, count: usize) -> String {
    let word = |rng: &mut StdRng| spelled(VOCABULARY.powf(rng.random::<f64>()) as usize);
    (0..count).map(|_| word(rng)).collect::<Vec<_>>().join(" ")
}

/// `count` words of English, from somewhere in a passage: what an embedder is given in life.
pub fn prose(rng: &mut StdRng, count: usize) -> String {
    const PASSAGE: &str = "we talked about the trip to the coast and which train to take on friday because my sister \
        arrives late and wants to see the old harbour before dinner so please find a small place near the water \
        that serves fish and has room for five people the doctor said that the new tablets should be taken with \
        food in the morning and that i should call again in two weeks if my back still hurts after long walks \
        remember that the landlord wants the keys by the end of the month and that the meter has to be read first \
        i would rather paint the kitchen in a warm white than in grey and keep the blue chairs that we bought last \
        summer when the garden was full of tomatoes and the neighbours brought bread every sunday morning";
    let words: Vec<&str> = PASSAGE.split_whitespace().collect();
    let start = rng.random_range(0..words.len());
    words.iter().cycle().skip(start).take(count).copied().collect::<Vec<_>>().join(" ")
}

/// A word of its own for each number.
fn spelled(mut number: usize) -> String {
    const SYLLABLES: [&str; 16] = [
        "ba", "ke", "mi", "lo", "ru", "san", "tel", "vor", "dan", "fis", "gom", "hun", "jas",
        "pel", "qui", "zor",
    ];
    let mut word = String::from("w");
    loop {
        word += SYLLABLES[number % 16];
        number /= 16;
        if number == 0 {
            return word;
        }
    }
}

fn noise(rng: &mut StdRng) -> Vec<f32> {
    // The sum of uniforms is near enough to normal for a direction.
    let one = |rng: &mut StdRng| (0..4).map(|_| rng.random::<f32>() - 0.5).sum();
    unit((0..DIMENSIONS).map(|_| one(rng)).collect())
}

fn unit(vector: Vec<f32>) -> Vec<f32> {
    let length = vector.iter().map(|v| v * v).sum::<f32>().sqrt();
    vector.into_iter().map(|v| v / length).collect()
}
