//! Measures what finds the nearest vectors of one user: the numbers of `docs/decisions/0004-index-structure.md`.
//!
//! `cargo run -p holdfast-index --example structure-bench -- 1000 10000 100000 200000`
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a measurement")]

use cpu_time::ThreadTime;
use half::f16;
use holdfast_index::Near;
use holdfast_search::{ChunkVector, Dense, Doc, ExactScan, Int8Scan, Language, UserIndex};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use std::time::{Duration, Instant};

const DIMENSIONS: usize = 384;
const QUERIES: usize = 100;

fn main() {
    println!(
        "rows | what | CPU ms a query (median) k=10 | k=100 | recall@10 | build s (wall) | bytes a row"
    );
    for rows in std::env::args().skip(1).filter_map(|arg| arg.parse::<usize>().ok()) {
        measure(rows);
    }
}

fn measure(rows: usize) {
    let mut random = StdRng::seed_from_u64(7);
    let clusters = (rows / 50).max(8);
    let centres: Vec<Vec<f32>> = (0..clusters).map(|_| gauss(&mut random, 1.0)).collect();
    let near = |random: &mut StdRng| {
        let centre = random.random_range(0..clusters);
        let noise = gauss(random, 0.7);
        let sum: Vec<f32> = centres[centre].iter().zip(noise).map(|(c, n)| c + n).collect();
        unit(&sum)
    };
    let mut index = UserIndex::new(Language::default());
    for number in 0..rows {
        let values = near(&mut random).iter().map(|value| f16::from_f32(*value)).collect();
        let vectors = vec![ChunkVector { start: 0, end: 0, values }];
        index.insert(Doc { order: format!("{number:09}"), vectors, ..Doc::default() }).unwrap();
    }
    let queries: Vec<Vec<f32>> = (0..QUERIES).map(|_| near(&mut random)).collect();
    let passing = index.passing(None, None);
    let ten = |dense: &dyn Dense, query: &[f32]| {
        dense.top(query, 100, &passing).into_iter().take(10).map(|(doc, _)| doc).collect::<Vec<_>>()
    };
    let exact = ExactScan::new(index.vectors());
    let wanted: Vec<Vec<u32>> = queries.iter().map(|query| ten(&exact, query)).collect();
    let report = |what: &str, dense: &dyn Dense, build: Duration, bytes: usize| {
        let time = |k: usize| {
            let mut times: Vec<Duration> = queries
                .iter()
                .map(|query| {
                    let begun = ThreadTime::now();
                    std::hint::black_box(dense.top(query, k, &passing));
                    begun.elapsed()
                })
                .collect();
            times.sort_unstable();
            times[QUERIES / 2].as_secs_f64() * 1e3
        };
        let (at_10, at_100) = (time(10), time(100));
        let found: usize = queries
            .iter()
            .zip(&wanted)
            .map(|(query, wanted)| {
                let found = ten(dense, query);
                wanted.iter().filter(|doc| found.contains(doc)).count()
            })
            .sum();
        let recall = found as f64 / (QUERIES * 10.min(rows)) as f64;
        let build = build.as_secs_f64();
        println!(
            "{rows} | {what} | {at_10:.3} | {at_100:.3} | {recall:.3} | {build:.1} | {}",
            bytes / rows
        );
    };
    report("exact f32", &exact, Duration::ZERO, rows * DIMENSIONS * 4);
    let portable = Int8Scan::new(index.vectors());
    report("int8 portable", &portable.on(index.vectors()), Duration::ZERO, rows * 388);
    let mut scan = Near::new(usize::MAX);
    scan.follow(index.vectors());
    report("int8 simsimd", &scan.on(index.vectors()), Duration::ZERO, scan.bytes());
    let mut graph = Near::new(0);
    let (begun, before) = (Instant::now(), resident());
    graph.follow(index.vectors());
    while graph.building() {
        std::thread::sleep(Duration::from_millis(50));
        graph.follow(index.vectors());
    }
    let (built, bytes) = (begun.elapsed(), resident().saturating_sub(before));
    report("graph int8 M16", &graph.on(index.vectors()), built, bytes);
}

fn resident() -> usize {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    text.split(' ')
        .nth(1)
        .and_then(|pages| pages.parse().ok())
        .map_or(0, |pages: usize| pages * 4096)
}

fn gauss(random: &mut StdRng, deviation: f32) -> Vec<f32> {
    let mut one = || {
        let (u, v): (f32, f32) = (random.random_range(1e-7..1.0), random.random());
        (-2.0 * u.ln()).sqrt() * (std::f32::consts::TAU * v).cos() * deviation
    };
    (0..DIMENSIONS).map(|_| one()).collect()
}

fn unit(values: &[f32]) -> Vec<f32> {
    let length = values.iter().map(|value| value * value).sum::<f32>().sqrt();
    values.iter().map(|value| value / length).collect()
}
