//! API keys in the bucket: looked up by name, two GETs; made and revoked by one PUT.

use bytes::Bytes;
use holdfast_core::access::{ApiKey, Caller, KeyRecord};
use holdfast_core::ports::Objects;
use holdfast_core::{Case, Error, Key, KeyId, Result, TenantId, key, token};

const MAX_PARENTS: usize = 8;

/// Who is behind `api_key`, whose MAC has been checked.
///
/// # Errors
/// `unauthenticated` when there is no such key, or it or one of its parents is revoked.
pub async fn find_caller(objects: &impl Objects, api_key: &ApiKey) -> Result<Caller> {
    let record = find(objects, &api_key.tenant, &api_key.kid).await?.ok_or_else(unknown)?;
    if !token::same(record.secret_sha256.as_bytes(), api_key.sha256().as_bytes()) {
        return Err(unknown());
    }
    let mut parent = record.parent.clone();
    for _ in 0..MAX_PARENTS {
        let Some(kid) = parent else { return Ok(record.into()) };
        parent = find(objects, &record.tenant, &kid).await?.ok_or_else(unknown)?.parent;
    }
    Err(unknown())
}

/// All keys of a tenant that a list shows, and whether each is revoked.
pub async fn list_keys(
    objects: &impl Objects,
    tenant: &TenantId,
) -> Result<Vec<(KeyRecord, bool)>> {
    let (prefix, mut after, mut names) = (key::api_keys(tenant), None, Vec::new());
    loop {
        let page = objects.list(&prefix, after.as_deref()).await?;
        names.extend(page.objects.into_iter().map(|listed| listed.key));
        match page.next {
            Some(next) => after = Some(next),
            None => break,
        }
    }
    let mut keys = Vec::new();
    for created in names.iter().filter(|name| name.ends_with("/created.json")) {
        let Some(key) = Key::below(&prefix, created) else { continue };
        let Some(bytes) = objects.get(&key).await? else { continue };
        let record: KeyRecord = serde_json::from_slice(&bytes)
            .map_err(|e| Error::corrupt(format!("{key} cannot be read")).caused_by(e))?;
        let revoked = key::api_key_revoked(tenant, &record.kid);
        let revoked = names.iter().any(|name| name == revoked.as_str());
        keys.push((record, revoked));
    }
    Ok(keys)
}

/// The record of a key that was made and is not revoked.
async fn find(objects: &impl Objects, tenant: &TenantId, kid: &KeyId) -> Result<Option<KeyRecord>> {
    let (created, revoked) = (key::api_key_created(tenant, kid), key::api_key_revoked(tenant, kid));
    let (created, revoked) =
        futures::future::try_join(objects.get(&created), objects.get(&revoked)).await?;
    let (Some(created), None) = (created, revoked) else { return Ok(None) };
    let record: KeyRecord = serde_json::from_slice(&created).map_err(|e| {
        Error::corrupt(format!("the record of key {kid} cannot be read")).caused_by(e)
    })?;
    Ok((record.tenant == *tenant && record.kid == *kid).then_some(record))
}

/// Stores the record of a new key.
pub async fn mint_key(objects: &impl Objects, record: &KeyRecord) -> Result<()> {
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
