//! The folder of a cache: names of files, and every call that reads or changes them.
//!
//! `<tenant>/<user>/<rest of the key>`, with the segments of the key. What has no name yet lies in `.new`, which is emptied at
//! the start; no segment of a key begins with a dot.

use holdfast_core::key::{self, hash32};
use holdfast_core::{Key, Part, Scope};
use std::fs::{self, DirBuilder, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::time::{Duration, SystemTime};
use tempfile::{NamedTempFile, TempDir};

const NEW: &str = ".new";

/// Where an object lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    key: Key,
    name: String,
}

impl Place {
    /// None for an object without a hash in its name, and for one that is no part of a user's journal.
    pub(super) fn of(key: &Key) -> Option<Self> {
        key.hash().filter(|_| !matches!(key.part(), Part::Index | Part::Other))?;
        Some(Self { key: key.clone(), name: name(key.as_str())? })
    }

    /// Of what.
    pub(super) fn key(&self) -> &Key {
        &self.key
    }

    /// `<tenant>/<user>/` of its user.
    pub(super) fn folder(&self) -> &str {
        let end = self.name.match_indices('/').nth(1).map(|(at, _)| at + 1);
        end.and_then(|end| self.name.get(..end)).unwrap_or_default()
    }

    /// Its name below the folder.
    pub(super) fn name(&self) -> &str {
        &self.name
    }
}

/// `<tenant>/<user>/` of a user.
pub(super) fn folder(scope: &Scope) -> Option<String> {
    let prefix = key::user(scope);
    Some(format!("{}/", name(prefix.as_str().trim_end_matches('/'))?))
}

fn name(key: &str) -> Option<String> {
    let (tenant, rest) = key.strip_prefix("v1/t/")?.split_once("/u/")?;
    let segment = |part: &str| {
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"_-~.".contains(&b);
        !part.is_empty() && !part.starts_with('.') && part.bytes().all(plain)
    };
    let whole = segment(tenant) && rest.split('/').all(segment);
    whole.then(|| format!("{tenant}/{rest}"))
}

/// Makes the folder and empties what a crash left in it; removes it when nothing is to be `kept`.
pub(super) fn prepare(root: &Path, kept: bool) -> io::Result<()> {
    let stale = if kept { root.join(NEW) } else { root.to_owned() };
    match fs::remove_dir_all(stale) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    if kept { make(&root.join(NEW)) } else { Ok(()) }
}

fn make(folder: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

/// Reads a file and marks it as used at `now`, Unix milliseconds.
///
/// # Errors
/// `InvalidData` when it is not what was written.
pub(super) fn read(root: &Path, place: &Place, now: u64) -> io::Result<Vec<u8>> {
    let mut file = File::open(root.join(&place.name))?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    if Some(hash32(&bytes).as_str()) != place.key.hash() {
        return Err(io::ErrorKind::InvalidData.into());
    }
    // On a disk that cannot be written the order of use is that of the writes.
    let _ = file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_millis(now));
    Ok(bytes)
}

/// A new file of these bytes, mode 0600, that goes away unless it is published.
pub(super) fn write(root: &Path, bytes: &[u8]) -> io::Result<NamedTempFile> {
    let mut file = aside(root, |new| NamedTempFile::new_in(new))?;
    file.write_all(bytes)?;
    Ok(file)
}

/// Makes something in `.new`, which somebody may have removed meanwhile with the whole folder.
fn aside<T>(root: &Path, make_in: impl Fn(&Path) -> io::Result<T>) -> io::Result<T> {
    let new = root.join(NEW);
    match make_in(&new) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            make(&new)?;
            make_in(&new)
        }
        made => made,
    }
}

/// Gives a file its name.
pub(super) fn publish(root: &Path, place: &Place, file: NamedTempFile) -> io::Result<()> {
    let path = root.join(&place.name);
    if let Some(folder) = path.parent() {
        make(folder)?;
    }
    file.persist(path).map(drop).map_err(|failed| failed.error)
}

/// Is there a file or a folder of this name?
pub(super) fn is_there(root: &Path, name: &str) -> bool {
    fs::symlink_metadata(root.join(name)).is_ok()
}

/// Removes a file, and the folders that it leaves empty.
pub(super) fn remove(root: &Path, name: &str) {
    let path = root.join(name);
    let _ = fs::remove_file(&path);
    for folder in path.ancestors().skip(1).take_while(|folder| *folder != root) {
        if fs::remove_dir(folder).is_err() {
            break;
        }
    }
}

/// Takes a folder of files out of the others' way, in one step; none when it is not there.
pub(super) fn set_aside(root: &Path, folder: &str) -> io::Result<Option<TempDir>> {
    if !is_there(root, folder) {
        return Ok(None);
    }
    let from = root.join(folder);
    let aside = aside(root, |new| tempfile::tempdir_in(new))?;
    // A folder that cannot be moved goes where it is.
    fs::rename(&from, aside.path().join("user")).or_else(|_| fs::remove_dir_all(&from))?;
    Ok(Some(aside))
}

/// Removes what was set aside.
pub(super) fn remove_aside(aside: Option<TempDir>) -> io::Result<()> {
    aside.map_or(Ok(()), TempDir::close)
}

/// Folders of users: the names of their tenants, and their own.
pub(super) fn folders(root: &Path) -> Vec<(String, String)> {
    let below = |folder: &Path| {
        let entries = fs::read_dir(folder).into_iter().flatten().flatten();
        entries.filter_map(|entry| entry.file_name().into_string().ok()).collect::<Vec<_>>()
    };
    let tenants = below(root).into_iter().filter(|name| name != NEW);
    let users = |tenant: String| {
        let users = below(&root.join(&tenant));
        users.into_iter().map(move |user| (tenant.clone(), user))
    };
    tenants.flat_map(users).collect()
}

/// A file that a walk met.
pub(super) struct Met {
    pub name: String,
    pub bytes: u64,
    /// Unix milliseconds.
    pub used: u64,
}

/// All files that have their name, as far as they can be read.
pub(super) fn walk(root: &Path) -> Vec<Met> {
    let (mut met, mut folders) = (Vec::new(), vec![root.to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let Ok(about) = entry.metadata() else { continue };
            if !about.is_dir() {
                met.extend(file(root, &entry.path(), &about));
            } else if entry.file_name() != NEW {
                folders.push(entry.path());
            }
        }
    }
    met
}

fn file(root: &Path, path: &Path, about: &fs::Metadata) -> Option<Met> {
    let name = path.strip_prefix(root).ok()?.to_str()?.to_owned();
    let used = about.modified().ok()?.duration_since(SystemTime::UNIX_EPOCH).ok()?;
    Some(Met { name, bytes: about.len(), used: u64::try_from(used.as_millis()).ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;
    use holdfast_core::{TenantId, UserId};

    fn kept(key: &str) -> Option<String> {
        Place::of(&Key::raw(key)).map(|place| place.name)
    }

    const NAME: &str = "01ARZ3NDEKTSV4RRFFQ69G5FAV-2d711642b726b04401627ca9fbac32f5";

    #[test]
    fn only_what_names_its_hash_in_a_users_journal_is_kept() {
        for part in ["wal/20260320", "seg", "cov", "man"] {
            let key = format!("v1/t/acme/u/~42ob/{part}/{NAME}.x");
            assert_eq!(kept(&key), Some(format!("acme/~42ob/{part}/{NAME}.x")));
        }
        let user = "v1/t/acme/u/bob";
        for key in [
            "v1/t/acme/keys/k/created.json".to_owned(),
            format!("{user}/idx/{NAME}.hfx"),
            format!("{user}/wal/20260320/01ARZ3NDEKTSV4RRFFQ69G5FAV.jsonl"),
            format!("v1/format/{NAME}.json"),
            format!("{user}/wal/../../../{NAME}.jsonl"),
            format!("v1/t/acme/u/.new/wal/1/{NAME}.jsonl"),
        ] {
            assert_eq!(kept(&key), None, "{key}");
        }
    }

    #[test]
    fn a_users_folder_holds_what_is_kept_of_the_user_and_nothing_else() {
        let user = |id| UserId::parse(id).unwrap();
        let scope = Scope { tenant: TenantId::parse("acme").unwrap(), user: user("Bob") };
        let key = key::segment_object(&scope, Default::default(), b"x");
        let folder = folder(&scope).unwrap();
        assert_eq!(folder, "acme/~42ob/");
        assert!(Place::of(&key).unwrap().name.starts_with(&folder));
        assert_eq!(Place::of(&key).unwrap().folder(), folder);
    }
}
