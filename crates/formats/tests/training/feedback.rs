//! Examples that feedback makes.

use crate::world::{assistant, call, made, tool, user, verdicts};
use holdfast_core::message::Message;
use holdfast_formats::training::{Format, LeftOut, Verdicts};

fn asked() -> Vec<Message> {
    vec![user("2+2?"), assistant("5"), user("3+3?"), assistant("6")]
}

#[test]
fn a_correction_is_preferred_to_what_it_corrects() {
    let verdicts = verdicts(&[("m2", Some(false), Some("4"))]);
    let (pairs, report) = made(Format::OpenaiPreference, &asked(), &verdicts);
    assert_eq!(pairs.len(), 1);
    assert_eq!(
        pairs[0].line,
        concat!(
            r#"{"input":{"messages":[{"role":"user","content":"2+2?"}],"tools":[],"parallel_tool_calls":true},"#,
            r#""preferred_output":[{"role":"assistant","content":"4"}],"#,
            r#""non_preferred_output":[{"role":"assistant","content":"5"}]}"#
        )
    );
    assert_eq!(pairs[0].message_ids, ["m1", "m2"]);
    assert_eq!(report.examples, 1);
    let (pairs, _) = made(Format::TrlPreference, &asked(), &verdicts);
    assert_eq!(
        pairs[0].line,
        concat!(
            r#"{"prompt":[{"role":"user","content":"2+2?"}],"#,
            r#""chosen":[{"role":"assistant","content":"4"}],"#,
            r#""rejected":[{"role":"assistant","content":"5"}]}"#
        )
    );
}

#[test]
fn of_two_answers_to_one_message_the_good_one_is_preferred() {
    let answers = |text| Message { parent_id: Some("m1".to_owned()), ..assistant(text) };
    let messages = [user("2+2?"), answers("5"), answers("4")];
    let verdicts = verdicts(&[("m2", Some(false), None), ("m3", Some(true), None)]);
    let (pairs, _) = made(Format::TrlPreference, &messages, &verdicts);
    assert_eq!(
        pairs[0].line,
        concat!(
            r#"{"prompt":[{"role":"user","content":"2+2?"}],"#,
            r#""chosen":[{"role":"assistant","content":"4"}],"#,
            r#""rejected":[{"role":"assistant","content":"5"}]}"#
        )
    );
    let (sft, report) = made(Format::Openai, &messages, &verdicts);
    assert!(sft[0].line.ends_with(r#"{"role":"assistant","content":"4"}]}"#));
    assert!(!sft[0].line.contains('5'));
    assert_eq!(report.left_out, [(LeftOut::Sibling, 1)].into());
}

#[test]
fn every_rated_answer_is_a_label_and_a_correction_is_a_good_one() {
    let verdicts = verdicts(&[("m2", Some(false), Some("4")), ("m4", Some(true), None)]);
    let (labels, report) = made(Format::TrlKto, &asked(), &verdicts);
    let ends: Vec<&str> =
        labels.iter().map(|e| e.line.split("\"completion\":").nth(1).unwrap()).collect();
    assert_eq!(
        ends,
        [
            r#"[{"role":"assistant","content":"4"}],"label":true}"#,
            r#"[{"role":"assistant","content":"5"}],"label":false}"#,
            r#"[{"role":"assistant","content":"6"}],"label":true}"#,
        ]
    );
    // The turn that was rated bad is no prompt of the later one.
    assert_eq!(labels[2].message_ids, ["m3", "m4"]);
    assert_eq!(report.left_out[&LeftOut::RatedBad], 2);
}

#[test]
fn a_bad_answer_has_no_weight_in_openai_and_no_turn_elsewhere() {
    let verdicts = verdicts(&[("m2", Some(false), None)]);
    let (openai, report) = made(Format::Openai, &asked(), &verdicts);
    assert!(openai[0].line.contains(r#"{"role":"assistant","content":"5","weight":0}"#));
    assert!(report.left_out.is_empty());
    let (trl, report) = made(Format::TrlSft, &asked(), &verdicts);
    assert_eq!(trl[0].message_ids, ["m3", "m4"]);
    assert_eq!(report.left_out, [(LeftOut::RatedBad, 2)].into());
}

#[test]
fn a_session_of_bad_answers_alone_teaches_nothing() {
    let verdicts = verdicts(&[("m2", Some(false), None)]);
    let (made, report) = made(Format::Openai, &asked()[..2], &verdicts);
    assert!(made.is_empty());
    assert_eq!(report.left_out, [(LeftOut::RatedBad, 2)].into());
}

#[test]
fn feedback_that_makes_no_pair_is_counted() {
    let messages = [assistant("first"), user("q"), call("c", "{}"), tool("c", "x"), assistant("a")];
    let verdicts = verdicts(&[
        ("m1", None, Some("nobody asked")),
        ("m3", Some(false), None),
        ("m5", Some(false), None),
    ]);
    let (pairs, report) = made(Format::TrlPreference, &messages, &verdicts);
    assert!(pairs.is_empty());
    assert_eq!(report.left_out[&LeftOut::NoPair], 3);
}

#[test]
fn without_feedback_there_are_no_pairs() {
    for format in [Format::OpenaiPreference, Format::TrlPreference, Format::TrlKto] {
        assert!(format.wants_feedback());
        assert!(made(format, &asked(), &Verdicts::new()).0.is_empty());
    }
}
