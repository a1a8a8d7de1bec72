//! A seeded simulation of the journal: hosts, clients and a bad object store in virtual time, and a checker of what the
//! storage design promises. See the README beside it.

mod bucket;
pub mod checker;
pub mod client;
mod ending;
pub mod executor;
pub mod host;
pub mod mutants;
pub mod plan;
pub mod random;
pub mod store;
pub mod world;

use mutants::{Mutant, Row};
use plan::{Course, Plan};
use world::World;

/// Lines of a trace that are enough to tell how a run came to break.
const TOLD: usize = 400;
/// Steps after which a run is taken for endless.
const MOST_STEPS: u64 = 5_000_000;

/// What came of a run.
#[derive(Debug)]
pub struct Report {
    /// Its seed.
    pub seed: u64,
    /// The promise that was broken, if one was.
    pub broken: Option<String>,
    /// The last events, when they were asked for.
    pub events: Vec<String>,
    /// Messages that were acknowledged.
    pub acknowledged: u64,
    /// Views that were checked.
    pub reads: u64,
    /// Steps of tasks.
    pub steps: u64,
    /// Hosts that died.
    pub kills: u64,
    /// WAL objects that were sealed.
    pub sealed: u64,
    /// Objects that were removed.
    pub removed: u64,
    /// Erases that were answered.
    pub erased: u64,
    /// Days that passed.
    pub days: u64,
    /// What struck and what was driven, by name: how often.
    pub struck: Vec<(&'static str, u64)>,
}

/// Runs one seed; so many of the last events are kept. With the right code it is driven with everything, and in odd seeds a
/// compaction surveys the bucket once for all its steps, as the host does, else before each, as who asks for a single step does.
pub fn run(seed: u64, mutant: Mutant, kept: usize) -> Report {
    report(course(seed, mutant), mutant, kept)
}

/// Runs one seed as the first seeds were: with what they drove, and with compactions that survey the bucket before each step.
pub fn run_by_steps(seed: u64) -> Report {
    control(seed, Mutant::None)
}

/// Runs one seed as it is planned for a mutant, with code that is right.
pub fn control(seed: u64, planned: Mutant) -> Report {
    report(Course { seed, wide: false, runs: false, planned }, Mutant::None, 0)
}

fn course(seed: u64, mutant: Mutant) -> Course {
    let right = mutant == Mutant::None;
    Course { seed, wide: right, runs: right && seed % 2 == 1, planned: mutant }
}

fn report(course: Course, mutant: Mutant, kept: usize) -> Report {
    let seed = course.seed;
    let world = World::new(course, mutant, kept);
    world.trace(|| format!("seed {seed}: {:?}", world.plan));
    world.populate();
    let ended = |clients: usize| {
        let world = &world;
        move || world.left() >= clients || world.broken().is_some()
    };
    let clients = world.plan.clients;
    let mut in_time = world.executor.run(MOST_STEPS, ended(clients));
    if in_time && world.broken().is_none() {
        world.trace(|| "calm".to_owned());
        world.calm_down();
        world.inspect();
        in_time = world.executor.run(MOST_STEPS, ended(clients + 1));
    }
    if !in_time {
        world.fail("P7: the run does not end".to_owned());
    } else if world.broken().is_none() && world.left() <= clients {
        world.fail("P7: everybody waits for ever".to_owned());
    }
    let checker = world.checker.borrow();
    Report {
        seed,
        broken: world.broken(),
        events: world.events(),
        acknowledged: checker.acknowledged,
        reads: checker.reads,
        steps: world.executor.polls(),
        kills: world.counts.kills.get(),
        sealed: world.counts.sealed.get(),
        removed: world.counts.removed.get(),
        erased: world.counts.erased.get(),
        days: world.days(),
        struck: struck(&world),
    }
}

fn struck(world: &World) -> Vec<(&'static str, u64)> {
    let (counts, faults) = (&world.counts, &world.store.faults);
    let checker = world.checker.borrow();
    vec![
        ("pauses longer than the grace", counts.long_pauses.get()),
        ("objects that lists left out", faults.omitted.get()),
        ("damaged bytes", faults.damaged.get()),
        ("deleted objects that were shown", faults.lingering.get()),
        ("the same bytes again", faults.renewed.get()),
        ("physical deletes", checker.purges),
        ("segments sealed anew without what was purged", counts.resealed.get()),
        ("times that what has passed was written down", counts.passed.get()),
        ("pages of changes that were told", counts.told.get()),
        ("attachments that were stored", counts.attached.get()),
        ("attachments whose bytes were removed", checker.detached),
        ("index parts that were left", counts.parts.get()),
        ("views that began from an index part", counts.restored.get()),
        ("messages whose bytes are gone", checker.gone),
    ]
}

/// What a seed decides.
pub fn plan(seed: u64, mutant: Mutant) -> Plan {
    course(seed, mutant).drawn().0
}

/// Runs a seed again, to tell how it came to break.
pub fn explain(report: &Report, mutant: Mutant) -> String {
    let again = run(report.seed, mutant, TOLD);
    let broken = report.broken.as_deref().unwrap_or("nothing");
    let replays = if again.broken == report.broken { "" } else { "\n(it does not replay)" };
    format!("{}\nseed {}: {broken}{replays}", again.events.join("\n"), report.seed)
}

/// The first of these seeds in which the mutant is caught by what it breaks.
pub fn caught(row: &Row, seeds: impl IntoIterator<Item = u64>) -> Option<Report> {
    let broken = |report: &Report| report.broken.as_ref().is_some_and(|b| b.starts_with(row.by));
    let seeds = std::iter::once(row.seed).chain(seeds.into_iter().filter(|seed| *seed != row.seed));
    seeds.map(|seed| run(seed, row.mutant, 0)).find(broken)
}
