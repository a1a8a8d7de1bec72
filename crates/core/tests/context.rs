//! A packed context, whatever goes in: within its budget, whole turns, whole texts, what is known first.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use holdfast_core::context::{Candidate, Choice, Recent, Why, pack};
use holdfast_core::facts::{Fact, FactKind, HEADING};
use holdfast_core::message::Role;
use proptest::prelude::*;

/// A counter whose counts add up, as the door `tokens` promises: one token a character.
fn characters(texts: &[String]) -> Vec<usize> {
    texts.iter().map(|text| text.chars().count()).collect()
}

fn role() -> impl Strategy<Value = Role> {
    prop::sample::select(vec![Role::User, Role::Assistant, Role::Tool, Role::System])
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof!["[a-z ]{0,40}", "[é😀\u{301}\r\n<># ]{0,12}", ".{0,30}"]
}

fn candidates(session: &'static str) -> impl Strategy<Value = Vec<Candidate>> {
    prop::collection::vec((role(), text(), prop::option::of(text())), 0..12).prop_map(move |all| {
        let candidate =
            |(at, (role, text, name)): (usize, (Role, String, Option<String>))| Candidate {
                id: (session.to_owned(), format!("m{at}")),
                role,
                name,
                trusted: at % 2 == 0,
                time: format!("2026-01-01T00:00:{at:02}Z"),
                text,
                // Calls and answers as they may come: of few ids, so that many are pairs.
                calls: if role == Role::Assistant { vec![format!("c{}", at % 3)] } else { vec![] },
                answers: (role == Role::Tool).then(|| format!("c{}", at % 2)),
            };
        all.into_iter().enumerate().map(candidate).collect()
    })
}

fn facts() -> impl Strategy<Value = Vec<Fact>> {
    let kinds = vec![FactKind::Preference, FactKind::Memory, FactKind::Context];
    let fact = (prop::sample::select(kinds), 0..4_u8, text());
    let fact = fact.prop_map(|(kind, id, text)| {
        let id = id.to_string();
        Fact { kind, id, text, why: "profile" }
    });
    prop::collection::vec(fact, 0..6)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn a_context_is_within_its_budget_and_cuts_nothing(
        messages in candidates("s"),
        relevant in candidates("t"),
        facts in facts(),
        budget in 0..2_500_usize,
    ) {
        let newest_first = messages.iter().rev().cloned().map(Ok::<_, ()>);
        let recent = Recent::within(budget, newest_first, "7f3a", &characters).unwrap();
        let choice = Choice { facts: &facts, recent: &recent, relevant: &relevant, budget, marker: "7f3a" };
        let packed = pack(&choice, &characters);
        prop_assert!(packed.tokens <= budget);
        prop_assert_eq!(packed.text.chars().count(), packed.tokens);
        prop_assert_eq!(packed.text.starts_with(HEADING), !packed.facts.is_empty());
        // The newest messages are an unbroken end of the conversation, each as it was said.
        let taken: Vec<_> = packed.recent.iter().map(|(candidate, _)| candidate.clone()).collect();
        prop_assert_eq!(&taken[..], &messages[messages.len() - taken.len()..]);
        match packed.recent.first() {
            Some((first, Why::Recent)) => {
                let whole = first.role == Role::User || taken.len() == messages.len();
                prop_assert!(whole, "a turn is cut");
            }
            Some((first, _)) => prop_assert!(first.role != Role::Tool, "an answer without its call"),
            None => {}
        }
        // A call that was made before an answer stands where the answer stands.
        let left_out = &messages[..messages.len() - taken.len()];
        for (at, answer) in taken.iter().enumerate() {
            let Some(id) = &answer.answers else { continue };
            let made = |one: &Candidate| one.calls.contains(id);
            let together = taken[..at].iter().any(made) || !left_out.iter().any(made);
            prop_assert!(together, "a call and its answer are parted");
        }
        let said = taken.iter().chain(&packed.relevant).map(|candidate| &candidate.text);
        for text in said.chain(packed.facts.iter().map(|fact| &fact.text)) {
            prop_assert!(packed.text.contains(&format!(">\n{text}\n</")), "a text is cut");
        }
        // What does not fit is left out, never what would have fitted alone.
        let all = facts.iter().map(|fact| (fact.kind, &fact.id)).collect::<std::collections::HashSet<_>>();
        let kept = packed.facts.iter().map(|fact| (fact.kind, &fact.id)).collect::<std::collections::HashSet<_>>();
        prop_assert!(kept.is_subset(&all) && kept.len() == packed.facts.len());
    }
}
