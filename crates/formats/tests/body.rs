//! Bodies that are one object: each field by its type and range, all problems at once.
#![allow(clippy::unwrap_used, reason = "tests")]

use holdfast_core::Error;
use holdfast_formats::{Body, Limits};

const KNOWN: &[&str] = &["text", "free", "names", "flag", "count", "share", "mode"];

fn open(text: &str) -> Result<Body<'_>, Error> {
    Body::open(text.as_bytes(), &Limits::default(), "a question", KNOWN)
}

/// Reads every field; the error names what was wrong.
fn read(text: &str) -> Result<(), Error> {
    let mut body = open(text)?;
    body.string("text");
    body.object("free", 20);
    body.strings("names");
    body.flag("flag", false);
    body.whole("count", 1, 200);
    body.number("share", 0.0, 1.0);
    body.choice("mode", &["fast", "deep"]);
    body.close()
}

#[test]
fn good_fields_and_absent_ones_are_read() {
    let all = r#"{"text":"a","free":{"b": 1},"names":["c"],"flag":true,"count":200,"share":1,"mode":"deep"}"#;
    assert!(read(all).is_ok());
    for nothing in ["", "{}", r#"{"text":null,"count":null,"mode":null}"#] {
        assert!(read(nothing).is_ok(), "{nothing}");
    }
    let mut body = open(all).unwrap();
    assert_eq!(body.object("free", 20).as_deref(), Some(r#"{"b": 1}"#));
    assert_eq!(
        (body.whole("count", 1, 200), body.number("share", 0.0, 1.0)),
        (Some(200), Some(1.0))
    );
    assert_eq!(body.choice("mode", &["fast", "deep"]), Some("deep"));
    assert!(open("").unwrap().flag("flag", true));
}

#[test]
fn each_field_is_refused_by_its_own_rule() {
    for (field, value) in [
        ("text", "7"),
        ("free", "[]"),
        ("free", r#"{"x":"yyyyyyyyyyyyyyyyyyyyyyyy"}"#),
        ("names", "[7]"),
        ("flag", "1"),
        ("count", "0"),
        ("count", "201"),
        ("count", "1.5"),
        ("count", "-1"),
        ("count", "99999999999"),
        ("share", "1.1"),
        ("share", "-0.1"),
        ("share", "1e999"),
        ("mode", r#""slow""#),
        ("mode", "7"),
    ] {
        let error = read(&format!("{{\"{field}\":{value}}}")).unwrap_err();
        assert_eq!((error.status(), error.field), (422, Some(format!("/{field}"))), "{value}");
    }
}

#[test]
fn what_is_no_such_object_is_refused() {
    for (body, reason) in [
        ("{", "malformed_json"),
        ("[]", "unprocessable"),
        ("7", "unprocessable"),
        (r#"{"txt":"a"}"#, "unknown_field"),
        (r#"{"text":"a","text":"b"}"#, "unprocessable"),
        (r#"{"text":"\ud800"}"#, "unprocessable"),
    ] {
        assert_eq!(read(body).unwrap_err().reason, reason, "{body}");
    }
    let broken = Body::open(b"{\"text\":\"\xff\"}", &Limits::default(), "a question", KNOWN);
    assert_eq!(broken.err().unwrap().reason, "invalid_utf8");
}
