//! Milliseconds of a question at three sizes, by part; messages taken in a second; bytes a message.
//!
//! `cargo run -p holdfast-search --example search-bench [sizes…]`
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a measurement, not a part")]

use half::f16;
use holdfast_search::{
    ChunkVector, Dense, Doc, ExactScan, Filter, Int8Scan, Language, Mode, NoVectors, Question,
    Scratch, UserIndex, search,
};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use std::hint::black_box;
use std::time::Instant;

const DIMENSIONS: usize = 384;
const ROUNDS: usize = 101;

/// Words as often as people use them: the n-th 1/n times.
struct Vocabulary {
    words: Vec<String>,
}

impl Vocabulary {
    fn new() -> Self {
        let syllables =
            ["ka", "lo", "mi", "ren", "tu", "sha", "bel", "dor", "vi", "nas", "qui", "pon"];
        let word = |mut n: usize| {
            let mut word = String::new();
            for _ in 0..3 {
                word.push_str(syllables[n % syllables.len()]);
                n /= syllables.len();
            }
            if n > 0 { format!("{word}{n}") } else { word }
        };
        Self { words: (0..20_000).map(word).collect() }
    }

    fn text(&self, rng: &mut StdRng, count: usize) -> String {
        let size = self.words.len() as f64;
        let word = |rng: &mut StdRng| {
            &self.words[(size.powf(rng.random::<f64>()) as usize - 1) % self.words.len()]
        };
        let words: Vec<&str> = (0..count).map(|_| word(rng).as_str()).collect();
        format!("I think that the {}", words.join(" "))
    }
}

fn near(rng: &mut StdRng, centres: &[Vec<f32>]) -> Vec<f32> {
    let centre = &centres[rng.random_range(0..centres.len())];
    let vector: Vec<f32> = centre.iter().map(|x| x + rng.random_range(-0.8..0.8)).collect();
    let length = vector.iter().map(|x| x * x).sum::<f32>().sqrt();
    vector.iter().map(|x| x / length).collect()
}

fn doc(rng: &mut StdRng, number: usize, vocabulary: &Vocabulary, centres: &[Vec<f32>]) -> Doc {
    let values = near(rng, centres).iter().map(|x| f16::from_f32(*x)).collect();
    Doc {
        id: format!("message-{number}"),
        session: format!("session-{}", number / 50),
        order: format!("01J{number:023}"),
        role: "user".into(),
        name: Some(["Mara", "Tobias"][number % 2].into()),
        text: vocabulary.text(rng, 30),
        event_time: Some(1_650_000_000_000 + number as u64 * 60_000),
        stored_at: 1_700_000_000_000,
        attributes: None,
        vectors: vec![ChunkVector { start: 0, end: 1, values }],
        ..Doc::default()
    }
}

/// Median and least of the rounds, in milliseconds; on a busy machine the least is nearer to the work.
fn times(mut work: impl FnMut(usize)) -> (f64, f64) {
    let mut times: Vec<f64> = (0..ROUNDS)
        .map(|round| {
            let start = Instant::now();
            work(round);
            start.elapsed().as_secs_f64() * 1000.0
        })
        .collect();
    times.sort_by(f64::total_cmp);
    (times[ROUNDS / 2], times[0])
}

fn measure(size: usize) {
    let mut rng = StdRng::seed_from_u64(11);
    let vocabulary = Vocabulary::new();
    let centres: Vec<Vec<f32>> =
        (0..200).map(|_| (0..DIMENSIONS).map(|_| rng.random_range(-1.0..1.0)).collect()).collect();
    let docs: Vec<Doc> = (0..size).map(|n| doc(&mut rng, n, &vocabulary, &centres)).collect();
    let mut index = UserIndex::new(Language::English);
    let start = Instant::now();
    for doc in docs {
        index.insert(doc).unwrap();
    }
    let rate = size as f64 / start.elapsed().as_secs_f64();
    let scan = Int8Scan::new(index.vectors());
    let view = scan.on(index.vectors());
    let exact = (size <= 10_000).then(|| ExactScan::new(index.vectors()));
    let questions: Vec<Question> = (0..ROUNDS)
        .map(|_| Question {
            text: format!("What did Mara say about {} in May 2022?", vocabulary.text(&mut rng, 4)),
            vector: Some(near(&mut rng, &centres)),
            limit: 10,
            ..Question::default()
        })
        .collect();
    let mut scratch = Scratch::default();
    let mut ask = |dense: &dyn Dense, change: &dyn Fn(&mut Question)| {
        times(|round| {
            let mut question = questions[round].clone();
            change(&mut question);
            black_box(search(&index, dense, &question, &mut scratch).unwrap());
        })
    };
    let words = ask(&NoVectors, &|q| q.mode = Mode::Keyword);
    let int8 = ask(&view, &|q| q.mode = Mode::Vector);
    let whole = ask(&view, &|_| ());
    let filter = Filter::parse(r#"{"event_time":{"lt":"2022-04-16T00:00:00Z"}}"#).unwrap();
    let filtered = ask(&view, &|q| q.filter = Some(filter.clone()));
    let scanned = exact.map(|exact| ask(&exact, &|q| q.mode = Mode::Vector));
    println!(
        "{size:7}: insert {rate:.0}/s · {} bytes a message, {} of them vectors, + {DIMENSIONS} int8",
        index.bytes() / size,
        index.vectors().bytes() / size,
    );
    let parts = [
        ("words", Some(words)),
        ("int8 scan", Some(int8)),
        ("exact scan", scanned),
        ("whole", Some(whole)),
        ("whole, filtered", Some(filtered)),
    ];
    for (part, (median, least)) in
        parts.iter().filter_map(|(part, times)| times.map(|times| (part, times)))
    {
        println!("    {part:16} p50 {median:.3} ms, least {least:.3}");
    }
}

fn main() {
    let sizes: Vec<usize> = std::env::args().skip(1).filter_map(|size| size.parse().ok()).collect();
    let sizes = if sizes.is_empty() { vec![1_000, 10_000, 100_000] } else { sizes };
    sizes.into_iter().for_each(measure);
}
