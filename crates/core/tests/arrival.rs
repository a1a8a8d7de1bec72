//! The cursor of the feed of changes: whatever arrives is told, however late, and once where nothing is late.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use holdfast_core::arrival::{Arrivals, Told};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use ulid::Ulid;

const NOW: u64 = 1_774_000_000_000;

fn name(at: u64, random: u64) -> u128 {
    Ulid::from_parts(at, u128::from(random)).0
}

/// Follows to the end, in pages of `limit`; says how often each was told.
fn follow(
    told: &mut Told,
    seen: &Arrivals,
    limit: usize,
    now: u64,
    times: &mut BTreeMap<u128, u32>,
) {
    loop {
        *told = Told::parse(&told.text()).unwrap();
        let (page, more) = told.untold(seen, limit);
        assert!(page.is_sorted());
        page.iter().for_each(|name| *times.entry(*name).or_default() += 1);
        told.tell(seen, page.last().copied().filter(|_| more), now);
        if !more {
            return;
        }
    }
}

fn all(names: impl IntoIterator<Item = u128>) -> Arrivals {
    let mut seen = Arrivals::default();
    names.into_iter().for_each(|name| seen.insert(name));
    seen
}

#[test]
fn what_comes_in_order_is_told_once_and_the_place_stays_small() {
    let (mut told, mut times, mut seen) = (Told::default(), BTreeMap::new(), Arrivals::default());
    for number in 0..20_000_u64 {
        let at = NOW + number * 37_000;
        seen.insert(name(at, number));
        if number % 3 == 0 {
            follow(&mut told, &seen, 2, at, &mut times);
        }
    }
    assert!(told.text().len() < 2_000, "{}", told.text().len());
    assert!(times.values().all(|times| *times == 1) && times.len() > 19_990);
}

#[test]
fn what_is_late_by_a_month_is_told_and_little_is_told_again() {
    let (mut told, mut times) = (Told::default(), BTreeMap::new());
    let names: Vec<u128> = (0..3_000).map(|n| name(NOW + n * 3_600_000, n)).collect();
    let now = NOW + 3_000 * 3_600_000;
    follow(&mut told, &all(names.clone()), 10, now, &mut times);
    let late = name(now - 30 * 86_400_000, 7);
    let seen = all(names.iter().copied().chain([late]));
    let mut again = BTreeMap::new();
    follow(&mut told, &seen, 10, now, &mut again);
    assert!(again.contains_key(&late) && again.len() < 600, "{}", again.len());
    follow(&mut told, &seen, 10, now, &mut again);
    assert!(again.values().all(|times| *times == 1), "and then nothing");
}

#[test]
fn what_is_no_place_is_refused() {
    for text in ["", "x", "AAAA", "!!"] {
        assert_eq!(Told::parse(text).unwrap_err().reason, "invalid_cursor");
    }
    assert_eq!(Told::parse(&Told::default().text()).unwrap(), Told::default());
}

#[derive(Debug, Clone)]
enum Deed {
    /// An object is named now and seen by a host after so many deeds.
    Write {
        seen: [u8; 2],
    },
    /// A follower asks one of two hosts.
    Ask {
        host: bool,
        limit: u8,
    },
    Pass {
        seconds: u32,
    },
}

fn deed() -> impl Strategy<Value = Deed> {
    prop_oneof![
        4 => any::<[u8; 2]>().prop_map(|seen| Deed::Write { seen: seen.map(|after| after % 40) }),
        3 => (any::<bool>(), 1_u8..6).prop_map(|(host, limit)| Deed::Ask { host, limit }),
        2 => prop_oneof![0_u32..3, 0_u32..3_000, 0_u32..3_000_000]
            .prop_map(|seconds| Deed::Pass { seconds }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn nothing_is_missed_whichever_host_sees_it_when(deeds in prop::collection::vec(deed(), 1..120)) {
        let (mut now, mut told) = (NOW, Told::default());
        let mut hosts = [Arrivals::default(), Arrivals::default()];
        let mut coming: Vec<(usize, usize, u128)> = Vec::new();
        let (mut times, mut written) = (BTreeMap::new(), BTreeSet::new());
        for (turn, deed) in deeds.iter().enumerate() {
            for (_, host, name) in coming.extract_if(.., |(when, ..)| *when <= turn) {
                hosts[host].insert(name);
            }
            match deed {
                Deed::Write { seen } => {
                    let name = name(now, turn as u64);
                    written.insert(name);
                    coming.extend((0..2).map(|host| (turn + usize::from(seen[host]), host, name)));
                }
                Deed::Ask { host, limit } => {
                    let host = &hosts[usize::from(*host)];
                    let (page, more) = told.untold(host, usize::from(*limit));
                    page.iter().for_each(|name| *times.entry(*name).or_insert(0) += 1);
                    told.tell(host, page.last().copied().filter(|_| more), now);
                    told = Told::parse(&told.text()).unwrap();
                }
                Deed::Pass { seconds } => now += u64::from(*seconds) * 1_000,
            }
        }
        let seen = all(written.iter().copied());
        follow(&mut told, &seen, 3, now, &mut times);
        prop_assert_eq!(times.keys().copied().collect::<BTreeSet<_>>(), written);
    }
}
