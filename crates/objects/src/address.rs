//! Keys and queries as URLs: every byte but the unreserved ones is percent-encoded, once.

use crate::settings::{Addressing, Settings};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

const QUERY: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
const PATH: &AsciiSet = &QUERY.remove(b'/');

/// URL of an object.
pub(crate) fn object(settings: &Settings, key: &str) -> String {
    format!("{}/{}", bucket(settings), utf8_percent_encode(key, PATH))
}

/// URL of one page of a list.
pub(crate) fn list(
    settings: &Settings,
    prefix: &str,
    after: Option<&str>,
    token: Option<&str>,
) -> String {
    let mut url = format!("{}?", bucket(settings));
    if settings.addressing == Addressing::Host {
        url.insert(url.len() - 1, '/');
    }
    let mut parameter = |name: &str, value: &str| {
        if !url.ends_with('?') {
            url.push('&');
        }
        url.push_str(name);
        url.push('=');
        url.extend(utf8_percent_encode(value, QUERY));
    };
    // In byte order, as the signature's canonical form has them.
    token.into_iter().for_each(|token| parameter("continuation-token", token));
    parameter("encoding-type", "url");
    parameter("list-type", "2");
    parameter("max-keys", "1000");
    parameter("prefix", prefix);
    after.into_iter().for_each(|after| parameter("start-after", after));
    url
}

/// URL of one version of an object, or of a sub-resource of it, as `retention&`.
pub(crate) fn version(settings: &Settings, key: &str, aspect: &str, id: &str) -> String {
    format!("{}?{aspect}versionId={}", object(settings, key), utf8_percent_encode(id, QUERY))
}

/// URL of one page of the versions below a prefix, from where the last one ended.
pub(crate) fn versions(
    settings: &Settings,
    prefix: &str,
    from: Option<&(String, String)>,
) -> String {
    let text = |value| utf8_percent_encode(value, QUERY);
    let (key, id) = match from {
        Some((key, id)) => {
            (format!("key-marker={}&", text(key)), format!("version-id-marker={}&", text(id)))
        }
        None => Default::default(),
    };
    let prefix = text(prefix);
    // In byte order, as the signature's canonical form has them.
    aspect(settings, &format!("encoding-type=url&{key}max-keys=1000&prefix={prefix}&{id}versions="))
}

/// URL of a sub-resource of the bucket, as `versioning`.
pub(crate) fn aspect(settings: &Settings, query: &str) -> String {
    match settings.addressing {
        Addressing::Path => format!("{}?{query}", bucket(settings)),
        Addressing::Host => format!("{}/?{query}", bucket(settings)),
    }
}

/// A key as `encoding-type=url` spells it: percent-encoded, a space as `+` or `%20`.
pub(crate) fn decode(text: &str) -> Option<String> {
    let spaced = text.replace('+', " ");
    percent_decode_str(&spaced).decode_utf8().ok().map(std::borrow::Cow::into_owned)
}

fn bucket(settings: &Settings) -> String {
    let Settings { endpoint, path, bucket, .. } = settings;
    match settings.addressing {
        Addressing::Path => format!("{endpoint}{path}/{bucket}"),
        Addressing::Host => {
            let (scheme, host) = endpoint.split_once("://").unwrap_or(("https", endpoint));
            format!("{scheme}://{bucket}.{host}{path}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(addressing: Addressing, path: &str) -> Settings {
        Settings {
            endpoint: "https://s3.example.com".into(),
            path: path.into(),
            bucket: "b".into(),
            addressing,
            ..Settings::default()
        }
    }

    #[test]
    fn every_reserved_byte_of_a_key_is_encoded_once_and_slashes_stand() {
        let place = settings(Addressing::Path, "/base");
        assert_eq!(
            object(&place, "a b//c+d%2f/é?#&'(x)"),
            "https://s3.example.com/base/b/a%20b//c%2Bd%252f/%C3%A9%3F%23%26%27%28x%29"
        );
    }

    #[test]
    fn the_bucket_may_stand_in_the_host() {
        let place = settings(Addressing::Host, "");
        assert_eq!(object(&place, "k"), "https://b.s3.example.com/k");
        assert!(list(&place, "p/", None, None).starts_with("https://b.s3.example.com/?encoding"));
    }

    #[test]
    fn a_list_names_prefix_and_start_encoded() {
        assert_eq!(
            list(&settings(Addressing::Path, ""), "a/é+", Some("a/é+1"), None),
            "https://s3.example.com/b?encoding-type=url&list-type=2&max-keys=1000&prefix=a%2F%C3%A9%2B&start-after=a%2F%C3%A9%2B1"
        );
    }

    #[test]
    fn listed_keys_are_decoded_in_both_spellings_of_a_space() {
        assert_eq!(decode("a+b%20c%2Bd%25").as_deref(), Some("a b c+d%"));
        assert_eq!(decode("%ff"), None);
    }
}
