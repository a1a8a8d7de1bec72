//! The highest time of a view: records that lie far ahead do not hide the ones that clocks may follow.
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use holdfast_core::Hlc;
use holdfast_core::fold::View;
use holdfast_core::message::Role;
use holdfast_core::session::SessionFields;
use support::{at, fields, order, record, saying};

#[test]
fn the_highest_time_within_a_limit_passes_over_what_lies_above_it() {
    let far = 1 << 40;
    let records = [
        (record("s", "a", 5, saying(Role::User, "a")), order(5, 1)),
        (fields("s", 7, &SessionFields::default()), order(7, 2)),
        (record("s", "b", far, saying(Role::User, "b")), order(far, 3)),
    ];
    let mut view = View::default();
    view.apply(records.iter().map(|(record, order)| (record, *order))).unwrap();
    assert_eq!(view.highest(), at(far));
    assert_eq!(view.highest_within(at(far)), at(far));
    assert_eq!(view.highest_within(at(far - 1)), at(7));
    assert_eq!(view.highest_within(at(6)), at(5));
    assert_eq!(view.highest_within(Hlc(0)), Hlc(0));
}
