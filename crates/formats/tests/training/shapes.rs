//! What holds for every conversation, however odd.

use crate::world::{assistant, call, made, say, tool, user, windows};
use holdfast_core::message::{Message, Role};
use holdfast_formats::training::{Format, LeftOut, Limits, Report, Verdict, Verdicts};
use proptest::prelude::*;
use serde_json::Value;
use std::collections::HashSet;

/// Messages of which some answer, call, repeat or say nothing.
fn conversation() -> impl Strategy<Value = Vec<Message>> {
    let text = prop_oneof![4 => "[a-z\\n\"]{1,12}", 1 => Just(String::new())];
    let id = prop::sample::select(vec!["c1", "c2", "c3"]);
    let parent = prop::option::weighted(0.2, 1..8_usize);
    let message = prop_oneof![
        4 => text.clone().prop_map(|text| user(&text)),
        4 => (text.clone(), parent).prop_map(|(text, parent)| Message {
            parent_id: parent.map(|n| format!("m{n}")),
            ..assistant(&text)
        }),
        1 => text.clone().prop_map(|text| say(Role::System, &text)),
        2 => (id.clone(), text.clone(), prop::bool::ANY).prop_map(|(id, text, sound)| Message {
            content: Some(text),
            ..call(id, if sound { "{ \"x\" : [1,\n 2] }" } else { "[" })
        }),
        3 => (id, text).prop_map(|(id, text)| tool(id, &text)),
    ];
    prop::collection::vec(message, 0..30)
}

fn some_verdicts() -> impl Strategy<Value = Verdicts> {
    let verdict = (prop::option::of(prop::bool::ANY), prop::option::of("[a-z]{0,4}"));
    let entry = (1..30_usize, verdict)
        .prop_map(|(n, (good, correction))| (format!("m{n}"), Verdict { good, correction }));
    prop::collection::vec(entry, 0..6).prop_map(|all| all.into_iter().collect())
}

/// What LLaMA-Factory's converter asks of a sample; it skips all others in silence.
fn converts(line: &Value) -> bool {
    let turns = line["conversations"].as_array().unwrap();
    let side = |turn: &Value| matches!(turn["from"].as_str(), Some("human" | "observation"));
    let known = |turn: &Value| {
        matches!(turn["from"].as_str(), Some("human" | "observation" | "gpt" | "function_call"))
    };
    !turns.is_empty()
        && turns.len().is_multiple_of(2)
        && turns.iter().all(known)
        && turns.iter().enumerate().all(|(at, turn)| side(turn) == at.is_multiple_of(2))
}

/// Every call is answered by what follows it at once.
fn answered(messages: &[Value]) -> bool {
    let mut open: HashSet<String> = HashSet::new();
    for message in messages {
        if message["role"] == "tool" {
            if !open.remove(message["tool_call_id"].as_str().unwrap()) {
                return false;
            }
            continue;
        }
        if !open.is_empty() {
            return false;
        }
        for call in message["tool_calls"].as_array().into_iter().flatten() {
            open.insert(call["id"].as_str().unwrap().to_owned());
        }
    }
    open.is_empty()
}

proptest! {
    #[test]
    fn every_line_is_one_line_of_json_and_names_messages_of_the_session(
        messages in conversation(),
        verdicts in some_verdicts(),
    ) {
        for format in Format::ALL.into_iter().filter(|format| format.is_lines()) {
            let (made, report) = made(format, &messages, &verdicts);
            prop_assert_eq!(report.examples, made.len() as u64);
            for example in made {
                prop_assert!(!example.line.contains('\n'));
                prop_assert!(serde_json::from_str::<Value>(&example.line).unwrap().is_object());
                prop_assert!(!example.message_ids.is_empty());
                let numbers = example.message_ids.iter().map(|id| id[1..].parse::<usize>().unwrap());
                prop_assert!(numbers.into_iter().all(|n| n >= 1 && n <= messages.len()));
                let different: HashSet<&String> = example.message_ids.iter().collect();
                prop_assert_eq!(different.len(), example.message_ids.len());
            }
        }
    }

    #[test]
    fn no_sharegpt_sample_is_one_that_llama_factory_would_skip(
        messages in conversation(),
        verdicts in some_verdicts(),
    ) {
        for example in made(Format::Sharegpt, &messages, &verdicts).0 {
            let line = serde_json::from_str(&example.line).unwrap();
            prop_assert!(converts(&line), "{}", example.line);
        }
    }

    #[test]
    fn every_call_is_answered_and_every_line_ends_with_an_answer(
        messages in conversation(),
        verdicts in some_verdicts(),
    ) {
        for format in [Format::Openai, Format::TrlSft] {
            for example in made(format, &messages, &verdicts).0 {
                let line: Value = serde_json::from_str(&example.line).unwrap();
                let messages = line["messages"].as_array().unwrap();
                prop_assert!(answered(messages), "{}", example.line);
                let last = messages.last().unwrap();
                prop_assert!(last["role"] == "assistant" && last["tool_calls"].is_null());
                prop_assert!(last["content"].is_string());
            }
        }
    }

    #[test]
    fn nothing_is_lost_in_silence(messages in conversation(), verdicts in some_verdicts()) {
        for format in [Format::Openai, Format::TrlSft, Format::Sharegpt] {
            let (made, report) = made(format, &messages, &verdicts);
            prop_assert_eq!(report.messages, messages.len() as u64);
            let carried: usize = made.iter().map(|example| example.message_ids.len()).sum();
            let stays = [
                LeftOut::Block,
                LeftOut::Name,
                LeftOut::ToolCallMalformed,
                LeftOut::ToolCallUnanswered,
                LeftOut::TextBesideCall,
            ];
            let left = report.left_out.iter().filter(|(why, _)| !stays.contains(why));
            let left: usize = left.map(|(_, count)| *count as usize).sum();
            let silent = messages.iter().filter(|m| m.role == Role::System).count();
            prop_assert!(carried + left <= messages.len(), "{format:?} {report:?}");
            // Instructions of a session that makes no example are no loss.
            prop_assert!(carried + left + silent >= messages.len(), "{format:?} {report:?} {carried}");
            if carried > 0 && format == Format::Openai {
                prop_assert_eq!(carried + left, messages.len());
            }
        }
    }

    #[test]
    fn no_part_of_a_session_is_larger_than_it_may_be(
        messages in conversation(),
        most in 2..12_usize,
        bytes in 150..2_000_usize,
    ) {
        let mut report = Report::default();
        let parts = windows(&messages, Limits { messages: most, bytes }, &mut report);
        let mut seen = HashSet::new();
        for part in &parts {
            prop_assert!(part.said.len() <= most);
            prop_assert!(part.said.iter().map(|said| said.size()).sum::<usize>() <= bytes);
            prop_assert!(!part.said.is_empty());
            seen.extend(part.said.iter().flat_map(|said| said.ids.iter().cloned()));
        }
        for part in parts.iter().skip(1) {
            let first = part.said.iter().find(|said| said.role != Role::System);
            prop_assert!(first.is_some());
        }
        let left: u64 = report.left_out.values().sum();
        let malformed = report.left_out.get(&LeftOut::ToolCallMalformed).copied().unwrap_or_default();
        let instructions = messages.iter().filter(|m| m.role == Role::System).count() as u64;
        let counted = seen.len() as u64 + left - malformed;
        prop_assert!(counted <= messages.len() as u64 && counted + instructions >= messages.len() as u64);
    }
}

#[test]
fn a_long_session_is_cut_before_a_user_speaks_and_its_instructions_stay() {
    let mut messages = vec![say(Role::System, "rules")];
    for n in 0..5 {
        messages.extend([user(&format!("q{n}")), assistant(&format!("a{n}"))]);
    }
    let mut report = Report::default();
    let parts = windows(&messages, Limits { messages: 5, bytes: 1 << 20 }, &mut report);
    let texts: Vec<Vec<&str>> =
        parts.iter().map(|p| p.said.iter().map(|said| said.text.as_str()).collect()).collect();
    assert_eq!(
        texts,
        [
            vec!["rules", "q0", "a0", "q1", "a1"],
            vec!["rules", "q2", "a2", "q3", "a3"],
            vec!["rules", "q4", "a4"],
        ]
    );
    assert_eq!(report.mended.values().sum::<u64>(), 2);
}
