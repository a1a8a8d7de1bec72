//! What an erase takes of the tenant's exports: each that holds something of the user goes whole.
//!
//! Beside each of its files an export keeps a list of whose messages are in it ([`Exported`]). One that is running heeds the
//! erase by itself, and is not touched before the last sweep, a day later: by then nobody goes on with it.

use crate::fetch;
use holdfast_core::erase::Ledger;
use holdfast_core::exported::Exported;
use holdfast_core::ports::Objects;
use holdfast_core::{Case, Key, Prefix, Result, Scope, key};
use serde::Deserialize;
use ulid::Ulid;

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

/// What is known of one export.
#[derive(Default)]
struct Export {
    /// What was asked: goes first, so that one that is half removed is not taken for a running one.
    asked: Option<Key>,
    files: Vec<Key>,
    /// Go last: by them it is found again.
    lists: Vec<Key>,
    whole: bool,
    cancelled: bool,
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
    let prefix = key::exports(&scope.tenant);
    let (mut found, mut after) = (Vec::new(), None::<String>);
    while found.len() < most {
        let page = objects.list(&prefix, after.as_deref()).await?;
        let first = page.objects.first().and_then(|one| one.key.strip_prefix(prefix.as_str()));
        let Some(id) = first.and_then(|rest| rest.split('/').next()) else { break };
        // `0` follows `/`: the place after everything of an export.
        after = Some(format!("{}{id}0", prefix.as_str()));
        let Ok(ulid) = Ulid::from_string(id) else { continue };
        if ulid.timestamp_ms() > until {
            break;
        }
        let export = read(objects, &key::export(&scope.tenant, ulid)).await?;
        if export.concerns(objects, ledger, scope, running).await? {
            found.extend(export.asked.into_iter().chain(export.files).chain(export.lists));
        }
    }
    Ok(found)
}

async fn read(objects: &impl Objects, prefix: &Prefix) -> Result<Export> {
    let mut export = Export::default();
    for one in fetch::list(objects, prefix).await? {
        let Some(key) = Key::below(prefix, &one.key) else { continue };
        let name = one.key.strip_prefix(prefix.as_str()).unwrap_or_default();
        export.whole |= name == key::EXPORT_MANIFEST;
        export.cancelled |= name == key::EXPORT_CANCELLED;
        match name {
            key::EXPORT_ASKED => export.asked = Some(key),
            list if list.starts_with(key::EXPORT_USERS) => export.lists.push(key),
            _ => export.files.push(key),
        }
    }
    Ok(export)
}

impl Export {
    async fn concerns(
        &self,
        objects: &impl Objects,
        ledger: &Ledger,
        scope: &Scope,
        running: bool,
    ) -> Result<bool> {
        let ended = self.whole || self.cancelled || self.asked.is_none();
        if !ended {
            return Ok(running);
        }
        if let Some(key) = &self.asked
            && let Some(bytes) = objects.get(key).await?
        {
            let asked: Asked = serde_json::from_slice(&bytes).unwrap_or_default();
            let user = scope.user.as_str();
            if asked.owner.iter().chain(&asked.selection.users).any(|named| named == user) {
                return Ok(true);
            }
        }
        for key in &self.lists {
            match fetch::get(objects, key).await.and_then(|bytes| Exported::decode(&bytes)) {
                Ok(list) if !list.holds(ledger, scope) => {}
                Ok(_) => return Ok(true),
                // A list that cannot be read may name anybody.
                Err(error) if error.case == Case::Corrupt => return Ok(true),
                Err(error) => return Err(error),
            }
        }
        // Without a list nobody knows whom it holds.
        Ok(self.lists.is_empty() && !self.files.is_empty() && !self.cancelled)
    }
}
