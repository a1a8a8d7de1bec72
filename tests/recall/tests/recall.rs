//! The recipe against what everybody does: by meaning alone, and by words alone.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

use holdfast_recall::cases::Cases;
use holdfast_recall::embed::Vectors;
use holdfast_recall::measure::{self, DEPTHS, Step, measure};
use holdfast_search::{Mode, Recipe};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

const KINDS: [&str; 10] = [
    "all",
    "plain",
    "paraphrase",
    "no-shared-stem",
    "in-context",
    "dated",
    "names-speaker",
    "wrong-person",
    "names-role",
    "multi",
];

/// The model's folder; `None` where the environment says to do without.
fn model() -> Option<PathBuf> {
    let default =
        || concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/models/minilm-l6-v2").into();
    let folder = PathBuf::from(std::env::var_os("HOLDFAST_MODEL_DIR").unwrap_or_else(default));
    if std::env::var_os("HOLDFAST_NO_MODEL").is_some_and(|value| value == "1") {
        println!("skipped: HOLDFAST_NO_MODEL=1, and recall is measured with the model");
        return None;
    }
    assert!(
        holdfast_models::is_present(&folder),
        "no embedding model in {}: run `cargo xtask up` once, or set HOLDFAST_NO_MODEL=1",
        folder.display()
    );
    Some(folder)
}

fn cases() -> Cases {
    Cases::read(Path::new(env!("CARGO_MANIFEST_DIR"))).unwrap()
}

/// All texts that any step embeds.
fn learn(cases: &Cases, vectors: &mut Vectors) {
    let mut texts = Vec::new();
    for (user, messages) in &cases.archives {
        for message in messages {
            texts.extend(measure::passages(message, true));
            texts.extend(measure::passages(message, false));
        }
        vectors.learn(&texts).unwrap();
        let index = measure::index(messages, vectors, true);
        for asked in cases.questions.iter().filter(|asked| asked.user == *user) {
            for step in steps() {
                texts.push(measure::query_text(&index, &step, &asked.question));
            }
        }
    }
    vectors.learn(&texts).unwrap();
}

const BARE: Step = Step {
    name: "meaning alone, bare text",
    speaker: false,
    names_out: false,
    mode: Mode::Vector,
    recipe: Recipe {
        k1: 0.9,
        b: 0.5,
        neighbours: true,
        words: 0.75,
        meaning: 1.0,
        candidates: 100,
    },
    boosts: false,
    places: 0,
};
const ALONE: Recipe = Recipe { neighbours: false, ..BARE.recipe };
const PREFIXED: Step = Step { name: "meaning, + speaker before the text", speaker: true, ..BARE };
const NAMELESS: Step =
    Step { name: "meaning, + names out of the question", names_out: true, ..PREFIXED };
const WORDS: Step =
    Step { name: "words alone, bare text", mode: Mode::Keyword, recipe: ALONE, ..BARE };
const SPOKEN: Step = Step { name: "words, + speaker before the text", speaker: true, ..WORDS };
const WINDOWS: Step =
    Step { name: "words, + two neighbours on each side", recipe: BARE.recipe, ..SPOKEN };
const FUSED: Step = Step { name: "both, fused", mode: Mode::Hybrid, ..NAMELESS };
const BOOSTED: Step = Step { name: "+ boosts of speaker and date", boosts: true, ..FUSED };
const FULL: Step = Step { name: "+ places kept for meaning: the recipe", places: 3, ..BOOSTED };

fn steps() -> Vec<Step> {
    vec![BARE, PREFIXED, NAMELESS, WORDS, SPOKEN, WINDOWS, FUSED, BOOSTED, FULL]
}

type Table = BTreeMap<&'static str, BTreeMap<String, measure::Found>>;

fn print(table: &Table) {
    println!("\nrecall at {DEPTHS:?} over all answerable questions, then at 10 by kind");
    let heads = KINDS[1..].iter().map(|kind| format!("{kind:>14}")).collect::<String>();
    println!("{:38} {:>17}  {heads}", "", "all");
    for step in steps() {
        let found = &table[step.name];
        let [five, ten, twenty] = found["all"].recall();
        let kinds = KINDS[1..].iter().map(|kind| format!("{:14.3}", found[*kind].recall()[1]));
        println!("{:38} {five:.3} {ten:.3} {twenty:.3}  {}", step.name, kinds.collect::<String>());
    }
}

#[test]
fn the_recipe_finds_more_than_meaning_alone_and_words_alone() {
    let Some(model) = model() else { return };
    let cases = cases();
    let kept = Path::new(env!("CARGO_TARGET_TMPDIR")).join("recall-vectors.bin");
    let mut vectors = Vectors::load(&model, &kept).unwrap();
    learn(&cases, &mut vectors);
    let table: Table =
        steps().iter().map(|step| (step.name, measure(&cases, &vectors, step))).collect();
    print(&table);
    let recall = |step: &Step, kind: &str| table[step.name][kind].recall();
    for (at, depth) in DEPTHS.iter().enumerate() {
        for base in [&BARE, &WORDS, &NAMELESS, &WINDOWS] {
            let (full, base_recall) = (recall(&FULL, "all")[at], recall(base, "all")[at]);
            assert!(
                full > base_recall + 0.05,
                "at {depth}: {full} after {}: {base_recall}",
                base.name
            );
        }
    }
    for kind in KINDS {
        let (full, words) = (recall(&FULL, kind)[1], recall(&WORDS, kind)[1]);
        assert!(full > words - 0.03, "{kind}: {full} after {words} by words alone");
    }
    assert!(recall(&FULL, "no-shared-stem")[1] > recall(&BARE, "no-shared-stem")[1] + 0.1);
    print_separation(&cases, &vectors);
}

#[test]
fn with_portable_vectors_the_recipe_finds_more_than_words_alone() {
    let Some(model) = model() else { return };
    let cases = cases();
    let mut vectors = Vectors::portable(&model).unwrap();
    learn(&cases, &mut vectors);
    let table: Table =
        steps().iter().map(|step| (step.name, measure(&cases, &vectors, step))).collect();
    print(&table);
    let recall = |step: &Step, kind: &str| table[step.name][kind].recall()[1];
    assert!(recall(&FULL, "all") > recall(&WORDS, "all") + 0.05);
    assert!(recall(&FULL, "all") > recall(&WINDOWS, "all"));
    assert!(recall(&FULL, "no-shared-stem") > recall(&WORDS, "no-shared-stem") + 0.05);
}

/// How well the best score of an answer tells answerable questions from the others.
fn print_separation(cases: &Cases, vectors: &Vectors) {
    let (mut answerable, mut others) = (Vec::new(), Vec::new());
    for (user, messages) in &cases.archives {
        let index = measure::index(messages, vectors, true);
        for asked in cases.questions.iter().filter(|asked| asked.user == *user) {
            let hits = measure::ask(&index, vectors, &FULL, &asked.question, 10);
            let best = hits.iter().map(|hit| hit.score).fold(0.0, f32::max);
            if asked.evidence.is_empty() { others.push(best) } else { answerable.push(best) }
        }
    }
    let wins = |a: &f32| {
        others
            .iter()
            .map(|b| {
                if a > b {
                    1.0
                } else if a == b {
                    0.5
                } else {
                    0.0
                }
            })
            .sum::<f64>()
    };
    let auc = answerable.iter().map(wins).sum::<f64>() / (answerable.len() * others.len()) as f64;
    println!(
        "\nbest score, {} answerable against {} unanswerable: AUC {auc:.3}",
        answerable.len(),
        others.len()
    );
    for threshold in [0.1, 0.2, 0.3] {
        let share = |scores: &[f32]| {
            scores.iter().filter(|score| **score >= threshold).count() as f64 / scores.len() as f64
        };
        println!(
            "threshold {threshold}: keeps {:.2} and {:.2}",
            share(&answerable),
            share(&others)
        );
    }
    assert!(auc > 0.62, "AUC {auc}");
}

/// Fit of the calibration: one line for each of the first ten hits of each question.
#[test]
#[ignore = "writes a table for `crates/search/src/calibrate.rs`; asserts nothing"]
fn signals_of_the_first_ten_hits_are_written_for_the_calibration() {
    let Some(model) = model() else { return };
    let cases = cases();
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let mut vectors = Vectors::load(&model, &folder.join("recall-vectors.bin")).unwrap();
    learn(&cases, &mut vectors);
    let mut lines = String::from("id,kind,evidence,rank,score,stages\n");
    for (user, messages) in &cases.archives {
        let index = measure::index(messages, &vectors, true);
        for asked in cases.questions.iter().filter(|asked| asked.user == *user) {
            for (rank, hit) in
                measure::ask(&index, &vectors, &FULL, &asked.question, 10).iter().enumerate()
            {
                let id = index.entry_of(hit.doc).unwrap().id.to_string();
                let stages =
                    hit.stages.iter().map(|stage| format!("{}={}", stage.name, stage.value));
                let stages: Vec<String> = stages.collect();
                let (evidence, kinds) = (asked.evidence.contains(&id), asked.kind.join(";"));
                lines += &format!(
                    "{},{kinds},{evidence},{rank},{},{}\n",
                    asked.id,
                    hit.score,
                    stages.join(";")
                );
            }
        }
    }
    std::fs::write(folder.join("signals.csv"), lines).unwrap();
}
