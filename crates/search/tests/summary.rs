//! Summaries: own words only, bounded, the same in every run, and better than the beginning of a conversation.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use holdfast_search::summary::{MOST, Utterance, summarize};
use proptest::prelude::*;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

fn say<'a>(speaker: &'a str, text: &'a str) -> Utterance<'a> {
    Utterance { speaker, at: Some(1_774_000_000_000), text }
}

#[test]
fn statements_stay_with_speakers_and_days_and_the_rest_is_dropped() {
    let next = Some(1_774_000_000_000 + 86_400_000);
    let said = [
        say("Ingrid", "Hi Dev! Are you up? The deck oven broke at three this morning."),
        say("Dev", "ok. Which one?"),
        Utterance {
            at: next,
            ..say("Dev", "The electrician replaced the heating element of the deck oven.")
        },
        Utterance {
            at: next,
            ..say("Ingrid", "Thank you so much!\n```\nlet oven = broken(heating, element);\n```")
        },
    ];
    let summary = summarize(&said, 1_000, str::len);
    assert_eq!(
        summary.text,
        "2026-03-20\nIngrid: The deck oven broke at three this morning.\n\n2026-03-21\n\
         Dev: The electrician replaced the heating element of the deck oven."
    );
    assert_eq!(summary.picked, [0, 2]);
}

#[test]
fn nothing_stated_is_an_empty_summary() {
    assert_eq!(summarize(&[], 100, str::len).text, "");
    let said = [say("Ann", "Hello!"), say("Bob", "How are you doing today, my dear friend?")];
    assert_eq!(summarize(&said, 100, str::len), Default::default());
    let said = [say("Ann", "The quick brown fox jumped over the fence.")];
    assert_eq!(summarize(&said, 10, str::len), Default::default());
}

#[test]
fn what_is_said_again_is_told_once() {
    let said = [
        say("Ann", "The launch moves to the ninth of October."),
        say("Bob", "The launch moves to the ninth of October."),
        say("Bob", "Catering for forty guests costs nine hundred."),
    ];
    let summary = summarize(&said, 1_000, str::len);
    assert_eq!(summary.picked, [0, 2]);
}

#[test]
fn a_conversation_of_any_length_is_ranked_in_bounded_work() {
    let texts: Vec<String> = (0..4_000)
        .map(|n| {
            format!(
                "Number {n} of the harvest weighed {} baskets of apples in week {}.",
                n * 7 % 97,
                n % 53
            )
        })
        .collect();
    let said: Vec<Utterance<'_>> = texts.iter().map(|text| say("Ann", text)).collect();
    let summary = summarize(&said, 4_000, str::len);
    assert!(
        summary.text.len() <= 4_000 && summary.picked.len() > 20 && summary.picked.len() < MOST
    );
    assert!(summary.picked.iter().any(|at| *at > 3_000), "the end takes part as well");
}

proptest! {
    #[test]
    fn every_line_is_a_sentence_that_was_said_and_the_limit_holds(
        texts in prop::collection::vec("([a-zé日]{1,8}[ .!?\n]){0,30}", 0..30),
        limit in 0..600_usize,
    ) {
        let said: Vec<Utterance<'_>> = texts.iter().map(|text| say("Zoë", text)).collect();
        let summary = summarize(&said, limit, str::len);
        prop_assert!(summary.text.len() <= limit);
        for line in summary.text.lines().filter(|line| !line.is_empty() && *line != "2026-03-20") {
            let sentence = line.strip_prefix("Zoë: ").unwrap();
            prop_assert!(texts.iter().any(|text| text.contains(sentence)), "{}", line);
        }
        prop_assert!(summary.picked.windows(2).all(|pair| pair[0] < pair[1]));
        prop_assert_eq!(summarize(&said, limit, str::len), summary);
    }
}

/// Messages that answer a question somebody asked later (tests/recall), by how a quarter of the text was chosen.
#[test]
fn a_summary_keeps_more_of_what_is_asked_later_than_the_beginning_does() {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/recall/");
    let lines = |name: &str| -> Vec<Value> {
        let text = std::fs::read_to_string(format!("{root}{name}")).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    let messages = lines("messages.jsonl");
    let questions = lines("questions.jsonl");
    let ids = |question: &Value| -> Vec<String> {
        let all = question["evidence"].as_array().unwrap();
        all.iter().map(|id| id.as_str().unwrap().to_owned()).collect()
    };
    let wanted: BTreeSet<String> = questions.iter().flat_map(ids).collect();
    let mut sessions: BTreeMap<&str, Vec<&Value>> = BTreeMap::new();
    for message in &messages {
        sessions.entry(message["session"].as_str().unwrap()).or_default().push(message);
    }
    let (mut all, mut kept, mut lead, mut tail) = (0, 0, 0, 0);
    for session in sessions.values() {
        let text = |message: &&'_ Value| message["content"].as_str().unwrap().len();
        let limit = session.iter().map(|message| text(message) + 10).sum::<usize>() / 4;
        let said: Vec<Utterance<'_>> = session
            .iter()
            .map(|m| say(m["name"].as_str().unwrap_or("assistant"), m["content"].as_str().unwrap()))
            .collect();
        let is_wanted = |at: &usize| wanted.contains(session[*at]["id"].as_str().unwrap());
        let within = |order: &mut dyn Iterator<Item = usize>| {
            let mut room = limit;
            order
                .take_while(|at| {
                    let size = text(&session[*at]) + 10;
                    let fits = size <= room;
                    room = room.saturating_sub(size);
                    fits
                })
                .filter(is_wanted)
                .count()
        };
        all += (0..session.len()).filter(is_wanted).count();
        lead += within(&mut (0..session.len()));
        tail += within(&mut (0..session.len()).rev());
        kept += summarize(&said, limit, str::len).picked.iter().filter(|at| is_wanted(at)).count();
    }
    println!("of {all} messages that are asked for: summary {kept}, beginning {lead}, end {tail}");
    assert!(kept * 100 > lead * 110 && kept * 100 > tail * 110, "{kept} {lead} {tail}");
}
