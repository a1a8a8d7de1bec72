//! Seeded messages of a size: words of very unequal frequency, which pack about as well as prose does, and vectors that do not.

use half::f16;
use holdfast_core::message::{Message, MessageBody, MessageVectors, Role};
use holdfast_core::record::Kind;
use holdfast_core::{Result, SessionId, space};
use holdfast_journal::Draft;
use rand::Rng;
use rand::rngs::StdRng;

/// Bytes of a message's text.
const TEXT: usize = 500;
/// Components of its vector.
const DIMENSIONS: usize = 384;
const WORDS: f64 = 4000.0;
const SYLLABLES: &[&str] = &[
    "al", "be", "con", "der", "en", "for", "ga", "hi", "in", "ju", "ka", "lo", "me", "nor", "o",
    "pre", "qui", "ra", "ster", "ti", "un", "ver", "wa", "ex", "y", "zen",
];

/// A message of the session.
pub(crate) fn message(rng: &mut StdRng, session: &SessionId, vectors: bool) -> Result<Draft> {
    let text = text(rng);
    let vectors = if vectors { vec![vector(rng, text.len())] } else { Vec::new() };
    let role = if rng.random() { Role::User } else { Role::Assistant };
    let message = Message::saying(role, text);
    let body = MessageBody::new(message, vectors)?.encode()?;
    Ok(Draft { kind: Kind::Message, id: id(rng), session: session.clone(), body })
}

/// As long as a UUID, and as hard to pack.
fn id(rng: &mut StdRng) -> String {
    let [a, b] = [rng.random::<u64>(), rng.random::<u64>()];
    format!("{:08x}-{:04x}-7{:03x}-{:016x}", a >> 32, a & 0xffff, (a >> 16) & 0xfff, b)
}

fn text(rng: &mut StdRng) -> String {
    let mut text = String::with_capacity(TEXT + 16);
    while text.len() < TEXT {
        text += &word(rng);
        text.push(' ');
    }
    text.truncate(TEXT);
    text
}

/// The n-th word comes about 1/n as often as the first.
fn word(rng: &mut StdRng) -> String {
    let rank = WORDS.powf(rng.random::<f64>()) as usize;
    let count = SYLLABLES.len();
    let places = [rank, rank / count, rank / count / count];
    let used = places.iter().take_while(|place| **place > 0);
    used.filter_map(|place| SYLLABLES.get(place % count)).copied().collect()
}

fn vector(rng: &mut StdRng, bytes: usize) -> MessageVectors {
    let value = |_| f16::from_f32(rng.random_range(-0.1_f32..0.1));
    let values = (0..DIMENSIONS).map(value).collect();
    let end = u32::try_from(bytes).unwrap_or(u32::MAX);
    MessageVectors { space: space::NATIVE.to_owned(), chunks: vec![(0, end)], values }
}
