//! Who has a journal: tenants and users found by walking over keys, one LIST each.

use holdfast_core::ports::Objects;
use holdfast_core::{Prefix, Result, Scope, TenantId, key};

/// A user who has keys in the bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// Whose; none when the id is too long for a key, which then holds only its hash.
    pub scope: Option<Scope>,
    /// Where the walk goes on after it.
    pub place: String,
}

/// The first user of a tenant after `place` (of the user before); none at the end.
///
/// # Errors
/// What the store may answer.
pub async fn next_user(
    objects: &impl Objects,
    tenant: &TenantId,
    place: Option<&str>,
) -> Result<Option<User>> {
    let found = next(objects, &key::users(tenant), place).await?;
    Ok(found.map(|(segment, place)| {
        let user = segment.as_deref().and_then(key::user_of);
        User { scope: user.map(|user| Scope { tenant: tenant.clone(), user }), place }
    }))
}

/// All tenants that have keys in the bucket: a LIST each.
///
/// # Errors
/// What the store may answer.
pub async fn tenants(objects: &impl Objects) -> Result<Vec<TenantId>> {
    let (mut tenants, mut place) = (Vec::new(), None);
    while let Some((segment, next)) = next(objects, &key::tenants(), place.as_deref()).await? {
        tenants.extend(segment.and_then(|id| TenantId::parse(&id).ok()));
        place = Some(next);
    }
    Ok(tenants)
}

/// The next segment below `prefix`, and a place after everything in it.
async fn next(
    objects: &impl Objects,
    prefix: &Prefix,
    place: Option<&str>,
) -> Result<Option<(Option<String>, String)>> {
    // A place of another list must not lead out of this one.
    let place = place.filter(|place| place.starts_with(prefix.as_str()));
    let page = objects.list(prefix, place).await?;
    let Some(first) = page.objects.first() else { return Ok(None) };
    let below = first.key.strip_prefix(prefix.as_str()).and_then(|rest| rest.split_once('/'));
    Ok(Some(match below {
        // `0` follows `/`.
        Some((segment, _)) => (Some(segment.to_owned()), format!("{}{segment}0", prefix.as_str())),
        None => (None, first.key.clone()),
    }))
}
