//! Who asks: a key is checked by its MAC before any I/O, then by two GETs whose verdict is kept for a while.

use crate::find_caller;
use holdfast_core::access::{ApiKey, Caller};
use holdfast_core::ports::Objects;
use holdfast_core::{Case, Error, Result, TenantId, token};
use std::cell::RefCell;
use std::collections::HashMap;

/// A verdict that could not be renewed stands this long at most, in milliseconds.
const FAIL_CLOSED: u64 = 5 * 60_000;
/// Verdicts kept; a full map is emptied.
const MAX_VERDICTS: usize = 10_000;

/// Knows which keys are an installation's.
pub struct Authority {
    /// What keys are signed with.
    pub root_secret: String,
    /// SHA-256 (hex) of the first key, which needs no look-up; empty when there is none.
    pub root_key_sha256: String,
    /// Tenant of the first key.
    pub root_tenant: TenantId,
    /// How long a verdict is kept, in milliseconds.
    pub key_ttl: u64,
    /// SHA-256 of a key → who it is, and when that was found.
    pub verdicts: RefCell<HashMap<String, (Caller, u64)>>,
}

impl Authority {
    /// The caller behind the key `text`; `now` is Unix milliseconds.
    ///
    /// # Errors
    /// `unauthenticated` without a valid key; `unavailable` when that cannot be found out now.
    pub async fn caller(&self, objects: &impl Objects, now: u64, text: &str) -> Result<Caller> {
        if let Some(root) = self.root(text) {
            return Ok(root);
        }
        let key = ApiKey::parse(text, self.root_secret.as_bytes())?;
        let hash = key.sha256();
        // By the distance, not the age: a clock that was set back must not make a verdict last.
        let kept = self.verdicts.borrow().get(&hash).cloned();
        if let Some((caller, found)) = &kept
            && now.abs_diff(*found) < self.key_ttl
        {
            return Ok(caller.clone());
        }
        match (find_caller(objects, &key).await, kept) {
            (Ok(caller), _) => {
                self.keep(hash, &caller, now);
                Ok(caller)
            }
            (Err(e), Some((caller, found)))
                if e.case == Case::Unavailable && now.abs_diff(found) < FAIL_CLOSED =>
            {
                Ok(caller)
            }
            (Err(e), _) => {
                self.verdicts.borrow_mut().remove(&hash);
                Err(e)
            }
        }
    }

    fn keep(&self, hash: String, caller: &Caller, now: u64) {
        let mut verdicts = self.verdicts.borrow_mut();
        if verdicts.len() >= MAX_VERDICTS {
            verdicts.clear();
        }
        verdicts.insert(hash, (caller.clone(), now));
    }

    fn root(&self, text: &str) -> Option<Caller> {
        let key = ApiKey::parse_unchecked(text)?;
        let known = self.root_key_sha256.as_bytes();
        let given = key.sha256();
        (!known.is_empty() && token::same(known, given.as_bytes()))
            .then(|| Caller::root(self.root_tenant.clone(), key.kid))
    }
}

/// The key of a request, by its headers `Authorization` (`Bearer` or `Token`) and `X-API-Key`.
///
/// # Errors
/// `unauthenticated` without one; `contradicting_scope` when they differ.
pub fn key_text(authorization: Option<&str>, x_api_key: Option<&str>) -> Result<String> {
    let bearer = authorization.and_then(|value| {
        let (scheme, key) = value.split_once(' ')?;
        let known = scheme.eq_ignore_ascii_case("bearer") || scheme.eq_ignore_ascii_case("token");
        known.then_some(key.trim())
    });
    match (bearer, x_api_key.map(str::trim)) {
        (Some(one), Some(other)) if one != other => {
            let detail = "two different keys: send one";
            Err(Error::because(Case::Invalid, "contradicting_scope", detail))
        }
        (Some(key), _) | (None, Some(key)) => Ok(key.to_owned()),
        (None, None) => {
            let detail = "no key: send `Authorization: Bearer hf_<tenant>.<kid>.<secret>`";
            Err(Error::because(Case::Denied, "unauthenticated", detail))
        }
    }
}
