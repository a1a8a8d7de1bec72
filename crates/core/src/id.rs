//! Ids as callers give them: 1 to 256 bytes of UTF-8 without control characters.

use crate::{Error, Result};
use std::fmt;

/// Longest id in bytes.
pub const MAX_ID: usize = 256;

fn parse(what: &'static str, text: &str) -> Result<Box<str>> {
    if text.is_empty() || text.len() > MAX_ID {
        return Err(Error::unprocessable(what, format!("{what} must have 1 to {MAX_ID} bytes")));
    }
    if text.chars().any(char::is_control) {
        return Err(Error::unprocessable(what, format!("{what} must not hold control characters")));
    }
    Ok(text.into())
}

/// Names that stand in keys and credentials: 1 to 64 of `[a-z0-9_-]`.
fn parse_name(what: &'static str, text: &str) -> Result<Box<str>> {
    let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_' || b == b'-';
    if text.is_empty() || text.len() > 64 || !text.bytes().all(allowed) {
        let rule = format!("{what} must have 1 to 64 characters of a-z, 0-9, _ and -");
        return Err(Error::unprocessable(what, rule));
    }
    Ok(text.into())
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident $what:literal $parse:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(Box<str>);

        impl $name {
            /// Checks and keeps `text`.
            ///
            /// # Errors
            /// `invalid` with the rule that it breaks.
            pub fn parse(text: &str) -> Result<Self> {
                $parse($what, text).map(Self)
            }

            /// The id as the caller gave it.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({:?})", stringify!($name), &self.0)
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, to: S) -> std::result::Result<S::Ok, S::Error> {
                to.serialize_str(&self.0)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(from: D) -> std::result::Result<Self, D::Error> {
                let text = std::borrow::Cow::<str>::deserialize(from)?;
                Self::parse(&text).map_err(serde::de::Error::custom)
            }
        }
    )*};
}

ids! {
    /// Owner of an installation's data.
    TenantId "tenant" parse_name;
    /// The person remembered.
    UserId "user_id" parse;
    /// One conversation of a user.
    SessionId "session_id" parse;
    /// One message of a session.
    MessageId "message_id" parse;
    /// Name of an API key.
    KeyId "key_id" parse_name;
}

/// Whose data: always the first argument.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Scope {
    /// The tenant, from the credentials.
    pub tenant: TenantId,
    /// The user, from the credentials or named by a service key.
    pub user: UserId,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_hold_1_to_256_bytes_without_control_characters() {
        assert!(SessionId::parse("").is_err());
        assert!(SessionId::parse(&"x".repeat(257)).is_err());
        assert!(SessionId::parse("a\nb").is_err());
        assert!(SessionId::parse("a\u{85}b").is_err());
        assert_eq!(SessionId::parse("thread/7 é").unwrap().as_str(), "thread/7 é");
    }
}
