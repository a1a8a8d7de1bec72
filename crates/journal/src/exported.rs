//! What an erase takes of the tenant's exports: each that holds something of the user goes whole.
//!
//! Beside each of its files an export keeps a list of whose messages are in it ([`Exported`]). One that is running heeds the
//! erase by itself, and is not touched before the last sweep, a day later: by then nobody goes on with it.

use crate::fetch;
use futures::stream::{self, StreamExt, TryStreamExt};
use holdfast_core::erase::Ledger;
use holdfast_core::exported::Exported;
use holdfast_core::ports::Objects;
use holdfast_core::{Case, Key, Prefix, Result, Scope, key};
use serde::Deserialize;
use std::collections::BTreeMap;
use ulid::Ulid;

/// Exports that are looked at beside each other.
const AT_ONCE: usize = 8;

/// What of an export's request names users.
#[derive(Default, Deserialize)]
struct Asked {
    #[serde(default)]
    selection: Selection,
    #[serde(default)]
    owner: Option<String>,
}

#[derive(Default, Deserialize)]
struct Selection {
    #[serde(default)]
    users: Vec<String>,
}

/// One export, as a list shows it.
#[derive(Default)]
struct Export {
    files: Vec<Key>,
    /// Go last: by them it is found again.
    lists: Vec<Key>,
    /// There are files outside of what is kept while it runs.
    published: bool,
}

/// Keys of the exports that were begun before `until` (Unix milliseconds) and hold something of the user, about as many as
/// `most`, in the order in which they may be removed. With `running` also of those that are not whole.
///
/// # Errors
/// What the store may answer.
pub(crate) async fn exported(
    objects: &impl Objects,
    ledger: &Ledger,
    scope: &Scope,
    (until, running): (u64, bool),
    most: usize,
) -> Result<Vec<Key>> {
    let exports = listed(objects, &key::exports(&scope.tenant)).await?;
    let exports = exports.into_iter().filter(|(ulid, _)| ulid.timestamp_ms() <= until);
    let concerned = stream::iter(exports).map(async |(ulid, export)| {
        let prefix = key::export(&scope.tenant, ulid);
        let concerned = export.concerns(objects, ledger, scope, (&prefix, running)).await?;
        Ok::<_, holdfast_core::Error>(concerned.then_some(export))
    });
    let concerned: Vec<Option<Export>> = concerned.buffered(AT_ONCE).try_collect().await?;
    let keys =
        concerned.into_iter().flatten().flat_map(|one| one.files.into_iter().chain(one.lists));
    Ok(keys.take(most).collect())
}

async fn listed(objects: &impl Objects, prefix: &Prefix) -> Result<BTreeMap<Ulid, Export>> {
    let mut exports: BTreeMap<Ulid, Export> = BTreeMap::new();
    for one in fetch::list(objects, prefix).await? {
        let Some(key) = Key::below(prefix, &one.key) else { continue };
        let rest = one.key.strip_prefix(prefix.as_str()).unwrap_or_default();
        let Some((id, name)) = rest.split_once('/') else { continue };
        let Ok(ulid) = Ulid::from_string(id) else { continue };
        let export = exports.entry(ulid).or_default();
        export.published |= !name.starts_with(key::EXPORT_WORK);
        match name.starts_with(key::EXPORT_USERS) {
            true => export.lists.push(key),
            false => export.files.push(key),
        }
    }
    Ok(exports)
}

impl Export {
    async fn concerns(
        &self,
        objects: &impl Objects,
        ledger: &Ledger,
        scope: &Scope,
        (prefix, running): (&Prefix, bool),
    ) -> Result<bool> {
        // A list may leave these out; a read does not.
        let read =
            async |name: &str| match Key::below(prefix, &format!("{}{name}", prefix.as_str())) {
                Some(key) => objects.get(&key).await,
                None => Ok(None),
            };
        // What is asked is written first, and goes with an export alone: this one is half removed.
        let Some(asked) = read(key::EXPORT_ASKED).await? else { return Ok(true) };
        let whole = read(key::EXPORT_MANIFEST).await?.is_some();
        if !whole && read(key::EXPORT_CANCELLED).await?.is_none() {
            return Ok(running);
        }
        let asked: Asked = serde_json::from_slice(&asked).unwrap_or_default();
        let user = scope.user.as_str();
        if asked.owner.iter().chain(&asked.selection.users).any(|named| named == user) {
            return Ok(true);
        }
        for (_, got) in fetch::all(objects, self.lists.clone()).await? {
            match got.and_then(|bytes| Exported::decode(&bytes)) {
                Ok(list) if !list.holds(ledger, scope) => {}
                Ok(_) => return Ok(true),
                // A list that cannot be read may name anybody.
                Err(error) if error.case == Case::Corrupt => return Ok(true),
                Err(error) => return Err(error),
            }
        }
        // Without a list nobody knows whom it holds.
        Ok(self.lists.is_empty() && self.published)
    }
}
