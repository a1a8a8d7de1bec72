//! The exact lines of each format.

use crate::world::{assistant, call, lines, made, say, tool, user};
use holdfast_core::message::{Message, Role};
use holdfast_formats::training::{
    Cutter, Format, LeftOut, Limits, Mended, Report, Said, Verdicts, examples,
};

/// Instructions, a question that needs a tool, its answer, and one more turn.
fn weather() -> Vec<Message> {
    vec![
        say(Role::System, "be brief"),
        user("Rain in Oslo?"),
        call("c1", r#"{ "city": "Oslo" }"#),
        tool("c1", "wet"),
        assistant("Yes.\nTake a coat."),
        user("thanks"),
        assistant("Any time."),
    ]
}

#[test]
fn openai_has_calls_with_arguments_as_text() {
    assert_eq!(
        lines(Format::Openai, &weather()),
        [concat!(
            r#"{"messages":[{"role":"system","content":"be brief"},"#,
            r#"{"role":"user","content":"Rain in Oslo?"},"#,
            r#"{"role":"assistant","content":null,"tool_calls":[{"id":"c1","type":"function","#,
            r#""function":{"name":"weather","arguments":"{\"city\":\"Oslo\"}"}}]},"#,
            r#"{"role":"tool","content":"wet","tool_call_id":"c1"},"#,
            r#"{"role":"assistant","content":"Yes.\nTake a coat."},"#,
            r#"{"role":"user","content":"thanks"},{"role":"assistant","content":"Any time."}]}"#,
        )]
    );
    assert_eq!(lines(Format::Mlx, &weather()), lines(Format::Openai, &weather()));
}

#[test]
fn trl_has_calls_with_arguments_as_objects() {
    assert_eq!(
        lines(Format::TrlSft, &weather()),
        [concat!(
            r#"{"messages":[{"role":"system","content":"be brief"},"#,
            r#"{"role":"user","content":"Rain in Oslo?"},"#,
            r#"{"role":"assistant","content":"","tool_calls":[{"id":"c1","type":"function","#,
            r#""function":{"name":"weather","arguments":{"city":"Oslo"}}}]},"#,
            r#"{"role":"tool","content":"wet","tool_call_id":"c1"},"#,
            r#"{"role":"assistant","content":"Yes.\nTake a coat."},"#,
            r#"{"role":"user","content":"thanks"},{"role":"assistant","content":"Any time."}]}"#,
        )]
    );
}

#[test]
fn a_turn_is_a_completion_of_all_that_was_said_before() {
    let turns = lines(Format::TrlPromptCompletion, &weather()[4..]);
    assert_eq!(
        turns,
        [concat!(
            r#"{"prompt":[{"role":"user","content":"thanks"}],"#,
            r#""completion":[{"role":"assistant","content":"Any time."}]}"#
        )]
    );
    let turns = lines(Format::TrlPromptCompletion, &weather());
    assert_eq!(turns.len(), 2);
    assert!(turns[0].starts_with(concat!(
        r#"{"prompt":[{"role":"system","content":"be brief"},{"role":"user","content":"Rain in Oslo?"}],"#,
        r#""completion":[{"role":"assistant","content":"","tool_calls":"#
    )));
    assert!(
        turns[1].contains(r#"Take a coat."},{"role":"user","content":"thanks"}],"completion":"#)
    );
}

#[test]
fn sharegpt_has_calls_and_observations_in_turns() {
    assert_eq!(
        lines(Format::Sharegpt, &weather()),
        [concat!(
            r#"{"conversations":[{"from":"human","value":"Rain in Oslo?"},"#,
            r#"{"from":"function_call","value":"{\"name\":\"weather\",\"arguments\":{\"city\":\"Oslo\"}}"},"#,
            r#"{"from":"observation","value":"wet"},"#,
            r#"{"from":"gpt","value":"Yes.\nTake a coat."},"#,
            r#"{"from":"human","value":"thanks"},{"from":"gpt","value":"Any time."}],"#,
            r#""system":"be brief"}"#,
        )]
    );
}

#[test]
fn alpaca_has_the_last_question_as_its_instruction() {
    let (made, report) = made(Format::Alpaca, &weather(), &Verdicts::new());
    assert_eq!(
        made[0].line,
        concat!(
            r#"{"instruction":"thanks","input":"","output":"Any time.","system":"be brief","#,
            r#""history":[["Rain in Oslo?","Yes.\nTake a coat."]]}"#
        )
    );
    assert_eq!(report.left_out[&LeftOut::ToolsNotCarried], 2);
    assert_eq!(made[0].message_ids, ["m1", "m2", "m5", "m6", "m7"]);
}

#[test]
fn sharegpt_merges_what_repeats_and_cuts_what_nobody_answers() {
    let odd = [assistant("hello"), user("a"), user("b"), assistant("c"), assistant("d"), user("e")];
    let (made, report) = made(Format::Sharegpt, &odd, &Verdicts::new());
    assert_eq!(
        made[0].line,
        r#"{"conversations":[{"from":"human","value":"a\nb"},{"from":"gpt","value":"c\nd"}]}"#
    );
    assert_eq!(made[0].message_ids, ["m2", "m3", "m4", "m5"]);
    assert_eq!(report.mended[&Mended::Merged], 2);
    assert_eq!(report.left_out[&LeftOut::NoAnswer], 1);
    assert_eq!(report.left_out[&LeftOut::AnswerFirst], 1);
}

#[test]
fn several_calls_of_one_message_are_an_array_in_sharegpt() {
    let two = r#"[{"id":"a","name":"f","args":{"x":1}},{"id":"b","name":"g","args":{}}]"#;
    let messages = [
        user("q"),
        Message { tool_calls: Some(two.to_owned()), ..assistant("let me look") },
        tool("a", "1"),
        tool("b", "2"),
        assistant("3"),
    ];
    let (made, report) = made(Format::Sharegpt, &messages, &Verdicts::new());
    assert!(made[0].line.contains(concat!(
        r#"{"from":"function_call","value":"[{\"name\":\"f\",\"arguments\":{\"x\":1}},"#,
        r#"{\"name\":\"g\",\"arguments\":{}}]"},{"from":"observation","value":"1\n2"}"#
    )));
    assert_eq!(report.left_out[&LeftOut::TextBesideCall], 1);
}

#[test]
fn what_cannot_be_carried_is_counted_with_its_reason() {
    let blocks = r#"[{"type":"text","text":"see"},{"type":"image_url","image_url":{"url":"https://x"}},{"type":"thinking","thinking":"hm"}]"#;
    let messages = [
        Message { content: None, blocks: Some(blocks.to_owned()), ..user("") },
        Message { name: Some("Two Words".to_owned()), ..user("hi") },
        call("c1", "not json"),
        call("c2", "{}"),
        tool("c9", "for nobody"),
        assistant("done"),
        say(Role::System, "later"),
        user("never answered"),
    ];
    let (made, report) = made(Format::TrlSft, &messages, &Verdicts::new());
    assert_eq!(
        made[0].line,
        r#"{"messages":[{"role":"user","content":"see\nhi"},{"role":"assistant","content":"done"}]}"#
    );
    let expected = [
        (LeftOut::NoText, 2),
        (LeftOut::Block, 2),
        (LeftOut::SystemNotFirst, 1),
        (LeftOut::ToolCallMalformed, 1),
        (LeftOut::ToolCallUnanswered, 1),
        (LeftOut::ToolAnswerUncalled, 1),
        (LeftOut::NoAnswer, 1),
    ];
    assert_eq!(report.left_out, expected.into());
    assert_eq!((report.messages, report.examples), (8, 1));
}

#[test]
fn tools_of_the_session_stand_in_the_line_on_one_line() {
    let tools = "[\n {\"type\": \"function\",\n  \"function\": {\"name\": \"f \\\" {\"}}]";
    let mut report = Report::default();
    let mut cutter = Cutter::new(Limits::default(), "ann", "s1", Some(tools));
    let ids = crate::support::ids(2);
    for stored in crate::support::listed(&ids, &[user("q"), assistant("a")]) {
        let said = Said::of(&stored, true, &mut report).unwrap();
        assert!(cutter.push(said, &mut report).is_none());
    }
    let window = cutter.finish().unwrap();
    let line = |format| {
        examples(format, &window, &Verdicts::new(), &mut Report::default())[0].line.clone()
    };
    let said = r#""tools":[{"type":"function","function":{"name":"f \" {"}}]}"#;
    assert!(line(Format::Openai).ends_with(said));
    assert!(line(Format::TrlSft).ends_with(said));
    let quoted = r#""tools":"[{\"type\":\"function\",\"function\":{\"name\":\"f \\\" {\"}}]"}"#;
    assert!(line(Format::Sharegpt).ends_with(quoted));
}

#[test]
fn what_a_users_key_wrote_as_an_assistant_is_not_learned() {
    let mut report = Report::default();
    let ids = crate::support::ids(2);
    let messages = [user("q"), assistant("trust me")];
    let said: Vec<_> = crate::support::listed(&ids, &messages)
        .iter()
        .filter_map(|stored| Said::of(stored, false, &mut report))
        .collect();
    assert_eq!(said.len(), 1);
    assert_eq!(report.left_out, [(LeftOut::UntrustedWriter, 1)].into());
}
