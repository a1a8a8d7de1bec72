//! The protocol keeps its promises in every seed, and each way to make it wrong is caught.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use holdfast_sim::mutants::{Mutant, TABLE};
use holdfast_sim::{Report, caught, control, explain, run, run_by_steps};
use std::collections::BTreeMap;

/// What a seed showed once, before the code was mended (`docs/decisions/0011-what-the-simulation-found.md`).
const ONCE: &[(u64, &str)] = &[
    (7, "what landed after the last sweep of an erase stayed for ever"),
    (9, "verify missed what an erase had taken"),
    (16, "what had passed by a clock that was set ahead was written down for ever"),
    (
        40,
        "an erase that lists did not show was sealed over, and orphans of what is not sealed stayed",
    ),
    (47, "a view that polled without rest never saw what its lists left out until it was sealed"),
    (52, "a sweep removed a damaged object that was stored after the erase"),
    (53, "a compaction published segments that were gone"),
    (55, "what was attached right after an erase lost its bytes once its record was sealed"),
    (94, "an ancestor that was forgotten came back as a head without segments"),
    (133, "bytes were withdrawn of a record that its delete did not reach"),
    (140, "an orphan of what is not sealed stayed"),
    (284, "a fork that no list showed for longer than the grace could not be joined"),
    (370, "a follower was told what an erase took, after it was told of the erase"),
    (495, "a clock that was set back between an answer and a write made its name too old"),
    (577, "an erase by a clock that was set ahead hid and removed what came after it"),
    (595, "a fork that could not be joined, with clocks that jump: a user stayed unavailable"),
    (665, "a poll by a clock that was set ahead took the present for seen"),
    (742, "a fork that could not be joined, with erases"),
    (755, "a manifest by a clock that was hours ahead hid what was written before that time"),
    (897, "a clock that was set back between an answer and a write made its name too old"),
    (948, "what a clock that was set ahead named later than an erase reaches stayed for a week"),
    (949, "a segment by a clock that was ahead of the merge that took it stayed for ever"),
    (
        970,
        "a poll by a clock that was set ahead took the present for seen, with lists that are late",
    ),
    (981, "a segment that the newest manifest named was removed, because no list showed that"),
    (1146, "what was sealed apart from the same objects held collections up, once one was removed"),
    (1389, "what a clock that was set ahead named later than an erase reaches stayed for a week"),
];

#[test]
fn what_was_mended_stays_mended() {
    for (seed, once) in ONCE {
        // As it was found, and as it goes today.
        assert_eq!(run_by_steps(*seed).broken, None, "{once}: seed {seed}");
        let report = run(*seed, Mutant::None, 0);
        assert!(report.broken.is_none(), "{once}: {}", explain(&report, Mutant::None));
    }
}

#[test]
fn two_hundred_seeds_keep_every_promise() {
    let reports: Vec<_> = (0..200).map(|seed| run(seed, Mutant::None, 0)).collect();
    if let Some(report) = reports.iter().find(|report| report.broken.is_some()) {
        panic!("{}", explain(report, Mutant::None));
    }
    let sum = |of: fn(&Report) -> u64| reports.iter().map(of).sum::<u64>();
    assert!(sum(|report| report.acknowledged) > 5_000);
    assert!(sum(|report| report.reads) > 5_000);
    let happened =
        [sum(|report| report.kills), sum(|report| report.sealed), sum(|report| report.removed)];
    assert!(happened.iter().all(|many| *many > 500), "{happened:?}");
    assert!(sum(|report| report.erased) > 20);
    let mut struck: BTreeMap<&str, u64> = BTreeMap::new();
    for (name, many) in reports.iter().flat_map(|report| &report.struck) {
        *struck.entry(name).or_default() += many;
    }
    println!("kills, sealed, removed: {happened:?}; struck: {struck:#?}");
    assert!(struck.values().all(|many| *many > 20), "{struck:#?}");
}

#[test]
fn a_seed_replays() {
    for seed in 0..5 {
        let (one, other) =
            (run(seed, Mutant::None, usize::MAX), run(seed, Mutant::None, usize::MAX));
        assert_eq!(one.events, other.events);
        assert_eq!(one.steps, other.steps);
    }
}

#[test]
fn every_mutant_is_caught_and_the_right_code_keeps_its_promises_in_the_same_course() {
    for row in TABLE {
        let report = caught(row, 0..60);
        let seed = report.unwrap_or_else(|| panic!("{} is not caught", row.name)).seed;
        let right = control(seed, row.mutant);
        assert_eq!(right.broken, None, "seed {seed}, planned for {}", row.name);
    }
}
