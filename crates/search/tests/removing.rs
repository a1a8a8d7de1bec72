//! An index from which messages were removed answers as one that never had them.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod common;

use common::{clustered, docs, index, seeded, sentence};
use holdfast_search::{
    Doc, Filter, Int8Scan, Mode, Question, Scratch, UserIndex, participants, search,
};
use rand::Rng;

type Bits = (String, u32, Vec<(&'static str, u32)>);

/// An answer by ids, with the bits of all numbers.
fn answer(index: &UserIndex, question: &Question) -> (Vec<Bits>, u32, String) {
    let scan = Int8Scan::new(index.vectors());
    let recall =
        search(index, &scan.on(index.vectors()), question, &mut Scratch::default()).unwrap();
    let bits = |hit: holdfast_search::Hit| {
        let stages = hit.stages.iter().map(|stage| (stage.name, stage.value.to_bits())).collect();
        (index.entry_of(hit.doc).unwrap().id.to_string(), hit.score.to_bits(), stages)
    };
    (recall.hits.into_iter().map(bits).collect(), recall.pending, recall.indexed_through)
}

fn session(index: &UserIndex, name: &str) -> Vec<String> {
    let ids = index.session(name).iter().map(|doc| index.entry_of(*doc).unwrap().id.to_string());
    ids.collect()
}

fn same(one: &UserIndex, two: &UserIndex, rng: &mut impl Rng) {
    let mut questions = seeded(rng.random());
    let vectors = clustered(&mut questions, 30, 12);
    let filters =
        [None, Some(r#"{"role":{"eq":"user"}}"#), Some(r#"{"metadata.archived":{"eq":true}}"#)];
    for (at, vector) in vectors.into_iter().enumerate() {
        let filter = filters[at % 3].map(|filter| Filter::parse(filter).unwrap());
        let question = Question {
            text: format!("what did Mara say in May 2023 about {}", sentence(&mut questions)),
            vector: Some(vector),
            session: (at % 5 == 0).then(|| "s2".into()),
            from_session: Some("s1".into()),
            mode: [Mode::Hybrid, Mode::Keyword, Mode::Vector][at % 3],
            filter,
            limit: 1 + at * 4,
            ..Question::default()
        };
        assert_eq!(answer(one, &question), answer(two, &question));
    }
    assert_eq!(participants(one), participants(two));
    assert_eq!((one.pending(), one.messages()), (two.pending(), two.messages()));
    assert_eq!(one.pending_docs().count(), two.pending_docs().count());
    for number in 0..6 {
        let name = format!("s{number}");
        assert_eq!(session(one, &name), session(two, &name));
    }
}

fn all() -> Vec<Doc> {
    let mut rng = seeded(11);
    let mut all = docs(&mut rng, 400);
    for at in (3..400).step_by(3) {
        all[at].text = all[at % 30].text.clone();
        all[at].vectors = all[at % 30].vectors.clone();
    }
    for doc in all.iter_mut().take(20) {
        doc.text = "wir haben die Katze und der Hund ist nicht da".into();
        doc.name = Some("Hilde".into());
    }
    all
}

#[test]
fn every_answer_is_as_if_what_was_removed_had_never_been_there() {
    let (mut rng, all) = (seeded(12), all());
    let mut index = index(&all);
    let mut left: Vec<bool> = vec![true; all.len()];
    for round in 0..5_u32 {
        let gone: Vec<u32> = match round {
            0 => (0..20).collect(),
            1 => vec![399],
            2 => (0..400).filter(|doc| all[*doc as usize].session == "s3").collect(),
            _ => (0..400).filter(|_| rng.random_bool(0.2)).collect(),
        };
        index.remove(&gone);
        gone.iter().for_each(|doc| left[*doc as usize] = false);
        let stay: Vec<Doc> =
            all.iter().zip(&left).filter(|(_, left)| **left).map(|(doc, _)| doc.clone()).collect();
        same(&index, &common::index(&stay), &mut rng);
    }
}

#[test]
fn what_comes_after_a_removal_or_a_skipped_number_takes_the_next_number() {
    let (mut rng, all) = (seeded(13), all());
    let mut index = UserIndex::default();
    let mut stay = Vec::new();
    for (number, doc) in all.iter().enumerate() {
        let number = number as u32;
        if number % 7 == 3 {
            assert_eq!(index.skip(), number);
            continue;
        }
        assert_eq!(index.insert(doc.clone()).unwrap(), number);
        if number % 5 == 1 {
            index.remove(&[number]);
        } else {
            stay.push(doc.clone());
        }
    }
    let mut fresh = UserIndex::default();
    for doc in stay {
        fresh.insert(doc).unwrap();
    }
    same(&index, &fresh, &mut rng);
    index.remove(&[3, 6, 4_000]);
    same(&index, &fresh, &mut rng);
}

#[test]
fn removing_everything_leaves_nothing_and_what_is_gone_takes_no_vectors() {
    let all = all();
    let mut index = index(&all);
    index.remove(&(0..400).collect::<Vec<_>>());
    let question = Question { text: "kiln river".into(), limit: 9, ..Question::default() };
    assert_eq!(answer(&index, &question), (Vec::new(), 0, String::new()));
    assert!(participants(&index).is_empty() && session(&index, "s1").is_empty());
    assert_eq!((index.len(), index.messages()), (400, 0));
    assert!(index.set_vectors(5, &all[5].vectors).is_err());
    assert!(!index.vectors().has(5));
}
