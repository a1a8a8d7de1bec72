//! Answers do not depend on the order in which messages came.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod common;

use common::{chunk, clustered, doc, docs, index, seeded, sentence};
use holdfast_search::{
    Boosts, Doc, ExactScan, Int8Scan, Mode, NoVectors, Question, Scratch, UserIndex, search,
};
use rand::seq::SliceRandom;

/// Id, bits of the score, bits of every stage.
type Bits = (String, u32, Vec<(&'static str, u32)>);

/// An answer by ids, with the bits of all numbers.
fn answer(index: &UserIndex, question: &Question) -> Vec<Bits> {
    let scan = Int8Scan::new(index.vectors());
    let view = scan.on(index.vectors());
    let recall = search(index, &view, question, &mut Scratch::default()).unwrap();
    let bits = |hit: holdfast_search::Hit| {
        let stages = hit.stages.iter().map(|stage| (stage.name, stage.value.to_bits())).collect();
        (index.entry_of(hit.doc).unwrap().id.to_string(), hit.score.to_bits(), stages)
    };
    recall.hits.into_iter().map(bits).collect()
}

#[test]
fn the_same_messages_in_any_order_give_the_same_bits() {
    let mut rng = seeded(1);
    let mut all = docs(&mut rng, 900);
    // Many equal texts and vectors: ties at every cut.
    for at in (3..900).step_by(3) {
        all[at].text = all[at % 30].text.clone();
        all[at].vectors = all[at % 30].vectors.clone();
    }
    let in_order = index(&all);
    let mut late = all.clone();
    late.shuffle(&mut rng);
    let vectors: Vec<_> = late.iter_mut().map(|doc| std::mem::take(&mut doc.vectors)).collect();
    let mut shuffled = index(&late);
    for (number, vectors) in vectors.iter().enumerate().rev() {
        shuffled.set_vectors(number as u32, vectors).unwrap();
    }
    let queries = clustered(&mut rng, 40, 12);
    for (at, vector) in queries.into_iter().enumerate() {
        let question = Question {
            text: format!("what did Mara say in May 2023 about {}", sentence(&mut rng)),
            vector: Some(vector),
            from_session: Some("s1".into()),
            mode: [Mode::Hybrid, Mode::Keyword, Mode::Vector][at % 3],
            limit: 1 + at * 5,
            ..Question::default()
        };
        let expected = answer(&in_order, &question);
        assert!(!expected.is_empty());
        assert_eq!(expected, answer(&shuffled, &question));
    }
    assert_eq!(in_order.indexed_through(), shuffled.indexed_through());
    assert_eq!(in_order.pending(), shuffled.pending());
}

#[test]
fn a_late_message_between_two_older_ones_is_their_neighbour() {
    let say = |order: &str, text: &str| Doc {
        id: order.into(),
        session: "s".into(),
        order: order.into(),
        role: "user".into(),
        text: text.into(),
        ..Doc::default()
    };
    let mut index = UserIndex::default();
    for (order, text) in [("1", "kiln"), ("2", "two"), ("4", "four"), ("5", "five")] {
        index.insert(say(order, text)).unwrap();
    }
    let near_kiln = |index: &UserIndex| {
        let question = Question { text: "kiln".into(), limit: 10, ..Question::default() };
        let recall = search(index, &NoVectors, &question, &mut Scratch::default()).unwrap();
        let ids = recall.hits.iter().map(|hit| index.entry_of(hit.doc).unwrap().id.to_string());
        let mut ids: Vec<String> = ids.collect();
        ids.sort();
        ids.join(" ")
    };
    assert_eq!(near_kiln(&index), "1 2 4");
    index.insert(say("3", "three")).unwrap();
    assert_eq!(near_kiln(&index), "1 2 3");
}

#[test]
fn scratch_of_one_index_serves_the_next() {
    let mut rng = seeded(2);
    let (one, two) = (index(&docs(&mut rng, 300)), index(&docs(&mut rng, 120)));
    let question = |limit| Question { text: "river kiln".into(), limit, ..Question::default() };
    let mut scratch = Scratch::default();
    for index in [&one, &two, &one] {
        let again = search(index, &NoVectors, &question(50), &mut scratch).unwrap();
        let fresh = search(index, &NoVectors, &question(50), &mut Scratch::default()).unwrap();
        assert_eq!(again, fresh);
    }
}

#[test]
fn modes_and_vectors_that_do_not_fit_are_refused() {
    let mut rng = seeded(3);
    let index = index(&docs(&mut rng, 20));
    let exact = ExactScan::new(index.vectors());
    let ask = |vector, mode| {
        let question = Question { text: "x".into(), vector, mode, limit: 3, ..Question::default() };
        search(&index, &exact, &question, &mut Scratch::default()).map_err(|e| e.reason)
    };
    assert_eq!(ask(None, Mode::Vector).unwrap_err(), "model_unavailable");
    assert_eq!(ask(Some(vec![1.0]), Mode::Hybrid).unwrap_err(), "unprocessable");
    assert_eq!(ask(Some(vec![0.0; 384]), Mode::Hybrid).unwrap_err(), "unprocessable");
    assert!(ask(None, Mode::Hybrid).unwrap().hits.is_empty());
}

#[test]
fn places_are_kept_for_meaning_and_shown() {
    let mut rng = seeded(4);
    let vectors = clustered(&mut rng, 2, 2);
    let mut index = UserIndex::default();
    for number in 0..40 {
        let mut doc = doc(&mut rng, number);
        doc.metadata = None;
        doc.session = format!("s{number}");
        let hidden = number == 20;
        doc.text = if hidden { "sardine" } else { "kiln glaze" }.into();
        doc.vectors = vec![chunk(&vectors[usize::from(!hidden)])];
        index.insert(doc).unwrap();
    }
    let exact = ExactScan::new(index.vectors());
    let ask = |dense_places, words| {
        let question = Question {
            text: "kiln glaze".into(),
            vector: Some(vectors[0].clone()),
            boosts: Boosts { dense_places, ..Boosts::default() },
            recipe: holdfast_search::Recipe { words, ..Default::default() },
            limit: 10,
            ..Question::default()
        };
        search(&index, &exact, &question, &mut Scratch::default()).unwrap().hits
    };
    let found = |hits: &[holdfast_search::Hit]| hits.iter().position(|hit| hit.doc == 20);
    assert_eq!(found(&ask(0, 5.0)), None);
    let hits = ask(3, 5.0);
    let kept = &hits[found(&hits).unwrap()];
    assert!(kept.stages.iter().any(|stage| stage.name == "dense_place"), "{kept:?}");
    assert_eq!(hits.len(), 10);
}

#[test]
fn of_two_with_equal_windows_the_one_that_holds_the_word_comes_first() {
    let mut rng = seeded(3);
    let mut all = docs(&mut rng, 3);
    for (doc, text) in all.iter_mut().zip(["nothing of note", "the kiln", "nothing of note"]) {
        (doc.session, doc.text) = ("s".into(), text.into());
    }
    let (mode, limit) = (Mode::Keyword, 3);
    let question = Question { text: "kiln".into(), mode, limit, ..Question::default() };
    let recall = search(&index(&all), &NoVectors, &question, &mut Scratch::default()).unwrap();
    let docs: Vec<u32> = recall.hits.iter().map(|hit| hit.doc).collect();
    assert_eq!(docs, [1, 0, 2]);
}

#[test]
fn f2_10_of_two_alike_the_one_of_the_askers_session_comes_first_by_its_boost_and_not_without() {
    let mut rng = seeded(5);
    let mut all = docs(&mut rng, 2);
    for (doc, session) in all.iter_mut().zip(["ours", "theirs"]) {
        (doc.session, doc.text) = (session.into(), "the kiln was opened".into());
        (doc.metadata, doc.role, doc.name) = (None, "user".into(), None);
    }
    let index = index(&all);
    let ask = |from: &str, same_session| {
        let question = Question {
            text: "kiln".into(),
            mode: Mode::Keyword,
            from_session: Some(from.into()),
            boosts: Boosts { same_session, ..Boosts::default() },
            limit: 2,
            ..Question::default()
        };
        let hits = search(&index, &NoVectors, &question, &mut Scratch::default()).unwrap().hits;
        let boosted = |hit: &holdfast_search::Hit| {
            hit.stages.iter().any(|stage| stage.name == "same_session")
        };
        hits.iter().map(|hit| (hit.doc, boosted(hit))).collect::<Vec<_>>()
    };
    assert_eq!(ask("ours", 2.0), [(0, true), (1, false)]);
    assert_eq!(ask("theirs", 2.0), [(1, true), (0, false)]);
    // Raw similarity: who asks changes nothing.
    assert_eq!(ask("ours", 0.0), ask("theirs", 0.0));
}
