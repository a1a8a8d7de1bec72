//! `cargo xtask sim`: runs seeds, replays one, or shows what becomes of each mutant.

use holdfast_sim::mutants::{self, Mutant, TABLE};
use holdfast_sim::{caught, control, explain, plan, run};
use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::Instant;

const HELP: &str =
    "usage: holdfast-sim [--seeds N] [--from S] [--seed S] [--mutant NAME] [--mutants]";
/// Seeds in which a mutant must be caught.
const MUTANT_SEEDS: u64 = 60;

struct Arguments {
    seeds: u64,
    from: u64,
    seed: Option<u64>,
    mutant: Mutant,
    mutants: bool,
}

fn main() -> ExitCode {
    let Some(arguments) = parse(std::env::args().skip(1)) else {
        eprintln!("{HELP}");
        return ExitCode::from(2);
    };
    let good = match arguments {
        Arguments { mutants: true, .. } => table(),
        Arguments { seed: Some(seed), mutant, .. } => replay(seed, mutant),
        Arguments { seeds, from, mutant, .. } => sweep(from, seeds, mutant),
    };
    if good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn parse(mut words: impl Iterator<Item = String>) -> Option<Arguments> {
    let mut arguments =
        Arguments { seeds: 200, from: 0, seed: None, mutant: Mutant::None, mutants: false };
    while let Some(word) = words.next() {
        match word.as_str() {
            "--seeds" => arguments.seeds = words.next()?.parse().ok()?,
            "--from" => arguments.from = words.next()?.parse().ok()?,
            "--seed" => arguments.seed = Some(words.next()?.parse().ok()?),
            "--mutant" => arguments.mutant = mutants::named(&words.next()?)?,
            "--mutants" => arguments.mutants = true,
            _ => return None,
        }
    }
    Some(arguments)
}

/// Runs seeds; each that breaks is named, and the first of them told with its last events.
fn sweep(from: u64, seeds: u64, mutant: Mutant) -> bool {
    let (begun, mut acknowledged, mut reads, mut steps) = (Instant::now(), 0, 0, 0);
    let (mut kills, mut sealed, mut removed, mut erased, mut days) = (0, 0, 0, 0, 0);
    let (mut broken, mut struck) = (None, BTreeMap::<&str, u64>::new());
    for seed in from..from + seeds {
        let report = run(seed, mutant, 0);
        acknowledged += report.acknowledged;
        reads += report.reads;
        steps += report.steps;
        kills += report.kills;
        (sealed, removed) = (sealed + report.sealed, removed + report.removed);
        (erased, days) = (erased + report.erased, days + report.days);
        for (name, many) in &report.struck {
            *struck.entry(name).or_default() += many;
        }
        if let Some(promise) = &report.broken {
            println!("seed {seed}: {promise}");
            broken.get_or_insert(report);
        }
    }
    if let Some(report) = broken {
        println!("{}", explain(&report, mutant));
        println!("all of it: cargo xtask sim --seed {}", report.seed);
        return false;
    }
    let took = begun.elapsed().as_secs_f64();
    println!("{seeds} seeds from {from}: nothing broken in {took:.1} s");
    println!("{acknowledged} messages acknowledged, 0 lost, 0 resurrected; {kills} kills");
    println!("{sealed} objects sealed, {removed} removed, {erased} erases, {days} days");
    println!("{reads} views checked, {steps} steps");
    struck.iter().for_each(|(name, many)| println!("{many:8} {name}"));
    true
}

fn replay(seed: u64, mutant: Mutant) -> bool {
    println!("{:?}", plan(seed, mutant));
    let report = run(seed, mutant, usize::MAX);
    report.events.iter().for_each(|event| println!("{event}"));
    match &report.broken {
        Some(broken) => println!("seed {seed}: {broken}"),
        None => println!("seed {seed}: nothing broken"),
    }
    report.broken.is_none()
}

/// Each mutant, the seed that catches it, and what it breaks there.
fn table() -> bool {
    let mut good = true;
    for row in TABLE {
        match caught(row, 0..MUTANT_SEEDS) {
            Some(report) if control(report.seed, row.mutant).broken.is_some() => {
                good = false;
                println!("{:32} BROKEN  seed {} breaks without it, too", row.name, report.seed);
            }
            Some(report) => {
                let broken: String = report.broken.unwrap_or_default().chars().take(90).collect();
                println!("{:32} seed {:3} {broken}", row.name, report.seed);
            }
            None => {
                good = false;
                println!("{:32} MISSED  {}", row.name, row.breaks);
            }
        }
    }
    good
}
