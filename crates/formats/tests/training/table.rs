//! Parquet, read back by the library's own reader.

use crate::world::{assistant, call, tool, user, windows};
use bytes::Bytes;
use holdfast_core::message::Message;
use holdfast_formats::training::{Limits, Report, Row, TableWriter, Verdicts, rows};
use parquet::file::reader::{FileReader, SerializedFileReader};

fn conversation() -> Vec<Row> {
    let named = Message { name: Some("Ann".to_owned()), ..user("rain?") };
    let two = r#"[{"id":"a","name":"f","args":{"x":1}},{"id":"b","name":"g","args":{}}]"#;
    let both = Message { tool_calls: Some(two.to_owned()), ..assistant("") };
    let messages = [
        named,
        call("c1", "{}"),
        tool("c1", "wet"),
        assistant("yes"),
        user("more"),
        both,
        tool("a", "1"),
        tool("b", "2"),
        assistant("3"),
    ];
    let mut report = Report::default();
    let windows = windows(&messages, Limits::default(), &mut report);
    let mut all: Vec<Row> =
        windows.iter().flat_map(|w| rows(w, &Verdicts::new(), &mut report)).collect();
    let short = [user("q"), assistant("a")];
    let windows = self::windows(&short, Limits::default(), &mut report);
    all.extend(windows.iter().flat_map(|w| rows(w, &Verdicts::new(), &mut report)));
    assert_eq!(report.examples, 2);
    all
}

#[test]
fn rows_read_back_as_they_were_written() {
    let all = conversation();
    let mut writer = TableWriter::new().unwrap();
    writer.push(&all).unwrap();
    writer.push(&all[1..]).unwrap();
    let reader = SerializedFileReader::new(Bytes::from(writer.finish().unwrap())).unwrap();
    assert_eq!(reader.metadata().num_row_groups(), 2);
    let read: Vec<String> =
        reader.get_row_iter(None).unwrap().map(|row| row.unwrap().to_string()).collect();
    assert_eq!(read.len(), 3);
    assert_eq!(read[1], read[2]);
    let short = r#"{user_id: "ann", session_id: "s1", messages: [{role: "user", content: "q", name: null, tool_calls: null, tool_call_id: null}, {role: "assistant", content: "a", name: null, tool_calls: null, tool_call_id: null}], message_ids: ["m1", "m2"], tools: null}"#;
    assert_eq!(read[1], short);
    for part in [
        r#"{role: "user", content: "rain?", name: "Ann", tool_calls: null, tool_call_id: null}"#,
        r#"tool_calls: [{id: "c1", type: "function", function: {name: "weather", arguments: "{}"}}]"#,
        r#"[{id: "a", type: "function", function: {name: "f", arguments: "{"x":1}"}}, {id: "b", type: "function", function: {name: "g", arguments: "{}"}}]"#,
        r#"{role: "tool", content: "2", name: null, tool_calls: null, tool_call_id: "b"}"#,
        r#"message_ids: ["m1", "m2", "m3", "m4", "m5", "m6", "m7", "m8", "m9"]"#,
    ] {
        assert!(read[0].contains(part), "{part}\n{}", read[0]);
    }
}

#[test]
fn a_table_without_rows_can_be_read() {
    let reader =
        SerializedFileReader::new(Bytes::from(TableWriter::new().unwrap().finish().unwrap()))
            .unwrap();
    assert_eq!(reader.metadata().file_metadata().num_rows(), 0);
}
