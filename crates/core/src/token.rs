//! What Holdfast signs and gets back: `Holdfast-After` tokens and cursors.
//!
//! Form: `<base64url of JSON>.<base64url of the first 16 bytes of an HMAC-SHA-256>`. The HMAC covers what the thing is for
//! and the tenant and user, so that no token of one scope or use can serve another.

use crate::{Error, Hlc, Order, Result, Scope, key};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, Mac};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use sha2::{Digest, Sha256};

const MAC_BYTES: usize = 16;

/// At most so many keys in a token: every object that no other names. More than a header's `prev` holds, because a reader
/// cannot write one that names them.
pub const MAX_NAMED: usize = 64;

/// How far a reader has seen a user's journal.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Frontier {
    /// Highest hybrid time.
    #[serde(rename = "t")]
    pub hlc: Hlc,
    /// Newest manifest.
    #[serde(rename = "m", default, skip_serializing_if = "Option::is_none")]
    pub head: Option<String>,
    /// WAL keys, and manifests that the newest does not stand for, at most [`MAX_NAMED`]; in a token without the user's
    /// prefix.
    #[serde(rename = "k", default, skip_serializing_if = "Vec::is_empty")]
    pub keys: Vec<String>,
}

impl Frontier {
    /// What both have seen; keys of `self` come first, the rest up to [`MAX_NAMED`].
    #[must_use]
    pub fn joined(&self, other: &Self) -> Self {
        let (head, behind) = (
            self.head.as_ref().max(other.head.as_ref()),
            self.head.as_ref().min(other.head.as_ref()),
        );
        let mut keys = self.keys.clone();
        // The older manifest need not stand behind the newer one: two may have been made at once.
        let older = behind.filter(|behind| Some(*behind) != head);
        let more = other.keys.iter().chain(older).filter(|key| !self.keys.contains(key));
        keys.extend(more.cloned());
        keys.truncate(MAX_NAMED);
        Self { hlc: self.hlc.max(other.hlc), head: head.cloned(), keys }
    }
}

/// Where a list goes on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cursor {
    /// First 16 hex digits of the query's SHA-256: a cursor serves its own query only.
    #[serde(rename = "q")]
    pub query: String,
    /// Order of the last item.
    #[serde(rename = "o")]
    pub order: String,
    /// Its rank when the cursor was made.
    #[serde(rename = "r")]
    pub rank: u32,
}

/// Signs and checks with the installation's `root_secret`.
pub struct Signer<'a> {
    secret: &'a [u8],
    scope: &'a Scope,
}

impl<'a> Signer<'a> {
    /// A signer for one scope.
    pub fn new(secret: &'a [u8], scope: &'a Scope) -> Self {
        Self { secret, scope }
    }

    /// The `Holdfast-After` text of a frontier.
    pub fn after(&self, frontier: &Frontier) -> String {
        let prefix = key::user(self.scope);
        let short = |key: &String| key.strip_prefix(prefix.as_str()).unwrap_or(key).to_owned();
        let keys = frontier.keys.iter().map(short).collect();
        let head = frontier.head.as_ref().map(short);
        self.seal("after", &Frontier { hlc: frontier.hlc, head, keys })
    }

    /// Reads a `Holdfast-After` text; `now` is Unix milliseconds.
    ///
    /// # Errors
    /// `invalid_token` when it is not ours for this scope, or lies further ahead than a clock may.
    pub fn read_after(&self, text: &str, now: u64) -> Result<Frontier> {
        let bad = |why: &str| {
            Error::because(crate::Case::Invalid, "invalid_token", format!("Holdfast-After: {why}"))
        };
        let frontier: Frontier =
            self.open("after", text).ok_or_else(|| bad("not a token of this user"))?;
        if frontier.hlc > Hlc::at(now + crate::order::MAX_AHEAD + 1) {
            return Err(bad("it lies in the future"));
        }
        if frontier.keys.len() > MAX_NAMED {
            return Err(bad("it names too many keys"));
        }
        let prefix = key::user(self.scope);
        let long = |key: String| format!("{}{key}", prefix.as_str());
        let keys = frontier.keys.into_iter().map(long).collect();
        Ok(Frontier { hlc: frontier.hlc, head: frontier.head.map(long), keys })
    }

    /// The text of a cursor over `query` (any text that names the query wholly).
    pub fn cursor(&self, query: &str, order: Order, rank: u32) -> String {
        let cursor = Cursor { query: digest(query), order: order.to_string(), rank };
        self.seal("cursor", &cursor)
    }

    /// Reads a cursor over `query`.
    ///
    /// # Errors
    /// `invalid_cursor` when it is not ours for this scope and query.
    pub fn read_cursor(&self, query: &str, text: &str) -> Result<(Order, u32)> {
        let bad = || {
            let detail = "the cursor does not belong to this query: start without one";
            Error::because(crate::Case::Invalid, "invalid_cursor", detail).at("cursor")
        };
        let cursor: Cursor = self.open("cursor", text).ok_or_else(bad)?;
        if cursor.query != digest(query) {
            return Err(bad());
        }
        Ok((Order::parse(&cursor.order).map_err(|_| bad())?, cursor.rank))
    }

    /// The text of a place in something that is no ordered list, as the `changes`.
    pub fn place(&self, what: &str, place: &str) -> String {
        self.seal(what, &place)
    }

    /// Reads the text of a place.
    ///
    /// # Errors
    /// `invalid_cursor` when it is not ours for this scope and use.
    pub fn read_place(&self, what: &str, text: &str) -> Result<String> {
        self.open(what, text).ok_or_else(|| {
            let detail = "the cursor does not belong to this question: start without one";
            Error::because(crate::Case::Invalid, "invalid_cursor", detail).at("cursor")
        })
    }

    fn seal(&self, what: &str, thing: &impl Serialize) -> String {
        let json = serde_json::to_vec(thing).unwrap_or_default();
        let mac = self.mac(what, &json);
        format!("{}.{}", URL_SAFE_NO_PAD.encode(json), URL_SAFE_NO_PAD.encode(mac))
    }

    fn open<T: DeserializeOwned>(&self, what: &str, text: &str) -> Option<T> {
        let (json, mac) = text.split_once('.')?;
        let json = URL_SAFE_NO_PAD.decode(json).ok()?;
        let mac = URL_SAFE_NO_PAD.decode(mac).ok()?;
        same(&mac, &self.mac(what, &json)).then(|| serde_json::from_slice(&json).ok())?
    }

    fn mac(&self, what: &str, json: &[u8]) -> [u8; MAC_BYTES] {
        let (tenant, user) = (self.scope.tenant.as_str(), self.scope.user.as_str());
        mac(self.secret, &[what.as_bytes(), tenant.as_bytes(), user.as_bytes(), json])
    }
}

/// First 16 bytes of the HMAC-SHA-256 over `parts`, each after its length.
pub fn mac(secret: &[u8], parts: &[&[u8]]) -> [u8; MAC_BYTES] {
    let mut out = [0; MAC_BYTES];
    // HMAC takes keys of any length.
    if let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret) {
        for part in parts {
            mac.update(&(part.len() as u64).to_le_bytes());
            mac.update(part);
        }
        let whole = mac.finalize().into_bytes();
        out.copy_from_slice(whole.get(..MAC_BYTES).unwrap_or(&[0; MAC_BYTES]));
    }
    out
}

/// Compares in a time that does not depend on where two texts differ.
pub fn same(one: &[u8], other: &[u8]) -> bool {
    one.len() == other.len() && one.iter().zip(other).fold(0, |acc, (a, b)| acc | (a ^ b)) == 0
}

fn digest(query: &str) -> String {
    let mut hex = hex::encode(Sha256::digest(query.as_bytes()));
    hex.truncate(16);
    hex
}
