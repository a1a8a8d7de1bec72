//! tmp
mod support;
use holdfast_core::fold::View;
use holdfast_core::message::Role;
use support::{order, record, saying};
#[test]
fn speed() {
    for n in [5_000u64, 20_000] {
        let mut all: Vec<_> = (1..=n)
            .map(|t| {
                (
                    record("s", &format!("m{t}"), t, saying(Role::User, "hello")),
                    order(t, u128::from(t)),
                )
            })
            .collect();
        for chunk in all.chunks_mut(16) {
            chunk.reverse();
        }
        let begun = std::time::Instant::now();
        let mut view = View::default();
        for (r, o) in &all {
            view.apply([(r, *o)]).unwrap();
        }
        println!("SPEED {n} {:?}", begun.elapsed());
    }
}
