//! JSON text as it came: its fields and items as slices of it, and the faults that parsers let through.

use crate::problem::Problem;
use holdfast_core::error::Reason;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::fmt;

/// Fields of an object in their order, duplicates included.
pub(crate) struct Fields<'a>(pub Vec<(String, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Fields<'a> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Map;
        impl<'de> Visitor<'de> for Map {
            type Value = Vec<(String, &'de RawValue)>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut fields = Vec::with_capacity(map.size_hint().unwrap_or(8));
                while let Some(field) = map.next_entry()? {
                    fields.push(field);
                }
                Ok(fields)
            }
        }
        from.deserialize_map(Map).map(Fields)
    }
}

/// Fields of the object that `text` is.
pub(crate) fn fields(text: &str) -> Option<Vec<(String, &RawValue)>> {
    serde_json::from_str(text).ok().map(|Fields(fields)| fields)
}

/// The value of a field of the object that `text` is; of duplicates the last, as parsers take it.
pub(crate) fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let fields = fields(text)?;
    fields.into_iter().rev().find(|(key, _)| key == name).map(|(_, value)| value.get())
}

/// Items of the array that `text` is.
pub(crate) fn items(text: &str) -> Option<Vec<&RawValue>> {
    serde_json::from_str(text).ok()
}

/// The string that `text` is.
pub(crate) fn string(text: &str) -> Option<String> {
    serde_json::from_str(text).ok()
}

/// `text` as JSON.
pub(crate) fn quote(text: &str) -> String {
    // A string always has a JSON form.
    serde_json::to_string(text).unwrap_or_default()
}

/// `text`, which is JSON, without white space between its tokens: it is one line.
pub(crate) fn compact(text: &str) -> String {
    let mut compact = String::with_capacity(text.len());
    let (mut quoted, mut escaped) = (false, false);
    for c in text.chars() {
        if quoted || !matches!(c, ' ' | '\t' | '\n' | '\r') {
            compact.push(c);
        }
        match c {
            '"' if !escaped => quoted = !quoted,
            _ => {}
        }
        escaped = quoted && c == '\\' && !escaped;
    }
    compact
}

/// Calls `each` with every string of JSON, quotes included, after what stands before it; in the end with the rest.
pub(crate) fn each_string<'t>(text: &'t str, mut each: impl FnMut(&'t str, Option<&'t str>)) {
    let (mut done, mut begun, mut escaped) = (0, None, false);
    for (at, byte) in text.bytes().enumerate() {
        match (begun, byte) {
            (None, b'"') => begun = Some(at),
            (Some(start), b'"') if !escaped => {
                let string = text.get(start..=at);
                each(text.get(done..start).unwrap_or_default(), string);
                (done, begun) = (at + 1, None);
            }
            _ => {}
        }
        escaped = begun.is_some() && byte == b'\\' && !escaped;
    }
    each(text.get(done..).unwrap_or_default(), None);
}

/// Checks that bytes are one JSON value and not too many.
pub(crate) fn document(bytes: &[u8], limit: usize) -> Result<&str, Problem> {
    if bytes.len() > limit {
        let detail = format!("the body has more than {limit} bytes: send fewer messages at once");
        return Err(Problem::new("", "too_large", detail));
    }
    let text = std::str::from_utf8(bytes).map_err(|e| {
        let detail = format!("the body is not UTF-8 from byte {}", e.valid_up_to());
        Problem::new("", "invalid_utf8", detail)
    })?;
    let value: &RawValue = serde_json::from_str(text).map_err(|e| {
        let detail = format!("the body is not JSON at line {}, column {}", e.line(), e.column());
        Problem::new("", "malformed_json", detail)
    })?;
    Ok(value.get())
}

/// What valid JSON text must not hold: more than `depth` nested arrays and objects, half of a surrogate pair.
pub(crate) fn fault(text: &str, depth: usize) -> Option<(Reason, String)> {
    let mut bytes = text.bytes();
    let mut open = 0;
    let mut quoted = false;
    let mut high = false;
    while let Some(byte) = bytes.next() {
        let awaited = std::mem::take(&mut high);
        let half = match (quoted, byte) {
            (true, b'\\') if bytes.next() == Some(b'u') => half(&mut bytes),
            _ => Half::None,
        };
        match (awaited, half) {
            (true, Half::Low) | (false, Half::None) => {}
            (false, Half::High) => high = true,
            _ => return Some(lone()),
        }
        match (quoted, byte) {
            (_, b'"') => quoted = !quoted,
            (false, b'[' | b'{') => open += 1,
            (false, b']' | b'}') => open -= 1,
            _ => {}
        }
        if open > depth {
            return Some((
                "unprocessable",
                format!("more than {depth} arrays and objects lie inside each other"),
            ));
        }
    }
    None
}

enum Half {
    High,
    Low,
    None,
}

fn half(digits: &mut impl Iterator<Item = u8>) -> Half {
    let unit = digits
        .take(4)
        .fold(0, |unit, digit| unit * 16 + char::from(digit).to_digit(16).unwrap_or(0));
    match unit {
        0xD800..=0xDBFF => Half::High,
        0xDC00..=0xDFFF => Half::Low,
        _ => Half::None,
    }
}

fn lone() -> (Reason, String) {
    let detail = "a string holds half of a surrogate pair (\\ud800 to \\udfff), which is no text";
    ("unprocessable", detail.to_owned())
}

/// `text` with `part` (a slice of it) replaced by `new`; as it is when `part` does not lie in it.
pub(crate) fn replaced(text: &str, part: &str, new: &str) -> String {
    match around(text, part) {
        Some((before, after)) => format!("{before}{new}{after}"),
        None => text.to_owned(),
    }
}

/// What stands in `text` before and after `part`, a slice of it.
pub(crate) fn around<'a>(text: &'a str, part: &str) -> Option<(&'a str, &'a str)> {
    let start = (part.as_ptr() as usize).checked_sub(text.as_ptr() as usize)?;
    Some((text.get(..start)?, text.get(start.checked_add(part.len())?..)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn depth_counts_arrays_and_objects_outside_strings_only() {
        assert!(fault(r#"[[["[[[[\"[["]]]"#, 3).is_none());
        assert!(fault("[[[[]]]]", 3).is_some());
        assert!(fault(r#"[[],[],[],{}]"#, 2).is_none());
    }

    #[test]
    fn half_a_surrogate_pair_is_found_wherever_it_stands() {
        for lone in [
            r#""\ud800""#,
            r#""\udc00""#,
            r#""\ud83d\ud83d\ude00""#,
            r#""\ud83d\\ude00""#,
            r#"{"\ud800":1}"#,
            r#""\ud83dx\ude00""#,
            r#"["\ud83d","\ude00"]"#,
        ] {
            assert!(fault(lone, 9).is_some(), "{lone}");
        }
        for fine in [r#""\ud83d\ude00""#, r#""\\ud800""#, r#""\uD83D\uDE00\n\"""#, r#""\u00e9""#] {
            assert!(fault(fine, 9).is_none(), "{fine}");
        }
    }
}
