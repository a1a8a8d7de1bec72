//! Who asks: the key of a request, checked by its MAC before any I/O, then by two GETs whose verdict is kept for a while.

use crate::state::State;
use holdfast_core::access::{ApiKey, Caller};
use holdfast_core::ports::Clock;
use holdfast_core::{Case, Error, Result, token};
use http::HeaderMap;
use std::collections::HashMap;

/// A verdict that could not be renewed stands this long at most, in milliseconds.
const FAIL_CLOSED: u64 = 5 * 60_000;
/// Verdicts kept; a full map is emptied.
const MAX_VERDICTS: usize = 10_000;

/// SHA-256 of a key → who it is, and when that was found.
pub type Verdicts = HashMap<String, (Caller, u64)>;

/// The caller behind the request's headers.
///
/// # Errors
/// `unauthenticated` without a valid key; `unavailable` when that cannot be found out now.
pub async fn caller(state: &State, headers: &HeaderMap) -> Result<Caller> {
    let text = key_text(headers)?;
    if let Some(root) = root(state, &text) {
        return Ok(root);
    }
    let key = ApiKey::parse(&text, state.settings.root_secret.as_bytes())?;
    let (hash, now) = (key.sha256(), crate::GuestClock.now());
    let kept = state.verdicts.borrow().get(&hash).cloned();
    if let Some((caller, found)) = &kept
        && now.saturating_sub(*found) < state.settings.key_ttl
    {
        return Ok(caller.clone());
    }
    match (holdfast_journal::find_caller(&state.bucket, &key, None).await, kept) {
        (Ok(caller), _) => {
            let mut verdicts = state.verdicts.borrow_mut();
            if verdicts.len() >= MAX_VERDICTS {
                verdicts.clear();
            }
            verdicts.insert(hash, (caller.clone(), now));
            Ok(caller)
        }
        (Err(e), Some((caller, found)))
            if e.case == Case::Unavailable && now.saturating_sub(found) < FAIL_CLOSED =>
        {
            Ok(caller)
        }
        (Err(e), _) => {
            state.verdicts.borrow_mut().remove(&hash);
            Err(e)
        }
    }
}

fn root(state: &State, text: &str) -> Option<Caller> {
    let key = ApiKey::parse_unchecked(text)?;
    let known = state.settings.root_key_sha256.as_bytes();
    let given = key.sha256();
    (!known.is_empty() && token::same(known, given.as_bytes()))
        .then(|| Caller::root(state.settings.root_tenant.clone(), key.kid))
}

fn key_text(headers: &HeaderMap) -> Result<String> {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let bearer = header("authorization").and_then(|value| {
        let (scheme, key) = value.split_once(' ')?;
        let known = scheme.eq_ignore_ascii_case("bearer") || scheme.eq_ignore_ascii_case("token");
        known.then_some(key.trim())
    });
    match (bearer, header("x-api-key")) {
        (Some(one), Some(other)) if one != other => Err(Error::because(
            Case::Invalid,
            "contradicting_scope",
            "two different keys: send one",
        )),
        (Some(key), _) | (None, Some(key)) => Ok(key.to_owned()),
        (None, None) => {
            let detail = "no key: send `Authorization: Bearer hf_<tenant>.<kid>.<secret>`";
            Err(Error::because(Case::Denied, "unauthenticated", detail))
        }
    }
}
