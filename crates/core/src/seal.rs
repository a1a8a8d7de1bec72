//! Sealing what is sensitive with the installation's key: XChaCha20-Poly1305, bound to whose it is and what it is called.
//!
//! Each tenant has a key of its own, made from the setting `tenant_key`. What is sealed says which key it needs, and opens
//! only under the same tenant, user and name: moved elsewhere in the bucket it is nothing.

use crate::{Case, Error, Result, Scope, token};
use base64::{Engine, engine::general_purpose::STANDARD};
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// Bytes of a nonce: random ones never meet.
pub const NONCE: usize = 24;

/// The key of the setting `tenant_key`.
#[derive(Clone)]
pub struct SealingKey([u8; 32]);

impl std::fmt::Debug for SealingKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SealingKey")
    }
}

/// What was sealed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sealed {
    /// Which key it needs: 8 hex digits.
    pub key: String,
    /// Base64.
    pub nonce: String,
    /// Base64.
    pub bytes: String,
}

impl SealingKey {
    /// Reads the setting; none when it is empty.
    ///
    /// # Errors
    /// `unavailable` when it is not 64 hex digits.
    pub fn parse(text: &str) -> Result<Option<Self>> {
        if text.is_empty() {
            return Ok(None);
        }
        let bytes = hex::decode(text).ok().and_then(|bytes| bytes.try_into().ok());
        let wrong = "the setting tenant_key must be 64 hex digits: tell the operator";
        bytes.map(|bytes| Some(Self(bytes))).ok_or_else(|| Error::unavailable(wrong))
    }

    /// Seals a text of this scope that is called `name`. The nonce must be random.
    ///
    /// # Errors
    /// `internal`.
    pub fn seal(
        &self,
        scope: &Scope,
        name: &str,
        nonce: [u8; NONCE],
        text: &str,
    ) -> Result<Sealed> {
        let about = about(scope, name);
        let payload = Payload { msg: text.as_bytes(), aad: &about };
        let sealed = self.cipher(scope).encrypt(&XNonce::from(nonce), payload);
        let bytes = sealed.map_err(|_| Error::internal("a text cannot be sealed"))?;
        let (nonce, bytes) = (STANDARD.encode(nonce), STANDARD.encode(bytes));
        Ok(Sealed { key: self.name(scope), nonce, bytes })
    }

    /// Opens what was sealed in this scope under this name.
    ///
    /// # Errors
    /// `unavailable` when it was sealed with another key; `corrupt` when it is not what was sealed here.
    pub fn open(&self, scope: &Scope, name: &str, sealed: &Sealed) -> Result<String> {
        if sealed.key != self.name(scope) {
            let detail =
                format!("{name} was sealed with the key {}: tell the operator", sealed.key);
            return Err(Error::new(Case::Unavailable, detail));
        }
        let broken = || Error::corrupt(format!("{name} is not what was sealed here"));
        let nonce = STANDARD.decode(&sealed.nonce).map_err(|_| broken())?;
        let nonce: [u8; NONCE] = nonce.try_into().map_err(|_| broken())?;
        let bytes = STANDARD.decode(&sealed.bytes).map_err(|_| broken())?;
        let payload = Payload { msg: &bytes, aad: &about(scope, name) };
        let text = self.cipher(scope).decrypt(&XNonce::from(nonce), payload);
        String::from_utf8(text.map_err(|_| broken())?).map_err(|_| broken())
    }

    fn of_tenant(&self, scope: &Scope) -> [u8; 32] {
        let half = |name: &[u8]| token::mac(&self.0, &[name, scope.tenant.as_str().as_bytes()]);
        let (low, high) = (half(b"tenant key, low half"), half(b"tenant key, high half"));
        let mut key = [0; 32];
        let halves = low.into_iter().chain(high);
        key.iter_mut().zip(halves).for_each(|(to, from)| *to = from);
        key
    }

    fn cipher(&self, scope: &Scope) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new(&self.of_tenant(scope).into())
    }

    /// Says which key it is, and nothing else about it.
    fn name(&self, scope: &Scope) -> String {
        let hash = Sha256::digest(self.of_tenant(scope));
        hex::encode(hash.get(..4).unwrap_or_default())
    }
}

/// What the seal is bound to, each part after its length.
fn about(scope: &Scope, name: &str) -> Vec<u8> {
    let parts = [scope.tenant.as_str(), scope.user.as_str(), name];
    parts.iter().flat_map(|part| format!("{}:{part}", part.len()).into_bytes()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{TenantId, UserId};

    fn scope(tenant: &str, user: &str) -> Scope {
        Scope { tenant: TenantId::parse(tenant).unwrap(), user: UserId::parse(user).unwrap() }
    }

    fn key(byte: u8) -> SealingKey {
        SealingKey::parse(&hex::encode([byte; 32])).unwrap().unwrap()
    }

    #[test]
    fn what_is_sealed_opens_only_with_its_key_in_its_place() {
        let ann = scope("t", "ann");
        let sealed = key(1).seal(&ann, "pin", [7; NONCE], "1234 é").unwrap();
        assert_eq!(key(1).open(&ann, "pin", &sealed).unwrap(), "1234 é");
        assert_eq!(key(2).open(&ann, "pin", &sealed).unwrap_err().case, Case::Unavailable);
        for (place, name) in [(scope("t", "bob"), "pin"), (ann.clone(), "pan")] {
            assert_eq!(key(1).open(&place, name, &sealed).unwrap_err().case, Case::Corrupt);
        }
        assert!(key(1).open(&scope("u", "ann"), "pin", &sealed).is_err());
        let mut other = sealed.clone();
        other.bytes = STANDARD.encode([0; 30]);
        assert_eq!(key(1).open(&ann, "pin", &other).unwrap_err().case, Case::Corrupt);
        assert!(!format!("{sealed:?}{:?}", key(1)).contains("1234"));
    }

    #[test]
    fn a_key_is_64_hex_digits_or_none() {
        assert!(SealingKey::parse("").unwrap().is_none());
        assert!(SealingKey::parse("abc").is_err());
        assert!(SealingKey::parse(&"zz".repeat(32)).is_err());
    }
}
