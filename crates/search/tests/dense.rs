//! The int8 scan against the exact scan.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod common;

use common::{chunk, clustered, doc, seeded};
use holdfast_search::{Dense, ExactScan, Int8Scan, Passing, UserIndex};
use rand::Rng;

#[test]
fn the_int8_scan_with_rescoring_equals_the_exact_scan_to_the_bit() {
    let mut rng = seeded(7);
    let mut index = UserIndex::default();
    let vectors = clustered(&mut rng, 6000, 40);
    let mut scan = Int8Scan::default();
    for (number, rows) in vectors.chunks(2).enumerate() {
        let mut doc = doc(&mut rng, number);
        let chunks = if number % 5 == 0 { 2 } else { 1 };
        doc.vectors = rows[..chunks].iter().map(|row| chunk(row)).collect();
        index.insert(doc).unwrap();
        if number % 701 == 0 {
            scan.follow(index.vectors());
        }
    }
    scan.follow(index.vectors());
    let exact = ExactScan::new(index.vectors());
    let some: Passing = (0..index.len() as u32).filter(|_| rng.random_bool(0.3)).collect();
    let all: Passing = (0..index.len() as u32).collect();
    for query in clustered(&mut rng, 60, 40).iter().chain(&vectors[..60]) {
        for (k, passing) in [(10, &all), (100, &all), (10, &some), (100, &some)] {
            let found = scan.on(index.vectors()).top(query, k, passing);
            assert_eq!(found, exact.top(query, k, passing));
            assert!(found.len() >= k && found.iter().all(|(doc, _)| passing.contains(*doc)));
        }
    }
}

#[test]
fn messages_of_equal_vectors_are_all_given_where_the_answer_ends_among_them() {
    let mut rng = seeded(8);
    let vector = clustered(&mut rng, 1, 1).remove(0);
    let mut index = UserIndex::default();
    for number in 0..500 {
        let mut doc = doc(&mut rng, number);
        doc.vectors = vec![chunk(&vector)];
        index.insert(doc).unwrap();
    }
    let all: Passing = (0..500).collect();
    let scan = Int8Scan::new(index.vectors());
    assert_eq!(scan.on(index.vectors()).top(&vector, 10, &all).len(), 500);
}

#[test]
fn vectors_that_come_later_replace_those_before_and_end_pending() {
    let mut rng = seeded(9);
    let vectors = clustered(&mut rng, 2, 2);
    let mut index = UserIndex::default();
    let number = index.insert(doc(&mut rng, 0)).unwrap();
    assert_eq!((index.pending(), index.pending_docs().count()), (1, 1));
    index.set_vectors(number, &[chunk(&vectors[0])]).unwrap();
    index.set_vectors(number, &[chunk(&vectors[1])]).unwrap();
    assert_eq!(index.pending(), 0);
    let scan = Int8Scan::new(index.vectors());
    let all: Passing = [number].into_iter().collect();
    let found = scan.on(index.vectors()).top(&vectors[1], 5, &all);
    assert!(found.len() == 1 && found[0].1 > 0.999, "{found:?}");
}

#[test]
fn vectors_that_do_not_fit_are_refused_and_change_nothing() {
    let mut rng = seeded(10);
    let mut index = UserIndex::default();
    let mut first = doc(&mut rng, 0);
    first.vectors = vec![chunk(&[1.0, 0.0, 0.0])];
    index.insert(first).unwrap();
    for wrong in [vec![1.0, 0.0], vec![0.0; 3], vec![f32::NAN, 1.0, 1.0]] {
        let mut doc = doc(&mut rng, 1);
        doc.vectors = vec![chunk(&wrong)];
        assert_eq!(index.insert(doc).unwrap_err().status(), 422);
    }
    assert_eq!(index.len(), 1);
}
