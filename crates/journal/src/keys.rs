//! API keys in the bucket: looked up by name, two GETs; made and revoked by one PUT.

use bytes::Bytes;
use futures::stream::{self, StreamExt, TryStreamExt};
use holdfast_core::access::{ApiKey, Caller, KeyRecord};
use holdfast_core::ports::Objects;
use holdfast_core::record::VERSION;
use holdfast_core::{Case, Error, Key, KeyId, Prefix, Result, TenantId, key, token};
use serde::Deserialize;

const MAX_PARENTS: usize = 8;
const GETS_AT_ONCE: usize = 16;

/// Who is behind `api_key`, whose MAC has been checked.
///
/// # Errors
/// `unauthenticated` when there is no such key, or it or one of its parents is revoked.
pub async fn find_caller(objects: &impl Objects, api_key: &ApiKey) -> Result<Caller> {
    let record = valid(objects, &api_key.tenant, &api_key.kid).await?;
    if !token::same(record.secret_sha256.as_bytes(), api_key.sha256().as_bytes()) {
        return Err(unknown());
    }
    if ancestors(objects, &record).await? > MAX_PARENTS {
        return Err(unknown());
    }
    Ok(record.into())
}

/// How many keys stand behind this one, counted a little beyond [`MAX_PARENTS`]; all must be valid.
async fn ancestors(objects: &impl Objects, record: &KeyRecord) -> Result<usize> {
    let (mut parent, mut count) = (record.parent.clone(), 0);
    while let Some(kid) = parent {
        count += 1;
        if count > MAX_PARENTS {
            break;
        }
        parent = valid(objects, &record.tenant, &kid).await?.parent;
    }
    Ok(count)
}

/// The record of a key that was not revoked.
async fn valid(objects: &impl Objects, tenant: &TenantId, kid: &KeyId) -> Result<KeyRecord> {
    match find_key(objects, tenant, kid).await? {
        Some((record, false)) => Ok(record),
        Some((_, true)) | None => Err(unknown()),
    }
}

/// The record of a key, and whether it was revoked, by name; `None` when there is none.
///
/// # Errors
/// `corrupt` when its record cannot be read, with reason `newer_format` when a newer program wrote it.
pub async fn find_key(
    objects: &impl Objects,
    tenant: &TenantId,
    kid: &KeyId,
) -> Result<Option<(KeyRecord, bool)>> {
    let (created, revoked) = (key::api_key_created(tenant, kid), key::api_key_revoked(tenant, kid));
    let found = futures::future::try_join(objects.get(&created), objects.get(&revoked));
    let (Some(bytes), revoked) = found.await? else { return Ok(None) };
    let record = decode(&created, &bytes)?;
    let own = record.tenant == *tenant && record.kid == *kid;
    Ok(own.then_some((record, revoked.is_some())))
}

/// All keys of a tenant that a list shows, and whether each is revoked.
///
/// # Errors
/// As [`find_key`], for any of them.
pub async fn list_keys(
    objects: &impl Objects,
    tenant: &TenantId,
) -> Result<Vec<(KeyRecord, bool)>> {
    let (prefix, mut after, mut kids) = (key::api_keys(tenant), None, Vec::new());
    loop {
        let page = objects.list(&prefix, after.as_deref()).await?;
        kids.extend(page.objects.iter().filter_map(|listed| created(&prefix, &listed.key)));
        match page.next {
            Some(next) => after = Some(next),
            None => break,
        }
    }
    let found = kids.iter().map(|kid| find_key(objects, tenant, kid));
    stream::iter(found)
        .buffered(GETS_AT_ONCE)
        .try_filter_map(async |found| Ok(found))
        .try_collect()
        .await
}

/// The key whose making this object records.
fn created(prefix: &Prefix, name: &str) -> Option<KeyId> {
    let kid = name.strip_prefix(prefix.as_str())?.strip_suffix("/created.json")?;
    KeyId::parse(kid).ok()
}

fn decode(key: &Key, bytes: &[u8]) -> Result<KeyRecord> {
    #[derive(Deserialize)]
    struct Version {
        v: u32,
    }
    let newer = |v: &u32| *v > VERSION;
    if let Some(v) = serde_json::from_slice(bytes).ok().map(|Version { v }| v).filter(newer) {
        let detail = format!("it has version {v}, this program reads up to {VERSION}: upgrade");
        return Err(Error::because(Case::Corrupt, "newer_format", detail).about(key));
    }
    serde_json::from_slice(bytes)
        .map_err(|e| Error::corrupt("the record of a key cannot be read").caused_by(e).about(key))
}

/// Stores the record of a new key.
///
/// # Errors
/// `denied` when too many keys stand behind it: it would be good for nothing.
pub async fn mint_key(objects: &impl Objects, record: &KeyRecord) -> Result<()> {
    if ancestors(objects, record).await? > MAX_PARENTS {
        let detail =
            format!("a key may have {MAX_PARENTS} keys behind it: make it with an older one");
        return Err(Error::denied(detail));
    }
    let json = serde_json::to_vec(record)
        .map_err(|e| Error::internal("a key's record cannot be encoded").caused_by(e))?;
    objects.put(&key::api_key_created(&record.tenant, &record.kid), Bytes::from(json)).await
}

/// Ends a key, and with it all that it made. Repeating is safe.
pub async fn revoke_key(objects: &impl Objects, tenant: &TenantId, kid: &KeyId) -> Result<()> {
    let json = Bytes::from_static(b"{\"v\":1}");
    objects.put(&key::api_key_revoked(tenant, kid), json).await
}

fn unknown() -> Error {
    Error::because(Case::Denied, "unauthenticated", "this key does not exist or was revoked")
}
