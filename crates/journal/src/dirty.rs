//! The lists of users whom hosts wrote, in the bucket: left by whoever wrote, worked through by whoever tends.
//!
//! Nothing rests on them: a list that is lost, or that nobody left, is made up for by the next look at everybody.

use crate::fetch;
use crate::write::fresh;
use bytes::Bytes;
use holdfast_core::dirty::{Dirty, Swept, encode};
use holdfast_core::ports::{Clock, Ids, Objects, Outside};
use holdfast_core::{Key, Prefix, Result, TenantId, UserId, key};
use std::collections::BTreeSet;

/// Leaves a list of users of a tenant; nothing for none. Repeating is safe.
///
/// # Errors
/// What the store may answer.
pub async fn note_dirty(
    outside: &Outside<'_, impl Objects, impl Clock, impl Ids>,
    tenant: &TenantId,
    users: &BTreeSet<UserId>,
) -> Result<()> {
    if users.is_empty() {
        return Ok(());
    }
    let key = key::dirty_list(tenant, fresh(outside.clock.now(), outside.ids));
    outside.objects.put(&key, Bytes::from(encode(&Dirty::new(users))?)).await
}

/// Users that are to be tended, and the lists that say so.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct ToDo {
    /// Who.
    pub users: BTreeSet<UserId>,
    lists: Vec<Key>,
}

/// All lists of a tenant that can be read.
///
/// # Errors
/// What the store may answer.
pub async fn to_do(objects: &impl Objects, tenant: &TenantId) -> Result<ToDo> {
    let mut to_do = ToDo::default();
    for (key, got) in fetch::all(objects, keys(objects, &key::dirty(tenant)).await?).await? {
        match got.and_then(|bytes| Dirty::decode(&bytes)) {
            Ok(dirty) => to_do.users.extend(dirty.users()),
            // A newer host reads it; what is damaged says nothing to anybody, and goes.
            Err(error) if error.reason == "newer_format" => continue,
            Err(_) => {}
        }
        to_do.lists.push(key);
    }
    Ok(to_do)
}

impl ToDo {
    /// Removes the lists: all that they name was tended, or is named by a newer one.
    ///
    /// # Errors
    /// What the store may answer.
    pub async fn done(&self, objects: &impl Objects) -> Result<()> {
        for key in &self.lists {
            objects.delete(key).await?;
        }
        Ok(())
    }
}

/// When the last look at all users of a tenant began, that somebody finished: Unix milliseconds.
///
/// # Errors
/// What the store may answer.
pub async fn last_sweep(objects: &impl Objects, tenant: &TenantId) -> Result<Option<u64>> {
    let all = keys(objects, &key::swept(tenant)).await?;
    let read = fetch::all(objects, all).await?.into_iter();
    let swept = read.filter_map(|(_, got)| got.and_then(|bytes| Swept::decode(&bytes)).ok());
    Ok(swept.map(|swept| swept.begun).max())
}

/// Records that all users of a tenant were looked at since `begun`, in place of what older records say.
///
/// # Errors
/// What the store may answer.
pub async fn note_sweep(
    outside: &Outside<'_, impl Objects, impl Clock, impl Ids>,
    tenant: &TenantId,
    begun: u64,
) -> Result<()> {
    let older = keys(outside.objects, &key::swept(tenant)).await?;
    let key = key::swept_record(tenant, fresh(outside.clock.now(), outside.ids));
    outside.objects.put(&key, Bytes::from(encode(&Swept::new(begun))?)).await?;
    for key in older {
        outside.objects.delete(&key).await?;
    }
    Ok(())
}

async fn keys(objects: &impl Objects, prefix: &Prefix) -> Result<Vec<Key>> {
    let listed = fetch::list(objects, prefix).await?;
    let keys = listed.iter().filter_map(|one| Key::below(prefix, &one.key));
    Ok(keys.filter(|key| key.ulid().is_some()).collect())
}
