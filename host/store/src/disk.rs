//! Every change of the file system, and the order that makes it durable.
//!
//! All else in this crate changes files through this module only, so that what is promised about
//! crashes can be read in one place. `s3/power/` cuts the power behind every step of it.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::fault::Fault;
use crate::files::{Files, Handle};

/// The folder of files that are not objects yet or no longer; on the same file system as the objects.
#[derive(Debug)]
pub(crate) struct Incoming {
    files: Arc<dyn Files>,
    folder: PathBuf,
    next: AtomicU64,
}

impl Incoming {
    /// Opens the folder and removes what a crash left in it.
    pub(crate) fn open(files: Arc<dyn Files>, folder: PathBuf) -> io::Result<Self> {
        create_folder(&*files, &folder)?;
        for left in files.list(&folder)? {
            remove_all(&*files, &left)?;
        }
        Ok(Self { files, folder, next: AtomicU64::new(0) })
    }

    /// The file system that it is on.
    pub(crate) fn files(&self) -> &dyn Files {
        &*self.files
    }

    /// A new empty file under a name that nothing else uses.
    pub(crate) fn create(&self) -> io::Result<Temporary> {
        let path = self.unused();
        let file = self.files.create(&path)?;
        Ok(Temporary { files: self.files.clone(), path, file })
    }

    /// Takes a folder away durably, in one step: after a crash it is there whole or not at all.
    /// One that is not there is fine.
    pub(crate) fn discard(&self, folder: &Path) -> io::Result<()> {
        let aside = self.unused();
        match self.files.rename(folder, &aside) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            done => done?,
        }
        sync_parent(&*self.files, folder)?;
        // What stays is removed at the next start.
        let _gone = remove_all(&*self.files, &aside);
        Ok(())
    }

    fn unused(&self) -> PathBuf {
        self.folder.join(self.next.fetch_add(1, Ordering::Relaxed).to_string())
    }
}

/// A file that goes away unless it is published.
#[derive(Debug)]
pub(crate) struct Temporary {
    files: Arc<dyn Files>,
    path: PathBuf,
    file: Box<dyn Handle>,
}

impl Temporary {
    /// Appends bytes.
    pub(crate) fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)
    }

    /// Appends all of another reader.
    pub(crate) fn append_from(&mut self, from: &mut impl io::Read) -> io::Result<u64> {
        io::copy(from, &mut self.file)
    }

    /// Returns once the bytes are on the medium.
    pub(crate) fn sync(&self) -> io::Result<()> {
        self.file.sync()
    }

    /// Gives the file its name; fails with `AlreadyExists` where that name is taken.
    pub(crate) fn publish_new(&self, target: &Path) -> io::Result<()> {
        self.files.link(&self.path, target)
    }

    /// Gives the file its name, in one step in place of what had it.
    pub(crate) fn publish_over(&self, target: &Path) -> io::Result<()> {
        self.files.rename(&self.path, target)
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        // After a rename the name is gone; a name that stays is removed at the next start.
        let _gone = self.files.remove(&self.path);
    }
}

/// A folder whose entries are made durable together: one fsync serves all who wait for it.
#[derive(Debug)]
pub(crate) struct Folder {
    files: Arc<dyn Files>,
    path: PathBuf,
    handle: Box<dyn Handle>,
    asked: AtomicU64,
    synced: Mutex<Synced>,
}

#[derive(Debug)]
struct Synced {
    upto: u64,
    failed: bool,
}

impl Folder {
    /// Creates the folder where it is missing, durably, and opens it.
    pub(crate) fn open(files: Arc<dyn Files>, path: PathBuf) -> io::Result<Self> {
        create_folder(&*files, &path)?;
        let handle = files.open(&path)?;
        let synced = Mutex::new(Synced { upto: 0, failed: false });
        Ok(Self { files, path, handle, asked: AtomicU64::new(0), synced })
    }

    /// Where the folder is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The file system that it is on.
    pub(crate) fn files(&self) -> &dyn Files {
        &*self.files
    }

    /// Returns once every entry that was made or removed before the call is on the medium.
    ///
    /// After one failure all later calls fail: the system forgets what it could not write,
    /// so a second fsync that succeeds would promise what is not there.
    pub(crate) fn sync(&self) -> Result<(), Fault> {
        let mine = self.asked.fetch_add(1, Ordering::SeqCst) + 1;
        let mut synced = self.synced.lock().unwrap_or_else(PoisonError::into_inner);
        if synced.failed {
            return Err(Fault::Unsynced);
        }
        if synced.upto >= mine {
            return Ok(());
        }
        let upto = self.asked.load(Ordering::SeqCst);
        if let Err(source) = self.handle.sync() {
            synced.failed = true;
            return Err(source.into());
        }
        synced.upto = upto;
        Ok(())
    }
}

/// Makes the folder of all, durably, with those above it where they are missing.
pub(crate) fn create_root(files: &dyn Files, path: &Path) -> io::Result<()> {
    if files.is_folder(path) {
        // Its maker may have been killed before the sync. Where the folder above is not ours to
        // read, it is not ours to have made this one in.
        let _synced = sync_parent(files, path);
        return Ok(());
    }
    if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        create_root(files, parent)?;
    }
    create_folder(files, path)
}

/// Makes a folder and its name durable; one that exists is fine, and its name is made durable too:
/// its maker may have been killed before that.
pub(crate) fn create_folder(files: &dyn Files, path: &Path) -> io::Result<()> {
    match files.create_folder(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && files.is_folder(path) => {}
        done => done?,
    }
    sync_parent(files, path)
}

/// Makes what was made or removed in a folder durable.
pub(crate) fn sync_folder(files: &dyn Files, folder: &Path) -> io::Result<()> {
    files.open(folder)?.sync()
}

fn sync_parent(files: &dyn Files, path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(parent) if parent.as_os_str().is_empty() => sync_folder(files, Path::new(".")),
        Some(parent) => sync_folder(files, parent),
        None => Ok(()),
    }
}

/// Removes a file; one that is not there is fine.
pub(crate) fn remove(files: &dyn Files, path: &Path) -> io::Result<()> {
    match files.remove(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        done => done,
    }
}

/// Removes a folder that must be empty, durably.
pub(crate) fn remove_empty_folder(files: &dyn Files, path: &Path) -> io::Result<()> {
    files.remove_folder(path)?;
    sync_parent(files, path)
}

/// Moves a file that cannot be read out of the way, keeping its bytes.
pub(crate) fn set_aside(files: &dyn Files, file: &Path, folder: &Path) -> io::Result<()> {
    create_folder(files, folder)?;
    let name = file.file_name().unwrap_or_default();
    files.rename(file, &folder.join(name))
}

fn remove_all(files: &dyn Files, path: &Path) -> io::Result<()> {
    if !files.is_folder(path) {
        return remove(files, path);
    }
    for inner in files.list(path)? {
        remove_all(files, &inner)?;
    }
    files.remove_folder(path)
}
