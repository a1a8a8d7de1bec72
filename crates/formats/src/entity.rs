//! What HTTP says of bytes beside them: ranges, conditions, digests, media types and the names of files.
//!
//! Sources: RFC 9110 (sections 8.3, 8.8.3, 13, 14), RFC 9530 (`Content-Digest`), RFC 6266 and RFC 8187 (`Content-Disposition`).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// Longest media type that is kept.
const LONGEST_TYPE: usize = 255;

/// What a `Range` asks for of so many bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ranged {
    /// All of them: there is no range, or one that is passed over (several, another unit, no sense).
    Whole,
    /// From the first to the end (exclusive).
    Part(u64, u64),
    /// Nothing that is there.
    Unsatisfiable,
}

/// Reads a `Range` over `size` bytes.
pub fn ranged(header: Option<&str>, size: u64) -> Ranged {
    let Some((unit, range)) = header.and_then(|text| text.split_once('=')) else {
        return Ranged::Whole;
    };
    let Some((first, last)) = range.trim().split_once('-') else { return Ranged::Whole };
    if !unit.trim().eq_ignore_ascii_case("bytes") {
        return Ranged::Whole;
    }
    match (number(first), number(last)) {
        (Some(Digits::None), Some(Digits::Some(suffix))) => match suffix.min(size) {
            0 => Ranged::Unsatisfiable,
            suffix => Ranged::Part(size - suffix, size),
        },
        (Some(Digits::Some(first)), Some(Digits::None)) if first < size => {
            Ranged::Part(first, size)
        }
        (Some(Digits::Some(first)), Some(Digits::Some(last))) if last < first => Ranged::Whole,
        (Some(Digits::Some(first)), Some(Digits::Some(last))) if first < size => {
            Ranged::Part(first, last.saturating_add(1).min(size))
        }
        (Some(Digits::Some(_)), Some(_)) => Ranged::Unsatisfiable,
        _ => Ranged::Whole,
    }
}

enum Digits {
    None,
    Some(u64),
}

/// Digits and nothing else; as large as can be where they are more.
fn number(text: &str) -> Option<Digits> {
    if text.is_empty() {
        return Some(Digits::None);
    }
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| Digits::Some(text.parse().unwrap_or(u64::MAX)))
}

/// Does a list of entity tags (`If-Match`, `If-None-Match`, `If-Range`), or `*`, name this one? Weak ones as if they were
/// strong: the tag is of the bytes.
pub fn names_tag(list: &str, tag: &str) -> bool {
    let bare = |one: &str| one.trim().trim_start_matches("W/").trim_matches('"') == tag;
    list.trim() == "*" || list.split(',').any(bare)
}

/// The SHA-256 that a `Content-Digest` names: 64 hex digits; none where it names none.
pub fn digest(header: &str) -> Option<String> {
    let named = header.split(',').filter_map(|one| one.trim().split_once('='));
    let mut named = named.filter(|(name, _)| name.trim().eq_ignore_ascii_case("sha-256"));
    let value = named.next()?.1.trim().strip_prefix(':')?.strip_suffix(':')?;
    let bytes = STANDARD.decode(value).ok().filter(|bytes| bytes.len() == 32)?;
    Some(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// A `Content-Type` as it may be kept and sent again; none for what is no media type.
pub fn media_type(header: &str) -> Option<&str> {
    let text = header.trim();
    let (kind, rest) = text.split(';').next().unwrap_or_default().trim().split_once('/')?;
    let token = |part: &str| {
        !part.is_empty()
            && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b))
    };
    let plain = text.bytes().all(|byte| (0x20..0x7f).contains(&byte));
    (text.len() <= LONGEST_TYPE && plain && token(kind) && token(rest)).then_some(text)
}

/// What stands for itself in an extended parameter.
const ATTRIBUTE: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'!')
    .remove(b'#')
    .remove(b'$')
    .remove(b'&')
    .remove(b'+')
    .remove(b'-')
    .remove(b'.')
    .remove(b'^')
    .remove(b'_')
    .remove(b'`')
    .remove(b'|')
    .remove(b'~');

/// A `Content-Disposition` that makes browsers keep a file of this name, and never show it.
pub fn disposition(name: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || " ._-+".contains(c) { c } else { '_' };
    let fallback: String = name.chars().map(plain).collect();
    let exact = utf8_percent_encode(name, ATTRIBUTE);
    format!("attachment; filename=\"{fallback}\"; filename*=UTF-8''{exact}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_read_as_rfc_9110_says() {
        use Ranged::{Part, Unsatisfiable, Whole};
        for (header, size, expected) in [
            ("bytes=0-499", 10_000, Part(0, 500)),
            ("bytes=500-999", 10_000, Part(500, 1000)),
            ("bytes=-500", 10_000, Part(9500, 10_000)),
            ("bytes=9500-", 10_000, Part(9500, 10_000)),
            ("Bytes=0-0", 10, Part(0, 1)),
            ("bytes=5-99", 10, Part(5, 10)),
            ("bytes=5-99999999999999999999999", 10, Part(5, 10)),
            ("bytes=-99", 10, Part(0, 10)),
            ("bytes=10-", 10, Unsatisfiable),
            ("bytes=10-12", 10, Unsatisfiable),
            ("bytes=-0", 10, Unsatisfiable),
            ("bytes=0-", 0, Unsatisfiable),
            ("bytes=-1", 0, Unsatisfiable),
            ("bytes=5-4", 10, Whole),
            ("bytes=0-0,2-2", 10, Whole),
            ("bytes=a-b", 10, Whole),
            ("bytes=-", 10, Whole),
            ("lines=0-1", 10, Whole),
            ("nonsense", 10, Whole),
        ] {
            assert_eq!(ranged(Some(header), size), expected, "{header} of {size}");
        }
        assert_eq!(ranged(None, 10), Whole);
    }

    #[test]
    fn a_list_of_tags_names_one_or_any() {
        for list in ["\"a\"", "W/\"a\"", "\"b\", \"a\"", "*", "a"] {
            assert!(names_tag(list, "a"), "{list}");
        }
        assert!(!names_tag("\"b\", \"aa\"", "a"));
    }

    #[test]
    fn the_published_content_digest_example_is_read() {
        // RFC 9530, appendix B.1: {"hello": "world"} and a line feed.
        let header = "sha-256=:RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg=:";
        let hex = "44aff4ab2d7c3250525675a08f0cfa9591168cffe51791c5f5bbc417c15a6c38";
        assert_eq!(digest(header).as_deref(), Some(hex));
        assert_eq!(digest(&format!("sha-512=:AA==:, {header}")).as_deref(), Some(hex));
        for none in ["", "sha-512=:AA==:", "sha-256=:AA==:", "sha-256=RK/0"] {
            assert_eq!(digest(none), None, "{none}");
        }
    }

    #[test]
    fn a_media_type_is_kept_only_where_it_is_one() {
        for good in ["application/vnd.sqlite3", "text/html; charset=utf-8", "image/svg+xml"] {
            assert_eq!(media_type(good), Some(good));
        }
        let long = format!("a/{}", "b".repeat(300));
        for bad in ["", "text", "/x", "x/", "text/html\r\nX: y", "te xt/html", "é/x", &long] {
            assert_eq!(media_type(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_disposition_names_a_file_and_nothing_else() {
        assert_eq!(
            disposition("a\"; x=é.db"),
            "attachment; filename=\"a__ x__.db\"; filename*=UTF-8''a%22%3B%20x%3D%C3%A9.db"
        );
    }
}
