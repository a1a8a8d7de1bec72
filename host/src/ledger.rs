//! The erases of a bucket, kept a second time in a folder outside it: a bucket that was restored from a backup must not bring
//! back who was erased since.
//!
//! Only the marks are kept, under the names that they have in the bucket; they say nothing of who it is. What was removed is
//! not: after a replay everything is removed anew.

use crate::native::apart;
use bytes::Bytes;
use holdfast_core::ports::Objects;
use holdfast_core::{Case, Error, Key, Prefix, Result, TenantId, key};
use holdfast_journal::next_tenant;
use holdfast_objects::Settings;
use holdfast_ports::{Bucket, bucket};
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long an erase may be in the bucket alone.
const EVERY: Duration = Duration::from_secs(60);

/// The folder, and the bucket that it stands beside.
#[derive(Clone)]
pub struct Ledger {
    folder: PathBuf,
    store: Settings,
}

impl Ledger {
    /// The ledger in `folder`, where that is named.
    ///
    /// # Errors
    /// `invalid` when there is no such folder: a disk that is not mounted must not be taken for an empty ledger.
    pub fn open(folder: &str, store: Settings) -> Result<Option<Self>> {
        if folder.is_empty() {
            return Ok(None);
        }
        let folder = PathBuf::from(folder);
        if !folder.is_dir() {
            let shown = folder.display();
            let detail = format!("there is no folder {shown}: mount its disk, or make it");
            return Err(Error::invalid(detail).at("erase_ledger"));
        }
        Ok(Some(Self { folder, store }))
    }

    /// Puts the erases into the bucket that only the folder has; says how many. To be done before anything is served.
    ///
    /// # Errors
    /// What the store may answer; `unavailable` when the folder cannot be read.
    pub async fn replay(&self) -> Result<usize> {
        let Self { folder, store } = self.clone();
        apart(async move || {
            let (store, mut replayed) = (bucket(store)?, 0);
            for tenant in below(&folder.join(key::tenants().as_str()))? {
                let Ok(tenant) = TenantId::parse(&tenant) else { continue };
                let prefix = key::ledger(&tenant);
                let there = marks(&store, &prefix).await?;
                for key in kept(&folder, &prefix)? {
                    if !there.contains(&key) {
                        let bytes = fs::read(folder.join(key.as_str())).map_err(unreadable)?;
                        store.put(&key, Bytes::from(bytes)).await?;
                        replayed += 1;
                    }
                }
            }
            Ok(replayed)
        })
        .await
    }

    /// Copies the erases into the folder that only the bucket has; says how many.
    ///
    /// # Errors
    /// What the store may answer; `unavailable` when the folder cannot be written.
    pub async fn keep(&self) -> Result<usize> {
        let Self { folder, store } = self.clone();
        apart(async move || {
            let (store, mut copied, mut place) = (bucket(store)?, 0, None);
            while let Some((tenant, next)) = next_tenant(&store, place.as_deref()).await? {
                if let Some(tenant) = tenant {
                    for key in marks(&store, &key::ledger(&tenant)).await? {
                        let path = folder.join(key.as_str());
                        if !path.exists()
                            && let Some(bytes) = store.get(&key).await?
                        {
                            write(&path, &bytes).map_err(unwritable)?;
                            copied += 1;
                        }
                    }
                }
                place = Some(next);
            }
            Ok(copied)
        })
        .await
    }

    /// Keeps for ever. What fails is logged, and tried again.
    pub async fn run(self) {
        loop {
            tokio::time::sleep(EVERY).await;
            if let Err(error) = self.keep().await {
                tracing::warn!(
                    "{}: erases are copied out of the bucket later: {error}",
                    error.reason
                );
            }
        }
    }
}

/// Marks of erases in the bucket.
async fn marks(store: &Bucket, prefix: &Prefix) -> Result<BTreeSet<Key>> {
    let (mut marks, mut after) = (BTreeSet::new(), None::<String>);
    loop {
        let page = store.list(prefix, after.as_deref()).await?;
        marks.extend(page.objects.iter().filter_map(|one| mark(prefix, &one.key)));
        match page.next {
            Some(next) => after = Some(next),
            None => return Ok(marks),
        }
    }
}

/// Marks of erases in the folder.
fn kept(folder: &Path, prefix: &Prefix) -> Result<Vec<Key>> {
    let mut keys = Vec::new();
    for user in below(&folder.join(prefix.as_str()))? {
        let names = below(&folder.join(prefix.as_str()).join(&user))?;
        let name = |name: String| mark(prefix, &format!("{}{user}/{name}", prefix.as_str()));
        keys.extend(names.into_iter().filter_map(name));
    }
    Ok(keys)
}

/// The key of a mark: what else lies in the ledger says what was removed.
fn mark(prefix: &Prefix, text: &str) -> Option<Key> {
    const NAME: usize = "01ARZ3NDEKTSV4RRFFQ69G5FAV.json".len();
    let name = text.rsplit('/').next()?;
    Key::below(prefix, text).filter(|key| key.ulid().is_some() && name.len() == NAME)
}

/// Names in a folder; none when it is not there.
fn below(folder: &Path) -> Result<Vec<String>> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(unreadable(error)),
    };
    let name = |entry: std::io::Result<fs::DirEntry>| {
        entry.map(|entry| entry.file_name().to_string_lossy().into_owned()).map_err(unreadable)
    };
    entries.map(name).collect()
}

/// Writes a file that has its name once it is whole and on the disk.
fn write(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let folder = path.parent().unwrap_or(path);
    fs::create_dir_all(folder)?;
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    File::open(folder)?.sync_all()
}

fn unreadable(cause: std::io::Error) -> Error {
    Error::new(Case::Unavailable, "the folder of erase_ledger cannot be read").caused_by(cause)
}

fn unwritable(cause: std::io::Error) -> Error {
    Error::new(Case::Unavailable, "the folder of erase_ledger cannot be written").caused_by(cause)
}
