//! What the bucket says of a user's erases: one LIST below a prefix that says nothing of who it is.

use crate::fetch;
use crate::heads::ulid;
use crate::read::Journal;
use holdfast_core::erase::{Erased, Ledger, Marker, Receipt, Sweep};
use holdfast_core::ports::Objects;
use holdfast_core::{Error, Hlc, Key, Prefix, Result, Scope, TenantId, key};
use std::cell::RefCell;
use ulid::Ulid;

/// An erase of a user, and what is known of what it removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Erasure {
    /// Its id.
    pub ulid: Ulid,
    /// When it was.
    pub at: Hlc,
    /// Of the second half where it is done, else of the first; none while that is not done.
    pub receipt: Option<Receipt>,
}

/// What lies in a user's ledger.
#[derive(Debug, Default)]
pub(crate) struct Listed {
    pub markers: Vec<Key>,
    sweeps: Vec<Key>,
    /// The final ones last.
    receipts: Vec<Key>,
}

impl Listed {
    pub(crate) async fn read(objects: &impl Objects, prefix: &Prefix) -> Result<Self> {
        let (mut listed, mut finals) = (Self::default(), Vec::new());
        for one in fetch::list(objects, prefix).await? {
            let Some(key) = Key::below(prefix, &one.key).filter(|key| key.ulid().is_some()) else {
                continue;
            };
            match kind(&key) {
                ".json" => listed.markers.push(key),
                name if name.ends_with("-swept.json") => listed.sweeps.push(key),
                name if name.ends_with("-receipt.json") => listed.receipts.push(key),
                name if name.ends_with("-final.json") => finals.push(key),
                _ => {}
            }
        }
        listed.receipts.append(&mut finals);
        Ok(listed)
    }
}

/// What follows the erase's ULID in the name of an object of a ledger.
fn kind(key: &Key) -> &str {
    key.as_str().rsplit('/').next().and_then(|name| name.get(26..)).unwrap_or_default()
}

/// The object says that a user was erased; the others of a ledger say what was removed.
pub fn is_mark(key: &Key) -> bool {
    key.ulid().is_some() && kind(key) == ".json"
}

/// The marks of all erases of a tenant's users, as far as the bucket shows them, in the order of their keys.
///
/// # Errors
/// What the store may answer.
pub async fn marks(objects: &impl Objects, tenant: &TenantId) -> Result<Vec<Key>> {
    let prefix = key::ledger(tenant);
    let listed = fetch::list(objects, &prefix).await?;
    let keys = listed.iter().filter_map(|one| Key::below(&prefix, &one.key));
    Ok(keys.filter(is_mark).collect())
}

/// When the user was last erased, as far as the bucket shows it.
///
/// # Errors
/// What the store may answer; `corrupt` when an erase cannot be read.
pub async fn erased(objects: &impl Objects, ledger: &Ledger, scope: &Scope) -> Result<Erased> {
    let listed = Listed::read(objects, &ledger.of(scope)).await?;
    let newest = read_markers(objects, listed.markers).await?.into_iter().map(|(_, at)| at).max();
    Ok(newest.map(Erased::by).unwrap_or_default())
}

/// The user's last erase, and its receipt; none when there was none.
///
/// # Errors
/// As [`erased`].
pub async fn erasure(
    objects: &impl Objects,
    ledger: &Ledger,
    scope: &Scope,
) -> Result<Option<Erasure>> {
    let Listed { markers, receipts, .. } = Listed::read(objects, &ledger.of(scope)).await?;
    let markers = read_markers(objects, markers).await?;
    let Some((ulid, at)) = markers.into_iter().max_by_key(|(ulid, at)| (*at, *ulid)) else {
        return Ok(None);
    };
    let receipt = match of(receipts, ulid).pop() {
        None => None,
        Some(key) => {
            let bytes = fetch::get(objects, &key).await?;
            Some(Receipt::decode(&bytes).map_err(|e| e.about(&key))?)
        }
    };
    Ok(Some(Erasure { ulid, at, receipt }))
}

/// What all steps of an erase removed.
pub(crate) async fn sweeps(
    objects: &impl Objects,
    prefix: &Prefix,
    erase: Ulid,
) -> Result<Vec<Sweep>> {
    let listed = Listed::read(objects, prefix).await?;
    let mut sweeps = Vec::new();
    for (key, got) in fetch::all(objects, of(listed.sweeps, erase)).await? {
        sweeps.push(Sweep::decode(&got?).map_err(|e| e.about(&key))?);
    }
    Ok(sweeps)
}

fn of(mut keys: Vec<Key>, erase: Ulid) -> Vec<Key> {
    keys.retain(|key| ulid(key) == Some(erase));
    keys
}

async fn read_markers(objects: &impl Objects, keys: Vec<Key>) -> Result<Vec<(Ulid, Hlc)>> {
    let read = |(key, got): fetch::Got| {
        let marker = Marker::decode(&got?).map_err(|e| e.about(&key))?;
        let ulid = ulid(&key).ok_or_else(|| Error::corrupt("an erase has no name").about(&key))?;
        Ok((ulid, marker.at))
    };
    fetch::all(objects, keys).await?.into_iter().map(read).collect()
}

/// Looks for an erase that the journal does not know; the journal is to be [renewed](Journal::renew) then. Does nothing
/// for a journal without a ledger.
///
/// # Errors
/// As [`erased`].
pub async fn find_erase(
    objects: &impl Objects,
    journal: &RefCell<Journal>,
) -> Result<Option<Erased>> {
    let Some(prefix) = journal.borrow().ledger.clone() else { return Ok(None) };
    let mut markers = Listed::read(objects, &prefix).await?.markers;
    {
        let known = &journal.borrow().markers;
        markers.retain(|key| ulid(key).is_some_and(|ulid| !known.contains_key(&ulid.0)));
    }
    let read = read_markers(objects, markers).await?;
    let mut journal = journal.borrow_mut();
    journal.markers.extend(read.into_iter().map(|(ulid, at)| (ulid.0, at)));
    let newest = journal.markers.values().max().copied().map(Erased::by).unwrap_or_default();
    Ok((newest > journal.erased()).then_some(newest))
}
