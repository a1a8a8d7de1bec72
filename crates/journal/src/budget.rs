//! What a tenant may spend of a model's tokens each day: held before the model is asked, settled by what it cost.
//!
//! An object a summary, in names that a list tells: nothing is read, overwritten or kept elsewhere, so it holds on every
//! runtime and over restarts. `docs/decisions/0030-budget-of-tokens.md` says why.

use crate::fetch;
use crate::write::fresh;
use bytes::Bytes;
use holdfast_core::clock::{day, rfc3339};
use holdfast_core::ports::{Clock, Ids, Objects, Outside};
use holdfast_core::{Case, Error, Key, Result, TenantId, key};
use std::collections::BTreeMap;
use ulid::Ulid;

/// Milliseconds of a UTC day.
const DAY: u64 = 24 * 60 * 60_000;

/// Objects of days that are over, removed by one call: it brought two.
const TIDIED: usize = 8;

/// Tokens that are held for a summary that is being made. What is not settled counts as held, for good.
#[derive(Debug)]
pub struct Held {
    tenant: TenantId,
    ulid: Ulid,
    tokens: u64,
    /// All that was spent and held when it was, itself included.
    pub spent: u64,
}

/// Holds `tokens` of the tenant's `limit` of today. Of several at once that do not fit together, all may be refused, and of
/// those that are let through no more than fit.
///
/// # Errors
/// `budget_spent` when they do not fit into what is left, with the seconds until they may; what the store may answer.
pub async fn hold(
    outside: &Outside<'_, impl Objects, impl Clock, impl Ids>,
    tenant: &TenantId,
    limit: u64,
    tokens: u64,
) -> Result<Held> {
    let now = outside.clock.now();
    let spent = spent_at(outside, tenant, now).await?;
    if spent.saturating_add(tokens) > limit {
        return Err(refused(now, limit, spent, tokens));
    }
    let ulid = fresh(now, outside.ids);
    let mut held = Held { tenant: tenant.clone(), ulid, tokens, spent };
    let key = held.key(tokens, false);
    outside.objects.put(&key, Bytes::from_static(b"{}")).await?;
    // Whoever held meanwhile is seen by now, or sees this.
    held.spent = spent_at(outside, tenant, now).await?;
    if held.spent > limit {
        outside.objects.delete(&key).await?;
        return Err(refused(now, limit, held.spent.saturating_sub(tokens), tokens));
    }
    Ok(held)
}

impl Held {
    /// It was so much: that counts from now on. Repeating is safe.
    ///
    /// # Errors
    /// What the store may answer; then what was held goes on to count.
    pub async fn settle(
        &self,
        outside: &Outside<'_, impl Objects, impl Clock, impl Ids>,
        tokens: u64,
    ) -> Result<()> {
        if tokens == self.tokens {
            return Ok(());
        }
        outside.objects.put(&self.key(tokens, true), Bytes::from_static(b"{}")).await
    }

    fn key(&self, tokens: u64, known: bool) -> Key {
        key::spending(&self.tenant, self.ulid, tokens, known)
    }
}

/// Tokens that were spent for a tenant today, those that are held among them.
///
/// # Errors
/// What the store may answer.
pub async fn spent(
    outside: &Outside<'_, impl Objects, impl Clock, impl Ids>,
    tenant: &TenantId,
) -> Result<u64> {
    spent_at(outside, tenant, outside.clock.now()).await
}

async fn spent_at(
    outside: &Outside<'_, impl Objects, impl Clock, impl Ids>,
    tenant: &TenantId,
    now: u64,
) -> Result<u64> {
    let prefix = key::spendings_of(tenant, &day(now));
    let mut all: BTreeMap<Ulid, (bool, u64)> = BTreeMap::new();
    for listed in fetch::list(outside.objects, &prefix).await? {
        let name = listed.key.strip_prefix(prefix.as_str()).unwrap_or_default();
        let Some((ulid, tokens, known)) = key::spending_named(name) else { continue };
        // What is known stands before what was held.
        let entry = all.entry(ulid).or_default();
        *entry = (*entry).max((known, tokens));
    }
    Ok(all.values().fold(0, |sum: u64, (_, tokens)| sum.saturating_add(*tokens)))
}

/// Removes some of what was spent before yesterday: nothing counts it any more.
///
/// # Errors
/// What the store may answer.
pub async fn tidy_spent(
    outside: &Outside<'_, impl Objects, impl Clock, impl Ids>,
    tenant: &TenantId,
) -> Result<()> {
    let prefix = key::spendings(tenant);
    // A clock that is behind may count yesterday still.
    let yesterday = day(outside.clock.now().saturating_sub(DAY));
    let page = outside.objects.list(&prefix, None).await?;
    for listed in page.objects.iter().take(TIDIED) {
        let name = listed.key.strip_prefix(prefix.as_str()).unwrap_or_default();
        let over = name.split('/').next().is_some_and(|day| *day < *yesterday);
        if let Some(key) = Key::below(&prefix, &listed.key).filter(|_| over) {
            outside.objects.delete(&key).await?;
        }
    }
    Ok(())
}

fn refused(now: u64, limit: u64, spent: u64, tokens: u64) -> Error {
    let midnight = (now / DAY + 1) * DAY;
    let left = limit.saturating_sub(spent);
    let detail = format!(
        "of the {limit} tokens that generated summaries of this tenant may take a day, {left} are left, and this one may take {tokens}: \
         ask again after {}, or have the operator raise tenant_generate_tokens",
        rfc3339(midnight)
    );
    let seconds = u32::try_from((midnight - now).div_ceil(1000)).unwrap_or(u32::MAX);
    Error::because(Case::Exhausted, "budget_spent", detail).retry_after(seconds)
}
