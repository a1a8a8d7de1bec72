//! What stands beside the examples: the split, names of files, sources, the manifest, the tree.

use crate::support::{ids, listed};
use crate::world::{assistant, made, user, windows};
use holdfast_formats::training::{
    FileEntry, FileName, Format, LeftOut, Limits, Manifest, Report, Shares, Split, Verdicts,
    database_name, file_name, memory_file, memory_name, source_line, source_name,
};
use std::collections::BTreeMap;

#[test]
fn a_session_stays_in_its_part_and_the_shares_are_kept() {
    let shares = Shares { validation: 100, test: 50 };
    let parts: Vec<Split> = (0..10_000).map(|n| shares.of(7, "ann", &format!("s{n}"))).collect();
    let count = |split| parts.iter().filter(|part| **part == split).count();
    assert!((900..1100).contains(&count(Split::Validation)), "{}", count(Split::Validation));
    assert!((420..580).contains(&count(Split::Test)), "{}", count(Split::Test));
    let again: Vec<Split> = (0..10_000).map(|n| shares.of(7, "ann", &format!("s{n}"))).collect();
    assert_eq!(parts, again);
    let other = (0..10_000).filter(|n| shares.of(8, "ann", &format!("s{n}")) != parts[*n]).count();
    assert!(other > 1_000, "another seed draws anew");
    assert_eq!(Shares::default().of(7, "ann", "s1"), Split::Train);
    // User and session are no single text.
    let thousand = Shares { validation: 500, test: 0 };
    assert!((0..64).any(|n| thousand.of(n, "ab", "c") != thousand.of(n, "a", "bc")));
}

#[test]
fn files_have_the_names_that_trainers_look_for() {
    let name = |format, split, part, parts| file_name(format, FileName { split, part, parts });
    let train = Split::Train;
    assert_eq!(name(Format::Openai, train, 0, 1).unwrap(), "train.jsonl");
    assert_eq!(name(Format::Mlx, Split::Validation, 0, 1).unwrap(), "valid.jsonl");
    assert_eq!(name(Format::Openai, Split::Validation, 0, 1).unwrap(), "validation.jsonl");
    assert_eq!(name(Format::TrlSft, train, 1, 12).unwrap(), "train-00001-of-00012.jsonl");
    assert_eq!(name(Format::Parquet, train, 0, 1).unwrap(), "data/train-00000-of-00001.parquet");
    assert_eq!(name(Format::Langchain, train, 0, 1), None);
    assert_eq!(source_name("train.jsonl"), "sources/train.jsonl");
}

#[test]
fn an_example_names_where_it_came_from() {
    let messages = [user("q"), assistant("a"), user("lost")];
    let window = windows(&messages, Limits::default(), &mut Report::default()).remove(0);
    let example = made(Format::Openai, &messages, &Verdicts::new()).0.remove(0);
    assert_eq!(
        source_line(&window, &example),
        r#"{"user_id":"ann","session_id":"s1","message_ids":["m1","m2"]}"#
    );
}

#[test]
fn the_tree_has_a_file_a_session_under_its_uuid() {
    let own = "0f8fad5b-d9cb-469f-a165-70867728950e";
    assert_eq!(memory_name("ann", own), format!("storage/memory/{own}.json"));
    assert_eq!(database_name("ann", own), format!("storage/db/{own}.db"));
    let made = memory_name("ann", "s1");
    assert_eq!(made, memory_name("ann", "s1"));
    assert_ne!(made, memory_name("bob", "s1"));
    assert_ne!(memory_name("a", "b\nc"), memory_name("a\nb", "c"));
    // Another spelling of a UUID is another session.
    assert_ne!(memory_name("ann", &own.to_uppercase()), memory_name("ann", own));
}

#[test]
fn a_session_that_is_too_large_for_a_file_is_left_out_and_counted() {
    let messages = [user("question"), assistant("answer")];
    let ids = ids(2);
    let mut report = Report::default();
    let text = memory_file(listed(&ids, &messages), 10_000, &mut report).unwrap();
    assert!(text.starts_with(r#"[{"type":"human","data":{"content":"question""#));
    assert_eq!((report.examples, report.messages), (1, 2));
    assert_eq!(memory_file(listed(&ids, &messages), 10, &mut report), None);
    assert_eq!(report.left_out, [(LeftOut::SessionTooLarge, 1)].into());
}

#[test]
fn the_manifest_reads_back_as_it_was_written() {
    let mut report = Report { examples: 3, sessions: 2, messages: 9, ..Report::default() };
    report.leave(LeftOut::NoTrain, 1);
    let manifest = Manifest {
        v: 1,
        export: "01J".to_owned(),
        format: Format::TrlSft,
        created_at: "2026-01-01T00:00:00.000Z".to_owned(),
        as_of: "2026-01-01T00:00:00.000Z".to_owned(),
        seed: 7,
        shares: Shares { validation: 100, test: 0 },
        anonymized: true,
        files: vec![FileEntry {
            name: "train.jsonl".to_owned(),
            bytes: 10,
            sha256: "00".repeat(32),
            examples: 3,
        }],
        splits: [(Split::Train, 3)].into(),
        report,
        replaced: BTreeMap::from([("email".to_owned(), 2)]),
    };
    let text = serde_json::to_string(&manifest).unwrap();
    assert!(
        text.contains(r#""format":"trl-sft""#) && text.contains(r#""left_out":{"no_train":1}"#)
    );
    assert_eq!(serde_json::from_str::<Manifest>(&text).unwrap(), manifest);
}
