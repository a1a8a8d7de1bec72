//! `docs/cost.md` is what the code does now: its text to the letter, and its cheapest line, counted anew, within a tenth.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

use holdfast_cost::{FOOT, HEAD, line};

const PAGE: &str = include_str!("../../../docs/cost.md");

/// What stands between the bars.
fn cells(line: &str) -> Vec<&str> {
    line.trim_matches(['|', ' ', '\n']).split('|').map(str::trim).collect()
}

fn number(cell: &str) -> f64 {
    cell.replace(',', "").parse().unwrap_or_else(|_| panic!("{cell} is no number"))
}

#[test]
fn the_page_says_what_the_program_says() {
    assert!(PAGE.starts_with(HEAD), "run `cargo xtask cost`");
    assert!(PAGE.ends_with(FOOT), "run `cargo xtask cost`");
}

#[test]
fn many_small_users_who_write_batches_without_vectors_cost_what_the_page_says() {
    let now = line(10_000, 16, false).unwrap();
    let wanted = cells(&now);
    assert_eq!(wanted.len(), 11, "{now}");
    let then = PAGE.lines().map(cells).find(|cells| cells.starts_with(&wanted[..3]));
    let then = then.unwrap_or_else(|| panic!("the page has no line like {now}"));
    for (then, now) in then.iter().zip(&wanted).skip(3) {
        let (then, now) = (number(then), number(now));
        // Two decimals are rounded.
        assert!(
            (then - now).abs() <= then / 10.0 + 0.01,
            "{now} is not near {then}: run `cargo xtask cost`"
        );
    }
}
