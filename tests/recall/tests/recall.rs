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
    println!("{:38} {:>17}  {}", "", "all", KINDS[1..].map(|kind| format!("{kind:>14}")).join(""));
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
    for (depth, least) in DEPTHS.iter().zip(0..) {
        let recall = |step: &Step| table[step.name]["all"].recall()[least];
        for base in [&BARE, &WORDS] {
            assert!(recall(&FULL) > recall(base) + 0.05, "at {depth}: {}", base.name);
        }
    }
}
