//! Where the bucket is and with what credentials, as the user gave it; checked before the first request.

use crate::retry::Policy;
use holdfast_core::{Error, Result};
use std::fmt;

/// Where the bucket's name stands in a URL.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Addressing {
    /// `https://host/bucket/key`: what every S3 server takes.
    #[default]
    Path,
    /// `https://bucket.host/key`.
    Host,
}

/// The store as the user names it. Nothing is checked until [`Settings::check`], which `Store::new` calls.
#[derive(Clone, Default)]
pub struct Settings {
    /// Origin only: `https://host` or `https://host:port`.
    pub endpoint: String,
    /// Path below the origin, before the bucket: usually empty.
    pub path: String,
    /// Region that requests are signed for.
    pub region: String,
    /// The bucket.
    pub bucket: String,
    /// Access key id.
    pub access_key: String,
    /// Secret access key.
    pub secret_key: String,
    /// Session token of temporary credentials.
    pub session_token: Option<String>,
    /// Where the bucket's name stands.
    pub addressing: Addressing,
    /// The store's ETag is not the MD5 of the bytes (SSE-KMS, SSE-C): every write is then verified by reading it back.
    pub etag_is_not_md5: bool,
    /// Retries and deadlines.
    pub policy: Policy,
}

impl Settings {
    /// The settings without stray slashes and default ports, or what is wrong with them.
    ///
    /// # Errors
    /// `invalid`, naming the setting at fault and what it should look like.
    pub fn check(mut self) -> Result<Self> {
        self.endpoint = origin(&self.endpoint)?;
        self.path = base_path(&self.path)?;
        for (name, value) in [
            ("s3_region", &self.region),
            ("s3_bucket", &self.bucket),
            ("s3_access_key", &self.access_key),
            ("s3_secret_key", &self.secret_key),
        ] {
            if value.is_empty() {
                return Err(wrong(name, "is empty"));
            }
            if !value.bytes().all(|b| b.is_ascii_graphic()) {
                return Err(wrong(name, "holds a space or a character that is not ASCII"));
            }
        }
        if self.bucket.bytes().any(|b| !(b.is_ascii_alphanumeric() || b"-._".contains(&b))) {
            return Err(wrong("s3_bucket", "may hold only letters, digits, '-', '.' and '_'"));
        }
        if matches!(self.bucket.as_str(), "." | "..") {
            return Err(wrong("s3_bucket", "is not the name of a bucket"));
        }
        self.session_token = self.session_token.filter(|token| !token.is_empty());
        if self.session_token.iter().any(|token| !token.bytes().all(|b| b.is_ascii_graphic())) {
            return Err(wrong("s3_session_token", "holds a character that is not visible ASCII"));
        }
        Ok(self)
    }
}

/// Never shows a secret.
impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("endpoint", &self.endpoint)
            .field("path", &self.path)
            .field("region", &self.region)
            .field("bucket", &self.bucket)
            .field("addressing", &self.addressing)
            .finish_non_exhaustive()
    }
}

fn origin(text: &str) -> Result<String> {
    const SHAPE: &str = "must be an origin, as https://s3.example.com or http://127.0.0.1:9000";
    let (scheme, rest) = text.split_once("://").ok_or_else(|| wrong("s3_endpoint", SHAPE))?;
    let default_port = match scheme {
        "https" => "443",
        "http" => "80",
        _ => {
            return Err(wrong("s3_endpoint", "must begin with https:// or http://, in lower case"));
        }
    };
    let authority = rest.strip_suffix('/').unwrap_or(rest);
    if authority.contains(['/', '?', '#']) {
        return Err(wrong("s3_endpoint", "holds a path: give the path as s3_path"));
    }
    if authority.bytes().any(|b| b.is_ascii_uppercase()) {
        return Err(wrong("s3_endpoint", "must be in lower case"));
    }
    let parsed: http::uri::Authority =
        authority.parse().map_err(|_| wrong("s3_endpoint", SHAPE))?;
    let odd_port = parsed.port_u16().is_none() && parsed.host() != authority;
    if parsed.host().is_empty() || authority.contains(['@', ',']) || odd_port {
        return Err(wrong("s3_endpoint", SHAPE));
    }
    Ok(match parsed.port() {
        Some(port) if port.as_str() == default_port => format!("{scheme}://{}", parsed.host()),
        _ => format!("{scheme}://{authority}"),
    })
}

fn base_path(text: &str) -> Result<String> {
    let path = text.trim_matches('/');
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~/".contains(&b);
    if !path.bytes().all(plain) || path.split('/').any(|part| part == "." || part == "..") {
        return Err(wrong("s3_path", "may hold only letters, digits, '-', '.', '_', '~' and '/'"));
    }
    Ok(if path.is_empty() { String::new() } else { format!("/{path}") })
}

fn wrong(setting: &str, what: &str) -> Error {
    Error::invalid(format!("setting {setting} {what}")).at(setting)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_endpoint(endpoint: &str) -> Settings {
        let text = |text: &str| text.to_owned();
        Settings {
            endpoint: text(endpoint),
            region: text("eu-central-1"),
            bucket: text("b"),
            access_key: text("AK"),
            secret_key: text("SK"),
            ..Settings::default()
        }
    }

    #[test]
    fn an_origin_is_taken_and_its_default_port_dropped() {
        for (given, taken) in [
            ("https://s3.example.com", "https://s3.example.com"),
            ("https://s3.example.com/", "https://s3.example.com"),
            ("https://s3.example.com:443", "https://s3.example.com"),
            ("http://127.0.0.1:80", "http://127.0.0.1"),
            ("http://127.0.0.1:9000", "http://127.0.0.1:9000"),
            ("http://[::1]:9000", "http://[::1]:9000"),
        ] {
            assert_eq!(with_endpoint(given).check().unwrap().endpoint, taken);
        }
    }

    #[test]
    fn an_endpoint_that_is_no_origin_is_refused_with_the_setting_named() {
        for (given, says) in [
            ("", "origin"),
            ("s3.example.com", "origin"),
            ("ftp://s3.example.com", "https://"),
            ("HTTPS://s3.example.com", "lower case"),
            ("https://S3.example.com", "lower case"),
            ("https://s3.example.com/base", "s3_path"),
            ("https://a@s3.example.com", "origin"),
            ("https://a,https://b", "s3_path"),
            ("https://", "origin"),
            ("https://host:port", "origin"),
        ] {
            let error = with_endpoint(given).check().unwrap_err();
            assert_eq!(error.field.as_deref(), Some("s3_endpoint"), "{given}");
            assert!(error.detail.contains(says), "{given}: {error}");
        }
    }

    #[test]
    fn an_empty_bucket_or_key_is_refused_with_the_setting_named() {
        let error = Settings { bucket: String::new(), ..with_endpoint("http://h") }.check();
        assert_eq!(error.unwrap_err().field.as_deref(), Some("s3_bucket"));
        let error = Settings { secret_key: String::new(), ..with_endpoint("http://h") }.check();
        assert_eq!(error.unwrap_err().field.as_deref(), Some("s3_secret_key"));
        let error = Settings { bucket: "a/b".to_owned(), ..with_endpoint("http://h") }.check();
        assert_eq!(error.unwrap_err().field.as_deref(), Some("s3_bucket"));
    }

    #[test]
    fn a_secret_never_shows_in_debug_output() {
        let settings = Settings { secret_key: "topsecret".into(), ..with_endpoint("http://h") };
        assert!(!format!("{settings:?}").contains("topsecret"));
    }
}
