//! A small run costs what it cost when the baseline was written, within a tenth: who changes that, says so here and in `docs/cost.md`.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use holdfast_cost::{Bill, Load, month};

const LOAD: Load =
    Load { messages: 3_000, batch: 1, days: 3, session: 1000, vectors: true, seed: 1 };

fn near(what: &str, load: Load, baseline: Bill) {
    let bill = month(load).unwrap();
    let members = |bill: &Bill| {
        let Bill { puts, gets, lists, deletes, written, read, removed, kept } = *bill;
        [puts, gets, lists, deletes, written, read, removed, kept]
    };
    for (now, then) in members(&bill).into_iter().zip(members(&baseline)) {
        let near = then.abs_diff(now) * 10 <= then;
        assert!(near, "{what}: {now} is not near {then}\n  now {bill:?}\n  was {baseline:?}");
    }
}

#[test]
fn three_days_of_single_messages_cost_what_they_did() {
    near(
        "single",
        LOAD,
        Bill {
            puts: 3_009,
            gets: 3_029,
            lists: 45,
            deletes: 3_001,
            written: 15_803_209,
            read: 9_863_740,
            removed: 12_292_096,
            kept: 3_511_113,
        },
    );
}

#[test]
fn three_days_of_batches_cost_what_they_did() {
    near(
        "batches",
        Load { batch: 16, ..LOAD },
        Bill {
            puts: 197,
            gets: 217,
            lists: 36,
            deletes: 189,
            written: 8_588_460,
            read: 8_621_766,
            removed: 5_411_957,
            kept: 3_176_503,
        },
    );
}

#[test]
fn a_month_of_a_small_user_costs_what_it_did() {
    let load = Load { messages: 100, days: 30, session: 10, ..LOAD };
    near(
        "small user",
        load,
        Bill {
            puts: 109,
            gets: 247,
            lists: 225,
            deletes: 102,
            written: 531_496,
            read: 623_440,
            removed: 417_792,
            kept: 146_031,
        },
    );
}

#[test]
fn a_message_costs_one_put_and_a_batch_no_more() {
    let single = month(LOAD).unwrap();
    let batches = month(Load { batch: 16, ..LOAD }).unwrap();
    assert!(single.puts >= 3_000 && single.puts < 3_100, "{single:?}");
    assert!(batches.puts >= 188 && batches.puts < 250, "{batches:?}");
    assert!(batches.standing() < single.standing());
}
