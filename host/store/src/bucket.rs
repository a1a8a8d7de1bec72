//! One bucket: object files in one folder, their index, and the order of each write.
//!
//! An object's file is named by the SHA-256 of its key. So no key can leave the folder,
//! `a` and `a/b` live side by side, a key of 1,024 bytes fits, and file systems that fold
//! case or normalise Unicode cannot merge two keys. The key itself is in the file's head.

use std::io;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use s3s::crypto::{Checksum as _, Sha256};

use crate::condition::WriteCondition;
use crate::disk::{self, Folder};
use crate::draft::Written;
use crate::fault::Fault;
use crate::files::{Files, Handle};
use crate::head::Head;
use crate::index::{Entry, Index};

/// Locks that keys share by hash; many, so that writes of different keys rarely wait.
const LOCKS: usize = 4096;

/// A bucket that is being served.
#[derive(Debug)]
pub(crate) struct Bucket {
    folder: Folder,
    /// What LIST reads.
    pub(crate) index: Index,
    locks: Vec<Mutex<()>>,
}

/// An object open for reading; stays whole when the key is overwritten meanwhile.
#[derive(Debug)]
pub(crate) struct Opened {
    /// The object's file; its body begins at offset 0.
    pub(crate) file: Box<dyn Handle>,
    /// Its description.
    pub(crate) head: Head,
}

impl Bucket {
    /// A bucket over its folder and what was found there.
    pub(crate) fn new(folder: Folder, entries: Vec<(Box<str>, Entry)>) -> Self {
        let locks = std::iter::repeat_with(Mutex::default).take(LOCKS).collect();
        Self { folder, index: Index::from_entries(entries), locks }
    }

    /// Where the bucket's objects are.
    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Makes a written object the key's; blocks until that is durable. Whatever fails before
    /// the name is given leaves the old object; all of two writers with `If-None-Match: *`
    /// but one get `PreconditionFailed`.
    pub(crate) fn publish(
        &self,
        written: &Written,
        condition: &WriteCondition,
    ) -> Result<(), Fault> {
        let Written { file, head } = written;
        self.check(&head.key, condition)?;
        file.sync()?;
        let name = name_of(&head.key);
        let _key = self.lock(&name);
        self.check(&head.key, condition)?;
        let target = self.folder.path().join(hex::encode(name));
        if condition.must_be_new() {
            file.publish_new(&target).map_err(taken)?;
        } else {
            file.publish_over(&target)?;
        }
        let synced = self.folder.sync();
        self.index.insert(&head.key, Entry::from(head));
        synced
    }

    /// Removes keys; blocks until that is durable. Keys that are not there are fine.
    pub(crate) fn delete<'k>(
        &self,
        keys: impl IntoIterator<Item = &'k str>,
        condition: &WriteCondition,
    ) -> Result<(), Fault> {
        for key in keys {
            let name = name_of(key);
            let _key = self.lock(&name);
            self.check(key, condition)?;
            disk::remove(self.folder.files(), &self.folder.path().join(hex::encode(name)))?;
            self.index.remove(key);
        }
        self.folder.sync()
    }

    /// Opens the object of a key; blocks.
    pub(crate) fn open(&self, key: &str) -> Result<Opened, Fault> {
        self.index.get(key).ok_or(Fault::NoSuchKey)?;
        let path = self.folder.path().join(hex::encode(name_of(key)));
        let mut file = self.folder.files().open(&path).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => Fault::NoSuchKey,
            _ => Fault::Io(error),
        })?;
        let head = Head::read(&mut *file)?;
        if head.key == key { Ok(Opened { file, head }) } else { Err(Fault::Damaged) }
    }

    fn check(&self, key: &str, condition: &WriteCondition) -> Result<(), Fault> {
        condition.check(self.index.get(key).map(|entry| entry.etag))
    }

    fn lock(&self, name: &[u8; 32]) -> Option<MutexGuard<'_, ()>> {
        let [first, second, ..] = *name;
        let slot = usize::from(u16::from_le_bytes([first, second])) % LOCKS;
        let lock = self.locks.get(slot)?;
        Some(lock.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The name of a key's file, before hex.
pub(crate) fn name_of(key: &str) -> [u8; 32] {
    Sha256::checksum(key.as_bytes())
}

/// Reads the entry of one object file; `Damaged` also where the file has another key's name.
pub(crate) fn read_entry(files: &dyn Files, path: &Path) -> Result<(Box<str>, Entry), Fault> {
    let head = Head::read(&mut *files.open(path)?)?;
    let named = path.file_name().and_then(|name| name.to_str());
    if named != Some(hex::encode(name_of(&head.key)).as_str()) {
        return Err(Fault::Damaged);
    }
    Ok((head.key.as_str().into(), Entry::from(&head)))
}

fn taken(error: io::Error) -> Fault {
    match error.kind() {
        io::ErrorKind::AlreadyExists => Fault::PreconditionFailed,
        _ => Fault::Io(error),
    }
}
