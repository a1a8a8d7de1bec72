//! What a store answers: error bodies, list pages and dates, read with a streaming XML reader.

use crate::address;
use holdfast_core::clock::parse_rfc3339;
use holdfast_core::ports::Listed;
use http::{HeaderMap, Response, header};
use quick_xml::{Reader, events::Event};
use time::{PrimitiveDateTime, macros::format_description};

/// The body of an error answer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ErrorBody {
    /// The code that S3's error tables list; empty when the body has none.
    pub code: String,
    /// For humans.
    pub message: String,
    /// Region or endpoint where the bucket really is.
    pub place: String,
}

/// One page of a list as the store sent it.
#[derive(Debug, Default)]
pub(crate) struct ListBody {
    pub objects: Vec<Listed>,
    pub truncated: bool,
    pub token: Option<String>,
}

/// One version of an object, or what stands for its removal.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Version {
    pub key: String,
    pub id: String,
    /// What a GET without a version id is about.
    pub latest: bool,
    /// It holds nothing: the object was removed.
    pub marker: bool,
}

/// One page of versions as the store sent it.
#[derive(Debug, Default)]
pub(crate) struct VersionsBody {
    pub versions: Vec<Version>,
    truncated: bool,
    /// Key and version id after which the next page begins.
    pub next: Option<(String, String)>,
}

/// The error in `body`; nothing is an error here, since proxies answer HTML.
pub(crate) fn error(body: &[u8]) -> ErrorBody {
    let mut found = ErrorBody::default();
    let _ = walk(body, |path, text| {
        match path {
            ["Error", "Code"] => text.clone_into(&mut found.code),
            ["Error", "Message"] => text.clone_into(&mut found.message),
            ["Error", "Region" | "Endpoint"] => text.clone_into(&mut found.place),
            _ => {}
        }
        Some(())
    });
    found
}

/// A page of `ListObjectsV2`; `None` when the body is cut off or is no such page.
pub(crate) fn list(body: &[u8]) -> Option<ListBody> {
    let (mut page, mut keys, mut encoded, mut seen) = (ListBody::default(), vec![], false, false);
    let (mut sizes, mut times) = (vec![], vec![]);
    walk(body, |path, text| {
        match path {
            ["ListBucketResult"] => seen = true,
            ["ListBucketResult", "IsTruncated"] => page.truncated = text == "true",
            ["ListBucketResult", "EncodingType"] => encoded = text.eq_ignore_ascii_case("url"),
            ["ListBucketResult", "NextContinuationToken"] => page.token = Some(text.to_owned()),
            ["ListBucketResult", "Contents", "Key"] => keys.push(text.to_owned()),
            ["ListBucketResult", "Contents", "Size"] => sizes.push(text.parse().ok()?),
            ["ListBucketResult", "Contents", "LastModified"] => {
                times.push(parse_rfc3339(text).ok()?);
            }
            _ => {}
        }
        Some(())
    })?;
    if !seen || keys.len() != sizes.len() || keys.len() != times.len() {
        return None;
    }
    for ((key, size), modified) in keys.into_iter().zip(sizes).zip(times) {
        let key = if encoded { address::decode(&key)? } else { key };
        page.objects.push(Listed { key, size, modified });
    }
    Some(page)
}

/// A page of `ListObjectVersions`; `None` when the body is cut off or is no such page.
pub(crate) fn versions(body: &[u8]) -> Option<VersionsBody> {
    let (mut page, mut one, mut encoded, mut seen) =
        (VersionsBody::default(), Version::default(), false, false);
    let (mut key, mut id) = (String::new(), String::new());
    walk(body, |path, text| {
        match path {
            ["ListVersionsResult"] => seen = true,
            ["ListVersionsResult", "IsTruncated"] => page.truncated = text == "true",
            ["ListVersionsResult", "EncodingType"] => encoded = text.eq_ignore_ascii_case("url"),
            ["ListVersionsResult", "NextKeyMarker"] => text.clone_into(&mut key),
            ["ListVersionsResult", "NextVersionIdMarker"] => text.clone_into(&mut id),
            ["ListVersionsResult", "Version" | "DeleteMarker", field] => match *field {
                "Key" => text.clone_into(&mut one.key),
                "VersionId" => text.clone_into(&mut one.id),
                "IsLatest" => one.latest = text == "true",
                _ => {}
            },
            ["ListVersionsResult", kind @ ("Version" | "DeleteMarker")] => {
                one.marker = *kind == "DeleteMarker";
                page.versions.push(std::mem::take(&mut one));
            }
            _ => {}
        }
        Some(())
    })?;
    if !seen || page.versions.iter().any(|one| one.key.is_empty()) {
        return None;
    }
    let decoded = |text: &str| if encoded { address::decode(text) } else { Some(text.to_owned()) };
    for one in &mut page.versions {
        one.key = decoded(&one.key)?;
    }
    page.next = page.truncated.then_some((decoded(&key)?, id));
    Some(page)
}

/// Until when a version is locked, of the answer to `?retention`: Unix milliseconds.
pub(crate) fn retained_until(body: &[u8]) -> Option<u64> {
    let mut until = None;
    walk(body, |path, text| {
        if matches!(path, ["Retention", "RetainUntilDate"]) {
            until = parse_rfc3339(text).ok();
        }
        Some(())
    })?;
    until
}

/// Unix milliseconds of the answer's `Date`.
pub(crate) fn date(headers: &HeaderMap) -> Option<u64> {
    let text = headers.get(header::DATE)?.to_str().ok()?;
    let form = format_description!(
        "[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] GMT"
    );
    let when = PrimitiveDateTime::parse(text, form).ok()?.assume_utc();
    u64::try_from(when.unix_timestamp()).ok().map(|seconds| seconds * 1000)
}

/// The answer's ETag without its quotes.
pub(crate) fn etag<B>(answer: &Response<B>) -> Option<&str> {
    let text = answer.headers().get(header::ETAG)?.to_str().ok()?;
    Some(text.trim_start_matches("W/").trim_matches('"'))
}

/// Calls `leaf` with the path and text of every element, when it ends. `None` when the XML is not whole.
fn walk(body: &[u8], mut leaf: impl FnMut(&[&str], &str) -> Option<()>) -> Option<()> {
    let mut reader = Reader::from_reader(body);
    reader.config_mut().expand_empty_elements = true;
    let (mut path, mut text, mut buffer) = (Vec::<String>::new(), String::new(), Vec::new());
    loop {
        match reader.read_event_into(&mut buffer).ok()? {
            Event::Start(start) => {
                path.push(String::from_utf8(start.local_name().as_ref().to_vec()).ok()?);
                text.clear();
            }
            Event::Text(part) => text.push_str(&part.unescape().ok()?),
            Event::CData(part) => text.push_str(&part.decode().ok()?),
            Event::End(_) => {
                let names: Vec<&str> = path.iter().map(String::as_str).collect();
                leaf(&names, &text)?;
                path.pop();
                text.clear();
            }
            Event::Eof => return path.is_empty().then_some(()),
            _ => {}
        }
        buffer.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>b</Name><Prefix/>
<IsTruncated>true</IsTruncated><EncodingType>url</EncodingType><NextContinuationToken>t&amp;1</NextContinuationToken>
<Contents><Key>a%2Fb+c%2B1</Key><LastModified>2009-10-12T17:50:30.000Z</LastModified><ETag>"x"</ETag><Size>7</Size>
<Owner><ID>me</ID></Owner></Contents></ListBucketResult>"#;

    #[test]
    fn a_page_is_read_with_its_keys_decoded() {
        let page = list(PAGE.as_bytes()).unwrap();
        assert!(page.truncated);
        assert_eq!(page.token.as_deref(), Some("t&1"));
        let expected = Listed { key: "a/b c+1".into(), size: 7, modified: 1_255_369_830_000 };
        assert_eq!(page.objects, [expected]);
    }

    #[test]
    fn keys_are_only_decoded_when_the_answer_says_that_they_are_encoded() {
        let plain = PAGE.replace("<EncodingType>url</EncodingType>", "");
        assert_eq!(list(plain.as_bytes()).unwrap().objects[0].key, "a%2Fb+c%2B1");
    }

    #[test]
    fn a_page_that_is_cut_off_anywhere_is_no_page() {
        for end in 0..PAGE.len() {
            assert!(list(&PAGE.as_bytes()[..end]).is_none(), "{end}");
        }
    }

    #[test]
    fn versions_are_read_with_what_they_are() {
        const VERSIONS: &str = r#"<ListVersionsResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>b</Name>
<IsTruncated>true</IsTruncated><EncodingType>url</EncodingType><NextKeyMarker>a%2Fc</NextKeyMarker><NextVersionIdMarker>9</NextVersionIdMarker>
<DeleteMarker><Key>a%2Fb</Key><VersionId>3</VersionId><IsLatest>true</IsLatest><Owner><ID>me</ID></Owner></DeleteMarker>
<Version><Key>a%2Fb</Key><VersionId>2</VersionId><IsLatest>false</IsLatest><Size>7</Size></Version></ListVersionsResult>"#;
        let page = versions(VERSIONS.as_bytes()).unwrap();
        let one =
            |id: &str, latest| Version { key: "a/b".into(), id: id.into(), latest, marker: latest };
        assert_eq!(page.versions, [one("3", true), one("2", false)]);
        assert_eq!(page.next, Some(("a/c".to_owned(), "9".to_owned())));
        assert!(versions(PAGE.as_bytes()).is_none());
        for end in 0..VERSIONS.len() {
            assert!(versions(&VERSIONS.as_bytes()[..end]).is_none(), "{end}");
        }
        let locked = b"<Retention><Mode>COMPLIANCE</Mode><RetainUntilDate>2009-10-12T17:50:30Z</RetainUntilDate></Retention>";
        assert_eq!(retained_until(locked), Some(1_255_369_830_000));
    }

    #[test]
    fn an_error_body_gives_its_code_and_html_gives_none() {
        let body = b"<Error><Code>PermanentRedirect</Code><Message>a &lt; b</Message><Region>eu</Region></Error>";
        let read = error(body);
        assert_eq!(
            (&*read.code, &*read.message, &*read.place),
            ("PermanentRedirect", "a < b", "eu")
        );
        assert_eq!(error(b"<html><p>no</html>"), ErrorBody::default());
        assert_eq!(error(b""), ErrorBody::default());
    }

    #[test]
    fn a_date_is_read_and_nonsense_is_none() {
        let mut headers = HeaderMap::new();
        headers.insert("date", "Wed, 21 Oct 2015 07:28:00 GMT".parse().unwrap());
        assert_eq!(date(&headers), Some(1_445_412_480_000));
        headers.insert("date", "yesterday".parse().unwrap());
        assert_eq!(date(&headers), None);
    }
}
