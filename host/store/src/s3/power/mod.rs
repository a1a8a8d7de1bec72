//! The power is cut behind every single step that the store takes on its file system: what was
//! acknowledged is there and whole, what was not is there whole or not at all, and stays as it is.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::unreachable,
    clippy::wildcard_imports,
    reason = "tests"
)]

mod machine;
mod medium;

use std::collections::BTreeMap;

use machine::{Act, Machine, Shown};
use medium::{End, Medium};

/// S3's least size of a part that is not the last.
const PART: usize = 5 << 20;

const STORIES: &[&[Act]] = &[
    &[Act::Put("a", 9), Act::Put("empty", 0), Act::Put("a", 20)],
    &[Act::Put("large", (2 << 20) + 7)],
    &[Act::PutNew("new", 3000), Act::Delete("new"), Act::PutNew("new", 2)],
    &[Act::Put("a", 30), Act::Copy("a", "b"), Act::Put("b", 1), Act::Copy("a", "b")],
    &[Act::Put("a", 1), Act::Put("b", 2), Act::Put("c", 3), Act::DeleteMany(&["a", "none", "c"])],
    &[
        Act::Put("a", 5),
        Act::Begin("a"),
        Act::Part("a", 2, 7),
        Act::Part("a", 2, 8),
        Act::Complete("a"),
    ],
    &[Act::Begin("up"), Act::Part("up", 1, 6), Act::Abort("up")],
    &[Act::MakeBucket("other"), Act::DropBucket("other"), Act::MakeBucket("other")],
];

/// What a story shows at its beginning and behind each act, and the steps and syncs behind each.
struct Telling {
    shown: Vec<Shown>,
    steps: Vec<(u64, u64)>,
}

async fn told(story: &[Act]) -> Telling {
    let medium = Medium::new();
    let machine = Machine::start(&medium).unwrap();
    let (mut shown, mut steps) = (vec![machine.shown().await.unwrap()], vec![medium.steps()]);
    let mut ids = BTreeMap::new();
    for act in story {
        machine.act(*act, &mut ids).await.unwrap();
        shown.push(machine.shown().await.unwrap());
        steps.push(medium.steps());
    }
    Telling { shown, steps }
}

/// Whether each name holds what it held before or holds after.
fn lies_between(shown: &Shown, before: &Shown, after: &Shown) -> bool {
    let names = shown.keys().chain(before.keys()).chain(after.keys());
    names.into_iter().all(|name| {
        let now = shown.get(name);
        now == before.get(name) || now == after.get(name)
    })
}

/// Plays a story until the power goes: how many acts were acknowledged.
async fn played(medium: &Medium, story: &[Act], ids: &mut BTreeMap<&'static str, String>) -> usize {
    let Ok(machine) = Machine::start(medium) else { return 0 };
    for (number, act) in story.iter().enumerate() {
        if machine.act(*act, ids).await.is_err() {
            return number;
        }
    }
    story.len()
}

async fn ends_well(story: &[Act], telling: &Telling, cut: u64, end: End) {
    let what = format!("{story:?}, cut after step {cut}, {end:?}");
    let (medium, mut ids) = (Medium::new(), BTreeMap::new());
    medium.cut_after(cut);
    let acknowledged = played(&medium, story, &mut ids).await;
    let medium = medium.after(end);
    let shown = Machine::start(&medium).unwrap().shown().await.unwrap();
    let before = &telling.shown[acknowledged];
    let after = telling.shown.get(acknowledged + 1).unwrap_or(before);
    assert!(lies_between(&shown, before, after), "{what}: {shown:?} after {acknowledged} acts");

    // What has been shown stays, even when it was only a process that had ended before.
    let medium = medium.after(End::Lost);
    let machine = Machine::start(&medium).unwrap();
    assert_eq!(machine.shown().await.unwrap(), shown, "{what}: not what was shown before");

    // And who asks again for what was not acknowledged gets where the story leads.
    for act in story.iter().skip(acknowledged) {
        if let Err(refused) = machine.act(*act, &mut ids).await {
            let done = ["PreconditionFailed", "NoSuchUpload", "BucketAlreadyOwnedByYou"];
            let done = done.contains(&refused.as_str()) || refused == "NoSuchBucket";
            assert!(done, "{what}: {act:?} again: {refused}");
        }
    }
    let last = telling.shown.last().unwrap();
    let mut now = machine.shown().await.unwrap();
    // An upload whose id was never told is begun once more.
    now.retain(|name, _| last.contains_key(name) || !name.starts_with("upload "));
    assert_eq!(&now, last, "{what}: asked again");
}

#[tokio::test]
async fn with_the_power_cut_behind_every_step_what_was_acknowledged_is_there_whole_and_stays() {
    let mut cuts = 0;
    for story in STORIES {
        let telling = told(story).await;
        for cut in 0..=telling.steps.last().unwrap().0 {
            let mixed = (0..6).map(|seed| End::Mixed(cut * 6 + seed));
            for end in [End::Lost, End::Killed].into_iter().chain(mixed) {
                ends_well(story, &telling, cut, end).await;
                cuts += 1;
            }
        }
    }
    assert!(cuts > 1000, "{cuts}");
}

#[tokio::test]
async fn a_large_upload_in_parts_is_whole_once_it_is_acknowledged() {
    let story =
        [Act::Begin("up"), Act::Part("up", 1, PART), Act::Part("up", 2, 9), Act::Complete("up")];
    let telling = told(&story).await;
    // The completion: its first step, some in the copy of the parts, and each that gives it its name.
    let (from, to) = (telling.steps[3].0, telling.steps[4].0);
    for cut in [from, from + 1, (from + to) / 2].into_iter().chain(to - 10..=to) {
        ends_well(&story, &telling, cut, End::Lost).await;
    }
}

/// The checker is worth something: of a store that leaves out any one sync it tells.
#[tokio::test]
async fn any_one_sync_that_is_left_out_is_noticed() {
    let mut left_out = 0;
    for story in STORIES {
        let telling = told(story).await;
        for (number, act) in story.iter().enumerate() {
            let (from, to) = (telling.steps[number].1, telling.steps[number + 1].1);
            assert!(to > from, "{act:?} syncs nothing");
            for sync in from + 1..=to {
                let (medium, mut ids) = (Medium::new(), BTreeMap::new());
                medium.skip_sync(sync);
                let played = played(&medium, &story[..=number], &mut ids).await;
                assert_eq!(played, number + 1);
                let medium = medium.after(End::Lost);
                let Ok(machine) = Machine::start(&medium) else { continue };
                let shown = machine.shown().await;
                let right = shown.is_ok_and(|shown| shown == telling.shown[number + 1]);
                assert!(!right, "{story:?}, {act:?}, sync {sync} is left out, and nobody notices");
                left_out += 1;
            }
        }
    }
    assert!(left_out > 30, "{left_out}");
}
