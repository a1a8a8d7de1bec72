//! Exports over a store in memory: whole or not there, whoever dies; and never what must not be learned.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod world;

use futures::executor::block_on;
use holdfast_core::erase::Ledger;
use holdfast_core::exported::Exported;
use holdfast_core::message::{Message, Role};
use holdfast_core::ports::{Clock, Objects};
use holdfast_core::{Key, Scope, UserId, key};
use holdfast_export::{
    Asked, Feedback, MANIFEST, Rated, Selection, Status, cancel, list, running, show,
};
use holdfast_formats::training::{Format, LeftOut, Manifest, Split};
use holdfast_objects::Outcome;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use world::{Talks, World, asked, attached, tenant};

fn whole(world: &World, id: &str, manifest: &Manifest) {
    let mut files = world.files(id);
    assert!(files.remove(MANIFEST).is_some());
    assert!(files.remove("_work/asked.json").is_some());
    for file in &manifest.files {
        let bytes =
            files.remove(&file.name).unwrap_or_else(|| panic!("{} is not there", file.name));
        assert_eq!(file.bytes, bytes.len() as u64);
        assert_eq!(file.sha256, hex::encode(Sha256::digest(&bytes)));
    }
    // By these an erase finds it.
    files.retain(|name, _| !name.starts_with(key::EXPORT_USERS));
    assert!(files.is_empty(), "{:?}", files.keys());
    assert_eq!(manifest.files.iter().map(|f| f.examples).sum::<u64>(), manifest.report.examples);
}

#[test]
fn an_export_of_every_format_is_the_tree_that_its_manifest_says() {
    let talks = Talks::with(3, 5);
    for format in Format::ALL {
        let world = World::new();
        let id = world.start(asked(format));
        let manifest = world.finish(&talks, &id);
        whole(&world, &id, &manifest);
        assert_eq!(manifest.report.sessions, 15, "{format:?}");
        let pairs = matches!(format, Format::OpenaiPreference | Format::TrlPreference);
        assert_eq!(manifest.report.examples, if pairs { 0 } else { 15 }, "{format:?}");
        assert!(matches!(world.step(&talks, &id).unwrap().status, Status::Done));
    }
}

#[test]
fn there_is_no_manifest_before_all_else_is_there() {
    let (world, talks) = (World::new(), Talks::with(2, 3));
    let id = world.start(asked(Format::TrlSft));
    loop {
        let before = world.files(&id);
        if world.step(&talks, &id).unwrap().status == Status::Done {
            assert!(
                before.contains_key("train.jsonl") && before.contains_key("sources/train.jsonl")
            );
            return;
        }
        assert!(!world.files(&id).contains_key(MANIFEST));
    }
}

#[test]
fn whoever_dies_at_any_write_the_next_goes_on_to_the_same_files() {
    let talks = Talks::with(2, 3);
    for format in [Format::Openai, Format::Parquet, Format::Langchain] {
        let world = World::new();
        let id = world.start(asked(format));
        let expected = world.finish(&talks, &id);
        for outcome in [Outcome::Refused, Outcome::LostAnswer, Outcome::LostRequest] {
            for at in 0..24 {
                let world = World::new();
                let id = world.start(asked(format));
                let before = std::iter::repeat_n(Outcome::Done, at);
                world.bucket.next_puts(before.chain([outcome, outcome]));
                let manifest = world.finish(&talks, &id);
                whole(&world, &id, &manifest);
                let names = |manifest: &Manifest| -> Vec<(String, String)> {
                    let lines = manifest.files.iter().filter(|file| file.name != "README.md");
                    lines.map(|file| (file.name.clone(), file.sha256.clone())).collect()
                };
                assert_eq!(names(&manifest), names(&expected), "{format:?} {outcome:?} at {at}");
                assert_eq!(manifest.report, expected.report);
            }
        }
    }
}

#[test]
fn a_mark_that_comes_at_any_step_is_heeded() {
    for format in [Format::TrlSft, Format::Parquet, Format::Langchain] {
        for at in 0..40 {
            let (world, talks) = (World::new(), Talks::with(2, 3));
            let id = world.start(asked(format));
            for _ in 0..at {
                world.step(&talks, &id).unwrap();
            }
            if show_status(&world, &id) == Status::Done {
                break;
            }
            talks.mark("user0", "s1");
            talks.erase("user1");
            let manifest = world.finish(&talks, &id);
            // Marks that come before the last look at their session.
            if manifest.report.left_out.is_empty() {
                let done = world.files(&id);
                assert!(done.contains_key(MANIFEST), "only the manifest was missing");
                continue;
            }
            whole(&world, &id, &manifest);
            let text = world.text(&id);
            assert!(
                !text.contains("user0 in s1") && !text.contains("of user1"),
                "{format:?} at {at}"
            );
            assert_eq!(manifest.report.examples, 2, "{format:?} at {at}");
        }
    }
}

/// Steps that an export of these takes when nothing changes.
fn steps(talks: &Talks, format: Format) -> usize {
    let world = World::new();
    let id = world.start(asked(format));
    let step = |_: &usize| world.step(talks, &id).unwrap().status == Status::Done;
    (1..500).find(step).unwrap()
}

#[test]
fn a_message_that_is_deleted_at_any_step_is_not_in_the_export() {
    let formats = [Format::TrlSft, Format::TrlKto, Format::Parquet, Format::Langchain];
    for (format, thinned) in formats.into_iter().zip([true, true, true, false]) {
        let mut counted = 0;
        // What is deleted after the last look at its file is not heeded; in the tree each session is a file here.
        let looks = if thinned { 1 } else { 6 };
        for at in 0..steps(&Talks::with(2, 3), format) - 1 - looks {
            let (world, talks) = (World::new(), Talks::with(2, 3));
            let id = world.start(asked(format));
            for _ in 0..at {
                assert_eq!(world.step(&talks, &id).unwrap().status, Status::Running);
            }
            talks.delete("user0", "s1", "m0");
            let manifest = world.finish(&talks, &id);
            whole(&world, &id, &manifest);
            assert!(!world.text(&id).contains("user0 in s1, mail"), "{format:?} at {at}");
            let gone = manifest.report.left_out.get(&LeftOut::MessageGone);
            assert!(counted == 0 || gone.is_some(), "{format:?} at {at}: it was gathered by then");
            counted += gone.copied().unwrap_or(0);
            assert!(manifest.report.examples >= 5, "{format:?} at {at}: {:?}", manifest.report);
        }
        assert_eq!(counted > 0, thinned, "{format:?}");
        let text = {
            let world = World::new();
            let id = world.start(asked(format));
            world.finish(&Talks::with(2, 3), &id);
            world.text(&id)
        };
        let packed = format == Format::Parquet;
        assert!(
            packed || text.contains("user0 in s1, mail"),
            "{format:?}: it is there to be found"
        );
    }
}

#[test]
fn an_attached_database_stands_beside_its_session_and_goes_with_it() {
    let (world, talks) = (World::new(), Talks::with(1, 3));
    for session in ["s0", "s1"] {
        attached(&world, &talks, "user0", session, &[b"SQLite format 3\0".as_slice(), b"rest"]);
    }
    let id = world.start(asked(Format::Langchain));
    let manifest = world.finish(&talks, &id);
    whole(&world, &id, &manifest);
    let databases = |manifest: &Manifest| -> Vec<String> {
        let names = manifest.files.iter().map(|file| file.name.clone());
        names.filter(|name| name.starts_with("storage/db/")).collect()
    };
    let names = databases(&manifest);
    assert_eq!(names.len(), 2);
    for name in &names {
        assert_eq!(world.files(&id)[name], b"SQLite format 3\0rest");
        let memory = name.replace("/db/", "/memory/").replace(".db", ".json");
        assert!(world.files(&id).contains_key(&memory), "{memory}");
    }
    talks.mark("user0", "s1");
    let id = world.start(asked(Format::Langchain));
    assert_eq!(databases(&world.finish(&talks, &id)).len(), 1);
    // One that is gone, and what cannot be made anonymous, are counted.
    let part = talks.databases.borrow()[&("user0".to_owned(), "s0".to_owned())].parts[0].clone();
    let key = Key::raw(format!("v1/t/acme/u/user0/{}", part.name));
    block_on(world.bucket.delete(&key)).unwrap();
    for asked in [asked(Format::Langchain), Asked { anonymize: true, ..asked(Format::Langchain) }] {
        let id = world.start(asked);
        let manifest = world.finish(&talks, &id);
        assert_eq!(
            (databases(&manifest).len(), manifest.report.left_out[&LeftOut::Database]),
            (0, 1)
        );
    }
}

fn show_status(world: &World, id: &str) -> Status {
    block_on(show(&world.outside(), &tenant(), id, None)).unwrap().status
}

#[test]
fn a_session_that_is_deleted_while_others_are_read_makes_nobody_be_skipped() {
    let (world, talks) = (World::new(), Talks::with(1, 6));
    let id = world.start(asked(Format::Openai));
    world.step(&talks, &id).unwrap();
    talks.remove("user0", "s0");
    let manifest = world.finish(&talks, &id);
    assert_eq!(manifest.report.examples, 5);
    assert_eq!(manifest.report.left_out, [(LeftOut::Gone, 1)].into());
}

#[test]
fn users_and_sessions_that_are_marked_never_enter() {
    let talks = Talks::with(2, 2);
    talks.mark("user0", "s1");
    talks.no_train.borrow_mut().push("user1".to_owned());
    let world = World::new();
    let id = world.start(asked(Format::Openai));
    let manifest = world.finish(&talks, &id);
    assert_eq!(manifest.report.examples, 1);
    let expected = [(LeftOut::NoTrain, 1), (LeftOut::NoTrainUser, 1)];
    assert_eq!(manifest.report.left_out, expected.into());
}

#[test]
fn a_selection_takes_users_sessions_and_metadata() {
    let talks = Talks::with(3, 4);
    talks.add("user1", "s9", json!({"topic": "ovens"}));
    let made = |selection: Selection| {
        let world = World::new();
        let id = world.start(Asked { selection, ..asked(Format::Openai) });
        world.finish(&talks, &id).report.examples
    };
    let of = |users: &[&str], sessions: &[&str]| Selection {
        users: users.iter().map(|one| (*one).to_owned()).collect(),
        sessions: sessions.iter().map(|one| (*one).to_owned()).collect(),
        ..Selection::default()
    };
    assert_eq!(made(of(&["user2"], &[])), 4);
    assert_eq!(made(of(&["user2", "user0", "nobody"], &["s1", "s3"])), 4);
    assert_eq!(made(of(&[], &["s9"])), 1);
    let Value::Object(metadata) = json!({"topic": "ovens"}) else { unreachable!() };
    assert_eq!(made(Selection { metadata, ..Selection::default() }), 1);
    assert_eq!(made(Selection { from: Some(1_001), ..Selection::default() }), 0);
    assert_eq!(made(Selection { from: Some(1_000), to: Some(1_001), ..Selection::default() }), 13);
}

#[test]
fn no_session_stands_in_two_parts_and_the_seed_decides() {
    let talks = Talks::with(4, 8);
    let files = |seed| {
        let world = World::new();
        let id = world.start(Asked { seed, ..asked(Format::TrlSft) });
        let manifest = world.finish(&talks, &id);
        assert!(manifest.splits[&Split::Train] > 0 && manifest.splits[&Split::Validation] > 0);
        let mut files = world.files(&id);
        (
            files.remove("sources/train.jsonl").unwrap(),
            files.remove("sources/validation.jsonl").unwrap(),
        )
    };
    let (train, validation) = files(7);
    for line in String::from_utf8(train.clone()).unwrap().lines() {
        assert!(!String::from_utf8_lossy(&validation).contains(line));
    }
    assert_eq!(files(7).0, train);
    assert_ne!(files(8).0, train);
}

#[test]
fn nothing_personal_is_left_below_an_anonymized_export() {
    let talks = Talks::with(2, 3);
    for format in [Format::Openai, Format::Parquet, Format::Langchain] {
        let world = World::new();
        let id = world.start(Asked { anonymize: true, ..asked(format) });
        let manifest = world.finish(&talks, &id);
        whole(&world, &id, &manifest);
        let text = world.text(&id);
        assert!(!text.contains("user0") && !text.contains("x.example"), "{format:?}");
        assert_eq!(manifest.replaced["email"], 6, "{format:?}");
    }
}

fn said(good: Option<bool>, better: Option<&str>, trusted: bool) -> Feedback {
    let better_answer = better.map(str::to_owned);
    Feedback { message: "m1".to_owned(), good, better_answer, trusted }
}

#[test]
fn pairs_are_made_of_feedback_whose_newest_word_stands_and_whose_better_answers_a_service_key_wrote()
 {
    let talks = Talks::with(1, 3);
    let better = "better, write to zoe@x.example";
    *talks.said.borrow_mut() = vec![
        (
            "s0".to_owned(),
            vec![said(Some(true), None, false), said(Some(false), Some(better), true)],
        ),
        ("s1".to_owned(), vec![said(Some(false), Some("what a user would rather hear"), false)]),
        ("s2".to_owned(), Vec::new()),
    ];
    let made = |format, untrusted| {
        let world = World::new();
        let id = world.start(Asked { anonymize: true, untrusted, ..asked(format) });
        let manifest = world.finish(&talks, &id);
        (world.text(&id), manifest.report)
    };
    for format in [Format::TrlPreference, Format::OpenaiPreference] {
        let (text, report) = made(format, false);
        assert_eq!(report.examples, 1, "{format:?}");
        assert_eq!(report.left_out[&LeftOut::UntrustedWriter], 1);
        assert!(text.contains("better, write to [EMAIL_") && !text.contains("zoe@"), "{text}");
        assert_eq!(made(format, true).1.examples, 2, "{format:?}");
    }
    // The corrected answer is bad, its correction good; the one that was only rated is bad.
    assert_eq!(made(Format::TrlKto, false).1.examples, 3);
}

#[test]
fn a_selection_is_by_what_was_said_of_a_session() {
    let talks = Talks::with(1, 4);
    *talks.said.borrow_mut() = vec![
        ("s0".to_owned(), vec![said(Some(true), None, true)]),
        ("s1".to_owned(), vec![said(None, Some("so"), true)]),
        ("s2".to_owned(), vec![said(None, None, true)]),
        ("s3".to_owned(), Vec::new()),
    ];
    let sessions = |feedback| {
        let world = World::new();
        let selection = Selection { feedback: Some(feedback), ..Selection::default() };
        let id = world.start(Asked { selection, ..asked(Format::Openai) });
        world.finish(&talks, &id).report.sessions
    };
    assert_eq!(Rated::ALL.map(sessions), [1, 1, 3]);
}

#[test]
fn exports_that_run_are_found_with_the_time_of_their_last_step() {
    let (world, talks) = (World::new(), Talks::with(2, 2));
    let [done, cancelled, begun, stepped] = [0; 4].map(|_| world.start(asked(Format::Openai)));
    world.finish(&talks, &done);
    block_on(cancel(&world.outside(), &tenant(), &cancelled, None)).unwrap();
    let before = world.outside().clock.now();
    world.step(&talks, &stepped).unwrap();
    let found = block_on(running(&world.outside(), &tenant())).unwrap();
    let ids: Vec<&str> = found.iter().map(|(id, _)| id.as_str()).collect();
    assert_eq!(ids, [&begun, &stepped]);
    assert!(found[0].1 < before && found[1].1 > before, "{found:?} {before}");
}

#[test]
fn a_cancelled_export_leaves_nothing_but_that_it_was_asked() {
    let talks = Talks::with(2, 3);
    for steps in 0..12 {
        let world = World::new();
        let id = world.start(asked(Format::Openai));
        for _ in 0..steps {
            world.step(&talks, &id).unwrap();
        }
        if show_status(&world, &id) == Status::Done {
            assert!(block_on(cancel(&world.outside(), &tenant(), &id, None)).is_err());
            return;
        }
        for _ in 0..2 {
            let shown = block_on(cancel(&world.outside(), &tenant(), &id, None)).unwrap();
            assert_eq!(shown.status, Status::Cancelled);
        }
        assert_eq!(world.step(&talks, &id).unwrap().status, Status::Cancelled);
        let files: Vec<String> = world.files(&id).into_keys().collect();
        assert_eq!(files, ["_work/asked.json", "_work/cancelled.json"]);
    }
    unreachable!("it is never done");
}

#[test]
fn an_export_is_seen_by_its_owner_and_by_keys_of_all_users() {
    let world = World::new();
    let mine = world.start(Asked { owner: Some("ann".to_owned()), ..asked(Format::Openai) });
    let other = world.start(asked(Format::Alpaca));
    let seen = |owner: Option<&str>| -> Vec<String> {
        let listed = block_on(list(&world.outside(), &tenant(), None, 10, owner)).unwrap();
        listed.items.into_iter().map(|shown| shown.id).collect()
    };
    assert_eq!(seen(None), [mine.clone(), other.clone()]);
    assert_eq!(seen(Some("ann")), std::slice::from_ref(&mine));
    assert!(seen(Some("bob")).is_empty());
    for (id, owner) in [(&other, "ann"), (&mine, "bob")] {
        assert!(block_on(show(&world.outside(), &tenant(), id, Some(owner))).is_err());
        assert!(block_on(cancel(&world.outside(), &tenant(), id, Some(owner))).is_err());
    }
    let listed = block_on(list(&world.outside(), &tenant(), None, 1, None)).unwrap();
    assert_eq!(listed.next.as_deref(), Some(mine.as_str()));
    let listed = block_on(list(&world.outside(), &tenant(), Some(&mine), 1, None)).unwrap();
    assert_eq!((listed.items[0].id.as_str(), listed.next), (other.as_str(), None));
    for odd in ["", "../..", "01J", &mine.to_lowercase()] {
        assert!(block_on(show(&world.outside(), &tenant(), odd, None)).is_err(), "{odd}");
    }
}

#[test]
fn a_long_session_is_gathered_in_parts_of_bounded_size() {
    let (world, talks) = (World::new(), Talks { page: 2, ..Talks::default() });
    talks.add("ann", "long", json!({}));
    let long = "x".repeat(100_000);
    let turn = [Message::saying(Role::User, long.clone()), Message::saying(Role::Assistant, long)];
    let all = turn.iter().cloned().cycle().take(200).collect();
    talks.users.borrow_mut().get_mut("ann").unwrap().get_mut("long").unwrap().messages = all;
    let id = world.start(asked(Format::TrlSft));
    world.step(&talks, &id).unwrap();
    let parts: Vec<usize> = world
        .files(&id)
        .into_iter()
        .filter(|(name, _)| name.starts_with("_work/part-"))
        .map(|(_, bytes)| bytes.len())
        .collect();
    assert!(parts.len() >= 2 && parts.iter().all(|bytes| *bytes < 12 << 20), "{parts:?}");
    let manifest = world.finish(&talks, &id);
    whole(&world, &id, &manifest);
    assert!(manifest.report.examples > 3);
}

/// What version 1 wrote stays readable: these bytes never change.
#[test]
fn what_an_older_program_left_goes_on_and_what_a_newer_one_left_is_refused() {
    let (world, talks) = (World::new(), Talks::with(1, 2));
    let id = "01ARZ3NDEKTSV4RRFFQ69G5FAV";
    let put = |name: &str, text: &str| {
        let key = Key::raw(format!("v1/t/acme/exp/{id}/_work/{name}"));
        block_on(world.bucket.put(&key, text.as_bytes().to_vec().into())).unwrap();
    };
    put("asked.json", include_str!("../golden/asked-v1.json"));
    put("at-01ARZ3NDEKTSV4RRFFQ69G5FAW.json", include_str!("../golden/progress-v1.json"));
    put("part-01ARZ3NDEKTSV4RRFFQ69G5FAX-train.jsonl", include_str!("../golden/part-v1.jsonl"));
    let manifest = world.finish(&talks, id);
    whole(&world, id, &manifest);
    assert_eq!(manifest.report.examples, 1);
    assert_eq!(world.files(id)["train.jsonl"], b"{\"messages\":[]}\n");
    put("asked.json", &include_str!("../golden/asked-v1.json").replace("\"v\":1", "\"v\":2"));
    let error = world.step(&talks, id).unwrap_err();
    assert_eq!(error.reason, "newer_format");
    assert!(error.detail.contains("upgrade"), "{}", error.detail);
}

#[test]
fn beside_each_file_stands_whose_messages_it_holds_without_their_ids() {
    let (world, talks) = (World::new(), Talks::with(3, 5));
    let id = world.start(asked(Format::Openai));
    world.finish(&talks, &id);
    let ledger = Ledger::new(world::SECRET);
    let lists = world.files(&id);
    let lists = lists.iter().filter(|(name, _)| name.starts_with(key::EXPORT_USERS));
    let lists: Vec<Exported> = lists.map(|(_, bytes)| Exported::decode(bytes).unwrap()).collect();
    let scope = |user: &str| Scope { tenant: tenant(), user: UserId::parse(user).unwrap() };
    for user in ["user0", "user1", "user2"] {
        assert!(lists.iter().any(|list| list.holds(&ledger, &scope(user))), "{user}");
        assert!(
            lists
                .iter()
                .all(|list| !String::from_utf8(list.encode().unwrap()).unwrap().contains(user))
        );
    }
    assert!(lists.iter().all(|list| !list.holds(&ledger, &scope("nobody"))));
}
