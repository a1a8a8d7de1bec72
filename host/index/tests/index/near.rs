//! The native scan and the graph against the exact f32 scan.

use half::f16;
use holdfast_index::Near;
use holdfast_search::{
    ChunkVector, Dense, Doc, DocNo, ExactScan, Int8Scan, Language, Passing, UserIndex,
};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

const DIMENSIONS: usize = 64;

fn around(random: &mut StdRng, centre: &[f32]) -> Vec<f32> {
    centre.iter().map(|c| c + random.random_range(-0.7..0.7)).collect()
}

/// Clustered vectors; some messages have several, some had others before.
struct Sample {
    index: UserIndex,
    queries: Vec<Vec<f32>>,
    random: StdRng,
    centres: Vec<Vec<f32>>,
}

impl Sample {
    fn new(messages: u32) -> Self {
        let mut random = StdRng::seed_from_u64(11);
        let centre = |random: &mut StdRng| -> Vec<f32> {
            (0..DIMENSIONS).map(|_| random.random_range(-1.0..1.0)).collect()
        };
        let centres: Vec<_> = (0..60).map(|_| centre(&mut random)).collect();
        let index = UserIndex::new(Language::default());
        let mut sample = Self { index, queries: Vec::new(), random, centres };
        (0..messages).for_each(|_| sample.add());
        for _ in 0..50 {
            let query = sample.vector();
            let length = query.iter().map(|v| v * v).sum::<f32>().sqrt();
            sample.queries.push(query.iter().map(|v| v / length).collect());
        }
        for doc in (0..messages).step_by(17) {
            let chunks = sample.chunks(1);
            sample.index.set_vectors(doc, &chunks).unwrap();
        }
        sample
    }

    fn vector(&mut self) -> Vec<f32> {
        let at = self.random.random_range(0..self.centres.len());
        around(&mut self.random, &self.centres[at])
    }

    fn chunks(&mut self, count: usize) -> Vec<ChunkVector> {
        let chunk = |values: Vec<f32>| {
            let values = values.into_iter().map(f16::from_f32).collect();
            ChunkVector { start: 0, end: 0, values }
        };
        (0..count).map(|_| chunk(self.vector())).collect()
    }

    fn add(&mut self) {
        let number = self.index.len();
        let count = if number.is_multiple_of(10) { 3 } else { 1 };
        let (order, vectors) = (format!("{number:08}"), self.chunks(count));
        self.index.insert(Doc { order, vectors, ..Doc::default() }).unwrap();
    }

    fn all(&self) -> Passing {
        self.index.passing(None, None)
    }

    fn exact(&self, k: usize, passing: &Passing) -> Vec<Vec<(DocNo, f32)>> {
        let exact = ExactScan::new(self.index.vectors());
        self.queries.iter().map(|query| exact.top(query, k, passing)).collect()
    }

    fn recall(&self, near: &Near, k: usize, passing: &Passing) -> f64 {
        let view = near.on(self.index.vectors());
        let (mut found, mut wanted) = (0, 0);
        for (query, exact) in self.queries.iter().zip(self.exact(k, passing)) {
            let top = view.top(query, k, passing);
            wanted += exact.len();
            found += exact.iter().filter(|hit| top.contains(hit)).count();
        }
        found as f64 / wanted as f64
    }
}

fn graphed(sample: &Sample) -> Near {
    let mut near = Near::new(1);
    near.follow(sample.index.vectors());
    while near.building() {
        std::thread::yield_now();
        near.follow(sample.index.vectors());
    }
    assert_eq!(near.graphed(), sample.index.vectors().rows());
    near
}

#[test]
fn the_native_scan_is_the_portable_one_to_the_bit_and_misses_nothing() {
    let sample = Sample::new(3_000);
    let vectors = sample.index.vectors();
    let mut near = Near::new(usize::MAX);
    near.follow(vectors);
    let portable = Int8Scan::new(vectors);
    let few: Passing = (0..3_000).step_by(50).collect();
    let half: Passing = (0..3_000).step_by(2).collect();
    for passing in [sample.all(), half, few, Passing::default()] {
        for k in [1, 10, 100] {
            for (query, exact) in sample.queries.iter().zip(sample.exact(k, &passing)) {
                let native = near.on(vectors).top(query, k, &passing);
                assert_eq!(native, portable.on(vectors).top(query, k, &passing));
                assert_eq!(native, exact);
            }
        }
    }
}

#[test]
fn the_graph_finds_95_of_100_and_all_that_came_after_it() {
    let mut sample = Sample::new(4_000);
    let mut near = graphed(&sample);
    let recall = sample.recall(&near, 10, &sample.all());
    assert!(recall >= 0.95, "{recall}");
    let before = sample.index.len() as DocNo;
    (0..200).for_each(|_| sample.add());
    near.follow(sample.index.vectors());
    assert!(!near.building(), "too little is new for another graph");
    let newer: Passing = (before..before + 200).collect();
    for (query, exact) in sample.queries.iter().zip(sample.exact(10, &sample.all())) {
        let top = near.on(sample.index.vectors()).top(query, 10, &sample.all());
        let new = |hits: &[(DocNo, f32)]| -> Vec<(DocNo, f32)> {
            hits.iter().filter(|hit| newer.contains(hit.0)).copied().collect()
        };
        assert!(new(&exact).iter().all(|hit| top.contains(hit)));
    }
}

#[test]
fn a_filter_that_passes_little_is_answered_exactly_beside_a_graph() {
    let sample = Sample::new(4_000);
    let near = graphed(&sample);
    let few: Passing = (0..4_000).step_by(40).collect();
    assert!((sample.recall(&near, 10, &few) - 1.0).abs() < f64::EPSILON);
}

#[test]
fn when_a_quarter_is_new_another_graph_is_built_while_the_old_one_answers() {
    let mut sample = Sample::new(1_000);
    let mut near = graphed(&sample);
    (0..400).for_each(|_| sample.add());
    near.follow(sample.index.vectors());
    assert!(near.building() && near.graphed() > 0);
    assert!(sample.recall(&near, 10, &sample.all()) >= 0.95);
    while near.building() {
        std::thread::yield_now();
        near.follow(sample.index.vectors());
    }
    assert_eq!(near.graphed(), sample.index.vectors().rows());
}
