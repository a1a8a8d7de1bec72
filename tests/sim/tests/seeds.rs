//! The protocol keeps its promises in every seed, and each way to make it wrong is caught.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use holdfast_sim::mutants::{Mutant, TABLE};
use holdfast_sim::{caught, explain, run};

#[test]
fn two_hundred_seeds_keep_every_promise() {
    let reports: Vec<_> = (0..200).map(|seed| run(seed, Mutant::None, false)).collect();
    if let Some(report) = reports.iter().find(|report| report.broken.is_some()) {
        panic!("{}", explain(report, Mutant::None));
    }
    assert!(reports.iter().map(|report| report.acknowledged).sum::<u64>() > 5_000);
    assert!(reports.iter().map(|report| report.reads).sum::<u64>() > 5_000);
}

#[test]
fn a_seed_replays() {
    for seed in 0..5 {
        let (one, other) = (run(seed, Mutant::None, true), run(seed, Mutant::None, true));
        assert_eq!(one.events, other.events);
        assert_eq!(one.steps, other.steps);
    }
}

#[test]
fn every_mutant_is_caught() {
    for row in TABLE {
        let Some(mutant) = row.mutant else {
            println!("{}: later, {}", row.name, row.breaks);
            continue;
        };
        assert!(caught(mutant, 0..400).is_some(), "{} is not caught", row.name);
    }
}
