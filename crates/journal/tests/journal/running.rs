//! Steps that share one survey: they lead where single steps lead, for requests that grow with the journal alone.

use crate::compacting::{eager, filled};
use crate::world::{DAY, MINUTE, NOW, World, ledger, scope};
use futures::executor::block_on;
use holdfast_core::token::Frontier;
use holdfast_journal::{Compaction, Lag, Next, Rules, Step, lag};

/// Small steps: 20 objects each.
fn small() -> Rules {
    Rules { step_objects: 20, ..eager() }
}

async fn run(world: &World, rules: &Rules) -> Vec<Step> {
    let (scope, ledger, mut steps) = (scope(), ledger(), Vec::new());
    let opened = Compaction::open(&world.outside(), &scope, &ledger, rules).await.unwrap();
    let mut compaction = opened.unwrap();
    loop {
        let step = compaction.step(&world.outside()).await.unwrap();
        world.pass(1);
        let done = step.next == Next::Done;
        steps.push(step);
        if done {
            return steps;
        }
    }
}

fn requests(world: &World) -> usize {
    let (gets, puts, lists) = (world.gets.take(), world.puts.take(), world.lists.take());
    gets.len() + puts.len() + lists.len()
}

#[test]
fn a_run_leads_where_single_steps_lead_and_its_manifests_are_one_line_of_ancestors() {
    block_on(async {
        let (by_run, by_steps) = (World::new(), World::new());
        for world in [&by_run, &by_steps] {
            filled(world, 190).await;
        }
        let before = by_run.read_wal().await;
        let steps = run(&by_run, &small()).await;
        let others = by_steps.compact_all(&small()).await;
        let sums = |steps: &[Step]| {
            steps.iter().map(|step| (step.sealed, step.merged, step.next)).collect::<Vec<_>>()
        };
        assert_eq!(sums(&steps), sums(&others));
        let (journal, seen) = by_run.read().await.unwrap();
        assert_eq!((seen, journal.objects()), (before, 190));
        // The last is the only head: a step after it finds nothing to join.
        assert_eq!(by_run.compact(&small()).await.unwrap(), Step::default());
        assert_eq!(journal.frontier().head, Some(by_run.keys_of("man").pop().unwrap().to_string()));
    });
}

#[test]
fn what_is_written_amid_a_run_is_never_lost_and_sealed_by_the_next() {
    block_on(async {
        let world = World::new();
        filled(&world, 60).await;
        let (scope, ledger, rules) = (scope(), ledger(), small());
        let opened = Compaction::open(&world.outside(), &scope, &ledger, &rules).await.unwrap();
        let mut compaction = opened.unwrap();
        for round in 0..8 {
            let _ = compaction.step(&world.outside()).await.unwrap();
            world.store(&Frontier::default(), &[&format!("amid {round}")]).await.unwrap();
            world.pass(1);
        }
        assert_eq!(world.read().await.unwrap().0.objects(), 68);
        run(&world, &rules).await;
        let (journal, seen) = world.read().await.unwrap();
        assert_eq!((journal.objects(), seen), (68, world.read_wal().await));
        let left = lag(&world.outside(), &scope, &ledger, &rules).await.unwrap();
        assert_eq!(left, Lag::default());
    });
}

#[test]
fn a_run_that_goes_on_for_too_long_publishes_nothing_more() {
    block_on(async {
        let world = World::new();
        filled(&world, 60).await;
        let (scope, ledger, rules) = (scope(), ledger(), small());
        let opened = Compaction::open(&world.outside(), &scope, &ledger, &rules).await.unwrap();
        let mut compaction = opened.unwrap();
        let _ = compaction.step(&world.outside()).await.unwrap();
        world.pass(31 * MINUTE);
        assert_eq!(compaction.step(&world.outside()).await.unwrap_err().reason, "unavailable");
        assert_eq!(world.keys_of("man").len(), 1);
    });
}

#[test]
fn requests_of_a_run_grow_with_the_journal_and_not_with_its_square() {
    let counted = |objects: usize, steps: bool| {
        block_on(async {
            let world = World::new();
            filled(&world, objects).await;
            requests(&world);
            let done =
                if steps { world.compact_all(&small()).await } else { run(&world, &small()).await };
            assert!(done.len() > objects / 20);
            requests(&world)
        })
    };
    let (few, many) = (counted(400, false), counted(3_200, false));
    let single = counted(3_200, true);
    println!("400 objects: {few} requests; 3200 objects: {many}, by single steps {single}");
    assert!(many < few * 8 * 3 / 2, "8 times the objects: {few} and {many} requests");
    assert!(many * 2 < single, "a run of steps: {many} requests, single steps: {single}");
}

#[test]
fn a_journal_is_behind_when_much_or_old_is_left_and_not_when_it_was_sealed() {
    block_on(async {
        let (world, rules) = (World::new(), Rules::default());
        let (scope, ledger) = (scope(), ledger());
        let now = async || lag(&world.outside(), &scope, &ledger, &rules).await.unwrap();
        assert_eq!(now().await, Lag::default());
        filled(&world, 3).await;
        let found = now().await;
        assert_eq!((found.objects, found.oldest), (3, Some(NOW)));
        assert!(found.bytes > 0 && !found.is_long(&rules, NOW + 13 * DAY));
        assert!(found.is_long(&rules, NOW + 14 * DAY));
        filled(&world, 637).await;
        assert!(now().await.is_long(&rules, NOW));
        world.compact_all(&rules).await;
        assert_eq!(now().await, Lag::default());
    });
}

#[test]
fn a_journal_that_is_more_than_is_kept_in_memory_is_sealed_once_and_collected_wholly() {
    block_on(async {
        let world = World::new();
        filled(&world, 60).await;
        let before = world.read_wal().await;
        let rules = Rules { step_objects: 8, listed_objects: 10, known_names: 20, ..eager() };
        let sealed = |steps: &[Step]| steps.iter().map(|step| step.sealed).sum::<usize>();
        assert_eq!(sealed(&run(&world, &rules).await), 60);
        assert_eq!(sealed(&world.compact_all(&rules).await), 0);
        let behind = lag(&world.outside(), &scope(), &ledger(), &rules).await.unwrap();
        assert_eq!(behind, Lag::default());
        assert_eq!(world.read().await.unwrap().1, before);
        world.pass(15 * DAY);
        while world.collect(&rules).await.unwrap().next == Next::More {}
        assert_eq!(world.keys_of("wal"), []);
        assert_eq!(world.read().await.unwrap().1, before);
    });
}

#[test]
fn a_manifest_after_a_step_of_many_says_from_when_on_the_rest_is_to_be_listed() {
    block_on(async {
        let world = World::new();
        for number in 0..12 {
            world.store(&Frontier::default(), &[&format!("m{number}")]).await.unwrap();
            world.pass(60 * MINUTE);
        }
        let before = world.read_wal().await;
        let rules = Rules { listed_objects: 4, ..eager() };
        assert_eq!(world.compact(&rules).await.unwrap().sealed, 4);
        // The first page is listed beside the manifests: what is not on it from then on.
        world.memory.set_page(2);
        assert_eq!(world.read().await.unwrap().1, before);
    });
}
